"""How it is done elsewhere: the usual recipe, other libraries where installed, the bare passes."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

Run = Callable[[int], object]


def eager(model: keras.Model, layer: str, x: np.ndarray) -> Run:
    """Return Grad-CAM as articles and examples do it: a sub-model per call, run eagerly."""

    def run(index: int) -> np.ndarray:
        part = keras.Model(model.inputs, [model.get_layer(layer).output, model.output])
        with tf.GradientTape() as tape:
            activations, predictions = part(x)
            score = predictions[:, index]
        gradients = tape.gradient(score, activations)
        weights = tf.reduce_mean(gradients, axis=(0, 1, 2))
        found = tf.maximum(tf.reduce_sum(activations[0] * weights, axis=-1), 0)
        return np.asarray(found / tf.reduce_max(found))

    return run


def forward(model: keras.Model, x: np.ndarray) -> Callable[[], object]:
    """Return one bare compiled pass: the least that a new image can cost."""
    compiled = tf.function(lambda given: model(given, training=False))
    given = tf.constant(x)
    return lambda: np.asarray(compiled(given))


def forward_and_backward(model: keras.Model, layer: str, x: np.ndarray) -> Callable[[], object]:
    """Return one bare compiled pass with the gradient of the first score at a layer."""
    part = keras.Model(model.inputs, [model.get_layer(layer).output, model.output])

    @tf.function
    def compiled(given):
        with tf.GradientTape() as tape:
            activations, predictions = part(given, training=False)
            score = tf.reduce_sum(predictions[:, 0])
        return activations, predictions, tape.gradient(score, activations)

    def run(given: np.ndarray = x):
        return [np.asarray(each) for each in compiled(tf.constant(given))]

    run()
    return run


def figure_of_subplots(activations: np.ndarray) -> bytes:
    """Return the article's grid: a figure with one subplot per filter, as PNG."""
    count = activations.shape[-1]
    rows = -(-count // 16)
    figure = Figure(figsize=(16, rows))
    for k in range(count):
        axes = figure.add_subplot(rows, 16, k + 1)
        axes.imshow(activations[..., k], cmap="viridis")
        axes.axis("off")
    buffer = BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def xplique(model: keras.Model, layer: str, x: np.ndarray, classes: int) -> Run | None:
    """Return xplique's Grad-CAM (compiled), or None where it is not installed."""
    if importlib.util.find_spec("xplique") is None:
        return None
    from xplique.attributions import GradCAM

    explainer = GradCAM(model, output_layer=-1, conv_layer=layer)
    rows = np.eye(classes, dtype=np.float32)
    return lambda index: np.asarray(explainer(x, rows[index][None]))


def tf_keras_vis(model: keras.Model, layer: str, x: np.ndarray) -> Run | None:
    """Return tf-keras-vis' Grad-CAM, or None where it is not installed."""
    if importlib.util.find_spec("tf_keras_vis") is None:
        return None
    from tf_keras_vis.gradcam import Gradcam
    from tf_keras_vis.utils.scores import CategoricalScore

    explainer = Gradcam(model, clone=True)
    return lambda index: explainer(CategoricalScore([index]), x, penultimate_layer=layer)


class PyTorch:
    """pytorch-grad-cam on the same weights, in a process of its own: it and TensorFlow clash.

    ``run(method, class index)`` asks the process and waits for its answer.
    """

    def __init__(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("torch_child.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.ready = self._child.stdout.readline().strip() == "ready"

    def run(self, method: str, index: int) -> None:
        """Compute one map."""
        print(method, index, file=self._child.stdin, flush=True)
        if self._child.stdout.readline().strip() != "done":
            raise RuntimeError("The process of pytorch-grad-cam ended.")

    def close(self) -> None:
        """End the process."""
        self._child.stdin.close()
        self._child.wait(20)


def pytorch() -> PyTorch | None:
    """Return pytorch-grad-cam, or None where it is not installed."""
    for name in ("torch", "pytorch_grad_cam", "captum"):
        if importlib.util.find_spec(name) is None:
            return None
    found = PyTorch()
    return found if found.ready else None
