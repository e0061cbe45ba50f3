"""Tries a suspicion: takes away what is suspected, puts it in, and does both with controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.auditing.shares import Share
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, Pixels
from cnn_widgets.shortcuts.interventions import Intervention

Array = NDArray[Any]
#: Random controls that a suspicion is compared with.
CONTROLS = 200
#: Photographs of the class, and of others, on which controls are compared.
TRIED = 8
#: Log-odds that a shortcut changes at least: e^1.5 = 4.5 times the odds.
LEAST = 1.5
_BLOCK = 10  # controls between two looks at whether the suspicion can still hold
_LIMIT = 0.01  # share of the controls that may do as much
_CLIP = 12.0  # log-odds beyond which more makes no difference
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, eq=False)
class Photographs:
    """Photographs of one size, as the network takes them.

    Attributes
    ----------
    names : tuple of str
    pixels : ndarray of uint8, shape (n, H, W, 3)
    inputs : tuple of mapping
        What each gives to other inputs of the network.
    """

    names: tuple[str, ...]
    pixels: Pixels
    inputs: tuple[Mapping[str, Any], ...]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, numbers: Sequence[int]) -> Photographs:
        """Return some of the photographs."""
        return Photographs(
            tuple(self.names[n] for n in numbers),
            self.pixels[list(numbers)],
            tuple(self.inputs[n] for n in numbers),
        )

    def samples(self, pixels: Pixels | None = None) -> list[ImageSample]:
        """Return them as samples, with other pixels if some are given."""
        some = self.pixels if pixels is None else pixels
        return [
            ImageSample(each, name, fit="squash", inputs=inputs)
            for each, name, inputs in zip(some, self.names, self.inputs, strict=True)
        ]


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
        as_much = sum(each >= self.compared for each in self.controls)
        return (1 + as_much) / (1 + len(self.controls))

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
class Trial:
    """Both directions of a trial.

    Attributes
    ----------
    away : Effect
        Taken away from photographs of the class.
    into : Effect
        Put into photographs of other classes.
    """

    away: Effect
    into: Effect

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
        log-odds by at least `LEAST`, with a 95 % interval above 0. `chance` must be at most 1 %,
        which follows from the rest up to nine suspicions.
        """
        both = (self.away, self.into)
        return self.chance(tried) <= _LIMIT and all(
            each.rank <= _LIMIT and each.change >= LEAST and each.interval[0] > 0 for each in both
        )

    @property
    def strength(self) -> float:
        """The smaller of the two changes of the log-odds."""
        return min(self.away.change, self.into.change)


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
        scores = np.asarray(self.net.scores(samples)[0], np.float64)
        own = scores[:, list(self.classes)]
        others = np.delete(scores, list(self.classes), axis=1)
        if not others.shape[1] or self.net.head == "sigmoid":
            odds = own.max(axis=1)
            return odds.clip(-_CLIP, _CLIP), odds >= scores.max(axis=1)
        odds = np.logaddexp.reduce(own, axis=1) - np.logaddexp.reduce(others, axis=1)
        return odds.clip(-_CLIP, _CLIP), own.max(axis=1) >= others.max(axis=1)


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
    sides = [_side(judge, change, own, True), _side(judge, change, others, False)]
    aims = _means(judge, change, *few)
    found: tuple[list[float], list[float]] = ([], [])
    rng = np.random.default_rng(seed)
    allowed = max(1, int(_LIMIT * (controls + 1)))  # from so many on the rank is past the limit
    while len(found[0]) < controls:
        for _ in range(min(_BLOCK, controls - len(found[0]))):
            for done, value in zip(found, _means(judge, change.control(rng), *few), strict=True):
                done.append(value)
        progress(len(found[0]), controls)
        many = (sum(each >= aim for each in done) for done, aim in zip(found, aims, strict=True))
        if min(change for change, _, _ in sides) < LEAST or max(many) >= allowed:
            break
    effects = [
        Effect(change, interval, aim, tuple(done), turned)
        for (change, interval, turned), aim, done in zip(sides, aims, found, strict=True)
    ]
    return Trial(*effects)


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


def _side(
    judge: Judge, change: Intervention, some: Photographs, own: bool
) -> tuple[float, tuple[float, float], Share]:
    """Return the change over all photographs, its interval, and how many turn."""
    odds, answered = zip(
        *(
            judge.ask(some.samples(make(some.pixels, own)))
            for make in (change.present, change.absent)
        ),
        strict=True,
    )
    gaps = odds[0] - odds[1]
    half = _NORMAL_95 * float(gaps.std(ddof=1)) / np.sqrt(len(gaps)) if len(gaps) > 1 else np.inf
    middle = float(gaps.mean())
    could = answered[0] if own else ~answered[1]
    turned = answered[0] & ~answered[1]
    return (
        middle,
        (middle - half, middle + half),
        Share(int((turned & could).sum()), int(could.sum())),
    )
