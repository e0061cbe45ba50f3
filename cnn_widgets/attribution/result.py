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
from PIL import Image

from cnn_widgets.drawing.color import diverging_colormap, normalize, overlay
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.environment import atomic_files, versions
from cnn_widgets.images.resizing import place_on_photo
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

FORMAT = "cnn_widgets attribution 1"
DEFINITION, RAW, PHOTOGRAPH, OVERLAY = (
    "attribution.json",
    "raw.npy",
    "photograph.png",
    "overlay.png",
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

    @property
    def question(self) -> str:
        """What the map shows, in words: "for cat", "against cat", "for cat rather than dog"."""
        words = f"{'against' if self.counter else 'for'} {self.class_name}"
        return words if self.versus is None else f"{words} rather than {self.versus}"

    @property
    def empty(self) -> bool:
        """Whether the map holds no evidence: no value above zero, nor below it if signed.

        NaN does not count as evidence.
        """
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
                f"The weights of {net.name!r} have changed since this map was made: they can no "
                "longer be told. Compute the map again, then save it."
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
            },
            "display": {
                "interpolation": "bilinear, half-pixel centres; the scalar map, before colouring",
                "scale": "divided by its largest absolute value"
                if self.signed
                else "divided by its maximum; below zero is 0",
            },
            "network": {
                "name": net.name,
                "input_size": list(net.input_size),
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
            pixels explained, lossless), ``overlay.png``, and ``attribution.json``: method,
            equation, layer, class, target, options, interpolation, versions, and the SHA-256 of
            the pixels, of the network's weights and of each file.
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
        with atomic_files(folder, RAW, PHOTOGRAPH, OVERLAY, DEFINITION) as made:
            np.save(made / RAW, self.raw)
            Image.fromarray(self.sample.pixels).save(made / PHOTOGRAPH)
            Image.fromarray(shown).save(made / OVERLAY)
            definition["files"] = {
                name: hashlib.sha256((made / name).read_bytes()).hexdigest()
                for name in (RAW, PHOTOGRAPH, OVERLAY)
            }
            text = json.dumps(definition, indent=2, ensure_ascii=False, allow_nan=False)
            (made / DEFINITION).write_text(text + "\n", "utf-8")
        return folder / DEFINITION

    def _origin(self) -> Origin:
        if self.origin is None:
            raise ValueError("This attribution does not know what it was made of.")
        return self.origin


def load_attribution(folder: str | Path) -> Attribution:
    """Read a bundle of evidence that `Attribution.save` wrote.

    ``attribute(net, found.sample, **found.request)`` computes the same map again. On the same
    machine and with the same versions, the result is equal bit by bit.

    Raises
    ------
    FileNotFoundError
        If the folder has no ``attribution.json``.
    ValueError
        If a file was changed, is missing or damaged, or the format is another one.
    """
    folder = Path(folder).expanduser()
    path = folder / DEFINITION
    if not path.is_file():
        raise FileNotFoundError(f"No bundle of evidence here, {DEFINITION} is missing: {folder}")
    try:
        stored = json.loads(path.read_text("utf-8"))
        known = isinstance(stored, dict) and stored.get("format") == FORMAT
        if not known:
            raise ValueError(f"{DEFINITION} is not of the format {FORMAT!r}.")
        for name in (RAW, PHOTOGRAPH):
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != stored["files"][name]:
                raise ValueError(f"{name} is not the file that was saved: its SHA-256 differs.")
        return _loaded(folder, stored)
    except (ValueError, KeyError, TypeError, OSError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"Cannot read the bundle of evidence in {folder}: {reason}") from error


def _loaded(folder: Path, stored: dict[str, Any]) -> Attribution:
    """Return the map of a bundle whose files have been checked."""
    asked, result, image = dict(stored["question"]), stored["result"], stored["image"]
    with Image.open(folder / PHOTOGRAPH, formats=("PNG",)) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    sample = ImageSample(pixels, image["name"], "bundle of evidence", image["fit"])
    raw = np.load(folder / RAW, allow_pickle=False)
    class_name, versus = asked.pop("class_name"), asked.pop("versus_name")
    first = {key: asked.pop(key) for key in ("class_index", "layer", "target", "counter")}
    size = tuple(stored["network"]["input_size"])
    placed = place_on_photo(raw, sample.size, size, sample.fit)
    return Attribution(
        raw=raw,
        heatmap=normalize(placed, result["signed"]),
        method=asked.pop("method"),
        class_name=class_name,
        signed=result["signed"],
        score=_number(result["score"]),
        probability=_number(result["probability"]),
        versus=versus,
        versus_index=asked.pop("versus"),
        removed=result["removed_by_relu"],
        origin=Origin(sample, stored["method"], asked, stored=stored),
        **first,
    )


def _json_value(value: Any) -> Any:
    """Return a NumPy scalar as a Python value; NaN and infinity, which JSON lacks, as None."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
