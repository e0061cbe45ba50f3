"""What a Keras model takes in: how large an image, how many channels, preprocessed how.

Reads it off the model where it can, guesses where it must, and says each guess aloud in `notes`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.models import Preprocess, applications, family
from cnn_widgets.records import Floats
from cnn_widgets.taps import walk

if TYPE_CHECKING:
    import keras

FREE_SIZE = (224, 224)
_INSIDE = {"Rescaling", "Normalization"}


@dataclass(frozen=True)
class Intake:
    """A model's input.

    Attributes
    ----------
    size : (H, W)
    channels : int
        1 or 3.
    batch : int or None
        The only batch size the model takes, if it is fixed.
    preprocess : callable or None
        float32 pixels (N, H, W, C), 0 to 255 → model input. None: nothing is done outside.
    notes : tuple of str
        What was guessed, in words for the user.
    """

    size: tuple[int, int]
    channels: int
    batch: int | None
    preprocess: Preprocess | None
    notes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, C) of the input."""
        return (*self.size, self.channels)

    def prepare(self, pixels: NDArray[np.uint8]) -> Floats:
        """Return pixels (N, H, W, C) as the model's input; works on a copy."""
        given = pixels.astype(np.float32)  # a copy: keras' preprocess_input works in place
        ready = given if self.preprocess is None else np.asarray(self.preprocess(given))
        if ready.shape != pixels.shape or ready.dtype.kind not in "fiu":
            raise ValueError(
                f"preprocess must return an array of the shape it was given, {pixels.shape}. "
                f"Received: {ready.dtype} {ready.shape}"
            )
        return np.ascontiguousarray(ready, np.float32)


def read(
    model: keras.Model,
    preprocess: Preprocess | str | None = None,
    input_size: Sequence[int] | None = None,
) -> Intake:
    """Return what a model takes in.

    Raises
    ------
    ValueError
        If the model is unbuilt, takes several inputs, no images, or images channels-first.
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
    if shape[3] not in (1, 3):
        raise ValueError(
            f"Expected a model that takes images of 1 or 3 channels. Model {model.name!r} takes "
            f"{shape[3]}."
        )
    size, notes = _size(shape, input_size)
    batch = None if shape[0] is None else int(shape[0])
    return _with_preprocess(Intake(size, int(shape[3]), batch, None, notes), model, preprocess)


def _input_shape(model: keras.Model) -> tuple[int | None, ...] | None:
    """Return the shape of a model's one input, with the batch axis, or None if it is not known."""
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
    # a subclassed model remembers the shape of its first call; that batch size binds nobody
    return (None, *known[0][1:]) if len(known) == 1 else None


def _refuse_channels_first(model: keras.Model, shape: tuple[int | None, ...]) -> None:
    first = [
        path
        for path, layer in walk(model)
        if getattr(layer, "data_format", None) == "channels_first"
    ]
    if first or (shape[1] in (1, 3) and shape[3] not in (1, 3)):
        where = f" (layer {first[0]!r})" if first else f" (input shape {shape})"
        raise ValueError(
            f"Model {model.name!r} works channels-first{where}. cnn_widgets, like TensorFlow on "
            "a CPU, needs channels last: rebuild it with data_format='channels_last'."
        )


def _size(
    shape: tuple[int | None, ...], wanted: Sequence[int] | None
) -> tuple[tuple[int, int], tuple[str, ...]]:
    """Return ((H, W), notes): the wanted size where the model leaves it free."""
    if wanted is not None and (len(wanted) != 2 or any(int(n) < 1 for n in wanted)):
        raise ValueError(f"Expected input_size=(height, width). Received: {wanted!r}")
    asked = FREE_SIZE if wanted is None else (int(wanted[0]), int(wanted[1]))
    size = (shape[1] or asked[0], shape[2] or asked[1])
    if wanted is not None and size != asked:
        raise ValueError(f"The model takes images of {size[0]}×{size[1]}, not {asked}.")
    if wanted is None and None in shape[1:3]:
        return size, (
            f"The model takes any image size; {size[0]}×{size[1]} is used "
            "(input_size= changes it).",
        )
    return size, ()


def _with_preprocess(
    intake: Intake, model: keras.Model, preprocess: Preprocess | str | None
) -> Intake:
    if callable(preprocess):
        return replace(intake, preprocess=preprocess)
    if preprocess == "none":
        return intake
    if preprocess is not None:
        raise ValueError(
            f"Expected preprocess to be a function or 'none'. Received: {preprocess!r}"
        )
    function, note = _guess(model)
    return replace(intake, preprocess=function, notes=(*intake.notes, note))


def _guess(model: keras.Model) -> tuple[Preprocess | None, str]:
    """Return a preprocessing that likely belongs to the model, and the guess in words."""
    layers = list(walk(model))
    inside = [path for path, layer in layers if type(layer).__name__ in _INSIDE]
    inside = inside or _arithmetic_before_weights(model)
    if inside:
        return None, f"Pixels 0…255 go in as they are: the model preprocesses ({inside[0]!r})."
    import keras

    parts = [layer.name for _, layer in layers if isinstance(layer, keras.Model)]
    for name in (model.name, *parts):
        if found := family(name):
            return (
                applications()[found].preprocess,
                f"Preprocessing of {found} is used, guessed from the name {name!r} "
                "(preprocess= changes it).",
            )
    return _unit, "Pixels are divided by 255, a guess (preprocess= changes it)."


def _arithmetic_before_weights(model: keras.Model) -> list[str]:
    """Return the names of plain operations on the input, such as x / 255 written in the model.

    `keras.applications`' own preprocess_input, called on a model's input, is such a chain; no
    layer of the model shows it.
    """
    import keras

    found = []
    for operation in getattr(model, "operations", ()):
        if isinstance(operation, keras.layers.InputLayer):
            continue
        if isinstance(operation, keras.layers.Layer):
            if operation.weights or isinstance(operation, keras.Model):
                break
            if isinstance(operation, keras.layers.Lambda):
                found.append(operation.name)
        else:
            found.append(operation.name)
    return found


def _unit(pixels: Any) -> Any:
    return pixels / 255.0
