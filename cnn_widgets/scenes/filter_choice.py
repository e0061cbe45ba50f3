"""Which filters of a layer the mosaic shows, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Floats

#: How the order is told under the mosaic.
_ORDER_TEXT = {
    "index": "in the layer's own order",
    "strength": "strongest on this photograph first",
    "weight": "those that add most to the evidence first",
}


@dataclass(frozen=True)
class FilterChoice:
    """The filters of a layer in an order, and the part of them that the mosaic shows.

    Attributes
    ----------
    order : ndarray of int, shape (K,)
        The filters, first to last.
    values : ndarray, shape (K,)
        By filter: what the order goes by.
    told : str
        The order in words; why it is not the one asked for, if it could not be had.
    shown : ndarray of int, shape (n,)
        The filters shown: the page of the order on which the selected one is.
    """

    order: NDArray[Any]
    values: Floats
    told: str
    shown: NDArray[Any]

    def place(self, index: int) -> int:
        """Return the place of a filter among those shown, from 0."""
        return int(np.flatnonzero(self.shown == index)[0])

    def moved(self, index: int, step: int) -> int:
        """Return the filter that stands `step` places after one in the order, or the last there."""
        here = int(np.flatnonzero(self.order == index)[0])
        return int(self.order[min(max(here + step, 0), len(self.order) - 1)])


def peaks(activations: Floats) -> Floats:
    """Return the largest value of each filter, (K,), of activations (h, w, K)."""
    return np.asarray(activations.max(axis=(0, 1)), np.float32)


def choose(
    order: str, count: str, selected: int, activations: Floats, weights: Floats | str
) -> FilterChoice:
    """Return the filters to show.

    Parameters
    ----------
    order : {"index", "strength", "weight"}
    count : {"24", "96", "all"}
    selected : int
        The filter that must be among those shown.
    activations : ndarray, shape (h, w, K)
    weights : ndarray, shape (K,), or str
        What each filter adds to the score of the class; or why that is not known.
    """
    total = activations.shape[-1]
    told = _ORDER_TEXT[order]
    values = np.arange(total, dtype=np.float32)
    ranked = np.arange(total)
    if order == "weight" and isinstance(weights, str):
        told = f"{_ORDER_TEXT['index']}, because {weights[:1].lower()}{weights[1:]}"
    elif order != "index":
        values = peaks(activations) if order == "strength" else np.asarray(weights)
        ranked = np.argsort(-np.nan_to_num(values, nan=-np.inf), kind="stable")
    size = total if count == "all" else int(count)
    start = int(np.flatnonzero(ranked == selected)[0]) // size * size
    return FilterChoice(ranked, values, told, ranked[start : start + size])
