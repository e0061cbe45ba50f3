"""The data records shared by all packages: images, layers and predictions.

An `ImageSample` is one photograph, a `LayerInfo` describes one layer of a network, and a
`Prediction` is one class in the list of the most likely ones. All are frozen dataclasses of plain
values and arrays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
FITS = ("squash", "crop", "letterbox")


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class ImageSample:
    """One photograph, turned upright, in RGB.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        The photograph, 0 to 255, channels in the order red, green, blue.
    name : str
        A short name for display: the file's stem, ``"upload"``, ``"array"``.
    source : str
        Where the photograph came from, for display: a path, an address or a type.
    fit : {"squash", "crop", "letterbox"}
        How the photograph is resized to a network's input: ``"squash"`` scales both sides
        separately, ``"crop"`` takes the largest centred window with the input's aspect ratio,
        ``"letterbox"`` keeps the whole photograph and pads it with black.

    Raises
    ------
    ValueError
        If ``pixels`` is no uint8 array of shape (H, W, 3), or ``fit`` is unknown.
    """

    pixels: Pixels = field(repr=False)
    name: str = "image"
    source: str = ""
    fit: str = "squash"

    def __post_init__(self) -> None:
        shape = getattr(self.pixels, "shape", None)
        kind = getattr(self.pixels, "dtype", None)
        if shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != np.uint8:
            raise ValueError(
                "Expected pixels as a uint8 array of shape (H, W, 3). "
                f"Received: {kind or type(self.pixels).__name__} {shape}. "
                "load_image() converts other arrays."
            )
        if self.fit not in FITS:
            raise ValueError(f"Expected fit to be one of {FITS}. Received: {self.fit!r}")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @cached_property
    def key(self) -> str:
        """The cache key: a digest of pixels, size and fit, equal if the network input is equal."""
        return hashlib.sha256(f"{self.digest}{self.pixels.shape}{self.fit}".encode()).hexdigest()

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the pixels' bytes in row-major order, as hexadecimal digits."""
        return hashlib.sha256(np.ascontiguousarray(self.pixels).data).hexdigest()


@dataclass(frozen=True)
class LayerInfo:
    """The description of one layer whose output can be computed.

    Attributes
    ----------
    name : str
        The layer's path, ``"resnet50/conv1_conv"`` for a layer of a nested model. A layer
        called a second time has a second entry, ``"conv:1"``.
    kind : str
        The layer's class, such as ``"Conv2D"``.
    shape : tuple of int or None
        The output's shape without the batch axis; (h, w, K) for a feature map.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]

    @property
    def spatial(self) -> bool:
        """Whether the output is a feature map (h, w, K) larger than 1x1 and of known size."""
        if len(self.shape) != 3 or None in self.shape:
            return False
        return int(self.shape[0] or 0) * int(self.shape[1] or 0) > 1

    @property
    def filters(self) -> int:
        """The number K of filters (channels) of the output."""
        return int(self.shape[-1] or 0) if self.shape else 0

    def __str__(self) -> str:
        return f"{self.name} · {self.kind} · {'×'.join(str(n) for n in self.shape)}"


@dataclass(frozen=True)
class Prediction:
    """One class with its score and probability for one image.

    ``score`` is the value before the softmax (or sigmoid). ``probability`` is the value after it,
    in [0, 1], or NaN for a network without probabilities (a regression).
    """

    class_index: int
    name: str
    probability: float
    score: float


def as_samples(given: Any) -> Sequence[ImageSample]:
    """Return one sample, or a sequence of samples, as a sequence.

    Raises
    ------
    TypeError
        If anything but an `ImageSample` is given.
    """
    found = given if isinstance(given, Sequence) else [given]
    for each in found:
        if not isinstance(each, ImageSample):
            raise TypeError(
                f"Expected an ImageSample; load_image() makes one. Received: {type(each).__name__}"
            )
    return found
