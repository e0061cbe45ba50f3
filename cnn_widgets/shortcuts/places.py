"""Places of a photograph: corners, border and centre; rectangles; and what a region is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = NDArray[np.bool_]
#: The top, left, bottom and right edge, in shares of the height and of the width.
Box = tuple[float, float, float, float]
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


def share_in(average: Array, mask: Mask) -> tuple[float, float]:
    """Return the share of a map's (h, w) evidence in a region (H, W), and that of the area.

    A cell that lies partly in the region counts in part. NaN for a map without evidence.
    """
    height, width = average.shape
    covered = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    total = float(average.sum())
    share = float((average * covered).sum()) / total if total > 0 else float("nan")
    return share, float(mask.mean())


def box_share(shape: tuple[int, ...], box: Box) -> Array:
    """Return which share of each cell of a grid (h, w) lies in a box.

    >>> box_share((2, 2), (0.0, 0.25, 1.0, 1.0)).tolist()
    [[0.5, 1.0], [0.5, 1.0]]
    """
    top, left, bottom, right = box

    def covered(count: int, low: float, high: float) -> Array:
        edges = np.linspace(0, 1, count + 1)
        inside = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
        return np.asarray(np.maximum(inside, 0) * count)

    return covered(shape[0], top, bottom)[:, None] * covered(shape[1], left, right)[None]


def distances(shape: tuple[int, ...], box: Box) -> Array:
    """Return how far the centre of each cell of a grid (h, w) lies from a box, 0 inside it.

    In shares of the sides.
    """
    top, left, bottom, right = box

    def away(count: int, low: float, high: float) -> Array:
        centers = (np.arange(count) + 0.5) / count
        return np.maximum(np.maximum(low - centers, centers - high), 0)

    down, across = away(shape[0], top, bottom), away(shape[1], left, right)
    return np.asarray(np.hypot(down[:, None], across[None]))


def box_of(mask: Mask) -> Box:
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


def checked_boxes(
    subjects: Mapping[str, Sequence[float]] | Sequence[Sequence[float] | None] | None,
    names: Sequence[str],
) -> list[Box | None]:
    """Return the box of each photograph, or none of no photograph, as they were given.

    Parameters
    ----------
    subjects : mapping of str to box, sequence of box or None, or None
        By the name of the photograph, or one for each.
    names : sequence of str
        Of the photographs.

    Raises
    ------
    ValueError
        If a name is unknown, the number of boxes is another, or a box is none.

    Examples
    --------
    >>> checked_boxes({"b.jpg": (0.2, 0, 1, 0.5)}, ["a.jpg", "b.jpg"])
    [None, (0.2, 0.0, 1.0, 0.5)]
    """
    if subjects is None:
        return []
    if isinstance(subjects, Mapping):
        unknown = sorted(set(subjects) - set(names))
        if unknown:
            raise ValueError(f"Subjects are given of {unknown[0]!r}, which is no photograph here.")
        given = [subjects.get(name) for name in names]
    else:
        given = list(subjects)
    if len(given) != len(names):
        raise ValueError(
            f"Expected a subject, or None, for each of {len(names)} photographs. "
            f"Received: {len(given)}"
        )
    return [
        None if box is None else _box(box, name) for box, name in zip(given, names, strict=True)
    ]


def _box(box: Sequence[float], name: str) -> Box:
    sides = tuple(float(side) for side in box)
    if len(sides) == 4 and 0 <= sides[0] < sides[2] <= 1 and 0 <= sides[1] < sides[3] <= 1:
        return sides
    raise ValueError(
        "Expected a subject as (top, left, bottom, right) in shares of the photograph's height and "
        f"width, 0 to 1. Received for {name!r}: {box!r}"
    )


def box_on_input(box: Box, size: tuple[int, int], window: tuple[int, int, int, int]) -> Box | None:
    """Return a box of a photograph in shares of a network's input; None if nothing of it is there.

    `size` (H, W) is the photograph's, `window` (top, left, height, width) what becomes the input.
    """
    places = np.array(box).reshape(2, 2) * size  # the upper left corner, the lower right corner
    first, last = np.clip((places - window[:2]) / window[2:], 0, 1).tolist()
    return (*first, *last) if first[0] < last[0] and first[1] < last[1] else None
