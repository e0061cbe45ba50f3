"""What a network takes, and photographs prepared for it.

A `ModelInput` describes the input for the photograph. A model may take more beside it, each an
`OtherInput`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.images.other_input import OtherInput
from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.records import FITS, Floats, ImageSample

#: A function from float32 pixels (N, H, W, C), 0 to 255, to model input of the same shape. The
#: channels of a picture that is more than RGB of 8 bits come in their own values.
Preprocess = Callable[[Any], Any]


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
        with np.errstate(over="ignore"):  # becomes infinite, which `prepared` refuses
            return np.ascontiguousarray(ready, np.float32)

    def prepared(self, pixels: NDArray[Any], name: str) -> Floats:
        """Return one photograph (H, W, C) as `prepare` does; a ValueError for NaN or infinity."""
        found: Floats = self.prepare(pixels[None])[0]
        if not np.isfinite(found).all():
            made = "its values are beyond float32"
            if self.preprocess is not None:
                made = "preprocess gave NaN or infinity"
            raise ValueError(f"The network cannot be asked about {name!r}: {made}.")
        return found

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
        return self.prepared(resize_to_input(sample, size, channels, self.fit), sample.name)
