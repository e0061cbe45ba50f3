"""Guided ReLUs: while this context is open, ReLUs that are traced pass only positive gradients.

Springenberg et al. 2014, arXiv 1412.6806: a gradient goes back through a ReLU only where the
ReLU was open and the gradient itself is positive. The model is not touched: the rule is attached
to the ops of one traced graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any


@contextmanager
def guided_relus() -> Iterator[None]:
    """Give the ReLUs traced meanwhile their guided gradient."""
    import tensorflow as tf

    graph = tf.compat.v1.get_default_graph()
    with graph.gradient_override_map(_rules()):
        yield


@lru_cache(maxsize=1)
def _rules() -> dict[str, str]:
    """Register the guided gradients with TensorFlow, once; return op type → rule."""
    import tensorflow as tf

    def relu(op: Any, gradient: Any) -> Any:
        return tf.where(op.outputs[0] > 0, tf.nn.relu(gradient), tf.zeros_like(gradient))

    def relu6(op: Any, gradient: Any) -> Any:
        is_open = (op.outputs[0] > 0) & (op.outputs[0] < 6)
        return tf.where(is_open, tf.nn.relu(gradient), tf.zeros_like(gradient))

    tf.RegisterGradient("CnnWidgetsGuidedRelu")(relu)
    tf.RegisterGradient("CnnWidgetsGuidedRelu6")(relu6)
    return {"Relu": "CnnWidgetsGuidedRelu", "Relu6": "CnnWidgetsGuidedRelu6"}
