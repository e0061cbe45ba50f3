"""The probabilities of all classes for one photograph, kept in few bytes, and those of labels."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from cnn_widgets.records import Floats

#: Up to so many classes the probability of every one is kept; of more, the `KEPT` largest.
WHOLE, KEPT = 1024, 256
_STEPS = 65535  # a probability is kept in steps of 1 / 65535
_ROUNDING = 1e-3


def packed(probabilities: Floats) -> bytes:
    """Return the probabilities (C,) of one photograph, rounded to 16 bits each, compressed.

    A photograph takes from 20 bytes, where the network is sure, to 2 KB, where each of a thousand
    classes has some probability.
    """
    steps = np.round(np.asarray(probabilities, np.float64).clip(0, 1) * _STEPS).astype("<u2")
    if len(steps) > WHOLE:
        steps[np.argsort(steps, kind="stable")[:-KEPT]] = 0
    return zlib.compress(steps.tobytes())


def unpacked(data: bytes, classes: int) -> Floats:
    """Return the probabilities (C,) that `packed` has kept; a ValueError if they are damaged."""
    try:
        steps = np.frombuffer(zlib.decompress(data), "<u2")
    except (zlib.error, ValueError) as error:
        raise ValueError(f"The probabilities kept of a photograph are damaged: {error}") from None
    if len(steps) != classes:
        raise ValueError(
            f"Expected the probabilities of {classes} classes to be kept of each photograph. "
            f"Found: {len(steps)}"
        )
    return np.asarray(steps / _STEPS, np.float32)


def of_labels(kept: Sequence[bytes], classes: int, meant: Sequence[Sequence[int]]) -> Floats:
    """Return the probability of each label, (n, L), from what `packed` has kept of n photographs.

    Parameters
    ----------
    kept : sequence of bytes
        Where it is empty, the row is NaN.
    classes : int
        The number C of classes.
    meant : sequence of L sequences of int
        The classes that each label stands for. The probability of several is their sum; of
        independent sigmoids, whose sum is no probability, the largest.
    """
    found = np.full((len(kept), len(meant)), np.nan, np.float32)
    if not meant:
        return found
    columns = np.concatenate([np.asarray(each, np.intp) for each in meant])
    starts = np.cumsum([0, *map(len, meant[:-1])])
    limit = 1 + _ROUNDING + classes / 2 / _STEPS  # a sum of rounded values
    for row, data in zip(found, kept, strict=True):
        if data:
            values = unpacked(data, classes)
            together = np.add if values.sum() <= limit else np.maximum
            row[:] = together.reduceat(values[columns], starts)
    return found
