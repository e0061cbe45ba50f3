"""One value of a convolution, taken apart: its patch, kernel, products, bias and sum."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Floats


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Products:
    """What one value of a convolution is the sum of.

    Attributes
    ----------
    kernel, patch, products : ndarray of float64, shape (a, b, C)
        The weights, what stands under them in the layer's input, and weight times value. C are the
        channels that the filter sees: those of its group, or one for a depthwise convolution.
    inside : ndarray of bool, shape (a, b)
        Which places of the kernel lie on the input; the others see the 0 of the padding.
    rows, columns : ndarray of int
        The row and the column of the layer's input under each row and column of the kernel;
        outside the input they are negative or too large.
    channels : range
        The channels of the layer's input.
    bias : float
        0 for a layer without.
    """

    kernel: NDArray[np.float64] = field(repr=False)
    patch: NDArray[np.float64] = field(repr=False)
    products: NDArray[np.float64] = field(repr=False)
    inside: NDArray[np.bool_] = field(repr=False)
    rows: NDArray[np.intp] = field(repr=False)
    columns: NDArray[np.intp] = field(repr=False)
    channels: range
    bias: float

    @property
    def total(self) -> float:
        """The sum of all products and the bias."""
        return float(self.products.sum()) + self.bias


def not_plain(layer: Any) -> str | None:
    """Return in words why a Keras layer is no plain convolution; None if it is one."""
    import keras

    kind = type(layer).__name__
    if type(layer) not in (keras.layers.Conv2D, keras.layers.DepthwiseConv2D):
        return f"it is a {kind}, and only Conv2D and DepthwiseConv2D are taken apart"
    if layer.data_format != "channels_last":
        return "its channels come first"
    if getattr(layer, "quantization_mode", None) is not None:
        return f"its weights are quantised ({layer.quantization_mode})"
    if layer.padding not in ("valid", "same"):
        return f"its padding is {layer.padding!r}"
    return None


def products_of(layer: Any, given: Floats, row: int, column: int, k: int) -> Products:
    """Return what filter k of a plain convolution adds up at a cell (row, column).

    Parameters
    ----------
    layer : keras.layers.Conv2D or DepthwiseConv2D
    given : ndarray, shape (h, w, C)
        What the layer is called with.
    """
    weights = np.asarray(layer.kernel, np.float64)
    if type(layer).__name__ == "DepthwiseConv2D":
        first, number = divmod(k, weights.shape[3])
        kernel = weights[:, :, first, number, None]
    else:
        first = k // (weights.shape[3] // layer.groups) * weights.shape[2]
        kernel = weights[..., k]
    channels = range(first, first + kernel.shape[2])
    places = [
        _places(cell, given.shape[axis], kernel.shape[axis], layer.strides[axis],
                layer.dilation_rate[axis], layer.padding)
        for axis, cell in enumerate((row, column))
    ]  # fmt: skip
    on = [(each >= 0) & (each < n) for each, n in zip(places, given.shape[:2], strict=True)]
    inside = on[0][:, None] & on[1]
    near = [np.clip(each, 0, n - 1) for each, n in zip(places, given.shape[:2], strict=True)]
    patch = given[np.ix_(near[0], near[1])][..., channels.start : channels.stop].astype(np.float64)
    patch = np.where(inside[..., None], patch, 0.0)
    bias = 0.0 if layer.bias is None else float(np.asarray(layer.bias)[k])
    return Products(kernel, patch, kernel * patch, inside, places[0], places[1], channels, bias)


def _places(
    cell: int, size: int, taps: int, stride: int, rate: int, padding: str
) -> NDArray[np.intp]:
    """Return the row (or column) of the input under each tap of the kernel at one cell.

    "same" pads as TensorFlow does: the odd one of an odd number comes behind.
    """
    before = 0
    if padding == "same":
        reach = (taps - 1) * rate + 1
        before = max((-(-size // stride) - 1) * stride + reach - size, 0) // 2
    return np.asarray(cell * stride - before + np.arange(taps) * rate, np.intp)
