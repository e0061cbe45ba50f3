"""The tiles of the mosaic: large enough, within their place, and one scale for a layer."""

from types import SimpleNamespace

import numpy as np
import pytest

from cnn_widgets.drawing.color import colorize
from cnn_widgets.drawing.mosaics import CONSTANT_COLOR, mosaic, tile_size
from cnn_widgets.panels import filters
from cnn_widgets.panels.places import LEAST_TILE, grid

SHAPES = [(112, 112), (7, 7), (16, 12), (10, 14), (30, 4), (1, 64), (64, 1), (2, 100)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 3, 24, 96, 200, 1280])
def test_tiles_are_never_too_small_and_fill_their_place(shape, count):
    scene = SimpleNamespace(
        layer=SimpleNamespace(shape=(*shape, count)),
        filter_choice=SimpleNamespace(shown=np.arange(count)),
    )
    rows, columns, cell = grid(scene)
    assert (rows - 1) * columns < count <= rows * columns
    assert cell >= LEAST_TILE == 24
    height, width = tile_size(shape, cell)
    rounding = 1.5 * columns  # widths of tiles are rounded to whole pixels
    assert columns * (width + 1) - 1 <= 832 + rounding
    if cell > LEAST_TILE:
        assert rows * (height + 1) - 1 <= 320 + rows
    assert max(columns * (width + 1), rows * (height + 1) * 832 / 320) > 832 / 2 or count < 3


@pytest.mark.parametrize("count", ["24", "96", "all"])
def test_the_pictures_size_is_that_of_its_tiles(wide, count):
    wide.show(filter=100, filter_count=count)
    rows, columns, cell = grid(wide.scene)
    height, width = tile_size((4, 10), cell)
    picture = filters.mosaic(wide.scene).picture
    assert picture.shape == (rows * (height + 1) - 1, columns * (width + 1) - 1, 3)
    assert max(height, width) >= 24


def drawn(shown, scale):
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(3, 4, 5)).astype(np.float32)
    maps[..., 1] *= 10  # the layer's range is this one's
    maps[..., 4] = 2
    picture = mosaic(maps, scale, "viridis", columns=len(shown), shown=np.array(shown))
    return maps, [picture[:, 5 * place : 5 * place + 4] for place in range(len(shown))]


def test_the_filters_shown_are_drawn_in_their_order():
    maps, tiles = drawn([3, 0], "filter")
    for index, tile in zip([3, 0], tiles, strict=True):
        unit = (maps[..., index] - maps[..., index].min()) / np.ptp(maps[..., index])
        np.testing.assert_array_equal(tile, colorize(unit, "viridis"))


def test_one_scale_is_that_of_the_whole_layer_whatever_is_shown():
    maps, tiles = drawn([3, 4, 0], "layer")
    for index, tile in ((3, tiles[0]), (0, tiles[2])):
        unit = (maps[..., index] - maps.min()) / np.ptp(maps)
        np.testing.assert_array_equal(tile, colorize(unit, "viridis"))
    assert (tiles[1] == CONSTANT_COLOR).all()


def test_the_panel_draws_a_page_in_the_layers_scale(wide):
    wide.show(filter_count="24", filter_order="strength", filter=0, scale="layer")
    scene = wide.scene
    maps = scene.network.activations(scene.sample, "wide")
    _, columns, cell = grid(scene)
    whole = mosaic(maps, "layer", "viridis", columns=1, cell=cell)
    height, width = tile_size((4, 10), cell)
    picture = filters.mosaic(scene).picture
    for place, index in enumerate(scene.filter_choice.shown):
        row, column = divmod(place, columns)
        top, left = row * (height + 1), column * (width + 1)
        np.testing.assert_array_equal(
            picture[top : top + height, left : left + width],
            whole[index * (height + 1) :][:height],
        )


def test_the_caption_tells_how_many_and_in_which_order(wide):
    wide.show(filter_count="24", filter_order="strength", filter=0)
    caption = filters.mosaic(wide.scene).caption
    assert caption.startswith("24 of 110 filters of 10×4, strongest on this photograph first; ")
    wide.show(filter_count="all", filter_order="index")
    caption = filters.mosaic(wide.scene).caption
    assert caption.startswith("all 110 filters of 10×4, in the layer's own order; ")
