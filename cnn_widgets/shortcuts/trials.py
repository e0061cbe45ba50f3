"""Tries a suspicion: takes away what is suspected, puts it in, and does both with controls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.auditing.shares import Share
from cnn_widgets.shortcuts.interventions import Intervention
from cnn_widgets.shortcuts.judging import Judge, Photographs

Array = NDArray[Any]
#: Random controls that a suspicion is compared with.
CONTROLS = 200
#: Photographs of the class, and of others, on which controls are compared.
TRIED = 8
#: Log-odds that a shortcut changes at least: e^1.5 = 4.5 times the odds.
LEAST = 1.5
#: Controls between two looks at whether the suspicion can still hold.
BLOCK = 10
_LIMIT = 0.01  # share of the controls that may do as much
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Effect:
    """What one direction of a trial did to the class, and what controls did.

    Attributes
    ----------
    change : float
        How much the log-odds of the class are higher with what is suspected than without, the mean
        over photographs.
    interval : (float, float)
        Its 95 % interval over photographs.
    compared : float
        The same over the few photographs on which controls were tried.
    controls : tuple of float
        What each control changed there.
    turned : Share
        Of the photographs that can turn: those of the class that lose it when it is taken away, or
        those of others that get the class when it is put in.
    """

    change: float
    interval: tuple[float, float]
    compared: float
    controls: tuple[float, ...]
    turned: Share

    @property
    def rank(self) -> float:
        """The share of controls that do as much, this one counted as one of them; above 0."""
        return (1 + self.as_much) / (1 + len(self.controls))

    @property
    def as_much(self) -> int:
        """The number of controls that do as much."""
        return sum(each >= self.compared for each in self.controls)

    @property
    def standardised(self) -> float:
        """`compared` less the controls' mean, in standard deviations of the controls."""
        some = np.array(self.controls)
        spread = float(some.std()) if len(some) > 1 else float("nan")
        return (self.compared - float(some.mean())) / spread if spread > 0 else float("nan")

    def quantiles(self) -> tuple[float, float, float]:
        """Return the median, the 95 % and the 99 % quantile of the controls."""
        middle, high, highest = np.quantile(self.controls, (0.5, 0.95, 0.99)).tolist()
        return middle, high, highest


@dataclass(frozen=True)
class Blurring:
    """What it did to the class that something suspected was blurred; it has no controls.

    Attributes
    ----------
    change : float
        How much the log-odds of the class are higher with what is suspected than with it blurred,
        the mean over photographs of the class.
    interval : (float, float)
        Its 95 % interval over photographs.
    turned : Share
        Of the photographs that were given the class with it, those that lose it.
    """

    change: float
    interval: tuple[float, float]
    turned: Share


@dataclass(frozen=True)
class Trial:
    """Both directions of a trial, and a second way to take away.

    Attributes
    ----------
    away : Effect
        Taken away from photographs of the class, by putting there what others have.
    into : Effect
        Put into photographs of other classes.
    blurred : Blurring or None
        Taken away by blurring; None for what cannot be blurred.
    every : bool
        Whether the controls are all that there are, fewer than 199: the other filters of a layer.
    """

    away: Effect
    into: Effect
    blurred: Blurring | None = None
    every: bool = False

    def chance(self, tried: int) -> float:
        """Return how probable it is that one of `tried` innocent suspicions does as much as this.

        That the product of two independent ranks is at most t has the probability t (1 - ln t).
        The two of a trial come from the same controls, so this is somewhat too small.
        """
        product = self.away.rank * self.into.rank
        return min(1.0, tried * product * (1 - float(np.log(product))))

    def holds(self, tried: int = 1) -> bool:
        """Return whether the suspicion holds, one of `tried` about the same label.

        Taking away and putting in must both do more than all but 1 % of the controls, change the
        log-odds by at least `LEAST`, with a 95 % interval above 0. So must blurring, where there is
        something to blur, but for the controls: what is put in the place of a thing may change the
        answer in itself, and two ways to take it away rarely do so alike. `chance` must be at most
        1 %, which follows from the rest up to nine suspicions. Where the controls are all that
        there are, none of them may do as much instead.
        """
        both = (self.away, self.into)
        ways = both if self.blurred is None else (*both, self.blurred)
        if self.every:
            rare = all(each.rank <= 1 / (1 + len(each.controls)) for each in both)
        else:
            rare = self.chance(tried) <= _LIMIT and all(each.rank <= _LIMIT for each in both)
        return rare and all(each.change >= LEAST and each.interval[0] > 0 for each in ways)

    @property
    def strength(self) -> float:
        """The smaller of the two changes of the log-odds."""
        return min(self.away.change, self.into.change)


def try_suspicion(
    judge: Judge,
    change: Intervention,
    own: Photographs,
    others: Photographs,
    controls: int = CONTROLS,
    seed: int = 0,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> Trial:
    """Return what a suspicion and its controls do to a label.

    Controls are tried in blocks. As soon as the suspicion cannot hold any more, because too many
    do as much or because it changes too little, the rest is not tried (Besag and Clifford 1991,
    "Sequential Monte Carlo p-values").

    Parameters
    ----------
    judge : Judge
    change : Intervention
        What is suspected.
    own, others : Photographs
        Of the label, and of others: all of them are asked about for the effect, and the first
        `TRIED` of each for the comparison with controls.
    controls : int
    seed : int
    progress : callable
        Called with (controls done, controls in all).
    """
    few = own.take(range(min(TRIED, len(own)))), others.take(range(min(TRIED, len(others))))
    rng = np.random.default_rng(seed)
    return compared(
        (_side(judge, change, own, True), _side(judge, change, others, False)),
        _blurring(judge, change, own),
        _means(judge, change, *few),
        (_means(judge, change.control(rng), *few) for _ in range(controls)),
        controls,
        lambda done: progress(done, controls),
    )


#: The change of the log-odds over all photographs, its 95 % interval, and how many turn.
Side = tuple[float, tuple[float, float], Share]


def compared(
    sides: tuple[Side, Side],
    blurred: Side | None,
    aims: tuple[float, float],
    controls: Iterable[tuple[float, float]],
    count: int,
    progress: Callable[[int], Any],
) -> Trial:
    """Return a trial from its effects and from those of controls, as far as these are needed.

    Parameters
    ----------
    sides : (Side, Side)
        Of taking away, and of putting in.
    blurred : Side or None
    aims : (float, float)
        Both changes on the few photographs on which controls are tried.
    controls : iterable of (float, float)
        Both changes of each control.
    count : int
        How many controls there are.
    progress : callable
        Called with the number of controls done.
    """
    waiting, found = iter(controls), list[tuple[float, float]]()
    allowed = max(1, int(_LIMIT * (count + 1)))  # from so many on the rank is past the limit
    small = min(side[0] for side in (*sides, *([blurred] if blurred else []))) < LEAST
    while block := list(islice(waiting, BLOCK)):
        found += block
        progress(len(found))
        many = (np.array(found) >= aims).sum(axis=0).max()
        if small or many >= allowed:
            break
    away, into = (
        Effect(change, interval, aim, tuple(each[way] for each in found), turned)
        for way, ((change, interval, turned), aim) in enumerate(zip(sides, aims, strict=True))
    )
    return Trial(away, into, None if blurred is None else Blurring(*blurred))


def _means(
    judge: Judge, change: Intervention, own: Photographs, others: Photographs
) -> tuple[float, float]:
    """Return the mean change of the log-odds over photographs of the class, and over others."""
    parts = [
        some.samples(make(some.pixels, some is own))
        for some in (own, others)
        for make in (change.present, change.absent)
    ]
    odds = judge.ask([sample for part in parts for sample in part])[0]  # in one go: it is faster
    ends = np.cumsum([len(part) for part in parts])[:-1]
    with_it, without, into, before = (float(part.mean()) for part in np.split(odds, ends))
    return with_it - without, into - before


def _side(judge: Judge, change: Intervention, some: Photographs, own: bool) -> Side:
    """Return what it changes over all photographs that it is there."""
    odds, answered = zip(
        *(
            judge.ask(some.samples(make(some.pixels, own)))
            for make in (change.present, change.absent)
        ),
        strict=True,
    )
    return side_of(odds, answered, own)


def _blurring(judge: Judge, change: Intervention, own: Photographs) -> Side | None:
    """Return what it changes over all photographs of the class that it is there and not blurred."""
    blurred = change.blurred(own.pixels)
    if blurred is None:
        return None
    versions = (change.present(own.pixels, True), blurred)
    odds, answered = zip(*(judge.ask(own.samples(each)) for each in versions), strict=True)
    return side_of(odds, answered, True)


def side_of(odds: Sequence[Array], answered: Sequence[Array], own: bool) -> Side:
    """Return the change, its interval and how many turn, from answers with it and without."""
    gaps = odds[0] - odds[1]
    half = _NORMAL_95 * float(gaps.std(ddof=1)) / sqrt(len(gaps)) if len(gaps) > 1 else inf
    middle = float(gaps.mean())
    could = answered[0] if own else ~answered[1]
    turned = answered[0] & ~answered[1]
    share = Share(int((turned & could).sum()), int(could.sum()))
    return middle, (middle - half, middle + half), share
