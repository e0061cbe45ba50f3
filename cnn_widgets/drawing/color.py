"""Functions that normalise a scalar map, resize it, colour it and blend it with a photograph.

All are pure functions of arrays. A scalar map is resized before it is coloured: interpolating
between colours would produce colours that stand for no value of the colour map.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray

from cnn_widgets.records import Floats, Pixels

#: The colour maps offered in menus; the source article's JET, not perceptually uniform, is last.
COLORMAPS = ("inferno", "viridis", "magma", "plasma", "cividis", "gray", "turbo", "jet")
#: The colour map of maps with positive and negative values.
DIVERGING = "RdBu_r"


@lru_cache(maxsize=32)
def lookup_table(colormap: str) -> Pixels:
    """Return a Matplotlib colour map as 256 RGB colours, uint8 of shape (256, 3), read-only.

    Raises
    ------
    ValueError
        If Matplotlib knows no colour map of that name.

    Examples
    --------
    >>> lookup_table("jet")[255].tolist()  # red is the end that speaks for the class
    [128, 0, 0]
    """
    if colormap not in colormaps:
        raise ValueError(
            f"Unknown colour map {colormap!r}. Offered here: {', '.join(COLORMAPS)}; "
            "any other name Matplotlib knows works too."
        )
    colors = colormaps[colormap](np.arange(256))[:, :3]
    table: Pixels = np.rint(colors * 255).astype(np.uint8)  # Matplotlib's bytes=True truncates
    table.flags.writeable = False
    return table


def normalize(raw: NDArray[Any], signed: bool = False) -> Floats:
    """Return a map divided by its maximum, in [0, 1], or by its maximum |value|, in [-1, 1].

    Parameters
    ----------
    raw : ndarray, any shape
        NaN counts as 0, and infinity as the largest finite value.
    signed : bool
        Whether to divide by the maximum absolute value and keep negative values. Otherwise
        negative values become 0; the minimum is never subtracted.

    Returns
    -------
    ndarray of float32, shape of `raw`
        All zeros if no value is positive (if signed: if every value is 0).

    Examples
    --------
    >>> normalize(np.array([[-2.0, 1.0], [0.0, 4.0]])).tolist()
    [[0.0, 0.25], [0.0, 1.0]]
    """
    values = np.asarray(raw)
    values = values if values.dtype == np.float32 else values.astype(np.float64)
    low, high = (float(each(values, initial=0.0)) for each in (np.min, np.max))
    if not (math.isfinite(low) and math.isfinite(high)):
        values = np.nan_to_num(np.asarray(raw, np.float64))
        low, high = values.min(initial=0.0), values.max(initial=0.0)
    peak = max(high, -low) if signed else high
    if not peak > 0:
        return np.zeros(values.shape, np.float32)
    scaled = np.asarray(values / values.dtype.type(peak), np.float32)
    return scaled if signed or low >= 0 else np.maximum(scaled, 0)


def resize(raw: NDArray[Any], size: tuple[int, int]) -> Floats:
    """Return a scalar map (h, w) resized bilinearly to `size` = (H, W), float32.

    Pixel centres lie at half-integer coordinates. No smoothing filter is applied when shrinking.
    """
    height, width = size
    source = np.ascontiguousarray(raw, np.float32)
    resized = cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)


def colorize(values: NDArray[Any], colormap: str = "inferno", signed: bool = False) -> Pixels:
    """Return a map of values in [0, 1] ([-1, 1] if signed) as RGB colours.

    Parameters
    ----------
    values : ndarray, shape (H, W), or with more leading axes
        Values outside the range are clipped. NaN counts as 0, the middle of a signed range.
    colormap : str
        A Matplotlib colour map.
    signed : bool
        Whether the range is [-1, 1], with 0 at the middle of the colour map.

    Returns
    -------
    ndarray of uint8, shape of `values` with a last axis of length 3
    """
    given = np.asarray(values, np.float32)
    if not np.isfinite(given).all():
        given = np.nan_to_num(given)  # NaN becomes 0, before the shift of a signed range
    unit = (np.clip(given, -1, 1) + 1) / 2 if signed else np.clip(given, 0, 1)
    index = (unit * 255 + 0.5).astype(np.uint8)
    flat = index.reshape(1, -1)
    colored = cv2.applyColorMap(flat, lookup_table(colormap).reshape(256, 1, 3))
    return np.asarray(colored, np.uint8).reshape(*index.shape, 3)


def overlay(
    pixels: Pixels,
    heatmap: NDArray[Any],
    alpha: float = 0.6,
    colormap: str = "jet",
    signed: bool | None = None,
) -> Pixels:
    """Return a heat-map blended with a photograph: alpha · colours + (1 - alpha) · photograph.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        The photograph, RGB.
    heatmap : ndarray, shape (h, w)
        Values in [0, 1], or in [-1, 1] with a diverging colour map; resized to (H, W) if needed.
    alpha : float
        Opacity of the heat-map, 0 to 1. The default with JET gives the source article's picture
        with its red and blue channels in the right order: red marks evidence for the class.
    colormap : str
        A Matplotlib colour map. A signed heat-map is drawn with the diverging ``RdBu_r`` unless
        another diverging map is named: red is evidence for the class, blue against, white none.
    signed : bool, optional
        Whether 0 is the middle of the colour map; by default, whether any value is negative.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

    Raises
    ------
    ValueError
        If alpha is not in [0, 1], the heat-map is not 2-D, or the colour map is unknown.

    Examples
    --------
    >>> photograph = np.zeros((4, 4, 3), np.uint8)
    >>> overlay(photograph, np.eye(4), alpha=1.0)[0, 0].tolist()
    [128, 0, 0]
    """
    if not 0.0 <= alpha <= 1.0:
        raise ValueError(f"Expected alpha between 0 and 1. Received: {alpha}")
    values = np.asarray(heatmap, np.float32)
    if values.ndim != 2:
        raise ValueError(f"Expected a heat-map of shape (H, W). Received shape: {values.shape}")
    if values.shape != pixels.shape[:2]:
        values = resize(values, (pixels.shape[0], pixels.shape[1]))
    signed = bool((values < 0).any()) if signed is None else signed
    colors = colorize(values, diverging_colormap(colormap) if signed else colormap, signed)
    return blend(pixels, colors, alpha)


def blend(pixels: Pixels, colors: Pixels, alpha: float) -> Pixels:
    """Return alpha · colors + (1 - alpha) · pixels, rounded and limited to 0…255.

    Both pictures are uint8 of shape (H, W, 3); alpha is in [0, 1].
    """
    mixed = cv2.addWeighted(colors, alpha, np.ascontiguousarray(pixels), 1.0 - alpha, 0.0)
    return np.asarray(mixed, np.uint8)


def diverging_colormap(colormap: str) -> str:
    """Return the name of the colour map if it is a diverging one, otherwise `DIVERGING`."""
    return colormap if colormap in ("RdBu_r", "coolwarm", "bwr", "seismic", "PiYG") else DIVERGING


def stretched(values: Floats, each: bool = False) -> Pixels:
    """Return values (H, W, 1) or (H, W, 3) as pixels (H, W, 3) from black to white.

    The smallest value becomes 0 and the largest 255: of all channels, or of `each` for itself.

    >>> stretched(np.array([[[-1.0], [3.0]]], np.float32))[0, :, 0]
    array([  0, 255], dtype=uint8)
    """
    axes = (0, 1) if each else None
    low, high = values.min(axis=axes), values.max(axis=axes)
    unit = (values - low) / np.where(high > low, high - low, 1)
    pixels = np.round(unit * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*values.shape[:2], 3)))
