"""What goes into a model beside the photograph: numbers, vectors, texts, further pictures.

Values are given once for all photographs or for each of them; a sample carries its own in
`ImageSample.inputs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.images.loading import is_picture, load_image
from cnn_widgets.records import ImageSample


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


def described(others: Sequence[OtherInput]) -> str:
    """Return inputs in words, for a message that asks for them."""
    return "; ".join(str(each) for each in others)
