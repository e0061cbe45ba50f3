"""Values of tensors in a traced graph that depend on shapes and constants only.

Where a model crops, pads or tiles, the numbers often come out of a chain of operations on the shape
of a tensor. They are computed here without running the model.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from cnn_widgets.environment import tensorflow

#: Operations that read the shape of a tensor only, not its values.
SHAPE_OPS = ("Shape", "ShapeN", "Size", "Rank")
#: More entries than any crop, padding or shape has: such a tensor is not worth computing.
_MOST = 2**22

Sizes = Callable[[Any], Sequence[int | None] | None]


class ConstantReader:
    """Computes tensors of one graph that do not depend on the values of the model's input.

    Parameters
    ----------
    sizes : callable
        Returns the sizes of a tensor's axes as far as they are known.
    bindings : dict of int to (ConstantReader, tensor)
        For the body of a function, what its arguments are outside, by the `id` of the argument.
    batch : int
        The number of images that stands for a batch of any size.
    """

    def __init__(
        self,
        sizes: Sizes,
        bindings: dict[int, tuple[ConstantReader, Any]] | None = None,
        batch: int = 1,
    ) -> None:
        self._sizes, self._bindings, self._batch = sizes, bindings or {}, batch
        self._doubled: ConstantReader | None = None
        self._known: dict[tuple[int, int], Any] = {}

    def value(self, tensor: Any) -> Any:
        """Return a tensor's value as an array, or None if it depends on more than shapes."""
        static = tensorflow().get_static_value(tensor)
        if static is not None:
            return np.asarray(static)
        if id(tensor) in self._bindings:
            outer, given = self._bindings[id(tensor)]
            return outer.value(given)
        key = (id(tensor.op), tensor.value_index)
        if key not in self._known:
            self._known[key] = None  # a loop in the graph finds nothing
            for number, found in enumerate(self._computed(tensor.op) or ()):
                self._known[id(tensor.op), number] = found
        return self._known[key]

    def numbers(self, tensor: Any) -> list[int] | None:
        """Return a tensor's value as a flat list of whole numbers, or None if not known."""
        value = self.value(tensor)
        return None if value is None else [int(n) for n in np.ravel(value)]

    def shape(self, tensor: Any) -> list[int | None] | None:
        """Return a shape that a tensor holds, with None for each size that a batch changes."""
        one, two = self.numbers(tensor), self.doubled().numbers(tensor)
        if one is None or two is None:
            return None
        return [a if a == b >= 0 else None for a, b in zip(one, two, strict=True)]

    def doubled(self) -> ConstantReader:
        """Return the same reader for a batch of another size."""
        if self._doubled is None:
            pairs = self._bindings.items()
            bindings = {key: (outer.doubled(), given) for key, (outer, given) in pairs}
            self._doubled = ConstantReader(self._sizes, bindings, 2 * self._batch)
        return self._doubled

    def _computed(self, op: Any) -> list[Any] | None:
        """Return the values of an operation's outputs, or None."""
        if op.type in SHAPE_OPS:
            return self._of_shape(op)
        if op.type in ("Placeholder", "ReadVariableOp", "PyFunc", "EagerPyFunc"):
            return None
        if not op.inputs or sum(_entries(out) or 0 for out in op.outputs) > _MOST:
            return None
        values = [self.value(each) for each in op.inputs]
        return None if any(each is None for each in values) else _run(op, values)

    def _of_shape(self, op: Any) -> list[Any] | None:
        found = []
        for tensor in op.inputs:
            sizes = self._sizes(tensor)
            if sizes is None:
                return None
            whole = [self._batch if size is None else size for size in sizes]
            kind = op.outputs[0].dtype.as_numpy_dtype
            value = {"Size": int(np.prod(whole)), "Rank": len(whole)}.get(op.type, whole)
            found.append(np.asarray(value, kind))
        return found


def _entries(tensor: Any) -> int | None:
    """Return the number of entries of a tensor, or None if its shape is not known."""
    count = tensor.shape.num_elements()
    return None if count is None else int(count)


#: Operations that NumPy computes as well; TensorFlow logs about whole numbers on some machines.
_NUMPY = {
    **dict.fromkeys(("Add", "AddV2"), np.add),
    "Sub": np.subtract,
    "Mul": np.multiply,
    "RealDiv": np.true_divide,
    "FloorDiv": np.floor_divide,
    "FloorMod": np.mod,
    "Minimum": np.minimum,
    "Maximum": np.maximum,
}


def _run(op: Any, values: Sequence[Any]) -> list[Any] | None:
    """Return the outputs of one operation, run at once with given inputs; None if it cannot."""
    kind = op.outputs[0].dtype.as_numpy_dtype
    if op.type in _NUMPY:
        return [np.asarray(_NUMPY[op.type](*values), kind)]
    if op.type == "Cast":
        return [np.asarray(values[0], kind)]
    if op.type == "Pack":
        return [np.stack(values, op.get_attr("axis"))]
    if op.type == "ConcatV2":
        return [np.concatenate(values[:-1], int(values[-1]))]
    tf = tensorflow()
    function = getattr(tf.raw_ops, op.type, None)
    if function is None:
        return None
    waiting = [(value, tensor.dtype) for value, tensor in zip(values, op.inputs, strict=True)]
    given: dict[str, Any] = {}
    with tf.init_scope():  # outside the graph that is being traced
        taking = inspect.signature(function).parameters  # inputs first, by names of their own
        for name, argument in zip(taking, op.op_def.input_arg, strict=False):
            listed = argument.number_attr or argument.type_list_attr
            count = 1
            if listed:
                length = op.get_attr(listed)
                count = length if isinstance(length, int) else len(length)
            taken = [tf.constant(*waiting.pop(0)) for _ in range(count)]
            given[name] = taken if listed else taken[0]
        given |= {
            each.name: op.get_attr(each.name) for each in op.op_def.attr if each.name in taking
        }  # (the types of the inputs are found from the inputs)
        try:
            found = function(**given)
        except (tf.errors.OpError, TypeError, ValueError):
            return None  # it cannot run alone: its value is simply not known
        several = isinstance(found, list | tuple)
        return [np.asarray(each) for each in (found if several else [found])]
