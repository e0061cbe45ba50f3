"""A part of a photograph: a rectangle, what was painted with a brush, or where a map is hottest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Floats

#: Left, top, right and bottom edge, in pixels of the photograph.
Rectangle = tuple[float, float, float, float]

_SHIFT = 4  # OpenCV draws lines to 1/16 of a pixel


@dataclass(frozen=True)
class Brush:
    """A region that was painted: lines drawn with a round brush.

    Attributes
    ----------
    radius : float
        Of the brush, in pixels of the photograph.
    strokes : tuple of strokes
        Each the places (x, y) it passes through, in pixels; a stroke of one place is a dot.
    """

    radius: float
    strokes: tuple[tuple[tuple[float, float], ...], ...]

    @property
    def bounds(self) -> Rectangle:
        """The rectangle around all that was painted, in pixels; it may reach over the edges."""
        places = np.array([place for stroke in self.strokes for place in stroke])
        (left, top), (right, bottom) = places.min(0) - self.radius, places.max(0) + self.radius
        return float(left), float(top), float(right), float(bottom)


Region = Rectangle | Brush


def checked_brush(brush: Brush) -> Brush:
    """Return a brush with plain numbers.

    A ValueError unless its radius is above 0 and its strokes are of places (x, y), all finite.
    """
    try:
        radius = _plain(brush.radius)
        strokes = tuple(tuple((_plain(x), _plain(y)) for x, y in each) for each in brush.strokes)
    except (TypeError, ValueError, OverflowError):
        radius, strokes = 0.0, ()
    numbers = [radius, *(each for stroke in strokes for place in stroke for each in place)]
    if not (radius > 0 and strokes and all(strokes) and np.isfinite(numbers).all()):
        raise ValueError(
            "Expected a Brush with a radius above 0 and strokes of places (x, y), in pixels of the "
            f"photograph. Received: {brush!r:.200}"
        )
    return Brush(radius, strokes)


def _plain(number: Any) -> float:
    """Return a number as float; a TypeError for text, True and False."""
    if isinstance(number, str | bytes | bool | np.bool_):
        raise TypeError("no number")
    return float(number)


def region_mask(region: Region, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels of a region, bool (H, W), of a photograph of this size.

    A rectangle holds the pixels whose centres are inside it; one that holds no centre holds the
    pixel around its own. What was painted is exact to a pixel.
    """
    if isinstance(region, Brush):
        canvas = np.zeros(size, np.uint8)
        thick = max(1, round(2 * region.radius))
        for stroke in region.strokes:
            # To OpenCV the centre of the first pixel is 0, in a photograph it is one half;
            # a dot is a line that goes nowhere
            places = np.array([*stroke, stroke[-1]]) - 0.5
            places = np.round(places * 2**_SHIFT).astype(np.int32)
            cv2.polylines(canvas, [places], False, (1,), thick, shift=_SHIFT)
        return canvas.astype(bool)
    left, top, right, bottom = region
    rows, columns = (_between(*each) for each in ((size[0], top, bottom), (size[1], left, right)))
    return np.asarray(rows[:, None] & columns[None])


def _between(count: int, low: float, high: float) -> NDArray[np.bool_]:
    centers = np.arange(count) + 0.5
    found = np.asarray((centers >= low) & (centers < high))
    if not found.any():
        found[min(int((low + high) / 2), count - 1)] = True
    return found


def hottest_region(heatmap: Floats, level: float = 0.5) -> Rectangle | None:
    """Return the box (left, top, right, bottom), in pixels, around a heat-map's hottest part.

    Parameters
    ----------
    heatmap : ndarray, shape (H, W)
        In [0, 1], or [-1, 1] if it is signed; only what speaks for the class counts.
    level : float
        The box holds the connected pixels above this share of the maximum, the maximum among them.

    Returns
    -------
    tuple of 4 float, or None
        None if nothing is above zero.
    """
    top = float(heatmap.max(initial=0))
    if not top > 0:
        return None
    hot = np.asarray(heatmap >= level * top, np.uint8)
    _, labels = cv2.connectedComponents(hot, connectivity=8)
    row, column = np.unravel_index(int(np.argmax(heatmap)), heatmap.shape)
    rows, columns = np.nonzero(labels == labels[row, column])
    return (
        float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
    )  # fmt: skip
