"""Which filters of a layer speak for a class, by four measures, and which classes share them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.attribution.probe import Progress
from cnn_widgets.evaluation.randomization import rank_correlation
from cnn_widgets.experiments.tail import (
    Step,
    Tail,
    chosen_class,
    chosen_filters,
    tail_of,
)
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample
from cnn_widgets.telling import stopped

#: The measures by which filters are ranked, and what each is.
MEASURES = {
    "effect": "Y less Y without the filter: what silencing it costs",
    "weight": "the filter's weight in Grad-CAM, the mean of dY/dA over positions",
    "contribution": "that weight times the sum of its activations: its share of the Grad-CAM map",
    "activation": "the mean of its activations, whatever the class",
}


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Votes:
    """What each of a layer's K filters does for the score Y of a class on one photograph.

    Attributes
    ----------
    layer : str
    class_index, versus : int, int or None
        Y is the score of the class, less that of `versus` if there is one.
    effect, weight, contribution, activation : ndarray, shape (K,)
        By filter, see `MEASURES`. Positive speaks for the class; activation speaks for none.
    passes : int
        How many times the layers behind were run to measure `effect`: 0 where they are affine in
        the activations, which is proven from the graph and makes the effects exact.
    """

    layer: str
    class_index: int
    class_name: str
    versus: int | None
    effect: Floats = field(repr=False)
    weight: Floats = field(repr=False)
    contribution: Floats = field(repr=False)
    activation: Floats = field(repr=False)
    passes: int

    def ranking(self, by: str = "effect") -> NDArray[np.intp]:
        """Return the filters, (K,), largest value of a measure first."""
        if by not in MEASURES:
            raise ValueError(f"Expected a measure of {tuple(MEASURES)}. Received: {by!r}")
        return np.argsort(-np.asarray(getattr(self, by)), kind="stable")

    def top(self, count: int, by: str = "effect") -> tuple[int, ...]:
        """Return the `count` filters with the largest values, largest first."""
        if count < 1:
            raise ValueError(f"Expected at least one filter. Received: {count}")
        return tuple(int(k) for k in self.ranking(by)[:count])

    @property
    def agreement(self) -> Floats:
        """Spearman's rank correlation of each two measures, (4, 4) in the order of `MEASURES`.

        NaN where one of the two is the same for all filters: there is then no ranking.
        """
        values = [np.asarray(getattr(self, name)) for name in MEASURES]
        flat = [each.min() == each.max() for each in values]
        return np.array(
            [
                [np.nan if a or b else rank_correlation(one, other)
                 for other, b in zip(values, flat, strict=True)]
                for one, a in zip(values, flat, strict=True)
            ],
            np.float32,
        )  # fmt: skip

    def records(self, by: str = "effect") -> list[dict[str, Any]]:
        """Return one row per filter, largest first: its number and its four values."""
        return [
            {"filter": int(k)} | {name: float(getattr(self, name)[k]) for name in MEASURES}
            for k in self.ranking(by)
        ]


def votes(
    net: Network,
    sample: ImageSample,
    layer: str | None = None,
    class_index: int | str | None = None,
    *,
    versus: int | str | None = None,
    effects: bool = True,
    progress: Progress | None = None,
) -> Votes:
    """Return which filters of a layer speak for a class on a photograph, and how much.

    The true effect of each filter is measured by silencing it. Where the layers behind are affine
    in the activations (global average pooling and a Dense layer, say), one gradient tells all
    effects exactly. Elsewhere each filter that is not silent costs one pass through them.

    Parameters
    ----------
    net, sample
    layer : str, optional
        A layer with a feature map; by default `net.default_layer`.
    class_index : int or str, optional
        By default the most likely class.
    versus : int or str, optional
        A class to compare with: Y is then the class's score less that of `versus`.
    effects : bool
        Whether effects are measured where that costs passes; otherwise they are NaN there.
    progress : callable, optional
        Called with (passes done, passes in all); returning False stops.

    Raises
    ------
    ValueError
        If the layer or a class is unknown, or no gradient reaches the layer.
    concurrent.futures.CancelledError
        If `progress` returned False.

    References
    ----------
    Selvaraju et al. 2017, arXiv 1610.02391, equation 1 (weight); Ramaswamy & Desai 2020, WACV
    (effect).

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> found = cw.votes(net, cat, class_index="Egyptian cat")
    >>> found.passes, len(found.records()), bool(found.effect.sum() > 0)
    (0, 1280, True)
    """
    tail = tail_of(net, sample, layer)
    index = chosen_class(net, tail.scores, class_index)
    weights = net.score_weights([index], versus)[0]
    gradients = np.asarray(net.gradients(sample, tail.layer, weights)[1], np.float64)
    values = tail.activations.astype(np.float64)
    mean = gradients.mean(axis=(0, 1))
    effect, passes = (gradients * values).sum(axis=(0, 1)), 0
    if tail.curve is not None:
        effect, passes = (
            _measured(tail, weights, progress) if effects else (np.full(tail.filters, np.nan), 0)
        )
    return Votes(
        tail.layer,
        index,
        net.class_names[index],
        None if versus is None else net.class_index(versus),
        np.asarray(effect, np.float32),
        np.asarray(mean, np.float32),
        np.asarray(mean * values.sum(axis=(0, 1)), np.float32),
        np.asarray(values.mean(axis=(0, 1)), np.float32),
        passes,
    )


def _measured(
    tail: Tail, weights: Floats, progress: Progress | None
) -> tuple[NDArray[np.float64], int]:
    """Return the effect of each filter (K,), by silencing it, and how many passes that took."""
    speaking = np.flatnonzero(tail.activations.any(axis=(0, 1)))
    sets: list[tuple[int, ...]] = [(), *((int(k),) for k in speaking)]
    scores, _ = tail.without(sets, stepping(progress, len(sets)))
    found = scores.astype(np.float64) @ weights
    effect = np.zeros(tail.filters)
    effect[speaking] = found[0] - found[1:]  # a filter that is 0 everywhere has no effect
    return effect, len(sets)


def stepping(progress: Progress | None, total: int) -> Step:
    """Return a function that reports passes done, and raises a CancelledError on False."""

    def step(done: int) -> None:
        if stopped(progress, min(done, total), total):
            raise CancelledError(f"Cancelled after {done} of {total} passes.")

    return step


@dataclass(frozen=True, eq=False)
class SharedEvidence:
    """Which other classes rest on the same filters as one class, on one photograph.

    Attributes
    ----------
    layer, class_index, class_name
    classes : tuple of int
        The most likely other classes, in the order of their scores.
    cosines : ndarray, shape (n,)
        For each, the cosine between what its filters add to its score (dY/dA ⊙ A, summed over
        positions) and what they add to that of the class, -1 to 1; NaN where one has nothing.
    removed : tuple of int
        The filters that were silenced.
    drops : ndarray, shape (C,)
        For every class of the network, how far its score falls without them.
    """

    layer: str
    class_index: int
    class_name: str
    classes: tuple[int, ...]
    cosines: Floats = field(repr=False)
    removed: tuple[int, ...] = field(repr=False)
    drops: Floats = field(repr=False)
    class_names: tuple[str, ...] = field(repr=False)

    def most_lowered(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the classes, with the class itself, whose scores fall most, and how far."""
        order = np.argsort(-self.drops, kind="stable")[:count]
        return [(self.class_names[k], float(self.drops[k])) for k in order]

    def records(self) -> list[dict[str, Any]]:
        """Return one row for each of `classes`."""
        return [
            {"class_index": k, "name": self.class_names[k], "cosine": float(cosine),
             "drop": float(self.drops[k])}
            for k, cosine in zip(self.classes, self.cosines, strict=True)
        ]  # fmt: skip


def shared_evidence(
    net: Network,
    sample: ImageSample,
    layer: str | None = None,
    class_index: int | str | None = None,
    *,
    filters: int | Sequence[int] | None = None,
    among: int = 10,
) -> SharedEvidence:
    """Return which classes rest on the same filters of a layer as a class does.

    Costs one gradient through the layers behind for each of the classes, and one pass.

    Parameters
    ----------
    net, sample, layer, class_index
        As for `votes`.
    filters : int or sequence of int, optional
        The filters to silence; by default the fewest that make up half of what adds to the class.
    among : int
        How many other classes are compared, the most likely ones.

    Raises
    ------
    ValueError
        For the same reasons as `votes`, if a filter is unknown or `among` is below 1.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> found = cw.shared_evidence(net, cat, class_index="Egyptian cat", among=2)
    >>> [row["name"] for row in found.records()], bool(found.cosines[0] > 0.5)
    (['tiger cat', 'tabby'], True)
    """
    if among < 1:
        raise ValueError(f"Expected among to be at least 1. Received: {among}")
    tail = tail_of(net, sample, layer)
    index = chosen_class(net, tail.scores, class_index)
    order = np.argsort(-tail.scores, kind="stable")
    others = [int(k) for k in order if k != index][:among]
    shares = tail.products([index, *others])
    chosen = _half(shares[0]) if filters is None else chosen_filters(filters, tail.filters)
    before = tail.without([(), chosen])[0] if chosen else np.stack([tail.scores] * 2)
    norms = np.linalg.norm(shares, axis=1)
    scale = norms[1:] * norms[0]
    cosines = np.divide(shares[1:] @ shares[0], scale, out=np.full(len(others), np.nan),
                        where=scale > 0)  # fmt: skip
    return SharedEvidence(
        tail.layer, index, net.class_names[index], tuple(others), np.asarray(cosines, np.float32),
        chosen, np.asarray(before[0] - before[1], np.float32), net.class_names,
    )  # fmt: skip


def _half(shares: NDArray[np.float64]) -> tuple[int, ...]:
    """Return the fewest filters that make up half of what is above zero; none if nothing is."""
    order = np.argsort(-shares, kind="stable")
    summed = np.cumsum(np.maximum(shares[order], 0))
    if not summed[-1] > 0:
        return ()
    return tuple(int(k) for k in order[: int(np.searchsorted(summed, summed[-1] / 2)) + 1])
