"""Counts the visitors of a page, and says which of them have left."""

from __future__ import annotations

import time
from collections.abc import Callable

#: Seconds in which a page that was sent whole has to connect.
ARRIVAL = 120.0


class Places:
    """The places for visitors. Each kernel that a page was connected to takes one.

    Parameters
    ----------
    limit : int
        How many visitors there may be at the same time.
    clock : callable
        Returns seconds that never run backwards.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self._clock = limit, clock
        self._answering = 0  # pages that are being made: on a busy computer that takes minutes
        self._arriving: list[float] = []  # until when a place is held for a page that was sent
        self._connected: dict[str, int] = {}
        self._left: dict[str, float] = {}

    @property
    def taken(self) -> int:
        """How many places are taken, those held for pages that still load included."""
        now = self._clock()
        self._arriving = [until for until in self._arriving if until > now]
        return len(self._connected) + len(self._arriving) + self._answering

    def ask(self) -> bool:
        """Return whether one more visitor may come in; if so, hold a place until `answered`."""
        if self.taken >= self.limit:
            return False
        self._answering += 1
        return True

    def answered(self) -> None:
        """Take note that a page was sent: it has some time to connect."""
        self._answering -= 1
        self._arriving.append(self._clock() + ARRIVAL)

    def connected(self, kernel: str) -> None:
        """Take note that a page has connected to a kernel."""
        if kernel not in self._connected and self._arriving:
            self._arriving.pop(0)
        self._connected[kernel] = self._connected.get(kernel, 0) + 1
        self._left.pop(kernel, None)

    def disconnected(self, kernel: str) -> None:
        """Take note that a page has lost its kernel, or was closed."""
        if kernel in self._connected:
            self._connected[kernel] = max(0, self._connected[kernel] - 1)
            if not self._connected[kernel]:
                self._left[kernel] = self._clock()

    def ended(self, kernel: str) -> None:
        """Take note that a kernel has ended: its place is free."""
        self._connected.pop(kernel, None)
        self._left.pop(kernel, None)

    def handed_out(self, kernel: str) -> None:
        """Take note that a kernel waits for its page; one that does not come has left.

        While pages are being made nothing is noted: it may be the kernel of one of them.
        """
        if kernel not in self._connected and not self._answering:
            self._left.setdefault(kernel, self._clock() + ARRIVAL)

    def gone(self, seconds: float) -> list[str]:
        """Return the kernels whose page has been away for that many seconds."""
        now = self._clock()
        return [kernel for kernel, since in self._left.items() if now - since >= seconds]
