"""A small least-recently-used store, bounded by the bytes of the arrays in it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

import numpy as np

Value = TypeVar("Value")


class ByteCache(Generic[Value]):
    """Keeps values until their arrays weigh more than `max_bytes`; the oldest go first.

    The newest value is kept even where it alone is heavier than the limit: it is on screen, and
    would otherwise be computed again for every panel. Where kinds are told, one that is heavier
    stays until the next of its kind: what a large network puts out is asked for at every layer.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        #: How often everything was forgotten.
        self.age = 0
        self._entries: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._heavy: dict[str, Hashable] = {}
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """The bytes held now."""
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

        Age: the store's own when the value began to be computed. If all was forgotten since then,
        by another thread, the value is one of those to forget. Kind: a value heavier than the
        limit is kept, beside what shares the limit, until the next heavier one of its kind.
        """
        size = sum(array.nbytes for array in arrays)
        with self._lock:
            if age is not None and age != self.age:
                return value
            self._entries.pop(key, None)
            if kind is not None and size > self.max_bytes:
                self._entries.pop(self._heavy.get(kind), None)
                self._heavy[kind] = key
            self._entries[key] = value, size
            kept = {key, *self._heavy.values()}
            light = [each for each in self._entries if each not in kept]
            total = size + sum(self._entries[each][1] for each in light)
            for each in light:
                if total <= self.max_bytes:
                    break
                total -= self._entries.pop(each)[1]
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.age += 1
            self._entries.clear()
            self._heavy.clear()
