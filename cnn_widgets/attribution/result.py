"""The result of an attribution method, and how it is saved and loaded.

`Attribution.save` writes a folder called a bundle of evidence: the photograph, the map in full
precision, the overlay, and a JSON file with all that is needed to compute the map again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_widgets.analysis.fields import MapField
from cnn_widgets.drawing.color import diverging_colormap, normalize, overlay
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.environment import atomic_files, versions
from cnn_widgets.images.resizing import lay_on_photo
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

FORMAT = "cnn_widgets attribution 1"
DEFINITION, RAW, PHOTOGRAPH, OVERLAY, CHANNELS, INPUTS = (
    "attribution.json",
    "raw.npy",
    "photograph.png",
    "overlay.png",
    "channels.npy",
    "inputs.npz",
)


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Origin:
    """The photograph, method, options and network that a map was computed from.

    ``card`` describes the method; ``options`` are the method's own parameters; ``weights`` is the
    state of the network's weights then; ``stored`` is the definition of a map that was loaded.
    """

    sample: ImageSample
    card: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    network: Network | None = None
    weights: Any = None
    stored: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Attribution:
    """The attribution map of one class on one photograph.

    Attributes
    ----------
    raw : ndarray of float32, shape (h, w) or (H, W)
        The result of the method's equation at the layer's resolution, or at the resolution of the
        network's input for methods that work on the input.
    heatmap : ndarray of float32, shape (H, W)
        ``raw`` resized to the photograph and scaled to [0, 1], or to [-1, 1] if signed.
    score, probability : float
        The class's value before and after the softmax (or sigmoid).
    versus, versus_index : str or None, int or None
        The name and index of the class it is compared with, if any.
    counter : bool
        Whether the map shows the evidence against the class.
    removed : float
        Share of the map's absolute sum that the ReLU of the method's equation removed, in
        [0, 1]; 0 for methods without a ReLU.
    origin : Origin or None
        What the map was computed from.
    ranged : bool
        Whether the method's values have no zero (a projection): the heat-map is then scaled from
        the smallest value, 0, to the largest, 1.
    field : MapField or None
        Where the cells of `raw` lie on the network's input.

    Examples
    --------
    >>> found = cw.attribute(cw.load_network(), cw.gallery()["cat"], "grad-cam", "tabby")
    >>> found.question, found.heatmap.shape
    ('for tabby', (300, 451))
    """

    raw: Floats = field(repr=False)
    heatmap: Floats = field(repr=False)
    method: str
    class_index: int
    class_name: str
    layer: str | None
    target: str
    signed: bool
    score: float
    probability: float
    versus: str | None = None
    versus_index: int | None = None
    counter: bool = False
    removed: float = 0.0
    origin: Origin | None = field(default=None, repr=False)
    ranged: bool = False
    field: MapField | None = field(default=None, repr=False)

    @property
    def question(self) -> str:
        """What the map shows, in words: "for cat", "against cat", "for cat rather than dog"."""
        words = f"{'against' if self.counter else 'for'} {self.class_name}"
        return words if self.versus is None else f"{words} rather than {self.versus}"

    @property
    def empty(self) -> bool:
        """Whether the map holds no evidence: no value above zero, nor below it if signed.

        NaN does not count as evidence. A `ranged` map is empty if all its values are equal.
        """
        if self.ranged:
            return not bool(np.nanmax(self.raw) > np.nanmin(self.raw))
        positive = self.raw > 0
        return not bool((positive | (self.raw < 0) if self.signed else positive).any())

    @property
    def saturated(self) -> bool:
        """Whether the probability explained is below 0.01 or above 0.99: its gradient vanishes."""
        return self.target == "probability" and not 0.01 <= self.probability <= 0.99

    @property
    def sample(self) -> ImageSample:
        """The photograph explained."""
        return self._origin().sample

    @property
    def request(self) -> dict[str, Any]:
        """Arguments to compute the map again: `attribute(net, found.sample, **found.request)`."""
        return {
            "method": self.method,
            "class_index": self.class_index,
            "layer": self.layer,
            "target": self.target,
            "versus": self.versus_index,
            "counter": self.counter,
            **self._origin().options,
        }

    def definition(self) -> dict[str, Any]:
        """Return the map's definition as JSON values: method, arguments, result and versions.

        Raises
        ------
        ValueError
            If the network's weights have changed since, or belong to a private copy.
        """
        origin = self._origin()
        if origin.stored:
            return dict(origin.stored)
        net, sample = origin.network, origin.sample
        if net is None:
            raise ValueError("This attribution does not know the network it was made with.")
        if net.private_weights:
            raise ValueError(
                "This map was made on a private copy with weights of its own (as in a sanity "
                "check): no digest of the model's weights would tell how."
            )
        if net.weights_state() != origin.weights:
            raise ValueError(
                f"The weights of {net.name!r} have changed since this map was made, or its layers "
                "have: they can no longer be told. Compute the map again, then save it."
            )
        return {
            "format": FORMAT,
            "method": {"name": self.method, **origin.card},
            "question": {key: _json_value(value) for key, value in self.request.items()}
            | {"class_name": self.class_name, "versus_name": self.versus},
            "result": {
                "score": _json_value(self.score),
                "probability": _json_value(self.probability),
                "minimum": _json_value(self.raw.min()),
                "maximum": _json_value(self.raw.max()),
                "removed_by_relu": self.removed,
                "signed": self.signed,
                "empty": self.empty,
                "ranged": self.ranged,
                "field": None if self.field is None else self.field.as_json(),
            },
            "display": {
                "interpolation": "bilinear between the centres of the receptive fields (`field`); "
                "the scalar map, before colouring",
                "scale": _scale_in_words(self.signed, self.ranged),
            },
            "network": {
                "name": net.name,
                "input_size": list(net.input_size),
                "fit": net.fit,
                "notes": list(net.notes),
                "weights_sha256": weights_digest(net.model),
            },
            "image": {
                "name": sample.name,
                "size": list(sample.size),
                "fit": sample.fit,
                "pixels_sha256": sample.digest,
            },
            "versions": versions(),
        }

    def save(self, folder: str | Path, alpha: float = 0.6, colormap: str = "inferno") -> Path:
        """Write a bundle of evidence, and return the path of the JSON file that defines it.

        Parameters
        ----------
        folder : str or Path
            Created if it is missing. It gets ``raw.npy`` (float32), ``photograph.png`` (the
            pixels explained, lossless), ``overlay.png``, ``channels.npy`` for a picture of other
            channels than RGB, ``inputs.npz`` for what the picture gives to other inputs of the
            network, and ``attribution.json``: method, equation, layer, class, target, options,
            interpolation, versions, and the SHA-256 of the pixels, of the network's weights and of
            each file.
        alpha, colormap
            Opacity (0 to 1) and colours of the overlay; a signed map gets a diverging colour map.

        Raises
        ------
        ValueError
            As for `definition`; nothing is written then.
        OSError
            If a file cannot be written; the message names it, and none of the new files remains.
        """
        definition = self.definition()
        colors = diverging_colormap(colormap) if self.signed else colormap
        shown = overlay(self.sample.pixels, self.heatmap, alpha, colors, self.signed)
        definition["overlay"] = {"alpha": alpha, "colormap": colors}
        folder = Path(folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        own = [RAW, PHOTOGRAPH, OVERLAY, *(() if self.sample.data is None else (CHANNELS,))]
        beside = {name: _as_array(value) for name, value in self.sample.inputs.items()}
        own += [INPUTS] if beside else []
        with atomic_files(folder, *own, DEFINITION) as made:
            np.save(made / RAW, self.raw)
            Image.fromarray(self.sample.pixels).save(made / PHOTOGRAPH)
            Image.fromarray(shown).save(made / OVERLAY)
            if self.sample.data is not None:
                np.save(made / CHANNELS, self.sample.data)
                definition["image"]["bands"] = list(self.sample.bands)
            if beside:
                np.savez(made / INPUTS, *beside.values())
                definition["image"]["inputs"] = list(beside)
            definition["files"] = {
                name: hashlib.sha256((made / name).read_bytes()).hexdigest() for name in own
            }
            text = json.dumps(definition, indent=2, ensure_ascii=False, allow_nan=False)
            (made / DEFINITION).write_text(text + "\n", "utf-8")
        return folder / DEFINITION

    def _origin(self) -> Origin:
        if self.origin is None:
            raise ValueError("This attribution does not know what it was made of.")
        return self.origin


def heatmap_over(
    raw: Floats, field: MapField, sample: ImageSample, fit: str, signed: bool, ranged: bool
) -> Floats:
    """Return a map (h, w) laid over the photograph (H, W) and scaled to [0, 1], signed to [-1, 1].

    See `Attribution.heatmap` and `Attribution.ranged`. `fit` is the network's own.
    """
    if ranged:
        raw = np.asarray(raw - np.nanmin(raw), np.float32)
    return normalize(lay_on_photo(raw, field, sample, fit), signed)


def _scale_in_words(signed: bool, ranged: bool) -> str:
    if ranged:
        return "from its smallest value, 0, to its largest, 1: a projection has no zero"
    if signed:
        return "divided by its largest absolute value"
    return "divided by its maximum; below zero is 0"


def _as_array(value: Any) -> NDArray[Any]:
    """Return what a picture gives to another input as an array that needs no pickle."""
    if isinstance(value, ImageSample):
        return value.pixels if value.data is None else value.data
    array = np.asarray(value)
    return array.astype(str) if array.dtype == object else array


def _json_value(value: Any) -> Any:
    """Return a NumPy scalar as a Python value; NaN and infinity, which JSON lacks, as None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value
