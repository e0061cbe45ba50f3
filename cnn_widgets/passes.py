"""Samples through an engine: prepared, one at a time and kept, or many in batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_widgets import checks
from cnn_widgets.cache import ByteCache
from cnn_widgets.engine import Engine
from cnn_widgets.images import fit_to
from cnn_widgets.intake import Intake
from cnn_widgets.observation import Observation
from cnn_widgets.records import Floats, ImageSample

#: Images that go through the network at once when a list is given.
BATCH = 32


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
        group = None if browsed else next(info.kind for info in layers if info.name == layer)
        key = ("observe", sample.key, group)
        found: Observation | None = self.cache.get(key)
        if found is None:
            names = tuple(info.name for info in layers if info.kind == group) or None
            found = self.engine.observe(self.prepare([sample]), names).at(0)
            self._check(found)
            self.cache.put(key, found, found.arrays())
        return found

    def gradient(
        self, sample: ImageSample, layer: str | None, weights: Floats, target: str
    ) -> tuple[Floats, Floats]:
        """Return (A, dY/dA) of one sample, from what is known of it as far as possible.

        Parameters
        ----------
        weights : ndarray, shape (1, C)
        """
        engine = self.engine
        if layer is None or (layer != engine.default_layer and layer not in engine.browsed()):
            activations, gradients = self.gradients([sample], layer, weights, target)
            return activations[0], gradients[0]
        x, activations = self.prepare([sample]), self.observe(sample, layer).activations[layer]
        if layer == engine.default_layer:
            gradients = engine.tail(layer, target, x, activations[None], weights)
            return activations, gradients[0]
        key = ("backward", sample.key, weights.tobytes(), target)
        found: dict[str, Floats] | None = self.cache.get(key)
        if found is None:
            layers = engine.browsed()
            arrays = [array[0] for array in engine.backward(layers, target, x, weights)]
            found = dict(zip(layers, arrays, strict=True))
            self.cache.put(key, found, arrays)
        return activations, found[layer]

    # --- batches, streamed --------------------------------------------------------------------

    def gradients(
        self, samples: Sequence[ImageSample], layer: str | None, weights: Floats, target: str
    ) -> tuple[Floats, Floats]:
        """Return (A, dY/dA) of one batch; (x, dY/dx) where there is no layer."""
        x = self.prepare(samples)
        if layer is None:
            return x, self.engine.backward((), target, x, weights)[0]
        activations = self.engine.observe(x, (layer,)).activations[layer]
        return activations, self.engine.tail(layer, target, x, activations, weights)

    def batched(self, samples: Sequence[ImageSample], layers: tuple[str, ...]) -> Observation:
        """Return what is observed of any number of samples at the layers named."""
        parts = [
            self.engine.observe(self.prepare(samples[some]), layers)
            for some in self.chunks(len(samples))
        ]
        seen = Observation(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.probabilities for part in parts]),
            {name: np.concatenate([part.activations[name] for part in parts]) for name in layers},
            {},
        )
        self._check(seen)
        return seen

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
