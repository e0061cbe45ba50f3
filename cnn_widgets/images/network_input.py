"""What a network takes, and photographs prepared for it.

A `ModelInput` describes the input for the photograph. A model may take more beside it: numbers,
vectors, texts, further pictures. Each is an `OtherInput`, whose values are given once for all
photographs or for each photograph; a sample carries its own in `ImageSample.inputs`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.images.loading import is_picture, load_image
from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.records import FITS, Floats, ImageSample

#: A function from float32 pixels (N, H, W, C), 0 to 255, to model input of the same shape. The
#: channels of a picture that is more than RGB of 8 bits come in their own values.
Preprocess = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class OtherInput:
    """One input of a model beside the one that takes the photograph, and what is given for it.

    Attributes
    ----------
    name : str
        The input's name, or its key if the model takes a dict.
    place : int
        Its number among all inputs of the model, from 0.
    shape : tuple of int or None
        The shape of one value, without the batch axis.
    dtype : str
        The type of its numbers, such as "float32"; "string" for texts.
    picture : bool
        Whether it takes pictures as the photograph's input does. Its values are then resized and
        preprocessed as the photograph is; others are taken as they are.
    shared : ndarray or ImageSample, optional
        The value for all photographs.
    rows : tuple of ndarray or ImageSample
        The values of photographs in their order, where they are given for each.
    named : mapping of str to ndarray or ImageSample
        The values of photographs by their names, where they are given so.
    """

    name: str
    place: int
    shape: tuple[int | None, ...]
    dtype: str
    picture: bool
    shared: Any = None
    rows: tuple[Any, ...] = ()
    named: Mapping[str, Any] | None = None

    def __str__(self) -> str:
        kind = "a picture of shape" if self.picture else "shape"
        sizes = ", ".join("any" if n is None else str(n) for n in self.shape)
        return f"{self.name!r}, {kind} ({sizes}{',' if len(self.shape) == 1 else ''}) {self.dtype}"

    def given(self, value: Any) -> OtherInput:
        """Return this input with what a user gave for it.

        Parameters
        ----------
        value : object
            One value for all photographs; an array or list with one more axis: one value for each
            photograph; a dict by the photographs' names; or None if each sample carries its own.

        Raises
        ------
        ValueError
            If the value has another shape or type; the message says which are taken.
        """
        if value is None:
            return self
        if isinstance(value, Mapping):
            named = {str(name): self.checked(each) for name, each in value.items()}
            return replace(self, named=named)
        if self._one_per_photograph(value):
            return replace(self, rows=tuple(self.checked(each) for each in value))
        return replace(self, shared=self.checked(value))

    def of(self, sample: ImageSample) -> Any:
        """Return the value for a photograph, an array of the input's dtype or an `ImageSample`.

        Raises
        ------
        ValueError
            If there is none, or it has another shape or type.
        """
        own = sample.inputs.get(self.name)
        if own is not None:
            return self.checked(own)
        if self.shared is not None:
            return self.shared
        if self.rows or self.named:
            raise ValueError(
                f"{sample.name!r} has no value for input {self}: values for each photograph are "
                "joined to the photographs by net.with_inputs(samples)."
            )
        raise ValueError(
            f"{sample.name!r} comes without input {self}. "
            f"load_image(…, inputs={{{self.name!r}: …}}) gives it."
        )

    def joined(self, sample: ImageSample, number: int) -> ImageSample:
        """Return a photograph with its own value, if values are given for each photograph."""
        if self.name in sample.inputs:
            return sample
        if self.rows and number >= len(self.rows):
            raise ValueError(
                f"Input {self.name!r} is given for {len(self.rows)} photographs; "
                f"{sample.name!r} has number {number}, counted from 0."
            )
        if self.named is not None and sample.name not in self.named:
            raise ValueError(
                f"Input {self.name!r} is given for {', '.join(self.named)}, not for "
                f"{sample.name!r}."
            )
        if self.rows:
            value = self.rows[number]
        elif self.named is not None:
            value = self.named[sample.name]
        else:
            return sample
        return replace(sample, inputs={**sample.inputs, self.name: value})

    def typical(self) -> Any:
        """Return a value to measure the model with: one that was given, or zeros."""
        given = [*self.rows, *(self.named or {}).values()]
        if self.shared is not None or given:
            return self.shared if self.shared is not None else given[0]
        sizes = [1 if n is None else n for n in self.shape]
        if self.picture:
            return ImageSample(np.full((*sizes[:2], 3), 127, np.uint8), self.name)
        return np.full(sizes, "", object) if self.dtype == "string" else np.zeros(sizes, self.dtype)

    def checked(self, value: Any) -> Any:
        """Return one value as an array of the input's shape and dtype, or as an `ImageSample`."""
        if self.picture:
            return load_image(value)
        if is_picture(value):
            raise ValueError(f"{self._expected()} Received: {type(value).__name__}")
        array = np.asarray(value)
        if self.shape in ((), (1,)) and array.size == 1:
            array = array.reshape(self.shape)
        return self._typed(array)

    def _typed(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return an array in the input's dtype; a ValueError if that would change its values."""
        fits = len(array.shape) == len(self.shape) and all(
            wanted in (None, size) for wanted, size in zip(self.shape, array.shape, strict=True)
        )
        text = array.dtype.kind in "USO" and all(
            isinstance(each, str | bytes) for each in array.flat
        )
        if (
            not fits
            or text != (self.dtype == "string")
            or (not text and array.dtype.kind not in "bfiu")
        ):
            raise ValueError(f"{self._expected()} Received: {array.dtype} {array.shape}")
        if text:
            return array.astype(object)
        found = array.astype(self.dtype if self.dtype != "bfloat16" else "float32")
        if not np.isfinite(array).all():
            raise ValueError(f"{self._expected()} Received: NaN or infinity")
        if found.dtype.kind not in "f" and not (found == array).all():
            raise ValueError(
                f"{self._expected()} Received: numbers that {self.dtype} does not hold"
            )
        return found

    def _expected(self) -> str:
        return f"Expected for input {self}, one value for all photographs or one for each."

    def _one_per_photograph(self, value: Any) -> bool:
        """Whether a value has one more axis than one value of the input has."""
        if self.picture:
            return isinstance(value, list | tuple) or getattr(value, "ndim", 0) == 4
        if is_picture(value):
            return False
        shape = np.shape(value)
        if self.shape == (1,) and len(shape) == 1:
            return bool(shape[0] != 1)
        return len(shape) == len(self.shape) + 1


@dataclass(frozen=True)
class ModelInput:
    """The description of a model's input.

    Attributes
    ----------
    size : tuple of int
        (H, W) of the input image.
    channels : int
        The number C of channels. Models of 1 and 3 take any picture, others such of C channels.
    batch : int or None
        The only batch size that the model accepts, or None if it accepts any.
    preprocess : callable or None
        A function from float32 pixels (N, H, W, C), 0 to 255, to model input of the same shape.
        None means that the model takes pixels as they are.
    notes : tuple of str
        What was assumed, as sentences for the user.
    fit : {"squash", "crop", "letterbox"}
        How pictures are resized that leave it to the network, see `ImageSample`.
    name : str
        The name of the input that takes the photograph.
    place : int
        Its number among the model's inputs, from 0.
    others : tuple of OtherInput
        The model's other inputs, in their order.
    """

    size: tuple[int, int]
    channels: int
    batch: int | None
    preprocess: Preprocess | None
    notes: tuple[str, ...]
    fit: str = "squash"
    name: str = "image"
    place: int = 0
    others: tuple[OtherInput, ...] = ()

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise ValueError(f"Expected fit to be one of {FITS}. Received: {self.fit!r}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (H, W, C) of one input image."""
        return (*self.size, self.channels)

    def prepare(self, pixels: NDArray[Any]) -> Floats:
        """Return pixels (N, H, W, C) as preprocessed model input, float32, same shape.

        Pixels are uint8, or float32 where a picture has channels of other values.

        Raises
        ------
        ValueError
            If `preprocess` returns another shape, or anything but numbers.
        """
        given = pixels.astype(np.float32)  # a copy, because Keras' preprocess_input works in place
        ready = given if self.preprocess is None else np.asarray(self.preprocess(given))
        if ready.shape != pixels.shape or ready.dtype.kind not in "fiu":
            raise ValueError(
                f"preprocess must return an array of the shape it was given, {pixels.shape}. "
                f"Received: {ready.dtype} {ready.shape}"
            )
        return np.ascontiguousarray(ready, np.float32)

    def beside(self, samples: Sequence[ImageSample]) -> list[NDArray[Any]]:
        """Return what samples give to each of the other inputs, (N, ...) each.

        Raises
        ------
        ValueError
            If a sample has no value for one of them, or values differ in shape.
        """
        return [
            self._stacked(each, [each.of(sample) for sample in samples]) for each in self.others
        ]

    def typical(self) -> list[NDArray[Any]]:
        """Return a value (1, ...) for each of the other inputs to measure the model with."""
        return [self._stacked(each, [each.typical()]) for each in self.others]

    def _stacked(self, other: OtherInput, values: Sequence[Any]) -> NDArray[Any]:
        if other.picture:
            values = [self._of_picture(other, value) for value in values]
        shapes = {np.shape(value) for value in values}
        if len(shapes) > 1:
            raise ValueError(
                f"Photographs asked about together need values of one shape for input {other}. "
                f"Received: {', '.join(map(str, sorted(shapes)))}"
            )
        return np.stack(values)

    def _of_picture(self, other: OtherInput, sample: ImageSample) -> Floats:
        height, width, channels = (n or 0 for n in other.shape)
        size = (height or self.size[0], width or self.size[1])
        found: Floats = self.prepare(resize_to_input(sample, size, channels, self.fit)[None])[0]
        return found


def described(others: Sequence[OtherInput]) -> str:
    """Return inputs in words, for a message that asks for them."""
    return "; ".join(str(each) for each in others)
