"""The engine room: what a Keras model computes, as compiled functions of arrays.

All are cut out of the model's traced graph as they are asked for, and kept: *observe* (image →
scores and what chosen layers put out), *tail* and *resume* (from a layer's given output on; what
lies before the layer is not computed), *backward* (image → gradients at many layers, or at the
input, in one pass).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_widgets.anatomy import Anatomy
from cnn_widgets.environment import tensorflow
from cnn_widgets.graph import ModelGraph
from cnn_widgets.head import Head
from cnn_widgets.intake import Intake
from cnn_widgets.observation import Observation
from cnn_widgets.records import Floats, LayerInfo
from cnn_widgets.taps import TRACING
from cnn_widgets.traces import Blueprint, Trace

if TYPE_CHECKING:
    import keras


class Engine:
    """Runs one model: compiles what is asked for, and keeps it."""

    def __init__(
        self, model: keras.Model, intake: Intake, output: int | str | None, head: str | None
    ) -> None:
        self._tf = tensorflow()
        self.model, self._intake = model, intake
        self.graph = ModelGraph(model, intake, output, head)
        self._traces: dict[tuple[Any, ...], Trace] = {}
        self._swaps: dict[int, Any] = {}  # a twin reads other weights

    @property
    def anatomy(self) -> Anatomy:
        """The model's layers."""
        return self.graph.anatomy

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
            activations,
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
        given = (self._full(array) for array in (x, weights, activations))
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

        Guided, at the input only: ReLUs pass only positive gradients. Averaged: as for `tail`.
        Known: the layers' outputs as an observation's `tensors`, if they are; what only they need
        is not computed.
        """
        run = self._backward(layers, target, guided, averaged, bool(known))
        found = run(self._full(x), self._full(weights), *known)
        return [np.asarray(g)[: len(x)] for g in found]

    @property
    def traces(self) -> int:
        """How many functions have been compiled."""
        return len(self._traces)

    def clear(self) -> None:
        """Forget everything traced and compiled."""
        self._traces.clear()
        self.graph.clear()

    def _full(self, array: Floats) -> Floats:
        """Return a batch filled up to the only size the model takes, where it is fixed."""
        missing = (self._intake.batch or 0) - len(array)
        return np.concatenate([array, np.repeat(array[-1:], missing, 0)]) if missing > 0 else array

    # --- functions, cut out on first use ------------------------------------------------------

    def _observe(self, layers: tuple[str, ...] | None) -> Trace:
        """Return the compiled x → (scores, probabilities, {layer: A}, {layer: peaks})."""
        tf, blueprint = self._tf, self.graph.forward()
        names = self.browsed() if layers is None else layers
        peaked = [name for name in names if layers is None and ("peak", name) in blueprint]
        wanted = ["scores", "probabilities", *(("output", name) for name in names)]
        wanted += [("peak", name) for name in peaked]

        def finish(found: list[Any]) -> Any:
            scores, probabilities, *outputs = found
            outputs = [tf.cast(each, tf.float32) for each in outputs]
            activations = dict(zip(names, outputs, strict=False))
            highest = [tf.reduce_max(each, axis=[1, 2]) for each in outputs[len(names) :]]
            return scores, probabilities, activations, dict(zip(peaked, highest, strict=True))

        return self._cut(("observe", layers), blueprint, wanted, ["x"], finish)

    def _resume(self, layer: str) -> Trace:
        """Return the compiled (x, A) → (scores, probabilities), with A in the layer's place."""
        wanted, given = ["scores", "probabilities"], ["x", ("output", layer)]
        return self._cut(("resume", layer), self.graph.forward(), wanted, given)

    def _tail(self, layer: str, target: str, averaged: bool) -> Trace:
        """Return the compiled (x, weights, A) → [dY/dA], with A in place of the layer's output."""
        given = ["x", "weights", ("output", layer)]
        key, wanted = ("tail", layer, target, averaged), [("gradient", layer)]
        blueprint = self.graph.gradients(target)
        self._differentiable(blueprint, [layer])
        return self._cut(key, blueprint, wanted, given, self._finish(averaged))

    def _backward(
        self, layers: tuple[str, ...], target: str, guided: bool, averaged: bool, known: bool
    ) -> Trace:
        """Return the compiled (x, weights) → [dY/dA of each layer], or [dY/dx] for no layer.

        Known: (x, weights, *A of each layer) instead.
        """
        wanted = [("gradient", name) for name in layers or (None,)]
        given = ["x", "weights", *(("output", name) for name in layers if known)]
        key = ("backward", layers, target, guided, averaged, known)
        blueprint = self.graph.gradients(target, guided)
        self._differentiable(blueprint, layers)
        return self._cut(key, blueprint, wanted, given, self._finish(averaged))

    def _differentiable(self, blueprint: Blueprint, layers: Sequence[str]) -> None:
        """Refuse layers that put out integers."""
        whole = [name for name in layers if ("gradient", name) not in blueprint]
        if whole:
            raise ValueError(f"Layer {whole[0]!r} puts out whole numbers: they have no gradient.")

    def _finish(self, averaged: bool) -> Callable[[list[Any]], list[Any]]:
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

    def _cut(
        self,
        key: tuple[Any, ...],
        blueprint: Blueprint,
        wanted: Sequence[Hashable],
        given: Sequence[Hashable],
        finish: Callable[[list[Any]], Any] = list,
    ) -> Trace:
        """Return the function kept under the key, cut out of its blueprint on first use."""
        found = self._traces.get(key)
        if found is None:
            with TRACING:  # by now another thread may have cut it; and one may clear all of them
                found = self._traces.get(key) or blueprint.cut(wanted, given, finish, self._swaps)
                self._traces[key] = found
        return found
