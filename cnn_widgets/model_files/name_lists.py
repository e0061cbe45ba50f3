"""Reads class names in the forms that people have them: lists, dicts, arrays, files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets.spelling import composed
from cnn_widgets.telling import in_short

_NUMBERED = re.compile(r"\s*(\d+)[\s:,;]+(\S.*?)\s*")


def read_class_names(given: Any) -> tuple[str, ...]:
    """Return class names by index.

    Parameters
    ----------
    given : sequence, mapping, ndarray or path
        Names in the order of their indices (str or bytes; numbers are written out); a dict from
        index to name, or from name to index (the `class_indices` of a Keras generator), in any
        order; a text file with one name a line, or with the index in front of every name, as in
        the `labels.txt` of Teachable Machine; a JSON file with a list or such a dict.

    Raises
    ------
    TypeError
        If the names come in a form without an order, such as a set.
    ValueError
        If a name occurs twice or is empty, indices are missing, or a file holds no names.
    FileNotFoundError
        If a path names no file.

    Examples
    --------
    >>> read_class_names({"dog": 1, "cat": 0})
    ('cat', 'dog')
    """
    if isinstance(given, str | Path):
        return _from_file(given)
    if isinstance(given, Mapping):
        return _checked(_from_mapping(given))
    if isinstance(given, set | frozenset) or not isinstance(given, Iterable):
        why = "A set has no order. " if isinstance(given, set | frozenset) else ""
        raise TypeError(
            "Expected class names as a list in the order of the classes, a dict, or a file. "
            f"{why}Received: {type(given).__name__} {str(given)[:60]}"
        )
    if isinstance(given, bytes | bytearray):
        raise TypeError("Expected class names as a list, a dict, or a file. Received: bytes")
    if isinstance(given, np.ndarray) and given.ndim != 1:
        raise ValueError(f"Expected class names of one axis. Received shape: {given.shape}")
    return _checked([_text(name) for name in given])


def names_from_text(text: str) -> tuple[str, ...]:
    """Return the class names that a command line gives: a file of them, or names with commas.

    >>> names_from_text("cat, dog")
    ('cat', 'dog')
    """
    if "," in text and not Path(text).expanduser().is_file():
        return read_class_names([name.strip() for name in text.split(",")])
    return read_class_names(Path(text))


def _text(name: Any) -> str:
    """Return one name as text; a TypeError for what is none."""
    if isinstance(name, bytes):
        return name.decode("utf-8")
    if isinstance(name, np.generic):
        name = name.item()
        return _text(name)
    if isinstance(name, bool) or not isinstance(name, str | int | float):
        raise TypeError(
            f"Expected class names as text. Received: {type(name).__name__} {str(name)[:60]}"
        )
    return str(name)


def _from_mapping(given: Mapping[Any, Any]) -> list[str]:
    """Return the names of a dict index → name or name → index, by index."""
    keys, values = list(given), list(given.values())
    for numbers, names in ((keys, values), (values, keys)):
        found = [_index(number) for number in numbers]
        if None in found:
            continue
        indices = [index for index in found if index is not None]
        if sorted(indices) != list(range(len(indices))):
            raise ValueError(
                f"Expected the class indices 0 to {len(indices) - 1}, each once. "
                f"Received: {in_short(sorted(indices))}"
            )
        ordered = sorted(zip(indices, names, strict=True), key=lambda pair: pair[0])
        return [_text(name) for _, name in ordered]
    raise ValueError(
        "Expected a dict of class names from index to name or from name to index. "
        f"Received: {in_short(list(given.items()))}"
    )


def _index(number: Any) -> int | None:
    """Return a class index that is given as a whole number or, as in JSON, as its digits."""
    if isinstance(number, np.generic):
        number = number.item()
    if isinstance(number, bool):
        return None
    if isinstance(number, int):
        return number
    return int(number) if isinstance(number, str) and re.fullmatch(r"\d+", number) else None


def _from_file(given: str | Path) -> tuple[str, ...]:
    """Return the names in a text or JSON file."""
    path = Path(given).expanduser()
    if not path.is_file():
        if isinstance(given, str) and not re.search(r"[/\\.]", given):
            raise TypeError(
                "Expected class names as a list in the order of the classes, a dict, or a file. "
                f"Received: the text {given[:60]!r}"
            )
        raise FileNotFoundError(f"There is no file of class names {str(given)!r}.")
    text = path.read_bytes()[: 2**24].decode("utf-8-sig", "replace")
    if path.suffix.lower() == ".json":
        try:
            stored = json.loads(text)
        except ValueError as error:
            raise ValueError(f"{path.name} is no JSON file of class names: {error}") from None
        if not isinstance(stored, list | dict):
            raise ValueError(f"{path.name} holds a {type(stored).__name__}, no class names.")
        return read_class_names(stored)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise ValueError(f"{path.name} holds no class names.")
    numbered = [_NUMBERED.fullmatch(line) for line in lines]
    pairs = [(int(match[1]), match[2]) for match in numbered if match]
    if len(pairs) == len(lines) and sorted(i for i, _ in pairs) == list(range(len(lines))):
        return _checked([name for _, name in sorted(pairs)])
    return _checked(lines)


def _checked(names: list[str]) -> tuple[str, ...]:
    """Return names that are there and differ, their letters composed, or raise a ValueError."""
    names = [composed(name) for name in names]
    if empty := [index for index, name in enumerate(names) if not name.strip()]:
        raise ValueError(f"Expected a name for every class. Class {empty[0]} has an empty one.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"Expected a different name for every class. {twice[0]!r} comes "
            f"{names.count(twice[0])} times."
        )
    return tuple(names)
