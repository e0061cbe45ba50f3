"""Adds up what filters do, photograph by photograph, in memory that does not grow with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.datasets import Label
from cnn_widgets.filter_index.measuring import FilterNumbers

#: Of the labels, so many are kept for each filter: those with the highest mean peaks.
BEST = 16


class Totals:
    """What F filters, layer after layer, did on the photographs added so far.

    Parameters
    ----------
    cells : ndarray of int, shape (F,)
        How many cells the map of each filter has.
    rests : ndarray of bool, shape (F,)
        Whether a filter that is not above 0 is silent: it then has no exciting photographs.
    top : int
        How many of the most exciting photographs are kept.

    Attributes
    ----------
    count : int
        The number of photographs.
    active, peak, trough, mean, positive : ndarray, shape (F,)
        As in `LayerFilters`, but `positive` is the sum of the shares.
    label_counts : dict of label to int
        The number of photographs of each label met.
    """

    def __init__(self, cells: NDArray[Any], rests: NDArray[Any], top: int) -> None:
        size = len(cells)
        self._cells, self._rests, self.count = cells.astype(np.float64), rests, 0
        self.active = np.zeros(size, np.int64)
        self.peak, self.trough = np.full(size, -np.inf), np.full(size, np.inf)
        self.mean, self._scatter = np.zeros(size), np.zeros(size)
        self.positive, self._at_end = np.zeros(size), np.zeros(size)
        self._top_values = np.full((size, top), -np.inf, np.float32)
        self._top_means = np.full((size, top), -np.inf, np.float32)
        self._top_photographs = np.full((size, top), -1, np.int64)
        self._top_cells = np.full((size, top), -1, np.int32)
        self.label_counts: dict[Label, int] = {}
        self._label_peaks: dict[Label, NDArray[np.float32]] = {}
        self._label_means: dict[Label, NDArray[np.float32]] = {}

    def add(self, found: FilterNumbers, numbers: Sequence[int], labels: Sequence[Label]) -> None:
        """Add the photographs of a batch, given their numbers in the set and their labels."""
        for row, label in enumerate(labels):
            self._add_one(found, row)
            if label is not None:
                self._add_label(label, found.peak[row], found.mean[row])
        self.active += (found.peak > 0).sum(0)
        self.peak = np.maximum(self.peak, found.peak.max(0))
        self.trough = np.minimum(self.trough, found.trough.min(0))
        self._rank(found, np.asarray(numbers))

    def _add_one(self, found: FilterNumbers, row: int) -> None:
        """Add mean and scatter of one photograph (Chan et al. 1983, eq. 2.1)."""
        step = found.mean[row] - self.mean
        self._scatter += found.scatter[row] + step**2 * self._cells * self.count / (self.count + 1)
        self.count += 1
        self.mean += step / self.count
        self.positive += found.positive[row]
        self._at_end += found.at_end[row]

    def _add_label(self, label: Label, peak: NDArray[Any], mean: NDArray[Any]) -> None:
        if label not in self.label_counts:
            self.label_counts[label] = 0
            self._label_peaks[label] = np.zeros(len(peak), np.float32)
            self._label_means[label] = np.zeros(len(peak), np.float32)
        self.label_counts[label] += 1
        self._label_peaks[label] += peak
        self._label_means[label] += mean

    def _rank(self, found: FilterNumbers, numbers: NDArray[Any]) -> None:
        """Put the photographs of a batch in their places among the most exciting ones."""
        peaks = np.where(self._rests & ~(found.peak > 0), -np.inf, found.peak)
        last, least = self._top_values[:, -1], self._top_means[:, -1]
        better = (peaks > last) | ((peaks == last) & (found.mean > least) & (peaks > -np.inf))
        rows = np.flatnonzero(better.any(0))
        top = self._top_values.shape[1]
        wide = np.broadcast_to(numbers, (len(rows), len(numbers)))
        values, means, photographs, cells = (
            np.concatenate([kept[rows], new], 1)
            for kept, new in (
                (self._top_values, peaks[:, rows].T),
                (self._top_means, found.mean[:, rows].T),
                (self._top_photographs, wide),
                (self._top_cells, found.cell[:, rows].T),
            )
        )
        order = np.lexsort((photographs, -means, -values), axis=1)[:, :top]
        for kept, joined in (
            (self._top_values, values), (self._top_means, means),
            (self._top_photographs, photographs), (self._top_cells, cells),
        ):  # fmt: skip
            kept[rows] = np.take_along_axis(joined, order, 1)
        self._top_photographs[self._top_values == -np.inf] = -1

    @property
    def labels(self) -> list[int | str]:
        """The labels met, numbers first."""
        met = [name for name in self.label_counts if name is not None]
        return sorted(met, key=lambda name: (isinstance(name, str), name))

    def arrays(self, per_label: int) -> dict[str, NDArray[Any]]:
        """Return the arrays of `LayerFilters` that are known from totals, (F, ...) each.

        `top_cells` are still cells counted row by row.
        """
        best, peaks = self._best_labels()
        small = np.float32
        return {
            "active": self.active.astype(np.int32),
            "peak": self.peak.astype(small),
            "trough": self.trough.astype(small),
            "mean": self.mean.astype(small),
            "deviation": np.sqrt(self._scatter / (self._cells * self.count)).astype(small),
            "positive": (self.positive / self.count).astype(small),
            "at_end": (self._at_end / self.count).astype(small),
            "selectivity": self._selectivity(per_label),
            "top_values": np.where(self._top_photographs < 0, small(np.nan), self._top_values),
            "top_photographs": self._top_photographs.astype(np.int32),
            "top_cells": np.where(self._top_photographs < 0, np.int32(-1), self._top_cells),
            "best_labels": best,
            "label_peaks": peaks,
        }

    def _best_labels(self) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the labels with the highest mean peaks, by place, and these, (F, B) each."""
        size = len(self.peak)
        best, values = np.zeros((size, 0), np.int32), np.zeros((size, 0), np.float32)
        for place, name in enumerate(self.labels):
            mean = self._label_peaks[name] / np.float32(self.label_counts[name])
            best = np.concatenate([best, np.full((size, 1), place, np.int32)], 1)
            values = np.concatenate([values, mean[:, None]], 1)
            if values.shape[1] > BEST or place == len(self.label_counts) - 1:
                order = np.argsort(-values, axis=1, kind="stable")[:, :BEST]
                best = np.take_along_axis(best, order, 1)
                values = np.take_along_axis(values, order, 1)
        return best, values

    def _often(self, per_label: int) -> list[int | str]:
        return [name for name in self.labels if self.label_counts[name] >= per_label]

    def selectivity_note(self, per_label: int) -> str:
        """Return why class selectivity is not known, or ""."""
        if len(self._often(per_label)) >= 2:
            return ""
        if not self.label_counts:
            return "there are no labels"
        return f"fewer than two labels have at least {per_label} photographs"

    def _selectivity(self, per_label: int) -> NDArray[np.float32]:
        """Return the class selectivity, (F,); NaN where it is not known, and of silent filters."""
        found, names = np.full(len(self.peak), np.nan, np.float32), self._often(per_label)
        if len(names) < 2:
            return found
        most, total = np.full(len(found), -np.inf), np.zeros(len(found))
        for name in names:
            mean = self._label_means[name].astype(np.float64) / self.label_counts[name]
            most, total = np.maximum(most, mean), total + mean
        others = (total - most) / (len(names) - 1)
        known = most > 0
        found[known] = (most[known] - others[known]) / (most[known] + others[known])
        return found
