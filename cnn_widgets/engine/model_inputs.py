"""The input of a Keras model: image size, channels, fixed batch size, structure and dtype.

All are read from the model; `ModelInput.notes` lists what had to be assumed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine.taps import walk_layers
from cnn_widgets.images.bands import looks_channels_first
from cnn_widgets.records import FITS, Floats

if TYPE_CHECKING:
    import keras


#: A function from float32 pixels (N, H, W, C), 0 to 255, to model input of the same shape. The
#: channels of a picture that is more than RGB of 8 bits come in their own values.
Preprocess = Callable[[Any], Any]

#: The (H, W) used for a model that accepts any image size.
FREE_SIZE = (224, 224)


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
    """

    size: tuple[int, int]
    channels: int
    batch: int | None
    preprocess: Preprocess | None
    notes: tuple[str, ...]
    fit: str = "squash"

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


def read_model_input(
    model: keras.Model,
    input_size: Sequence[int] | None = None,
    usual_size: tuple[int, int] | None = None,
) -> ModelInput:
    """Return the description of a model's input, with `preprocess` still None.

    Parameters
    ----------
    model : keras.Model
    input_size : sequence of int, optional
        (H, W) for a model that accepts any image size.
    usual_size : (H, W), optional
        The size that such a model is known to have been made for.

    Raises
    ------
    ValueError
        If the input shape is unknown, differs from `input_size`, or is not (batch, H, W, C) with a
        known C; if the model takes several inputs, or anything but numbers, or works
        channels-first.
    """
    shape = _input_shape(model)
    if shape is None and input_size is None:
        raise ValueError(
            f"The input shape of model {model.name!r} is not known"
            f"{'' if model.built else ': it is not built'}. Pass "
            "input_size=(height, width), or build it first: model.build((None, H, W, 3))."
        )
    shape = shape or (None, None, None, 3)
    if len(shape) != 4:
        raise ValueError(
            f"Expected a model that takes images (batch, H, W, channels). Model {model.name!r} "
            f"takes shape {shape}."
        )
    _refuse_channels_first(model, shape)
    kinds = [str(tensor.dtype) for tensor in getattr(model, "inputs", None) or ()]
    if kinds and not re.match("u?int|b?float", kinds[0]):
        raise ValueError(
            f"Expected a model that takes numbers. Model {model.name!r} takes {kinds[0]}."
        )
    if not shape[3]:
        raise ValueError(
            "Expected a model that takes images of a known number of channels, "
            f"(batch, H, W, C). Model {model.name!r} takes shape {shape}."
        )
    size, notes = _image_size(shape, input_size, usual_size or FREE_SIZE)
    batch = None if shape[0] is None else int(shape[0])
    return ModelInput(size, int(shape[3]), batch, None, notes)


def _input_shape(model: keras.Model) -> tuple[int | None, ...] | None:
    """Return the shape of a model's only input, with the batch axis, or None if unknown."""
    inputs = getattr(model, "inputs", None)
    if inputs:
        if len(inputs) > 1:
            names = ", ".join(tensor.name for tensor in inputs)
            raise ValueError(
                f"Model {model.name!r} takes {len(inputs)} inputs ({names}). One image is all "
                "that can be given: wrap the model so that the other inputs are constants."
            )
        return tuple(inputs[0].shape)
    shapes = getattr(model, "_build_shapes_dict", None) or {}
    known = [s for s in shapes.values() if isinstance(s, list | tuple) and len(s) == 4]
    # a subclassed model records the shape of its first call, but accepts other batch sizes
    return (None, *known[0][1:]) if len(known) == 1 else None


def _refuse_channels_first(model: keras.Model, shape: tuple[int | None, ...]) -> None:
    """Raise a ValueError for a model with a channels-first layer or input shape.

    A shape that looks channels-first is accepted if the first convolution takes the last axis as
    its channels, such as (None, 3, 8, 4) with a kernel of 4 input channels.
    """
    layers = list(walk_layers(model))
    first = [path for path, each in layers if _data_format(each) == "channels_first"]
    looks = looks_channels_first(shape[1:]) or (shape[1] in (1, 3) and shape[3] not in (1, 3))
    taken = next((n for _, each in layers if (n := _kernel_channels(each)) is not None), None)
    if first or (looks and (taken is None or taken != shape[3])):
        where = f" (layer {first[0]!r})" if first else f" (input shape {shape})"
        raise ValueError(
            f"Model {model.name!r} works channels-first{where}. cnn_widgets, like TensorFlow on "
            "a CPU, needs channels last: rebuild it with data_format='channels_last'."
        )


def _data_format(layer: Any) -> Any:
    """Return "channels_first" or "channels_last" for a layer that has such a setting."""
    return getattr(layer, "data_format", None)


def _kernel_channels(layer: Any) -> int | None:
    """Return the number of channels that a two-dimensional convolution takes, or None."""
    if hasattr(layer, "output_padding"):  # a transposed one has its kernel the other way round
        return None
    for name in ("kernel", "depthwise_kernel"):  # (h, w, C, …)
        shape = tuple(getattr(getattr(layer, name, None), "shape", ()))
        if len(shape) == 4 and _data_format(layer) == "channels_last":
            return int(shape[2]) * int(getattr(layer, "groups", 1))
    return None


def _image_size(
    shape: tuple[int | None, ...], wanted: Sequence[int] | None, usual: tuple[int, int]
) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return ((H, W), notes), using the wanted size on axes whose size the model leaves open."""
    if wanted is not None and (len(wanted) != 2 or any(int(n) < 1 for n in wanted)):
        raise ValueError(f"Expected input_size=(height, width). Received: {wanted!r}")
    asked = usual if wanted is None else (int(wanted[0]), int(wanted[1]))
    size = (shape[1] or asked[0], shape[2] or asked[1])
    if wanted is not None and size != asked:
        raise ValueError(f"The model takes images of {size[0]}×{size[1]}, not {asked}.")
    if wanted is None and None in shape[1:3]:
        return size, (
            f"The model takes any image size; {size[0]}×{size[1]} is used "
            "(input_size= changes it).",
        )
    return size, ()


def in_own_dtype(model: Any, x: Any) -> Any:
    """Return a float tensor (N, H, W, C) in the dtype of a model's input.

    For an input of whole numbers, values are rounded and limited to what its dtype holds.
    """
    import tensorflow as tf

    inputs = getattr(model, "inputs", None)
    kind = tf.as_dtype(inputs[0].dtype) if inputs else x.dtype
    if kind.is_floating:
        return x  # Keras casts it to the precision that the layers compute in
    low, high = max(kind.min, -(2**24)), min(kind.max, 2**24)  # whole numbers exact in float32
    return tf.cast(tf.clip_by_value(tf.round(x), low, high), kind)


def as_model_input(model: Any, given: Any) -> Any:
    """Return a tensor in the structure (dict, list) of a model's only input."""
    struct = getattr(model, "_inputs_struct", None)
    if isinstance(struct, dict):
        return {next(iter(struct)): given}
    return [given] if isinstance(struct, list | tuple) else given
