"""A model's weights: are they finite, have they changed, and how to compute with others.

`WeightWatcher` notices that a model was trained or loaded anew. `PrivateEngine` runs the compiled
functions of another engine on a private copy of its weights, so that weights can be changed for an
experiment without touching the user's model; nothing is rebuilt from a configuration, so it works
for subclassed and nested models alike.
"""

from __future__ import annotations

import copy
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
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
    """One weight of a `PrivateEngine`: its path in the model, and the variable used instead."""

    path: str
    variable: Any

    @property
    def layer(self) -> str:
        """The path of the layer it belongs to."""
        return self.path.rpartition("/")[0]

    def read(self) -> NDArray[Any]:
        """Return its values."""
        return np.asarray(self.variable)

    def write(self, values: NDArray[Any]) -> None:
        """Set its values."""
        self.variable.assign(values)


class PrivateEngine(Engine):
    """An engine that runs the compiled functions of another one on a copy of its weights.

    Attributes
    ----------
    weights : list of Weight
        In the order in which the network reads them, from input to scores.
    """

    def __init__(self, engine: Engine) -> None:
        self.__dict__.update(copy.copy(engine).__dict__)
        self._traces, self._replacements = {}, {}
        self.weights: list[PrivateWeight] = []
        known = {id(weight.value.handle): weight for weight in self.model.weights}
        for handle in engine._observe(()).captured:  # all weights the scores need
            weight = known.get(id(handle))
            if weight is not None:
                variable = self._tf.Variable(weight.value, trainable=False)
                self._replacements[id(handle)] = variable.handle
                self.weights.append(PrivateWeight(weight.path, variable))


#: Seconds between two complete readings of the weights.
FULL_EVERY = 2.0

#: Arrays of up to this many numbers are read completely.
WHOLE = 16_000_000

#: Arrays of up to this many numbers are read together.
SMALL = 1_000_000


def check_weights(model: keras.Model, name: str) -> None:
    """Raise a ValueError for NaN or infinite weights: a ReLU could turn them into zeros."""
    for weight in model.weights:
        values = np.asarray(weight)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(
                f"Network {name!r} is broken: its weights {weight.path!r} hold NaN or infinity."
            )


def checksums(model: keras.Model) -> Callable[[], bytes]:
    """Return a compiled function that computes checksums of all weights of a model.

    For each of the offsets 0 to 63, every 64th 32-bit word is added up (wrapping around): a single
    sum would be the same for shuffled weights. Of arrays with more than `WHOLE` numbers only every
    n-th number is read, n odd.
    """
    import tensorflow as tf

    def words(weight: Any) -> Any:
        values = tf.convert_to_tensor(weight.value)
        step = (values.shape.num_elements() or 0) // WHOLE * 2 + 1
        values = tf.reshape(values, [-1])
        values = values[::step] if step > 1 else values
        values = values if values.dtype == tf.float32 else tf.cast(values, tf.float32)
        return tf.bitcast(values, tf.int32)

    def offset_sums(words: Any) -> Any:
        count = words.shape.num_elements()
        rows = tf.reshape(words[: count - count % 64], [-1, 64])
        ends = tf.pad(words[count - count % 64 :], [[0, 64 - count % 64]])
        return tf.concat([tf.reduce_sum(rows, 0), ends], 0)

    def read() -> Any:
        small = [words(w) for w in model.weights if np.prod(w.shape) <= SMALL]
        large = [words(w) for w in model.weights if np.prod(w.shape) > SMALL]
        return tf.stack([offset_sums(tf.concat([*small, [0]], 0)), *map(offset_sums, large)])

    with TRACE_LOCK:
        compiled = tf.function(read, autograph=False).get_concrete_function()
    return lambda: np.asarray(compiled()).tobytes()


def weights_digest(model: keras.Model) -> str:
    """Return the SHA-256 of a model's weights: path, type, shape and bytes of each, in order."""
    found = hashlib.sha256()
    for weight in model.weights:
        values = np.ascontiguousarray(weight.value)
        found.update(f"{weight.path} {values.dtype} {values.shape} ".encode())
        found.update(values.reshape(-1).view(np.uint8).data)
    return found.hexdigest()


class WeightWatcher:
    """Notices that the weights of a model have changed: it was trained, or weights were loaded.

    Reading all weights takes longer than many questions, so each check reads a few numbers of a
    few weights spread over the network (training and loading change them all), and only the first
    check in `FULL_EVERY` seconds reads everything. A change of a single layer by hand may stay
    unnoticed for that long; `Network.forget` drops old results at once. After a change each check
    reads everything until nothing changes any more: a training step writes one weight after the
    other.
    """

    def __init__(self, model: keras.Model) -> None:
        check_weights = model.weights
        self._few = (
            [check_weights[i] for i in np.linspace(0, len(check_weights) - 1, 8).astype(int)]
            if check_weights
            else []
        )
        self._read_sample: Any = None
        self._checksums = checksums(model)
        self._seen = self._sample(), self._checksums()
        self._last_full_check, self._changing = time.monotonic(), False
        self._paused, self._lock = threading.local(), threading.RLock()

    @property
    def seen(self) -> tuple[bytes, bytes]:
        """Checksums of the weights at the last check: equal for equal weights."""
        return self._seen

    def look(self, changed: Callable[[], None], closely: bool = False) -> None:
        """Call `changed` if the weights have changed since the last check."""
        if getattr(self._paused, "on", False) and not closely:
            return
        with self._lock:  # two threads must not report the same change twice
            few, every = self._sample(), self._seen[1]
            late = self._changing or time.monotonic() - self._last_full_check > FULL_EVERY
            if few != self._seen[0] or late or closely:
                every = self._checksums()
                self._last_full_check = time.monotonic()
            self._changing = (few, every) != self._seen
            if self._changing:
                changed()  # called first, so that an interrupt here repeats it next time
                self._seen = few, every

    def _sample(self) -> bytes:
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
        """Check once now, and not again in this thread until the end of the block."""
        self.look(changed)
        before, self._paused.on = getattr(self._paused, "on", False), True
        try:
            yield
        finally:
            self._paused.on = before


def check_scores(found: Floats, model: keras.Model, name: str) -> None:
    """Raise a ValueError for NaN or infinite scores, which says where they come from."""
    if not np.isfinite(found).all():
        check_weights(model, name)
        raise ValueError(
            f"Network {name!r} computes NaN or infinite scores, though its weights are finite: "
            "its input or its arithmetic overflows."
        )
