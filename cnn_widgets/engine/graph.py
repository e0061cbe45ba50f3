"""Traces a model: finds its layers and its head, and adds gradients to the graph on demand.

The model is called once with a symbolic tensor, with taps on all its layers; it is not changed.
Gradients are added to the same graph on their first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnn_widgets.analysis.fields import MapField
from cnn_widgets.analysis.paths import (
    ancestor_operations,
    batch_operation,
    between,
    first_curve,
    float_entries,
    random_operation,
    weighted_entries,
    where_gradients_end,
    without_gradient,
)
from cnn_widgets.analysis.positions import PositionFinder, input_positions, map_field
from cnn_widgets.engine.layers import LayerTable, after_activation, read_layers
from cnn_widgets.engine.model_inputs import as_model_input, in_own_dtype
from cnn_widgets.engine.taps import TRACE_LOCK, LayerCall, tapped
from cnn_widgets.engine.tracing import TracedGraph, guided_relus
from cnn_widgets.environment import tensorflow
from cnn_widgets.heads import (
    Head,
    OutputChoice,
    chosen_output,
    find_head,
    head_notes,
    named_outputs,
)
from cnn_widgets.images.network_input import ModelInput

if TYPE_CHECKING:
    import keras


#: At how many places it is looked at what reaches the first weights.
MOST_ENTRIES = 4
TARGETS = ("logit", "probability")
_TENSOR_OF_TARGET = {"logit": "scores", "probability": "probabilities"}


@dataclass(frozen=True)
class _TraceResult:
    """A traced TensorFlow graph, and its tensors by the keys that `TracedGraph` uses.

    The keys are "x", ("beside", number) of the other inputs, "scores", "probabilities", ("entry",
    number), see `weighted_entries`, and of layers ("input", name), ("output", name), ("peak",
    name), and ("filters", name), a map after the layer's activation function, or the output where
    there is none. `score` and `given` are the scores and x as the model itself has them.
    """

    graph: Any
    places: dict[Any, Any]
    score: Any
    given: Any


class TracedModel:
    """One model with its traced graphs: the forward pass, and gradients for each target.

    The parameters are those of `build_engine`; a head that is not chosen is decided from the graph.

    Attributes
    ----------
    layer_table : LayerTable
        The model's layers, as found while tracing.
    head : Head
        The description of what the end of the model computes.
    notes : list of str
        What was assumed, as sentences for the user.
    unreached : dict of (str or None) to str
        Why no gradient reaches a layer, or (None) the input, in words; those that it reaches are
        missing. Known once `gradients` was called.
    idle : frozenset of str
        The layers of whose output nothing leads to the score.
    activated : set of str
        The layers with a map to which an activation function belongs, see `after_activation`.
    random, mixing : str or None
        An operation that makes the scores random; one that may mix the pictures of a batch.
    objects : dict of str to keras.layers.Layer
        The Keras layer behind each name of the table that stands for one.
    """

    def __init__(
        self,
        model: keras.Model,
        model_input: ModelInput,
        choice: OutputChoice,
    ) -> None:
        self._tf = tensorflow()
        self.model, self._model_input, self._choice = model, model_input, choice
        self._trace_result: _TraceResult | None = None
        self._graphs: dict[Any, TracedGraph] = {}
        self.head: Head
        self.layer_table = LayerTable((), None)
        self.notes: list[str] = []
        self.unreached: dict[str | None, str] = {}
        self.idle: frozenset[str] = frozenset()
        self.activated = set[str]()
        self.random: str | None = None
        self.mixing: str | None = None
        self.objects: dict[str, Any] = {}
        self._curves: dict[str, str | None] = {}
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
                    str(key[1]): tensor
                    for key, tensor in places.items()
                    if key[0] == "output" and tensor.dtype.is_floating and not guided
                }
                relus = guided_relus(traced.graph) if guided else nullcontext()
                with relus, traced.graph.as_default():
                    weights = tf.compat.v1.placeholder(tf.float32, self._weight_shape())
                    y = tf.reduce_sum(places[_TENSOR_OF_TARGET[target]] * weights)
                    found = self._add_gradients(y, traced, outputs)
                places["weights"] = weights
                places |= {("gradient", name): g for name, g in found.items()}
                self._graphs[key] = TracedGraph(traced.graph, places)
            return self._graphs[key]

    def unused(self, layer: str) -> str | None:
        """Return in words why the score does not depend on a layer's map; None where it does.

        Behind the default layer of a model with a class token the score reads that token only.
        """
        if layer in self.idle:
            return "nothing of it leads to the score"
        table = self.layer_table
        order = [info.name for info in table.layers]
        last = order.index(table.default) if table.default in order else -1
        field = table.fields.get(layer)
        if field is not None and field.before and order.index(layer) > last:
            return "behind it the score reads only the token in front of the map (a class token)"
        return None

    def filters(self, layer: str) -> Any:
        """Return the tensor of what a map's filters put out after their activation function."""
        with TRACE_LOCK:
            return self._trace().places["filters", layer]

    def curve(self, layer: str) -> str | None:
        """Return what keeps the scores from being affine in a layer's output; None where they are.

        The type of an operation behind the layer, see `analysis.paths.first_curve`.
        """
        with TRACE_LOCK:
            places = self._trace().places
            if layer not in self._curves:
                self._curves[layer] = first_curve(places["output", layer], places["scores"])
            return self._curves[layer]

    def clear(self) -> None:
        """Drop the traced graphs; they are traced again on the next use."""
        with TRACE_LOCK:
            self._graphs.clear()
            self._trace_result = None

    def _add_gradients(
        self, y: Any, traced: _TraceResult, outputs: dict[str, Any]
    ) -> dict[str | None, Any]:
        """Add dY/dA of layer outputs and (None) dY/dx to the graph, where a path leads to them.

        Operations whose gradient TensorFlow does not know end a path. Behind an input of whole
        numbers the gradient is that of the float numbers made of it.
        """
        tf, x = self._tf, traced.places["x"]
        entries = [x]
        if not traced.given.dtype.is_floating:
            entries = [t for t in float_entries(traced.given) if t.shape[1:] == x.shape[1:]]
        where = [*outputs.values(), *entries]
        stops = without_gradient(between([x, *where], y))
        found = tf.gradients(y, where, stop_gradients=stops)
        reached: dict[str | None, Any] = {
            name: g for name, g in zip(outputs, found, strict=False) if g is not None
        }
        at_input = [tf.cast(g, tf.float32) for g in found[len(outputs) :] if g is not None]
        if at_input:
            reached[None] = tf.add_n(at_input)
        asked: list[tuple[str | None, Any]] = [*outputs.items(), (None, traced.given)]
        for name, tensor in asked:
            if name not in reached:
                self.unreached[name] = where_gradients_end(tensor, traced.score)
        return reached

    def _trace(self) -> _TraceResult:
        """Return the model's traced graph and its tensors; the model is traced on first use."""
        if self._trace_result is None:
            places: dict[Any, Any] = {}
            own: dict[str, Any] = {}

            def forward(x: Any, *beside: Any) -> Any:
                finder = PositionFinder({id(x): input_positions(x)})

                def field_of(tensor: Any) -> MapField | str:
                    return map_field(finder.of(tensor), self._model_input.size)

                own["given"] = in_own_dtype(self.model, x, self._model_input.place)
                with tapped(self.model, field_of) as taps:
                    values, own["score"] = self._call(own["given"], beside)
                table, calls, notes = read_layers(taps, x, own["score"], field_of)
                if not self.layer_table.layers:
                    self.layer_table = table
                    self.random = random_operation(own["score"])
                    self.mixing = batch_operation(own["given"], own["score"])
                    self.notes += notes
                places.update({("beside", n): each for n, each in enumerate(beside)})
                places.update({"x": x} | dict(zip(_TENSOR_OF_TARGET.values(), values, strict=True)))
                entries = weighted_entries(own["given"])[:MOST_ENTRIES]
                for n, each in enumerate(entries):
                    places["entry", n] = self._tf.identity(each)  # for it may be x itself
                self.objects = {
                    each.name: each.layer for each in calls if hasattr(each.layer, "weights")
                }
                used = ancestor_operations([own["score"]])
                self.idle = frozenset(each.name for each in calls if each.output.op not in used)
                for call in calls:
                    places["output", call.name] = call.output
                    if getattr(call.source, "graph", None) is x.graph:
                        places["input", call.name] = call.source
                self._place_filters(calls, taps.layer_calls, places)
                return values

            compiled = self._tf.function(
                forward, input_signature=self._input_specs(), autograph=False
            )
            graph = compiled.get_concrete_function().graph
            self._trace_result = _TraceResult(graph, places, own["score"], own["given"])
        return self._trace_result

    def _place_filters(
        self, calls: Sequence[LayerCall], every: Sequence[LayerCall], places: dict[Any, Any]
    ) -> None:
        """Add what the filters of each map put out after their activation function to `places`."""
        for call in calls:
            browsed = call.name in self.layer_table.browsed
            after = after_activation(call, every) if browsed or "Conv" in call.kind else None
            if after is not None and browsed:
                places["peak", call.name] = after
            if self.layer_table.find(call.name).spatial:
                fits = after is not None and tuple(after.shape[1:]) == call.shape
                self.activated |= {call.name} if fits else set()
                places["filters", call.name] = after if fits else call.output

    def _call(self, given: Any, beside: Sequence[Any]) -> tuple[tuple[Any, Any], Any]:
        """Call the model while it is being traced, with the other inputs beside the photograph's.

        Returns scores and probabilities (N, C), and the tensor of scores as the model has it.
        """
        place = self._model_input.place
        every = as_model_input(self.model, [*beside[:place], given, *beside[place:]])
        outputs = named_outputs(self.model, self.model(every, training=False))
        output = outputs[chosen_output(outputs, self._choice.output)]
        head, tensor = find_head(output, self._choice.head)
        if not self.layer_table.layers:
            self.head = head
            self.notes += head_notes(head, list(outputs), tuple(tensor.shape[1:-1]), self._choice)
        maps, of = head.scores(tensor), self._choice.of_positions
        return (of(maps), of(head.probabilities(maps))), tensor

    def _input_specs(self) -> list[Any]:
        """Return the `TensorSpec` of x and of each other input.

        The batch axis is of any size unless the model fixes it.
        """
        wanted, spec = self._model_input, self._tf.TensorSpec
        beside = [spec((wanted.batch, *each.shape), each.dtype) for each in wanted.others]
        return [spec((wanted.batch, *wanted.shape), self._tf.float32), *beside]

    def _weight_shape(self) -> tuple[int | None, int]:
        """Return the shape (N, C) of the weights of Y."""
        return self._model_input.batch, self.head.classes
