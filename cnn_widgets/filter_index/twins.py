"""Finds filters of a layer that do the same, without keeping their maps.

What is compared is the value of every cell on every photograph: 100,000 numbers and more for each
filter. First a filter is kept as `SUMS` sums with random signs, whose angles are nearly those of
the values themselves (Johnson and Lindenstrauss 1984; signs: Achlioptas 2003). Pairs that may be
near-duplicates by these are then worked out exactly, in a second pass over the photographs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.filter_index.measuring import SUMS, FilterNumbers, signs

#: A pair is worked out exactly if its correlation seems up to so many times farther from 1 than
#: the limit. Distances from 1 by 64 sums are right to about a third: measured on the bundled
#: network, for pairs above 0.9, with a standard deviation of 28 %, the worst 1.8 times too far.
WIDER = 2.5


class RandomSums:
    """Sums of F filters over all cells and photographs, with random signs.

    A photograph's signs follow from its content, so the order of photographs does not matter.
    """

    def __init__(self, size: int) -> None:
        self._sums = np.zeros((SUMS, size))
        self._photographs = np.zeros(SUMS)

    def add(self, found: FilterNumbers, keys: Sequence[str]) -> None:
        """Add the photographs of a batch, given their `ImageSample.key`."""
        turned = np.array([_photograph_signs(key) for key in keys])
        self._sums += np.einsum("nd,ndf->df", turned.astype(np.float32), found.sums)
        self._photographs += turned.sum(0)

    def correlations(self, part: slice, mean: NDArray[Any], cells: int) -> NDArray[np.float64]:
        """Return nearly the correlations of the filters of a layer, (K, K).

        Parameters
        ----------
        part : slice
            Where the layer's filters lie among the F.
        mean : ndarray, shape (K,)
        cells : int
            How many cells the layer's maps have.
        """
        ones = self._photographs * signs(cells).sum(1, dtype=np.float64)
        centered = self._sums[:, part] - ones[:, None] * mean
        return _cosines(centered.T @ centered)


def _photograph_signs(key: str) -> NDArray[np.int64]:
    return np.random.default_rng(int(key[:16], 16)).integers(0, 2, SUMS) * 2 - 1


def _cosines(products: NDArray[Any]) -> NDArray[np.float64]:
    """Return products of vectors, (K, K), over the lengths of the vectors; 0 without a length."""
    lengths = np.sqrt(np.maximum(np.diag(products), 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = products / lengths[:, None] / lengths
    return np.nan_to_num(np.asarray(found, np.float64), nan=0, posinf=0, neginf=0)


def candidates(found: NDArray[Any], compared: NDArray[Any], limit: float) -> NDArray[np.intp]:
    """Return the filters that may have a near-duplicate, by correlations (K, K) that are rough."""
    close = found >= 1 - WIDER * (1 - limit)
    close &= compared[:, None] & compared
    np.fill_diagonal(close, False)
    return np.flatnonzero(close.any(0))


class ExactCorrelations:
    """Correlations of chosen filters, added up batch by batch.

    Parameters
    ----------
    cells : mapping of str to int
        How many cells the maps of each layer have.
    """

    def __init__(self, cells: Mapping[str, int]) -> None:
        self._cells, self.count = dict(cells), 0
        self._sums: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}

    def add(self, found: Mapping[str, tuple[NDArray[Any], NDArray[Any]]], count: int) -> None:
        """Add the sums of products (U, U) and of values (U,) over `count` photographs."""
        self.count += count
        for name, (products, values) in found.items():
            before = self._sums.get(name, (0.0, 0.0))
            more = (products.astype(np.float64), values.astype(np.float64))
            self._sums[name] = (before[0] + more[0], before[1] + more[1])

    def of(self, name: str) -> NDArray[np.float64]:
        """Return the correlations of the chosen filters of a layer, (U, U)."""
        products, values = self._sums[name]
        return _cosines(products - np.outer(values, values) / (self._cells[name] * self.count))


@dataclass(frozen=True, eq=False)
class Twins:
    """The near-duplicates of a layer, see `LayerFilters`: arrays of shape (K,)."""

    twin: NDArray[np.int32]
    correlation: NDArray[np.float32]
    group: NDArray[np.int32]


def no_twins(size: int) -> Twins:
    """Return that none of so many filters has a near-duplicate."""
    return Twins(
        np.full(size, -1, np.int32), np.full(size, np.nan, np.float32), np.arange(size, dtype="i4")
    )


def twins(found: NDArray[Any], chosen: NDArray[Any], size: int, limit: float) -> Twins:
    """Return the near-duplicates among K = `size` filters, by the correlations of chosen ones.

    Parameters
    ----------
    found : ndarray, shape (U, U)
    chosen : ndarray of int, shape (U,)
        The filters that these are of.
    size : int
    limit : float
        From which correlation on two filters are near-duplicates.
    """
    made = no_twins(size)
    close = np.array(found, np.float64)
    np.fill_diagonal(close, -np.inf)
    close[close < limit] = -np.inf
    for place in np.flatnonzero((close > -np.inf).any(1)).tolist():
        best = int(close[place].argmax())
        made.twin[chosen[place]] = chosen[best]
        made.correlation[chosen[place]] = min(close[place, best], 1.0)
    left = set(np.flatnonzero((close > -np.inf).any(1)).tolist())
    while left:  # groups: filters linked by pairs
        first = min(left)
        waiting = [first]
        while waiting:
            place = waiting.pop()
            if place in left:
                left.discard(place)
                made.group[chosen[place]] = chosen[first]
                waiting += np.flatnonzero(close[place] > -np.inf).tolist()
    return made
