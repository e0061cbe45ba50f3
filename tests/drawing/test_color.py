"""Maps to pictures, checked against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnn_widgets.drawing import color
from cnn_widgets.images.resizing import place_on_photo, visible_window

RED, BLUE = [128, 0, 0], [0, 0, 128]  # the two ends of JET, in RGB
ENDS = np.array([[0.0, 1.0]])


# normalize


def test_normalize_divides_by_the_maximum_and_never_subtracts_the_minimum():
    assert color.normalize(np.array([[2.0, 4.0, 8.0]])).tolist() == [[0.25, 0.5, 1.0]]


def test_a_constant_positive_map_is_evidence_everywhere():
    assert color.normalize(np.full((2, 3), 7.0)).tolist() == [[1.0] * 3] * 2


@pytest.mark.parametrize("signed", [False, True])
def test_an_empty_map_stays_zero(signed):
    scaled = color.normalize(np.zeros((3, 2)), signed)
    assert scaled.dtype == np.float32
    assert not scaled.any()


def test_a_map_that_only_speaks_against_is_empty_unless_it_is_signed():
    against = np.array([[-4.0, -1.0]])
    assert color.normalize(against).tolist() == [[0.0, 0.0]]
    assert color.normalize(against, signed=True).tolist() == [[-1.0, -0.25]]


def test_a_signed_map_keeps_its_zero_and_is_divided_by_its_largest_absolute_value():
    scaled = color.normalize(np.array([[-8.0, 0.0, 2.0]]), signed=True)
    assert scaled.tolist() == [[-1.0, 0.0, 0.25]]


def test_nan_counts_as_zero_and_infinity_as_the_peak():
    assert color.normalize(np.array([[np.nan, 1.0, 2.0]])).tolist() == [[0.0, 0.5, 1.0]]
    assert color.normalize(np.array([[np.nan, np.inf]])).tolist() == [[0.0, 1.0]]
    assert color.normalize(np.array([[-np.inf, np.inf]]), True).tolist() == [[-1.0, 1.0]]
    assert not color.normalize(np.full((2, 2), np.nan)).any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.uint8, bool])
def test_normalize_takes_any_kind_of_number_and_leaves_it_alone(dtype):
    raw = np.array([[0, 1]], dtype)
    assert color.normalize(raw).tolist() == [[0.0, 1.0]]
    assert raw.dtype == dtype
    assert raw.tolist() == [[0, 1]]


def test_the_smallest_numbers_are_scaled_without_overflow():
    tiny = np.array([[5e-324, 0.0]])
    assert color.normalize(tiny).tolist() == [[1.0, 0.0]]
    huge = np.array([[1e308, 5e307]])
    assert color.normalize(huge).tolist() == [[1.0, 0.5]]


# resize


def test_resize_puts_pixel_centres_at_halves():
    # Doubled, the new centres lie at -0.25, 0.25, 0.75, 1.25 of the old grid; edges are held.
    assert color.resize(np.array([[0.0, 4.0]]), (1, 4)).tolist() == [[0.0, 1.0, 3.0, 4.0]]
    assert color.resize(np.array([[0.0], [4.0]]), (4, 1)).ravel().tolist() == [0, 1, 3, 4]


def test_resize_in_both_directions_is_the_product_of_the_two():
    corner = color.resize(np.array([[16.0, 0.0], [0.0, 0.0]]), (4, 4))
    line = np.array([4.0, 3.0, 1.0, 0.0])
    np.testing.assert_allclose(corner, np.outer(line, line), atol=1e-6)


def test_resize_takes_height_first():
    assert color.resize(np.zeros((7, 7)), (20, 50)).shape == (20, 50)


def test_resize_shrinks_by_sampling_and_keeps_values_of_the_map():
    # Halved, each new centre lies between two old ones.
    assert color.resize(np.array([[0.0, 2.0, 10.0, 20.0]]), (1, 2)).tolist() == [[1.0, 15.0]]


def test_resize_to_the_same_size_changes_nothing_and_does_not_touch_its_input():
    raw = np.random.default_rng(0).normal(size=(5, 9)).astype(np.float32)
    before = raw.copy()
    resized = color.resize(raw, (5, 9))
    np.testing.assert_array_equal(resized, before)
    resized[:] = 0
    np.testing.assert_array_equal(raw, before)


def test_resize_takes_a_transposed_view_as_it_is():
    raw = np.arange(6.0).reshape(2, 3).T
    np.testing.assert_array_equal(color.resize(raw, (3, 2)), [[0, 3], [1, 4], [2, 5]])


def test_a_map_of_one_value_fills_the_picture():
    np.testing.assert_allclose(color.resize(np.array([[3.5]]), (6, 4)), 3.5, rtol=1e-6)


# window and place


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


# colour


def test_jet_is_rgb_so_red_speaks_for_the_class():
    assert color.colorize(ENDS, "jet").tolist() == [[BLUE, RED]]


def test_colours_are_rounded_to_the_nearest_not_cut_off():
    table = color.lookup_table("gray")
    assert table.tolist() == [[n, n, n] for n in range(256)]
    exact = color.colormaps["viridis"](np.arange(256))[:, :3] * 255
    assert np.abs(color.lookup_table("viridis") - exact).max() <= 0.5


def test_a_colour_table_is_shared_so_it_cannot_be_written_to():
    table = color.lookup_table("inferno")
    assert table.shape == (256, 3)
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1


def test_every_offered_colour_map_exists_and_an_unknown_one_is_refused():
    for name in (*color.COLORMAPS, color.DIVERGING):
        assert color.lookup_table(name).shape == (256, 3)
    with pytest.raises(ValueError, match=r"'heat'.*inferno.*jet"):
        color.lookup_table("heat")


def test_values_outside_the_range_are_held_at_its_ends():
    values = np.array([[-5.0, 7.0, np.inf, -np.inf, np.nan]])
    assert color.colorize(values, "gray")[0, :, 0].tolist() == [0, 255, 255, 0, 0]


def test_a_signed_nan_is_neutral_and_never_evidence_against():
    values = np.array([[np.nan, 0.0, -1.0, 1.0, -9.0, np.inf]])
    assert color.colorize(values, "gray", signed=True)[0, :, 0].tolist() == [
        128, 128, 0, 255, 0, 255,
    ]  # fmt: skip


def test_grey_values_are_rounded_to_the_nearest_of_256():
    values = np.array([[0.0, 0.5, 100 / 255, 100.4 / 255, 100.6 / 255, 1.0]])
    assert color.colorize(values, "gray")[0, :, 0].tolist() == [0, 128, 100, 100, 101, 255]


def test_diverging_maps_are_kept_and_all_others_replaced():
    assert color.diverging_colormap("coolwarm") == "coolwarm"
    assert [color.diverging_colormap(name) for name in ("jet", "viridis", "RdBu_r")] == [
        "RdBu_r"
    ] * 3


# overlay


def test_the_default_overlay_is_six_tenths_of_jet_and_four_of_the_photograph():
    photograph = np.array([[[10, 200, 30], [250, 100, 0]]], np.uint8)
    # blue end: .6·(0, 0, 128) + .4·(10, 200, 30) = (4, 80, 88.8)
    # red end:  .6·(128, 0, 0) + .4·(250, 100, 0) = (176.8, 40, 0)
    assert color.overlay(photograph, ENDS).tolist() == [[[4, 80, 89], [177, 40, 0]]]


def test_a_bright_overlay_does_not_wrap_around():
    white = np.full((1, 2, 3), 255, np.uint8)
    # .6·128 + .4·255 = 178.8; the channels JET leaves out: .4·255 = 102
    assert color.overlay(white, ENDS).tolist() == [[[102, 102, 179], [179, 102, 102]]]
    for alpha in np.linspace(0, 1, 21):
        blended = color.overlay(white, np.ones((1, 2)), float(alpha), "gray")
        assert np.all(blended == 255)


def test_alpha_zero_is_the_photograph_and_alpha_one_the_colours():
    photograph = np.random.default_rng(2).integers(0, 256, (5, 8, 3), np.uint8)
    heat = np.linspace(0, 1, 40).reshape(5, 8)
    assert np.array_equal(color.overlay(photograph, heat, 0.0), photograph)
    assert np.array_equal(color.overlay(photograph, heat, 1.0), color.colorize(heat, "jet"))


@pytest.mark.parametrize("alpha", [-0.01, 1.01, 60, math.nan])
def test_an_alpha_outside_zero_to_one_is_refused(alpha):
    with pytest.raises(ValueError, match="alpha between 0 and 1"):
        color.overlay(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 2)), alpha)


@pytest.mark.parametrize("shape", [(4,), (2, 2, 1), (1, 2, 2), ()])
def test_a_heat_map_of_another_rank_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(H, W\)"):
        color.overlay(np.zeros((2, 2, 3), np.uint8), np.zeros(shape))


@pytest.mark.parametrize("size", [(20, 60), (60, 20)])
def test_rows_and_columns_are_not_swapped_on_a_photograph_that_is_not_square(size):
    photograph = np.zeros((*size, 3), np.uint8)
    upper_right = np.array([[0.0, 1.0], [0.0, 0.0]])
    laid = color.overlay(photograph, upper_right, 1.0, "gray")
    assert laid.shape == (*size, 3)
    assert laid[0, -1].tolist() == [255] * 3
    assert laid[0, 0].tolist() == laid[-1, 0].tolist() == laid[-1, -1].tolist() == [0] * 3


def test_the_map_is_resized_before_it_is_coloured():
    # Between JET's blue and red lies its green; colours mixed after would be a dull purple.
    laid = color.overlay(np.zeros((1, 5, 3), np.uint8), ENDS, 1.0)
    assert laid[0, 2, 1] == 255


def test_a_signed_map_takes_the_diverging_colours_with_white_in_the_middle():
    black = np.zeros((1, 3, 3), np.uint8)
    against, neutral, support = color.overlay(black, np.array([[-1.0, 0.0, 1.0]]), 1.0)[0]
    assert against[2] > against[0] + 40  # blue
    assert support[0] > support[2] + 40  # red
    assert neutral.min() > 240


def test_another_diverging_map_is_used_if_it_is_named():
    black = np.zeros((1, 3, 3), np.uint8)
    values = np.array([[-1.0, 0.0, 1.0]])
    laid = color.overlay(black, values, 1.0, "bwr")
    assert laid[0, 0].tolist() == [0, 0, 255]
    assert laid[0, 2].tolist() == [255, 0, 0]
    assert laid[0, 1].min() >= 254


def test_overlay_leaves_photograph_and_map_alone():
    photograph = np.full((3, 4, 3), 9, np.uint8)
    heat = np.full((3, 4), 0.5)
    photograph.flags.writeable = heat.flags.writeable = False
    laid = color.overlay(photograph, heat)
    assert not np.shares_memory(laid, photograph)
    assert np.all(photograph == 9)


def test_overlay_takes_a_mirrored_view_of_a_photograph():
    photograph = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    laid = color.overlay(photograph[:, ::-1], np.zeros((2, 4)), 0.0)
    assert np.array_equal(laid, photograph[:, ::-1])
