"""Draws all filters of a layer as tiles of one picture; constant filters have their own colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.drawing.color import colorize
from cnn_widgets.records import Floats, Pixels

Scale = Literal["filter", "layer"]

#: The RGB colour of a constant filter's tile; it occurs in none of `COLORMAPS`.
CONSTANT_COLOR: tuple[int, int, int] = (112, 112, 120)


def constant_filters(activations: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a bool array (K,): whether each filter of (h, w, K) has one value everywhere."""
    flat = activations.reshape(-1, activations.shape[-1])
    same: NDArray[np.bool_] = flat.max(axis=0) == flat.min(axis=0)
    return same


def scale_filters(activations: NDArray[Any], scale: Scale = "filter") -> Floats:
    """Return activations (h, w, K) scaled linearly to [0, 1], per filter or per layer, float32.

    Parameters
    ----------
    activations : ndarray, shape (h, w, K)
        NaN counts as 0; values are limited to ±1e38, so that differences stay finite.
    scale : {"filter", "layer"}
        ``"filter"`` uses each filter's own minimum and maximum: shapes become visible, but
        filters cannot be compared in strength. ``"layer"`` uses one minimum and maximum for the
        whole layer: weak filters stay dark. Where minimum and maximum are equal, the result is 0.

    Raises
    ------
    ValueError
        If `scale` is anything else.
    """
    if scale not in ("filter", "layer"):
        raise ValueError(f"Expected scale to be 'filter' or 'layer'. Received: {scale!r}")
    values = np.nan_to_num(np.asarray(activations, np.float32))
    values = values.clip(-1e38, 1e38)  # keeps the difference max - min within float32
    axes = (0, 1) if scale == "filter" else None
    low = values.min(axis=axes, keepdims=True)
    span = values.max(axis=axes, keepdims=True) - low
    scaled: Floats = (values - low) / np.where(span > 0, span, np.float32(1))
    return scaled


def grid_shape(count: int, aspect: float = 1.0) -> tuple[int, int]:
    """Return the (rows, columns) in which `count` square cells can be largest, with no empty row.

    The area they share is `aspect` times as wide as it is high. Of equally good grids the one with
    the most columns is taken.

    Examples
    --------
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
    shown: NDArray[Any] | None = None,
) -> Pixels:
    """Return one picture with a tile for every filter of a layer, row by row from the top left.

    Parameters
    ----------
    activations : ndarray, shape (h, w, K)
        A layer's output for one image.
    scale : {"filter", "layer"}
        See `scale_filters`. A filter with one value everywhere is drawn in `CONSTANT_COLOR`.
    colormap : str
        A Matplotlib colour map.
    columns : int, optional
        Tiles per row; by default so many that the grid is about square.
    cell : int, optional
        Longer side of one tile in pixels; by default tiles have the map's size, h by w.
    gap : int
        Pixels between tiles.
    shown : ndarray of int, shape (n,), optional
        The filters to show, in this order; by default all K. The scale is that of the whole layer.

    Returns
    -------
    ndarray of uint8, shape (rows · (h + gap) - gap, columns · (w + gap) - gap, 3)
        RGB, black between the tiles and after the last one; with `cell`, the tile's height and
        width (see `tile_size`) in place of h and w.

    Raises
    ------
    ValueError
        If the activations do not have three axes, or are empty.

    Examples
    --------
    >>> mosaic(np.ones((5, 5, 6)), columns=3).shape
    (11, 17, 3)
    """
    if activations.ndim != 3 or not activations.size:
        raise ValueError(
            f"Expected activations of shape (h, w, K). Received shape: {activations.shape}"
        )
    dead = constant_filters(activations)
    tiles = scale_filters(activations, scale).transpose(2, 0, 1)
    if shown is not None:
        dead, tiles = dead[shown], tiles[shown]
    height, width = tiles.shape[1:]
    if cell is not None:
        size = tile_size((height, width), cell)
        tiles = np.stack([_resized_tile(tile, size) for tile in tiles])
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
    """Return (height, width) in pixels of a tile whose longer side is `cell` pixels.

    The sides keep the ratio of `shape` = (h, w), but neither is shorter than an eighth of `cell`:
    a map of one row or column would otherwise be too thin to see.

    Examples
    --------
    >>> tile_size((28, 56), 20), tile_size((1, 64), 32)
    ((10, 20), (4, 32))
    """
    ratio, least = cell / max(shape), max(1, cell // 8)
    return max(least, round(shape[0] * ratio)), max(least, round(shape[1] * ratio))


def _resized_tile(tile: Floats, size: tuple[int, int]) -> Floats:
    """Return a map (h, w) at another size: area averages to shrink, nearest pixels to enlarge."""
    shrinks = size[0] < tile.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(tile, (size[1], size[0]), interpolation=how), np.float32)


def side_by_side(pictures: Sequence[Pixels], gap: int = 8) -> Pixels:
    """Return pictures (H, W, 3) in one row, each scaled to the height of the first.

    >>> side_by_side([np.zeros((10, 20, 3), np.uint8), np.zeros((5, 5, 3), np.uint8)]).shape
    (10, 38, 3)
    """
    height = pictures[0].shape[0]
    parts: list[Pixels] = []
    for each in pictures:
        width = max(1, round(each.shape[1] * height / each.shape[0]))
        parts.append(np.full((height, gap, 3), CONSTANT_COLOR, np.uint8))
        parts.append(
            np.asarray(cv2.resize(each, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        )
    return np.concatenate(parts[1:], axis=1)


def tile_pictures(pictures: Sequence[Pixels], rows: int, columns: int, below: int = 0) -> Pixels:
    """Return pictures (H, W, 3) of one size as tiles of one picture, row by row.

    `below` is the height in pixels of an empty line under each. What holds no picture is grey.

    >>> tile_pictures([np.zeros((10, 20, 3), np.uint8)] * 3, 2, 2, below=4).shape
    (28, 40, 3)
    """
    height, width = pictures[0].shape[:2]
    canvas = np.full((rows, columns, height + below, width, 3), CONSTANT_COLOR, np.uint8)
    for number, picture in enumerate(pictures):
        canvas[number // columns, number % columns, :height] = picture
    return np.ascontiguousarray(
        canvas.swapaxes(1, 2).reshape(rows * (height + below), columns * width, 3)
    )
