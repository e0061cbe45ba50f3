"""Where a map over the network's input lies on the photograph, for each way of fitting."""

from __future__ import annotations

import numpy as np
import pytest

from cnn_widgets.images.resizing import place_on_photo, visible_window


@pytest.mark.parametrize(
    ("image", "network", "fit", "expected"),
    [
        ((100, 200), (50, 50), "squash", (0, 0, 100, 200)),
        ((200, 100), (50, 50), "squash", (0, 0, 200, 100)),
        ((100, 200), (50, 50), "crop", (0, 50, 100, 100)),
        ((200, 100), (50, 50), "crop", (50, 0, 100, 100)),
        ((100, 200), (50, 50), "letterbox", (-50, 0, 200, 200)),
        ((200, 100), (50, 50), "letterbox", (0, -50, 200, 200)),
        ((100, 100), (20, 80), "crop", (37, 0, 25, 100)),
        ((100, 100), (20, 80), "letterbox", (0, -150, 100, 400)),
        ((100, 100), (80, 20), "crop", (0, 37, 100, 25)),
        ((100, 100), (80, 20), "letterbox", (-150, 0, 400, 100)),
        ((60, 90), (40, 60), "crop", (0, 0, 60, 90)),
        ((60, 90), (40, 60), "letterbox", (0, 0, 60, 90)),
        ((1, 1), (224, 224), "crop", (0, 0, 1, 1)),
        ((1, 500), (224, 224), "crop", (0, 249, 1, 1)),
    ],
)
def test_the_window_is_the_part_of_the_photograph_the_network_sees(image, network, fit, expected):
    assert visible_window(image, network, fit) == expected


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
def test_the_window_has_the_shape_of_the_input_and_touches_two_edges(fit):
    rng = np.random.default_rng(1)
    for _ in range(200):
        rows, columns, height, width = (int(n) for n in rng.integers(20, 400, 4))
        top, left, tall, wide = visible_window((rows, columns), (height, width), fit)
        # exact but for the rounding of one side to whole pixels
        assert abs(wide * height - tall * width) <= max(height, width)
        assert tall == rows or wide == columns
        if fit == "crop":
            assert 0 <= top <= top + tall <= rows
            assert 0 <= left <= left + wide <= columns
        else:
            assert tall >= rows
            assert wide >= columns
        assert abs((rows - tall) - 2 * top) <= 1
        assert abs((columns - wide) - 2 * left) <= 1


@pytest.mark.parametrize("fit", ["stretch", "", "Crop", None])
def test_an_unknown_fit_is_refused_with_the_ones_there_are(fit):
    with pytest.raises(ValueError, match=r"squash.*crop.*letterbox.*Received"):
        visible_window((10, 20), (5, 5), fit)
    with pytest.raises(ValueError, match="Expected fit"):
        place_on_photo(np.ones((2, 2)), (10, 20), (5, 5), fit)


def spot(row: int, column: int, size: int = 4) -> np.ndarray:
    raw = np.zeros((size, size), np.float32)
    raw[row, column] = 1
    return raw


def hottest(heat: np.ndarray) -> np.ndarray:
    """Return the pixels of the largest value, as (first row, last row, first col, last col)."""
    rows, columns = np.nonzero(heat > heat.max() - 1e-6)
    return np.array([rows.min(), rows.max(), columns.min(), columns.max()])


def test_a_squashed_spot_stretches_with_the_photograph():
    # A cell of the 4×4 map covers 2×4 pixels of the 8×16 photograph: rows 2-3, columns 12-15.
    heat = place_on_photo(spot(1, 3), (8, 16), (4, 4), "squash")
    assert heat.shape == (8, 16)
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert 2 <= row <= 3
    assert 12 <= column <= 15


def test_a_cropped_spot_lands_inside_the_window_of_a_landscape():
    # The window is columns 2 to 5 of the 4×8 photograph; at the same scale nothing is blurred.
    heat = place_on_photo(spot(1, 3), (4, 8), (4, 4), "crop")
    assert np.argwhere(heat).tolist() == [[1, 5]]
    assert heat[1, 5] == 1


def test_a_cropped_spot_lands_inside_the_window_of_a_portrait():
    heat = place_on_photo(spot(0, 1), (8, 4), (4, 4), "crop")
    assert np.argwhere(heat).tolist() == [[2, 1]]


def test_outside_a_crop_the_map_is_zero_because_the_network_never_saw_it():
    heat = place_on_photo(np.ones((7, 7)), (10, 30), (224, 224), "crop")
    assert np.all(heat[:, 10:20] == 1)
    assert not heat[:, :10].any()
    assert not heat[:, 20:].any()


def test_a_letterboxed_spot_lands_on_the_photograph_of_a_landscape():
    # The 4×8 photograph lies in rows 2 to 5 of the 8×8 view: view row 3 is photograph row 1.
    heat = place_on_photo(spot(3, 6, 8), (4, 8), (8, 8), "letterbox")
    assert np.argwhere(heat).tolist() == [[1, 6]]


def test_a_letterboxed_spot_lands_on_the_photograph_of_a_portrait():
    heat = place_on_photo(spot(6, 3, 8), (8, 4), (8, 8), "letterbox")
    assert np.argwhere(heat).tolist() == [[6, 1]]


def test_heat_on_the_bars_of_a_letterbox_falls_off_the_photograph():
    assert not place_on_photo(spot(0, 0, 8), (4, 8), (8, 8), "letterbox").any()
    assert not place_on_photo(spot(7, 7, 8), (8, 4), (8, 8), "letterbox").any()


def test_a_coarse_spot_is_hot_over_the_cell_it_stands_for():
    # 2×2 cells over a 40×80 photograph, letterboxed: the view is 80×80 with the photograph in
    # rows 20 to 59, the lower right cell is view rows 40-79, columns 40-79.
    heat = place_on_photo(spot(1, 1, 2), (40, 80), (224, 224), "letterbox")
    assert hottest(heat).tolist() == [39, 39, 60, 79]  # view row 59 is just short of its centre
    heat = place_on_photo(spot(1, 1, 2), (40, 80), (224, 224), "squash")
    assert hottest(heat).tolist() == [30, 39, 60, 79]
    heat = place_on_photo(spot(1, 1, 2), (40, 80), (224, 224), "crop")
    assert hottest(heat).tolist() == [30, 39, 50, 59]


@pytest.mark.parametrize("fit", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("size", [(31, 77), (77, 31), (50, 50), (1, 9), (9, 1), (1, 1)])
def test_a_placed_map_always_has_the_size_of_the_photograph(size, fit):
    heat = place_on_photo(np.ones((7, 7)), size, (224, 160), fit)
    assert heat.shape == size
    assert heat.dtype == np.float32
    assert heat.max() == 1
