"""What a network answers with something changed, and the tail in which activations are changed.

The tail of a network are the layers behind a layer; it is run on activations of one photograph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.arguments import one_sample, whole
from cnn_widgets.attribution.explain import layer_for
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.networks.class_names import ClassTable
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample, Prediction

#: Pictures run at once. Measured on one core behind two layers of the bundled network, a picture
#: among 8 took 10 to 23 % longer than one among 4, and memory is that of half as many.
_AT_ONCE = 4
#: Called with the number of passes done so far; it raises to stop the work.
Step = Callable[[int], Any]


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Answers:
    """What a network answers to a photograph as it is, and with something changed.

    Attributes
    ----------
    scores_before, scores_after, probabilities_before, probabilities_after : ndarray, shape (C,)
        Probabilities are NaN for a network without them.
    class_names : tuple of str
    """

    scores_before: Floats = field(repr=False)
    scores_after: Floats = field(repr=False)
    probabilities_before: Floats = field(repr=False)
    probabilities_after: Floats = field(repr=False)
    class_names: tuple[str, ...] = field(repr=False)

    @property
    def differences(self) -> Floats:
        """The change of each class's score, (C,): negative where it fell."""
        return np.asarray(self.scores_after - self.scores_before, np.float32)

    @property
    def turned(self) -> bool:
        """Whether another class has the highest score now."""
        return bool(self.scores_before.argmax() != self.scores_after.argmax())

    def top_before(self, top: int = 5) -> list[Prediction]:
        """Return the most likely classes of the photograph as it is, best first."""
        top = whole("top", top, 0)
        return self._table.ranked(self.scores_before, self.probabilities_before, top)

    def top_after(self, top: int = 5) -> list[Prediction]:
        """Return the most likely classes with the change, best first."""
        top = whole("top", top, 0)
        return self._table.ranked(self.scores_after, self.probabilities_after, top)

    def most_lowered(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the classes whose scores fell most, and how far: they use what was changed."""
        order = np.argsort(self.differences, kind="stable")[: whole("count", count, 0)]
        return [(self.class_names[k], -float(self.differences[k])) for k in order]

    def records(self, top: int = 5) -> list[dict[str, Any]]:
        """Return the classes that are among the first `top` before or after, as rows of a table.

        Those before come first. A place is the rank among all classes, from 1.
        """
        top = whole("top", top, 0)
        orders = [np.argsort(-each, kind="stable").tolist()
                  for each in (self.scores_before, self.scores_after)]  # fmt: skip
        return [
            {
                "class_index": k,
                "name": self.class_names[k],
                "score_before": float(self.scores_before[k]),
                "score_after": float(self.scores_after[k]),
                "difference": float(self.differences[k]),
                "probability_before": float(self.probabilities_before[k]),
                "probability_after": float(self.probabilities_after[k]),
                "place_before": orders[0].index(k) + 1,
                "place_after": orders[1].index(k) + 1,
            }
            for k in dict.fromkeys((*orders[0][:top], *orders[1][:top]))
        ]

    @property
    def _table(self) -> ClassTable:
        return ClassTable(len(self.class_names), self.class_names)


@dataclass(frozen=True, eq=False)
class Tail:
    """The layers behind one layer, ready to be run on changed activations of one photograph.

    Attributes
    ----------
    network : Network
    sample : ImageSample
    layer : str
    activations : ndarray, shape (h, w, K)
        The layer's output A for the photograph.
    scores, probabilities : ndarray, shape (C,)
        The answer to the photograph as it is.
    """

    network: Network
    sample: ImageSample
    layer: str
    activations: Floats = field(repr=False)
    scores: Floats = field(repr=False)
    probabilities: Floats = field(repr=False)

    @cached_property
    def _engine(self) -> Engine:
        return self.network.engine_for(self.sample)

    @cached_property
    def _x(self) -> Floats:
        found: Floats = self.network.input_tensor(self.sample)
        return found

    @property
    def filters(self) -> int:
        """The number K of filters."""
        return int(self.activations.shape[-1])

    @property
    def curve(self) -> str | None:
        """The type of an operation that keeps the scores from being affine in A, or None.

        None is proven from the graph: between A and the scores nothing but sums, means, weights
        and the like is computed, with at least 32 bits. Effects of filters then add up exactly.
        """
        return self._engine.graph.curve(self.layer)

    def run(self, activations: Floats) -> tuple[Floats, Floats]:
        """Return scores and probabilities (N, C) for activations (N, h, w, K), in one pass."""
        # The input, for connections that lead around the layer; a view, copied only if it is used
        x = np.broadcast_to(self._x, (len(activations), *self._x.shape))
        return self._engine.tail_scores(self.layer, x, activations)

    def without(
        self, sets: Sequence[Sequence[int]], step: Step | None = None
    ) -> tuple[Floats, Floats]:
        """Return scores and probabilities (N, C) with each of N sets of filters set to 0."""
        scores = np.empty((len(sets), len(self.scores)), np.float32)
        probabilities = np.empty_like(scores)
        for rows in batches(self.network, len(sets)):
            changed = np.repeat(self.activations[None], len(rows), axis=0)
            for row, number in enumerate(rows):
                changed[row][..., list(sets[number])] = 0
            scores[rows.start : rows.stop], probabilities[rows.start : rows.stop] = self.run(
                changed
            )
            if step is not None:
                step(rows.stop)
        return scores, probabilities

    def gradient(
        self, weights: Floats, target: str, activations: Floats, averaged: bool = False
    ) -> Floats:
        """Return dY/dA (h, w, K) at changed activations (h, w, K); its mean if `averaged`.

        Y = Σ weights · scores, or probabilities for that target.
        """
        found: Floats = self._engine.tail_gradients(
            self.layer, target, self._x[None], activations[None], weights[None], averaged
        )[0]
        return found

    def products(self, classes: Sequence[int]) -> NDArray[np.float64]:
        """Return Σ_ij dY/dA ⊙ A of each filter for some classes' scores, (n, K).

        To first order what silencing the filter takes from the score; exactly, where the tail is
        affine (`curve` is None).
        """
        weights, found = self.network.score_weights(classes), []
        for rows in batches(self.network, len(classes)):
            x, values = (np.repeat(each[None], len(rows), 0)
                         for each in (self._x, self.activations))  # fmt: skip
            some = weights[rows.start : rows.stop]
            slopes = self._engine.tail_gradients(self.layer, "logit", x, values, some)
            found.append(np.einsum("nijk,nijk->nk", slopes, values, dtype=np.float64))
        return np.concatenate(found)


def tail_of(net: Network, sample: ImageSample, layer: str | None) -> Tail:
    """Return the tail behind a layer, by default `net.default_layer`, for one photograph.

    Raises
    ------
    TypeError
        If anything but a `Network` and an `ImageSample` is given.
    ValueError
        If the layer is unknown, puts out no map (h, w, K), or the score does not depend on it.
    """
    checked_network(net), one_sample(sample)
    name = layer_for(net, layer)
    seen = net.observe(sample, name)
    return Tail(net, sample, name, seen.activations[name], seen.scores, seen.probabilities)


def batches(net: Network, count: int) -> Iterator[range]:
    """Yield the numbers 0 to `count` - 1 as ranges of what is run at once.

    Where a layer may mix the pictures of a batch, each is run alone.
    """
    alone = net.engine.graph.mixing is not None
    size = 1 if alone else net.batch or _AT_ONCE
    for start in range(0, count, size):
        yield range(start, min(start + size, count))


def chosen_class(net: Network, scores: Floats, wanted: int | str | None) -> int:
    """Return the index of a class, or (None) of the one with the highest score."""
    return int(scores.argmax()) if wanted is None else net.class_index(wanted)


def chosen_filters(wanted: int | Sequence[int], count: int) -> tuple[int, ...]:
    """Return filters given as one number or several, each once, in the order given.

    Raises
    ------
    ValueError
        If none is given, or a number that the layer does not have.
    TypeError
        If anything but whole numbers is given.
    """
    given: list[Any]
    try:
        given = [wanted] if isinstance(wanted, str) else list(wanted)  # type: ignore[arg-type]
    except TypeError:
        given = [wanted]
    if not given:
        raise ValueError("Expected at least one filter. Received none.")
    found = [whole("each filter", each, None) for each in given]
    for each in found:
        if not 0 <= each < count:
            raise ValueError(f"Unknown filter {each}. The layer has filters 0 to {count - 1}.")
    return tuple(dict.fromkeys(found))
