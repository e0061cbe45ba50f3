"""Pointing, with answers known beforehand, and the table of it in the page on trust."""

import re
from pathlib import Path

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.evaluation.localization import SUBJECTS, pointing, right_share


def test_the_right_share_is_worked_by_hand(tiny_net, photo):
    found = cw.attribute(tiny_net, photo, "hirescam")
    object.__setattr__(found, "heatmap", np.float32([[1, -5, 2, 1], [0, 0, 0, 0]]))
    assert right_share(found) == pytest.approx(3 / 4)  # what speaks against does not count
    object.__setattr__(found, "heatmap", np.float32([[1, 2, 1]]))
    assert right_share(found) == pytest.approx(1 / 2)  # the middle column is half of each
    object.__setattr__(found, "heatmap", np.float32([[-1, 0, 0]]))
    assert np.isnan(right_share(found))


@pytest.mark.slow
def test_pointing_equals_the_maps_it_is_made_of(lite0, gallery):
    found = pointing(lite0, ["grad-cam"])
    assert [each.photograph for each in found] == list(SUBJECTS)
    for each in found:
        for name, share, right in zip(each.classes, each.shares, (False, True), strict=True):
            shown = cw.attribute(lite0, gallery[each.photograph], class_index=name)
            half = shown.heatmap.shape[1] // 2
            side = shown.heatmap[:, half:] if right else shown.heatmap[:, :half]
            assert share == pytest.approx(side.sum() / shown.heatmap.sum(), abs=1e-5)
            assert share > 0.75


PAGE = (Path(__file__).parents[2] / "notebooks" / "howto" / "trust.md").read_text("utf-8")


TOLD = {
    title: (int(left), int(right))
    for title, left, right in re.findall(r"^\| (.+?) \| (\d+) % \| (\d+) % \|$", PAGE, re.M)
}


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=pytest.mark.slow)
        if method.slow or name == "guided-backprop"
        else name
        for name, method in cw.METHODS.items()
        if name not in ("score-cam", "rise")  # minutes; benchmarks/methods.py prints theirs
    ],
)
def test_the_page_s_table_of_pointing_is_what_is_measured(lite0, gallery, method):
    sample = gallery["cat and espresso"]
    cat, cup = (right_share(cw.attribute(lite0, sample, method, name))
                for name in ("Egyptian cat", "espresso"))  # fmt: skip
    told = TOLD[cw.METHODS[method].title]
    assert (100 * (1 - cat), 100 * cup) == pytest.approx(told, abs=1)


def test_the_page_s_table_lists_every_method_best_first():
    assert sorted(TOLD) == sorted(method.title for method in cw.METHODS.values())
    assert [sum(pair) for pair in TOLD.values()] == sorted(map(sum, TOLD.values()), reverse=True)


def test_a_network_that_does_not_know_the_subjects_says_so(tiny_net):
    with pytest.raises(ValueError, match=r"no Egyptian cat, espresso, badger, missile"):
        pointing(tiny_net)
