"""Places of a photograph: corners, border and centre; and what a region is called."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]
#: Share of the sides that the border takes, and that each corner takes of both.
BORDER, CORNER = 1 / 8, 1 / 4
_INSIDE = 1 / 5  # what lies further from all edges is where a subject usually is


def zones(height: int, width: int) -> dict[str, Mask]:
    """Return the corners, the border and the centre (what is not border) as masks (H, W)."""
    rows = (np.arange(height) + 0.5) / height
    columns = (np.arange(width) + 0.5) / width
    down, across = rows[:, None], columns[None]
    nearest = np.minimum(np.minimum(down, 1 - down), np.minimum(across, 1 - across))
    return {
        "top left corner": (down < CORNER) & (across < CORNER),
        "top right corner": (down < CORNER) & (across > 1 - CORNER),
        "bottom left corner": (down > 1 - CORNER) & (across < CORNER),
        "bottom right corner": (down > 1 - CORNER) & (across > 1 - CORNER),
        "border": nearest < BORDER,
        "centre": nearest >= BORDER,
    }


def ring(height: int, width: int, share: float) -> Mask:
    """Return the frame (H, W) that takes a share of the sides at each edge."""
    tall, wide = max(1, round(height * share)), max(1, round(width * share))
    found = np.ones((height, width), bool)
    found[tall : height - tall, wide : width - wide] = False
    return found


def evidence_shares(average: Array) -> dict[str, tuple[float, float]]:
    """Return, for each zone, the share of a map's evidence that lies in it, and of its area.

    NaN for a map without evidence.
    """
    total = float(average.sum())
    return {
        name: (float(average[mask].sum()) / total if total > 0 else float("nan"), mask.mean())
        for name, mask in zones(*average.shape).items()
    }


def inside(mask: Array) -> float:
    """Return the share of a mask's weight that lies away from the edges, where subjects are."""
    height, width = mask.shape
    middle = ~ring(height, width, _INSIDE)
    total = float(np.abs(mask).sum())
    return float(np.abs(mask)[middle].sum()) / total if total > 0 else 0.0


def name_of(mask: Mask) -> str:
    """Return what a region is called: a corner, an edge, the border, the middle.

    >>> mask = np.zeros((10, 10), bool)
    >>> mask[:2, 8:] = True
    >>> name_of(mask)
    'top right corner'
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return "nowhere"
    height, width = mask.shape
    top, bottom = (rows[0] + 0.5) / height, (rows[-1] + 0.5) / height
    left, right = (columns[0] + 0.5) / width, (columns[-1] + 0.5) / width
    if bottom - top > 0.6 and right - left > 0.6:
        return "border" if inside(mask) < 0.25 else "whole photograph"
    down = "top" if bottom <= 0.4 else "bottom" if top >= 0.6 else ""
    across = "left" if right <= 0.4 else "right" if left >= 0.6 else ""
    if down and across:
        return f"{down} {across} corner"
    return f"{down or across} edge" if down or across else "middle"


def box_of(mask: Mask) -> tuple[float, float, float, float]:
    """Return (top, left, bottom, right) of a mask as shares of the sides."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0, 0.0, 0.0, 0.0
    height, width = mask.shape
    return (
        float(rows[0] / height),
        float(columns[0] / width),
        float((rows[-1] + 1) / height),
        float((columns[-1] + 1) / width),
    )
