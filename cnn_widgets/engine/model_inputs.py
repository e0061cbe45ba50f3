"""Reads the inputs of a Keras model: image size, channels, fixed batch size, structure, dtype.

`ModelInput.notes` lists what had to be assumed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnn_widgets.engine.taps import walk_layers
from cnn_widgets.images.bands import looks_channels_first
from cnn_widgets.images.network_input import ModelInput
from cnn_widgets.images.other_input import OtherInput, described

if TYPE_CHECKING:
    import keras


#: The (H, W) used for a model that accepts any image size.
FREE_SIZE = (224, 224)

#: How a model that does not list its inputs is given several.
SEVERAL = (
    "If it takes several inputs, list them: keras.Model(inputs, model(inputs)), where inputs is a "
    "dict with a named keras.Input for each."
)


def read_model_input(
    model: keras.Model,
    input_size: Sequence[int] | None = None,
    usual_size: tuple[int, int] | None = None,
    inputs: Mapping[str | int, Any] | None = None,
) -> ModelInput:
    """Return the description of a model's input, with `preprocess` still None.

    Parameters
    ----------
    model : keras.Model
    input_size : sequence of int, optional
        (H, W) for a model that accepts any image size.
    usual_size : (H, W), optional
        The size that such a model is known to have been made for.
    inputs : mapping of str or int, optional
        For a model of several inputs, what is given for the others, by name or by number, see
        `OtherInput.given`. The photograph goes into the one that is left out.

    Raises
    ------
    ValueError
        If the input shape is unknown, differs from `input_size`, or is not (batch, H, W, C) with a
        known C; if nothing is given for another input, or something that it does not take; if the
        model takes anything but numbers, or works channels-first.
    """
    name, place, others = _inputs(model, inputs or {})
    shape = _input_shape(model, place)
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
    if kinds and not re.match("u?int|b?float", kinds[place]):
        raise ValueError(
            f"Expected a model that takes numbers. Model {model.name!r} takes {kinds[place]}."
        )
    if not shape[3]:
        raise ValueError(
            "Expected a model that takes images of a known number of channels, "
            f"(batch, H, W, C). Model {model.name!r} takes shape {shape}."
        )
    size, notes = _image_size(shape, input_size, usual_size or FREE_SIZE)
    batch = None if shape[0] is None else int(shape[0])
    if alike := [repr(each.name) for each in others if each.picture]:
        notes += (f"What goes into {', '.join(alike)} is prepared as the photograph is.",)
    return ModelInput(
        size, int(shape[3]), batch, None, notes, name=name, place=place, others=others
    )


def _inputs(
    model: keras.Model, given: Mapping[str | int, Any]
) -> tuple[str, int, tuple[OtherInput, ...]]:
    """Return name and number of the input for the photograph, and the other inputs."""
    tensors = list(getattr(model, "inputs", None) or ())
    names = _input_names(model, tensors)
    values = _by_name(model, names, given)
    if len(tensors) < 2:
        return (names or ["image"])[0], 0, ()
    shapes = [tuple(each.shape) for each in tensors]
    free = [n for n, name in enumerate(names) if name not in values]
    pictures = [n for n in free if len(shapes[n]) == 4]
    place = pictures[0] if len(pictures) == 1 else None
    channels = None if place is None else shapes[place][3]
    every = [
        OtherInput(
            names[n], n, shapes[n][1:], str(tensors[n].dtype),
            len(shapes[n]) == 4 and shapes[n][3] == channels and channels in (1, 3),
        )
        for n in range(len(names))
    ]  # fmt: skip
    what = f"Model {model.name!r} takes {len(names)} inputs: {described(every)}."
    if place is None:
        which = "None is left for the photograph"
        if pictures:
            which = "Which one takes the photograph? Give the others"
        example = names[pictures[-1] if pictures else -1]
        raise ValueError(f"{what} {which}: inputs={{{example!r}: …}}.")
    others = [each for each in every if each.place != place]
    if missing := [each for each in others if each.name not in values]:
        example = ", ".join(f"{each.name!r}: …" for each in missing)
        raise ValueError(
            f"{what} The photograph goes into {names[place]!r}. Missing: {described(missing)}. "
            f"Pass inputs={{{example}}}: one value for all photographs, one for each, or None "
            "where each comes with its own, load_image(…, inputs={…})."
        )
    return names[place], place, tuple(each.given(values[each.name]) for each in others)


def _by_name(
    model: keras.Model, names: Sequence[str], given: Mapping[str | int, Any]
) -> dict[str, Any]:
    """Return what is given for a model's inputs under their names, for numbers too."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        by_number = isinstance(key, int) and 0 <= key < len(names)
        name = names[int(key)] if by_number else str(key)
        if name not in names or len(names) < 2:
            takes = f"inputs {', '.join(names)}" if len(names) > 1 else "the photograph only"
            hint = "" if names else f" {SEVERAL}"
            raise ValueError(
                f"Model {model.name!r} takes {takes}. Received inputs for {key!r}.{hint}"
            )
        values[name] = value
    return values


def _input_names(model: keras.Model, tensors: Sequence[Any]) -> list[str]:
    """Return the names of a model's inputs: the keys of its dict, or those of the tensors."""
    struct = getattr(model, "_inputs_struct", None)
    if isinstance(struct, dict) and len(struct) == len(tensors):
        import keras

        keys = list(struct)
        places = keras.tree.flatten({key: n for n, key in enumerate(keys)})
        return [str(keys[n]) for n in places]
    return [str(each.name) for each in tensors]


def _input_shape(model: keras.Model, place: int) -> tuple[int | None, ...] | None:
    """Return the shape of the input for the photograph, with the batch axis; None if unknown."""
    inputs = getattr(model, "inputs", None)
    if inputs:
        return tuple(inputs[place].shape)
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


def in_own_dtype(model: Any, x: Any, place: int) -> Any:
    """Return a float tensor (N, H, W, C) in the dtype of a model's input with a number.

    For an input of whole numbers, values are rounded and limited to what its dtype holds.
    """
    import tensorflow as tf

    inputs = getattr(model, "inputs", None)
    kind = tf.as_dtype(inputs[place].dtype) if inputs else x.dtype
    if kind.is_floating:
        return x  # Keras casts it to the precision that the layers compute in
    low, high = max(kind.min, -(2**24)), min(kind.max, 2**24)  # whole numbers exact in float32
    return tf.cast(tf.clip_by_value(tf.round(x), low, high), kind)


def as_model_input(model: Any, given: Sequence[Any]) -> Any:
    """Return tensors, one for each of a model's inputs, in the structure that the model takes."""
    struct = getattr(model, "_inputs_struct", None)
    if struct is None:
        return given[0]
    import keras

    return keras.tree.pack_sequence_as(struct, list(given))
