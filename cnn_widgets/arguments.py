"""Checks of what many functions are given: whole numbers, seeds, one photograph."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from cnn_widgets.records import ImageSample


def whole(name: str, given: Any, least: int | None = 1) -> int:
    """Return a whole number, of at least `least` unless that is None.

    Parameters
    ----------
    name : str
        Of the argument, for the error.
    given : object
        Whatever came; NumPy's whole numbers are taken, True and False are not.
    least : int or None

    Raises
    ------
    TypeError
        If it is no whole number.
    ValueError
        If it is below `least`.

    Examples
    --------
    >>> whole("steps", np.int64(3))
    3
    """
    try:
        if isinstance(given, bool | np.bool_):
            raise TypeError("True and False are no numbers here")
        found = operator.index(given)
    except TypeError:
        raise TypeError(f"Expected {name} to be a whole number. Received: {given!r:.80}") from None
    if least is not None and found < least:
        raise ValueError(f"Expected {name} to be at least {least}. Received: {found}")
    return found


def finite(name: str, given: Any) -> float:
    """Return a number that is finite as a float of 32 bits; TypeError or ValueError otherwise."""
    if isinstance(given, bool | str) or np.ndim(given) != 0:
        raise TypeError(f"Expected {name} to be a number. Received: {given!r:.80}")
    try:
        found = float(given)
    except OverflowError:
        found = np.inf
    except (TypeError, ValueError):
        raise TypeError(f"Expected {name} to be a number. Received: {given!r:.80}") from None
    if not abs(found) <= float(np.finfo(np.float32).max):
        raise ValueError(f"Expected a finite {name}. Received: {given!r:.80}")
    return found


def seed_of(given: Any) -> int:
    """Return the seed of a random generator: a whole number from 0."""
    return whole("seed", given, 0)


def one_sample(given: Any) -> ImageSample:
    """Return one photograph as it is; a TypeError for anything else, a list of them too."""
    if not isinstance(given, ImageSample):
        raise TypeError(
            "Expected an ImageSample; load_image() makes one. Received: " + type(given).__name__
        )
    return given
