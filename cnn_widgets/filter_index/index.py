"""`FilterIndex`: the filters of a network over a set of photographs; saved, and asked."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.environment import atomic_files, frame, versions
from cnn_widgets.filter_index.faults import FAULTS, Limits, cautions, fault_masks, fault_table
from cnn_widgets.filter_index.layer_filters import ARRAYS, LayerFilters
from cnn_widgets.filter_index.reading import cut_patch, read_again
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Pixels
from cnn_widgets.telling import counted, in_short

#: The files of an index in its folder.
NUMBERS, ABOUT = "filters.npz", "filters.json"
_FORMAT = 1
_COLUMNS = (
    "layer", "filter", "active", "peak", "trough", "mean", "deviation", "positive", "at_end",
    "selectivity", "best_label", "top_photograph", "twin", "faults",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class FilterIndex:
    """What each filter of some layers did over a set of photographs.

    Attributes
    ----------
    about : dict
        Name and fingerprints of network and photographs, see `index_filters`.
    layers : mapping of str to LayerFilters
        The layers in the order in which they run, by name.
    names : tuple of str
        All photographs of the set, in order; those that could not be read are among them.
    errors : dict of str to str
        Why a photograph could not be read, by name.
    labels : tuple of (int or str)
        The labels met, in order, and in `label_counts` how many photographs each had.
    limits : Limits
        From when on a filter is called almost dead, and so on.
    """

    about: dict[str, Any]
    layers: Mapping[str, LayerFilters]
    names: tuple[str, ...]
    errors: dict[str, str]
    labels: tuple[int | str, ...]
    label_counts: tuple[int, ...]
    limits: Limits

    def __len__(self) -> int:
        return sum(map(len, self.layers.values()))

    def __repr__(self) -> str:
        return (
            f"FilterIndex({self.about['network']!r}, {counted(len(self), 'filter')} of "
            f"{counted(len(self.layers), 'layer')}, {counted(self.count, 'photograph')})"
        )

    @property
    def count(self) -> int:
        """The number of photographs that could be read."""
        return len(self.names) - len(self.errors)

    def layer(self, name: str) -> LayerFilters:
        """Return the filters of a layer; a ValueError names the layers that there are."""
        found = self.layers.get(name)
        if found is None:
            raise ValueError(f"No layer {name!r} in the index. Layers: {in_short(self.layers, 12)}")
        return found

    def fault_counts(self, limits: Limits | None = None) -> dict[str, dict[str, int]]:
        """Return how many filters of each layer have which fault, by layer and fault."""
        return {
            name: {k: int(m.sum()) for k, m in self._masks(name, limits).items()}
            for name in self.layers
        }

    def faults(self, limits: Limits | None = None) -> list[dict[str, Any]]:
        """Return a dict per fault of a filter: layer, filter, fault, and `told` in words.

        Dead filters come first, then constant, saturated, near-duplicates, almost dead ones, and
        of each kind the worst first. Of near-duplicates all but the first are listed. Other
        `limits` are applied to what was counted; `duplicate` and what is compared stay as they
        were when the photographs were gone through.
        """
        if limits is None:
            return list(self._own_faults)
        return fault_table(self.layers.values(), self.count, limits)

    @cached_property
    def _own_faults(self) -> list[dict[str, Any]]:
        return fault_table(self.layers.values(), self.count, self.limits)

    def cautions(self, limits: Limits | None = None) -> tuple[str, ...]:
        """Return in sentences what so few photographs, or these layers, do not allow to say.

        What was assumed about the photographs is among them: which labels were taken as one.
        """
        found = cautions(self.layers.values(), self.count, limits or self.limits)
        if not self.about["exact"]:
            found += (
                "The photographs could be gone through only once: which filters are "
                "near-duplicates is estimated from random sums, to about a third of the distance "
                "from 1.",
            )
        return (*found, *(f"{note}." for note in self.about.get("image_notes", ())))

    def top_photographs(self, layer: str, index: int) -> list[dict[str, Any]]:
        """Return the photographs that excite a filter most, the most exciting first.

        Each is a dict of `number` and `name` in the set, the `value` of the peak, and its `row`
        and `column` on the layer's map. A filter that is silent on all photographs has none.
        """
        found = self.layer(layer)
        k = found.check(index)
        rows = zip(found.top_photographs[k], found.top_values[k], found.top_cells[k], strict=True)
        return [
            {"number": int(number), "name": self.names[number], "value": float(value),
             "row": int(cell[0]), "column": int(cell[1])}
            for number, value, cell in rows if number >= 0
        ]  # fmt: skip

    def label_peaks(self, layer: str, index: int) -> dict[int | str, float]:
        """Return the mean peak of a filter per label, highest first; of at most 16 labels."""
        found = self.layer(layer)
        k = found.check(index)
        pairs = zip(found.best_labels[k].tolist(), found.label_peaks[k].tolist(), strict=True)
        return {self.labels[place]: value for place, value in pairs}

    def patch(self, net: Network, images: Any, layer: str, index: int, rank: int = 0) -> Pixels:
        """Return what excites a filter in one of its top photographs: pixels (h, w, 3), uint8.

        It is the receptive field of the cell with the peak, cut out of the photograph.

        Parameters
        ----------
        net : Network
        images : object
            The photographs that were indexed, as `open_images` takes them.
        layer : str
        index : int
            The filter.
        rank : int
            0 for the most exciting photograph.

        Raises
        ------
        ValueError
            If there is no such layer, filter or rank, the network is another than that of the
            index, the photograph of that number has another name, or the photographs come as a
            data set or a generator.
        OSError
            If the photograph is gone.
        """
        found = self.top_photographs(layer, index)
        if not 0 <= rank < len(found):
            raise ValueError(
                f"Filter {index} of {layer!r} has {len(found)} exciting photographs. Received "
                f"rank: {rank}"
            )
        if weights_digest(net.model) != self.about["weights"]:
            raise ValueError(
                f"{net.name!r} is another network than that of the index: it has other weights."
            )
        if net.layer(layer).shape != self.layer(layer).shape:
            raise ValueError(
                f"{net.name!r} is another network than that of the index: {layer!r} has shape "
                f"{net.layer(layer).shape}, not {self.layer(layer).shape}."
            )
        one, given = found[rank], images
        if not isinstance(given, ImageSet):
            given = open_images(images, channels=net.channels)
        sample = read_again(given, one["number"], one["name"], self.about["fit"])
        return cut_patch(net, sample, layer, (one["row"], one["column"]))

    def record(self, layer: str, index: int) -> dict[str, Any]:
        """Return what is known of one filter, as plain values; None for what is not known."""
        found = self.layer(layer)
        masks = self._masks(layer)
        return self._record(found, found.check(index), masks)

    def records(self) -> list[dict[str, Any]]:
        """Return a dict per filter: how it behaves, its best label and photograph, its faults."""
        found = []
        for name, layer in self.layers.items():
            masks = self._masks(name)
            found += [self._record(layer, index, masks) for index in range(len(layer))]
        return found

    def _masks(self, name: str, limits: Limits | None = None) -> dict[str, Any]:
        return fault_masks(self.layers[name], self.count, limits or self.limits)

    def _record(self, layer: LayerFilters, k: int, masks: Mapping[str, Any]) -> dict[str, Any]:
        best = layer.best_labels[k]
        top, twin = int(layer.top_photographs[k][0]), int(layer.twin[k])
        numbers = ("peak", "trough", "mean", "deviation", "positive", "at_end", "selectivity")
        return {
            "layer": layer.name,
            "filter": k,
            "active": int(layer.active[k]),
            **{name: _finite(getattr(layer, name)[k]) for name in numbers},
            "best_label": self.labels[best[0]] if len(best) and layer.active[k] else None,
            "top_photograph": self.names[top] if top >= 0 else None,
            "twin": twin if twin >= 0 else None,
            "faults": ", ".join(fault for fault in FAULTS if masks[fault][k]),
        }

    def to_pandas(self) -> Any:
        """Return `records` as a pandas DataFrame; an ImportError says if pandas is missing."""
        return frame(self.records(), _COLUMNS)

    def save(self, folder: str | Path) -> Path:
        """Write ``filters.npz`` and ``filters.json`` into a folder, which is made; return it.

        Both are written whole or not at all; an OSError names the file.
        """
        place = Path(folder).expanduser()
        place.mkdir(parents=True, exist_ok=True)
        layers = list(self.layers.values())
        arrays: dict[str, Any] = {
            name: np.concatenate([getattr(each, name) for each in layers]) for name in ARRAYS
        }
        packed = io.BytesIO()
        np.savez_compressed(packed, **arrays)
        kept = {
            "format": _FORMAT,
            "numbers": hashlib.sha256(packed.getvalue()).hexdigest(),
            "about": self.about,
            "limits": asdict(self.limits),
            "labels": list(self.labels),
            "label_counts": list(self.label_counts),
            "layers": [_described(each) for each in layers],
            "errors": self.errors,
            "names": list(self.names),
            "versions": versions(),
        }
        with atomic_files(place, NUMBERS, ABOUT) as made:
            (made / NUMBERS).write_bytes(packed.getvalue())
            (made / ABOUT).write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
        return place


def _described(layer: LayerFilters) -> dict[str, Any]:
    """Return what is no array of a layer, as plain values."""
    plain = ("name", "kind", "activated", "rests", "selectivity_note")
    ends = {"low": _finite(layer.low), "high": _finite(layer.high)}
    return {**{name: getattr(layer, name) for name in plain}, **ends, "shape": list(layer.shape)}


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
