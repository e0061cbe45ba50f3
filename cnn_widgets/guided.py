"""Guided gradients: ReLUs that pass only positive gradients back.

Springenberg et al. 2014, arXiv 1412.6806: a gradient goes back through a ReLU only where the
ReLU was open and the gradient itself is positive. The model is not touched: the rule belongs to
the operations of one copy of its traced graph.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def guided_rules() -> dict[str, str]:
    """Register the guided gradients with TensorFlow, once; return kind of operation → rule."""
    import tensorflow as tf

    def relu(op: Any, gradient: Any) -> Any:
        return tf.where(op.outputs[0] > 0, tf.nn.relu(gradient), tf.zeros_like(gradient))

    def relu6(op: Any, gradient: Any) -> Any:
        is_open = (op.outputs[0] > 0) & (op.outputs[0] < 6)
        return tf.where(is_open, tf.nn.relu(gradient), tf.zeros_like(gradient))

    tf.RegisterGradient("CnnWidgetsGuidedRelu")(relu)
    tf.RegisterGradient("CnnWidgetsGuidedRelu6")(relu6)
    return {"Relu": "CnnWidgetsGuidedRelu", "Relu6": "CnnWidgetsGuidedRelu6"}
