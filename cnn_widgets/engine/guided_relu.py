"""Other gradients of ReLUs: guided backpropagation, and gradients that pass closed ReLUs.

Guided (Springenberg et al. 2014, arXiv 1412.6806): a gradient passes back through a ReLU only where
the ReLU's input and the gradient itself are positive. Opened: it passes where the ReLU's input is
positive, and where the ReLU is closed if the gradient asks for more, so that a filter that is
silent on a picture still tells how to wake it. The model is not changed: the rule is attached to
the operations of its traced graph, and only while gradients are being added to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

_GRADIENT_ATTRIBUTE = "_gradient_op_type"


@contextmanager
def guided_relus(graph: Any) -> Iterator[None]:
    """Let the ReLUs of a traced graph have the guided gradient inside the block."""
    with _gradient_rules(graph, _guided()):
        yield


@contextmanager
def opened_relus(graph: Any) -> Iterator[None]:
    """Let the ReLUs of a traced graph pass gradients for more where they are closed."""
    with _gradient_rules(graph, _opened()):
        yield


@contextmanager
def _gradient_rules(graph: Any, rules: Mapping[str, str]) -> Iterator[None]:
    """Attach gradients, by their registered names, to the operations of some types."""
    import tensorflow as tf

    relus = [op for op in graph.get_operations() if op.type in rules]
    try:
        for op in relus:
            op._set_attr(_GRADIENT_ATTRIBUTE, tf.compat.v1.AttrValue(s=rules[op.type].encode()))
        yield
    finally:
        for op in relus:
            op._clear_attr(_GRADIENT_ATTRIBUTE)


@lru_cache(maxsize=1)
def _guided() -> dict[str, str]:
    """Register the guided gradients with TensorFlow once; return {operation type: gradient}."""
    import tensorflow as tf

    def relu(op: Any, gradient: Any) -> Any:
        return tf.where(op.outputs[0] > 0, tf.nn.relu(gradient), tf.zeros_like(gradient))

    def relu6(op: Any, gradient: Any) -> Any:
        is_open = (op.outputs[0] > 0) & (op.outputs[0] < 6)
        return tf.where(is_open, tf.nn.relu(gradient), tf.zeros_like(gradient))

    tf.RegisterGradient("CnnWidgetsGuidedRelu")(relu)
    tf.RegisterGradient("CnnWidgetsGuidedRelu6")(relu6)
    return {"Relu": "CnnWidgetsGuidedRelu", "Relu6": "CnnWidgetsGuidedRelu6"}


@lru_cache(maxsize=1)
def _opened() -> dict[str, str]:
    """Register the gradients that pass closed ReLUs once; return {operation type: gradient}."""
    import tensorflow as tf

    def relu(op: Any, gradient: Any) -> Any:
        return tf.where((op.outputs[0] > 0) | (gradient > 0), gradient, tf.zeros_like(gradient))

    def relu6(op: Any, gradient: Any) -> Any:
        inside = (op.outputs[0] > 0) & (op.outputs[0] < 6)
        back = ((op.outputs[0] <= 0) & (gradient > 0)) | ((op.outputs[0] >= 6) & (gradient < 0))
        return tf.where(inside | back, gradient, tf.zeros_like(gradient))

    tf.RegisterGradient("CnnWidgetsOpenedRelu")(relu)
    tf.RegisterGradient("CnnWidgetsOpenedRelu6")(relu6)
    return {"Relu": "CnnWidgetsOpenedRelu", "Relu6": "CnnWidgetsOpenedRelu6"}
