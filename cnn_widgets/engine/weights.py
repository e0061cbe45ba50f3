"""A model's weights: checking that they are finite, noticing changes, computing with a copy.

`WeightWatcher` notices that a model was trained or that weights were loaded. `PrivateEngine` runs
the graph of another engine on a copy of the weights, so that an experiment can change weights
without changing the user's model. No model is rebuilt from its configuration, so this works for
subclassed and nested models, too.
"""

from __future__ import annotations

import copy
import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.taps import TRACE_LOCK
from cnn_widgets.records import Floats

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class PrivateWeight:
    """One weight of a `PrivateEngine`.

    Attributes
    ----------
    path : str
        The weight's path in the model.
    variable : tf.Variable
        The copy that the engine reads in place of the model's weight.
    """

    path: str
    variable: Any

    @property
    def layer(self) -> str:
        """The path of the layer that the weight belongs to."""
        return self.path.rpartition("/")[0]

    def read(self) -> NDArray[Any]:
        """Return the values of the copy."""
        return np.asarray(self.variable)

    def write(self, values: NDArray[Any]) -> None:
        """Set the values of the copy, in the weight's own shape."""
        self.variable.assign(values)


class PrivateEngine(Engine):
    """An engine with the traced graph of another one and its own copy of the weights.

    Parameters
    ----------
    engine : Engine
        The engine to copy; it and its model are not changed.

    Attributes
    ----------
    weights : list of PrivateWeight
        The weights that the scores depend on, in the order in which the graph reads them, from
        input to scores.
    """

    def __init__(self, engine: Engine) -> None:
        self.__dict__.update(copy.copy(engine).__dict__)
        self._traces, self.replacements = {}, {}
        self.weights: list[PrivateWeight] = []
        known = {id(weight.value.handle): weight for weight in self.model.weights}
        for handle in engine._observe(()).captured:  # without layers: only what the scores need
            weight = known.get(id(handle))
            if weight is not None:
                variable = self._tf.Variable(weight.value, trainable=False)
                self.replacements[id(handle)] = variable.handle
                self.weights.append(PrivateWeight(weight.path, variable))


#: Seconds between two checks that read all weights.
FULL_EVERY = 2.0

#: Arrays of up to this many numbers are read completely for a checksum, larger ones in part.
WHOLE = 16_000_000

#: Arrays of up to this many numbers are concatenated for one common checksum.
SMALL = 1_000_000
#: Part of the message of `ScoresError`, by which an answer that was kept tells of it.
NOT_FINITE = "computes NaN or infinite scores"


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
    """Return a compiled function that returns the checksums of all weights of a model as bytes.

    The weights are read as 32-bit words. For each offset from 0 to 63, every 64th word is summed
    modulo 2^32; one sum of all words would not change if weights were shuffled. Of arrays with more
    than `WHOLE` numbers only every n-th number is read, with n odd.
    """
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
    """Notices that the weights of a model have changed by training or by loading.

    Reading all weights may take longer than the computation that follows. So each check reads the
    last 64 numbers of 8 weights spread over the network, which training and loading change, and
    only one check in `FULL_EVERY` seconds reads all weights. A change to a single layer may remain
    unnoticed for that time; `Network.forget` drops old results at once. After a change, each check
    reads all weights until they no longer change, because a training step in another thread writes
    one weight after the other.

    Parameters
    ----------
    model : keras.Model
    """

    def __init__(self, model: keras.Model) -> None:
        every = model.weights
        self._few = (
            [every[i] for i in np.linspace(0, len(every) - 1, 8).astype(int)] if every else []
        )
        self._read_sample: Any = None
        self._checksums = checksums(model)
        self._seen = self._sample(), self._checksums()
        self._last_full_check, self._changing = time.monotonic(), False
        self._paused, self._lock = threading.local(), threading.RLock()

    @property
    def seen(self) -> tuple[bytes, bytes]:
        """The sampled numbers and the checksums of the weights at the last check, as bytes."""
        return self._seen

    def look(self, changed: Callable[[], None], closely: bool = False) -> None:
        """Call `changed` if the weights have changed since the last check.

        If `closely`, all weights are read, even inside a block of `weights_checked`.
        """
        if getattr(self._paused, "on", False) and not closely:
            return
        with self._lock:  # otherwise two threads could report the same change
            sample, every = self._sample(), self._seen[1]
            late = self._changing or time.monotonic() - self._last_full_check > FULL_EVERY
            if sample != self._seen[0] or late or closely:
                every = self._checksums()
                self._last_full_check = time.monotonic()
            self._changing = (sample, every) != self._seen
            if self._changing:
                changed()  # before `_seen` is set: after an interrupt it is called again
                self._seen = sample, every

    def _sample(self) -> bytes:
        """Return the last 64 numbers of each sampled weight as bytes, by a compiled function."""
        if not self._few:
            return b""
        if self._read_sample is None:
            import tensorflow as tf

            def few() -> Any:
                ends = [tf.reshape(weight.value, [-1])[-64:] for weight in self._few]
                return tf.concat([tf.cast(end, tf.float64) for end in ends], 0)

            with TRACE_LOCK:
                self._read_sample = tf.function(few, autograph=False).get_concrete_function()
        return np.asarray(self._read_sample()).tobytes()

    @contextmanager
    def weights_checked(self, changed: Callable[[], None]) -> Iterator[None]:
        """Check the weights now, and turn off `look` in this thread until the block ends."""
        self.look(changed)
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
