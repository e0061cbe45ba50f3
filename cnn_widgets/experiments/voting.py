"""Which filters of a layer speak for a class, by four measures."""

from __future__ import annotations

from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.arguments import whole
from cnn_widgets.attribution.probe import Progress
from cnn_widgets.evaluation.randomization import rank_correlation
from cnn_widgets.experiments.tail import (
    Step,
    Tail,
    chosen_class,
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
        """Return the filters, (K,), largest value of a measure first.

        A ValueError if the measure is unknown, or effects that were not measured.
        """
        if not isinstance(by, str) or by not in MEASURES:
            raise ValueError(f"Expected a measure of {tuple(MEASURES)}. Received: {by!r}")
        values = np.asarray(getattr(self, by))
        if np.isnan(values).any():
            raise ValueError(
                f"The {by}s were not measured (effects=False). Rank by one of "
                f"{tuple(name for name in MEASURES if name != by)}."
            )
        return np.argsort(-values, kind="stable")

    def top(self, count: int, by: str = "effect") -> tuple[int, ...]:
        """Return the `count` filters with the largest values, largest first."""
        return tuple(int(k) for k in self.ranking(by)[: whole("count", count)])

    @property
    def agreement(self) -> Floats:
        """Spearman's rank correlation of each two measures, (4, 4) in the order of `MEASURES`.

        NaN where one of the two is the same for all filters, or was not measured: there is then
        no ranking.
        """
        values = [np.asarray(getattr(self, name)) for name in MEASURES]
        flat = [not each.min() < each.max() for each in values]
        return np.array(
            [
                [np.nan if a or b else rank_correlation(one, other)
                 for other, b in zip(values, flat, strict=True)]
                for one, a in zip(values, flat, strict=True)
            ],
            np.float32,
        )  # fmt: skip

    def records(self, by: str = "effect") -> list[dict[str, Any]]:
        """Return one row per filter, largest first: its number and its four values.

        A ValueError as for `ranking`.
        """
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
