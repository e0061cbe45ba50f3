"""Where the evidence for a label lies: how far from the subject, and where with a part masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.auditing.answers import GRID
from cnn_widgets.auditing.shares import Share
from cnn_widgets.records import Pixels
from cnn_widgets.shortcuts.interventions import Intervention
from cnn_widgets.shortcuts.judging import Judge, Photographs
from cnn_widgets.shortcuts.places import (
    Box,
    Mask,
    box_share,
    distances,
    evidence_shares,
    share_in,
)

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Focus:
    """Where the evidence for a label lies in the mean of its photographs.

    The distance of the evidence is how far away from the subject it lies in the mean, every cell of
    a map weighted with its evidence: 0 if all of it is on the subject. Where no subject is known,
    it is measured from the middle of the photograph, which says less: subjects may stand anywhere.

    Attributes
    ----------
    average : ndarray, shape (GRID, GRID)
        The mean map.
    distance : float
        Of the evidence, in shares of the photograph's sides; NaN without evidence.
    even : float
        What `distance` would be if the evidence were the same everywhere.
    half : float
        The share of the area that holds half of the evidence of the mean map, 0 to 0.5: small
        where the evidence of all photographs lies at one place.
    subjects : int
        In how many photographs the subject is known. If 0, distances are those from the middle;
        else photographs without are left out of them.
    on_subject : (float, float)
        The share of the evidence that lies on the subject, and of the area; NaN if none is known.
    """

    average: Array
    distance: float
    even: float
    half: float
    subjects: int = 0
    on_subject: tuple[float, float] = (float("nan"), float("nan"))


def focus_of(maps: Array, subjects: Sequence[Box | None] = ()) -> Focus:
    """Return where the evidence of maps (n, h, w) lies.

    Parameters
    ----------
    maps : ndarray, shape (n, h, w)
        Not negative.
    subjects : sequence of (top, left, bottom, right) or None
        The subject of each, in shares of the network's input; empty if none is known.

    Examples
    --------
    >>> maps = np.zeros((1, 4, 4))
    >>> maps[0, 1, 3] = 1  # all evidence at the right
    >>> found = focus_of(maps, [(0.0, 0.0, 1.0, 0.5)])  # the subject is the left half
    >>> found.distance, found.on_subject
    (0.375, (0.0, 0.5))
    """
    average = np.asarray(maps.mean(axis=0))
    known = [(each, box) for each, box in zip(maps, subjects, strict=False) if box is not None]
    shape = average.shape
    if not known:
        away = distances(shape, (0.5, 0.5, 0.5, 0.5))
        return Focus(average, _mean(away, average), float(away.mean()), _half(average))
    aways = [distances(shape, box) for _, box in known]
    shares = [box_share(shape, box) for _, box in known]
    on = _nanmean([_mean(share, each) for share, (each, _) in zip(shares, known, strict=True)])
    return Focus(
        average,
        _nanmean([_mean(away, each) for away, (each, _) in zip(aways, known, strict=True)]),
        float(np.mean(aways)),
        _half(average),
        len(known),
        (on, float(np.mean(shares))),
    )


def _mean(values: Array, weights: Array) -> float:
    total = float(weights.sum())
    return float((values * weights).sum()) / total if total > 0 else float("nan")


def _nanmean(values: list[float]) -> float:
    known = [each for each in values if np.isfinite(each)]
    return float(np.mean(known)) if known else float("nan")


def _half(average: Array) -> float:
    """Return the smallest share of the area that holds half of a map's evidence."""
    flat = np.sort(average.ravel())[::-1]
    total = float(flat.sum())
    if not total > 0:
        return float("nan")
    before = np.concatenate([[0.0], np.cumsum(flat)]) / total
    return float(np.interp(0.5, before, np.arange(len(before)) / len(flat)))


def evidence_maps(photographs: Photographs, judge: Judge, method: str) -> Array:
    """Return the evidence for the label in each photograph, (n, GRID, GRID), 0 to 1."""
    samples = photographs.samples()
    scores = judge.net.scores(samples)[0][:, list(judge.classes)]
    wanted = [judge.classes[int(row.argmax())] for row in scores]
    found = attribute(judge.net, samples, method, wanted)
    return np.array(
        [
            cv2.resize(np.asarray(each.heatmap, np.float32).clip(0, 1), (GRID, GRID),
                       interpolation=cv2.INTER_AREA)
            for each in found
        ],
        np.float64,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Look:
    """What a network answers to a label's photographs, and to others, and where it looks.

    Attributes
    ----------
    right : Share
        Of the photographs of the label, those that are given it.
    taken : Share
        Of the photographs of other labels, those that are given it.
    inside, border : (float, float)
        The share of the evidence that lies where the finding is, and on the border, each with the
        share of the area.
    focus : Focus
    """

    right: Share
    taken: Share
    inside: tuple[float, float]
    border: tuple[float, float]
    focus: Focus


@dataclass(frozen=True, eq=False)
class Masked:
    """The same photographs before and after what a finding names was masked in all of them.

    It is blurred in all photographs, of the label and of others. A cast of colour, which cannot be
    blurred, is taken away from those of the label.
    """

    before: Look
    after: Look

    def __str__(self) -> str:
        before, after = self.before, self.after

        def told(look: Look) -> str:
            return f"{look.right.right} of {look.right.count}"

        def share(value: float) -> str:
            return f"{100 * value:.0f} %" if np.isfinite(value) else "none"

        return (
            f"With it masked, {told(after)} photographs of the label are recognised "
            f"(before: {told(before)}), and {share(after.inside[0])} of the evidence lies there "
            f"(before: {share(before.inside[0])}; {share(before.inside[1])} of the area)"
        )


def masked_again(
    judge: Judge,
    change: Intervention,
    mask: Mask,
    own: Photographs,
    others: Photographs,
    method: str,
) -> Masked:
    """Return answers and evidence before and after what is suspected was masked.

    Parameters
    ----------
    judge : Judge
    change : Intervention
        How it is masked: blurred, or taken away where blurring does nothing.
    mask : ndarray of bool, shape (H, W)
        Where the finding is.
    own, others : Photographs
        Of the label, and of others.
    method : str
        Of the maps.
    """
    pair = own, others
    masked = [some.with_pixels(_masked(change, some.pixels, some is own)) for some in pair]
    before, after = (_look(judge, mask, one, other, method) for one, other in (pair, masked))
    return Masked(before, after)


def _masked(change: Intervention, pixels: Pixels, own: bool) -> Pixels:
    blurred = change.blurred(pixels)
    return change.absent(pixels, own) if blurred is None else blurred


def _look(
    judge: Judge,
    mask: Mask,
    own: Photographs,
    others: Photographs,
    method: str,
) -> Look:
    right, taken = (judge.ask(some.samples())[1] for some in (own, others))
    focus = focus_of(evidence_maps(own, judge, method), own.subjects)
    return Look(
        Share(int(right.sum()), len(right)),
        Share(int(taken.sum()), len(taken)),
        share_in(focus.average, mask),
        evidence_shares(focus.average)["border"],
        focus,
    )
