"""Traces a model: finds its layers and its head, and adds gradients to the graph on demand.

The model is called once with a symbolic tensor, with taps on all its layers; it is not changed.
Gradients are added to the same graph on their first use.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnn_widgets.engine.guided_relu import guided_relus
from cnn_widgets.engine.layers import LayerTable
from cnn_widgets.engine.model_inputs import ModelInput, as_model_input
from cnn_widgets.engine.model_outputs import (
    Head,
    chosen_output,
    find_head,
    mean_over_positions,
    named_outputs,
)
from cnn_widgets.engine.taps import TRACE_LOCK, LayerCall, after_activation, tapped
from cnn_widgets.engine.tracing import TracedGraph, ancestor_operations
from cnn_widgets.environment import tensorflow
from cnn_widgets.records import LayerInfo

if TYPE_CHECKING:
    import keras


TARGETS = ("logit", "probability")
_TENSOR_OF_TARGET = {"logit": "scores", "probability": "probabilities"}


@dataclass(frozen=True)
class _TraceResult:
    """A traced TensorFlow graph, and its tensors by the keys that `TracedGraph` uses.

    The keys are "x", "scores", "probabilities", ("output", layer) and ("peak", layer).
    """

    graph: Any
    places: dict[Any, Any]


class TracedModel:
    """One model with its traced graphs: the forward pass, and gradients for each target.

    The parameters are those of `build_engine`; a `head` of None is decided from the graph alone.

    Attributes
    ----------
    layer_table : LayerTable
        The model's layers, as found while tracing.
    head : Head
        The description of what the end of the model computes.
    notes : list of str
        What was assumed, as sentences for the user.
    """

    def __init__(
        self,
        model: keras.Model,
        model_input: ModelInput,
        output: int | str | None,
        head: str | None,
    ) -> None:
        self._tf = tensorflow()
        self.model, self._model_input = model, model_input
        self._output, self._head_kind = output, head
        self._trace_result: _TraceResult | None = None
        self._graphs: dict[Any, TracedGraph] = {}
        self._score: Any = None
        self.head: Head
        self.layer_table = LayerTable((), None)
        self.notes: list[str] = []
        self.forward()

    def forward(self) -> TracedGraph:
        """Return the graph from x to scores, probabilities and the output of every layer."""
        with TRACE_LOCK:
            if "forward" not in self._graphs:
                traced = self._trace()
                self._graphs["forward"] = TracedGraph(traced.graph, traced.places)
            return self._graphs["forward"]

    def gradients(self, target: str, guided: bool = False) -> TracedGraph:
        """Return the graph from x and the weights of Y to dY/dA at every layer and to dY/dx.

        Y is the weighted sum of scores, or for the target "probability" of probabilities. If
        `guided`, ReLUs pass only positive gradients, and the graph contains dY/dx only.
        """
        tf, key = self._tf, ("gradients", target, guided)
        with TRACE_LOCK:
            if key not in self._graphs:
                traced = self._trace()
                places = dict(traced.places)
                outputs = {  # guided gradients are used at the input only
                    key: tensor
                    for key, tensor in places.items()
                    if key[0] == "output" and tensor.dtype.is_floating and not guided
                }
                relus = guided_relus(traced.graph) if guided else nullcontext()
                with relus, traced.graph.as_default():
                    weights = tf.compat.v1.placeholder(tf.float32, self._weight_shape())
                    y = tf.reduce_sum(places[_TENSOR_OF_TARGET[target]] * weights)
                    where = [*outputs.values(), places["x"]]
                    zero = tf.UnconnectedGradients.ZERO
                    found = tf.gradients(y, where, unconnected_gradients=zero)
                names = [*(name for _, name in outputs), None]
                places["weights"] = weights
                places |= {("gradient", name): g for name, g in zip(names, found, strict=True)}
                self._graphs[key] = TracedGraph(traced.graph, places)
            return self._graphs[key]

    def clear(self) -> None:
        """Drop the traced graphs; they are traced again on the next use."""
        with TRACE_LOCK:
            self._graphs.clear()
            self._trace_result = None

    def _trace(self) -> _TraceResult:
        """Return the model's traced graph and its tensors; the model is traced on first use."""
        if self._trace_result is None:
            places: dict[Any, Any] = {}

            def forward(x: Any) -> Any:
                with tapped(self.model) as layer_calls:
                    values = self._call(x)
                own = [layer_call for layer_call in layer_calls if _is_layer(layer_call)]
                if not self.layer_table.layers:
                    self._record_layers(own)
                places.update({"x": x} | dict(zip(_TENSOR_OF_TARGET.values(), values, strict=True)))
                for layer_call in own:
                    places["output", layer_call.name] = layer_call.output
                    browsed = layer_call.name in self.layer_table.browsed
                    if browsed and (after := after_activation(layer_call, layer_calls)) is not None:
                        places["peak", layer_call.name] = after
                return values

            spec = self._input_spec()
            compiled = self._tf.function(forward, input_signature=[spec], autograph=False)
            self._trace_result = _TraceResult(compiled.get_concrete_function().graph, places)
        return self._trace_result

    def _call(self, x: Any) -> tuple[Any, Any]:
        """Call the model while it is being traced; return scores and probabilities (N, C)."""
        outputs = named_outputs(
            self.model, self.model(as_model_input(self.model, x), training=False)
        )
        output = outputs[chosen_output(outputs, self._output)]
        if len(outputs) > 1 and self._output is None and not self.layer_table.layers:
            self.notes.append(
                f"Of the outputs {', '.join(outputs)} the first is looked at (output= chooses)."
            )
        head, tensor = find_head(output, self._head_kind)
        if not self.layer_table.layers:
            self.head, self._score = head, tensor
        maps = head.scores(tensor)
        return mean_over_positions(maps), mean_over_positions(head.probabilities(maps))

    def _input_spec(self) -> Any:
        """Return the `TensorSpec` of x, with a batch axis of any size unless the model fixes it."""
        return self._tf.TensorSpec(
            (self._model_input.batch, *self._model_input.size, self._model_input.channels),
            self._tf.float32,
        )

    def _weight_shape(self) -> tuple[int | None, int]:
        """Return the shape (N, C) of the weights of Y."""
        return self._model_input.batch, self.head.classes

    def _record_layers(self, layer_calls: list[LayerCall]) -> None:
        """Set `layer_table` and `notes` from the layer calls seen while tracing."""
        layers = tuple(
            LayerInfo(layer_call.name, layer_call.kind, layer_call.shape)
            for layer_call in layer_calls
        )
        before = ancestor_operations([self._score])
        maps = [
            layer_call.name
            for layer_call, info in zip(layer_calls, layers, strict=True)
            if info.spatial
            and layer_call.output.op in before
            and layer_call.output is not self._score
        ]
        self.layer_table = LayerTable(layers, maps[-1] if maps else None)
        self._score = None
        if self.head.kind in ("logits", "probabilities", "values"):
            self.notes.append(
                f"No softmax or sigmoid found at the end: outputs are taken as "
                f"{self.head.kind} (head= changes it)."
            )
        if self.head.kind == "softmax" and self.head.units == 1:
            self.notes.append("A softmax over one output is always 1: probabilities say nothing.")


def _is_layer(layer_call: LayerCall) -> bool:
    """Return whether a call is that of a layer, not of a nested model or an input."""
    import keras

    return not isinstance(layer_call.layer, keras.Model) and layer_call.kind != "InputLayer"
