"""The interface between attribution methods and a network, for one image.

Methods access the network only through a `Probe`: scores, activations and gradients as NumPy
arrays. No method depends on Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from cnn_widgets.engine.batches import BATCH_SIZE
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.images.bands import uniform_like
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample
from cnn_widgets.telling import stopped

#: Called with (steps done, total steps); the computation is cancelled if it returns False.
Progress = Callable[[int, int], bool | None]

#: The number of progress steps that each part of a compound computation is divided into.
FINE = 100


def partial_progress(progress: Progress | None, number: int, count: int) -> Progress:
    """Return a progress function for part `number` (from 0) of `count` parts of a computation.

    It converts the part's progress to that of the whole and passes it to `progress`. The start of
    the part is reported immediately, because a part may report nothing itself.

    Raises
    ------
    concurrent.futures.CancelledError
        If `progress` returns False, here or later in the function returned.
    """

    def inner(done: int, total: int) -> bool:
        if progress is None:
            return True
        steps = FINE * number + FINE * done // max(total, 1), FINE * count
        if stopped(progress, *steps):
            raise CancelledError(f"Cancelled after {steps[0] / steps[1]:.0%}.")
        return True

    inner(0, 1)
    return inner


@dataclass(frozen=True)
class Probe:
    """Access to one network for one image, one score Y and one layer.

    Attributes
    ----------
    network : Network
    sample : ImageSample
    weights : ndarray of float32, shape (C,)
        The weights of the C classes in Y = Σ_c weights_c · score_c (or probability_c): 1 for the
        class explained, -1 for a class it is compared with.
    layer : str or None
        The layer whose activations are used; None for the network's input.
    target : {"logit", "probability"}
        Whether Y is made of scores before the softmax or probabilities after it.
    progress : callable, optional
        See `step`.
    averaged : bool
        Whether only the mean of the gradients over positions is needed.
    """

    network: Network
    sample: ImageSample
    weights: Floats = field(repr=False)
    layer: str | None
    target: str
    progress: Progress | None = None
    averaged: bool = False

    @cached_property
    def _engine(self) -> Engine:
        return self.network.engine_for(self.sample)

    @cached_property
    def x(self) -> Floats:
        """The preprocessed input, (H, W, C)."""
        return self.network.input_tensor(self.sample)

    @cached_property
    def black(self) -> Floats:
        """A black photograph, preprocessed like the input, (H, W, C)."""
        return self._uniform(0)

    @cached_property
    def grey(self) -> Floats:
        """A mid-grey photograph, preprocessed like the input, (H, W, C)."""
        return self._uniform(127)

    def _uniform(self, level: int) -> Floats:
        uniform: Floats = self.network.input_tensor(uniform_like(self.sample, level))
        return uniform

    def over_input(self, raw: Floats) -> Floats:
        """Return a map (h, w) of the layer as a map (H, W) over the network's input."""
        return self.network.field(self.layer).lay(raw)

    @cached_property
    def _values_and_gradients(self) -> tuple[Floats, Floats]:
        return self.network.gradients(
            self.sample, self.layer, self.weights, self.target, self.averaged
        )

    @property
    def activations(self) -> Floats:
        """The layer's activations A, (h, w, K); without a layer the input x, (H, W, C)."""
        return self._values_and_gradients[0]

    @property
    def gradients(self) -> Floats:
        """dY/dA, (h, w, K), or its mean (1, 1, K) if `averaged`; without a layer dY/dx."""
        return self._values_and_gradients[1]

    def score(self, x: Floats) -> Floats:
        """Return Y of a batch of inputs (N, H, W, C), shape (N,)."""
        seen = self._engine.observe(np.ascontiguousarray(x, np.float32), ())
        return self._y(seen.scores, seen.probabilities)

    def tail(self, activations: Floats) -> Floats:
        """Return Y, shape (N,), with the layer's output replaced by activations (N, h, w, K)."""
        if self.layer is None:
            raise ValueError("This probe looks at no layer.")
        # Skip connections around the layer need the input
        x = np.repeat(self.x[None], len(activations), axis=0)
        return self._y(*self._engine.tail_scores(self.layer, x, activations))

    def gradient(self, x: Floats) -> Floats:
        """Return dY/dx, (N, H, W, C), of a batch of inputs (N, H, W, C)."""
        return self._backward(x)

    def guided_gradient(self) -> Floats:
        """Return dY/dx, (H, W, C), with ReLUs that pass back positive gradients only."""
        return np.asarray(self._backward(self.x[None], guided=True)[0])

    def _backward(self, x: Floats, guided: bool = False) -> Floats:
        weights = np.repeat(self.weights[None], len(x), axis=0)
        given = np.ascontiguousarray(x, np.float32)
        return self._engine.gradients((), self.target, given, weights, guided)[0]

    def step(self, done: int, total: int) -> None:
        """Report the progress; raise CancelledError if the progress function returns False."""
        if stopped(self.progress, done, total):
            raise CancelledError(f"Cancelled after {done} of {total} steps.")

    def batches(self, count: int) -> Iterator[range]:
        """Yield the numbers 0 to `count` - 1 as ranges of at most one batch."""
        size = self.network.batch or BATCH_SIZE
        for start in range(0, count, size):
            yield range(start, min(start + size, count))

    def _y(self, scores: Floats, probabilities: Floats) -> Floats:
        values = scores if self.target == "logit" else probabilities
        return np.asarray(values @ self.weights, np.float32)
