"""Opens the explorer of an app once, before visitors come: whether it opens, and what it takes."""

from __future__ import annotations

from typing import Any

import psutil

from cnn_widgets.serving.processes import pipe, process
from cnn_widgets.serving.settings import App

#: Of the free memory, the share that visitors may take.
SHARE = 0.8
#: A visitor who tries everything takes this many times what the first page takes.
GROWTH = 1.5
_MB = 1_000_000


def try_out(app: App) -> int:
    """Open the app's explorer in a process of its own, and return its private memory in bytes.

    Raises
    ------
    ValueError
        If the explorer cannot be opened; the words are those of the error.
    """
    receiver, sender = pipe()
    made = process(_open, app.to_json(), sender)
    sender.close()
    try:
        told = receiver.recv()
    except EOFError:
        made.join()
        raise ValueError(
            f"The explorer could not be opened: its process ended ({made.exitcode})."
        ) from None
    made.join()
    if isinstance(told, str):
        raise ValueError(told)
    return int(told)


def _open(text: str, sender: Any) -> None:
    """Open an explorer and tell the memory that is this process's own, or the error's words."""
    from cnn_widgets.serving.visit import explorer_of

    try:
        explorer_of(text)
        memory = psutil.Process().memory_full_info()
        sender.send(int(getattr(memory, "uss", memory.rss)))
    except Exception as error:
        sender.send(str(error) or type(error).__name__)


def room_for(taken: int) -> int:
    """Return how many visitors this computer's free memory bears, at least one.

    Parameters
    ----------
    taken : int
        What the first page of a visitor takes, in bytes.
    """
    return max(1, int(SHARE * psutil.virtual_memory().available / (GROWTH * taken)))


def in_words(taken: int, visitors: int) -> str:
    """Return the line that says what was measured.

    >>> in_words(190_000_000, 1)
    'A visitor takes about 190 MB at first. Places: 1.'
    """
    return f"A visitor takes about {taken / _MB:.0f} MB at first. Places: {visitors}."
