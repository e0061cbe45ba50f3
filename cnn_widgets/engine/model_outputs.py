"""What a Keras model puts out: the output meant, its scores, and their probabilities.

Scores are taken before the softmax or sigmoid (Selvaraju et al. 2017: y^c). The model is not
changed: in the traced graph, the operation that made the output leads back to its input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf


def named_outputs(model: Any, outputs: Any) -> dict[str, Any]:
    """Return what a model put out by name; one output is named "output"."""
    if isinstance(outputs, dict):
        return dict(outputs)
    if isinstance(outputs, list | tuple):
        names = getattr(model, "output_names", None) or range(len(outputs))
        return dict(zip(map(str, names), outputs, strict=False))
    return {"output": outputs}


def chosen_output(outputs: dict[str, Any], wanted: int | str | None) -> str:
    """Return the name of the output meant by a name or a number; None means the first."""
    names = list(outputs)
    found = 0 if wanted is None else wanted
    if isinstance(found, int) and 0 <= found < len(names):
        return names[found]
    if found not in outputs:
        raise ValueError(
            f"Unknown output {wanted!r}. This model's outputs: "
            f"{', '.join(names)} (or 0 to {len(names) - 1})."
        )
    return str(found)


#: How a network ends. "probabilities": they come out, but no softmax was found to look behind.
HEAD_KINDS = ("softmax", "sigmoid", "logits", "probabilities", "values")
_RESHAPING_OPS = {"Identity", "Reshape", "Squeeze", "ExpandDims", "Cast"}


@dataclass(frozen=True)
class Head:
    """What the end of a network computes.

    Attributes
    ----------
    kind : str
        One of `HEAD_KINDS`.
    units : int
        Size of the last axis of the output.
    binary : bool
        Whether one sigmoid unit stands for two classes, whose scores are -Y and Y.
    """

    kind: str
    units: int
    binary: bool

    @property
    def classes(self) -> int:
        """The number C of classes that can be asked for."""
        return 2 if self.binary else self.units

    def scores(self, tensor: Any) -> tf.Tensor:
        """Return the score tensor (N, ..., units) as (N, ..., C)."""
        import tensorflow as tf

        tensor = tf.cast(tensor, tf.float32)
        return tf.concat([-tensor, tensor], axis=-1) if self.binary else tensor

    def probabilities(self, scores: tf.Tensor) -> tf.Tensor:
        """Return probabilities of scores (N, ..., C); NaN where the network has none."""
        import tensorflow as tf

        if self.kind in ("softmax", "logits"):
            return tf.nn.softmax(scores)
        if self.kind == "sigmoid":
            return tf.nn.sigmoid(scores)
        if self.kind == "probabilities":
            return tf.identity(scores)
        return tf.fill(tf.shape(scores), float("nan"))


def mean_over_positions(tensor: tf.Tensor) -> tf.Tensor:
    """Return (N, C): the mean over positions where the head gives a map of classes."""
    import tensorflow as tf

    axes = list(range(1, len(tensor.shape) - 1))
    return tf.reduce_mean(tensor, axis=axes) if axes else tensor


def find_head(output: tf.Tensor, kind: str | None = None) -> tuple[Head, tf.Tensor]:
    """Return the head and the tensor of scores (N, ..., units) behind a network's output.

    Walks back through ops that only reshape. A softmax or sigmoid found there gives its input;
    otherwise the output itself is the score: logits where there are several units, a plain
    value where there is one.

    Parameters
    ----------
    output : Tensor, shape (N, ..., units)
        A network's output in the graph being traced.
    kind : str, optional
        What the user says the output is, in place of a guess about an output with no softmax.

    Raises
    ------
    ValueError
        If the output is no such tensor, or is not what the user says.
    """
    if kind is not None and kind not in HEAD_KINDS:
        raise ValueError(f"Expected head to be one of {HEAD_KINDS}. Received: {kind!r}")
    if not hasattr(output, "dtype"):
        raise ValueError(
            f"Expected an output that is one tensor of shape (N, classes). Received: a "
            f"{type(output).__name__}. Wrap the model so that it puts out the one meant."
        )
    if not output.dtype.is_floating:
        raise ValueError(
            "Expected an output of scores or probabilities. Received: numbers of type "
            f"{output.dtype.name}, which have no gradient. Wrap the model so that it puts out what "
            "they are made of."
        )
    if output.shape.rank is None or output.shape.rank < 2 or output.shape[-1] is None:
        raise ValueError(
            f"Expected a model output of shape (N, classes). Received shape: {output.shape}"
        )
    units, op = int(output.shape[-1]), output.op
    while op.type in _RESHAPING_OPS:
        op = op.inputs[0].op
    found = {"Softmax": "softmax", "LogSoftmax": "softmax", "Sigmoid": "sigmoid"}.get(op.type)
    if found and kind in (None, found):
        score = op.inputs[0]
        if score.shape[-1] is not None and int(score.shape[-1]) == units:
            return Head(found, units, found == "sigmoid" and units == 1), score
    kind = kind or ("logits" if units > 1 else "values")
    if kind in ("softmax", "sigmoid") and found != kind:
        raise ValueError(
            f"head={kind!r} was asked for, but the model's output comes from {op.type}, not from "
            f"a {kind}. For an output without it, say head='logits'."
        )
    if kind == "logits" and units == 1:
        return Head("sigmoid", 1, True), output
    return Head(kind, units, False), output
