"""Traced graphs as functions of arrays: only what the outputs need, on the weights one chooses.

A traced graph reads a model's weights through its *captures*: handles that stand beside its
arguments. A trace of the end of a network still captures all of them, and handing two hundred
handles over takes longer than the few operations that are left. So such a graph is imported once
more without what its outputs do not need; and the same door lets other variables in.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from cnn_widgets.environment import tensorflow

#: Kinds of operations that change something: a graph with one of them is left as it is.
_CHANGES = ("Assign", "ResourceApply", "ResourceScatter")


class Trace:
    """One compiled function: called with arrays, it returns tensors.

    Parameters
    ----------
    concrete : tf.ConcreteFunction
    count : int
        How many arguments it takes, beside what it captures.
    structure : nested, optional
        How its flat outputs are to be packed.
    """

    def __init__(self, concrete: Any, count: int, structure: Any = None) -> None:
        self._tf, self._concrete, self._count = tensorflow(), concrete, count
        self._structure = structure

    def __call__(self, *given: Any) -> Any:
        """Run on arrays."""
        found = self._concrete(*map(self._tf.convert_to_tensor, given))
        if self._structure is None:
            return found
        return self._tf.nest.pack_sequence_as(self._structure, found)

    @property
    def captured(self) -> list[Any]:
        """The handles the graph reads beside its arguments, in the order it first read them."""
        return [outer for outer, _ in self._concrete.graph.captures]

    def only(self, part: int, fed: Sequence[Any] = ()) -> Trace:
        """Return the function of one part of the outputs, without what that part does not need.

        Parameters
        ----------
        part : int
            Which of the outputs.
        fed : sequence of tensors of the graph
            Further arguments: their values are given, and what only they needed is not computed.
        """
        packed = self._concrete.structured_outputs
        outputs = iter(self._concrete.outputs)
        flat = [[next(outputs) for _ in self._tf.nest.flatten(each)] for each in packed]
        return self._imported({}, self._changes_something(), flat[part], packed[part], fed)

    def rebound(self, swaps: Mapping[int, Any]) -> Trace:
        """Return the same function with other handles, by the `id` of those they stand for."""
        structure = self._structure
        if structure is None:
            structure = self._concrete.structured_outputs
        whole = self._changes_something()
        return self._imported(swaps, whole, self._concrete.outputs, structure)

    def _changes_something(self) -> bool:
        return any(op.type.startswith(_CHANGES) for op in self._concrete.graph.get_operations())

    def _imported(
        self,
        swaps: Mapping[int, Any],
        whole: bool,
        wanted: list[Any],
        structure: Any,
        fed: Sequence[Any] = (),
    ) -> Trace:
        tf, old = self._tf, self._concrete
        definition = old.graph.as_graph_def()
        if not whole:
            needed = ancestors(wanted, {each.name for each in fed})
            definition = _only(definition, {op.name for op in needed}, tf)
        used = {_tensor(name) for node in definition.node for name in node.input}
        used |= {tensor.name for tensor in wanted}
        arguments = [*old.inputs[: self._count], *fed]

        def run(*given: Any) -> Any:
            here = tf.compat.v1.get_default_graph()
            pairs = list(zip(arguments, given, strict=True))
            for outer, inner in old.graph.captures:
                if inner.name in used:
                    pairs.append((inner, here.capture(swaps.get(id(outer), outer))))
            feeds = {inner.name: value for inner, value in pairs if inner.name in used}
            outputs = [tensor.name for tensor in wanted]
            return tf.graph_util.import_graph_def(definition, feeds, outputs)

        specs = [tf.TensorSpec(each.shape, each.dtype) for each in arguments]
        bound = tf.compat.v1.wrap_function(run, specs)
        return Trace(bound, len(arguments), structure)


def ancestors(tensors: Iterable[Any], fed: Container[str] = ()) -> set[Any]:
    """Return the operations that tensors' values depend on, up to those whose names are fed."""
    found, waiting = set[Any](), list(tensors)
    while waiting:
        tensor = waiting.pop()
        if tensor.name not in fed and tensor.op not in found:
            found.add(tensor.op)
            waiting += tensor.op.inputs
    return found


def _only(definition: Any, names: set[str], tf: Any) -> Any:
    """Return a graph's definition with the nodes named, their order kept by data alone."""
    part = tf.compat.v1.GraphDef(versions=definition.versions, library=definition.library)
    for node in definition.node:
        if node.name in names:
            kept = part.node.add()
            kept.CopyFrom(node)
            kept.input[:] = [name for name in node.input if not name.startswith("^")]
            kept.attr.pop("_class", None)  # a wish to stand beside a node that may be gone
    return part


def _tensor(name: str) -> str:
    """Return an input's name as a tensor has it: "a" is the first output of a, "a:0"."""
    return name if ":" in name else f"{name}:0"
