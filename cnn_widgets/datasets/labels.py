"""Labels as people have them: whole numbers, names, one-hot rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from cnn_widgets.datasets.image_set import Label, plain

_WHOLE = re.compile(r"[0-9]+(\.0*)?")  # pandas writes 1.0 where a label is missing elsewhere


def labels_of(values: Any, names: Sequence[str] | None = None) -> list[Label]:
    """Return labels given as whole numbers, texts, or one-hot rows; numbers may have names.

    Raises
    ------
    TypeError
        If they are not one after the other: a text, a mapping or a set, for example.
    ValueError
        If they are anything else, several classes to a picture for example.

    >>> labels_of([[0, 0, 1], [1, 0, 0]], ["cat", "dog", "fox"])
    ['fox', 'cat']
    """
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise TypeError(
            "Expected labels one after the other, such as a list or an array. "
            f"Received: {type(values).__name__}"
        )
    if not hasattr(values, "__array__"):
        return [label_of(each, names) for each in values]  # of several types, each as it is
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.dtype.kind in "fiub":
        wrong = ~(np.isin(array, (0, 1)).all(axis=1) & (array.sum(axis=1) == 1))
        if wrong.any():
            raise ValueError(_one_class(array[wrong.argmax()].tolist()))
        array = array.argmax(axis=1)
    if array.ndim != 1:
        raise ValueError(f"Expected one label to a picture. Received shape: {array.shape}")
    listed = array.tolist()
    return [label_of(each, names) for each in listed]


def label_of(value: Any, names: Sequence[str] | None = None) -> Label:
    """Return a label as a plain number or text; None for a missing one.

    It may be in an array or a tensor, and may be a one-hot row. A ValueError says what came.
    """
    if hasattr(value, "__array__"):  # NumPy, TensorFlow, PyTorch, JAX
        value = np.asarray(value).tolist()
    if isinstance(value, list | tuple):
        return label_of(_in_row(value), names)
    if isinstance(value, str):
        return plain(value)
    missing = value is None or type(value).__name__ == "NAType"  # the latter of pandas
    if missing or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, bytes):
        return plain(value.decode("utf-8", "replace"))
    if isinstance(value, bool | int) or (isinstance(value, float) and value.is_integer()):
        index = int(value)
        return names[index] if names is not None and 0 <= index < len(names) else index
    raise ValueError(f"Expected a label to be a whole number or a name. Received: {value!r:.80}")


def _in_row(row: Sequence[Any]) -> Any:
    """Return the only value of a row, or the place of the one in a one-hot row."""
    if len(row) == 1:
        return row[0]
    cells = [each.item() if hasattr(each, "item") else each for each in row]
    numbers = all(isinstance(each, bool | int | float) for each in cells)
    if numbers and sorted(cells) == [0] * (len(cells) - 1) + [1]:
        return cells.index(1)
    raise ValueError(_one_class(cells))


def _one_class(row: list[Any]) -> str:
    return (
        "Expected one class to a picture: whole numbers, names, or one-hot rows. Received rows "
        f"such as {row!r:.80}"
    )


def as_labels(texts: Iterable[str]) -> list[Label]:
    """Return texts as labels: numbers if all are whole, None for an empty one.

    >>> as_labels(["1", "", "12"]), as_labels(["1.0", "2.0"]), as_labels(["1", "cat"])
    ([1, None, 12], [1, 2], ['1', 'cat'])
    """
    listed = list(texts)
    whole = all(_WHOLE.fullmatch(text) for text in listed if text)
    return [None if not text else int(float(text)) if whole else text for text in listed]
