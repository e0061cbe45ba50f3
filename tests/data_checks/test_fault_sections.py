"""The data's faults on an audit's page: the worst photographs with their words, text escaped."""

import html
import re

import cv2
import numpy as np
import pytest
from helpers.networks import tiny
from test_doubts import NAMES, audit_of, sure

import cnn_widgets as cw
from cnn_widgets.auditing import write_page
from cnn_widgets.data_checks import (
    DoubtedLabels,
    OddOnes,
    doubted_labels,
    doubted_section,
    duplicates,
    duplicates_section,
    odd_section,
)
from cnn_widgets.datasets import open_images


def words(text):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def pictures(count):
    return np.random.default_rng(0).integers(0, 256, (count, 20, 30, 3), np.uint8)


@pytest.fixture(scope="module")
def doubted():
    """Twelve of forty photographs have a wrong label."""
    given = [0] * 20 + [1] * 20
    likely = [0] * 14 + [1] * 20 + [0] * 6
    return doubted_labels(audit_of(sure(likely), given, NAMES))


def test_doubted_labels_are_shown_with_both_labels_and_the_pairs(doubted):
    text = doubted_section(doubted, pictures(40))
    told = words(text)
    assert "12 of 40 photographs have a label that is likely wrong" in told
    assert "not trained on these photographs" in told
    assert "cat dog 6" in told
    assert "cat (5.0 %), more likely dog (90.0 %) image 14" in told
    assert text.count("<img ") == 12
    few = doubted_section(doubted, pictures(40), pictures=5)
    assert few.count("<img ") == 5
    assert "Shown are 5 of 12." in words(few)


def test_without_doubts_the_section_says_so():
    given = [0] * 10 + [1] * 10
    found = doubted_labels(audit_of(sure(given), given, NAMES))
    assert "0 of 20 photographs" in words(doubted_section(found, pictures(20)))


def odd_ones(names, scores, labels=None):
    labels = labels or (None,) * len(names)
    return OddOnes(
        tuple(names), tuple(labels), np.array(scores, float), 3.0, "conv", {}, {}, ("a <b>",)
    )


def test_odd_ones_are_shown_oddest_first_and_names_are_text(tmp_path):
    names = ["<i>a</i>", "b & c", "d"]
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), pictures(3)[number])
    given = {name: tmp_path / f"{number}.png" for number, name in enumerate(names)}
    found = odd_ones(names, [3.5, 9.25, np.nan], ["x", 0, "x"])
    text = odd_section(found, given)
    assert "<i>a" not in text
    assert "<b>" not in text
    told = words(text)
    assert "2 of 2 photographs lie further" in told
    assert told.index("0, score 9.2 b & c") < told.index("x, score 3.5 <i>a</i>")
    assert text.count("<img ") == 2


def test_duplicates_are_shown_in_their_groups_and_across():
    a, b = pictures(2)
    first = {"a": a, "a again": a, "b": b}
    second = {"b too": b, "c": cv2.resize(a, (90, 60))[::-1]}
    found = duplicates(first, second)
    told = words(duplicates_section(found, first, second))
    assert (
        "that look alike: 1; groups in the very same pixels: 1; pairs that look alike, one in each "
        "set: 1." in told
    )
    assert "exact copy a exact copy a again" in told
    assert "in the first set b in the second set b too" in told
    assert found.records() == [
        {"kind": "exact", "group": 0, "name": "a"},
        {"kind": "exact", "group": 0, "name": "a again"},
        {"kind": "near", "group": 0, "name": "a"},
        {"kind": "near", "group": 0, "name": "a again"},
        {"kind": "across", "group": 0, "name": "b"},
        {"kind": "across", "group": 0, "name": "b too"},
    ]
    with pytest.raises(ValueError, match="Expected other="):
        duplicates_section(found, first)


def test_other_photographs_than_those_judged_are_refused(doubted):
    with pytest.raises(ValueError, match="'image 14' is not there"):
        doubted_section(doubted, pictures(3))
    with pytest.raises(ValueError, match="'x' is not there"):
        odd_section(odd_ones(["x"], [9]), pictures(3))
    with pytest.raises(ValueError, match="cannot be read again"):
        odd_section(odd_ones(["image 0"], [9]), iter(pictures(3)))


def test_a_photograph_that_is_gone_is_said(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), pictures(1)[0])
    images = open_images(tmp_path)
    (tmp_path / "a.png").unlink()
    text = odd_section(odd_ones(["a.png"], [9]), images)
    assert "score 9.0. There is no file" in words(text)
    assert "<img" not in text


def test_sections_stand_on_the_page_of_an_audit(keras, tmp_path):
    net = cw.Network(tiny(keras), preprocess=lambda x: x / 255, class_names=["a", "b", "c", "d"])
    images = open_images(pictures(12), ["a", "b"] * 6)
    audit = cw.audit(net, images)
    sections = [
        doubted_section(doubted_labels(audit), images),
        odd_section(cw.odd_ones_out(net, images, by_label=False), images),
        duplicates_section(duplicates(images), images),
    ]
    path = write_page(audit, net, images, tmp_path / "a.html", pictures=2, sections=sections)
    told = words(path.read_text("utf-8"))
    places = [told.index(each) for each in ("Doubted labels", "Odd ones out", "Duplicates")]
    assert places == sorted(places)
    assert places[-1] < told.index("Mistakes, the most confident first")
    assert isinstance(doubted_labels(audit), DoubtedLabels)
