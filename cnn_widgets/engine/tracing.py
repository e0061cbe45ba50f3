"""Functions of arrays, extracted from a traced graph: only the operations their outputs need.

A model is traced once. Every function needed afterwards is extracted from the definition of that
graph: the operations that its outputs depend on, and no others. Tracing runs Keras' Python code
layer by layer and takes a second; extracting only copies nodes. A traced graph reads the model's
weights through its *captures*, handles passed beside its arguments; a function gets only those it
needs, and handles of other variables can be passed in their place.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cnn_widgets.environment import tensorflow

#: Kinds of operations that change something: a graph with one of them is left as it is.
_STATE_CHANGING_OPS = ("Assign", "ResourceApply", "ResourceScatter")


@dataclass(frozen=True)
class _TensorInfo:
    """One tensor of a traced graph."""

    name: str
    dtype: Any
    shape: Any


class CompiledFunction:
    """One compiled function: called with arrays, it returns tensors.

    Parameters
    ----------
    concrete : tf.ConcreteFunction
    taken : sequence of bool
        Which of the values it is called with its outputs depend on; the others are ignored.
    """

    def __init__(self, concrete: Any, taken: Sequence[bool]) -> None:
        self._convert, self._concrete = tensorflow().convert_to_tensor, concrete
        self._taken = tuple(taken)

    def __call__(self, *given: Any) -> Any:
        """Run on arrays."""
        pairs = zip(given, self._taken, strict=True)
        return self._concrete(*[self._convert(value) for value, taken in pairs if taken])

    @property
    def captured(self) -> list[Any]:
        """The handles the graph reads beside its arguments, in the order it first read them."""
        return [outer for outer, _ in self._concrete.graph.captures]

    @property
    def operations(self) -> list[str]:
        """The kind of each operation in the graph."""
        return [op.type for op in self._concrete.graph.get_operations()]


class TracedGraph:
    """A traced graph, kept as its definition, from which functions are extracted.

    Parameters
    ----------
    graph : tf.FuncGraph
        Traced, and never run.
    places : mapping of hashable to tensor
        Its arguments and further tensors of it, by the names that `function` uses.
    """

    def __init__(self, graph: Any, places: Mapping[Any, Any]) -> None:
        self._places = {key: _TensorInfo(t.name, t.dtype, t.shape) for key, t in places.items()}
        self._captures = [(outer, inner.name) for outer, inner in graph.captures]
        self._definition = graph.as_graph_def()
        self._nodes = {node.name: node for node in self._definition.node}
        self._keep_whole = any(node.op.startswith(_STATE_CHANGING_OPS) for node in self._definition.node)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places

    def function(
        self,
        wanted: Sequence[Hashable],
        given: Sequence[Hashable],
        finish: Callable[[list[Any]], Any] = list,
        replacements: Mapping[int, Any] | None = None,
    ) -> CompiledFunction:
        """Return the function from the tensors named in `given` to those in `wanted`.

        Parameters
        ----------
        given
            Arguments, or any tensors in the middle of the graph: their values are handed in, as
            float32 where they are floats, and what only they needed is not computed.
        finish : callable
            Makes the function's result of the wanted tensors, inside the graph.
        replacements : mapping, optional
            Handles to read in place of others, by the `id` of those.
        """
        tf = tensorflow()
        inputs = [self._places[key] for key in given]
        outputs = [self._places[key].name for key in wanted]
        definition = self._definition
        if not self._keep_whole:
            definition = self._subgraph(self._ancestor_nodes(outputs, {place.name for place in inputs}), tf)
        used = _tensors_read(definition) | set(outputs)
        taken = [place.name in used for place in inputs]
        fed = [place for place, is_used in zip(inputs, taken, strict=True) if is_used]

        def run(*values: Any) -> Any:
            return finish(
                self._import_definition(definition, fed, values, outputs, used, replacements or {})
            )

        return CompiledFunction(_compile(run, fed), taken)

    def _import_definition(
        self,
        definition: Any,
        fed: Sequence[_TensorInfo],
        values: Sequence[Any],
        outputs: Sequence[str],
        used: Container[str],
        replacements: Mapping[int, Any],
    ) -> list[Any]:
        """Bring a definition into the graph being built; return the tensors named."""
        tf = tensorflow()
        here = tf.compat.v1.get_default_graph()
        pairs = zip(fed, values, strict=True)
        feeds = {place.name: tf.cast(value, place.dtype) for place, value in pairs}
        for outer, inner in self._captures:
            if inner in used:
                feeds[inner] = here.capture(replacements.get(id(outer), outer))
        found: list[Any] = tf.graph_util.import_graph_def(definition, feeds, list(outputs))
        return found

    def _ancestor_nodes(self, outputs: Iterable[str], fed: set[str]) -> set[str]:
        """Return the names of the nodes that tensors' values depend on, up to those fed."""
        found, waiting = set[str](), list(outputs)
        while waiting:
            name = _tensor_name(waiting.pop())
            node = name.partition(":")[0]
            if name not in fed and node not in found:
                found.add(node)
                waiting += [each for each in self._nodes[node].input if not each.startswith("^")]
        return found

    def _subgraph(self, names: set[str], tf: Any) -> Any:
        """Return the definition of the nodes named, their order kept by data alone."""
        whole = self._definition
        part = tf.compat.v1.GraphDef(versions=whole.versions, library=whole.library)
        for node in whole.node:
            if node.name in names:
                kept = part.node.add()
                kept.CopyFrom(node)
                kept.input[:] = [name for name in node.input if not name.startswith("^")]
                kept.attr.pop("_class", None)  # asks for the device of a node that may be gone
        return part


def _compile(run: Callable[..., Any], fed: Sequence[_TensorInfo]) -> Any:
    """Build a function of some tensors; floats come in as float32."""
    tf = tensorflow()
    kinds = [tf.float32 if place.dtype.is_floating else place.dtype for place in fed]
    specs = [tf.TensorSpec(place.shape, kind) for place, kind in zip(fed, kinds, strict=True)]
    return tf.compat.v1.wrap_function(run, specs)


def _tensors_read(definition: Any) -> set[str]:
    """Return the names of all tensors that some node of a definition reads."""
    return {_tensor_name(name) for node in definition.node for name in node.input}


def ancestor_operations(tensors: Iterable[Any]) -> set[Any]:
    """Return the operations that tensors' values depend on."""
    found, waiting = set[Any](), list(tensors)
    while waiting:
        op = waiting.pop().op
        if op not in found:
            found.add(op)
            waiting += op.inputs
    return found


def _tensor_name(name: str) -> str:
    """Return an input's name as a tensor has it: "a" is the first output of a, "a:0"."""
    return name if ":" in name else f"{name}:0"
