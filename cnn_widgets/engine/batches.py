"""Runs samples through an engine: one at a time with cached results, or lists in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from cnn_widgets.engine import weights
from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.engine.compiled import Engine, Observation
from cnn_widgets.engine.model_inputs import ModelInput
from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.records import Floats, ImageSample

#: Images that go through the network at once. More are hardly faster on a CPU (measured: within
#: a tenth per image from 8 to 32) and take memory that a small kernel does not have.
BATCH_SIZE = 8


class BatchRunner:
    """Runs samples through one engine, and keeps the results of recent ones.

    Parameters
    ----------
    engine : Engine
    model_input : ModelInput
    max_bytes : int
        How much memory the results of recent images may take.
    name : str
        Of the network, for messages.
    """

    def __init__(self, engine: Engine, model_input: ModelInput, max_bytes: int, name: str) -> None:
        self.engine, self.model_input, self.name = engine, model_input, name
        self.cache: ByteCache[Any] = ByteCache(max_bytes)

    # --- one image, cached --------------------------------------------------------------------

    def observe(self, sample: ImageSample, layer: str | None = None) -> Observation:
        """Return scores, and the activations of a whole group of layers, of one sample (cached).

        The groups are the browsed layers, and every other kind of layer by itself: one pass and
        one trace serve all the layers a slider can reach.
        """
        group = self._layers_observed_with(layer)
        key = ("observe", sample.key, group)
        age = self.cache.age
        found: Observation | None = self.cache.get(key)
        if found is None:
            found = self.engine.observe(self.prepare([sample]), group).at(0)
            self._check_scores(found)
            self.cache.put(key, found, found.arrays(), age, "observe")
        return found

    def _layers_observed_with(self, layer: str | None) -> tuple[str, ...] | None:
        """Return the layers that are observed together with one; None: the browsed ones."""
        if layer is None or layer in self.engine.browsed_layers():
            return None
        kind = self.engine.layer_table.find(layer).kind
        return tuple(info.name for info in self.engine.layers if info.kind == kind)

    def gradient(
        self,
        sample: ImageSample,
        layer: str | None,
        weights: Floats,
        target: str,
        averaged: bool = False,
    ) -> tuple[Floats, Floats]:
        """Return (A, dY/dA) of one sample, computed from cached results as far as possible.

        Parameters
        ----------
        weights : ndarray, shape (1, C)
        averaged : bool
            Whether only the mean of dY/dA over positions is wanted, (1, 1, K).
        """
        engine, x, age = self.engine, self.prepare([sample]), self.cache.age
        if layer is None:
            return x[0], engine.gradients((), target, x, weights)[0][0]
        seen = self.observe(sample, layer)
        activations = seen.activations[layer][None]
        group = self._layers_observed_with(layer) or engine.browsed_layers()
        key = ("gradients", sample.key, group, weights.tobytes(), target, averaged)
        found: dict[str, Floats] | None = self.cache.get(key)
        if found is None and layer == engine.default_layer:
            gradients = engine.tail_gradients(layer, target, x, activations, weights, averaged)
            return activations[0], gradients[0]
        if found is None:
            known = [seen.tensors[name] for name in group]
            arrays = engine.gradients(group, target, x, weights, averaged=averaged, known=known)
            found = dict(zip(group, (array[0] for array in arrays), strict=True))
            self.cache.put(key, found, arrays, age, "gradients")
        return activations[0], found[layer]

    # --- batches, streamed --------------------------------------------------------------------

    def gradients(
        self,
        samples: Iterable[ImageSample],
        layer: str | None,
        weigh: Callable[[Floats, slice], Floats],
        target: str,
        averaged: bool = False,
    ) -> Iterator[tuple[Sequence[ImageSample], Observation, Floats, Floats]]:
        """Yield, batch by batch, samples, what is observed, A and dY/dA (x and dY/dx at no layer).

        Parameters
        ----------
        samples : iterable
            Drawn from, in a thread of its own, as they are needed.
        weigh : callable
            From the scores of a batch and its place among the samples to Y's weights, (n, C).
        """
        layers, start = () if layer is None else (layer,), 0
        for some, x in self._prepared_batches(samples):
            seen = self._observe_batch(some, x, layers)
            weights = weigh(seen.scores, slice(start, start + len(some)))
            start += len(some)
            if layer is None:
                yield some, seen, x, self.engine.gradients((), target, x, weights)[0]
            else:
                a = seen.activations[layer]
                yield (
                    some,
                    seen,
                    a,
                    self.engine.tail_gradients(layer, target, x, a, weights, averaged),
                )

    def all_gradients(
        self,
        samples: Sequence[ImageSample],
        layer: str | None,
        weights: Floats,
        target: str,
        averaged: bool,
    ) -> tuple[Floats, Floats]:
        """Return (A, dY/dA) of all samples, (N, ...) each, for weights (N, C) of Y."""
        found = self.gradients(samples, layer, lambda _, some: weights[some], target, averaged)
        values, gradients = zip(*(part[2:] for part in found), strict=True)
        return np.concatenate(values), np.concatenate(gradients)

    def scores(self, samples: Sequence[ImageSample]) -> tuple[Floats, Floats]:
        """Return scores and probabilities of any number of samples, (N, C) each; kept."""
        known = [self.cache.get(("scores", sample.key)) for sample in samples]
        pairs: list[tuple[Floats, Floats]] = [pair for pair in known if pair is not None]
        if not pairs or len(pairs) < len(known):
            pairs = []
            for some, x in self._prepared_batches(samples):
                seen = self._observe_batch(some, x, ())
                pairs += zip(seen.scores, seen.probabilities, strict=True)
        return np.stack([scores for scores, _ in pairs]), np.stack([each for _, each in pairs])

    def activations(self, samples: Sequence[ImageSample], layer: str) -> Floats:
        """Return a layer's output for any number of samples, (N, ...)."""
        return np.concatenate(
            [self._observe_batch(some, x, (layer,)).activations[layer] for some, x in self._prepared_batches(samples)]
        )

    def _observe_batch(
        self, samples: Sequence[ImageSample], x: Floats, layers: tuple[str, ...]
    ) -> Observation:
        """Observe a batch and cache its scores, so that asking for them again needs no pass."""
        age = self.cache.age
        seen = self.engine.observe(x, layers)
        self._check_scores(seen)
        for sample, *found in zip(samples, seen.scores, seen.probabilities, strict=True):
            self.cache.put(("scores", sample.key), tuple(found), found, age)
        return seen

    def _prepared_batches(
        self, samples: Iterable[ImageSample]
    ) -> Iterator[tuple[Sequence[ImageSample], Floats]]:
        """Yield batches and their inputs; the next batch is prepared in a thread meanwhile."""
        if isinstance(samples, Sequence) and not samples:
            raise ValueError("Expected at least one image. Received an empty list.")
        waiting, size = iter(samples), self.model_input.batch or BATCH_SIZE

        def ready() -> tuple[Sequence[ImageSample], Floats] | None:
            some = list(islice(waiting, size))
            return (some, self.prepare(some)) if some else None

        with ThreadPoolExecutor(1, "cnn-widgets-prepare") as pool:
            coming = pool.submit(ready)
            while (batch := coming.result()) is not None:
                coming = pool.submit(ready)
                yield batch

    # --- compiling ahead of questions ---------------------------------------------------------

    def warm_up_steps(self, every_layer: bool = False) -> Iterator[None]:
        """Run the usual questions once on a grey picture, so that they are compiled ahead of use.

        The first use of a method costs half a second of compiling and a dozen megabytes; a class or
        a photograph costs little. So the quick methods are compiled, for the score before the
        softmax; every kind of layer only on request. One step per item yielded; results are not
        cached.
        """
        engine, default = self.engine, self.engine.default_layer
        x = self.model_input.prepare(np.full((1, *self.model_input.shape), 127, np.uint8))
        weights = np.eye(1, engine.head.classes, dtype=np.float32)
        seen, names = engine.observe(x, None), engine.browsed_layers()
        known = [seen.tensors[name] for name in names]
        for averaged in (True, False) if default is not None else ():
            place = str(default)
            engine.gradients(names, "logit", x, weights, averaged=averaged, known=known)
            yield
            engine.tail_gradients(place, "logit", x, seen.activations[place], weights, averaged)
            yield
        engine.gradients((), "logit", x, weights)
        yield
        spatial = engine.layer_table.spatial if every_layer else ()
        for group in dict.fromkeys(self._layers_observed_with(info.name) for info in spatial):
            engine.observe(x, group)
            yield

    # --- model input --------------------------------------------------------------------------

    def prepare(self, samples: Sequence[ImageSample]) -> Floats:
        """Return the model input of a batch; that of a single image is cached."""
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
        size, channels = self.model_input.size, self.model_input.channels
        return self.model_input.prepare(
            np.stack([resize_to_input(each, size, channels) for each in samples])
        )

    def _check_scores(self, seen: Observation) -> None:
        weights.check_scores(seen.scores, self.engine.model, self.name)
