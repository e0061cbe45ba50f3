"""The hottest part of a heat-map, drawn by hand."""

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.attribution.regions import Brush, hottest_region, region_mask


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


# --- which pixels a region holds ---


@pytest.mark.parametrize(
    ("region", "rows", "columns"),
    [
        ((1, 2, 4, 5), range(2, 5), range(1, 4)),
        ((1.6, 2.4, 4.4, 5.6), range(2, 6), range(2, 4)),
        ((0, 0, 6, 8), range(8), range(6)),
        ((2.6, 3.6, 2.9, 3.7), [3], [2]),
        ((5.7, 7.7, 6, 8), [7], [5]),
    ],
)
def test_a_rectangle_holds_the_pixels_whose_centres_are_inside(region, rows, columns):
    wanted = np.zeros((8, 6), bool)
    wanted[np.ix_(list(rows), list(columns))] = True
    assert np.array_equal(region_mask(region, (8, 6)), wanted)


def test_a_brush_holds_the_pixels_it_passes_over():
    """Beside the distance of each pixel's centre from the line, worked out one by one."""
    brush = Brush(6.0, (((20, 30), (60, 50), (60, 80)), ((90, 20),)))
    found = region_mask(brush, (100, 120))
    away = np.full((100, 120), np.inf)
    for start, end in (((20, 30), (60, 50)), ((60, 50), (60, 80)), ((90, 20), (90, 20))):
        along = np.subtract(end, start)
        for row in range(100):
            for column in range(120):
                place = np.subtract((column + 0.5, row + 0.5), start)
                share = np.clip(place @ along / max(along @ along, 1), 0, 1)
                away[row, column] = min(away[row, column], np.hypot(*(place - share * along)))
    assert found[away < 5].all()
    assert not found[away > 7].any()
    assert brush.bounds == (14.0, 14.0, 96.0, 86.0)


def test_the_finest_brush_still_holds_a_pixel():
    found = region_mask(Brush(0.01, (((3.5, 2.5),),)), (5, 6))
    assert found.sum() == 1
    assert found[2, 3]
