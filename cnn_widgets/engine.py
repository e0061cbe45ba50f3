"""The engine room: compiled traces of a Keras model, made by taps, each once and kept.

Three kinds: *observe* (image → scores and the outputs of chosen layers), *tail* (a layer's given
output → the gradient of a score there; what lies before the layer is not computed), *backward*
(image → gradients at many layers, or at the input, in one pass).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_widgets import head as heads
from cnn_widgets import ports
from cnn_widgets.anatomy import Anatomy
from cnn_widgets.environment import tensorflow
from cnn_widgets.guided import guided_relus
from cnn_widgets.intake import Intake
from cnn_widgets.observation import Observation
from cnn_widgets.records import Floats, LayerInfo
from cnn_widgets.taps import TRACING, Visit, activated, tapped
from cnn_widgets.traces import Trace, ancestors

if TYPE_CHECKING:
    import keras

TARGETS = ("logit", "probability")


class Engine:
    """Runs one model: learns its layers from the first trace, compiles what is asked for.

    Attributes
    ----------
    anatomy : Anatomy
        Its layers.
    head : Head
        What the end of the model computes.
    notes : list of str
        What was guessed, in words.
    """

    def __init__(
        self, model: keras.Model, intake: Intake, output: int | str | None, head: str | None
    ) -> None:
        self._tf = tensorflow()
        self.model, self._intake = model, intake
        self._output, self._head_kind = output, head
        self._traces: dict[tuple[Any, ...], Trace] = {}
        self._places: dict[tuple[Any, ...], list[Any]] = {}
        self._score: Any = None
        self._single = True  # precision, all through: what is observed can be fed back as it is
        self.head: heads.Head
        self.anatomy = Anatomy((), None)
        self.notes: list[str] = []
        self._observe(None)

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """Every layer that puts out one tensor, in the order it runs."""
        return self.anatomy.layers

    @property
    def default_layer(self) -> str | None:
        """The last layer before the scores whose map is larger than 1x1, after its activation."""
        return self.anatomy.default

    def browsed(self) -> tuple[str, ...]:
        """Return the names of the layers every cached pass reports."""
        return self.anatomy.browsed

    def observe(self, x: Floats, layers: tuple[str, ...] | None) -> Observation:
        """Return scores and activations of a batch, of the layers named or the browsed (None)."""
        scores, probabilities, activations, peaks = self._observe(layers)(self._full(x))
        seen = Observation(
            np.asarray(scores),
            np.asarray(probabilities),
            {name: np.asarray(value) for name, value in activations.items()},
            {name: np.asarray(value) for name, value in peaks.items()},
            activations if self._single else {},
        )
        return seen.first(len(x))

    def tail(
        self,
        layer: str,
        target: str,
        x: Floats,
        activations: Floats,
        weights: Floats,
        averaged: bool = False,
    ) -> Floats:
        """Return dY/dA at a layer whose output is given, for Y = Σ weights · scores.

        Averaged: over the layer's positions, (N, 1, 1, K).
        """
        run = self._tail(layer, target, averaged)
        given = (self._full(array) for array in (x, activations, weights))
        return np.asarray(run(*given)[0])[: len(x)]

    def resume(self, layer: str, x: Floats, activations: Floats) -> tuple[Floats, Floats]:
        """Return scores and probabilities (N, C) with a layer's output replaced by the given."""
        scores, probabilities = self._resume(layer)(self._full(x), self._full(activations))
        return np.asarray(scores)[: len(x)], np.asarray(probabilities)[: len(x)]

    def backward(
        self,
        layers: tuple[str, ...],
        target: str,
        x: Floats,
        weights: Floats,
        guided: bool = False,
        averaged: bool = False,
        known: Sequence[Any] = (),
    ) -> list[Floats]:
        """Return dY/dA at each layer named, in one pass; at the input if none is named.

        Guided: ReLUs pass only positive gradients. Averaged: as for `tail`. Known: the layers'
        outputs as an observation's `tensors`, if they are; what only they need is not computed.
        """
        run = self._backward(layers, target, guided, averaged, bool(known))
        found = run(self._full(x), self._full(weights), *known)
        return [np.asarray(g)[: len(x)] for g in found]

    @property
    def traces(self) -> int:
        """How many traces have been made."""
        return len(self._traces)

    def clear(self) -> None:
        """Forget every trace."""
        self._traces.clear()
        self._places.clear()

    def _full(self, array: Floats) -> Floats:
        """Return a batch filled up to the only size the model takes, where it is fixed."""
        missing = (self._intake.batch or 0) - len(array)
        return np.concatenate([array, np.repeat(array[-1:], missing, 0)]) if missing > 0 else array

    def _observe(self, layers: tuple[str, ...] | None) -> Trace:
        """Return the compiled x → (scores, probabilities, {layer: A}, {layer: peaks})."""
        tf = self._tf

        def observe(x: Any) -> Any:
            with tapped(self.model) as visits:
                scores, probabilities = self._call(x)
            if not self.layers:
                self._learn(visits)
            names = self.browsed() if layers is None else layers
            seen = {visit.name: visit for visit in visits}
            outputs = {name: tf.cast(seen[name].output, tf.float32) for name in names}
            after = {name: activated(seen[name], visits) for name in names if layers is None}
            peaks = {
                name: tf.cast(tf.reduce_max(tensor, axis=[1, 2]), tf.float32)
                for name, tensor in after.items()
                if tensor is not None
            }
            return scores, probabilities, outputs, peaks

        return self._trace(("observe", layers), observe, [self._spec()])

    def _tail(self, layer: str, target: str, averaged: bool) -> Trace:
        """Return the compiled (x, A, weights) → dY/dA, with A in place of the layer's output."""

        def tail(x: Any, activations: Any, weights: Any) -> Any:
            with tapped(self.model, {layer: activations}):
                y = self._target(self._call(x), weights, target)
            return self._gradients(y, [activations])

        specs = [self._spec(), self._layer_spec(layer), self._weight_spec()]
        return self._part(("tail", layer, target), tail, specs, averaged)

    def _resume(self, layer: str) -> Trace:
        """Return the compiled (x, A) → (scores, probabilities), with A in the layer's place."""

        def resume(x: Any, activations: Any) -> Any:
            with tapped(self.model, {layer: activations}):
                return self._call(x)

        specs = [self._spec(), self._layer_spec(layer)]
        return self._part(("resume", layer), lambda *given: [resume(*given)], specs, 0)

    def _backward(
        self, layers: tuple[str, ...], target: str, guided: bool, averaged: bool, known: bool
    ) -> Trace:
        """Return the compiled (x, weights) → [dY/dA of each layer], or [dY/dx] for no layer.

        Known: (x, weights, *A of each layer) instead.
        """
        key = ("backward", layers, target, guided)

        def backward(x: Any, weights: Any) -> Any:
            relus = guided_relus() if guided else nullcontext()
            with relus, tapped(self.model) as visits:
                y = self._target(self._call(x), weights, target)
            seen = {visit.name: visit.output for visit in visits}
            self._places[key] = [seen[name] for name in layers]
            return self._gradients(y, self._places[key] or [x])

        specs = [self._spec(), self._weight_spec()]
        if not known:
            return self._part(key, backward, specs, averaged)
        self._trace(key, backward, specs)
        return self._part(key, backward, specs, averaged, self._places[key])

    def _gradients(self, y: Any, where: list[Any]) -> tuple[list[Any], list[Any]]:
        """Return dY/dA at each place, and the same averaged over positions where there are any."""
        tf = self._tf
        zero = tf.UnconnectedGradients.ZERO
        found = tf.gradients(y, where, unconnected_gradients=zero)
        found = [tf.cast(gradient, tf.float32) for gradient in found]
        means = [tf.reduce_mean(g, axis=[1, 2], keepdims=True) for g in found if g.ndim == 4]
        return found, means

    def _part(
        self,
        key: tuple[Any, ...],
        function: Callable[..., Any],
        specs: list[Any],
        part: int,
        fed: Sequence[Any] = (),
    ) -> Trace:
        """Return one part of what a function returns, compiled: traced once for all parts."""
        name = (*key, part, bool(fed))
        if name not in self._traces:
            whole = self._trace(key, function, specs)
            with TRACING:
                self._traces.setdefault(name, whole.only(int(part), fed))
        return self._traces[name]

    def _trace(self, key: tuple[Any, ...], function: Callable[..., Any], specs: list[Any]) -> Trace:
        """Return the compiled function kept under the key, traced on first use."""
        if key not in self._traces:
            with TRACING:
                compiled = self._tf.function(function, input_signature=specs, autograph=False)
                trace = Trace(compiled.get_concrete_function(), len(specs))
                self._traces.setdefault(key, trace)
        return self._traces[key]

    def _call(self, x: Any) -> tuple[Any, Any]:
        """Run the model inside a trace; return scores and probabilities (N, C)."""
        outputs = ports.named(self.model, self.model(ports.fed(self.model, x), training=False))
        output = outputs[ports.chosen(outputs, self._output)]
        if len(outputs) > 1 and self._output is None and not self.layers:
            self.notes.append(
                f"Of the outputs {', '.join(outputs)} the first is looked at (output= chooses)."
            )
        head, tensor = heads.find(output, self._head_kind)
        if not self.layers:
            self.head, self._score = head, tensor
        maps = head.scores(tensor)
        return heads.over_positions(maps), heads.over_positions(head.probabilities(maps))

    def _target(self, values: tuple[Any, Any], weights: Any, target: str) -> Any:
        return self._tf.reduce_sum(values[TARGETS.index(target)] * weights)

    def _spec(self) -> Any:
        return self._tf.TensorSpec(
            (self._intake.batch, *self._intake.size, self._intake.channels), self._tf.float32
        )

    def _layer_spec(self, layer: str) -> Any:
        shape = self.anatomy.find(layer).shape
        return self._tf.TensorSpec((self._intake.batch, *shape), self._tf.float32)

    def _weight_spec(self) -> Any:
        return self._tf.TensorSpec((self._intake.batch, self.head.classes), self._tf.float32)

    def _learn(self, visits: list[Visit]) -> None:
        """Note the layers, in the order they ran, and where class activation maps look."""
        import keras

        seen = [
            visit
            for visit in visits
            if not isinstance(visit.layer, keras.Model) and visit.kind != "InputLayer"
        ]
        layers = tuple(LayerInfo(v.name, v.kind, v.shape) for v in seen)
        self._single = all(visit.output.dtype == self._tf.float32 for visit in seen)
        before = ancestors([self._score])
        maps = [
            v.name
            for v, info in zip(seen, layers, strict=True)
            if info.spatial and v.output.op in before and v.output is not self._score
        ]
        self.anatomy = Anatomy(layers, maps[-1] if maps else None)
        self._score = None
        if self.head.kind in ("logits", "probabilities", "values"):
            self.notes.append(
                f"No softmax or sigmoid found at the end: outputs are taken as "
                f"{self.head.kind} (head= changes it)."
            )
        if self.head.kind == "softmax" and self.head.units == 1:
            self.notes.append("A softmax over one output is always 1: probabilities say nothing.")
