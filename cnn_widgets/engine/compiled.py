"""The engine: a Keras model as compiled functions of arrays.

Each function is extracted from the model's traced graph on its first call, and kept: the forward
pass with the outputs of chosen layers, the part of the network after a layer (its *tail*) on given
activations, and gradients at several layers or at the input.

In all of them x is model input (N, H, W, C), A the activations (N, h, w, K) of a layer, and
Y = Σ weights · scores for weights (N, C) with C classes, or the same sum of probabilities if the
target is "probability". Outputs are float32. Where a model has other inputs beside that for the
photograph, `Engine.beside` says what goes into them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.analysis.paths import no_path
from cnn_widgets.engine.graph import MOST_ENTRIES, TARGETS, TracedModel
from cnn_widgets.engine.layers import LayerTable
from cnn_widgets.engine.taps import TRACE_LOCK
from cnn_widgets.engine.tracing import CompiledFunction, TracedGraph
from cnn_widgets.environment import tensorflow
from cnn_widgets.heads import Head, OutputChoice
from cnn_widgets.images.network_input import ModelInput
from cnn_widgets.records import Floats, LayerInfo, Observation

if TYPE_CHECKING:
    import keras


class Engine:
    """Runs one model by functions that are compiled on first use and kept.

    The parameters are those of `build_engine`; a head that is not chosen is decided from the graph.
    """

    def __init__(
        self,
        model: keras.Model,
        model_input: ModelInput,
        choice: OutputChoice,
    ) -> None:
        self._tf = tensorflow()
        self.model, self._model_input = model, model_input
        self.graph = TracedModel(model, model_input, choice)
        self._traces: dict[tuple[Any, ...], CompiledFunction] = {}
        self.replacements: dict[int, Any] = {}  # filled by PrivateEngine only
        self._beside: Sequence[NDArray[Any]] = model_input.typical()

    def beside(self, values: Sequence[NDArray[Any]]) -> Engine:
        """Return this engine with other values for the model's other inputs, see `ModelInput`.

        Parameters
        ----------
        values : sequence of ndarray
            One for each other input: (1, ...) for all images of a batch, or (N, ...).
        """
        if not values and not self._beside:
            return self
        found = copy.copy(self)  # graphs and compiled functions are shared
        found._beside = values
        return found

    @property
    def layer_table(self) -> LayerTable:
        """The table of the model's layers."""
        return self.graph.layer_table

    @property
    def head(self) -> Head:
        """The description of what the end of the model computes."""
        return self.graph.head

    @property
    def notes(self) -> list[str]:
        """What was assumed about the model, as sentences for the user."""
        return self.graph.notes

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """All layers that return a single tensor, in the order in which they run."""
        return self.layer_table.layers

    @property
    def default_layer(self) -> str | None:
        """The name of the last layer whose map, larger than 1x1, carries all of the score."""
        return self.layer_table.default

    def browsed_layers(self) -> tuple[str, ...]:
        """Return the names of the layers that `observe` reports by default."""
        return self.layer_table.browsed

    def observe(self, x: Floats, layers: tuple[str, ...] | None) -> Observation:
        """Return scores, probabilities and activations of a batch x.

        `layers` names those whose activations are wanted; None: the browsed ones, with their peaks.
        """
        scores, probabilities, activations, peaks = self._observe(layers)(*self.inputs(x))
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
        """Return dY/dA at a layer with given activations A, running only the layer's tail.

        The result is (N, h, w, K), or if `averaged` its mean over positions, (N, 1, 1, K). x is
        used only if a connection leads around the layer.
        """
        run = self._tail_gradients(layer, target, averaged)
        found = run(*self.inputs(x), self._padded(weights), self._padded(activations))
        return np.asarray(found[0])[: len(x)]

    def tail_scores(self, layer: str, x: Floats, activations: Floats) -> tuple[Floats, Floats]:
        """Return scores and probabilities (N, C) with a layer's output replaced by activations."""
        run = self._tail_scores(layer)
        scores, probabilities = run(*self.inputs(x), self._padded(activations))
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
        """Return dY/dA at each layer from one backward pass, or [dY/dx] if no layer is named.

        If `guided`, ReLUs pass only positive gradients (arXiv 1412.6806); for the input only. If
        `averaged`, gradients are averaged over positions as by `tail_gradients`. `known` are the
        layers' outputs from `Observation.tensors`; operations that only they need are not run.
        A ValueError if no gradient reaches a layer, or the input.
        """
        run = self._gradients(layers, target, guided, averaged, bool(known))
        found = run(*self.inputs(x), self._padded(weights), *known)
        return [np.asarray(g)[: len(x)] for g in found]

    @property
    def traces(self) -> int:
        """The number of functions compiled so far."""
        return len(self._traces)

    def clear(self) -> None:
        """Drop all traced graphs and compiled functions; they are made again on the next use."""
        self._traces.clear()
        self.graph.clear()

    def entry_values(self, x: Floats) -> list[Floats]:
        """Return what reaches the first weights from a batch x: one array or more, of any shape.

        Where a model has a fixed batch size, x is padded to it, and so are the arrays.
        """
        traced = self.graph.forward()
        wanted = [key for n in range(MOST_ENTRIES) if (key := ("entry", n)) in traced]
        if not wanted:
            return []
        found = self.extracted(("entries",), traced, wanted, self.fed)(*self.inputs(x))
        return [np.asarray(each) for each in found]

    @property
    def fed(self) -> list[Hashable]:
        """The keys of what `inputs` returns."""
        return ["x", *(("beside", n) for n in range(len(self._beside)))]

    def inputs(self, x: Floats) -> list[NDArray[Any]]:
        """Return a batch x and the values of the other inputs, for as many images."""
        beside = [np.repeat(each, len(x), 0) if len(each) == 1 else each for each in self._beside]
        return [self._padded(each) for each in (x, *beside)]

    def _padded(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return a batch, padded with its last entry if the model has a fixed batch size."""
        missing = (self._model_input.batch or 0) - len(array)
        return np.concatenate([array, np.repeat(array[-1:], missing, 0)]) if missing > 0 else array

    def check(self, layer: str | None, target: str) -> None:
        """Raise a ValueError for a layer or target that this network does not have."""
        if target not in TARGETS:
            raise ValueError(f"Expected target to be one of {TARGETS}. Received: {target!r}")
        if target == "probability" and self.head.kind == "values":
            raise ValueError("This network has one plain output value and no probabilities.")
        if layer is not None:
            self.layer_table.find(layer)

    def reached(self, layers: Sequence[str], target: str) -> tuple[str, ...]:
        """Return those of some layers that gradients of the score reach."""
        return tuple(n for n in layers if ("gradient", n) in self.graph.gradients(target))

    def explained_layers(self, target: str) -> tuple[str, ...]:
        """Return the browsed layers from whose maps gradients and values lead to the score."""
        reached = self.reached(self.layer_table.browsed, target)
        return tuple(name for name in reached if self.unused(name) is None)

    def unused(self, layer: str) -> str | None:
        """Return in words why the score does not depend on a layer's map; None where it does."""
        return self.graph.unused(layer)

    # --- functions, extracted on first use ----------------------------------------------------

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

        return self.extracted(("observe", layers), traced, wanted, self.fed, finish)

    def _tail_scores(self, layer: str) -> CompiledFunction:
        """Return the compiled (x, A) → (scores, probabilities), with A as the layer's output."""
        wanted, given = ["scores", "probabilities"], [*self.fed, ("output", layer)]
        return self.extracted(("tail_scores", layer), self.graph.forward(), wanted, given)

    def _tail_gradients(self, layer: str, target: str, averaged: bool) -> CompiledFunction:
        """Return the compiled (x, weights, A) → [dY/dA], with A as the layer's output."""
        given = [*self.fed, "weights", ("output", layer)]
        key, wanted = ("tail_gradients", layer, target, averaged), [("gradient", layer)]
        traced = self.graph.gradients(target)
        self._refuse_unreached(traced, [layer])
        return self.extracted(key, traced, wanted, given, self._finisher(averaged))

    def _gradients(
        self, layers: tuple[str, ...], target: str, guided: bool, averaged: bool, known: bool
    ) -> CompiledFunction:
        """Return the compiled (x, weights[, *A if known]) → [dY/dA of each layer], or [dY/dx]."""
        wanted = [("gradient", name) for name in layers or (None,)]
        given = [*self.fed, "weights", *(("output", name) for name in layers if known)]
        key = ("gradients", layers, target, guided, averaged, known)
        traced = self.graph.gradients(target, guided)
        self._refuse_unreached(traced, layers or (None,))
        return self.extracted(key, traced, wanted, given, self._finisher(averaged))

    def _refuse_unreached(self, traced: TracedGraph, layers: Sequence[str | None]) -> None:
        """Raise a ValueError for layers, or (None) the input, that no gradient reaches."""
        for name in layers:
            if ("gradient", name) in traced:
                continue
            whole = "it puts out whole numbers, which have no gradient"
            place = f"layer {name!r}" if name else "the input"
            raise no_path(place, self.graph.unreached.get(name, whole))

    def _finisher(self, averaged: bool) -> Callable[[list[Any]], list[Any]]:
        """Return a function that casts gradients to float32 and may average over positions."""
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

    def extracted(
        self,
        key: tuple[Any, ...],
        traced: TracedGraph,
        wanted: Sequence[Hashable],
        given: Sequence[Hashable],
        finish: Callable[[list[Any]], Any] = list,
    ) -> CompiledFunction:
        """Return the compiled function with a key, extracted from the traced graph on first use."""
        found = self._traces.get(key)
        if found is None:
            with TRACE_LOCK:  # another thread may have made it by now, or may clear all
                found = self._traces.get(key) or traced.function(
                    wanted, given, finish, self.replacements
                )
                self._traces[key] = found
        return found
