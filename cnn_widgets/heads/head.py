"""What the output of a network is: scores, probabilities, or neither.

Scores are taken before the softmax or sigmoid, as y^c in Selvaraju et al. 2017, arXiv 1610.02391.
The model is not changed: its traced graph holds the softmax operation, and thus its input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnn_widgets.heads.bounds import within_one
from cnn_widgets.heads.choosing import OutputChoice

if TYPE_CHECKING:
    import tensorflow as tf


#: What a network's output is: probabilities with a softmax or sigmoid in the graph, logits,
#: "probabilities" without either operation, or "values" that are none of these (a regression).
HEAD_KINDS = ("softmax", "sigmoid", "logits", "probabilities", "values")
_RESHAPING_OPS = {"Identity", "Reshape", "Squeeze", "ExpandDims", "Cast"}


@dataclass(frozen=True)
class Head:
    """The description of what the end of a network computes.

    Attributes
    ----------
    kind : str
        One of `HEAD_KINDS`.
    units : int
        The size of the last axis of the output.
    binary : bool
        Whether a single unit stands for two classes: a logit Y for scores -Y and Y, a probability P
        for 1 - P and P.
    found : bool
        Whether the graph ends with the softmax or sigmoid that this says; else it is assumed.
    within_one : bool
        Whether all values that the network can put out lie between 0 and 1, as probabilities do.
    """

    kind: str
    units: int
    binary: bool
    found: bool = True
    within_one: bool = False

    @property
    def classes(self) -> int:
        """The number C of classes: 2 for a binary head, otherwise `units`."""
        return 2 if self.binary else self.units

    def scores(self, tensor: Any) -> tf.Tensor:
        """Return the score tensor (N, ..., units) as float32 of shape (N, ..., C)."""
        import tensorflow as tf

        tensor = tf.cast(tensor, tf.float32)
        if not self.binary:
            return tensor
        other = 1 - tensor if self.kind == "probabilities" else -tensor
        return tf.concat([other, tensor], axis=-1)

    def probabilities(self, scores: tf.Tensor) -> tf.Tensor:
        """Return the probabilities of scores (N, ..., C); NaN if the kind is "values"."""
        import tensorflow as tf

        if self.kind in ("softmax", "logits"):
            return tf.nn.softmax(scores)
        if self.kind == "sigmoid":
            return tf.nn.sigmoid(scores)
        if self.kind == "probabilities":
            return tf.identity(scores)
        return tf.fill(tf.shape(scores), float("nan"))


def find_head(output: tf.Tensor, kind: str | None = None) -> tuple[Head, tf.Tensor]:
    """Return the head of a network and its tensor of scores (N, ..., units).

    The graph is followed from the output back through operations that only reshape or cast. If a
    softmax or sigmoid is found, its input is the score tensor. Otherwise it is the output itself.
    One of several units is taken as probabilities if it is certain to lie between 0 and 1, else as
    logits; one of a single unit as a plain value.

    Parameters
    ----------
    output : Tensor, shape (N, ..., units)
        The network's output in the graph being traced.
    kind : str, optional
        The user's statement of what the output is, one of `HEAD_KINDS`, which overrides the rule.

    Raises
    ------
    ValueError
        If the output is not a float tensor of such a shape, `kind` is unknown, or `kind` is
        "softmax" or "sigmoid" and the graph has no such operation there.
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
    within = within_one(output)
    if kind is None:
        kind = "values" if units == 1 else "probabilities" if within else "logits"
    if kind in ("softmax", "sigmoid") and found != kind:
        raise ValueError(
            f"head={kind!r} was asked for, but the model's output comes from {op.type}, not from "
            f"a {kind}. For an output without it, say head='logits'."
        )
    binary = units == 1 and kind in ("logits", "probabilities")
    if binary and kind == "logits":
        kind = "sigmoid"
    return Head(kind, units, binary, False, within), output


def head_notes(
    head: Head, outputs: list[str], positions: tuple[int | None, ...], choice: OutputChoice
) -> list[str]:
    """Return what was assumed about the model's outputs, which may have positions."""
    notes = []
    if positions and choice.at is None:
        size = "×".join("?" if n is None else str(n) for n in positions)
        place = "(row, column)" if len(positions) == 2 else "a number"
        notes.append(
            f"The output has scores at {size} positions: their mean is explained "
            f"(at={place} chooses one)."
        )
    if len(outputs) > 1 and choice.output is None:
        notes.append(
            f"Of the outputs {', '.join(outputs)} the first is looked at (output= chooses)."
        )
    if not head.found:
        taken = f"outputs are taken as {head.kind}"
        if head.binary:
            what = "logit" if head.kind == "sigmoid" else "probability"
            taken = f"the output is taken as the {what} of the second class"
        notes.append(f"No softmax or sigmoid found at the end: {taken} (head= changes it).")
    if head.kind == "softmax" and head.units == 1:
        notes.append("A softmax over one output is always 1: probabilities say nothing.")
    return notes
