"""One cell of a layer's map, followed back: to the layers before it, and to the model's input.

Functions of an `Engine`, extracted from its traced graph on first use and kept, as its own are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.taps import TRACE_LOCK
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
    run = engine._extracted(("input", layer), traced, [("input", layer)], engine._fed)
    return np.asarray(run(*engine._inputs(x))[0], np.float32)[: len(x)]


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
    key = ("cell_gradient", layer)
    run = engine._traces.get(key)
    if run is None:
        traced = engine.graph.forward()
        forward = engine._extracted(("cell", layer), traced, [("output", layer)], engine._fed)
        try:
            with TRACE_LOCK:
                run = engine._traces.setdefault(key, forward.entry_gradient())
        except LookupError as error:  # TensorFlow's own, too, for an operation without gradient
            raise ValueError(
                f"No gradient leads from a cell of {layer!r} to the input: {error}."
            ) from None
    value, found = run(np.array([row, column, k], np.int32), *engine._inputs(x))
    return float(value), np.asarray(found)[0]
