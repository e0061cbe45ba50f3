"""What is told of long work: progress while it runs, and numbers of things in words.

>>> counted(1, "photograph"), counted(1200, "layer"), counted(2, "class", "classes")
('1 photograph', '1,200 layers', '2 classes')
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any


def counted(count: int, one: str, more: str | None = None) -> str:
    """Return a number of things in words; `more` is their plural where it is not `one` and an s."""
    return f"{count:,} {one if count == 1 else more or f'{one}s'}"


def in_short(values: Iterable[object], most: int = 8) -> str:
    """Return the first values in a line, with "…" after them only if there are more.

    >>> in_short(["a", "b", "c"], 2), in_short(["a", "b"], 2)
    ('a, b, …', 'a, b')
    """
    first = list(islice(map(str, values), most + 1))
    return ", ".join([*first[:most], "…"] if len(first) > most else first)


def check_progress(progress: object) -> None:
    """Raise a TypeError unless something may be told how far work has come."""
    if progress is not None and not callable(progress):
        raise TypeError(
            "Expected progress to be a function of the steps done and of all steps, or None. "
            f"Received: {progress!r}"
        )


def stopped(progress: Callable[..., Any] | None, *steps: int) -> bool:
    """Tell how far work has come; return whether the answer is False, NumPy's too: stop.

    Any other answer, such as the None of a function that returns nothing, goes on.
    """
    check_progress(progress)
    if progress is None:
        return False
    import numpy as np  # the doctor, which counts in words too, has to come without it

    answer = progress(*steps)
    return isinstance(answer, bool | np.bool_) and not answer
