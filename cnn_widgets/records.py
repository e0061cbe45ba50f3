"""The data records shared by all packages: images, layers and predictions.

An `ImageSample` is one photograph, a `LayerInfo` describes one layer of a network, an `Observation`
holds what one forward pass gave, and a `Prediction` is one class in the list of the most likely
ones. All are frozen dataclasses of plain values and arrays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
FITS = ("squash", "crop", "letterbox")


def check_fit(fit: str | None) -> None:
    """Raise a ValueError if a way to resize photographs is unknown; None leaves it open."""
    if fit is not None and fit not in FITS:
        raise ValueError(f"Expected fit to be one of {FITS}. Received: {fit!r}")


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class ImageSample:
    """One picture, turned upright: what is shown of it, and what a network is given.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        The picture as it is shown, 0 to 255, channels in the order red, green, blue. A network of
        3 channels is given these pixels, a network of 1 channel their luma. Neither these nor
        `data` can be written to, for answers are kept by them: change a copy, and load that.
    name : str
        A short name for display: the file's stem, ``"upload"``, ``"array"``.
    source : str
        Where the picture came from, for display: a path, an address or a type.
    fit : {"squash", "crop", "letterbox"} or None
        How the picture is resized to a network's input: ``"squash"`` scales both sides
        separately, ``"crop"`` takes the largest centred window with the input's aspect ratio,
        ``"letterbox"`` keeps the whole picture and pads it with black. None leaves it to the
        network, which squashes unless it says otherwise. Resizing is bicubic with antialiasing. A
        network trained on photographs resized otherwise, for instance by Keras'
        `image_dataset_from_directory` (bilinear, without antialiasing), may need them resized
        so beforehand, to the size of its input: `preprocess` comes after it.
    data : ndarray of uint8 or float32, shape (H, W, C), or None
        All channels of a picture that is more than RGB of 8 bits (satellite bands, RGBA, depth),
        in their own values. A network of C channels is given these. None for other pictures.
    bands : tuple of 3 int
        The channels of `data` that are shown as red, green and blue.
    inputs : mapping of str to ndarray or ImageSample
        What goes with the picture into the other inputs of a network that has several, by the
        names of these inputs. Empty for other pictures.

    Raises
    ------
    ValueError
        If ``pixels`` is no uint8 array of shape (H, W, 3), ``data`` no uint8 or float32 array of
        the same H and W, ``bands`` names no three channels of it, or ``fit`` is unknown.

    Examples
    --------
    >>> ImageSample(np.zeros((20, 30, 3), np.uint8), "night").size
    (20, 30)
    """

    pixels: Pixels = field(repr=False)
    name: str = "image"
    source: str = ""
    fit: str | None = None
    data: Pixels | Floats | None = field(default=None, repr=False)
    bands: tuple[int, int, int] = (0, 1, 2)
    inputs: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        shape = getattr(self.pixels, "shape", None)
        kind = getattr(self.pixels, "dtype", None)
        if shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != np.uint8:
            raise ValueError(
                "Expected pixels as a uint8 array of shape (H, W, 3). "
                f"Received: {kind or type(self.pixels).__name__} {shape}. "
                "load_image() converts other arrays."
            )
        check_fit(self.fit)
        self._check_data()
        object.__setattr__(self, "pixels", _read_only(self.pixels))
        object.__setattr__(self, "data", _read_only(self.data))
        if self.inputs:
            inputs = {name: _read_only(value) for name, value in self.inputs.items()}
            object.__setattr__(self, "inputs", inputs)

    def _check_data(self) -> None:
        """Raise a ValueError if `data` or `bands` do not belong to the pixels."""
        shape = getattr(self.data, "shape", None)
        kind = getattr(self.data, "dtype", None)
        if self.data is not None and (
            shape is None
            or len(shape) != 3
            or (*shape[:2], 3) != self.pixels.shape
            or not shape[2]
            or kind not in (np.uint8, np.float32)
        ):
            raise ValueError(
                "Expected data as a uint8 or float32 array of shape "
                f"({self.size[0]}, {self.size[1]}, C). "
                f"Received: {kind or type(self.data).__name__} {shape}. "
                "load_image() converts other arrays."
            )
        if len(self.bands) != 3 or not all(0 <= band < self.channels for band in self.bands):
            raise ValueError(
                f"Expected bands as three channels, 0 to {self.channels - 1}. "
                f"Received: {self.bands!r}"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def channels(self) -> int:
        """The number C of channels: those of `data`, or 3 without."""
        return 3 if self.data is None else int(self.data.shape[2])

    @cached_property
    def key(self) -> str:
        """The cache key: a digest of all that decides what a network is given of this picture."""
        found = hashlib.sha256(f"{self.digest}{self.pixels.shape}{self.fit}".encode())
        for name, value in sorted(self.inputs.items()):
            found.update(f"{name}:{_digest_of(value)}".encode())
        return found.hexdigest()

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the pixels' bytes in row-major order, as hexadecimal digits.

        For a picture with `data` their number type, shape and bytes are added to the pixels'.
        """
        found = hashlib.sha256(np.ascontiguousarray(self.pixels).data)
        if self.data is not None:
            found.update(f"{self.data.dtype.name}{self.data.shape}".encode())
            found.update(np.ascontiguousarray(self.data).data)
        return found.hexdigest()


def _read_only(value: Any) -> Any:
    """Return a view of an array that cannot be written to; whoever has the array itself can.

    Anything else is returned as it is.
    """
    if not isinstance(value, np.ndarray) or not value.flags.writeable:
        return value
    view = value.view()
    view.flags.writeable = False
    return view


def _digest_of(value: Any) -> str:
    """Return a digest of the value of another input, equal for equal values."""
    if isinstance(value, ImageSample):
        return value.key
    array = np.asarray(value)
    data = array.tobytes() if array.dtype != object else repr(array.tolist()).encode()
    return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + data).hexdigest()


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
        The output's shape without the batch axis; (h, w, K) for a feature map. Tokens that stand
        on a grid over the photograph, as in a vision transformer, are given as such a map.
    lost : str
        In words, why it is not known where on the photograph the output's cells lie; or "".

    Examples
    --------
    >>> LayerInfo("stem", "Conv2D", (112, 112, 32)).filters
    32
    """

    name: str
    kind: str
    shape: tuple[int | None, ...]
    lost: str = ""

    @property
    def spatial(self) -> bool:
        """Whether the output is a feature map (h, w, K) larger than 1x1, with a known place."""
        if self.lost or len(self.shape) != 3 or None in self.shape:
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

    Examples
    --------
    >>> best = cw.load_network().predict(cw.gallery()["cat"], top=1)[0]
    >>> best.name, round(best.probability, 2)
    ('Egyptian cat', 0.77)
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


@dataclass(frozen=True)
class Observation:
    """The results of one forward pass of a batch, or of one image of it without the batch axis.

    Attributes
    ----------
    scores, probabilities : ndarray, shape (N, C)
    activations : dict of str to ndarray, shape (N, h, w, K)
        The output of each observed layer, by layer name.
    peaks : dict of str to ndarray, shape (N, K)
        The largest value of each filter after the layer's activation function, by layer name.
    tensors : dict of str to tensor
        The activations of the whole batch, the `known` of `Engine.gradients`.
    """

    scores: Floats
    probabilities: Floats
    activations: dict[str, Floats]
    peaks: dict[str, Floats]
    tensors: dict[str, Any] = field(default_factory=dict)

    def at(self, index: int) -> Observation:
        """Return the results of one image, without the batch axis."""
        return self._map(lambda array: array[index])

    def first(self, count: int) -> Observation:
        """Return the results of the first `count` images."""
        return self._map(lambda array: array[:count])

    def arrays(self) -> Iterable[Floats]:
        """Yield every array, but not the tensors, which share memory with the activations."""
        yield from (self.scores, self.probabilities)
        yield from self.activations.values()
        yield from self.peaks.values()

    def _map(self, select: Callable[[Floats], Floats]) -> Observation:
        """Return an observation with a function applied to every array."""
        return Observation(
            select(self.scores),
            select(self.probabilities),
            {name: select(array) for name, array in self.activations.items()},
            {name: select(array) for name, array in self.peaks.items()},
            self.tensors,
        )
