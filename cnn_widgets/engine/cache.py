"""A least-recently-used cache limited by the number of bytes of the arrays in it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

import numpy as np

Value = TypeVar("Value")


# Written by hand: cachetools.LRUCache refuses a value larger than its limit, takes no lock and
# knows no kinds.
class ByteCache(Generic[Value]):
    """A thread-safe cache that drops the least recently used values above `max_bytes`.

    The newest value is kept even if it alone exceeds the limit, because it is being displayed and
    each panel would otherwise compute it again. A value with a `kind` that alone exceeds the limit
    is kept until the next such value of its kind, and is not counted: the activations of a large
    network are used again for each of its layers.

    Parameters
    ----------
    max_bytes : int
        The limit in bytes.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        #: The number of calls of `clear`.
        self.age = 0
        self._entries: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._nbytes = 0  # of all entries: to add them up at each `put` takes long if they are many
        self._oversized: dict[str, Hashable] = {}
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """The number of bytes of all arrays in the cache."""
        with self._lock:
            return self._nbytes

    def get(self, key: Hashable) -> Value | None:
        """Return the value with a key, or None, and mark it as the most recently used."""
        with self._lock:
            if key not in self._entries:
                return None
            self._entries.move_to_end(key)
            return self._entries[key][0]

    def put(
        self,
        key: Hashable,
        value: Value,
        arrays: Iterable[np.ndarray],
        age: int | None = None,
        kind: str | None = None,
    ) -> Value:
        """Store a value and return it.

        Parameters
        ----------
        key : hashable
        value : object
        arrays : iterable of ndarray
            The arrays in the value; their bytes are its size.
        age : int, optional
            The cache's `age` when the computation of the value began. If another thread has called
            `clear` since then, the value is outdated and is not stored.
        kind : str, optional
            Lets a value larger than `max_bytes` stay until the next such value of its kind.
        """
        size = sum(array.nbytes for array in arrays)
        with self._lock:
            if age is not None and age != self.age:
                return value
            self._remove(key)
            if kind is not None and size > self.max_bytes:
                self._remove(self._oversized.get(kind))
                self._oversized[kind] = key
            self._entries[key] = value, size
            self._nbytes += size
            self._make_room({key, *self._oversized.values()}, key)
        return value

    def clear(self) -> None:
        """Drop every value, and refuse values whose computation began earlier (see `put`)."""
        with self._lock:
            self.age += 1
            self._entries.clear()
            self._oversized.clear()
            self._nbytes = 0

    def _make_room(self, kept: set[Hashable], newest: Hashable) -> None:
        """Remove the least recently used entries, but for those kept, until the limit is met."""
        uncounted = (self._entries[each][1] for each in kept - {newest} if each in self._entries)
        excess = self._nbytes - sum(uncounted) - self.max_bytes
        removed = []
        for each, (_, size) in self._entries.items():
            if excess <= 0:
                break
            if each not in kept:
                removed.append(each)
                excess -= size
        for each in removed:
            self._remove(each)

    def _remove(self, key: Hashable) -> None:
        if key in self._entries:
            self._nbytes -= self._entries.pop(key)[1]
