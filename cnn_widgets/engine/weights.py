"""A model's weights: checking that they are finite, their digest, noticing changes.

`WeightWatcher` notices that a model was trained, that weights were loaded or that layers changed.
"""

from __future__ import annotations

import copy
import hashlib
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine.structure import Structure
from cnn_widgets.engine.taps import TRACE_LOCK
from cnn_widgets.records import Floats

if TYPE_CHECKING:
    import keras


#: Seconds between two checks that read all weights.
FULL_EVERY = 2.0

#: The weights of a model of up to this many bytes in all are read by NumPy: a compiled function for
#: it takes 15 MB of memory, and saves milliseconds.
LITTLE = 64_000_000

#: Arrays of up to this many numbers are read completely for a checksum, larger ones in part.
WHOLE = 16_000_000

#: Arrays of up to this many numbers are concatenated for one common checksum.
SMALL = 1_000_000
#: Part of the message of `ScoresError`, by which an answer that was kept tells of it.
NOT_FINITE = "computes NaN or infinite scores"

#: A sampled row has at least `ROW` numbers, unless more axes make it longer than `LONG`.
ROW, LONG = 8, 16_384

#: Rows are concatenated in so many parts: hundreds in one part take an eighth longer.
PARTS = 4


def check_weights(model: keras.Model, name: str) -> None:
    """Raise a ValueError for NaN or infinite weights; `name` names the network in the message.

    Finite scores do not rule them out, because a ReLU may turn NaN into 0.
    """
    for weight in model.weights:
        values = np.asarray(weight)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(
                f"Network {name!r} is broken: its weights {weight.path!r} hold NaN or infinity."
            )


def checksums(model: keras.Model) -> Callable[[], bytes]:
    """Return a function that returns the checksums of all weights of a model as bytes.

    The weights are read as 32-bit words. For each offset from 0 to 63, every 64th word is summed
    modulo 2^32; one sum of all words would not change if weights were shuffled. Of arrays with more
    than `WHOLE` numbers only every n-th number is read, with n odd.
    """
    if sum(int(np.prod(w.shape)) * 4 for w in model.weights) <= LITTLE:
        return lambda: b"".join(_offset_sums(np.asarray(w.value)) for w in model.weights)

    import tensorflow as tf

    def numbers(weight: Any, flat: Any) -> Any:
        values = tf.convert_to_tensor(weight.value)
        values = values if values.shape.rank == 1 else tf.reshape(values, flat)
        step = (values.shape.num_elements() or 0) // WHOLE * 2 + 1
        values = values[::step] if step > 1 else values
        return values if values.dtype == tf.float32 else tf.cast(values, tf.float32)

    def offset_sums(numbers: Any) -> Any:
        words = tf.bitcast(numbers, tf.int32)
        count = words.shape.num_elements()
        rows = tf.reshape(words[: count - count % 64], [-1, 64])
        ends = tf.pad(words[count - count % 64 :], [[0, 64 - count % 64]])
        return tf.concat([tf.reduce_sum(rows, 0), ends], 0)

    def read() -> Any:
        flat = tf.constant([-1])  # one for all weights: a network has hundreds
        small = [numbers(w, flat) for w in model.weights if np.prod(w.shape) <= SMALL]
        large = [numbers(w, flat) for w in model.weights if np.prod(w.shape) > SMALL]
        return tf.stack([offset_sums(tf.concat([*small, [0.0]], 0)), *map(offset_sums, large)])

    with TRACE_LOCK:
        compiled = tf.function(read, autograph=False).get_concrete_function()
    return lambda: np.asarray(compiled()).tobytes()


def _offset_sums(values: NDArray[Any]) -> bytes:
    """Return the sums of every 64th 32-bit word of an array, for each offset; then what is left."""
    data = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
    whole = data.size // 256 * 256
    words = data[:whole].view(np.uint32).reshape(-1, 64)
    sums: NDArray[np.uint32] = words.sum(axis=0, dtype=np.uint32)
    return sums.tobytes() + data[whole:].tobytes()


def row_reader(model: keras.Model) -> Callable[[], list[bytes]]:
    """Return a compiled function that returns the last rows of a model's weights, in a few parts.

    A row is along the last axis, or along the last ones where that is short: the kernels of a
    depthwise convolution have one number there.
    """
    import tensorflow as tf

    def row(weight: Any) -> Any:
        shape, axis = tuple(weight.shape), max(len(weight.shape) - 1, 0)
        while axis > 0 and math.prod(shape[axis:]) < ROW and math.prod(shape[axis - 1 :]) <= LONG:
            axis -= 1
        found = weight.value
        if axis:
            found = tf.gather_nd(found, place_in(shape[:axis]))  # reads no more than the row
        return found if len(shape) - axis == 1 else tf.reshape(found, [-1])

    def read() -> list[Any]:
        rows: dict[Any, list[Any]] = {}
        for weight in model.weights:
            if math.prod(weight.shape):
                found = row(weight)
                rows.setdefault(found.dtype, []).append(found)
        parts = [each[start::PARTS] for each in rows.values() for start in range(PARTS)]
        return [tf.concat(each, 0) for each in parts if each]

    @cache
    def place_in(leading: tuple[int, ...]) -> Any:
        return tf.constant([size - 1 for size in leading])  # one for all weights of a shape

    with TRACE_LOCK:
        compiled = tf.function(read, autograph=False).get_concrete_function()
    return lambda: [np.asarray(each).tobytes() for each in compiled()]


def weights_digest(model: keras.Model) -> str:
    """Return the SHA-256 over path, dtype, shape and bytes of each weight, in hexadecimal."""
    return _digest(model, lambda weight, values: f"{weight.path} {values.dtype} {values.shape} ")


def values_digest(model: keras.Model) -> str:
    """Return the SHA-256 over the weights' values in their order, equal where names differ."""
    return _digest(model, lambda weight, values: f"{values.dtype}{values.shape}")


def _digest(model: keras.Model, head: Callable[[Any, Floats], str]) -> str:
    """Return the SHA-256 over each weight's bytes, with a text before them."""
    found = hashlib.sha256()
    for weight in model.weights:
        values = np.ascontiguousarray(weight.value)
        found.update(head(weight, values).encode())
        found.update(values.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


class WeightWatcher:
    """Notices that a model has changed: its weights by training or loading, or its layers.

    Reading all weights may take longer than the computation that follows. So each check reads a
    few numbers of every weight, its last row: one for each filter of a convolution. A change
    elsewhere inside a weight is noticed by the check that reads all weights, one in `FULL_EVERY`
    seconds and the one after `closer`.
    After a change, each check reads all weights until they no longer change, because a training
    step in another thread writes one weight after the other. What `Structure` compares is looked at
    in each check, and closely as often as all weights.

    Parameters
    ----------
    model : keras.Model
    structure : Structure
        What the model was when its graph was traced.
    """

    def __init__(self, model: keras.Model, structure: Structure) -> None:
        self._structure: Structure | None = structure
        self._sample, self._checksums = row_reader(model), checksums(model)
        self._seen = self._sample(), self._checksums()
        self._last_full_check, self._changing = time.monotonic(), False
        self._last_close_look = self._last_full_check
        self._paused, self._lock, self._rebuilt = threading.local(), threading.RLock(), 0

    @property
    def seen(self) -> tuple[list[bytes], bytes, int]:
        """Sampled numbers and checksums of the weights at the last check; how often rebuilt."""
        return *self._seen, self._rebuilt

    def of_weights_only(self) -> WeightWatcher:
        """Return a watcher that notices a change of weights by itself, and none of layers."""
        found = copy.copy(self)
        found._structure = None
        return found

    def replacing(self, other: WeightWatcher) -> WeightWatcher:
        """Return this watcher in place of another one, turned off in the threads where that is."""
        self._paused, self._lock, self._rebuilt = other._paused, other._lock, other._rebuilt + 1
        return self

    def closer(self) -> None:
        """Let the next check read everything."""
        self._last_full_check = self._last_close_look = -math.inf

    def look(
        self, changed: Callable[[], None], rebuilt: Callable[[], None], closely: bool = False
    ) -> None:
        """Call `changed` if the weights have changed since the last check.

        If the layers or their settings have, `rebuilt` is called instead, again at each check: a
        new watcher has to take the place of this one. If `closely`, everything is read, even inside
        a block of `checked`.
        """
        if getattr(self._paused, "on", False) and not closely:
            return
        with self._lock:  # otherwise two threads could report the same change
            if self.other_layers(closely):
                rebuilt()
                return
            sample, every = self._sample(), self._seen[1]
            moved = sample != self._seen[0]
            late = self._changing or time.monotonic() - self._last_full_check > FULL_EVERY
            if moved or late or closely:
                every = self._checksums()
                self._last_full_check = time.monotonic()
            self._changing = moved or every != self._seen[1]
            if self._changing:
                changed()  # before `_seen` is set: after an interrupt it is called again
                self._seen = sample, every

    def other_layers(self, closely: bool) -> bool:
        """Return whether the model's layers or their settings are not those that were traced."""
        if self._structure is None:
            return False
        closely = closely or time.monotonic() - self._last_close_look > FULL_EVERY
        if self._structure.changed(closely):
            return True
        if closely:
            self._last_close_look = time.monotonic()
        return False

    @contextmanager
    def checked(self, changed: Callable[[], None], rebuilt: Callable[[], None]) -> Iterator[None]:
        """Check the model now, and turn off `look` in this thread until the block ends."""
        self.look(changed, rebuilt)
        before, self._paused.on = getattr(self._paused, "on", False), True
        try:
            yield
        finally:
            self._paused.on = before


class ScoresError(ValueError):
    """Scores that are NaN or infinite though the weights are finite: those of some photographs."""


def check_scores(
    found: Floats, model: keras.Model, name: str, names: Sequence[str] | None = None
) -> None:
    """Raise an error for NaN or infinite scores that says whether the weights are the cause.

    Scores are (C,), or (N, C) of photographs with these names. The error is a `ScoresError` that
    names the first photograph; with NaN or infinite weights another ValueError.
    """
    finite = np.isfinite(found).reshape(1 if names is None else len(names), -1).all(axis=1)
    if finite.all():
        return
    check_weights(model, name)
    told = "" if names is None else f" for {names[int(finite.argmin())]!r}"
    raise ScoresError(
        f"Network {name!r} {NOT_FINITE}{told}, though its weights are finite: its input or its "
        "arithmetic overflows."
    )
