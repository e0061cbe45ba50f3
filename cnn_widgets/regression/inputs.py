"""What reaches the first weights of a network, of two pictures drawn for it, and how it differs.

Measured at the first weights it makes no difference whether pixels are prepared before the model or
by layers inside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

_SIDE = 16  # rows and columns that are kept
_CELL = 16  # pixels of each coloured square
_MOST_NUMBERS = 4096  # of what is no picture at the first weights: tokens, for instance
_SAME = 0.01  # of the spread: what is explained by another scale or order of channels


def probed(net: Network, fit: str | None = None) -> list[Floats]:
    """Return what reaches the first weights from a wide and a tall picture of coloured squares.

    Each is shrunk to at most 16 × 16. Two pictures, because one that is shaped like the input looks
    the same squashed and cropped.
    """
    found = []
    for rows, columns in ((6, 8), (8, 6)):
        x = net.input_tensor([replace(_squares(rows, columns, net.channels), fit=fit)])
        entries = net.engine.entry_values(x) or [x]
        found += [_shrunk(each[0]) for each in entries]
    return found


def _squares(rows: int, columns: int, channels: int) -> ImageSample:
    rng = np.random.default_rng(rows)
    colors = rng.integers(0, 256, (rows, columns, max(3, channels)), np.uint8)
    pixels = colors.repeat(_CELL, 0).repeat(_CELL, 1)
    data = None if channels in (1, 3) else np.ascontiguousarray(pixels[..., :channels])
    bands = (0, 1, 2) if channels > 2 else (0, channels - 1, channels - 1)
    return ImageSample(np.ascontiguousarray(pixels[..., :3]), "squares", data=data, bands=bands)


def _shrunk(array: Floats) -> Floats:
    if array.ndim != 3:
        flat = np.asarray(array, np.float32).reshape(-1)
        return flat[:: len(flat) // _MOST_NUMBERS + 1]
    values = np.asarray(array, np.float64)
    for axis in (0, 1):
        edges = np.linspace(0, values.shape[axis], min(_SIDE, values.shape[axis]) + 1).astype(int)
        sums = np.add.reduceat(values, edges[:-1], axis)
        values = sums / np.diff(edges).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return np.asarray(values, np.float32)


def difference(kept: Sequence[Floats], now: Sequence[Floats]) -> float:
    """Return the largest difference, in standard deviations of what was kept.

    Infinity if another number of values arrives.
    """
    if [each.shape for each in kept] != [each.shape for each in now]:
        return float("inf")
    gaps = [float(np.abs(n - k).max()) for k, n in zip(kept, now, strict=True)]
    spread = [float(k.std()) for k in kept]
    return max(gap / wide if wide > 0 else np.inf * gap if gap else 0.0
               for gap, wide in zip(gaps, spread, strict=True))  # fmt: skip


def in_words(kept: Sequence[Floats], now: Sequence[Floats]) -> str:
    """Return in words how what arrives differs, as far as a simple rule explains it."""
    if difference(kept, now) == np.inf:
        return "values of another number or shape arrive"
    if any(each.ndim != 3 for each in kept):
        return "other values arrive"
    before, after = (np.concatenate([each.reshape(-1, each.shape[-1]) for each in some])
                     for some in (kept, now))  # fmt: skip
    count = before.shape[1]
    for order in permutations(range(3)) if count == 3 else [tuple(range(count))]:
        rule = _rule(before[:, list(order)], after)
        if rule is not None:
            moved = list(order) != list(range(count))
            return f"the channels come in another order, {order} of (0, 1, 2)" if moved else rule
    return "photographs are cut, resized or coloured otherwise"


def _rule(before: NDArray[np.float32], after: NDArray[np.float32]) -> str | None:
    """Return by what each channel was multiplied and what was added; None if that is not all."""
    count, spread = before.shape[1], max(float(after.std()), 1e-12)
    fitted = [np.polyfit(before[:, n], after[:, n], 1) for n in range(count)]
    lines = np.stack([np.polyval(fitted[n], before[:, n]) for n in range(count)], axis=1)
    if np.abs(lines - after).max() > _SAME * spread:
        return None
    factors, offsets = ([float(each[n]) for each in fitted] for n in (0, 1))
    told = f"each value is {_listed(factors)} times what it was"
    added = max(abs(each) for each in offsets) > _SAME * spread
    return f"{told}, {_listed(offsets, '+')}" if added else told


def _listed(values: Sequence[float], sign: str = "") -> str:
    told = [f"{value:{sign}.3g}" for value in values]
    return told[0] if len(set(told)) == 1 else f"({', '.join(told[:8])})"
