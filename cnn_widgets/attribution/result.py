"""An `Attribution`: which pixels speak for a class, with all it takes to compute it again.

`save` writes a bundle of evidence: the photograph, the map in full precision, the overlay, and a
JSON file that defines them. `load_attribution` reads it back.
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


@dataclass(frozen=True, eq=False)  # arrays have no single ==
class Origin:
    """What a map was made of.

    ``card`` says what its method computes; ``options`` are those given to the method; ``stored``
    is the definition read back from a bundle, for a map that was not computed here.
    """

    sample: ImageSample
    card: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    network: Network | None = None
    weights: Any = None
    stored: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)  # arrays have no single ==
class Attribution:
    """Which pixels speak for a class.

    Attributes
    ----------
    raw : ndarray of float32, shape (h, w) or (H, W)
        The map as the method's equation gives it, at the layer's own resolution (or the network
        input's, for methods that look at the input); signed where the method is.
    heatmap : ndarray of float32, shape (H, W)
        ``raw`` resized to the photograph and scaled to [0, 1], or to [-1, 1] if signed.
    score, probability : float
        The class's value before and after the softmax.
    versus, versus_index : str or None, int or None
        The class it is compared with, if any.
    counter : bool
        Whether the map shows what speaks against the class.
    removed : float
        Share of the map's absolute sum that the ReLU of the method's equation took away, in
        [0, 1]; 0 for methods without one.
    origin : Origin or None
        Photograph, network and options it was made of.
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
        """What is asked, in words: "for cat", "against cat", "for cat rather than dog"."""
        words = f"{'against' if self.counter else 'for'} {self.class_name}"
        return words if self.versus is None else f"{words} rather than {self.versus}"

    @property
    def empty(self) -> bool:
        """True where the map holds no evidence at all: it is zero everywhere.

        NaN is no evidence, and below zero is none unless the map is signed.
        """
        speaks = self.raw > 0
        return not bool((speaks | (self.raw < 0) if self.signed else speaks).any())

    @property
    def saturated(self) -> bool:
        """Whether the probability explained is so near 0 or 1 that its gradient has vanished."""
        return self.target == "probability" and not 0.01 <= self.probability <= 0.99

    @property
    def sample(self) -> ImageSample:
        """The photograph explained."""
        return self._origin().sample

    @property
    def request(self) -> dict[str, Any]:
        """The keywords that make `attribute(net, found.sample, **found.request)` this map again."""
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
        """Return what the map is, as plain values: what was asked, of what, how, and the result.

        Raises
        ------
        ValueError
            If the network's weights have changed since the map was made, or were a private copy's.
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
            "question": {key: _plain(value) for key, value in self.request.items()}
            | {"class_name": self.class_name, "versus_name": self.versus},
            "result": {
                "score": _plain(self.score),
                "probability": _plain(self.probability),
                "minimum": _plain(self.raw.min()),
                "maximum": _plain(self.raw.max()),
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
            Made if need be. It gets ``raw.npy`` (float32), ``photograph.png`` (the pixels
            explained, lossless), ``overlay.png``, and ``attribution.json``: method, equation,
            layer, class, target, options, interpolation, versions, and the SHA-256 of the
            pixels, of the network's weights and of each file.
        alpha, colormap
            Of the overlay; a signed map gets a diverging colour map.

        Raises
        ------
        ValueError
            If the network's weights have changed since; nothing is written then.
        OSError
            If a file cannot be written; the message names it, and no part of it stays.
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

    ``attribute(net, found.sample, **found.request)`` computes the same map again; on the same
    machine, with the same versions, it is equal to the last bit.

    Raises
    ------
    FileNotFoundError
        If the folder holds no bundle.
    ValueError
        If a file was changed, is missing, or is no bundle of this format.
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


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; None where a number is none."""
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
