"""Is the network right as often as it says? The reliability curve, and its expected error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Calibration:
    """The reliability curve of answers, in bins of equal width of their probability.

    Attributes
    ----------
    edges : ndarray, shape (B + 1,)
        The ends of the bins, 0 to 1.
    counts : ndarray of int, shape (B,)
        The answers in each bin.
    confidence, accuracy : ndarray, shape (B,)
        The mean probability of a bin's answers, and the share of them that is right; NaN in an
        empty bin.
    error : float
        The expected calibration error (Guo et al. 2017): the mean distance between the two,
        weighted by the counts. NaN without answers.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    error: float


def calibration(
    probabilities: NDArray[np.floating[Any]], right: NDArray[np.bool_], bins: int = 10
) -> Calibration:
    """Return the reliability curve of answers.

    Parameters
    ----------
    probabilities : ndarray, shape (N,)
        Of the classes answered, in [0, 1].
    right : ndarray of bool, shape (N,)
    bins : int
        A probability on an edge belongs to the bin below it, as in the paper.

    Examples
    --------
    >>> found = calibration(np.array([0.9, 0.9, 0.6, 0.6]), np.array([True, True, True, False]))
    >>> round(found.error, 3)
    0.1
    """
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(np.asarray(probabilities, np.float64) * bins) - 1, 0, bins - 1)
    place = place.astype(np.intp)
    counts = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(place, probabilities, bins) / counts
        accuracy = np.bincount(place, np.asarray(right, np.float64), bins) / counts
    gaps = np.abs(np.nan_to_num(confidence - accuracy))
    total = int(counts.sum())
    error = float((gaps * counts).sum() / total) if total else float("nan")
    return Calibration(edges, counts, confidence, accuracy, error)
