"""The patches that excite a filter, cut out of photographs, and the section of a page."""

import html
import re

import numpy as np
import pytest
from PIL import Image
from test_filter_faults import photographs, planted
from test_filter_index import in_unit, noise

import cnn_widgets as cw
from cnn_widgets.auditing import write_page
from cnn_widgets.datasets import open_images
from cnn_widgets.filter_index import filters_section


@pytest.fixture(scope="module")
def net(keras):
    return cw.Network(planted(keras, 0), preprocess=in_unit, name="planted")


@pytest.fixture(scope="module")
def images():
    return open_images(photographs(), labels=["even", "odd"] * 60)


@pytest.fixture(scope="module")
def index(net, images):
    return cw.index_filters(net, images)


def test_the_patch_is_the_receptive_field_cut_out_of_the_photograph(net, images, index):
    found = index.patch(net, images, "first", 9)
    np.testing.assert_array_equal(found, photographs()[77][4:7, 1:4])
    assert tuple(found[1, 1]) == (255, 0, 0)
    whole = index.patch(net, photographs(), "first", 9)  # whatever the photographs come as
    np.testing.assert_array_equal(whole, found)


def test_of_a_larger_photograph_the_patch_is_as_large_as_its_share(net):
    large = np.zeros((40, 80, 3), np.uint8)
    large[15:30, 20:50] = (255, 0, 0)  # the cells in rows 3 to 5 and columns 2 to 4 of 8
    index = cw.index_filters(net, {"large": large}, layers="first")
    (top,) = index.top_photographs("first", 9)
    row, column = top["row"], top["column"]
    assert row in (3, 4, 5)
    assert column in (2, 3, 4)
    found = index.patch(net, {"large": large}, "first", 9)
    seen = large[5 * (row - 1) : 5 * (row + 2), 10 * (column - 1) : 10 * (column + 2)]
    np.testing.assert_array_equal(found, seen)


def test_the_patch_lies_where_the_photograph_was_cropped(net):
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[4, 10] = (255, 0, 0)
    given = {"wide": cw.load_image(wide, fit="crop")}
    index = cw.index_filters(net, given, layers="first")
    np.testing.assert_array_equal(index.patch(net, given, "first", 9), wide[3:6, 9:12])
    index = cw.index_filters(net, {"wide": wide}, layers="first", fit="crop")
    np.testing.assert_array_equal(index.patch(net, {"wide": wide}, "first", 9), wide[3:6, 9:12])


def test_other_photographs_another_network_and_no_such_rank_are_refused(keras, net, images, index):
    with pytest.raises(ValueError, match="Filter 9 of 'first' has 1 exciting photographs"):
        index.patch(net, images, "first", 9, rank=1)
    with pytest.raises(ValueError, match="Filter 1 of 'first' has 0 exciting photographs"):
        index.patch(net, images, "first", 1)
    with pytest.raises(ValueError, match="number 77 was 'image 77', here it is 'missing'"):
        index.patch(net, photographs()[:60], "first", 9)
    named = {f"other {n}": each for n, each in enumerate(photographs())}
    with pytest.raises(ValueError, match="other photographs than those of the index"):
        index.patch(net, named, "first", 9)
    model = keras.Sequential([
        keras.Input((8, 8, 3)), keras.layers.Conv2D(5, 3, name="first", activation="relu"),
        keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    with pytest.raises(ValueError, match="another network than that of the index"):
        index.patch(cw.Network(model, preprocess=in_unit), images, "first", 9)


def words(text):
    return html.unescape(re.sub(r"<[^>]+>", " ", text))


def test_the_section_tells_faults_per_layer_and_shows_patches(net, images, index):
    text = filters_section(index, net, images, [("first", 9), ("first", 0)])
    told = " ".join(words(text).split())
    assert "24 filters of 2 layers over 120 photographs" in told
    assert "first 12 1 1 1 1 1" in told  # of each fault one
    assert "first, filter 9 almost dead above 0 on 1 of 120 photographs" in told
    assert "up to 2.5 %" in told
    assert len(re.findall(r'<img alt="first, filter 9, image 77', text)) == 1
    assert len(re.findall(r'<img alt="first, filter 0, ', text)) == 4
    assert "class selectivity" in told
    for absent in ("nan", "NaN", "None", "<script"):
        assert absent not in re.sub(r'src="[^"]+"', "", text)
    assert text.count("<section>") == 1


def test_without_a_choice_filters_of_several_layers_are_shown(net, images, index):
    told = words(filters_section(index, net, images))
    assert re.search(r"first, filter \d+: active on", told)
    assert re.search(r"deep, filter \d+: active on", told)


def test_the_section_stands_in_the_page_of_an_audit(net, images, index, tmp_path):
    given = open_images(photographs())
    part = filters_section(index, net, given, [("first", 0)])
    path = write_page(cw.audit(net, given), net, given, tmp_path / "a.html", sections=[part])
    assert "<h2>Filters</h2>" in path.read_text("utf-8")


def test_names_are_text_and_no_markup(net):
    given = {"<b>bold</b>": photographs()[0]}
    index = cw.index_filters(net, given)
    text = filters_section(index, net, open_images(given), [("first", 0)])
    assert "<b>bold" not in text
    assert "<b>bold</b>" in words(text)


def test_a_photograph_that_is_gone_is_told_and_the_section_is_made(net, tmp_path):
    for number, each in enumerate(noise(6, (8, 8))):
        Image.fromarray(each).save(tmp_path / f"{number}.png")
    images = open_images(tmp_path)
    index = cw.index_filters(net, images, layers="first")
    gone = index.top_photographs("first", 0)[0]["name"]
    (tmp_path / gone).unlink()
    told = words(filters_section(index, net, images, [("first", 0)]))
    assert "There is no file" in told
    with pytest.raises(OSError, match=r"There is no file"):
        index.patch(net, images, "first", 0)


def test_a_stream_has_no_section(net, index):
    with pytest.raises(ValueError, match="cannot be shown"):
        filters_section(index, net, open_images(iter(photographs())))
