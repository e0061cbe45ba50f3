"""The preprocessing of a model: the one given by the user, or a guess with a note."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cnn_widgets.engine.model_inputs import ModelInput, Preprocess
from cnn_widgets.engine.taps import walk_layers
from cnn_widgets.networks.applications import application_family, applications

if TYPE_CHECKING:
    import keras


_PREPROCESSING_LAYERS = {"Rescaling", "Normalization"}


def with_preprocessing(
    model_input: ModelInput, model: keras.Model, preprocess: Preprocess | str | None
) -> ModelInput:
    """Return a model's input with the preprocessing given, or (None) with a guessed one.

    Parameters
    ----------
    model_input : ModelInput
        The result of `read_model_input`.
    model : keras.Model
    preprocess : callable, "none" or None
        A function from float32 pixels (N, H, W, C), 0 to 255, to the model's input. With
        ``"none"`` pixels are passed to the model unchanged.

    Raises
    ------
    ValueError
        If `preprocess` is neither a function nor ``"none"``.
    """
    if callable(preprocess):
        return replace(model_input, preprocess=preprocess)
    if preprocess == "none":
        return model_input
    if preprocess is not None:
        raise ValueError(
            f"Expected preprocess to be a function or 'none'. Received: {preprocess!r}"
        )
    function, note = _guess(model)
    return replace(model_input, preprocess=function, notes=(*model_input.notes, note))


def _guess(model: keras.Model) -> tuple[Preprocess | None, str]:
    """Return a guessed preprocessing (None: the model does its own), and a note that says so.

    In this order: preprocessing inside the model, that of a `keras.applications` classifier with a
    similar name, division by 255.
    """
    layers = list(walk_layers(model))
    inside = [path for path, layer in layers if type(layer).__name__ in _PREPROCESSING_LAYERS]
    inside = inside or _arithmetic_before_weights(model)
    if inside:
        return None, f"Pixels 0…255 go in as they are: the model preprocesses ({inside[0]!r})."
    import keras

    parts = [layer.name for _, layer in layers if isinstance(layer, keras.Model)]
    for name in (model.name, *parts):
        if found := application_family(name):
            return (
                applications()[found].preprocess,
                f"Preprocessing of {found} is used, guessed from the name {name!r} "
                "(preprocess= changes it).",
            )
    return _divide_by_255, "Pixels are divided by 255, a guess (preprocess= changes it)."


def _arithmetic_before_weights(model: keras.Model) -> list[str]:
    """Return the names of operations before the first layer with weights, such as x / 255.

    A preprocess_input of `keras.applications` that is called on a symbolic input becomes such
    operations. They are part of the graph, but no layers, so that the layers do not show them.
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


def _divide_by_255(pixels: Any) -> Any:
    return pixels / 255.0
