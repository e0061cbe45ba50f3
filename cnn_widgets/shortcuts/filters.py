"""Filters by which a network sees what is not the subject: suspected, silenced, and put in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.experiments.tail import Tail, batches, tail_of
from cnn_widgets.shortcuts.judging import Judge, Photographs
from cnn_widgets.shortcuts.places import Mask, box_share, evidence_shares, share_in
from cnn_widgets.shortcuts.trials import (
    BLOCK,
    CONTROLS,
    TRIED,
    Side,
    Trial,
    compared,
    side_of,
)

Array = NDArray[Any]
#: Photographs of the label, and of others, on which a filter is tried.
LOOKED = 16
#: Filters that a layer has at least; of fewer none is tried, because too few are there to compare.
FEWEST = 20
_STRONGEST = 2  # filters that are tried wherever they are excited
_SEARCHED = 16  # filters among which one is looked for that is excited beside the subject
_MOST = 0.6  # share of a filter's evidence that lies beside the subject
_EXCESS = 1.5  # times its share of the area that a place has of a filter's evidence
_HOT = 0.5  # of a map's maximum


@dataclass(frozen=True, eq=False)
class SuspectedFilters:
    """A filter, or several together, that a label may rest on.

    Attributes
    ----------
    layer : str
    numbers : tuple of int
    place : str
        Which they are and where they are excited, in words.
    why : str
        Why they are suspected.
    mask : ndarray of bool, shape (H, W)
        Where their evidence for the label is largest, on the network's input.
    central : bool
        Whether it may be the subject that excites them.
    """

    layer: str
    numbers: tuple[int, ...]
    place: str
    why: str
    mask: Mask
    central: bool


def tried_filters(
    judge: Judge,
    own: Photographs,
    others: Photographs,
    places: Mapping[str, Mask],
    without: tuple[str, Photographs] | None,
    controls: int = CONTROLS,
    seed: int = 0,
    progress: Callable[[float], Any] = lambda share: None,
) -> list[tuple[SuspectedFilters, Trial]]:
    """Return the suspected filters of the network's default layer, each with its trial.

    None for a network without a layer that has a map. Parameters are those of `suspected_filters`
    and `try_filters`; `progress` is called with the share that is done.
    """
    layer = judge.net.default_layer
    if layer is None:
        return []
    found: list[tuple[SuspectedFilters, Trial]] = []
    suspected = suspected_filters(judge, layer, own, places, without)
    for number, each in enumerate(suspected):

        def tried(done: int, of: int, start: int = number) -> None:
            progress((start + done / of) / len(suspected))

        trial = try_filters(judge, layer, each.numbers, own, others, controls, seed + number, tried)
        found.append((each, trial))
    return found


def suspected_filters(
    judge: Judge,
    layer: str,
    own: Photographs,
    places: Mapping[str, Mask],
    without: tuple[str, Photographs] | None,
) -> list[SuspectedFilters]:
    """Return the filters that may be how a network sees something beside a label's subject.

    How much a filter speaks for the label is its activations times the slope of the label's
    log-odds, summed over the map: to first order what silencing it takes away. Suspected are the
    filters that speak less where a finding was taken away from the photographs, together, those
    that make up half of the loss; the two filters that speak most for the label; and, if none of
    these is excited beside the subject, the next one that is.

    A filter is excited beside the subject if most of what it says lies outside the subjects'
    rectangles, where they are known, or else at one of `places`, at a corner or on the border.

    Parameters
    ----------
    judge : Judge
    layer : str
    own : Photographs
        Of the label.
    places : mapping of str to ndarray of bool, shape (H, W)
        Suspected regions away from the subject, by their names.
    without : (str, Photographs) or None
        The name of the strongest finding that held, and the label's photographs without it.
    """
    some = own.take(range(min(LOOKED, len(own))))
    parts = _parts(judge, layer, some)
    total = _per_filter(parts)
    if len(total) < FEWEST:
        return []
    field, found = judge.net.field(layer), list[SuspectedFilters]()
    if without is not None:
        name, rest = without
        lost = total - _per_filter(_parts(judge, layer, rest.take(range(len(some)))))
        if numbers := _most_of(lost):
            which = f"filter{'s' if numbers[1:] else ''} {', '.join(map(str, numbers))}"
            laid = field.lay(np.maximum(parts[..., numbers], 0).sum(axis=-1).mean(axis=0))
            found.append(SuspectedFilters(
                layer, numbers, f"{which} of {layer}, weaker without {name}",
                f"half of what the layer loses without {name}", _hottest(laid), False))  # fmt: skip
    order = [int(k) for k in np.argsort(-total, kind="stable")[:_SEARCHED] if total[k] > 0]
    for rank, number in enumerate(order):
        evidence = np.maximum(parts[..., number], 0)
        laid = field.lay(evidence.mean(axis=0))
        beside = _beside(evidence, laid, some, places)
        if (rank < _STRONGEST or beside) and (number,) not in [each.numbers for each in found]:
            told = f"filter {number} of {layer}, {beside or 'perhaps excited by the subject'}"
            why = f"number {rank + 1} of the filters that speak for the label"
            found.append(SuspectedFilters(layer, (number,), told, why, _hottest(laid), not beside))
        if rank >= _STRONGEST - 1 and not all(each.central for each in found):
            break
    return found


def _most_of(lost: Array) -> tuple[int, ...]:
    """Return the fewest filters that make up half of what is lost, at most a quarter of all."""
    gone = np.maximum(lost, 0)
    order = np.argsort(-gone, kind="stable")
    count = int(np.searchsorted(np.cumsum(gone[order]), gone.sum() / 2)) + 1
    return tuple(sorted(order[:count].tolist())) if gone.any() and 4 * count <= len(lost) else ()


def _hottest(laid: Array) -> Mask:
    return np.asarray(laid >= _HOT * max(float(laid.max()), 1e-12))


def _parts(judge: Judge, layer: str, some: Photographs) -> Array:
    """Return how much each cell of each filter speaks for the label, (n, h, w, K)."""
    samples = some.samples()
    slopes = judge.slopes(judge.net.scores(samples)[0]).astype(np.float32)
    values, gradients = judge.net.gradients(samples, layer, slopes)
    return np.asarray(values * gradients, np.float32)


def _per_filter(parts: Array) -> Array:
    """Return how much each filter speaks for the label in the mean, (K,)."""
    return np.asarray(parts.sum(axis=(1, 2), dtype=np.float64).mean(axis=0))


def _beside(
    evidence: Array, laid: Array, some: Photographs, places: Mapping[str, Mask]
) -> str | None:
    """Return where beside the subject most of a filter's evidence (n, h, w) lies; None if nowhere.

    `laid` (H, W) is its mean over the photographs, laid over the network's input.
    """
    known = [(each, box) for each, box in zip(evidence, some.subjects, strict=False) if box]
    if known:
        shares = np.array([1 - box_share(each.shape, box) for each, box in known])
        weights = np.array([each for each, _ in known])
        outside = float((shares * weights).sum() / max(weights.sum(), 1e-12))
        return "excited outside the subject" if outside >= _MOST else None
    found = {name: share_in(laid, mask) for name, mask in places.items()}
    found |= {name: each for name, each in evidence_shares(laid).items() if name != "centre"}
    fitting = {name: share for name, (share, area) in found.items()
               if share >= _MOST and share >= _EXCESS * area}  # fmt: skip
    return f"excited at: {max(fitting, key=lambda name: fitting[name])}" if fitting else None


def try_filters(
    judge: Judge,
    layer: str,
    numbers: Sequence[int],
    own: Photographs,
    others: Photographs,
    controls: int = CONTROLS,
    seed: int = 0,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> Trial:
    """Return what silencing filters does to a label, and their activations put into others.

    They are silenced for photographs of the label; and in photographs of others their activations
    become those that they have in the mean of the label's. Controls are as many other filters of
    the layer, drawn at random; for a single filter each other one at most once.

    Parameters
    ----------
    judge : Judge
    layer : str
    numbers : sequence of int
        The filters, silenced together.
    own, others : Photographs
        Of the label, and of others.
    controls : int
    seed : int
    progress : callable
        Called with (controls done, controls in all).
    """
    mine, rest = ([tail_of(judge.net, each, layer) for each in some.samples()[:LOOKED]]
                  for some in (own, others))  # fmt: skip
    given = np.mean([tail.activations for tail in mine], axis=0)
    drawn = _drawn(numbers, mine[0].filters, controls, np.random.default_rng(seed))
    pairs = ((mine, None), (rest, given))

    def means() -> Iterator[tuple[float, float]]:
        for start in range(0, len(drawn), BLOCK):
            block = drawn[start : start + BLOCK]
            away, into = (_gaps(_answers(judge, some[:TRIED], block, content)[0], content).mean(0)
                          for some, content in pairs)  # fmt: skip
            yield from zip(away.tolist(), into.tolist(), strict=True)

    sides, aims = list[Side](), list[float]()
    for some, content in pairs:
        odds, answered = _answers(judge, some, [numbers], content)
        order = (0, 1) if content is None else (1, 0)  # with the filter, and without
        both = [odds[:, n] for n in order], [answered[:, n] for n in order]
        sides.append(side_of(*both, content is None))
        aims.append(float(_gaps(odds[:TRIED], content).mean()))
    trial = compared(
        (sides[0], sides[1]), None, (aims[0], aims[1]), means(), len(drawn),
        lambda done: progress(done, len(drawn)),
    )  # fmt: skip
    return replace(trial, every=len(drawn) < CONTROLS - 1)


def _drawn(
    numbers: Sequence[int], filters: int, controls: int, rng: np.random.Generator
) -> list[list[int]]:
    """Return sets of as many other filters."""
    others = np.delete(np.arange(filters), list(numbers))
    if len(numbers) == 1:
        return [[int(k)] for k in rng.permutation(others)[:controls]]
    return [rng.choice(others, len(numbers), replace=False).tolist() for _ in range(controls)]


def _answers(
    judge: Judge, tails: Sequence[Tail], sets: Sequence[Sequence[int]], content: Array | None
) -> tuple[Array, Array]:
    """Return log-odds, and whether the label is answered, (photographs, 1 + sets).

    First of each photograph as it is, then with each set of filters silenced or, given `content`
    (h, w, K), with activations from there.
    """
    rows = [
        judge.judged(np.concatenate([tail.scores[None], _changed(tail, sets, content)]))
        for tail in tails
    ]
    return np.array([odds for odds, _ in rows]), np.array([answered for _, answered in rows])


def _gaps(odds: Array, content: Array | None) -> Array:
    """Return how much higher log-odds are with each set than without, (photographs, sets)."""
    return (odds[:, :1] - odds[:, 1:]) * (1 if content is None else -1)


def _changed(tail: Tail, sets: Sequence[Sequence[int]], content: Array | None) -> Array:
    """Return scores (N, C) with each of N sets of filters silenced, or with given activations."""
    if content is None:
        return tail.without(sets)[0]
    found = []
    for rows in batches(tail.network, len(sets)):
        changed = np.repeat(tail.activations[None], len(rows), axis=0)
        for row, number in enumerate(rows):
            changed[row][..., list(sets[number])] = content[..., list(sets[number])]
        found.append(tail.run(changed)[0])
    return np.concatenate(found)
