"""What was asked of a page, checked: names, numbers and classes.

An error names what came and what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cnn_widgets.arguments import whole
from cnn_widgets.networks.network import Network


def names_of(what: str, given: Any) -> list[str]:
    """Return names as a list, each once; a text is one name.

    Parameters
    ----------
    what : str
        What the names are called in an error.
    given : object

    Raises
    ------
    TypeError
        If there is anything but names.
    """
    found = [given] if isinstance(given, str) else given
    found = list(found) if isinstance(found, Iterable) else [None]
    if not all(isinstance(each, str) for each in found):
        raise TypeError(f"Expected {what} to be a name, or names. Received: {given!r}")
    return list(dict.fromkeys(found))


def limit(what: str, given: Any) -> float:
    """Return a number above 0, infinity among them; a TypeError or ValueError for anything else."""
    try:
        found = None if isinstance(given, str | bytes | bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None:
        raise TypeError(f"Expected {what} to be a number. Received: {given!r}")
    if not found > 0:
        raise ValueError(f"Expected {what} above 0. Received: {given!r}")
    return found


def wanted_classes(net: Network, given: Any) -> int | list[int]:
    """Return how many of the likeliest classes are shown, or the indices of those that are.

    Parameters
    ----------
    net : Network
    given : int, str, or iterable of int or str
        A number is how many, a text one class by its name.
    """
    if isinstance(given, Iterable):
        some = [given] if isinstance(given, str) else list(given)
        if not some:
            raise ValueError("Expected classes of at least 1: there is none to show evidence for.")
        return list(dict.fromkeys(net.class_index(each) for each in some))
    return min(whole("classes", given), net.classes)
