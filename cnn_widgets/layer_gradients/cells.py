"""One cell of a layer's map, followed back: to the layers before it, and to the model's input.

Functions of an `Engine`, extracted from its traced graph on first use and kept, as its own are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_widgets.analysis.paths import (
    between,
    float_entries,
    where_gradients_end,
    without_gradient,
)
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.taps import TRACE_LOCK
from cnn_widgets.engine.tracing import CompiledFunction, TracedGraph
from cnn_widgets.environment import tensorflow
from cnn_widgets.records import Floats


def layer_object(engine: Engine, layer: str) -> Any:
    """Return the Keras layer behind a name of the table; None for a plain operation."""
    return engine.graph.objects.get(layer)


def layer_before(engine: Engine, layer: str) -> str | None:
    """Return the name of the layer whose output a layer takes; None where that is no layer's.

    The tensor that the layer is called with decides, not the order of the table.
    """
    traced = engine.graph.forward()
    if ("input", layer) not in traced:
        return None
    outputs = {traced.trail(("output", each.name))[0]: each.name for each in engine.layers}
    outputs.pop(traced.trail(("output", layer))[0], None)
    return next((outputs[name] for name in traced.trail(("input", layer)) if name in outputs), None)


def layer_input(engine: Engine, layer: str, x: Floats) -> Floats | None:
    """Return what a layer is called with for a batch x, (N, ...); None where it is no one tensor.

    float32, whatever the layer computes in.
    """
    traced = engine.graph.forward()
    if ("input", layer) not in traced:
        return None
    if traced.trail(("input", layer))[0] == traced.trail("x")[0]:
        return x
    run = engine.extracted(("input", layer), traced, [("input", layer)], engine.fed)
    return np.asarray(run(*engine.inputs(x))[0], np.float32)[: len(x)]


def cell_gradient(
    engine: Engine, layer: str, x: Floats, row: int, column: int, k: int
) -> tuple[float, Floats]:
    """Return the value of filter k at one cell of a layer's map (h, w, K), and its gradient dA/dx.

    Parameters
    ----------
    x : ndarray, shape (1, H, W, C)

    Returns
    -------
    float, ndarray of shape (H, W, C)

    Raises
    ------
    ValueError
        If no gradient leads from the cell to the input; the message says why.
    """
    run = _cell_gradient(engine, layer)
    value, found = run(*engine.inputs(x), np.array([[row, column, k]], np.int32))
    return float(value), np.asarray(found)[0]


def _cell_gradient(engine: Engine, layer: str) -> CompiledFunction:
    """Return the compiled (x, place) → (A, dA/dx) of one entry of a layer's output.

    The gradient is added to the traced graph itself, as those of scores are: in a copy TensorFlow
    no longer knows the gradients of functions inside it, such as a grouped convolution.
    """
    key, tf = ("cell_gradient", layer), tensorflow()
    found = engine._traces.get(key)
    if found is not None:
        return found
    with TRACE_LOCK:
        traced = engine.graph._trace()
        places, x, output = dict(traced.places), traced.places["x"], traced.places["output", layer]
        entries = [x]
        if not traced.given.dtype.is_floating:
            entries = [t for t in float_entries(traced.given) if t.shape[1:] == x.shape[1:]]
        with traced.graph.as_default():
            place = tf.compat.v1.placeholder(tf.int32, (1, 3))
            entry = tf.gather_nd(output[0], place)[0]
            stops = without_gradient(between([x, *entries], output))
            slopes = [
                g for g in tf.gradients(entry, entries, stop_gradients=stops) if g is not None
            ]
            if not slopes:
                why = where_gradients_end(traced.given, output)
                raise ValueError(f"No gradient leads from a cell of {layer!r} to the input: {why}.")
            places["cell"] = tf.cast(entry, tf.float32)
            places["slope"] = tf.add_n([tf.cast(each, tf.float32) for each in slopes])
            places["place"] = place
        graph = TracedGraph(traced.graph, places)
        return engine.extracted(key, graph, ["cell", "slope"], [*engine.fed, "place"])
