"""The same engine on a private copy of the weights: the model itself is never touched.

A trace reads a model's weights through its *captures*: handles that stand beside its arguments. A
twin imports the traced graph once more and puts variables of its own in their place. Nothing is
rebuilt from a configuration, so it works for subclassed and nested models alike.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine import Engine
from cnn_widgets.taps import TRACING


@dataclass(frozen=True)
class Weight:
    """One weight of a twin: its path in the model, and the variable that stands for it."""

    path: str
    variable: Any

    @property
    def layer(self) -> str:
        """The path of the layer it belongs to."""
        return self.path.rpartition("/")[0]

    def read(self) -> NDArray[Any]:
        """Return its values."""
        return np.asarray(self.variable)

    def write(self, values: NDArray[Any]) -> None:
        """Set its values."""
        self.variable.assign(values)


class Twin(Engine):
    """An engine that runs the traces of another one on weights of its own.

    Attributes
    ----------
    weights : list of Weight
        In the order in which the network reads them, from input to scores.
    """

    def __init__(self, engine: Engine) -> None:
        self.__dict__.update(copy.copy(engine).__dict__)
        self._original, self._traces = engine, {}
        self._swaps: dict[int, Any] = {}
        self.weights: list[Weight] = []
        known = {id(weight.value.handle): weight for weight in self.model.weights}
        read = engine._observe(())  # a pass that needs every weight the scores need
        for handle, _ in _concrete(read).graph.captures:
            weight = known.get(id(handle))
            if weight is not None:
                variable = self._tf.Variable(weight.value, trainable=False)
                self._swaps[id(handle)] = variable.handle
                self.weights.append(Weight(weight.path, variable))

    def _trace(
        self, key: tuple[Any, ...], function: Callable[..., Any], specs: list[Any]
    ) -> Callable[..., Any]:
        if key not in self._traces:
            original = self._original._trace(key, function, specs)
            with TRACING:
                self._traces[key] = self._rebound(_concrete(original), specs)
        return self._traces[key]

    def _rebound(self, traced: Any, specs: list[Any]) -> Callable[..., Any]:
        """Return a traced function with this twin's variables in place of the model's."""
        tf = self._tf
        graph = traced.graph
        definition = graph.as_graph_def()
        arguments = [tensor.name for tensor in traced.inputs[: len(specs)]]

        def run(*given: Any) -> Any:
            feeds = dict(zip(arguments, given, strict=True))
            here = tf.compat.v1.get_default_graph()
            for outer, inner in graph.captures:
                feeds[inner.name] = here.capture(self._swaps.get(id(outer), outer))
            names = [tensor.name for tensor in traced.outputs]
            return tf.graph_util.import_graph_def(definition, feeds, names)

        bound = tf.compat.v1.wrap_function(run, specs)
        return lambda *given: tf.nest.pack_sequence_as(
            traced.structured_outputs, bound(*map(tf.convert_to_tensor, given))
        )


def _concrete(function: Any) -> Any:
    return function.get_concrete_function()
