"""The output of a Keras model: choosing one of several, finding its scores and probabilities.

Scores are taken before the softmax or sigmoid, as y^c in Selvaraju et al. 2017, arXiv 1610.02391.
The model is not changed: its traced graph holds the softmax operation, and thus its input.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def named_outputs(model: Any, outputs: Any) -> dict[str, Any]:
    """Return a model's outputs by name, each under a name of its own; a single one is "output".

    Outputs of one nested model or shared layer have the same name in Keras. They get the path of
    the inner output ("inner/species"), or a number where that does not tell them apart
    ("shared", "shared:1").
    """
    if isinstance(outputs, dict):
        return dict(outputs)
    if not isinstance(outputs, list | tuple):
        return {"output": outputs}
    names = [str(name) for name in getattr(model, "output_names", None) or range(len(outputs))]
    symbolic = _flat(getattr(model, "outputs", None))
    if len(names) != len(outputs):
        names = [str(number) for number in range(len(outputs))]
    if len(set(names)) < len(names) and len(symbolic) == len(names):
        names = [_output_path(each) or name for each, name in zip(symbolic, names, strict=True)]
    found: dict[str, Any] = {}
    for name, output in zip(names, outputs, strict=True):
        count = sum(each == name or each.startswith(f"{name}:") for each in found)
        found[name if not count else f"{name}:{count}"] = output
    return found


def _flat(tensors: Any) -> list[Any]:
    return list(tensors) if isinstance(tensors, list | tuple) else []


def _output_path(tensor: Any) -> str:
    """Return the path of the operation that a symbolic output comes from, through nested models."""
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return ""
    name = str(history.operation.name)
    inner = _flat(getattr(history.operation, "outputs", None))
    keys = getattr(history.operation, "_outputs_struct", None)
    if isinstance(keys, dict) and len(keys) > history.tensor_index:
        return f"{name}/{sorted(keys)[history.tensor_index]}"
    if len(inner) > 1 and history.tensor_index < len(inner):
        deeper = _output_path(inner[history.tensor_index])
        return f"{name}/{deeper}" if deeper else name
    return name


def chosen_output(outputs: dict[str, Any], wanted: int | str | None) -> str:
    """Return the name of the output selected by number, name, or the last parts of its path.

    None selects the first.

    Raises
    ------
    ValueError
        If there is no such output, or several; the message lists those of the model.
    """
    names = list(outputs)
    found = 0 if wanted is None else wanted
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < len(names):
        return names[found]
    if found in names:
        return str(found)
    ends = [name for name in names if name.endswith(f"/{found}")]
    if len(ends) == 1:
        return ends[0]
    listed = f"{', '.join(map(repr, names))} (or 0 to {len(names) - 1})."
    if ends:
        raise ValueError(f"{wanted!r} fits {len(ends)} outputs. This model's outputs: {listed}")
    raise ValueError(f"Unknown output {wanted!r}. This model's outputs: {listed}")


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
        Whether a single sigmoid unit with score Y stands for two classes with scores -Y and Y.
    """

    kind: str
    units: int
    binary: bool

    @property
    def classes(self) -> int:
        """The number C of classes: 2 for a binary head, otherwise `units`."""
        return 2 if self.binary else self.units

    def scores(self, tensor: Any) -> tf.Tensor:
        """Return the score tensor (N, ..., units) as float32 of shape (N, ..., C)."""
        import tensorflow as tf

        tensor = tf.cast(tensor, tf.float32)
        return tf.concat([-tensor, tensor], axis=-1) if self.binary else tensor

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


@dataclass(frozen=True)
class OutputChoice:
    """Which scores of a model are looked at.

    Attributes
    ----------
    output : int, str or None
        The number or name of the output; None means the first.
    head : str or None
        What the output is, one of `HEAD_KINDS`; None means to find out.
    at : int, sequence of int or None
        Of scores per position (N, h, w, C) or per box (N, n, C), the position (row, column) or
        the box's number; None means their mean.
    """

    output: int | str | None = None
    head: str | None = None
    at: int | Sequence[int] | None = None

    @property
    def place(self) -> tuple[int, ...]:
        """The indices that `at` names, one per axis of positions."""
        given: list[Any] = np.ravel(np.asarray(self.at, object)).tolist()
        try:
            return tuple(operator.index(each) for each in given)
        except TypeError:
            raise ValueError(
                f"Expected at= to be whole numbers, (row, column). Received: {self.at!r}"
            ) from None

    def of_positions(self, tensor: tf.Tensor) -> tf.Tensor:
        """Return a tensor (N, ..., C) as (N, C): its mean over positions, or the one chosen.

        Raises
        ------
        ValueError
            If there is no such position.
        """
        import tensorflow as tf

        shape = tuple(tensor.shape[1:-1])
        if self.at is None:
            axes = list(range(1, len(shape) + 1))
            return tf.reduce_mean(tensor, axis=axes) if axes else tensor
        place = self.place
        fits = len(shape) == len(place) and all(
            n >= 0 and (size is None or n < size) for n, size in zip(place, shape, strict=True)
        )
        if not shape or not fits:
            there = "no positions" if not shape else f"positions {shape}, counted from 0"
            raise ValueError(
                f"Expected at= to name a place of the output, which has {there}. "
                f"Received: {self.at!r}"
            )
        for n in place:  # the first axis left, again and again
            tensor = tensor[:, n]
        return tensor


def find_head(output: tf.Tensor, kind: str | None = None) -> tuple[Head, tf.Tensor]:
    """Return the head of a network and its tensor of scores (N, ..., units).

    The graph is followed from the output back through operations that only reshape or cast. If a
    softmax or sigmoid is found, its input is the score tensor. Otherwise it is the output itself,
    taken as logits if it has several units, and as a plain value if it has one.

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
    kind = kind or ("logits" if units > 1 else "values")
    if kind in ("softmax", "sigmoid") and found != kind:
        raise ValueError(
            f"head={kind!r} was asked for, but the model's output comes from {op.type}, not from "
            f"a {kind}. For an output without it, say head='logits'."
        )
    if kind == "logits" and units == 1:
        return Head("sigmoid", 1, True), output
    return Head(kind, units, False), output


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
    if head.kind in ("logits", "probabilities", "values"):
        notes.append(
            f"No softmax or sigmoid found at the end: outputs are taken as "
            f"{head.kind} (head= changes it)."
        )
    if head.kind == "softmax" and head.units == 1:
        notes.append("A softmax over one output is always 1: probabilities say nothing.")
    return notes
