"""A small least-recently-used store, bounded by the bytes of the arrays in it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

import numpy as np

Value = TypeVar("Value")


# cachetools' LRUCache refuses a value above its limit, has no kinds of values and no lock.
class ByteCache(Generic[Value]):
    """Keeps values until their arrays take more than `max_bytes`; the least recently used go first.

    The newest value is kept even if it alone exceeds the limit: it is on screen, and each panel
    would compute it again. A value with a `kind` that exceeds the limit stays until the next one
    of its kind, because the outputs of a large network are needed for every layer.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        #: How often `clear` was called.
        self.age = 0
        self._entries: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._oversized: dict[str, Hashable] = {}
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """The number of bytes held now."""
        with self._lock:
            return sum(size for _, size in self._entries.values())

    def get(self, key: Hashable) -> Value | None:
        """Return the value kept under the key, or None."""
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
        """Keep and return a value that weighs as much as `arrays`.

        `age` is the cache's own age when computing the value began: if another thread has called
        `clear` since, the value is outdated and is not kept. `kind`: a value above the limit is
        kept, in addition to the others, until the next such value of its kind.
        """
        size = sum(array.nbytes for array in arrays)
        with self._lock:
            if age is not None and age != self.age:
                return value
            self._entries.pop(key, None)
            if kind is not None and size > self.max_bytes:
                self._entries.pop(self._oversized.get(kind), None)
                self._oversized[kind] = key
            self._entries[key] = value, size
            kept = {key, *self._oversized.values()}
            removable = [each for each in self._entries if each not in kept]
            total = size + sum(self._entries[each][1] for each in removable)
            for each in removable:
                if total <= self.max_bytes:
                    break
                total -= self._entries.pop(each)[1]
        return value

    def clear(self) -> None:
        """Drop every value."""
        with self._lock:
            self.age += 1
            self._entries.clear()
            self._oversized.clear()
