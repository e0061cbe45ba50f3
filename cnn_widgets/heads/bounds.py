"""Between which numbers the values of a tensor lie, whatever the picture: from the graph alone.

A probability need not come out of a softmax or sigmoid: the mean of several, one minus it, its
clipped or sliced values are probabilities, too. Their bounds follow from those of what they are
made of (interval arithmetic).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnn_widgets.environment import tensorflow

Interval = tuple[float, float]
_ANY: Interval = (-math.inf, math.inf)
_ROUNDING = 1e-4
#: So many operations are followed from one to the next.
_DEPTH = 60
_FIXED: dict[str, Interval] = {
    "Sigmoid": (0, 1), "Softmax": (0, 1), "LogSoftmax": (-math.inf, 0), "Tanh": (-1, 1),
    "Softplus": (0, math.inf), "Relu": (0, math.inf), "Relu6": (0, 6), "Square": (0, math.inf),
    "Abs": (0, math.inf), "Sqrt": (0, math.inf), "Exp": (0, math.inf), "Erf": (-1, 1),
}  # fmt: skip
#: What these put out lies where their input lies; the other inputs are axes, sizes and places.
_KEEPING = {
    "Identity", "Reshape", "Squeeze", "ExpandDims", "Cast", "StridedSlice", "Slice", "GatherV2",
    "Transpose", "Mean", "Max", "Min", "MaxPool", "AvgPool", "BroadcastTo", "Tile", "ReverseV2",
    "StopGradient", "Snapshot", "IdentityN", "Unpack", "TopKV2", "GatherNd",
}  # fmt: skip
_RISING: dict[str, Callable[[float], float]] = {
    "Exp": lambda x: math.exp(x) if x < 700 else math.inf, "Sqrt": lambda x: math.sqrt(max(x, 0)),
    "Log": lambda x: -math.inf if x <= 0 else math.log(x), "Relu": lambda x: max(x, 0),
    "Relu6": lambda x: min(max(x, 0), 6), "Tanh": math.tanh,
}  # fmt: skip
_JOINING = {"Pack": None, "ConcatV2": -1}  # and where the inputs that are joined end


def within_one(tensor: Any) -> bool:
    """Return whether all values of a tensor are certain to lie between 0 and 1."""
    low, high = bounds(tensor)
    return low >= -_ROUNDING and high <= 1 + _ROUNDING


def bounds(tensor: Any) -> Interval:
    """Return (low, high) between which a tensor's values lie; infinite where that is not known.

    Parameters
    ----------
    tensor : Tensor
        Of a graph that is being traced, or that has been.
    """
    return _Bounds({}).of(tensor, _DEPTH)


class _Bounds:
    """Bounds in one graph; `given` are those of a function's arguments, by the tensor's `id`."""

    def __init__(self, given: dict[int, Interval]) -> None:
        self._known = dict(given)

    def of(self, tensor: Any, depth: int) -> Interval:
        key = id(tensor)
        if key not in self._known:
            self._known[key] = _ANY  # for a loop in the graph
            constant = tensorflow().get_static_value(tensor)
            if constant is not None and np.size(constant) and _is_number(constant):
                self._known[key] = float(np.min(constant)), float(np.max(constant))
            elif depth and tensor.dtype.is_floating:
                self._known[key] = self._made_by(tensor, depth - 1)
        return self._known[key]

    def _made_by(self, tensor: Any, depth: int) -> Interval:
        op = tensor.op
        if op.type in ("PartitionedCall", "StatefulPartitionedCall"):
            return self._of_function(op, tensor.value_index, depth)
        fixed = _FIXED.get(op.type, _ANY)
        if op.type in _RISING:
            low, high = map(_RISING[op.type], self.of(op.inputs[0], depth))
            return max(low, fixed[0]), min(high, fixed[1])
        if op.type in _FIXED:
            return fixed
        if op.type in _KEEPING:
            return self.of(op.inputs[tensor.value_index if op.type == "IdentityN" else 0], depth)
        if op.type in _JOINING:
            return _union([self.of(each, depth) for each in op.inputs[: _JOINING[op.type]]])
        if op.type in ("SelectV2", "Select"):
            return _union([self.of(each, depth) for each in op.inputs[1:]])
        return _arithmetic(op.type, [self.of(each, depth) for each in op.inputs])

    def _of_function(self, op: Any, number: int, depth: int) -> Interval:
        """Return the bounds of an output of a `tf.function` that is called in the graph."""
        body = op.graph._get_function(op.get_attr("f").name)
        if body is None:
            return _ANY
        arguments = zip(body.graph.inputs, op.inputs, strict=True)
        given = {id(inner): self.of(outer, depth) for inner, outer in arguments}
        return _Bounds(given).of(body.graph.outputs[number], depth)


def _is_number(constant: Any) -> bool:
    return np.issubdtype(np.asarray(constant).dtype, np.number) and bool(
        np.isfinite(constant).all()
    )


def _union(every: Sequence[Interval]) -> Interval:
    return min(low for low, _ in every), max(high for _, high in every)


def _arithmetic(kind: str, every: Sequence[Interval]) -> Interval:
    """Return the bounds of a sum, difference, product, quotient, minimum or maximum."""
    if kind == "AddN":
        return sum(low for low, _ in every), sum(high for _, high in every)
    if kind == "ClipByValue":
        return _arithmetic("Minimum", [_arithmetic("Maximum", every[:2]), every[2]])
    if kind == "Neg":
        return -every[0][1], -every[0][0]
    if kind == "Reciprocal":
        return _arithmetic("RealDiv", [(1, 1), every[0]])
    if len(every) != 2:
        return _ANY
    (a, b), (c, d) = every
    if kind in ("Add", "AddV2", "BiasAdd"):
        return a + c, b + d
    if kind == "Sub":
        return a - d, b - c
    if kind == "Minimum":
        return min(a, c), min(b, d)
    if kind == "Maximum":
        return max(a, c), max(b, d)
    if kind == "RealDiv" and (c > 0 or d < 0):
        return _arithmetic("Mul", [(a, b), (1 / d, 1 / c)])
    if kind == "Mul":
        corners = [0.0 if 0 in (x, y) else x * y for x in (a, b) for y in (c, d)]
        return min(corners), max(corners)
    return _ANY
