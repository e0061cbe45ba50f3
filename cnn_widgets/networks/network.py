"""A Keras model opened for looking inside: predictions, activations and gradients as arrays.

`Network` checks each question, prepares images, keeps recent results, and runs lists in batches.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine.batches import BatchRunner
from cnn_widgets.engine.build import PrivateEngine, PrivateWeight, build_engine, settled
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.model_inputs import read_model_input
from cnn_widgets.engine.structure import Structure
from cnn_widgets.engine.weights import WeightWatcher, check_weights
from cnn_widgets.environment import tensorflow
from cnn_widgets.heads import OutputChoice
from cnn_widgets.images.network_input import Preprocess
from cnn_widgets.model_files.foreign_files import what_object
from cnn_widgets.model_files.name_lists import read_class_names
from cnn_widgets.networks.applications import application_family, class_table
from cnn_widgets.networks.description import ModelDescription, Samples
from cnn_widgets.networks.families import hub_input
from cnn_widgets.networks.input_check import InputCheck, check_input
from cnn_widgets.networks.preprocessing import with_preprocessing
from cnn_widgets.records import Floats, ImageSample, Observation, as_samples

if TYPE_CHECKING:
    import keras


#: Lists of up to this length run one image at a time: nothing is compiled, results are cached.
FEW = 8


class Network(ModelDescription):
    """A Keras model opened for looking inside. The model itself is never changed.

    Parameters
    ----------
    model : keras.Model
        Functional, `Sequential`, nested or subclassed; one image in, one score per class out.
    preprocess : callable or "none", optional
        float32 pixels (N, H, W, C), 0 to 255 → model input; each photograph by itself, N = 1. By
        default guessed: see `notes`.
    class_names : sequence, dict, array or path, optional
        One name per class, see `read_class_names`; for one sigmoid unit two names (off, on).
    input_size : (H, W), optional
        For a model that leaves it free.
    output : int or str, optional
        Which output, for a model with several. By default the first.
    head : str, optional
        What the output is, one of `HEAD_KINDS`, where a guess would be wrong.
    at : int or (row, column), optional
        Of an output with scores per position (segmentation) or per box, the one that is explained,
        counted from 0. By default the mean over all is.
    fit : {"squash", "crop", "letterbox"}, optional
        How photographs that leave it to the network are resized, antialiased: see `ImageSample`.
    inputs : mapping of str or int, optional
        For a model of several inputs, what goes into the others, by their names or numbers: a
        value for all photographs, an array or list with one for each (see `with_inputs`), or None
        if every sample has its own, ``load_image(…, inputs={…})``. The photograph goes into the
        input left out; into others that take pictures goes what `load_image` takes.
    notes : sequence of str
        What is known of the model's origin, for `notes`.
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
        class_names: Any = None,
        *,
        input_size: Sequence[int] | None = None,
        output: int | str | None = None,
        head: str | None = None,
        at: int | Sequence[int] | None = None,
        name: str | None = None,
        fit: str | None = None,
        inputs: Mapping[str | int, Any] | None = None,
        notes: Sequence[str] = (),
        max_cache_bytes: int = 64 * 2**20,
    ) -> None:
        tensorflow()
        import keras

        if not isinstance(model, keras.Model):
            came = what_object(model) or type(model).__name__
            raise TypeError(f"Expected a Keras model. Received: {came}")
        self.model, self.name = model, name or model.name
        names = None if class_names is None else read_class_names(class_names)
        self.asked = {"preprocess": preprocess, "class_names": names, "input_size": input_size,
                      "head": head, "output": output, "at": at, "name": self.name, "notes": notes,
                      "fit": fit, "inputs": inputs, "max_cache_bytes": max_cache_bytes}  # fmt: skip
        before, hub = Structure(model), hub_input(model)
        found = read_model_input(model, input_size, hub.size if hub else None, inputs)
        fit = fit or (hub.fit if hub else found.fit)
        found = replace(found, fit=fit, notes=(*found.notes, *notes))
        check_weights(model, self.name)
        engine = build_engine(model, found, choice := OutputChoice(output, head, at))
        self._model_input = with_preprocessing(found, engine, preprocess)
        self.engine = settled(engine, self._model_input, choice, names)
        self._runner = BatchRunner(self.engine, self._model_input, max_cache_bytes, self.name)
        self._watch = WeightWatcher(model, Structure(model, before))
        self.revision = 0  #: How often cached results were dropped: the model had changed.
        #: The weights of a private copy, from input to scores; none for any other network.
        self.private_weights: tuple[PrivateWeight, ...] = ()
        published = hub is not None or application_family(model.name) is not None
        self._classes, guessed = class_table(self.engine.head.classes, names, published)
        self._notes = (*self._model_input.notes, *self.engine.notes, *guessed)

    def engine_for(self, sample: ImageSample) -> Engine:
        """Return the engine with what a sample gives to the other inputs of the model, if any."""
        return self._runner.engine_for([sample])

    def predict(self, sample: Samples, top: int = 5) -> Any:
        """Return the `top` classes of a sample, best first; for a list, a list of such lists."""
        if top < 1:
            raise ValueError(f"Expected top to be at least 1. Received: {top}")
        found = self.scores(sample)
        if isinstance(sample, Sequence):
            return [self._classes.ranked(*each, top) for each in zip(*found, strict=True)]
        return self._classes.ranked(*found, top)

    def scores(self, sample: Samples) -> tuple[Floats, Floats]:
        """Return scores (before softmax) and probabilities, (C,) each; (N, C) for a list."""
        if isinstance(sample, Sequence):
            self._look()
            return self._runner.scores(as_samples(sample))
        one = self.observe(sample)
        return one.scores, one.probabilities

    def activations(self, sample: Samples, layer: str) -> Floats:
        """Return a layer's output, (h, w, K) for a feature map; with (N, ...) for a list."""
        self.layer(layer)
        if isinstance(sample, Sequence):
            samples = as_samples(sample)
            if 0 < len(samples) <= FEW and layer in self.engine.browsed_layers():
                return np.stack([self.activations(each, layer) for each in samples])
            self._look()
            return self._runner.activations(samples, layer)
        return self.observe(sample, layer).activations[layer]

    def peaks(self, sample: ImageSample) -> dict[str, Floats]:
        """Return the largest value of each filter (K,) per feature layer, after its activation.

        Linear layers are left out. A filter whose peak is not above 0 is silent on this image.
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
        class_index : int, sequence of N ints, or float array (C,) or (N, C)
            The class, one per image; or a weight for every class, so that Y is the weighted sum
            (1 and -1 contrast two classes). A list of samples adds a leading axis N.
        target : {"logit", "probability"}
            Whether Y is the score before the softmax or the probability after it.
        averaged : bool
            Whether only the mean of dY/dA over positions is wanted, (1, 1, K).
        """
        self.engine.check(layer, target)
        samples = as_samples(sample)
        self._look()
        weights = self._classes.weights(class_index, len(samples))
        if isinstance(sample, Sequence):
            return self._runner.all_gradients(samples, layer, weights, target, averaged)
        return self._runner.gradient(sample, layer, weights, target, averaged)

    def gradient_stream(
        self,
        samples: Iterable[ImageSample],
        layer: str | None,
        weigh: Callable[[Floats, slice], Floats],
        target: str = "logit",
        averaged: bool = False,
    ) -> Iterator[tuple[ImageSample, Floats, Floats, Floats, Floats]]:
        """Yield each sample with scores, probabilities, A and dY/dA; samples are drawn as needed.

        `weigh` is called with the scores of a batch, (n, C), and its place among the samples, a
        slice; it returns the weights of Y, (n, C).
        """
        self.engine.check(layer, target)
        self._look()
        found = self._runner.gradients(samples, layer, weigh, target, averaged)
        for some, seen, values, slopes in found:
            yield from zip(some, seen.scores, seen.probabilities, values, slopes, strict=True)

    def warm_up(self, every_layer: bool = False) -> Iterator[None]:
        """Compile the functions that first questions need; one step per item yielded."""
        return self._runner.warm_up_steps(every_layer)

    def observe(self, sample: ImageSample, layer: str | None = None) -> Observation:
        """Return scores and activations of one sample (cached), see `BatchRunner.observe`."""
        as_samples(sample)
        self._look()
        if layer is not None:
            self.layer(layer)
        return self._runner.observe(sample, layer)

    def weights_checked(self) -> AbstractContextManager[None]:
        """Look for a changed model once, on entering, instead of at every question inside."""
        return self._watch.checked(self._drop, self._reopen)

    def check_input(
        self, samples: Samples, progress: Callable[[int, int], bool | None] | None = None
    ) -> InputCheck:
        """Return how the network answers under other preprocessings, see `InputCheck`.

        Nothing is applied: the result's `advice` says whether the input looks right, and why.
        """
        return check_input(self, samples, progress)

    def private_copy(self) -> Network:
        """Return a network that computes the same, with weights of its own to experiment on.

        Change its `private_weights`, then call its `forget`. Nothing is rebuilt: any model will do.
        """
        private = copy.copy(self)
        private.engine = engine = PrivateEngine(self.engine)
        private.private_weights = tuple(engine.weights)
        private._watch, limit = self._watch.of_weights_only(), self._runner.cache.max_bytes
        private._runner = BatchRunner(engine, self._model_input, limit, self.name)
        return private

    def weights_state(self, reread: bool = True) -> object:
        """Return what is equal while weights and layers are; the last known if not `reread`."""
        if reread:
            self._look(closely=True)
        return self._watch.seen

    def release(self) -> None:
        """Free the memory that the cached results of recent images take."""
        self._runner.clear()

    def forget(self) -> None:
        """Drop recent results, and read the whole model at the next question.

        New weights and settings of a layer (its activation function, LoRA, statistics) are noticed
        at each question; a change inside a weight or a list within 2 s, or after this.
        """
        self._drop()
        self._watch.closer()

    def close(self) -> None:
        """Forget every result and every compiled trace. The model is the user's and stays."""
        self.forget()
        self.engine.clear()

    def _look(self, closely: bool = False) -> None:
        """Follow what was changed in the model since the last question."""
        self._watch.look(self._drop, self._reopen, closely)

    def _drop(self) -> None:
        """Drop cached results, because the weights have changed."""
        self.release()
        self.revision += 1

    def _reopen(self) -> None:
        """Open the model anew, as its layers or their settings are not those that were traced."""
        if self._watch.other_layers(closely=True):  # no other thread has done it meanwhile
            fresh = Network(self.model, **self.asked)
            self.check_outline(fresh)
            fresh._watch.replacing(self._watch)
            self.__dict__.update(fresh.__dict__, revision=self.revision + 1)
