"""Confident learning: from probabilities and given labels to the labels that are likely wrong.

Northcutt, Jiang, Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels",
arXiv 1911.00068. A photograph counts as one of label j if its probability of j is at least the
mean probability of j over the photographs that are labelled j. Counted by the label given (rows)
and the label it counts as (columns), photographs make up the confident joint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Floats

Doubles = NDArray[np.float64]
Places = NDArray[np.intp]
#: Returns the probabilities (n, L) of the n photographs that are labelled with the place given.
Rows = Callable[[int], Floats]
#: The mean over fewer photographs than this says little of a label.
FEW = 5


@dataclass(frozen=True, eq=False)
class ConfidentJoint:
    """How many photographs have which label, and which they likely should have.

    Attributes
    ----------
    thresholds : ndarray, shape (L,)
        Of each label, the mean probability of it over its photographs; NaN of a label without any.
    counts : ndarray of int, shape (L, L)
        Photographs by the label given (rows) and the one they count as (columns). One that reaches
        no threshold is not counted.
    expected : ndarray, shape (L, L)
        The counts of each row, scaled so that they add up to all photographs of the label.
    """

    thresholds: Doubles
    counts: NDArray[np.int64]
    expected: Doubles

    @property
    def wrong(self) -> float:
        """How many photographs are estimated to have a wrong label."""
        return float(self.expected.sum() - np.trace(self.expected))


def confident_joint(probabilities: Any, given: Any) -> ConfidentJoint:
    """Return the confident joint of photographs, from the probabilities of their labels.

    Parameters
    ----------
    probabilities : array, shape (N, L)
        Of each label, from a network that was not trained on these photographs. Those of a
        cross-validation are, each photograph being judged by the network that has not seen it.
    given : sequence of N int
        The place of each photograph's label, 0 to L - 1.

    Raises
    ------
    ValueError
        If the shapes do not fit, a probability is NaN or not in [0, 1], there are fewer than two
        labels, or a label is out of range.

    References
    ----------
    arXiv 1911.00068, equations 1 to 3.

    Examples
    --------
    >>> found = confident_joint([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.1, 0.9]], [0, 0, 0, 1])
    >>> found.counts.tolist(), found.wrong
    ([[2, 0], [0, 1]], 0.0)
    """
    p, places = np.asarray(probabilities, np.float32), np.asarray(given)
    if p.ndim != 2 or places.shape != p.shape[:1] or places.dtype.kind not in "iu":
        raise ValueError(
            "Expected probabilities of shape (N, L) and N whole numbers, the labels given. "
            f"Received: {p.shape} and {places.dtype} {places.shape}"
        )
    if p.shape[1] < 2:
        raise ValueError(f"Expected at least two labels. Received: {p.shape[1]}")
    if not (p >= 0).all() or not (p <= 1).all():  # NaN, too
        raise ValueError("Expected probabilities from 0 to 1. Some are NaN or outside of it.")
    if places.size and not (places.min() >= 0 and places.max() < p.shape[1]):
        raise ValueError(
            f"Expected labels from 0 to {p.shape[1] - 1}. "
            f"Received: {places.min()} to {places.max()}"
        )
    return joint_of(lambda place: p[places == place], p.shape[1])


def joint_of(rows: Rows, labels: int) -> ConfidentJoint:
    """Return the confident joint, from the photographs of one label at a time.

    A probability below 0 says that the label is no alternative to the one given.
    """
    own = [np.asarray(rows(place)[:, place], np.float64) for place in range(labels)]
    thresholds = _thresholds(own)
    counts = np.zeros((labels, labels), np.int64)
    expected = np.zeros((labels, labels))
    for place in range(labels):
        p = rows(place)
        if len(p):
            counts[place] = _counted(p, thresholds)
            expected[place] = _scaled(counts[place], place, len(p))
    return ConfidentJoint(thresholds, counts, expected)


def _thresholds(own: Sequence[Doubles]) -> Doubles:
    """Return the mean of each label's own probabilities; of few, at least the mean of all.

    This deviates from the paper: the mean over one photograph that is labelled wrongly is close to
    0, and every other photograph would count as one of its label.
    """
    means = np.array([each.mean() if len(each) else np.nan for each in own])
    joined = np.concatenate(own)
    usual = joined.mean() if len(joined) else np.nan
    few = np.array([0 < len(each) < FEW for each in own])
    means[few] = np.maximum(means[few], usual)
    return means


def _counted(p: Floats, thresholds: Doubles) -> NDArray[np.int64]:
    """Return as which label the photographs of a label count, (L,)."""
    reached = p >= np.nan_to_num(thresholds, nan=np.inf) - 1e-7  # float32 against its own mean
    best = np.where(reached, p, -1).argmax(axis=1)
    counts = np.bincount(best[reached.any(axis=1)], minlength=p.shape[1])
    return np.asarray(counts, np.int64)


def _scaled(counts: NDArray[np.int64], place: int, total: int) -> Doubles:
    """Return the counts of a label, adding up to its photographs."""
    found = np.asarray(counts, np.float64)
    if not counts.any():
        found[place] = 1
    return np.asarray(found * (total / found.sum()), np.float64)


def noisiest(p: Floats, place: int, expected: Doubles) -> Places:
    """Return which photographs of a label are likely labelled wrongly (prune by noise rate).

    For each other label, as many as are expected, those first whose probability of it exceeds that
    of their own label most. Those whose own label is the most likely are left out, which deviates
    from the paper: an estimate can be too large, and such a photograph gives no reason to doubt.

    Parameters
    ----------
    p : ndarray, shape (n, L)
        The probabilities of the photographs of the label.
    place : int
        The label.
    expected : ndarray, shape (L,)
        Its row of the confident joint.
    """
    chosen = np.zeros(len(p), bool)
    for other in np.flatnonzero(wanted := whole(expected)):
        if other != place:
            gap = p[:, other] - p[:, place]
            first = np.argsort(-gap, kind="stable")[: wanted[other]]
            chosen[first[gap[first] > 0]] = True
    return np.flatnonzero(chosen)


def whole(expected: Doubles) -> NDArray[np.int64]:
    """Return counts as whole numbers of the same sum: the largest remainders are rounded up."""
    low = np.floor(expected + 1e-9)
    missing = round(float(expected.sum() - low.sum()))
    low[np.argsort(low - expected, kind="stable")[:missing]] += 1
    return np.asarray(low, np.int64)
