"""Runs samples through an engine: single samples with cached results, lists in batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from cnn_widgets.analysis.paths import no_path
from cnn_widgets.engine import weights
from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.preparing import Preparation
from cnn_widgets.images.network_input import ModelInput
from cnn_widgets.records import Floats, ImageSample, Observation

#: Images per batch. On a CPU larger batches are hardly faster (measured from 8 to 32: less than
#: 10 % per image), and they need more memory than a small notebook server has.
BATCH_SIZE = 8


class BatchRunner:
    """Runs samples through one engine, and caches the results of recent single samples.

    Parameters
    ----------
    engine : Engine
        The compiled network.
    model_input : ModelInput
        The description of its input, by which samples are prepared.
    max_bytes : int
        The limit of the cache in bytes.
    name : str
        The network's name in error messages.
    """

    def __init__(self, engine: Engine, model_input: ModelInput, max_bytes: int, name: str) -> None:
        self.engine, self.model_input, self.name = engine, model_input, name
        self.cache: ByteCache[Any] = ByteCache(max_bytes)
        self.preparation = Preparation(model_input, name)

    def clear(self) -> None:
        """Drop all cached results."""
        self.cache.clear()
        self.preparation.clear()

    # --- one image, cached --------------------------------------------------------------------

    def observe(self, sample: ImageSample, layer: str | None = None) -> Observation:
        """Return the scores of one sample, and activations of a layer and related ones (cached).

        All browsed layers are computed together, and otherwise all layers of the same kind. Thus
        one forward pass of one compiled function covers every layer that a slider can select.

        Parameters
        ----------
        layer : str, optional
            A layer that the observation must contain; None means the browsed layers.

        Raises
        ------
        ValueError
            If the layer is unknown, or the scores are NaN or infinite.
        """
        group = self._layers_observed_with(layer)
        key = ("observe", sample.key, group)
        age = self.cache.age
        found: Observation | None = self.cache.get(key)
        if found is None:
            found = self.engine_for([sample]).observe(self.prepare([sample]), group).at(0)
            self._check_scores(found, [sample])
            self.cache.put(key, found, found.arrays(), age, "observe")
        return found

    def _layers_observed_with(self, layer: str | None) -> tuple[str, ...] | None:
        """Return the names of all layers of a layer's kind, or None for the browsed layers."""
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
        """Return a layer's output A (h, w, K) and dY/dA of one sample, using cached results.

        Parameters
        ----------
        layer : str or None
            None means the model input (H, W, C) in place of a layer's output.
        weights : ndarray, shape (1, C)
            The weights of the scores in Y = Σ weights · scores.
        target : {"logit", "probability"}
            Whether Y is made of scores or of probabilities.
        averaged : bool
            Whether to return the mean of dY/dA over positions, of shape (1, 1, K).
        """
        engine, x, age = self.engine_for([sample]), self.prepare([sample]), self.cache.age
        if layer is None:
            return x[0], engine.gradients((), target, x, weights)[0][0]
        seen = self.observe(sample, layer)
        activations = seen.activations[layer][None]
        group = self._layers_observed_with(layer) or engine.browsed_layers()
        key = ("gradients", sample.key, group, weights.tobytes(), target, averaged)
        found: dict[str, Floats] | None = self.cache.get(key)
        if found is None and layer == engine.default_layer:
            gradients = engine.tail_gradients(layer, target, x, activations, weights, averaged)
            return activations[0], self._used(layer, gradients)[0]
        if found is None:
            group = tuple(dict.fromkeys((*engine.reached(group, target), layer)))
            known = [seen.tensors[name] for name in group]
            arrays = engine.gradients(group, target, x, weights, averaged=averaged, known=known)
            found = dict(zip(group, (array[0] for array in arrays), strict=True))
            self.cache.put(key, found, arrays, age, "gradients")
        return activations[0], self._used(layer, found[layer])

    def _used(self, layer: str, gradients: Floats) -> Floats:
        """Return a map's gradients; a ValueError if the score reads only its class token."""
        why = self.engine.unused(layer)
        if why is not None and not gradients.any():
            raise no_path(f"layer {layer!r}", why)
        return gradients

    # --- batches, streamed --------------------------------------------------------------------

    def gradients(
        self,
        samples: Iterable[ImageSample],
        layer: str | None,
        weigh: Callable[[Floats, slice], Floats],
        target: str,
        averaged: bool = False,
    ) -> Iterator[tuple[Sequence[ImageSample], Observation, Floats, Floats]]:
        """Yield (samples, observation, A, dY/dA) of each batch; without a layer, x and dY/dx.

        Parameters
        ----------
        samples : iterable of ImageSample
            Consumed one batch ahead, in another thread.
        layer : str or None
            The layer whose output is A.
        weigh : callable
            Takes a batch's scores (n, C) and its slice of the samples, and returns the weights
            (n, C) of Y = Σ weights · scores.
        target, averaged
            As for `gradient`.
        """
        layers, start = () if layer is None else (layer,), 0
        for some, x in self._prepared_batches(samples):
            seen, engine = self._observe_batch(some, x, layers), self.engine_for(some)
            weights = weigh(seen.scores, slice(start, start + len(some)))
            start += len(some)
            if layer is None:
                yield some, seen, x, engine.gradients((), target, x, weights)[0]
            else:
                a = seen.activations[layer]
                found = engine.tail_gradients(layer, target, x, a, weights, averaged)
                yield some, seen, a, self._used(layer, found)

    def all_gradients(
        self,
        samples: Sequence[ImageSample],
        layer: str | None,
        weights: Floats,
        target: str,
        averaged: bool,
    ) -> tuple[Floats, Floats]:
        """Return A and dY/dA of all samples, each (N, ...), for the weights (N, C) of Y."""
        found = self.gradients(samples, layer, lambda _, some: weights[some], target, averaged)
        values, gradients = zip(*(part[2:] for part in found), strict=True)
        return np.concatenate(values), np.concatenate(gradients)

    def scores(self, samples: Sequence[ImageSample]) -> tuple[Floats, Floats]:
        """Return scores and probabilities of any number of samples, each (N, C); cached."""
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
            [
                self._observe_batch(some, x, (layer,)).activations[layer]
                for some, x in self._prepared_batches(samples)
            ]
        )

    def _observe_batch(
        self, samples: Sequence[ImageSample], x: Floats, layers: tuple[str, ...]
    ) -> Observation:
        """Return the observation of a batch, and cache its scores for later calls of `scores`."""
        age = self.cache.age
        seen = self.engine_for(samples).observe(x, layers)
        self._check_scores(seen, samples)
        for sample, *found in zip(samples, seen.scores, seen.probabilities, strict=True):
            self.cache.put(("scores", sample.key), tuple(found), found, age)
        return seen

    def _prepared_batches(
        self, samples: Iterable[ImageSample]
    ) -> Iterator[tuple[Sequence[ImageSample], Floats]]:
        """Yield (samples, model input) of each batch; a thread prepares the next one meanwhile."""
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

    # --- compiling ahead of use ---------------------------------------------------------------

    def warm_up_steps(self, every_layer: bool = False) -> Iterator[None]:
        """Run the usual computations once on a grey picture, so that they are compiled in advance.

        The first use of an attribution method takes about 0.5 s and 12 MB to compile its function,
        which then serves every class and photograph. Compiled are the functions of the fast
        methods with scores before the softmax as target. Each item yielded marks one step done;
        results are not cached.

        Parameters
        ----------
        every_layer : bool
            Whether to compile the observation of every kind of layer as well.
        """
        engine, default = self.engine, self.engine.default_layer
        x = self.model_input.prepare(np.full((1, *self.model_input.shape), 127, np.uint8))
        weights = np.eye(1, engine.head.classes, dtype=np.float32)
        seen, names = engine.observe(x, None), engine.browsed_layers()
        names = engine.reached(names, "logit")
        known = [seen.tensors[name] for name in names]
        for averaged in (True, False) if default in names else ():
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

    def engine_for(self, samples: Sequence[ImageSample]) -> Engine:
        """Return the engine with what these samples give to the model's other inputs, if any."""
        if not self.model_input.others:
            return self.engine
        return self.engine.beside(self.model_input.beside(samples))

    def prepare(self, samples: Sequence[ImageSample]) -> Floats:
        """Return the model input (N, H, W, C) of a batch; cached for a single sample."""
        if len(samples) > 1:
            return self.preparation.of(samples)
        key = ("input", samples[0].key)
        found: Floats | None = self.cache.get(key)
        if found is None:
            found = self.preparation.of(samples)
            found.flags.writeable = False
            self.cache.put(key, found, [found])
        return found

    def _check_scores(self, seen: Observation, samples: Sequence[ImageSample]) -> None:
        """Raise a ValueError that names a photograph whose scores are NaN or infinite."""
        names = [each.name for each in samples]
        weights.check_scores(seen.scores, self.engine.model, self.name, names)
