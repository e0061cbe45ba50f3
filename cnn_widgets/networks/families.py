"""The recipe by which a published network prepares its input, found by the network's parts.

A `keras.applications` backbone inside a model is known by the name of a nested model, or, where its
layers were made part of a larger model, by layers that only this family has. A KerasHub classifier
says it itself, in its preprocessor's image converter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_widgets.engine.taps import walk_layers
from cnn_widgets.images.network_input import Preprocess
from cnn_widgets.networks.applications import application_family, applications

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Family:
    """A published network found inside a model.

    Attributes
    ----------
    name : str
        Its name in `keras.applications`, such as ``"MobileNetV2"``; ``"the MobileNetV2 family"``
        where layers that all of its sizes have tell no more.
    recipe : callable
        Its preprocessing of pixels (N, H, W, C), 0 to 255.
    evidence : str
        By what it was found, in words.
    carries : bool
        Whether the family usually holds its preprocessing itself, as its first layers.
    """

    name: str
    recipe: Preprocess
    evidence: str
    carries: bool


# Of each family: layers near its input that are all there, and layers that must not be there.
# Names are those that keras.applications gives; a test builds every family.
_LAYERS_OF: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "VGG16": (["block1_conv1", "block1_conv2", "block2_conv1"], []),
    "ResNet50": (["conv1_conv", "conv2_block1_1_conv", "conv2_block1_add"], []),
    "ResNet50V2": (["conv1_conv", "conv2_block1_preact_bn"], []),
    "DenseNet121": (["conv1_conv", "conv2_block1_0_relu"], []),
    "MobileNet": (["conv1", "conv_dw_1", "conv_pw_1"], []),
    "MobileNetV2": (["Conv1", "expanded_conv_depthwise", "expanded_conv_project"], []),
    "MobileNetV3Large": (["conv", "conv_bn", "expanded_conv_depthwise"], []),
    "InceptionV3": (["mixed0", "mixed1"], []),
    "InceptionResNetV2": (["mixed_5b"], []),
    "Xception": (["block1_conv1", "block1_conv2", "block2_sepconv1"], []),
    "NASNetMobile": (["stem_conv1", "stem_bn1"], []),
    "EfficientNetB0": (["stem_conv", "block1a_dwconv"], []),
    "EfficientNetV2B0": (["stem_conv", "block1a_project_conv"], ["block1a_dwconv", "block1a_add"]),
    "EfficientNetV2S": (["stem_conv", "block1a_project_conv", "block1a_add"], ["block1a_dwconv"]),
}
# What the first layers of those families do that hold their preprocessing, for such as were built
# with include_preprocessing=False: a mode of keras.applications.imagenet_utils.
_CARRIED = {
    "MobileNetV3": "tf",
    "EfficientNetV2S": "tf",
    "EfficientNetV2M": "tf",
    "EfficientNetV2L": "tf",
    "EfficientNet": "torch",
    "ConvNeXt": "torch",
}


def family_inside(model: keras.Model) -> Family | None:
    """Return the published network that a model is or contains, or None.

    A ConvNeXt made part of a model keeps a nested model of a telling name, its stem.

    >>> import keras
    >>> base = keras.applications.MobileNetV2(include_top=False, weights=None)
    >>> family_inside(keras.Model(base.input, base.output, name="mine")).evidence
    "by its layer 'Conv1'"
    """
    import keras

    parts = [model, *(each for _, each in walk_layers(model) if isinstance(each, keras.Model))]
    for part in parts:
        if name := application_family(part.name):
            return _family(name, f"by the name {part.name!r}")
    for part in parts:
        names = {layer.name for layer in getattr(part, "layers", ())}
        for name, (there, missing) in _LAYERS_OF.items():
            if names.issuperset(there) and names.isdisjoint(missing):
                found = _family(name, f"by its layer {there[0]!r}")
                return replace(found, name=f"the {name} family")
    return None


def _family(name: str, evidence: str) -> Family:
    mode = next((mode for start, mode in _CARRIED.items() if name.startswith(start)), None)
    if mode is None:
        return Family(name, applications()[name].preprocess, evidence, False)

    def recipe(pixels: Any) -> Any:
        import keras

        scaled = keras.applications.imagenet_utils.preprocess_input
        return scaled(pixels, data_format="channels_last", mode=mode)

    return Family(name, recipe, evidence, True)


@dataclass(frozen=True)
class HubInput:
    """The input of a KerasHub task, by its own preprocessor.

    Attributes
    ----------
    recipe : callable
        Its scaling of pixels (N, H, W, C), 0 to 255.
    fit : {"squash", "crop", "letterbox"}
        How it resizes photographs.
    size : (H, W) or None
        The size it resizes them to, if it has one.
    """

    recipe: Preprocess
    fit: str
    size: tuple[int, int] | None


def hub_input(model: Any) -> HubInput | None:
    """Return what a KerasHub classifier does to pictures first; None for any other model."""
    converter = getattr(getattr(model, "preprocessor", None), "image_converter", None)
    if converter is None:
        return None
    scale, offset = getattr(converter, "scale", None), getattr(converter, "offset", None)

    def recipe(pixels: Any) -> Any:
        scaled = pixels if scale is None else pixels * np.asarray(scale, np.float32)
        return scaled if offset is None else scaled + np.asarray(offset, np.float32)

    fit = "squash"
    if getattr(converter, "pad_to_aspect_ratio", False):
        fit = "letterbox"
    elif getattr(converter, "crop_to_aspect_ratio", False):
        fit = "crop"
    size = getattr(converter, "image_size", None)
    known = None if size is None or None in size else (int(size[0]), int(size[1]))
    return HubInput(recipe, fit, known)
