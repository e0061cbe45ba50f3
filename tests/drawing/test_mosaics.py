"""Every filter in one picture, checked pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cnn_widgets.drawing import color, mosaics


def tile(picture: np.ndarray, index: int, columns: int, size: tuple[int, int], gap: int = 1):
    row, column = divmod(index, columns)
    top, left = row * (size[0] + gap), column * (size[1] + gap)
    return picture[top : top + size[0], left : left + size[1]]


def test_all_of_33_filters_are_drawn_pixel_by_pixel():
    activations = np.random.default_rng(3).normal(size=(3, 5, 33)).astype(np.float32)
    picture = mosaics.mosaic(activations, columns=16, colormap="gray")
    assert picture.shape == (3 * 4 - 1, 16 * 6 - 1, 3)  # three rows; nothing is dropped
    for k in range(33):
        own = activations[..., k]
        expected = np.floor(255 * (own - own.min()) / (own.max() - own.min()) + 0.5)
        shown = tile(picture, k, 16, (3, 5))
        assert np.abs(shown - expected[..., None]).max() <= 1
        assert shown.min() == 0
        assert shown.max() == 255
    assert not tile(picture, 33, 16, (3, 5)).any()  # the rest of the last row is background


def test_the_gaps_between_tiles_are_black():
    activations = np.random.default_rng(4).uniform(size=(4, 4, 6))
    picture = mosaics.mosaic(activations, columns=3, gap=2, colormap="viridis")
    assert picture.shape == (4 * 2 + 2, 4 * 3 + 2 * 2, 3)
    assert not picture[4:6].any()
    assert not picture[:, [4, 5, 10, 11]].any()
    assert picture[:4, :4].any(axis=-1).all()  # viridis has no black


def test_without_a_gap_the_tiles_touch():
    activations = np.stack([np.eye(2), 1 - np.eye(2)], axis=-1)
    picture = mosaics.mosaic(activations, columns=2, gap=0, colormap="gray")[..., 0]
    assert picture.tolist() == [[255, 0, 0, 255], [0, 255, 255, 0]]


def test_silent_filters_are_grey_and_only_they():
    activations = np.random.default_rng(5).uniform(size=(3, 3, 4))
    activations[..., 1] = 0
    activations[..., 3] = 2.5  # one value everywhere says as little
    assert mosaics.constant_filters(activations).tolist() == [False, True, False, True]
    for scale in ("filter", "layer"):
        picture = mosaics.mosaic(activations, scale, columns=4)
        for k in (1, 3):
            assert np.all(tile(picture, k, 4, (3, 3)) == mosaics.CONSTANT_COLOR)
        for k in (0, 2):
            assert not np.all(tile(picture, k, 4, (3, 3)) == mosaics.CONSTANT_COLOR, axis=-1).any()


def test_silent_filters_stay_grey_at_another_cell_size():
    activations = np.zeros((6, 6, 2))
    activations[2, 3, 0] = 1
    for cell in (3, 15):
        picture = mosaics.mosaic(activations, columns=2, cell=cell)
        assert np.all(tile(picture, 1, 2, (cell, cell)) == mosaics.CONSTANT_COLOR)


def test_the_grey_of_silence_is_no_colour_of_the_maps_offered():
    for name in color.COLORMAPS:
        assert not np.all(color.lookup_table(name) == mosaics.CONSTANT_COLOR, axis=-1).any(), name


def test_a_shared_scale_keeps_weak_filters_dark_and_the_own_scale_does_not():
    weak = np.array([[0.0, 1.0]])
    activations = np.stack([weak, 10 * weak], axis=-1)
    own = mosaics.mosaic(activations, "filter", "gray", columns=2, gap=0)[0, :, 0]
    shared = mosaics.mosaic(activations, "layer", "gray", columns=2, gap=0)[0, :, 0]
    assert own.tolist() == [0, 255, 0, 255]
    assert shared.tolist() == [0, 26, 0, 255]  # .1 · 255 = 25.5


def test_scaling_by_layer_uses_the_extremes_of_the_layer():
    activations = np.array([[[-1.0, 0.0], [1.0, 3.0]]])
    scaled = mosaics.scale_filters(activations, "layer")
    assert scaled.tolist() == [[[0.0, 0.25], [0.5, 1.0]]]
    assert mosaics.scale_filters(activations).tolist() == [[[0.0, 0.0], [1.0, 1.0]]]


def test_a_dead_filter_is_scaled_to_zero_and_not_to_nan():
    for value in (0.0, -3.0, 7.0):
        assert not mosaics.scale_filters(np.full((2, 2, 3), value)).any()
        assert not mosaics.scale_filters(np.full((2, 2, 3), value), "layer").any()


def test_scaling_survives_nan_and_overflown_half_precision():
    activations = np.array([[[np.nan], [np.inf], [1.0]]], np.float16)
    scaled = mosaics.scale_filters(activations)
    assert np.isfinite(scaled).all()
    assert scaled.max() == 1


def test_scaling_survives_infinities_of_both_signs():
    scaled = mosaics.scale_filters(np.array([[[-np.inf], [0.0], [np.inf]]], np.float32))
    np.testing.assert_allclose(scaled.ravel(), [0.0, 0.5, 1.0])


@pytest.mark.parametrize("scale", ["image", "", "Filter"])
def test_an_unknown_scale_is_refused(scale):
    with pytest.raises(ValueError, match="'filter' or 'layer'"):
        mosaics.scale_filters(np.ones((2, 2, 2)), scale)
    with pytest.raises(ValueError, match="'filter' or 'layer'"):
        mosaics.mosaic(np.ones((2, 2, 2)), scale)


def test_cells_grow_by_whole_pixels():
    activations = np.array([[[0.0], [1.0]], [[1.0], [0.0]]])
    picture = mosaics.mosaic(activations, colormap="gray", cell=6)[..., 0]
    block = np.ones((3, 3))
    assert np.array_equal(picture, np.kron([[0, 255], [255, 0]], block))


def test_cells_shrink_by_averaging():
    activations = np.zeros((4, 4, 1))
    activations[:2, :2] = [[[1.0], [0.0]], [[0.0], [1.0]]]
    picture = mosaics.mosaic(activations, colormap="gray", cell=2)[..., 0]
    assert picture.tolist() == [[128, 0], [0, 0]]


@pytest.mark.parametrize(
    ("shape", "cell", "size"),
    [
        ((10, 20), 40, (20, 40)),
        ((20, 10), 40, (40, 20)),
        ((20, 10), 5, (5, 2)),
        ((9, 9), 1, (1, 1)),
    ],
)
def test_a_cell_is_the_longer_side_and_keeps_the_shape_of_the_map(shape, cell, size):
    activations = np.random.default_rng(6).uniform(size=(*shape, 3))
    picture = mosaics.mosaic(activations, columns=3, cell=cell)
    assert picture.shape == (size[0], 3 * (size[1] + 1) - 1, 3)


def test_a_very_flat_map_keeps_at_least_one_row():
    assert mosaics.mosaic(np.ones((1, 100, 1)), cell=10).shape == (1, 10, 3)


def test_one_filter_is_its_own_mosaic():
    activations = np.arange(12.0).reshape(3, 4, 1)
    picture = mosaics.mosaic(activations, colormap="gray")
    assert picture.shape == (3, 4, 3)
    assert picture[0, 0, 0] == 0
    assert picture[-1, -1, 0] == 255


def test_more_columns_than_filters_leave_no_empty_columns():
    activations = np.random.default_rng(7).uniform(size=(2, 2, 3))
    assert mosaics.mosaic(activations, columns=50, gap=0).shape == (2, 6, 3)


def test_maps_that_are_not_square_keep_rows_and_columns():
    activations = np.zeros((2, 5, 2))
    activations[0, 4] = 1
    picture = mosaics.mosaic(activations, columns=1, gap=0, colormap="gray")[..., 0]
    assert np.argwhere(picture).tolist() == [[0, 4], [2, 4]]


@pytest.mark.parametrize("shape", [(4, 4), (4,), (1, 4, 4, 3), (0, 4, 3), (4, 4, 0)])
def test_anything_but_a_stack_of_maps_is_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(h, w, K\)"):
        mosaics.mosaic(np.ones(shape))


def test_mosaic_leaves_the_activations_alone():
    activations = np.random.default_rng(8).normal(size=(4, 4, 5)).astype(np.float32)
    activations[0, 0, 0] = np.nan
    before = activations.copy()
    activations.flags.writeable = False
    mosaics.mosaic(activations)
    np.testing.assert_array_equal(activations, before)


@pytest.mark.parametrize("aspect", [0.25, 1.0, 2.0, 2.6])
def test_a_grid_holds_every_cell_wastes_no_row_and_gives_the_largest_cells(aspect):
    for count in range(1, 130):
        rows, columns = mosaics.grid_shape(count, aspect)
        assert (rows - 1) * columns < count <= rows * columns
        cell = min(aspect / columns, 1 / rows)  # in a place `aspect` wide and 1 high
        best = max(min(aspect / c, 1 / math.ceil(count / c)) for c in range(1, count + 1))
        assert cell == pytest.approx(best)


@pytest.mark.parametrize(
    ("count", "aspect", "expected"),
    [
        (1, 1, (1, 1)),
        (2, 1, (1, 2)),
        (9, 1, (3, 3)),
        (33, 1, (6, 6)),
        (32, 2, (4, 8)),
        (3, 9, (1, 3)),
    ],
)
def test_grid_shapes_worked_out_by_hand(count, aspect, expected):
    assert mosaics.grid_shape(count, aspect) == expected
