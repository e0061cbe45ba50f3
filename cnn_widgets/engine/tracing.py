"""Extracts compiled functions from a traced graph, with only the operations their outputs need.

A model is traced once, which runs Keras' Python code layer by layer and takes about a second. Each
function needed later is extracted from the definition (`GraphDef`) of that graph, which only
copies nodes. A traced graph reads the model's weights through its *captures*: variable handles
that are passed in addition to its arguments. An extracted function gets only the captures that it
needs, and handles of other variables can be passed in their place.

While gradients are added to a traced graph, its ReLUs can have others than their own. Guided
(Springenberg et al. 2014, arXiv 1412.6806): a gradient passes back through a ReLU only where the
ReLU's input and the gradient itself are positive. Opened: it passes where the ReLU's input is
positive, and where the ReLU is closed if the gradient asks for more, so that a filter that is
silent on a picture still tells how to wake it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cnn_widgets.environment import tensorflow

# Beginnings of the types of operations that change variables. A graph with one of them is not
# reduced, because its control dependencies, which `_subgraph` drops, matter.
_STATE_CHANGING_OPS = ("Assign", "ResourceApply", "ResourceScatter")
_GRADIENT_ATTRIBUTE = "_gradient_op_type"


@dataclass(frozen=True)
class _TensorInfo:
    """Name, dtype and shape of one tensor of a traced graph."""

    name: str
    dtype: Any
    shape: Any


class CompiledFunction:
    """A compiled function that is called with arrays and returns tensors.

    Parameters
    ----------
    concrete : tf.ConcreteFunction
        The function of those arguments that its outputs depend on.
    taken : sequence of bool
        For each argument of a call, whether the outputs depend on it; the others are ignored.
    """

    def __init__(self, concrete: Any, taken: Sequence[bool]) -> None:
        self._convert, self._concrete = tensorflow().convert_to_tensor, concrete
        self._taken = tuple(taken)

    def __call__(self, *given: Any) -> Any:
        """Return the outputs for arrays or tensors, as many as `taken` has entries."""
        pairs = zip(given, self._taken, strict=True)
        return self._concrete(*[self._convert(value) for value, taken in pairs if taken])

    @property
    def captured(self) -> list[Any]:
        """The variable handles that the graph reads, in the order in which it first reads them."""
        return [outer for outer, _ in self._concrete.graph.captures]

    @property
    def operations(self) -> list[str]:
        """The type of each operation in the graph, such as "Conv2D"."""
        return [op.type for op in self._concrete.graph.get_operations()]


class TracedGraph:
    """The definition of a traced graph, from which functions are extracted.

    Parameters
    ----------
    graph : tf.FuncGraph
        A traced graph; it is never run itself.
    places : mapping of hashable to tensor
        Its arguments and other tensors of it, by the keys that `function` takes.
    """

    def __init__(self, graph: Any, places: Mapping[Any, Any]) -> None:
        self._places = {key: _TensorInfo(t.name, t.dtype, t.shape) for key, t in places.items()}
        self._captures = [(outer, inner.name) for outer, inner in graph.captures]
        self._definition = graph.as_graph_def()
        self.operations = frozenset(node.op for node in self._definition.node)  # their types
        self._nodes = {node.name: node for node in self._definition.node}
        self._keep_whole = any(
            node.op.startswith(_STATE_CHANGING_OPS) for node in self._definition.node
        )

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places

    def trail(self, key: Hashable) -> list[str]:
        """Return the name of a tensor, then of those that it is an identity or cast copy of."""
        found = [self._places[key].name]
        while (node := self._nodes[found[-1].partition(":")[0]]).op in ("Identity", "Cast"):
            found.append(_tensor_name(node.input[0]))
        return found

    def function(
        self,
        wanted: Sequence[Hashable],
        given: Sequence[Hashable],
        finish: Callable[[list[Any]], Any] = list,
        replacements: Mapping[int, Any] | None = None,
    ) -> CompiledFunction:
        """Return the compiled function from the tensors `given` to the tensors `wanted`.

        Parameters
        ----------
        wanted : sequence of hashable
            Keys of the tensors to compute.
        given : sequence of hashable
            Keys of the tensors whose values are the function's arguments, anywhere in the graph.
            Floats are passed as float32. Operations that only these tensors depend on are not run.
        finish : callable
            Takes the list of wanted tensors and returns the function's result, inside the graph.
        replacements : mapping of int to handle, optional
            Variable handles to read in place of captured ones, by the `id` of the captured handle.
        """
        tf = tensorflow()
        inputs = [self._places[key] for key in given]
        outputs = [self._places[key].name for key in wanted]
        definition = self._definition
        if not self._keep_whole:
            definition = self._subgraph(
                self._ancestor_nodes(outputs, {place.name for place in inputs}), tf
            )
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
        """Import a definition into the graph being built, and return its tensors `outputs`."""
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
        """Return the names of the nodes that tensors depend on, not going past those fed."""
        found, waiting = set[str](), list(outputs)
        while waiting:
            name = _tensor_name(waiting.pop())
            node = name.partition(":")[0]
            if name not in fed and node not in found:
                found.add(node)
                waiting += [each for each in self._nodes[node].input if not each.startswith("^")]
        return found

    def _subgraph(self, names: set[str], tf: Any) -> Any:
        """Return the definition of some nodes, without their control dependencies."""
        whole = self._definition
        part = tf.compat.v1.GraphDef(versions=whole.versions, library=whole.library)
        for node in whole.node:
            if node.name in names:
                kept = part.node.add()
                kept.CopyFrom(node)
                kept.input[:] = [name for name in node.input if not name.startswith("^")]
                kept.attr.pop("_class", None)  # colocates with a node that may be left out
        return part


def _compile(run: Callable[..., Any], fed: Sequence[_TensorInfo]) -> Any:
    """Return `run` as a `ConcreteFunction` of tensors like `fed`, with float32 for all floats."""
    tf = tensorflow()
    kinds = [tf.float32 if place.dtype.is_floating else place.dtype for place in fed]
    specs = [tf.TensorSpec(place.shape, kind) for place, kind in zip(fed, kinds, strict=True)]
    return tf.compat.v1.wrap_function(run, specs)


def _tensors_read(definition: Any) -> set[str]:
    """Return the names of all tensors that are an input of a node of a definition."""
    return {_tensor_name(name) for node in definition.node for name in node.input}


def _tensor_name(name: str) -> str:
    """Return the tensor name of a node's input: "a" stands for the first output, "a:0"."""
    return name if ":" in name else f"{name}:0"


@contextmanager
def guided_relus(graph: Any) -> Iterator[None]:
    """Let the ReLUs of a traced graph have the guided gradient inside the block.

    Raises
    ------
    ValueError
        If there is none: the guided gradient would be the plain one.
    """
    with _gradient_rules(graph, _guided()) as found:
        if not found:
            raise ValueError(
                "Guided backpropagation changes the gradients of ReLUs, and none is found in this "
                "network: its map would be the plain gradient. Choose saliency instead."
            )
        yield


@contextmanager
def opened_relus(graph: Any) -> Iterator[None]:
    """Let the ReLUs of a traced graph pass gradients for more where they are closed."""
    with _gradient_rules(graph, _opened()):
        yield


@contextmanager
def _gradient_rules(graph: Any, rules: Mapping[str, str]) -> Iterator[int]:
    """Attach gradients, by their registered names, to the ReLUs of some types; yield their number.

    The larger of a value and 0, a "Maximum", is a ReLU too.
    """
    tf = tensorflow()

    relus = [
        op
        for op in graph.get_operations()
        if op.type in rules and (op.type != "Maximum" or _zero(op.inputs[1]))
    ]
    try:
        for op in relus:
            op._set_attr(_GRADIENT_ATTRIBUTE, tf.compat.v1.AttrValue(s=rules[op.type].encode()))
        yield len(relus)
    finally:
        for op in relus:
            op._clear_attr(_GRADIENT_ATTRIBUTE)


def _zero(tensor: Any) -> bool:
    """Return whether a tensor is the constant 0."""
    value = tensorflow().get_static_value(tensor)
    return value is not None and bool((value == 0).all())


@lru_cache(maxsize=1)
def _guided() -> dict[str, str]:
    """Register the guided gradients with TensorFlow once; return {operation type: gradient}."""
    tf = tensorflow()

    def relu(op: Any, gradient: Any) -> Any:
        return tf.where(op.outputs[0] > 0, tf.nn.relu(gradient), tf.zeros_like(gradient))

    def relu6(op: Any, gradient: Any) -> Any:
        is_open = (op.outputs[0] > 0) & (op.outputs[0] < 6)
        return tf.where(is_open, tf.nn.relu(gradient), tf.zeros_like(gradient))

    def maximum(op: Any, gradient: Any) -> Any:
        return relu(op, gradient), tf.zeros_like(op.inputs[1])

    tf.RegisterGradient("CnnWidgetsGuidedRelu")(relu)
    tf.RegisterGradient("CnnWidgetsGuidedRelu6")(relu6)
    tf.RegisterGradient("CnnWidgetsGuidedMaximum")(maximum)
    return {
        "Relu": "CnnWidgetsGuidedRelu",
        "Relu6": "CnnWidgetsGuidedRelu6",
        "Maximum": "CnnWidgetsGuidedMaximum",
    }


@lru_cache(maxsize=1)
def _opened() -> dict[str, str]:
    """Register the gradients that pass closed ReLUs once; return {operation type: gradient}."""
    tf = tensorflow()

    def relu(op: Any, gradient: Any) -> Any:
        return tf.where((op.outputs[0] > 0) | (gradient > 0), gradient, tf.zeros_like(gradient))

    def relu6(op: Any, gradient: Any) -> Any:
        inside = (op.outputs[0] > 0) & (op.outputs[0] < 6)
        back = ((op.outputs[0] <= 0) & (gradient > 0)) | ((op.outputs[0] >= 6) & (gradient < 0))
        return tf.where(inside | back, gradient, tf.zeros_like(gradient))

    tf.RegisterGradient("CnnWidgetsOpenedRelu")(relu)
    tf.RegisterGradient("CnnWidgetsOpenedRelu6")(relu6)
    return {"Relu": "CnnWidgetsOpenedRelu", "Relu6": "CnnWidgetsOpenedRelu6"}
