"""The output of a Keras model that is looked at: one of several, and a place in it."""

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
