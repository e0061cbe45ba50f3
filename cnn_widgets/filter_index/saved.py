"""Reads an index of filters that was saved."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.filter_index.faults import Limits
from cnn_widgets.filter_index.index import _FORMAT, ABOUT, NUMBERS, FilterIndex
from cnn_widgets.filter_index.layer_filters import ARRAYS, LayerFilters


def load_filter_index(folder: str | Path) -> FilterIndex:
    """Return the index that `FilterIndex.save` has written into a folder.

    Raises
    ------
    FileNotFoundError
        If the folder holds none.
    ValueError
        If its files are damaged, do not belong together, or come from a later version.

    Examples
    --------
    >>> import tempfile
    >>> net = cw.load_network()
    >>> found = cw.index_filters(net, cw.gallery(), layers="stem", top=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     again = cw.load_filter_index(found.save(folder))
    >>> again.top_photographs("stem", 3) == found.top_photographs("stem", 3)
    True
    """
    place = Path(folder).expanduser()
    try:
        kept = json.loads((place / ABOUT).read_text("utf-8"))
        packed = (place / NUMBERS).read_bytes()
        return _read(kept, packed)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{str(place)!r} holds no index of filters: {error.filename!r}."
        ) from None
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"The index of filters in {str(place)!r} is damaged: {error}") from None


def _read(kept: dict[str, Any], packed: bytes) -> FilterIndex:
    if kept["format"] != _FORMAT:
        raise ValueError(f"it has format {kept['format']!r}, and this version reads {_FORMAT}")
    if kept["numbers"] != hashlib.sha256(packed).hexdigest():
        raise ValueError(f"{NUMBERS} does not belong to {ABOUT}")
    with np.load(io.BytesIO(packed), allow_pickle=False) as file:
        arrays = {name: file[name] for name in ARRAYS}
    layers, start = {}, 0
    for told in kept["layers"]:
        stop = start + told["shape"][2]
        layers[told["name"]] = _layer(told, {n: a[start:stop] for n, a in arrays.items()})
        start = stop
    return FilterIndex(
        kept["about"],
        layers,
        tuple(kept["names"]),
        dict(kept["errors"]),
        tuple(kept["labels"]),
        tuple(kept["label_counts"]),
        Limits(**kept["limits"]),
    )


def _layer(told: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> LayerFilters:
    low = -np.inf if told["low"] is None else told["low"]
    high = np.inf if told["high"] is None else told["high"]
    height, width, filters = told["shape"]
    return LayerFilters(
        told["name"], told["kind"], (height, width, filters), told["activated"], low, high,
        told["rests"], **arrays, selectivity_note=told["selectivity_note"],
    )  # fmt: skip
