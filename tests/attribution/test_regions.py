"""The hottest part of a heat-map, drawn by hand."""

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.attribution.regions import hottest_region


def drawn(*lines):
    """Return a map of digits, each a tenth."""
    return np.array([[int(digit) for digit in line] for line in lines], np.float32) / 10


TWO = drawn(
    "000000",
    "078000",
    "000050",
    "000009",
    "000090",
)


def test_the_box_is_around_the_part_that_holds_the_maximum():
    assert hottest_region(TWO) == (4.0, 2.0, 6.0, 5.0)


def test_another_part_as_hot_is_left_out():
    heat = TWO.copy()
    heat[1, 2] = 1.0
    assert hottest_region(heat) == (1.0, 1.0, 3.0, 2.0)


def test_a_corner_joins_two_pixels():
    assert hottest_region(drawn("900", "080", "000")) == (0.0, 0.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("level", "box"), [(0.5, (1, 0, 4, 1)), (0.75, (1, 0, 3, 1)), (1.0, (2, 0, 3, 1))]
)
def test_the_level_is_a_share_of_the_maximum(level, box):
    assert hottest_region(drawn("36853"), level) == (*map(float, box),)


def test_what_speaks_against_the_class_does_not_count():
    heat = drawn("000", "030", "000")
    heat[0, 0] = -1.0
    assert hottest_region(heat) == (1.0, 1.0, 2.0, 2.0)


@pytest.mark.parametrize("heat", [np.zeros((3, 4)), np.full((3, 4), -0.5), np.zeros((0, 4))])
def test_without_evidence_there_is_no_hottest_part(heat):
    assert hottest_region(heat.astype(np.float32)) is None


def test_a_map_that_is_one_value_everywhere_is_hot_everywhere():
    assert hottest_region(np.ones((3, 5), np.float32)) == (0.0, 0.0, 5.0, 3.0)


@pytest.mark.parametrize("method", ["grad-cam", "hirescam", "saliency"])
def test_on_a_photograph_the_box_holds_the_maximum(lite0, gallery, method):
    heat = cw.attribute(lite0, gallery["cat"], method).heatmap
    left, top, right, bottom = hottest_region(heat)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert left <= column < right
    assert top <= row < bottom
    assert 0 <= left < right <= heat.shape[1]
    assert 0 <= top < bottom <= heat.shape[0]
