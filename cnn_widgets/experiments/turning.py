"""The smallest change that makes another class win: filters silenced, or a region taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.arguments import one_sample, whole
from cnn_widgets.attribution.probe import Progress
from cnn_widgets.experiments.cover import Cover, cover
from cnn_widgets.experiments.search import Found, greedy, greedy_linear
from cnn_widgets.experiments.tail import Answers, Tail, tail_of
from cnn_widgets.experiments.voting import stepping
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Turning:
    """A small set of filters, or of cells of the photograph, without which another class wins.

    Attributes
    ----------
    winner, rival : int
        The class with the highest score, and the one that shall win instead.
    turned : bool
        Whether it does, without what was removed.
    removed : tuple of int
        Filters, or the numbers of cells. If nothing turned: all that the search tried at last.
    smallest : bool
        Whether it is proven that no smaller set turns it. A greedy search alone proves that for
        sets of one, and of two where every single one was tried.
    impossible : bool
        Whether it is proven that no set turns it.
    told : str
        The result in words, with what is not known.
    leads : tuple of float
        By how much the rival's score exceeds the largest other one, after each removal of the
        search; the first is with nothing removed.
    answers : Answers
        Before and after; measured with all of `removed` gone, not added up.
    share : float
        What was removed: the share of the layer's filters, or of the photograph's pixels that the
        network is given.
    passes : int
        Pictures passed through the network, or activations and gradients through the layers
        behind the layer.
    mask : ndarray of bool, shape (H, W), or None
        The pixels of the photograph that were removed; None for filters.
    """

    winner: int
    rival: int
    turned: bool
    removed: tuple[int, ...]
    smallest: bool
    impossible: bool
    told: str
    leads: tuple[float, ...]
    answers: Answers = field(repr=False)
    share: float
    passes: int
    mask: NDArray[np.bool_] | None = field(repr=False, default=None)


def smallest_change(
    net: Network,
    sample: ImageSample,
    of: str = "filters",
    *,
    rival: int | str | None = None,
    layer: str | None = None,
    candidates: int = 64,
    cells: tuple[int, int] | NDArray[np.integer] = (7, 7),
    fill: str | ImageSample = "blur",
    connected: bool = False,
    most: int = 64,
    progress: Progress | None = None,
) -> Turning:
    """Return a small set of filters, or a small region, without which another class wins.

    The search is greedy: what helps most goes first, measured anew after each removal, and what
    turns out not to be needed is put back. Where the layers behind are affine in the activations,
    the effects of filters add up: then a few gradients are enough, and often it is proven that the
    set is the smallest, or that none exists.

    Parameters
    ----------
    net, sample
    of : {"filters", "region"}
    rival : int or str, optional
        The class that shall have the highest score; by default the second most likely one.
    layer : str, optional
        The layer of the filters; by default `net.default_layer`. A region has none.
    candidates : int
        How many filters are tried in each step: those that a gradient says help most. One that
        it overlooks is not found.
    cells : (rows, columns) or ndarray of int, shape (H, W)
        The parts that a region is made of: a grid over what the network is given of the
        photograph, numbered row by row; or the number of each pixel's part (superpixels, say).
    fill : {"blur", "mean", "noise"} or ImageSample
        What takes the place of the region, see `occlude`.
    connected : bool
        Whether the region grows from its first cell, along edges only: fewer passes.
    most : int
        The largest number of filters or cells that are removed.
    progress : callable, optional
        Called with (passes done, an estimate of all, at which the count stays); returning False
        stops.

    Raises
    ------
    ValueError
        If `of`, the layer, the class or the fill is unknown, a layer is named for a region, the
        rival wins already, or `candidates` or `most` is below 1.
    concurrent.futures.CancelledError
        If `progress` returned False.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> found = cw.smallest_change(net, cat)
    >>> found.turned, found.answers.top_after(1)[0].class_index == found.rival
    (True, True)
    """
    if of not in ("filters", "region"):
        raise ValueError(f"Expected of to be 'filters' or 'region'. Received: {of!r}")
    if of == "region" and layer is not None:
        raise ValueError(f"A region of the photograph has no layer. Received: layer={layer!r}")
    candidates, most = whole("candidates", candidates), whole("most", most)
    checked_network(net), one_sample(sample)
    winner, wanted = _rivals(net, net.scores(sample)[0], rival)
    if of == "filters":
        tail = tail_of(net, sample, layer)
        case = _Case(tail, winner, wanted, f"filters of {tail.layer}", tail.filters)
        return _filters(tail, case, candidates, most, progress)
    parts = cover(net, sample, cells, fill)
    case = _Case(parts, winner, wanted, "cells of the photograph", len(parts.numbers))
    return _region(parts, case, connected, most, progress)


def _rivals(net: Network, scores: Floats, rival: int | str | None) -> tuple[int, int]:
    """Return the class with the highest score, and the one that shall win instead."""
    order = np.argsort(-scores, kind="stable")
    if len(order) < 2:
        raise ValueError("This network has one value, and no other class that could win.")
    wanted = int(order[1]) if rival is None else net.class_index(rival)
    if wanted == order[0]:
        raise ValueError(f"{net.class_names[wanted]!r} wins already.")
    return int(order[0]), wanted


class _Counter:
    """Asks for the scores of sets, counts the passes and reports them."""

    def __init__(self, parts: Tail | Cover, progress: Progress | None, total: int) -> None:
        self._parts, self._report, self.passes = parts, stepping(progress, total), 0

    def __call__(self, sets: Sequence[Sequence[int]]) -> Floats:
        before = self.passes
        scores = self._parts.without(sets, lambda done: self._report(before + done))[0]
        self.passes += len(sets)
        return scores


@dataclass(frozen=True, eq=False)
class _Case:
    """What is searched among, `count` of the `things` of `parts`, and for which class."""

    parts: Tail | Cover
    winner: int
    wanted: int
    things: str
    count: int

    def result(self, found: Found, smallest: bool, impossible: bool, passes: int) -> Turning:
        """Return the result, with the answer measured once more without all that was removed."""
        parts = self.parts
        scores, probabilities = parts.without([found.removed])
        names = parts.network.class_names
        answers = Answers(parts.scores, scores[0], parts.probabilities, probabilities[0], names)
        share, mask = len(found.removed) / self.count, None
        if isinstance(parts, Cover):
            share, mask = parts.share(found.removed), parts.on_photo(found.removed)
        return Turning(
            self.winner, self.wanted, found.turned, found.removed, smallest, impossible,
            self._told(found, smallest, impossible), found.leads, answers, share, passes + 1, mask,
        )  # fmt: skip

    def _told(self, found: Found, smallest: bool, impossible: bool) -> str:
        names = self.parts.network.class_names
        rival, removed = names[self.wanted], f"{len(found.removed)} of {self.count} {self.things}"
        if impossible:
            return f"No set of {self.things} makes {rival} win: that is proven."
        if not found.turned:
            return (
                f"No set of {self.things} was found that makes {rival} win: without {removed}, "
                "chosen one after the other, it still does not. Other sets are not ruled out."
            )
        known = "No smaller set does that." if smallest else "A smaller set is not ruled out."
        return f"Without {removed}, {rival} wins over {names[self.winner]}. {known}"


def _filters(
    tail: Tail, case: _Case, candidates: int, most: int, progress: Progress | None
) -> Turning:
    """Return the search among the filters that are not silent anyway."""
    speaking = [int(k) for k in np.flatnonzero(tail.activations.any(axis=(0, 1)))]
    ask = _Counter(tail, progress, candidates * most)
    if tail.curve is not None:
        options = _options(tail, speaking, case.wanted, candidates, ask)
        found = greedy(ask, options, tail.scores, case.wanted, most)
        smallest = _proven(found, len(speaking) <= candidates)
        return case.result(found, smallest, not speaking, ask.passes)

    def gains(classes: Sequence[int]) -> NDArray[np.float64]:
        ask.passes += len(classes)
        return -tail.products(classes).T

    found, bound = greedy_linear(ask, gains, speaking, tail.scores, case.wanted, most)
    smallest = found.turned and bound == len(found.removed)
    return case.result(found, smallest, bound is None, ask.passes)


def _options(
    tail: Tail, speaking: Sequence[int], wanted: int, candidates: int, ask: _Counter
) -> Callable[[tuple[int, ...]], Sequence[int]]:
    """Return what chooses the filters to try: those that a gradient says help most."""

    def options(removed: tuple[int, ...]) -> Sequence[int]:
        left = [k for k in speaking if k not in removed]
        if len(left) <= candidates:
            return left
        values = tail.activations.copy()
        values[..., list(removed)] = 0
        scores = tail.run(values[None])[0][0]
        others = np.where(np.arange(len(scores)) == wanted, -np.inf, scores)
        weights = tail.network.score_weights([int(others.argmax())], wanted)[0]
        ask.passes += 2
        gains = (tail.gradient(weights, "logit", values) * values).sum(axis=(0, 1))
        return sorted(left, key=lambda k: -gains[k])[:candidates]

    return options


def _region(
    parts: Cover, case: _Case, connected: bool, most: int, progress: Progress | None
) -> Turning:
    """Return the search among the cells of the photograph."""
    ask = _Counter(parts, progress, case.count * min(most, case.count))

    def options(removed: tuple[int, ...]) -> Sequence[int]:
        if connected and removed:
            return parts.next_to(removed)
        return [k for k in parts.numbers if k not in removed]

    allowed = parts.connected if connected else None
    found = greedy(ask, options, parts.scores, case.wanted, most, allowed)
    return case.result(found, _proven(found, True), False, ask.passes)


def _proven(found: Found, tried_all: bool) -> bool:
    """Whether no smaller set turns it: one is the least, and all single ones were tried before."""
    return found.turned and (len(found.removed) == 1 or (len(found.removed) == 2 and tried_all))
