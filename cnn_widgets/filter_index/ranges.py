"""Between which values a tensor can lie: what its activation function says, read off the graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Any

from cnn_widgets.environment import tensorflow

#: The ends of functions that come near them and never pass them, by the type of the operation.
_ENDS = {
    "Sigmoid": (0.0, 1.0),
    "Tanh": (-1.0, 1.0),
    "Softsign": (-1.0, 1.0),
    "Elu": (-1.0, inf),
    "Selu": (-1.7580993408473766, inf),
    "Softplus": (0.0, inf),
}
#: Operations that leave values as they are, or choose or average among them.
_KEEPING = {"Identity", "Cast", "StopGradient", "Reshape", "Transpose", "MaxPool", "AvgPool"}


@dataclass(frozen=True)
class ValueRange:
    """The smallest and the largest value that an activation function can have.

    Attributes
    ----------
    low, high : float
        Infinite where the function has no bound, or none is known.
    rests : bool
        Whether the smallest value is a 0 that the function has for everything below some input,
        as a ReLU has: a filter that never leaves it is silent. A sigmoid only comes near to 0.
    """

    low: float = -inf
    high: float = inf
    rests: bool = False

    @property
    def ends(self) -> bool:
        """Whether an end of it means saturation; the 0 of a silent filter does not."""
        return self.high < inf or (self.low > -inf and not self.rests)

    def near(self, share: float) -> tuple[float, float]:
        """Return where it begins to be near its ends: (below, above); infinite without an end.

        Near is within a share of the whole range, or of the end itself if the other is infinite.
        """
        wide = self.high - self.low
        low, high = (share * (wide if wide < inf else abs(end)) for end in (self.low, self.high))
        return (
            self.low + low if self.low > -inf else -inf,
            self.high - high if self.high < inf else inf,
        )


def value_range(tensor: Any) -> ValueRange:
    """Return the range of a tensor of a graph; without bounds where nothing is known.

    Followed are activation functions, clipping, scaling and shifting by a constant, and pooling.
    """
    op = tensor.op
    if op.type in _ENDS:
        return ValueRange(*_ENDS[op.type])
    if op.type in _KEEPING:
        return value_range(op.inputs[0])
    if op.type in ("Relu", "Relu6"):
        inner = value_range(op.inputs[0])
        most = 6.0 if op.type == "Relu6" else inf
        return ValueRange(0.0, max(min(most, inner.high), 0.0), True)
    rule = _WITH_A_CONSTANT.get(op.type)
    return rule(op) if rule is not None else ValueRange()


def _with_constant(op: Any) -> tuple[ValueRange, float] | None:
    """Return the range of an operation's one argument and its other one, a constant number."""
    values = [tensorflow().get_static_value(each) for each in op.inputs]
    for place, value in enumerate(values):
        if value is not None and value.size == 1 and values[1 - place] is None:
            if place == 0 and op.type in ("Sub", "RealDiv"):  # a number less, or over, a tensor
                return None
            return value_range(op.inputs[1 - place]), float(value.reshape(()))
    return None


def _clipped(op: Any) -> ValueRange:
    found = _with_constant(op)
    if found is None:
        return ValueRange()
    inner, end = found
    if op.type == "Minimum":
        return ValueRange(min(inner.low, end), min(inner.high, end), inner.rests and end > 0)
    if end < inner.low:
        return inner
    return ValueRange(end, max(inner.high, end), end == 0)


def _scaled(op: Any) -> ValueRange:
    found = _with_constant(op)
    if found is None or not found[1] > 0:
        return ValueRange()
    inner, factor = found
    factor = 1 / factor if op.type == "RealDiv" else factor
    return ValueRange(inner.low * factor, inner.high * factor, inner.rests)


def _shifted(op: Any) -> ValueRange:
    found = _with_constant(op)
    if found is None:
        return ValueRange()
    inner, step = found
    step = -step if op.type == "Sub" else step
    return ValueRange(inner.low + step, inner.high + step, inner.rests and step == 0)


_WITH_A_CONSTANT: dict[str, Callable[[Any], ValueRange]] = {
    "Minimum": _clipped,
    "Maximum": _clipped,
    "Mul": _scaled,
    "RealDiv": _scaled,
    "Add": _shifted,
    "AddV2": _shifted,
    "Sub": _shifted,
}
