"""A place of a photograph as the network is given it: a patch of its input, and what fills it.

Regions are given in pixels of the photograph. Experiments replace pixels of the network's input,
so that a photograph is resized once and each further place costs one pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.arguments import seed_of
from cnn_widgets.attribution.regions import Brush, Region, checked_brush, region_mask
from cnn_widgets.evaluation.faithfulness import BASELINES, baseline_input
from cnn_widgets.images.resizing import visible_window
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

Mask = NDArray[np.bool_]

#: What may fill a region, beside another photograph.
FILLS = (*BASELINES, "noise")


@dataclass(frozen=True, eq=False)
class Patch:
    """Pixels of a network's input: a shape at a place, or all but that.

    Attributes
    ----------
    shape : ndarray of bool, (a, b)
    top, left : int
        The place of its first row and column, in pixels of the input.
    inverted : bool
        Whether the patch is everything that is visible but this shape.
    window : (top, left, bottom, right)
        The pixels of the input that show the photograph: all of them, unless a letterbox pads.
    """

    shape: Mask = field(repr=False)
    top: int
    left: int
    inverted: bool
    window: tuple[int, int, int, int]

    @property
    def area(self) -> int:
        """The number of pixels of the shape."""
        return int(self.shape.sum())

    @property
    def share(self) -> float:
        """The share of the window that the patch covers, in [0, 1]."""
        top, left, bottom, right = self.window
        whole = (bottom - top) * (right - left)
        return (whole - self.area if self.inverted else self.area) / whole

    @property
    def free(self) -> tuple[int, int]:
        """How many rows and columns the shape can be moved to within the window."""
        top, left, bottom, right = self.window
        rows, columns = self.shape.shape
        return max(bottom - top - rows, 0) + 1, max(right - left - columns, 0) + 1

    def elsewhere(self, places: NDArray[Any]) -> NDArray[np.bool_]:
        """Return which places (n, 2) overlap the patch's own by at most half of its box."""
        rows, columns = self.shape.shape
        down, across = np.abs(places - (self.top, self.left)).T
        overlap = np.maximum(rows - down, 0) * np.maximum(columns - across, 0)
        return np.asarray(overlap <= rows * columns / 2)

    def mask(self, size: tuple[int, int], place: tuple[int, int] | None = None) -> Mask:
        """Return the pixels, bool (H, W); with the shape moved to `place` (top, left) if given."""
        row, column = (self.top, self.left) if place is None else place
        top, left, bottom, right = self.window
        found = np.zeros(size, bool)
        rows, columns = self.shape.shape
        found[row : row + rows, column : column + columns] = self.shape
        if self.inverted:
            shown = np.zeros(size, bool)
            shown[top:bottom, left:right] = True
            found = shown & ~found
        return found


def patch_of(net: Network, sample: ImageSample, region: Region, inverted: bool = False) -> Patch:
    """Return a region of a photograph as a patch of the network's input.

    A rectangle that is moved keeps its size on the input.

    Raises
    ------
    ValueError
        If the region is no rectangle with an area, or nothing of it is given to the network.
    """
    size = net.input_size
    top, left, height, width = visible_window(sample.size, size, sample.fit or net.fit)
    down, across = size[0] / height, size[1] / width
    window = visible_pixels(net, sample)
    if isinstance(region, Brush):
        whole = region_mask(checked_brush(region), sample.size)
        rows, columns = np.nonzero(whole.any(1))[0], np.nonzero(whole.any(0))[0]
        if not len(rows):
            raise _outside(region, sample)
        edges = float(columns[0]), float(rows[0]), columns[-1] + 1.0, rows[-1] + 1.0
        shape = whole[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    else:
        edges, shape = _rectangle(region, sample), np.ones((1, 1), bool)
    tall = max(1, round((edges[3] - edges[1]) * down))
    wide = max(1, round((edges[2] - edges[0]) * across))
    seen = (edges[1] < top + height and edges[3] > top) and (
        edges[0] < left + width and edges[2] > left
    )
    if not seen:
        raise _cropped(region, sample)
    shape = _resized(shape, (tall, wide))
    # A thin region at an edge may be rounded to just outside: it is the pixel at the edge
    row = min(max(round((edges[1] - top) * down), window[0] - tall + 1), window[2] - 1)
    column = min(max(round((edges[0] - left) * across), window[1] - wide + 1), window[3] - 1)
    return _cut(Patch(shape, row, column, inverted, window), region, sample)


def _rectangle(region: Any, sample: ImageSample) -> tuple[float, float, float, float]:
    """Return the edges (left, top, right, bottom) of a rectangle, cut off at the photograph's."""
    try:
        left, top, right, bottom = (float(each) for each in region)
    except (TypeError, ValueError):
        raise ValueError(
            f"Expected a region (left, top, right, bottom) or a Brush. Received: {region!r}"
        ) from None
    if not (np.isfinite([left, top, right, bottom]).all() and left < right and top < bottom):
        raise ValueError(f"Expected left < right and top < bottom, in pixels. Received: {region!r}")
    rows, columns = sample.size
    found = max(left, 0.0), max(top, 0.0), min(right, columns), min(bottom, rows)
    if found[0] >= found[2] or found[1] >= found[3]:
        raise _outside(region, sample)
    return found


def _resized(shape: Mask, size: tuple[int, int]) -> Mask:
    """Return a shape at another size: the pixels that it covers at least half of, or most of."""
    if shape.all():
        return np.ones(size, bool)
    covered = cv2.resize(shape.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(covered >= min(0.5, float(covered.max())))


def _cut(patch: Patch, region: Region, sample: ImageSample) -> Patch:
    """Return a patch without what lies outside its window; a ValueError if nothing is left."""
    top, left, bottom, right = patch.window
    first = max(patch.top, top), max(patch.left, left)
    shape = patch.shape[first[0] - patch.top : max(bottom - patch.top, 0),
                        first[1] - patch.left : max(right - patch.left, 0)]  # fmt: skip
    if not shape.any():
        raise _cropped(region, sample)
    return replace(patch, shape=shape, top=first[0], left=first[1])


def _outside(region: Region, sample: ImageSample) -> ValueError:
    rows, columns = sample.size
    return ValueError(
        f"The region {region!r:.200} lies outside of the photograph of {columns}×{rows} pixels."
    )


def _cropped(region: Region, sample: ImageSample) -> ValueError:
    rows, columns = sample.size
    return ValueError(
        f"Nothing of the region {region!r:.200} is given to the network: of the photograph of "
        f"{columns}×{rows} pixels its crop leaves that out."
    )


def visible_pixels(net: Network, sample: ImageSample) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right) of the input's pixels that show the photograph."""
    size = net.input_size
    top, left, height, width = visible_window(sample.size, size, sample.fit or net.fit)
    down, across = size[0] / height, size[1] / width
    first = max(0, round(-top * down)), max(0, round(-left * across))
    last = (
        min(size[0], round((sample.size[0] - top) * down)),
        min(size[1], round((sample.size[1] - left) * across)),
    )
    # The padding of a letterbox leaves at least one row and one column to a photograph
    first = min(first[0], size[0] - 1), min(first[1], size[1] - 1)
    return *first, max(last[0], first[0] + 1), max(last[1], first[1] + 1)


def filled_input(
    net: Network, sample: ImageSample, fill: str | ImageSample, seed: int = 0
) -> Floats:
    """Return the network's input (H, W, C) with every pixel replaced.

    Parameters
    ----------
    fill : {"mean", "blur", "noise"} or ImageSample
        The photograph's mean colour, the photograph blurred, independent normal noise with the
        mean and the deviation of each of its channels, or another photograph.
    seed : int
        Of the noise.

    Raises
    ------
    ValueError
        If the fill is unknown.
    """
    if isinstance(fill, ImageSample):
        found: Floats = net.input_tensor(fill)
        return found
    if not isinstance(fill, str) or fill not in FILLS:
        raise ValueError(
            f"Expected fill to be one of {FILLS} or an ImageSample. Received: {fill!r:.80}"
        )
    if fill != "noise":
        return baseline_input(net, sample, "blur" if fill == "blur" else "mean")
    rng, size = np.random.default_rng(seed_of(seed)), net.input_size

    def noise(array: NDArray[Any]) -> NDArray[Any]:
        flat = array.reshape(-1, array.shape[-1]).astype(np.float64)
        values = rng.normal(flat.mean(0), flat.std(0), (*size, array.shape[-1]))
        whole = array.dtype == np.uint8
        return (np.round(values).clip(0, 255) if whole else values).astype(array.dtype)

    data = None if sample.data is None else noise(sample.data)
    made: Floats = net.input_tensor(replace(sample, pixels=noise(sample.pixels), data=data))
    return made


def cells_in(net: Network, layer: str, sample: ImageSample, region: Region | Mask) -> Mask:
    """Return the cells of a layer's map, bool (h, w), whose centre lies in a region.

    The centre is that of the receptive field. A bool array (h, w) is returned as it is.

    Raises
    ------
    ValueError
        If it is none, or the array has another shape.
    """
    where = net.field(layer)
    if isinstance(region, np.ndarray):
        if region.dtype != bool or region.shape != where.shape or not region.any():
            raise ValueError(
                f"Expected cells as a bool array {where.shape} with at least one True. "
                f"Received: {region.dtype} {region.shape}"
            )
        return region
    if isinstance(region, Brush):
        region = checked_brush(region)
    else:
        _rectangle(region, sample)
    top, left, height, width = visible_window(sample.size, where.size, sample.fit or net.fit)
    rows = top + (where.rows.center + np.arange(where.rows.cells) * where.rows.step) * (
        height / where.size[0]
    )
    columns = left + (
        where.columns.center + np.arange(where.columns.cells) * where.columns.step
    ) * (width / where.size[1])
    down, across = (np.floor(each).astype(int) for each in (rows, columns))
    inside = ((down >= 0) & (down < sample.size[0]))[:, None] & (
        (across >= 0) & (across < sample.size[1])
    )
    down, across = (np.clip(e, 0, n - 1) for e, n in zip((down, across), sample.size, strict=True))
    found = region_mask(region, sample.size)[np.ix_(down, across)] & inside
    if not found.any():
        raise ValueError(
            f"The region {region!r} holds the centre of no cell of {layer!r}, whose map has "
            f"{where.shape[0]}×{where.shape[1]} cells."
        )
    return np.asarray(found)


def on_photo(values: NDArray[Any], net: Network, sample: ImageSample, outside: Any) -> NDArray[Any]:
    """Return values (H, W) of the input's pixels at the photograph's, the nearest; or `outside`."""
    size = net.input_size
    top, left, height, width = visible_window(sample.size, size, sample.fit or net.fit)
    down = np.floor((np.arange(sample.size[0]) + 0.5 - top) * size[0] / height).astype(int)
    across = np.floor((np.arange(sample.size[1]) + 0.5 - left) * size[1] / width).astype(int)
    inside = ((down >= 0) & (down < size[0]))[:, None] & ((across >= 0) & (across < size[1]))
    found = values[np.ix_(down.clip(0, size[0] - 1), across.clip(0, size[1] - 1))]
    return np.asarray(np.where(inside, found, outside))
