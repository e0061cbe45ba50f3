"""Arrays to pictures: scale a map, resize it, colour it, lay it over a photograph, tile filters.

Everything here is a pure function of arrays. The scalar map is always resized first and
coloured last: colouring first would invent colours that stand for no value.
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

#: Perceptually uniform (or diverging) colour maps first, the article's JET last.
COLORMAPS = ("inferno", "viridis", "magma", "plasma", "cividis", "gray", "turbo", "jet")
DIVERGING = "RdBu_r"


@lru_cache(maxsize=32)
def lookup_table(colormap: str) -> Pixels:
    """Return a colour map as 256 RGB colours, uint8 of shape (256, 3).

    >>> lookup_table("jet")[255].tolist()  # red is the end that speaks for the class
    [128, 0, 0]
    """
    if colormap not in colormaps:
        raise ValueError(
            f"Unknown colour map {colormap!r}. Offered here: {', '.join(COLORMAPS)}; "
            "any other name Matplotlib knows works too."
        )
    colors = colormaps[colormap](np.arange(256))[:, :3]
    table: Pixels = np.rint(colors * 255).astype(np.uint8)  # bytes=True would cut off, not round
    table.flags.writeable = False
    return table


def normalize(raw: NDArray[Any], signed: bool = False) -> Floats:
    """Return a map divided by its maximum: [0, 1], or [-1, 1] by max |·| if signed.

    Negative values of an unsigned map become 0; the minimum is never subtracted. A map with no
    positive value (or, if signed, with none but zeros) stays zero: there is no evidence to show.
    NaN counts as 0 and infinity as the largest finite value.

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
    """Return a scalar map (h, w) resized bilinearly to (H, W), half-pixel centres.

    No smoothing is applied when shrinking, so values stay values of the map.
    """
    height, width = size
    source = np.ascontiguousarray(raw, np.float32)
    resized = cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)


def colorize(values: NDArray[Any], colormap: str = "inferno", signed: bool = False) -> Pixels:
    """Return a map of values in [0, 1] ([-1, 1] if signed) as RGB uint8, shape (H, W, 3)."""
    given = np.asarray(values, np.float32)
    if not np.isfinite(given).all():
        given = np.nan_to_num(given)  # NaN is 0, the middle if signed
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
    """Return a heat-map laid over a photograph: alpha · colours + (1 - alpha) · photograph.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        The photograph, RGB.
    heatmap : ndarray, shape (h, w)
        Values in [0, 1], or in [-1, 1] with a diverging colour map; resized to (H, W) if needed.
    alpha : float
        Opacity of the heat-map, 0 to 1. The default and JET give the article's picture, with
        true colours: red speaks for the class.
    colormap : str
        A Matplotlib colour map. A heat-map with negative values takes the diverging ``RdBu_r``
        unless another diverging map is named: red for, blue against, white neutral.
    signed : bool, optional
        Whether zero is the middle of the colours; by default, whether a value is negative.

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        RGB.

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
    """Return alpha · colors + (1 - alpha) · pixels, rounded, without wrapping around."""
    mixed = cv2.addWeighted(colors, alpha, np.ascontiguousarray(pixels), 1.0 - alpha, 0.0)
    return np.asarray(mixed, np.uint8)


def diverging_colormap(colormap: str) -> str:
    """Return the colour map if it is a diverging one, otherwise the package's own."""
    return colormap if colormap in ("RdBu_r", "coolwarm", "bwr", "seismic", "PiYG") else DIVERGING
