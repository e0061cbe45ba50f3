"""The film of a training: the maps of fixed photographs after each epoch.

`training_film` returns a Keras callback. It looks at the model between epochs only, through a
`Network`, which never changes a model; random generators of Python and NumPy are left as they were.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import signature
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.arguments import whole
from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.methods import find_method
from cnn_widgets.datasets import open_images
from cnn_widgets.drawing.color import overlay
from cnn_widgets.environment import tensorflow
from cnn_widgets.images.resizing import shrink_sample
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, Pixels

if TYPE_CHECKING:
    import keras

MOST_PHOTOGRAPHS = 16
_SIDE = 112  # longer side of the maps kept
_LABEL = 18  # height of the line of epochs in a sheet, in pixels
_INK = (128, 128, 128)


@dataclass(frozen=True, eq=False)
class Frame:
    """What a network in training answered after one epoch.

    Attributes
    ----------
    epoch : int
        Epochs trained: 0 is before the first.
    class_indices : tuple of int
        For each photograph the class explained: the one asked for, or the most likely one.
    probabilities : ndarray, shape (n,)
        Its probability; NaN for a network without.
    heatmaps : tuple of ndarray of uint8, shape (h, w)
        The evidence for it, 0 to 255; of signed methods its strength without sign.
    """

    epoch: int
    class_indices: tuple[int, ...]
    probabilities: NDArray[np.float32]
    heatmaps: tuple[Pixels, ...] = field(repr=False)


class Film:
    """The frames of a training, at most `most`: when there are more, every second one is dropped.

    Parameters
    ----------
    samples : sequence of ImageSample
        The photographs, shrunk to what is shown of them.
    most : int
        The number of frames kept, at least 2, beside the last one.

    Attributes
    ----------
    notes : list of str
        What could not be shown, in words.
    """

    def __init__(self, samples: Sequence[ImageSample], most: int) -> None:
        self.samples, self.most, self.notes = tuple(samples), most, list[str]()
        self._kept: list[Frame] = []
        self._last: Frame | None = None
        self._every = 1

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames, by epoch; the last epoch is always among them."""
        last = self._last
        if last is None or (self._kept and self._kept[-1].epoch == last.epoch):
            return tuple(self._kept)
        return (*self._kept, last)

    def add(self, frame: Frame) -> None:
        """Add the frame of the next epoch."""
        self._last = frame
        if frame.epoch % self._every == 0:
            self._kept.append(frame)
        while len(self._kept) > self.most:
            self._every *= 2
            self._kept = [each for each in self._kept if each.epoch % self._every == 0]

    def sheet(self, columns: int = 12, alpha: float = 0.6, colormap: str = "jet") -> Pixels:
        """Return the film in one picture: a row for each photograph, a column for each epoch.

        Parameters
        ----------
        columns : int
            At most so many epochs, evenly chosen, with the first and the last.
        alpha, colormap
            As for `overlay`.

        Returns
        -------
        ndarray of uint8, shape (H, W, 3)
            On top of each column stands its epoch.

        Raises
        ------
        ValueError
            If there is no frame yet, or `columns` is below 1.
        """
        frames, columns = self.frames, whole("columns", columns)
        if not frames:
            raise ValueError("There is no frame yet: train with this film as a callback first.")
        places = np.linspace(0, len(frames) - 1, min(columns, len(frames))).round().astype(int)
        sides = max(each.size[0] for each in self.samples), max(e.size[1] for e in self.samples)
        strips = [_strip(frames[n], self.samples, sides, alpha, colormap) for n in places]
        return np.concatenate(strips, axis=1)


def training_film(
    images: Any,
    class_index: int | str | Sequence[int | str] | None = None,
    layer: str | None = None,
    *,
    method: str = "grad-cam",
    every: int = 1,
    most: int = 60,
    **network: Any,
) -> keras.callbacks.Callback:
    """Return a Keras callback that keeps the maps of fixed photographs after each epoch.

    Give it to ``model.fit(…, callbacks=[film])``; afterwards ``film.film`` is the `Film`. Training
    goes on as it would without: the weights at the end are equal. A map that cannot be computed is
    noted in ``film.film.notes`` and stops nothing.

    Parameters
    ----------
    images : folder, list, array, …
        At most 16 photographs; whatever `open_images` takes.
    class_index : int, str, or one for each photograph, optional
        The class whose evidence is shown; by default the most likely one after each epoch.
    layer : str, optional
        By default the network's default layer.
    method : str
        A name in `METHODS`.
    every : int
        Look after every so many epochs.
    most : int
        The number of frames kept, at least 2. When there are more, every second one is dropped.
    **network
        How the model is opened, as for `Network`: ``preprocess=``, ``class_names=``, …

    Raises
    ------
    ValueError
        If there are no photographs or too many, one cannot be read, a number is too small, the
        method is unknown, or classes are given but not one for each photograph.

    Examples
    --------
    >>> film = training_film(list(cw.gallery().values())[:2], every=5)
    >>> film.film.frames
    ()
    """
    every, most = whole("every", every), whole("most", most, 2)
    unknown = [name for name in network if name not in signature(Network).parameters]
    if unknown:
        raise TypeError(f"Network takes no {unknown[0]}=; see Network for what it takes.")
    find_method(method)
    pictures = open_images(images)
    if not pictures.repeatable or not 0 < len(pictures) <= MOST_PHOTOGRAPHS:
        count = len(pictures) if pictures.repeatable else "a stream"
        raise ValueError(f"Expected 1 to {MOST_PHOTOGRAPHS} photographs. Received: {count}")
    samples = [pictures.read(number, 512) for number in range(len(pictures))]
    single = class_index is None or isinstance(class_index, int | str | np.integer)
    if not single and not isinstance(class_index, Sequence | np.ndarray):
        raise TypeError(f"Expected a class or one for each photograph. Received: {class_index!r}")
    classes = [class_index] * len(samples) if single else list(class_index)  # type: ignore[arg-type]
    if len(classes) != len(samples):
        raise ValueError(f"Expected {len(samples)} classes. Received: {len(classes)}")
    film = Film([shrink_sample(each, _SIDE) for each in samples], most)
    return _callback(_Camera(film, samples, classes, layer, method, network), every)


def _callback(camera: _Camera, every: int) -> keras.callbacks.Callback:
    """Return the Keras callback of a camera; Keras is imported here."""
    tensorflow()
    import keras

    class TrainingFilm(keras.callbacks.Callback):  # type: ignore[misc]
        """Keeps the maps of fixed photographs; `film` is the `Film`."""

        def __init__(self) -> None:
            super().__init__()
            self.film = camera.film
            self._trained = 0

        def on_train_begin(self, logs: Any = None) -> None:
            if self.model.built and not self._trained:
                camera.shoot(self.model, 0)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self._trained += 1
            if self._trained % every == 0:
                camera.shoot(self.model, self._trained)

        def on_train_end(self, logs: Any = None) -> None:
            if self._trained % every:
                camera.shoot(self.model, self._trained)
            camera.close()

    return TrainingFilm()


class _Camera:
    """Looks at a model through a `Network` that is opened once and kept until training ends."""

    def __init__(
        self,
        film: Film,
        samples: Sequence[ImageSample],
        classes: Sequence[Any],
        layer: str | None,
        method: str,
        network: dict[str, Any],
    ) -> None:
        self.film, self._samples, self._classes = film, samples, classes
        self._layer, self._method, self._options = layer, method, network
        self._net: Network | None = None

    def shoot(self, model: Any, epoch: int) -> None:
        """Add the frame of an epoch to the film; what fails is noted."""
        with _generators_kept():
            try:
                if self._net is None or self._net.model is not model:
                    self._net = Network(model, **self._options)
                self._net.forget()  # the weights have changed
                self.film.add(self._frame(self._net, epoch))
            except Exception as error:  # a film stops no training, whatever fails
                self.film.notes.append(f"Epoch {epoch}: {error}")

    def close(self) -> None:
        """Let go of the network."""
        self._net = None

    def _frame(self, net: Network, epoch: int) -> Frame:
        classes, probabilities, maps = [], [], []
        for number, (sample, wanted) in enumerate(zip(self._samples, self._classes, strict=True)):
            own = net.with_inputs_of(sample, number)
            found = attribute(net, own, self._method, wanted, self._layer)
            classes.append(found.class_index)
            probabilities.append(net.scores(own)[1][found.class_index])
            strength = np.abs(np.nan_to_num(found.heatmap)).clip(0, 1)
            height, width = self.film.samples[number].size
            small = cv2.resize(strength, (width, height), interpolation=cv2.INTER_AREA)
            maps.append(np.round(255 * small).astype(np.uint8))
        return Frame(epoch, tuple(classes), np.array(probabilities, np.float32), tuple(maps))


@contextmanager
def _generators_kept() -> Iterator[None]:
    """Leave Python's and NumPy's global random generators as they are, whatever happens inside."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def _strip(
    frame: Frame,
    samples: Sequence[ImageSample],
    sides: tuple[int, int],
    alpha: float,
    colormap: str,
) -> Pixels:
    """Return one column of a sheet: the epoch, and the photographs under their maps."""
    label = np.full((_LABEL, sides[1] + 2, 3), 255, np.uint8)
    where, font = (2, _LABEL - 5), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(label, str(frame.epoch), where, font, 0.42, _INK, 1, cv2.LINE_AA)
    cells = [label]
    for sample, heatmap in zip(samples, frame.heatmaps, strict=True):
        cell = np.full((sides[0] + 2, sides[1] + 2, 3), 255, np.uint8)
        height, width = sample.size
        shown = overlay(sample.pixels, heatmap / np.float32(255), alpha=alpha, colormap=colormap)
        cell[:height, :width] = shown
        cells.append(cell)
    return np.concatenate(cells)
