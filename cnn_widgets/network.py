"""A Keras model opened for looking inside: predictions, activations and gradients as arrays.

This is the public face of the engine. It prepares images, checks what is asked for, keeps the
results of recent images, and runs lists of images in batches.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets import checks
from cnn_widgets import intake as intakes
from cnn_widgets.environment import tensorflow
from cnn_widgets.graph import TARGETS
from cnn_widgets.labels import named
from cnn_widgets.models import Preprocess
from cnn_widgets.observation import Observation
from cnn_widgets.opening import open_engine
from cnn_widgets.passes import Passes
from cnn_widgets.records import Floats, ImageSample, LayerInfo
from cnn_widgets.twin import Twin, Weight

if TYPE_CHECKING:
    import keras

Samples = ImageSample | Sequence[ImageSample]

#: Up to so many images go one by one: that costs no trace, and the results are kept.
FEW = 8


class Network:
    """A Keras model opened for looking inside. The model itself is never changed.

    Parameters
    ----------
    model : keras.Model
        Functional, `Sequential`, nested or subclassed; one image in, one score per class out.
    preprocess : callable or "none", optional
        float32 pixels (N, H, W, C), 0 to 255 → model input. By default guessed: see `notes`.
    class_names : sequence of str, optional
        One name per class; for one sigmoid unit two names (off, on).
    input_size : (H, W), optional
        For a model that leaves it free.
    output : int or str, optional
        Which output, for a model with several. By default the first.
    head : str, optional
        What the output is, one of `head.KINDS`, where a guess would be wrong.
    max_cache_bytes : int
        How much memory results of recent images may take.

    Raises
    ------
    ValueError
        If the model is unbuilt, takes no images, or has no such output.

    Examples
    --------
    >>> net = cw.load_network()
    >>> net.predict(cw.gallery()["cat"], top=1)[0].name
    'Egyptian cat'
    """

    def __init__(
        self,
        model: keras.Model,
        preprocess: Preprocess | str | None = None,
        class_names: Sequence[str] | None = None,
        *,
        input_size: Sequence[int] | None = None,
        output: int | str | None = None,
        head: str | None = None,
        name: str | None = None,
        max_cache_bytes: int = 64 * 2**20,
    ) -> None:
        tensorflow()
        import keras

        if not isinstance(model, keras.Model):
            raise TypeError(f"Expected a Keras model. Received: {type(model).__name__}")
        self.model = model
        self.name = name or model.name
        self._intake = intakes.read(model, preprocess, input_size)
        checks.weights(model, self.name)
        self.engine = open_engine(model, self._intake, output, head, class_names)
        self._passes = Passes(self.engine, self._intake, max_cache_bytes, self.name)
        self._watch = checks.Watch(model)
        #: Counts how often results were forgotten, mostly because the weights had changed.
        self.revision = 0
        #: The weights of a private copy, from input to scores; none for any other network.
        self.private_weights: tuple[Weight, ...] = ()
        self._labels, guessed = named(self.engine.head.classes, class_names, model.name)
        self._notes = (*self._intake.notes, *self.engine.notes, *guessed)

    def __repr__(self) -> str:
        return f"Network({self.name!r}, {len(self.layers)} layers, {self.classes} classes)"

    # --- what the network is ------------------------------------------------------------------

    @property
    def batch(self) -> int | None:
        """The only number of images the model takes at once, if it is fixed."""
        return self._intake.batch

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width of the network's input."""
        return self._intake.size

    @property
    def layers(self) -> tuple[LayerInfo, ...]:
        """Every layer that puts out one tensor, in the order it runs."""
        return self.engine.layers

    @property
    def feature_layers(self) -> tuple[LayerInfo, ...]:
        """The layers worth browsing: the article's kinds, with a map larger than 1x1."""
        return self.engine.anatomy.features

    def layers_of(self, kinds: Sequence[str] | None) -> tuple[LayerInfo, ...]:
        """Return the layers with a spatial map, of the kinds named, or of every kind (None)."""
        return self.engine.anatomy.of(kinds)

    @property
    def default_layer(self) -> str | None:
        """Where class activation maps look: the last map larger than 1x1, after its activation.

        None for a network without such a layer.
        """
        return self.engine.default_layer

    @property
    def classes(self) -> int:
        """The number C of classes."""
        return self.engine.head.classes

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each class."""
        return self._labels.names

    @property
    def head(self) -> str:
        """How the network ends: one of `head.KINDS`."""
        return self.engine.head.kind

    @property
    def notes(self) -> tuple[str, ...]:
        """What was guessed about the model, in words."""
        return self._notes

    def layer(self, name: str) -> LayerInfo:
        """Return a layer by its name; a ValueError names those there are."""
        return self.engine.anatomy.find(name)

    def class_index(self, wanted: int | str) -> int:
        """Return the index of a class given as a number or a name (or a part that only it has)."""
        return self._labels.index(wanted)

    def weights_of(
        self, classes: Sequence[int], versus: int | str | None = None, counter: bool = False
    ) -> Floats:
        """Return Y's weight per image and class, (N, C); less another class, or of minus Y."""
        return self._labels.questions(classes, versus, counter)

    # --- what it computes ---------------------------------------------------------------------

    def input_tensor(self, sample: Samples) -> Floats:
        """Return the very tensor the network sees, (H, W, C); (N, H, W, C) for a list."""
        batch = self._passes.prepare(checks.samples(sample))
        return batch if isinstance(sample, Sequence) else batch[0]

    def predict(self, sample: Samples, top: int = 5) -> Any:
        """Return the `top` classes of a sample, best first; for a list, a list of such lists."""
        if top < 1:
            raise ValueError(f"Expected top to be at least 1. Received: {top}")
        scores, probabilities = self.scores(sample)
        if isinstance(sample, Sequence):
            return [
                self._labels.ranked(s, p, top) for s, p in zip(scores, probabilities, strict=True)
            ]
        return self._labels.ranked(scores, probabilities, top)

    def scores(self, sample: Samples) -> tuple[Floats, Floats]:
        """Return scores (before softmax) and probabilities, (C,) each; (N, C) for a list."""
        if isinstance(sample, Sequence):
            self._watch.look(self.forget)
            return self._passes.scores(checks.samples(sample))
        one = self.observe(sample)
        return one.scores, one.probabilities

    def activations(self, sample: Samples, layer: str) -> Floats:
        """Return a layer's output, (h, w, K) for a feature map; with (N, ...) for a list."""
        self.layer(layer)
        if isinstance(sample, Sequence):
            samples = checks.samples(sample)
            if 0 < len(samples) <= FEW and layer in self.engine.browsed():
                return np.stack([self.activations(each, layer) for each in samples])
            return self._passes.activations(samples, layer)
        return self.observe(sample, layer).activations[layer]

    def peaks(self, sample: ImageSample) -> dict[str, Floats]:
        """Return each browsed layer's largest value per filter, after its own activation.

        Layers without a non-linearity of their own (linear bottlenecks) are left out. A filter
        whose peak is not above zero is silent on this image.
        """
        peaks = self.observe(sample).peaks
        return {info.name: peaks[info.name] for info in self.feature_layers if info.name in peaks}

    def gradients(
        self,
        sample: Samples,
        layer: str | None = None,
        class_index: int | Sequence[int] | NDArray[Any] = 0,
        target: str = "logit",
        averaged: bool = False,
    ) -> tuple[Floats, Floats]:
        """Return (A, dY/dA) at a layer, or (x, dY/dx) at the network's input for `layer=None`.

        Parameters
        ----------
        sample : ImageSample or list
            A list adds a leading axis N to both arrays.
        class_index : int, sequence of N ints, or float array (C,) or (N, C)
            The class, one per image; or a weight for every class, so that Y is the weighted sum
            (1 and -1 contrast two classes).
        target : {"logit", "probability"}
            Whether Y is the score before the softmax or the probability after it.
        averaged : bool
            Whether only the mean of dY/dA over positions is wanted, (1, 1, K).
        """
        self.check(layer, target)
        samples = checks.samples(sample)
        self._watch.look(self.forget)
        weights = self._labels.weights(class_index, len(samples))
        if isinstance(sample, Sequence):
            found = self._passes.gradients(
                samples, layer, lambda _, some: weights[some], target, averaged
            )
            values, gradients = zip(*(part[2:] for part in found), strict=True)
            return np.concatenate(values), np.concatenate(gradients)
        return self._passes.gradient(sample, layer, weights, target, averaged)

    def explained(
        self,
        samples: Iterable[ImageSample],
        layer: str | None,
        weigh: Callable[[Floats, slice], Floats],
        target: str = "logit",
        averaged: bool = False,
    ) -> Iterator[tuple[ImageSample, Floats, Floats, Floats, Floats]]:
        """Yield each sample with its scores, probabilities, A and dY/dA; one pass for a batch.

        Parameters
        ----------
        samples : iterable
            Drawn from as needed: a list, or a stream of any length.
        weigh : callable
            From the scores of a batch (n, C) and its place among the samples (a slice) to Y's
            weights (n, C).
        """
        self.check(layer, target)
        self._watch.look(self.forget)
        found = self._passes.gradients(samples, layer, weigh, target, averaged)
        for some, seen, values, slopes in found:
            yield from zip(some, seen.scores, seen.probabilities, values, slopes, strict=True)

    def rehearse(self, every_layer: bool = False) -> Iterator[None]:
        """Compile what first questions would wait for, a step at a time."""
        return self._passes.rehearsals(every_layer)

    def check(self, layer: str | None, target: str) -> None:
        """Refuse a layer or a target that this network does not have."""
        if target not in TARGETS:
            raise ValueError(f"Expected target to be one of {TARGETS}. Received: {target!r}")
        if target == "probability" and self.head == "values":
            raise ValueError("This network has one plain output value and no probabilities.")
        if layer is not None:
            self.layer(layer)

    def observe(self, sample: ImageSample, layer: str | None = None) -> Observation:
        """Return scores, and the activations of a whole group of layers, of one sample (cached).

        The groups are the browsed layers, and every other kind of layer by itself.
        """
        checks.samples(sample)
        self._watch.look(self.forget)
        if layer is not None:
            self.layer(layer)
        return self._passes.observe(sample, layer)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Look for changed weights once, on entering, instead of at every question inside."""
        with self._watch.steady(self.forget):
            yield

    def private_copy(self) -> Network:
        """Return a network that computes the same, with weights of its own to experiment on.

        Its `private_weights` can be changed at will; call `forget` then. It works for every model,
        nested and subclassed ones too, for nothing is rebuilt: the traces run on other variables.
        """
        twin = copy.copy(self)
        twin.engine = Twin(self.engine)
        twin.private_weights = tuple(twin.engine.weights)
        twin._watch = copy.copy(self._watch)  # what the twin has noticed is still news here
        twin._passes = Passes(twin.engine, self._intake, self._passes.cache.max_bytes, self.name)
        return twin

    @property
    def weights_seen(self) -> object:
        """What the weights looked like at the last question; equal for equal weights."""
        return self._watch.seen

    def weights_state(self) -> object:
        """Read all weights and return what they look like now."""
        self._watch.look(self.forget, closely=True)
        return self._watch.seen

    def release(self) -> None:
        """Free the memory of recent images' results, which still hold: see `forget`."""
        self._passes.cache.clear()

    def forget(self) -> None:
        """Forget the results of recent images: they belong to weights of before."""
        self.release()
        self.revision += 1

    def close(self) -> None:
        """Forget every result and every compiled trace. The model is the user's and stays."""
        self.forget()
        self.engine.clear()
