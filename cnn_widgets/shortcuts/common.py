"""What the photographs of a class have in common that others have not: colour, marks, overlays.

All functions take arrays of photographs of one size, (n, H, W, 3), 0 to 255, and know no network.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.shortcuts.places import Mask, ring

Array = NDArray[Any]
_CELLS = 8  # colours are compared in so many × so many cells
_MOST = 2 / 3  # of the cells have to show a cast
_SEPARATE = 0.8  # standard deviations between the colours of the class and of others
_SAME, _NOISE = 0.35, 6.0  # spread against others that counts as the same; levels of JPEG noise
_FAR = 2.5  # spreads between the medians of the class and of others
_REPEATED = 0.5  # correlation of the patterns of two halves of a class


def color_cast(own: Array, others: Array) -> Array | None:
    """Return the cast of colour (3,) that a class has against others, in levels; None without one.

    It has to be in most of the middle and in most of the rim of the photograph, so that a coloured
    subject or a frame is none, and to tell the class from others.
    """
    means, theirs = _cell_means(own), _cell_means(others)
    apart = means.mean(axis=0) - theirs.mean(axis=0)
    cast = np.median(apart, axis=0)
    strength = float(np.linalg.norm(cast))
    if strength < 1:
        return None
    along = apart @ cast / strength
    rim = ring(_CELLS, _CELLS, 1 / _CELLS).ravel()
    if min((along[part] > strength / 2).mean() for part in (rim, ~rim)) < _MOST:
        return None
    spreads = [(each.mean(axis=1) @ cast / strength).std() for each in (means, theirs)]
    separate = strength / max(float(np.hypot(*spreads) / np.sqrt(2)), 1.0)
    return np.asarray(cast) if separate > _SEPARATE else None


def _cell_means(photographs: Array) -> Array:
    """Return the mean colours (n, cells, 3) of the cells of a grid."""
    small = [
        cv2.resize(each.astype(np.float32), (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
        for each in photographs
    ]
    return np.array(small, np.float64).reshape(len(photographs), -1, 3)


def consensus(photographs: Array) -> Array:
    """Return what photographs have in common: the median (H, W, 3) of each pixel."""
    return np.asarray(np.median(photographs, axis=0))


def _spread(photographs: Array) -> Array:
    """Return half the distance of the quartiles of each pixel, scaled as a standard deviation."""
    low, high = np.percentile(photographs, (25, 75), axis=0)
    return np.asarray((high - low) / 1.349)


def fixed_regions(
    own: Array, others: Array, cast: Array | None = None, most: int = 2
) -> list[Mask]:
    """Return the regions (H, W) that are the same in most photographs of a class, not in others.

    Parameters
    ----------
    own, others : ndarray, shape (n, H, W, 3)
    cast : ndarray, shape (3,), optional
        The class's cast of colour, which is no difference here.
    most : int
        The largest number of regions, the largest first.
    """
    apart = np.abs(consensus(own) - consensus(others) - (0 if cast is None else cast))
    mine, theirs = _spread(own), _spread(others)
    unlike = (apart / (mine + _NOISE)).max(axis=-1) > _FAR
    steady = (mine + _NOISE).mean(axis=-1) < _SAME * (theirs + _NOISE).mean(axis=-1)
    marked = cv2.morphologyEx(
        (unlike | steady).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)
    )
    count, parts, figures, _ = cv2.connectedComponentsWithStats(marked, connectivity=8)
    sizes = figures[:, cv2.CC_STAT_AREA]
    least = max(4, 0.003 * marked.size)
    chosen = [k for k in np.argsort(-sizes[1:]) + 1 if sizes[k] >= least][:most]
    return [np.asarray(parts == k) for k in chosen] if count > 1 else []


def fine(photographs: Array) -> Array:
    """Return photographs, or one, without what is coarser than a sixth of the shorter side."""
    some = np.asarray(photographs, np.float32)
    width = max(1.0, min(some.shape[-3:-1]) / 12)
    flat = some.reshape(-1, *some.shape[-3:])
    blurred = [cv2.GaussianBlur(each, (0, 0), width) for each in flat]
    return np.asarray(flat - np.array(blurred)).reshape(some.shape)


def overlay(own: Array, others: Array) -> Array | None:
    """Return the fine pattern (H, W, 3) that is added to the photographs of a class; None of none.

    Both halves of the class have to show it.
    """
    base = fine(others.mean(axis=0))
    halves = [fine(own[k::2].mean(axis=0)) - base for k in (0, 1)]
    rest = [fine(others[k::2].mean(axis=0)) for k in (0, 1)]
    one, other = (half + base - part for half, part in zip(halves, rest, strict=True))
    if not one.any() or not other.any():
        return None
    alike = float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))
    return np.asarray(sum(halves) / 2) if alike > _REPEATED else None
