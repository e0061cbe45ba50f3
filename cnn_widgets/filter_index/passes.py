"""The passes over a set of photographs: numbers of every filter, and then which are alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.auditing.labels import Spellings
from cnn_widgets.datasets import ImageSet
from cnn_widgets.engine.weights import check_scores
from cnn_widgets.filter_index.faults import Limits
from cnn_widgets.filter_index.layer_filters import LayerFilters
from cnn_widgets.filter_index.measuring import Products, filter_numbers
from cnn_widgets.filter_index.ranges import value_range
from cnn_widgets.filter_index.reading import Batch, batches
from cnn_widgets.filter_index.totals import Totals
from cnn_widgets.filter_index.twins import (
    ExactCorrelations,
    RandomSums,
    Twins,
    candidates,
    no_twins,
    twins,
)
from cnn_widgets.networks.network import Network
from cnn_widgets.records import LayerInfo
from cnn_widgets.telling import stopped

#: Called with (photographs done, photographs in all); may return False to stop.
Progress = Callable[[int, int], Any]


class Run:
    """The passes over one set of photographs, for some layers of a network."""

    def __init__(
        self,
        net: Network,
        images: ImageSet,
        infos: Sequence[LayerInfo],
        fit: str | None,
        progress: Progress | None,
    ) -> None:
        self._net, self._images, self._infos = net, images, infos
        self._fit, self._progress = fit, progress
        self._ranges = [value_range(net.engine.graph.filters(info.name)) for info in infos]
        ends = np.cumsum([0, *(info.filters for info in infos)]).tolist()
        self._parts = [slice(a, b) for a, b in pairwise(ends)]
        self.size = ends[-1]
        self.spellings = Spellings(net)

    def cells(self) -> NDArray[np.int64]:
        """Return how many cells the map of each filter has, (F,)."""
        return np.concatenate([np.full(i.filters, _cells(i)) for i in self._infos])

    def rests(self) -> NDArray[np.bool_]:
        """Return which filters are silent at 0, (F,)."""
        pairs = zip(self._infos, self._ranges, strict=True)
        return np.concatenate([np.full(info.filters, r.rests) for info, r in pairs])

    def first_pass(self, totals: Totals, sums: RandomSums) -> tuple[list[str], dict[str, str]]:
        """Add every photograph to totals and sums; return all names, and what went wrong."""
        names, errors = list[str](), dict[str, str]()
        layers = [info.name for info in self._infos]
        for batch in batches(self._net, self._images, self._fit):
            if batch.keys:
                found = filter_numbers(batch.engine, batch.x, layers)
                check_scores(found.scores, self._net.model, self._net.name)
                self._check(found.mean)
                labels = [self.spellings.one(label) for label in batch.labels]
                totals.add(found, batch.numbers, labels)
                sums.add(found, batch.keys)
            self._tell(names, batch)
            errors |= batch.errors
        return names, errors

    def _tell(self, names: list[str], batch: Batch) -> None:
        """Add a batch to the photographs done, and report each."""
        total = len(self._images) if self._images.repeatable else 0
        for name in batch.names:
            names.append(name)
            if stopped(self._progress, len(names), total):
                of = f" of {total}" if total else ""
                raise CancelledError(f"Stopped after {len(names)}{of} photographs.")

    def _check(self, means: NDArray[Any]) -> None:
        """Raise a ValueError if a layer computes NaN or infinite values, and name it."""
        for info, part in zip(self._infos, self._parts, strict=True):
            if not np.isfinite(means[:, part]).all():
                raise ValueError(f"Layer {info.name!r} computes NaN or infinite values.")

    def compared(self, totals: Totals, limits: Limits) -> NDArray[np.bool_]:
        """Return which filters vary enough, and are active often enough, to be compared, (F,)."""
        rests, cells = self.rests(), self.cells() * totals.count
        used = np.where(rests, np.round(totals.positive * self.cells()), cells)
        often = np.where(rests, totals.active, totals.count) >= limits.least_photographs
        largest = np.maximum(np.abs(totals.peak), np.abs(totals.trough))
        varied = totals.peak - totals.trough > limits.constant * largest
        return np.asarray((used >= limits.least_cells) & often & varied)

    def twins(
        self, totals: Totals, sums: RandomSums, compared: NDArray[np.bool_], limits: Limits
    ) -> dict[str, Twins]:
        """Return the near-duplicates of each layer."""
        found, close, chosen = dict[str, Twins](), {}, {}
        for info, part in zip(self._infos, self._parts, strict=True):
            found[info.name] = no_twins(info.filters)
            near = sums.correlations(part, totals.mean[part], _cells(info))
            some = candidates(near, compared[part], limits.duplicate)
            if len(some):
                chosen[info.name] = some
                close[info.name] = near[np.ix_(some, some)]
        if chosen and self._images.repeatable:
            close = self._second_pass(totals, chosen)
        for info in self._infos:
            if info.name in chosen:
                found[info.name] = twins(
                    close[info.name], chosen[info.name], info.filters, limits.duplicate
                )
        return found

    def _second_pass(
        self, totals: Totals, chosen: dict[str, NDArray[np.intp]]
    ) -> dict[str, NDArray[np.float64]]:
        """Return the exact correlations of chosen filters of each layer, (U, U)."""
        engine, centers = self._net.engine, {}
        for info, part in zip(self._infos, self._parts, strict=True):
            if info.name in chosen:
                centers[info.name] = totals.mean[part][chosen[info.name]]
        products = Products(engine, chosen, centers, self._net.batch is not None)
        exact = ExactCorrelations({i.name: _cells(i) for i in self._infos if i.name in chosen})
        names = list[str]()
        for batch in batches(self._net, self._images, self._fit):
            if batch.keys:
                exact.add(products.of(batch.engine, batch.x), len(batch.keys))
            self._tell(names, batch)
        if not exact.count:
            raise ValueError("The photographs could not be read again to compare filters.")
        return {name: exact.of(name) for name in chosen}

    def layer_filters(
        self,
        totals: Totals,
        alike: dict[str, Twins],
        compared: NDArray[np.bool_],
        limits: Limits,
    ) -> dict[str, LayerFilters]:
        """Return what was added up as a record per layer."""
        arrays = totals.arrays(limits.per_label)
        note, found = totals.selectivity_note(limits.per_label), {}
        for info, part, within in zip(self._infos, self._parts, self._ranges, strict=True):
            own = {name: array[part] for name, array in arrays.items()}
            height, width, filters = (int(n or 0) for n in info.shape)
            cells = own["top_cells"]
            own["top_cells"] = np.stack(
                [cells // width, np.where(cells < 0, -1, cells % width)], -1
            )
            unknown = np.full(filters, np.nan, np.float32)
            negative = "" if within.low >= 0 else "it is made for values of at least 0"
            if negative:
                own["selectivity"] = unknown
            if not within.ends:
                own["at_end"] = unknown
            same = alike[info.name]
            found[info.name] = LayerFilters(
                info.name, info.kind, (height, width, filters),
                info.name in self._net.engine.graph.activated,
                within.low, within.high, within.rests, **own,
                twin=same.twin, twin_correlation=same.correlation, group=same.group,
                compared=compared[part], selectivity_note=note or negative,
            )  # fmt: skip
        return found


def _cells(info: LayerInfo) -> int:
    return int(info.shape[0] or 0) * int(info.shape[1] or 0)
