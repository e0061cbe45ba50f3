"""How far each of many points lies from its neighbours, and which of them lie unusually far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Floats

Doubles = NDArray[np.float64]
#: Neighbours are searched among so many points, chosen at random, where there are more.
REFERENCE = 10_000
_COPY = 1e-4  # two passes over one photograph differ by less, as a share of its length
_BLOCK = 512  # points whose distances are computed at once
_LEAST_SPREAD = 0.01  # distances that differ by less than 1 % are the same
_LOWEST = -99.0  # the score of a copy, whose distance is 0
_NORMAL_75 = 0.6744897501960817  # the upper quartile of the normal distribution


def neighbour_distances(points: Floats, neighbours: int) -> Doubles:
    """Return the distance of each point (N, K) to its nearest neighbour of a number, from 1.

    Of more than `REFERENCE` points the neighbours are searched among a random part, and the number
    is scaled with it.
    """
    count = len(points)
    chosen = np.arange(count)
    if count > REFERENCE:
        chosen = np.sort(np.random.default_rng(0).choice(count, REFERENCE, replace=False))
        neighbours = max(1, round(neighbours * REFERENCE / count))
    # Around the median and in float64, so that squares of large numbers do not cancel
    centred = np.asarray(points, np.float64) - np.median(points, axis=0)
    reference = centred[chosen]
    squares = np.einsum("ij,ij->i", reference, reference)
    found = np.empty(count)
    for start in range(0, count, _BLOCK):
        some = centred[start : start + _BLOCK]
        squared = squares - 2 * some @ reference.T + np.einsum("ij,ij->i", some, some)[:, None]
        squared[(chosen == np.arange(start, start + len(some))[:, None])] = np.inf  # itself
        nearest = np.partition(squared, neighbours - 1, axis=1)[:, neighbours - 1]
        found[start : start + len(some)] = np.sqrt(np.maximum(nearest, 0))
    noise = _COPY * np.sqrt(np.einsum("ij,ij->i", points, points))
    return np.where(found < noise, 0, found)


def standard_scores(groups: Sequence[Doubles]) -> list[Doubles]:
    """Return how unusual distances are in each of several groups: 0 for the middle one.

    The logarithm of a distance, less the median of its group, in units of the spread of all groups
    together. The spread is that of the upper half (its quartile, as that of a normal distribution)
    or of both halves, whichever is larger, so that even a fifth of foreign points is found;
    it is widened by 5 / N, because the spread of few is not well known.

    A group whose middle distance is 0 (more than half are copies of one another) gets NaN.
    """
    logs = [_centred(each) for each in groups]
    known = np.concatenate([each for each in logs if np.isfinite(each).any()] or [np.empty(0)])
    known = known[np.isfinite(known)]
    if not len(known):
        return logs
    spread = max(np.quantile(known, 0.75), np.median(np.abs(known))) / _NORMAL_75
    spread = max(spread * (1 + 5 / len(known)), _LEAST_SPREAD)
    return [np.maximum(each / spread, _LOWEST) for each in logs]


def _centred(distances: Doubles) -> Doubles:
    """Return logarithms less their median; all NaN if the median distance is 0."""
    if not len(distances) or np.median(distances) == 0:
        return np.full(len(distances), np.nan)
    with np.errstate(divide="ignore"):
        logs = np.log(distances)
    return np.asarray(logs - np.median(logs))


def threshold_of(false_rate: float) -> float:
    """Return the score that a share of ordinary points exceeds, at most a half.

    It is that of scores whose upper half falls off exponentially, which is slower than a normal
    distribution does: distances in a network's features have long tails.
    """
    return _NORMAL_75 * float(np.log2(0.5 / false_rate))
