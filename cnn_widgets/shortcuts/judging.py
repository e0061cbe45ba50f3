"""Photographs as a network takes them, and what it says about one label of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, Pixels
from cnn_widgets.shortcuts.places import Box

Array = NDArray[Any]
_CLIP = 12.0  # log-odds beyond which more makes no difference
_RARE = 1 / (1 + np.exp(_CLIP))  # and the probability there


@dataclass(frozen=True, eq=False)
class Photographs:
    """Photographs of one size, as the network takes them.

    Attributes
    ----------
    names : tuple of str
    pixels : ndarray of uint8, shape (n, H, W, 3)
    inputs : tuple of mapping
        What each gives to other inputs of the network.
    subjects : tuple of (top, left, bottom, right) or None
        The rectangle around the subject of each, in shares of the network's input, None where it
        is not known; empty if none is.
    """

    names: tuple[str, ...]
    pixels: Pixels
    inputs: tuple[Mapping[str, Any], ...]
    subjects: tuple[Box | None, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def take(self, numbers: Sequence[int]) -> Photographs:
        """Return some of the photographs."""
        return Photographs(
            tuple(self.names[n] for n in numbers),
            self.pixels[list(numbers)],
            tuple(self.inputs[n] for n in numbers),
            tuple(self.subjects[n] for n in numbers) if self.subjects else (),
        )

    def with_pixels(self, pixels: Pixels) -> Photographs:
        """Return the photographs with other pixels."""
        return replace(self, pixels=pixels)

    def samples(self, pixels: Pixels | None = None) -> list[ImageSample]:
        """Return them as samples, with other pixels if some are given."""
        some = self.pixels if pixels is None else pixels
        return [
            ImageSample(each, name, fit="squash", inputs=inputs)
            for each, name, inputs in zip(some, self.names, self.inputs, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class Judge:
    """Asks a network about a label.

    Attributes
    ----------
    net : Network
    classes : tuple of int
        The classes that the label stands for.
    """

    net: Network
    classes: tuple[int, ...]

    def ask(self, samples: Sequence[ImageSample]) -> tuple[Array, Array]:
        """Return the log-odds of the label (n,), and whether its classes are answered."""
        return self.judged(self.net.scores(samples)[0])

    def judged(self, scores: Array) -> tuple[Array, Array]:
        """Return the log-odds of the label (n,), and whether it is answered, for scores (n, C)."""
        scores = np.asarray(scores, np.float64)
        own = scores[:, list(self.classes)]
        others = np.delete(scores, list(self.classes), axis=1)
        if self.net.head == "probabilities":
            share = self._share(scores)
            odds = np.log(share) - np.log1p(-share)
            return odds, own.max(axis=1) >= scores.max(axis=1)
        if self._alone(others):
            odds = own.max(axis=1)
            return odds.clip(-_CLIP, _CLIP), odds >= scores.max(axis=1)
        odds = np.logaddexp.reduce(own, axis=1) - np.logaddexp.reduce(others, axis=1)
        return odds.clip(-_CLIP, _CLIP), own.max(axis=1) >= others.max(axis=1)

    def slopes(self, scores: Array) -> Array:
        """Return how the log-odds depend on each score, (n, C): their gradient."""
        scores = np.asarray(scores, np.float64)
        found = np.zeros_like(scores)
        mine = np.isin(np.arange(scores.shape[1]), self.classes)
        if self.net.head == "probabilities":
            share = self._share(scores)
            found[:, mine] = (1 / (share * (1 - share)))[:, None]
            return found
        if self._alone(scores[:, ~mine]):
            best = np.where(mine, scores, -np.inf).argmax(axis=1)
            found[np.arange(len(scores)), best] = 1
            return found
        for part, sign in ((mine, 1.0), (~mine, -1.0)):
            some = np.exp(scores[:, part] - scores[:, part].max(axis=1, keepdims=True))
            found[:, part] = sign * some / some.sum(axis=1, keepdims=True)
        return found

    def _share(self, probabilities: Array) -> Array:
        """Return the probability of the label (n,), inside 0…1, of those of classes (n, C)."""
        own: Array = probabilities[:, list(self.classes)].sum(axis=1)
        return own.clip(_RARE, 1 - _RARE)

    def _alone(self, others: Array) -> bool:
        """Whether the label's score is no part of a softmax over several classes."""
        return not others.shape[1] or self.net.head == "sigmoid"
