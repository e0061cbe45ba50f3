"""What a Keras model computes, as compiled functions of arrays.

Each function is select out of the model's traced graph when it is first asked for, and kept: the
forward pass with the outputs of chosen layers, the part of the network after a layer (its *tail*)
on given activations, and gradients at many layers or at the input in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_widgets.engine.graph import TARGETS, TracedModel
from cnn_widgets.engine.layers import LayerTable
from cnn_widgets.engine.model_inputs import ModelInput
from cnn_widgets.engine.model_outputs import Head
from cnn_widgets.engine.taps import TRACE_LOCK
from cnn_widgets.engine.tracing import CompiledFunction, TracedGraph
from cnn_widgets.environment import tensorflow
from cnn_widgets.records import Floats, LayerInfo

if TYPE_CHECKING:
    import keras


class Engine:
    """Runs one model: compiles what is asked for, and keeps it."""

    def __init__(
        self,
        model: keras.Model,
        model_input: ModelInput,
        output: int | str | None,
        head: str | None,
    ) -> None:
        self._tf = tensorflow()
        self.model, self._model_input = model, model_input
        self.graph = TracedModel(model, model_input, output, head)
        self._traces: dict[tuple[Any, ...], CompiledFunction] = {}
        self._replacements: dict[int, Any] = {}  # a PrivateEngine reads other variables

    @property
    def layer_table(self) -> LayerTable:
        """The model's layers."""
        return self.graph.layer_table

    @property
    def head(self) -> Head:
        """What the end of the model computes."""
        return self.graph.head

    @property
    def notes(self) -> list[str]:
        """What was guessed about the model, in words."""
        return self.graph.notes

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """Every layer that puts out one tensor, in the order it runs."""
        return self.layer_table.layers

    @property
    def default_layer(self) -> str | None:
        """The last layer before the scores whose map is larger than 1x1, after its activation."""
        return self.layer_table.default

    def browsed_layers(self) -> tuple[str, ...]:
        """Return the names of the layers every cached pass reports."""
        return self.layer_table.browsed

    def observe(self, x: Floats, layers: tuple[str, ...] | None) -> Observation:
        """Return scores and activations of a batch, of the layers named or the browsed (None)."""
        scores, probabilities, activations, peaks = self._observe(layers)(self._padded(x))
        seen = Observation(
            np.asarray(scores),
            np.asarray(probabilities),
            {name: np.asarray(value) for name, value in activations.items()},
            {name: np.asarray(value) for name, value in peaks.items()},
            activations,
        )
        return seen.first(len(x))

    def tail_gradients(
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
        run = self._tail_gradients(layer, target, averaged)
        given = (self._padded(array) for array in (x, weights, activations))
        return np.asarray(run(*given)[0])[: len(x)]

    def tail_scores(self, layer: str, x: Floats, activations: Floats) -> tuple[Floats, Floats]:
        """Return scores and probabilities (N, C) with a layer's output replaced by the given."""
        scores, probabilities = self._tail_scores(layer)(self._padded(x), self._padded(activations))
        return np.asarray(scores)[: len(x)], np.asarray(probabilities)[: len(x)]

    def gradients(
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

        Guided, at the input only: ReLUs pass only positive gradients. Averaged: as for
        `tail_gradients`.
        Known: the layers' outputs as an observation's `tensors`, if they are; what only they need
        is not computed.
        """
        run = self._gradients(layers, target, guided, averaged, bool(known))
        found = run(self._padded(x), self._padded(weights), *known)
        return [np.asarray(g)[: len(x)] for g in found]

    @property
    def traces(self) -> int:
        """How many functions have been compiled."""
        return len(self._traces)

    def clear(self) -> None:
        """Forget everything traced and compiled."""
        self._traces.clear()
        self.graph.clear()

    def _padded(self, array: Floats) -> Floats:
        """Return a batch filled up to the only size the model takes, where it is fixed."""
        missing = (self._model_input.batch or 0) - len(array)
        return np.concatenate([array, np.repeat(array[-1:], missing, 0)]) if missing > 0 else array

    def check(self, layer: str | None, target: str) -> None:
        """Refuse a layer or a target that this network does not have."""
        if target not in TARGETS:
            raise ValueError(f"Expected target to be one of {TARGETS}. Received: {target!r}")
        if target == "probability" and self.head.kind == "values":
            raise ValueError("This network has one plain output value and no probabilities.")
        if layer is not None:
            self.layer_table.find(layer)

    # --- functions, select out on first use ------------------------------------------------------

    def _observe(self, layers: tuple[str, ...] | None) -> CompiledFunction:
        """Return the compiled x → (scores, probabilities, {layer: A}, {layer: peaks})."""
        tf, traced = self._tf, self.graph.forward()
        names = self.browsed_layers() if layers is None else layers
        peaked = [name for name in names if layers is None and ("peak", name) in traced]
        wanted = ["scores", "probabilities", *(("output", name) for name in names)]
        wanted += [("peak", name) for name in peaked]

        def finish(found: list[Any]) -> Any:
            scores, probabilities, *outputs = found
            outputs = [tf.cast(each, tf.float32) for each in outputs]
            activations = dict(zip(names, outputs, strict=False))
            highest = [tf.reduce_max(each, axis=[1, 2]) for each in outputs[len(names) :]]
            return scores, probabilities, activations, dict(zip(peaked, highest, strict=True))

        return self._extracted(("observe", layers), traced, wanted, ["x"], finish)

    def _tail_scores(self, layer: str) -> CompiledFunction:
        """Return the compiled (x, A) → (scores, probabilities), with A in the layer's place."""
        wanted, given = ["scores", "probabilities"], ["x", ("output", layer)]
        return self._extracted(("tail_scores", layer), self.graph.forward(), wanted, given)

    def _tail_gradients(self, layer: str, target: str, averaged: bool) -> CompiledFunction:
        """Return the compiled (x, weights, A) → [dY/dA], with A in place of the layer's output."""
        given = ["x", "weights", ("output", layer)]
        key, wanted = ("tail_gradients", layer, target, averaged), [("gradient", layer)]
        traced = self.graph.gradients(target)
        self._refuse_integer_layers(traced, [layer])
        return self._extracted(key, traced, wanted, given, self._finisher(averaged))

    def _gradients(
        self, layers: tuple[str, ...], target: str, guided: bool, averaged: bool, known: bool
    ) -> CompiledFunction:
        """Return the compiled (x, weights) → [dY/dA of each layer], or [dY/dx] for no layer.

        Known: (x, weights, *A of each layer) instead.
        """
        wanted = [("gradient", name) for name in layers or (None,)]
        given = ["x", "weights", *(("output", name) for name in layers if known)]
        key = ("gradients", layers, target, guided, averaged, known)
        traced = self.graph.gradients(target, guided)
        self._refuse_integer_layers(traced, layers)
        return self._extracted(key, traced, wanted, given, self._finisher(averaged))

    def _refuse_integer_layers(self, traced: TracedGraph, layers: Sequence[str]) -> None:
        """Refuse layers that put out integers."""
        whole = [name for name in layers if ("gradient", name) not in traced]
        if whole:
            raise ValueError(f"Layer {whole[0]!r} puts out whole numbers: they have no gradient.")

    def _finisher(self, averaged: bool) -> Callable[[list[Any]], list[Any]]:
        """Return what makes float32 of gradients, and averages them over positions if asked."""
        tf = self._tf

        def finish(found: list[Any]) -> list[Any]:
            gradients = [tf.cast(each, tf.float32) for each in found]
            if not averaged:
                return gradients
            return [
                tf.reduce_mean(each, axis=[1, 2], keepdims=True) if each.ndim == 4 else each
                for each in gradients
            ]

        return finish

    def _extracted(
        self,
        key: tuple[Any, ...],
        traced: TracedGraph,
        wanted: Sequence[Hashable],
        given: Sequence[Hashable],
        finish: Callable[[list[Any]], Any] = list,
    ) -> CompiledFunction:
        """Return the function kept under the key, select out of its traced on first use."""
        found = self._traces.get(key)
        if found is None:
            with TRACE_LOCK:  # by now another thread may have select it; and one may clear all of them
                found = self._traces.get(key) or traced.function(
                    wanted, given, finish, self._replacements
                )
                self._traces[key] = found
        return found


@dataclass(frozen=True)
class Observation:
    """What one forward pass reports of a batch: arrays by layer name, batch axis first.

    ``tensors`` are the same activations as the engine holds them, of the whole batch and in the
    same memory, to be handed back to it without a copy.
    """

    scores: Floats
    probabilities: Floats
    activations: dict[str, Floats]
    peaks: dict[str, Floats]
    tensors: dict[str, Any] = field(default_factory=dict)

    def at(self, index: int) -> Observation:
        """Return one image's part."""
        return self._map(lambda array: array[index])

    def first(self, count: int) -> Observation:
        """Return the first images' part."""
        return self._map(lambda array: array[:count])

    def arrays(self) -> Iterable[Floats]:
        """Yield every array."""
        yield from (self.scores, self.probabilities)
        yield from self.activations.values()
        yield from self.peaks.values()

    def _map(self, select: Callable[[Floats], Floats]) -> Observation:
        return Observation(
            select(self.scores),
            select(self.probabilities),
            {name: select(array) for name, array in self.activations.items()},
            {name: select(array) for name, array in self.peaks.items()},
            self.tensors,
        )
