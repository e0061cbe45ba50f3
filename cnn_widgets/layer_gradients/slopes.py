"""Gradients of a layer's own output with respect to the network's input.

`Engine.gradients` asks how scores depend on layers; here it is asked how one layer depends on the
input. Only the part of the network up to that layer is run, so early layers are fast.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from cnn_widgets.analysis.paths import between, where_gradients_end, without_gradient
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.taps import TRACE_LOCK
from cnn_widgets.engine.tracing import CompiledFunction, TracedGraph, opened_relus
from cnn_widgets.environment import tensorflow
from cnn_widgets.records import Floats


def layer_slopes(
    engine: Engine,
    layer: str | None,
    x: Floats,
    weights: Floats,
    *,
    squared: bool = False,
    opened: bool = False,
) -> tuple[float, Floats, Floats, Floats]:
    """Return Y = Σ weights · A, the layer's means and peaks over positions, and dY/dx.

    Parameters
    ----------
    engine : Engine
    layer : str or None
        The layer whose output is A; None means the scores (before the softmax).
    x : ndarray, shape (N, H, W, C)
        Model input.
    weights : ndarray
        One weight for each number of A, (N, h, w, K) for a map; or of a shape that is repeated to
        that one, such as (K,).
    squared : bool
        Whether Y = ½ Σ weights · A² is derived instead.
    opened : bool
        Whether gradients that ask for more pass closed ReLUs. dY/dx is then no gradient of Y, but
        still says what to change where Y has none.

    Returns
    -------
    value : float
        Y, summed over the batch.
    means, peaks : ndarray, shape (N, K)
        The mean and the largest value of each filter.
    slopes : ndarray, shape (N, H, W, C)
        dY/dx.

    Raises
    ------
    ValueError
        If the layer is unknown, or no gradient leads from it to the input.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> x, one = net.input_tensor([cat]), np.eye(32, dtype=np.float32)[3]
    >>> value, means, peaks, slopes = layer_slopes(net.engine, "stem", x, one)
    >>> means.shape, peaks.shape, slopes.shape
    ((1, 32), (1, 32), (1, 224, 224, 3))
    """
    run = _compiled(engine, layer, squared, opened)
    found = run(*engine.inputs(x), np.asarray(weights, np.float32))
    values, means, peaks, slopes = (np.asarray(each)[: len(x)] for each in found)
    return float(values.sum()), means, peaks, slopes


def _compiled(engine: Engine, layer: str | None, squared: bool, opened: bool) -> CompiledFunction:
    """Return the compiled (x, weights) → (values, means, peaks, dY/dx), made on first use."""
    key = ("layer_slopes", layer, squared, opened)
    with TRACE_LOCK:
        if (kept := engine._traces.get(key)) is not None:
            return kept
        traced = _derived(engine, layer, squared, opened)
        wanted, given = ["values", "means", "peaks", "slopes"], [*engine.fed, "weights"]
        return engine.extracted(key, traced, wanted, given)


def _derived(engine: Engine, layer: str | None, squared: bool, opened: bool) -> TracedGraph:
    """Return the traced graph with the gradient of one layer added to it."""
    tf = tensorflow()
    if layer is not None:
        engine.layer_table.find(layer)
    traced = engine.graph._trace()
    place = "scores" if layer is None else ("output", layer)
    x, output = traced.places["x"], traced.places[place]
    relus = opened_relus(traced.graph) if opened else nullcontext()
    with relus, traced.graph.as_default():
        a = tf.cast(output, tf.float32)
        weights = tf.compat.v1.placeholder(tf.float32, None)
        each = tf.reduce_sum(weights * (a * a / 2 if squared else a), list(range(1, a.shape.rank)))
        slopes = _gradient(tf, tf.reduce_sum(each), x, output)
        if slopes is None:
            what = "the scores" if layer is None else f"layer {layer!r}"
            why = where_gradients_end(traced.given, output)
            raise ValueError(f"No gradient leads from {what} to the network's input: {why}.")
        axes = list(range(1, a.shape.rank - 1))
        places = {
            **{key: traced.places[key] for key in engine.fed},
            "weights": weights,
            "values": each,
            "means": tf.reduce_mean(a, axes) if axes else tf.identity(a),
            "peaks": tf.reduce_max(a, axes) if axes else tf.identity(a),
            "slopes": tf.cast(slopes, tf.float32),
        }
    return TracedGraph(traced.graph, places)


def _gradient(tf: Any, y: Any, x: Any, output: Any) -> Any:
    """Return dY/dx, or None; operations without a gradient in TensorFlow end a path."""
    if not output.dtype.is_floating:
        return None
    stops = without_gradient(between([x], y))
    return tf.gradients(y, x, stop_gradients=stops)[0]
