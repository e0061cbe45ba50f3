"""Every filter of a layer in one picture: scaled, tiled, none dropped, silent ones told apart."""

from __future__ import annotations

import math
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.drawing.color import colorize
from cnn_widgets.records import Floats, Pixels

Scale = Literal["filter", "layer"]

#: The colour of a filter that is silent: no value of the colour maps offered.
CONSTANT_COLOR: tuple[int, int, int] = (112, 112, 120)


def constant_filters(activations: NDArray[Any]) -> NDArray[np.bool_]:
    """Return, for each filter of (h, w, K), whether it says nothing: one value everywhere."""
    flat = activations.reshape(-1, activations.shape[-1])
    same: NDArray[np.bool_] = flat.max(axis=0) == flat.min(axis=0)
    return same


def scale_filters(activations: NDArray[Any], scale: Scale = "filter") -> Floats:
    """Return activations (h, w, K) scaled to [0, 1], each filter by itself or all alike.

    ``"filter"`` stretches every filter from its own minimum to its own maximum: shapes show, but
    strength does not. ``"layer"`` uses one range for the whole layer: weak filters stay dark.
    A filter that is the same everywhere becomes 0, never NaN.
    """
    if scale not in ("filter", "layer"):
        raise ValueError(f"Expected scale to be 'filter' or 'layer'. Received: {scale!r}")
    values = np.nan_to_num(np.asarray(activations, np.float32))
    values = values.clip(-1e38, 1e38)  # so that the span of what overflowed is finite
    axes = (0, 1) if scale == "filter" else None
    low = values.min(axis=axes, keepdims=True)
    span = values.max(axis=axes, keepdims=True) - low
    scaled: Floats = (values - low) / np.where(span > 0, span, np.float32(1))
    return scaled


def grid_shape(count: int, aspect: float = 1.0) -> tuple[int, int]:
    """Return (rows, columns) that give `count` square cells the most room, no row empty.

    The room is `aspect` times as wide as it is high. Where two grids do, the wider is taken.

    >>> grid_shape(33, aspect=2.0)
    (4, 9)
    """
    columns = max(
        range(count, 0, -1), key=lambda wide: min(aspect / wide, 1 / math.ceil(count / wide))
    )
    rows = math.ceil(count / columns)
    return rows, math.ceil(count / rows)


def mosaic(
    activations: NDArray[Any],
    scale: Scale = "filter",
    colormap: str = "viridis",
    columns: int | None = None,
    cell: int | None = None,
    gap: int = 1,
) -> Pixels:
    """Return one picture of every filter of a layer, in reading order; none is dropped.

    Parameters
    ----------
    activations : ndarray, shape (h, w, K)
        A layer's output for one image.
    scale : {"filter", "layer"}
        See `scale_filters`. A silent filter (one value everywhere) is drawn in flat grey.
    columns : int, optional
        Filters per row; by default about a square.
    cell : int, optional
        Longer side of one tile in pixels; by default the map's own size.
    gap : int
        Pixels between tiles.

    Returns
    -------
    ndarray of uint8, shape (rows · (h + gap) - gap, columns · (w + gap) - gap, 3)
        RGB on black, the background where the last row is not full.
    """
    if activations.ndim != 3 or not activations.size:
        raise ValueError(
            f"Expected activations of shape (h, w, K). Received shape: {activations.shape}"
        )
    dead = constant_filters(activations)
    tiles = scale_filters(activations, scale).transpose(2, 0, 1)
    height, width = tiles.shape[1:]
    if cell is not None:
        size = tile_size((height, width), cell)
        tiles = np.stack([_tile(tile, size) for tile in tiles])
        height, width = size
    count = len(tiles)
    columns = grid_shape(count)[1] if columns is None else max(1, min(columns, count))
    rows = math.ceil(count / columns)
    colored = colorize(tiles, colormap)
    colored[dead] = CONSTANT_COLOR
    canvas = np.zeros((rows * columns, height + gap, width + gap, 3), np.uint8)
    canvas[:count, :height, :width] = colored
    grid = canvas.reshape(rows, columns, height + gap, width + gap, 3).swapaxes(1, 2)
    picture = grid.reshape(rows * (height + gap), columns * (width + gap), 3)
    return np.ascontiguousarray(picture[: picture.shape[0] - gap, : picture.shape[1] - gap])


def tile_size(shape: tuple[int, int], cell: int) -> tuple[int, int]:
    """Return (height, width) of a tile whose longer side is `cell` pixels.

    A map of one row or column is stretched to an eighth of that, or it could not be seen.

    >>> tile_size((28, 56), 20), tile_size((1, 64), 32)
    ((10, 20), (4, 32))
    """
    ratio, least = cell / max(shape), max(1, cell // 8)
    return max(least, round(shape[0] * ratio)), max(least, round(shape[1] * ratio))


def _tile(tile: Floats, size: tuple[int, int]) -> Floats:
    """Return a map at another size: averaged when it shrinks, whole pixels when it grows."""
    shrinks = size[0] < tile.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(tile, (size[1], size[0]), interpolation=how), np.float32)
