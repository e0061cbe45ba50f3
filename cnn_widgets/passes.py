"""Samples through an engine: prepared, one at a time and kept, or many in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from cnn_widgets import checks
from cnn_widgets.cache import ByteCache
from cnn_widgets.engine import Engine
from cnn_widgets.images import fit_to
from cnn_widgets.intake import Intake
from cnn_widgets.observation import Observation
from cnn_widgets.records import Floats, ImageSample

#: Images that go through the network at once. More are hardly faster on a CPU (measured: within
#: a tenth per image from 8 to 32) and take memory that a small kernel does not have.
BATCH = 8


class Passes:
    """Runs samples through one engine, and keeps the results of recent ones.

    Parameters
    ----------
    engine : Engine
    intake : Intake
    max_bytes : int
        How much memory the results of recent images may take.
    name : str
        Of the network, for messages.
    """

    def __init__(self, engine: Engine, intake: Intake, max_bytes: int, name: str) -> None:
        self.engine, self.intake, self.name = engine, intake, name
        self.cache: ByteCache[Any] = ByteCache(max_bytes)

    # --- one image, cached --------------------------------------------------------------------

    def observe(self, sample: ImageSample, layer: str | None = None) -> Observation:
        """Return scores, and the activations of a whole group of layers, of one sample (cached).

        The groups are the browsed layers, and every other kind of layer by itself: one pass and
        one trace serve all the layers a slider can reach.
        """
        layers = self.engine.layers
        browsed = layer is None or layer in self.engine.browsed()
        group = None if browsed or layer is None else self.engine.anatomy.find(layer).kind
        key = ("observe", sample.key, group)
        found: Observation | None = self.cache.get(key)
        if found is None:
            names = tuple(info.name for info in layers if info.kind == group) or None
            found = self.engine.observe(self.prepare([sample]), names).at(0)
            self._check(found)
            self.cache.put(key, found, found.arrays())
        return found

    def gradient(
        self,
        sample: ImageSample,
        layer: str | None,
        weights: Floats,
        target: str,
        averaged: bool = False,
    ) -> tuple[Floats, Floats]:
        """Return (A, dY/dA) of one sample, from what is known of it as far as possible.

        Parameters
        ----------
        weights : ndarray, shape (1, C)
        averaged : bool
            Whether only the mean of dY/dA over positions is wanted, (1, 1, K).
        """
        engine, x = self.engine, self.prepare([sample])
        if layer is None:
            return x[0], engine.backward((), target, x, weights)[0][0]
        browsed = engine.browsed()
        if layer not in browsed:
            activations = engine.observe(x, (layer,)).activations[layer]
            gradients = engine.tail(layer, target, x, activations, weights, averaged)
            return activations[0], gradients[0]
        seen = self.observe(sample)
        activations = seen.activations[layer][None]
        key = ("backward", sample.key, weights.tobytes(), target, averaged)
        found: dict[str, Floats] | None = self.cache.get(key)
        if found is None and layer == engine.default_layer:
            gradients = engine.tail(layer, target, x, activations, weights, averaged)
            return activations[0], gradients[0]
        if found is None:
            known = [seen.tensors[name] for name in browsed]
            arrays = engine.backward(browsed, target, x, weights, averaged=averaged, known=known)
            found = dict(zip(browsed, (array[0] for array in arrays), strict=True))
            self.cache.put(key, found, arrays)
        return activations[0], found[layer]

    # --- batches, streamed --------------------------------------------------------------------

    def gradients(
        self,
        samples: Sequence[ImageSample],
        layer: str | None,
        weigh: Callable[[Floats, slice], Floats],
        target: str,
        averaged: bool = False,
    ) -> Iterator[tuple[Observation, Floats, Floats]]:
        """Yield, batch by batch, what is observed, A and dY/dA (x and dY/dx at no layer).

        Parameters
        ----------
        weigh : callable
            From the scores of a batch and its place among the samples to Y's weights, (n, C).
        """
        layers = () if layer is None else (layer,)
        for some, x in self._prepared(samples):
            seen = self._known(samples[some], self.engine.observe(x, layers))
            weights = weigh(seen.scores, some)
            if layer is None:
                yield seen, x, self.engine.backward((), target, x, weights)[0]
            else:
                a = seen.activations[layer]
                yield seen, a, self.engine.tail(layer, target, x, a, weights, averaged)

    def scores(self, samples: Sequence[ImageSample]) -> tuple[Floats, Floats]:
        """Return scores and probabilities of any number of samples, (N, C) each; kept."""
        known = [self.cache.get(("scores", sample.key)) for sample in samples]
        pairs: list[tuple[Floats, Floats]] = [pair for pair in known if pair is not None]
        if not pairs or len(pairs) < len(known):
            pairs = []
            for some, x in self._prepared(samples):
                seen = self._known(samples[some], self.engine.observe(x, ()))
                pairs += zip(seen.scores, seen.probabilities, strict=True)
        return np.stack([scores for scores, _ in pairs]), np.stack([each for _, each in pairs])

    def activations(self, samples: Sequence[ImageSample], layer: str) -> Floats:
        """Return a layer's output for any number of samples, (N, ...)."""
        return np.concatenate(
            [
                self._known(samples[some], self.engine.observe(x, (layer,))).activations[layer]
                for some, x in self._prepared(samples)
            ]
        )

    def _known(self, samples: Sequence[ImageSample], seen: Observation) -> Observation:
        """Check a batch's scores and keep them: a next question about it needs no pass."""
        self._check(seen)
        for sample, *found in zip(samples, seen.scores, seen.probabilities, strict=True):
            self.cache.put(("scores", sample.key), tuple(found), found)
        return seen

    def _prepared(self, samples: Sequence[ImageSample]) -> Iterator[tuple[slice, Floats]]:
        """Yield the batches and their inputs; the next one is made ready meanwhile."""
        waiting = self.chunks(len(samples))
        with ThreadPoolExecutor(1, "cnn-widgets-prepare") as pool:
            ready = pool.submit(self.prepare, samples[waiting[0]])
            for number, some in enumerate(waiting):
                x = ready.result()
                if number + 1 < len(waiting):
                    ready = pool.submit(self.prepare, samples[waiting[number + 1]])
                yield some, x

    def chunks(self, count: int) -> list[slice]:
        """Return the batches that `count` samples go in."""
        if not count:
            raise ValueError("Expected at least one image. Received an empty list.")
        step = self.intake.batch or BATCH
        return [slice(start, start + step) for start in range(0, count, step)]

    # --- small things -------------------------------------------------------------------------

    def prepare(self, samples: Sequence[ImageSample]) -> Floats:
        """Return the input of a batch; that of one image is kept, a slider asks for it often."""
        if len(samples) > 1:
            return self._fresh(samples)
        key = ("input", samples[0].key)
        found: Floats | None = self.cache.get(key)
        if found is None:
            found = self._fresh(samples)
            found.flags.writeable = False
            self.cache.put(key, found, [found])
        return found

    def _fresh(self, samples: Sequence[ImageSample]) -> Floats:
        size, channels = self.intake.size, self.intake.channels
        return self.intake.prepare(np.stack([fit_to(each, size, channels) for each in samples]))

    def _check(self, seen: Observation) -> None:
        checks.scores(seen.scores, self.engine.model, self.name)
