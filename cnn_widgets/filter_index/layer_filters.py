"""`LayerFilters`: what the filters of one layer did over a set of photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Names of the arrays of `LayerFilters`, in which the first axis is that of the filters.
ARRAYS = (
    "active", "peak", "trough", "mean", "deviation", "positive", "at_end", "selectivity",
    "twin", "twin_correlation", "group", "compared", "top_values", "top_photographs", "top_cells",
    "best_labels", "label_peaks",
)  # fmt: skip


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class LayerFilters:
    """The filters of one layer over a set of photographs, each array with K filters first.

    Attributes
    ----------
    name, kind : str
        The layer's name and its class.
    shape : (h, w, K)
    activated : bool
        Whether the values are those after an activation function that belongs to the layer.
    low, high : float
        Between which values the activation function lies; infinite without a bound, or if none
        is known.
    rests : bool
        Whether a value of 0 is silence, as behind a ReLU: only then a filter may be dead.
    active : ndarray of int, shape (K,)
        On how many photographs any cell is above 0.
    peak, trough, mean, deviation : ndarray, shape (K,)
        Largest and smallest value, mean and standard deviation over all cells and photographs.
    positive : ndarray, shape (K,)
        The share of cells above 0.
    at_end : ndarray, shape (K,)
        The share of cells at an end of the range of the activation function, without the 0 at
        which it rests; NaN without such an end.
    selectivity : ndarray, shape (K,)
        Class selectivity, 0 to 1; NaN where `selectivity_note` says why, or of silent filters.
    twin : ndarray of int, shape (K,)
        The filter of the layer that is most alike, if it is a near-duplicate; otherwise -1.
    twin_correlation : ndarray, shape (K,)
        The correlation with that filter; NaN without one.
    group : ndarray of int, shape (K,)
        The first filter of those that are near-duplicates of each other, itself without any.
    compared : ndarray of bool, shape (K,)
        Whether the filter was above 0 often enough to be compared.
    top_values : ndarray, shape (K, T)
        The peaks on the T photographs that excite the filter most, highest first; NaN if there
        are fewer. Of equal peaks the one with the higher mean over its map comes first.
    top_photographs : ndarray of int, shape (K, T)
        The numbers of these photographs in their set, from 0; -1 if there are fewer.
    top_cells : ndarray of int, shape (K, T, 2)
        Row and column of the peak, the first one if several cells have it.
    best_labels : ndarray of int, shape (K, B)
        The labels with the highest mean peak, highest first, by their places in the index'
        `labels`. B is at most 16.
    label_peaks : ndarray, shape (K, B)
        The mean peak over the photographs of each of these labels.
    selectivity_note : str
        Why class selectivity is not known; "" if it is.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    activated: bool
    low: float
    high: float
    rests: bool
    active: NDArray[Any]
    peak: NDArray[Any]
    trough: NDArray[Any]
    mean: NDArray[Any]
    deviation: NDArray[Any]
    positive: NDArray[Any]
    at_end: NDArray[Any]
    selectivity: NDArray[Any]
    twin: NDArray[Any]
    twin_correlation: NDArray[Any]
    group: NDArray[Any]
    compared: NDArray[Any]
    top_values: NDArray[Any]
    top_photographs: NDArray[Any]
    top_cells: NDArray[Any]
    best_labels: NDArray[Any]
    label_peaks: NDArray[Any]
    selectivity_note: str = ""

    def __len__(self) -> int:
        return self.shape[2]

    @property
    def bounded(self) -> bool:
        """Whether a filter may be saturated: its activation function has an end, beside a 0."""
        return bool(np.isfinite(self.high) or (np.isfinite(self.low) and not self.rests))

    def check(self, index: int) -> int:
        """Return the number of a filter; a ValueError if the layer has no such filter."""
        if not 0 <= index < len(self):
            raise ValueError(
                f"Expected a filter of {self.name!r} from 0 to {len(self) - 1}. Received: {index}"
            )
        return int(index)
