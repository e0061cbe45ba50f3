"""What a method may ask of a network about one image: its only window on the network.

Methods stay pure functions of arrays and of these few questions; no method sees Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cnn_widgets.engine.batches import BATCH_SIZE
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

#: Is told (steps done, steps in all); returning False cancels.
Progress = Callable[[int, int], bool | None]

#: Into how many steps each part of a compound computation is divided.
FINE = 100


def partial_progress(progress: Progress | None, number: int, count: int) -> Progress:
    """Return the progress of one part, the `number`-th of `count`, of a larger computation.

    It tells the whole's progress at once: a part may report nothing of its own. A CancelledError
    ends it where the answer is False.
    """

    def inner(done: int, total: int) -> bool:
        if progress is None:
            return True
        steps = FINE * number + FINE * done // max(total, 1), FINE * count
        if progress(*steps) is False:
            raise CancelledError(f"Cancelled after {steps[0] / steps[1]:.0%}.")
        return True

    inner(0, 1)
    return inner


@dataclass(frozen=True)
class Probe:
    """One image, one score Y, one layer, one network.

    Attributes
    ----------
    weights : ndarray of float32, shape (C,)
        Y = Σ_c weights_c · score_c (or probability_c): 1 for one class, and -1 to contrast.
    layer : str or None
        Where activations are taken.
    averaged : bool
        Whether the gradients' mean over positions is enough.
    """

    network: Network
    sample: ImageSample
    weights: Floats = field(repr=False)
    layer: str | None
    target: str
    progress: Progress | None = None
    averaged: bool = False

    @cached_property
    def x(self) -> Floats:
        """The preprocessed input, (H, W, C)."""
        return self.network.input_tensor(self.sample)

    @cached_property
    def black(self) -> Floats:
        """A black photograph, preprocessed as the input is, (H, W, C)."""
        return self._plain(0)

    @cached_property
    def grey(self) -> Floats:
        """A mid-grey photograph, preprocessed as the input is, (H, W, C)."""
        return self._plain(127)

    def _plain(self, level: int) -> Floats:
        pixels = np.full((*self.network.input_size, 3), level, np.uint8)
        plain: Floats = self.network.input_tensor(ImageSample(pixels))
        return plain

    @cached_property
    def _pair(self) -> tuple[Floats, Floats]:
        return self.network.gradients(
            self.sample, self.layer, self.weights, self.target, self.averaged
        )

    @property
    def activations(self) -> Floats:
        """The layer's activations A, (h, w, K); x where there is no layer."""
        return self._pair[0]

    @property
    def gradients(self) -> Floats:
        """dY/dA, (h, w, K); dY/dx where there is no layer."""
        return self._pair[1]

    def score(self, x: Floats) -> Floats:
        """Return Y of a batch of inputs (N, H, W, C), shape (N,)."""
        seen = self.network.engine.observe(np.ascontiguousarray(x, np.float32), ())
        return self._y(seen.scores, seen.probabilities)

    def tail(self, activations: Floats) -> Floats:
        """Return Y of a batch of activations (N, h, w, K) put in the layer's place, shape (N,)."""
        if self.layer is None:
            raise ValueError("This probe looks at no layer.")
        x = np.repeat(self.x[None], len(activations), axis=0)  # for skips beside the layer
        return self._y(*self.network.engine.tail_scores(self.layer, x, activations))

    def gradient(self, x: Floats) -> Floats:
        """Return dY/dx of a batch of inputs, (N, H, W, C)."""
        return self._backward(x)

    def guided_gradient(self) -> Floats:
        """Return dY/dx with guided ReLUs, (H, W, C)."""
        return np.asarray(self._backward(self.x[None], guided=True)[0])

    def _backward(self, x: Floats, guided: bool = False) -> Floats:
        weights = np.repeat(self.weights[None], len(x), axis=0)
        given = np.ascontiguousarray(x, np.float32)
        return self.network.engine.gradients((), self.target, given, weights, guided)[0]

    def step(self, done: int, total: int) -> None:
        """Tell the progress; raise CancelledError if the answer is False."""
        if self.progress is not None and self.progress(done, total) is False:
            raise CancelledError(f"Cancelled after {done} of {total} steps.")

    def batches(self, count: int) -> Iterator[range]:
        """Yield the numbers below `count` in batches."""
        size = self.network.batch or BATCH_SIZE
        for start in range(0, count, size):
            yield range(start, min(start + size, count))

    def _y(self, scores: Floats, probabilities: Floats) -> Floats:
        values = scores if self.target == "logit" else probabilities
        return np.asarray(values @ self.weights, np.float32)
