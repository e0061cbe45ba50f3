"""`Evidence`: what a network answered and why, kept in a folder to be compared with later."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from cnn_widgets import storage
from cnn_widgets.attribution.methods import find_method
from cnn_widgets.attribution.streaming import Explained, stream
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.environment import atomic_files, versions
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, LayerInfo
from cnn_widgets.regression.inputs import probed
from cnn_widgets.regression.layers import as_json, from_json, layer_figures, packed, watched
from cnn_widgets.regression.photographs import Photograph, digest_of, photograph_of, repeats
from cnn_widgets.telling import counted, stopped

#: Called with (photographs done, photographs in all); may return False to stop.
Progress = Callable[[int, int], Any]
FORMAT = "cnn_widgets evidence 1"
DEFINITION, ARRAYS = "evidence.json", "evidence.npz"
#: Photographs, spread evenly over all, of which the layers are kept.
MOST_ROWS = 200


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Evidence:
    """What was kept of a network over some photographs.

    Attributes
    ----------
    about : dict
        Network, classes, input, method and versions, as plain values.
    photographs : tuple of Photograph
    rows : tuple of int
        The photographs of which the layers are kept.
    table : tuple of LayerInfo
        Every layer of the network, in the order they run.
    features : dict of str to ndarray of float16, shape (len(rows), 2K)
        Per layer watched the figures of each filter, see `layers.layer_figures`.
    probes : tuple of ndarray
        What reached the first weights, see `inputs.probed`.
    """

    about: dict[str, Any]
    photographs: tuple[Photograph, ...]
    rows: tuple[int, ...]
    table: tuple[LayerInfo, ...]
    features: dict[str, NDArray[np.float16]]
    probes: tuple[Floats, ...]

    def __repr__(self) -> str:
        photographs = counted(len(self.photographs), "photograph")
        layers = counted(len(self.features), "layer")
        return f"Evidence({self.about.get('network')!r}, {photographs}, {layers})"

    def save(self, folder: str | Path) -> Path:
        """Write ``evidence.json`` and ``evidence.npz`` into a folder, which is made; return it."""
        place = Path(storage.folder(folder))
        place.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {
            "evidence": np.array([each.evidence for each in self.photographs], np.float16),
            "thumbs": np.array([each.thumb for each in self.photographs], np.uint8),
            **{f"layer{n}": each for n, each in enumerate(self.features.values())},
            **{f"probe{n}": each for n, each in enumerate(self.probes)},
        }
        np.savez_compressed(buffer, **arrays)
        told = {
            "format": FORMAT,
            **self.about,
            "layers": as_json(self.table),
            "watched": list(self.features),
            "rows": list(self.rows),
            "probes": len(self.probes),
            "photographs": [
                {"name": each.name, "content": each.content, "top": each.top, "error": each.error}
                for each in self.photographs
            ],
            "arrays_sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        }
        with atomic_files(place, ARRAYS, DEFINITION) as made:
            (made / ARRAYS).write_bytes(buffer.getvalue())
            (made / DEFINITION).write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        return place


def load_evidence(folder: str | Path) -> Evidence:
    """Return the evidence that `keep_evidence` has written into a folder.

    Raises
    ------
    FileNotFoundError
        If the folder holds none.
    ValueError
        If its files are damaged, or do not belong together.
    """
    place = Path(folder).expanduser()
    try:
        told = json.loads((place / DEFINITION).read_text("utf-8"))
        data = (place / ARRAYS).read_bytes()
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        raise FileNotFoundError(
            f"{str(place)!r} holds no evidence: there is no {name}. keep_evidence() writes it."
        ) from None
    except ValueError as error:
        raise ValueError(f"The evidence in {str(place)!r} is damaged: {error}") from None
    try:
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {told['format']!r}, not {FORMAT!r}")
        if hashlib.sha256(data).hexdigest() != told["arrays_sha256"]:
            raise ValueError(f"{ARRAYS} is not the file that {DEFINITION} belongs to")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return _read(told, dict(arrays))
    except (KeyError, TypeError, ValueError, IndexError, BadZipFile) as error:
        raise ValueError(f"The evidence in {str(place)!r} is damaged: {error}") from None


def _read(told: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Evidence:
    photographs = tuple(
        Photograph(
            each["name"], each["content"], tuple((int(n), float(p)) for n, p in each["top"]),
            np.asarray(arrays["evidence"][n], np.float32), arrays["thumbs"][n], each["error"],
        )
        for n, each in enumerate(told["photographs"])
    )  # fmt: skip
    features = {name: arrays[f"layer{n}"] for n, name in enumerate(told["watched"])}
    probes = tuple(arrays[f"probe{n}"] for n in range(told["probes"]))
    own = ("layers", "watched", "rows", "probes", "photographs", "arrays_sha256", "format")
    about = {name: value for name, value in told.items() if name not in own}
    return Evidence(
        about, photographs, tuple(told["rows"]), from_json(told["layers"]), features, probes
    )


def keep_evidence(
    net: Network,
    images: Any,
    folder: str | Path,
    *,
    method: str = "grad-cam",
    layer: str | None = None,
    layers: str | Sequence[str] | None = None,
    fit: str | None = None,
    progress: Progress | None = None,
) -> Evidence:
    """Keep a network's answers to photographs, the evidence for them, and what its layers say.

    Parameters
    ----------
    net : Network
    images : object
        Photographs as `open_images` takes them; some dozens that matter are enough.
    folder : str or Path
        Gets ``evidence.json`` and ``evidence.npz``; what was kept in it before is replaced. They
        hold no pictures, and take about 1 KB per photograph and, of up to 200 spread evenly,
        4 bytes per filter of each layer watched: 40 KB each for the bundled network.
    method : str
        The map that is kept of each answer; a name in `METHODS`.
    layer : str, optional
        The layer of a class activation map; by default `net.default_layer`.
    layers : str or sequence of str, optional
        The layers to watch; by default up to 24, spread evenly over the depth.
    fit : {"squash", "crop", "letterbox"}, optional
        See `load_image`; `check_against` resizes the same way.
    progress : callable, optional
        Called with (photographs done, photographs in all); returning False stops.

    Returns
    -------
    Evidence

    Raises
    ------
    ValueError
        If the photographs come as a data set or a generator, none can be read, the network gives
        no classes or another answer each time, or for the same reasons as `stream`.
    concurrent.futures.CancelledError
        If `progress` returned False. Nothing is written then.
    OSError
        If the folder cannot be written to; the files are there whole or not at all.

    Examples
    --------
    >>> import tempfile
    >>> net, photographs = cw.load_network(), cw.gallery()
    >>> some = {name: photographs[name] for name in ("cat", "espresso", "rocket")}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = cw.keep_evidence(net, some, folder)
    ...     cw.check_against(net, some, folder).passed
    True
    """
    storage.folder(folder)  # an empty one is refused before the photographs are gone through
    found = opened(net, images)
    names = [info.name for info in watched(net, layers)]
    run = _Run(net, names, {int(n) for n in np.linspace(0, len(found) - 1, MOST_ROWS)})
    explained = stream(net, found, method, None, layer, top=1, fit=fit)
    with net.weights_checked():
        for number, each in enumerate(explained):
            run.see(number, each)
            if stopped(progress, number + 1, len(found)):
                raise CancelledError(f"Stopped after {number + 1} of {len(found)}.")
    if not any(each.top for each in run.photographs):
        raise ValueError(f"None of the {counted(len(found), 'photograph')} can be read.")
    features = dict(zip(names, map(packed, run.figures), strict=True)) if run.rows else {}
    about = {**_about(net), "method": find_method(method).name, "layer": layer, "fit": fit}
    made = Evidence(about, tuple(run.photographs), tuple(run.rows), net.layers, features,
                    tuple(probed(net, fit)))  # fmt: skip
    made.save(folder)
    return made


class _Run:
    """What has been kept so far."""

    def __init__(self, net: Network, names: list[str], wanted: set[int]) -> None:
        self._net, self._names, self._wanted = net, names, wanted
        self.photographs: list[Photograph] = []
        self.rows: list[int] = []
        self.figures: list[list[Floats]] = [[] for _ in names]

    def see(self, number: int, each: Explained) -> None:
        """Keep a photograph's answer, its evidence, and the layers if its number is wanted."""
        if each.sample is not None and each.error is None:
            if not any(kept.top for kept in self.photographs):
                _refuse_random(self._net, repeats(self._net, each.sample))
            if number in self._wanted and self._names:
                self.rows.append(number)
                rows = layer_figures(self._net, each.sample, self._names)
                for kept, row in zip(self.figures, rows, strict=True):
                    kept.append(row)
        self.photographs.append(photograph_of(self._net, each))


def opened(net: Network, images: Any) -> ImageSet:
    """Return photographs that can be gone through again, for a network that gives classes."""
    checked_network(net)
    found = open_images(images, channels=net.channels)
    if net.engine.head.kind == "values":
        raise ValueError(f"{net.name!r} gives values, no classes: no answer of it can flip.")
    if not found.repeatable:
        raise ValueError(
            "A regression test needs the same photographs each time, and those of a data set or a "
            "generator come only once. Give a folder, a zip, a CSV, a list or an array."
        )
    return found


def _refuse_random(net: Network, steady: bool) -> None:
    if not steady:
        raise ValueError(
            f"{net.name!r} answers another thing each time it is asked about the same photograph, "
            "or with others beside it (dropout or batch normalization works as in training): "
            "nothing it says can be compared later."
        )


def _about(net: Network) -> dict[str, Any]:
    return {
        "network": net.name,
        "weights": digest_of(net),
        "input_size": list(net.input_size),
        "channels": net.channels,
        "network_fit": net.fit,
        "class_names": list(net.class_names),
        "versions": versions(),
    }
