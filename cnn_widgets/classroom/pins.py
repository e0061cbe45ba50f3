"""A pinned view: what was on screen, what was noted, claimed and measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.classroom.quantities import Value, measure, measured_all, plain_number
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.rendering.html import sections
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions

#: No claimed number is as large; one of more than 4300 digits cannot even be written as text.
_LARGEST = 10**100


@dataclass(frozen=True)
class Pin:
    """One view that was pinned.

    Attributes
    ----------
    note : str
    answers : dict
        What was claimed, by the name of a quantity; see `QUANTITIES`.
    state : dict
        The choices, as `State.to_dict` gives them.
    measured : dict
        Every quantity as it was measured.
    photograph, network : dict
        Name and digest of the photograph's pixels; name and digests of the network's weights and
        class names, with the smallest, mean and largest value that it was given.
    title, definition : str
        What was on screen, in a line; what the map is, and what to beware of.
    html : str
        The open panels, as sections of a page with their pictures.
    """

    note: str
    answers: dict[str, Any]
    state: dict[str, Any]
    measured: dict[str, Value]
    photograph: dict[str, str]
    network: dict[str, Any]
    title: str
    definition: str
    html: str = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the pictures, as plain values for JSON."""
        return {
            "title": self.title, "note": self.note, "answers": self.answers, "state": self.state,
            "measured": self.measured, "photograph": self.photograph, "network": self.network,
        }  # fmt: skip


def pin(
    scene: Scene,
    choices: Mapping[str, Any],
    note: str = "",
    answers: Mapping[str, Any] | None = None,
) -> Pin:
    """Return the view of a scene as a pin.

    Parameters
    ----------
    scene : Scene
    choices : mapping
        What `State.to_dict` gives.
    note : str
    answers : mapping, optional
        What is claimed, by the name of a quantity.

    Raises
    ------
    ValueError
        If a quantity is unknown or cannot be measured here, or a claim is neither text nor a
        finite number.
    """
    claimed = {name: plain_number(value) for name, value in (answers or {}).items()}
    for name, value in claimed.items():
        measure(scene, name)  # what cannot be measured here cannot be claimed
        claimed[name] = _claim(name, value)
    return Pin(
        writable(str(note)),
        claimed, dict(choices), dict(measured_all(scene)),
        {"name": scene.image, "sha256": pixels_digest(scene)},
        {"name": scene.network_name, "sha256": weights_digest(scene.network.model),
         "classes": digest_of(scene.network.class_names), "input": input_range(scene)},
        captions.subject(scene), _definition(scene), sections(scene),
    )  # fmt: skip


def writable(text: str) -> str:
    """Return text without halves of letters, which no file can hold."""
    return text.encode("utf-8", "replace").decode()


def _claim(name: str, value: Any) -> str | int | float:
    """Return a claim as it is kept; a ValueError if it is neither text nor a number for JSON."""
    if isinstance(value, str):
        return writable(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not abs(value) < _LARGEST:
        received = f"{value!r}"[:80] if not number or isinstance(value, float) else "a larger one"
        raise ValueError(f"Expected {name} as text or a finite number. Received: {received}")
    return value  # type: ignore[no-any-return]


def input_range(scene: Scene) -> list[float]:
    """Return the smallest, mean and largest value that the network is given."""
    x = scene.input_tensor
    return [float(x.min()), float(x.mean()), float(x.max())]


def pixels_digest(scene: Scene) -> str:
    """Return the SHA-256 of the photograph as the explorer keeps it."""
    pixels = scene.sample.pixels if scene.sample.data is None else scene.sample.data
    found = hashlib.sha256(str(pixels.shape).encode())
    found.update(pixels.tobytes())
    return found.hexdigest()


def digest_of(content: Any) -> str:
    """Return the SHA-256 of plain values, whatever the order of keys."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _definition(scene: Scene) -> str:
    """Return what the map on screen is, as its definition card says."""
    method = METHODS[scene.method]
    return f"{method.title}: {method.equation}. {method.reads} Beware: {method.caveat}"
