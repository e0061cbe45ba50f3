"""Search for a small set of things whose removal makes another class win; arrays only.

Things are numbered from 0: filters of a layer, or cells of a photograph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating[Any]]
#: Returns the scores (N, C) with each of N sets of numbers removed.
Ask = Callable[[Sequence[tuple[int, ...]]], Scores]
#: Returns, for some classes, how far each thing's removal raises their scores, (things, classes).
Gains = Callable[[Sequence[int]], NDArray[np.float64]]
#: Returns the numbers that may be removed next, beside those that are.
Options = Callable[[tuple[int, ...]], Sequence[int]]


@dataclass(frozen=True)
class Found:
    """The result of a greedy search.

    Attributes
    ----------
    removed : tuple of int
        In the order in which they were removed, without those put back.
    leads : tuple of float
        The lead of the wanted class after each removal, see `lead`; the first is that of the start.
    turned : bool
        Whether the wanted class wins.
    put_back : int
        How many turned out not to be needed, once the others were removed.
    """

    removed: tuple[int, ...]
    leads: tuple[float, ...]
    turned: bool
    put_back: int


def lead(scores: Scores, wanted: int) -> NDArray[np.float64]:
    """Return by how much the score of a class exceeds the largest other one, (N,), of (N, C)."""
    others = np.delete(scores, wanted, axis=1).max(axis=1)
    return np.asarray(scores[:, wanted].astype(np.float64) - others)


def greedy(
    ask: Ask,
    options: Options,
    start: Scores,
    wanted: int,
    most: int,
    allowed: Callable[[tuple[int, ...]], bool] | None = None,
) -> Found:
    """Return what a greedy search finds, then prunes.

    Each step removes the thing whose removal gives the wanted class the largest lead; leads are
    measured again at each step. Once the class wins, whatever it does not need removed is put back.

    Parameters
    ----------
    ask, options
    start : ndarray, shape (C,)
        The scores with nothing removed.
    wanted : int
        The class that shall win.
    most : int
        The largest set that is tried.
    allowed : callable, optional
        Whether a set may remain after something was put back.
    """
    removed: tuple[int, ...] = ()
    leads = [float(lead(start[None], wanted)[0])]
    while leads[-1] <= 0 and len(removed) < most:
        choice = options(removed)
        if not len(choice):
            break
        found = lead(ask([(*removed, each) for each in choice]), wanted)
        best = int(found.argmax())
        removed = (*removed, int(choice[best]))
        leads.append(float(found[best]))
    if leads[-1] <= 0:
        return Found(removed, tuple(leads), False, 0)
    pruned = _pruned(ask, removed, wanted, allowed)
    return Found(pruned, tuple(leads), True, len(removed) - len(pruned))


def _pruned(
    ask: Ask,
    removed: tuple[int, ...],
    wanted: int,
    allowed: Callable[[tuple[int, ...]], bool] | None,
) -> tuple[int, ...]:
    """Return a winning set less each member, one after the other, without which it still wins."""
    while len(removed) > 1:
        smaller = [removed[:n] + removed[n + 1 :] for n in range(len(removed))]
        smaller = [each for each in smaller if allowed is None or allowed(each)]
        if not smaller:
            break
        found = lead(ask(smaller), wanted)
        best = int(found.argmax())
        if not found[best] > 0:
            break
        removed = smaller[best]
    return removed


def fewest(gains: NDArray[np.float64], start: Scores, wanted: int, slack: float) -> int | None:
    """Return how many removals the wanted class needs at least; None if no number is enough.

    Holds where effects add up: each removal i changes the scores by ``gains[i]``, (n, C), whatever
    else is removed. A bound for each rival: those that help most against it, largest first.
    `slack` is what sums and measured scores may differ by: what is claimed holds in spite of it.
    """
    needed = 0
    for rival in range(len(start)):
        if rival == wanted:
            continue
        gap = float(start[rival]) - float(start[wanted])
        if gap < 0:
            continue
        helps = np.sort(np.maximum(gains[:, wanted] - gains[:, rival], 0))[::-1]
        enough = np.flatnonzero(np.cumsum(helps) > gap - slack)
        if not len(enough):
            return None
        needed = max(needed, int(enough[0]) + 1)
    return needed


#: How many of the largest scores `greedy_linear` looks at to begin with.
_FIRST_CLASSES = 8


def greedy_linear(
    ask: Ask, gains_of: Gains, things: Sequence[int], start: Scores, wanted: int, most: int
) -> tuple[Found, int | None]:
    """Return what a greedy search finds where effects add up, and the least number needed.

    That number is a lower bound, or None if no set is enough. The effects on the classes with the
    largest scores are added up; the sum is then measured by `ask`, and should yet another class
    have won, it is looked at, too.

    Parameters
    ----------
    ask
        Measures; called once or a few times.
    gains_of
        Called once for each class looked at.
    things : sequence of int
        The numbers of what may be removed.
    start, wanted, most
        As for `greedy`.
    """
    order = [int(k) for k in np.argsort(-start, kind="stable") if k != wanted]
    classes = [wanted, *order[: _FIRST_CLASSES - 1]]
    gains = gains_of(classes)
    while True:
        # Sums and measured scores are rounded differently, and the more, the more is summed up
        summed_up = float(np.abs(gains).sum(axis=0).max(initial=0))
        slack = 1e-5 * float(np.abs(start).max()) + 1e-6 * summed_up
        begin = start[classes].astype(np.float64)
        bound = fewest(gains[list(things)], begin, 0, slack)
        if bound is None:
            return Found((), (float(lead(start[None], wanted)[0]),), False, 0), None
        begin[0] -= slack

        def summed(sets: Sequence[tuple[int, ...]], begin: Any = begin, gains: Any = gains) -> Any:
            return np.stack([begin + gains[list(each)].sum(axis=0) for each in sets])

        def left(removed: tuple[int, ...]) -> Sequence[int]:
            return [k for k in things if k not in removed]

        found = greedy(summed, left, begin, 0, most)
        measured = ask([found.removed])
        if not found.turned or lead(measured, wanted)[0] > 0:
            return found, bound
        missing = int(np.where(np.arange(len(start)) == wanted, -np.inf, measured[0]).argmax())
        if missing in classes:  # a tie within rounding
            return replace(found, turned=False), bound
        classes.append(missing)
        gains = np.concatenate([gains, gains_of([missing])], axis=1)
