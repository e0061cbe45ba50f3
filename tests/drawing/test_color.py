"""Scaling, resizing, colouring and laying a map over a photograph."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnn_widgets.drawing import color

RED, BLUE = [128, 0, 0], [0, 0, 128]  # the two ends of JET, in RGB


ENDS = np.array([[0.0, 1.0]])


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
