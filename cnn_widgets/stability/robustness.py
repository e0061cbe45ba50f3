"""How much a photograph may change until the answer, or the evidence for it, is another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from cnn_widgets.attribution.streaming import Explained, stream
from cnn_widgets.auditing.answers import gridded
from cnn_widgets.auditing.labels import Classes, match_labels
from cnn_widgets.auditing.shares import Share
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.images.loading import load_image
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, check_fit
from cnn_widgets.stability.changes import CHANGES, Array, Change
from cnn_widgets.telling import stopped

_MAP_SIDE = 56  # longer side of the map that is kept of each photograph


@dataclass(frozen=True)
class Curve:
    """What became of the answers under one change.

    Attributes
    ----------
    name, title : str
    levels : tuple of float
        From weak to strong.
    same : tuple of Share
        By level: the photographs whose most likely class stays what it was.
    right : tuple of Share
        By level: of the labelled photographs, those that are right; of none without labels.
    right_before : Share
        Of the labelled photographs, those that are right unchanged.
    agreement : tuple of float
        By level: the mean correlation (Pearson) of the evidence with that of the unchanged
        photograph, moved as the photograph was; over photographs whose answer stays. NaN of none.
    turns : tuple of float
        For each photograph the first level at which the answer is another one; NaN if none is, or
        if it could not be read.
    """

    name: str
    title: str
    levels: tuple[float, ...]
    same: tuple[Share, ...]
    right: tuple[Share, ...]
    right_before: Share
    agreement: tuple[float, ...]
    turns: tuple[float, ...]

    @property
    def first(self) -> int | None:
        """The photograph whose answer turns first, by its number; None if none does."""
        places = [self.levels.index(level) if level in self.levels else np.inf
                  for level in self.turns]  # fmt: skip
        best = int(np.argmin(places)) if places else 0
        return best if places and np.isfinite(places[best]) else None


def robustness(
    net: Network,
    images: Any,
    labels: Any = None,
    *,
    classes: Classes | None = None,
    changes: str | Iterable[str] | None = None,
    method: str = "grad-cam",
    seed: int = 0,
    fit: str | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> tuple[Curve, ...]:
    """Return, for each way to change photographs, how long answers and evidence stay the same.

    Parameters
    ----------
    net : Network
    images, labels, classes
        As for `audit`; each change costs as many passes over the photographs as it has levels.
    changes : str or iterable of str, optional
        Names in `CHANGES`; by default all.
    method : str
        The map whose agreement is measured; a name in `METHODS`.
    seed : int
        For noise and for the place of what covers; each photograph has its own.
    fit : {"squash", "crop", "letterbox"}, optional
        See `load_image`.
    progress : callable, optional
        Called with (passes done, passes in all); returning False stops.

    Raises
    ------
    ValueError
        If a change is unknown, the photographs come as a data set or a generator, a label stands
        for no class, or for the same reasons as `stream`.
    concurrent.futures.CancelledError
        If `progress` returned False.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> (curve,) = robustness(net, [cat], changes=["darker"])
    >>> curve.levels, [share.right for share in curve.same]
    ((0.8, 0.6, 0.4, 0.2), [1, 1, 1, 1])
    """
    named = [changes] if isinstance(changes, str) else changes
    chosen = list(CHANGES) if named is None else list(named)
    unknown = [name for name in chosen if name not in CHANGES]
    if unknown:
        raise ValueError(f"Unknown change {unknown[0]!r}. Changes: {', '.join(CHANGES)}.")
    checked_network(net)
    check_fit(fit)
    found = open_images(images, labels, channels=net.channels)
    if not found.repeatable:
        raise ValueError(
            "Each change goes over the photographs again, and those of a data set or a generator "
            "come only once. Give a folder, a zip, a CSV, a list or an array."
        )
    table = match_labels(found.labels, net, classes)
    places = [table.place(label) for label in found.labels]
    passes = 1 + sum(len(CHANGES[name].levels) for name in chosen)
    done = 0

    def ask(images_: ImageSet) -> list[_Seen]:
        nonlocal done
        answers = []
        for each in stream(net, images_, method, top=1, fit=fit):
            answers.append(_seen(each))
            if stopped(progress, done, passes):
                raise CancelledError(f"Stopped after {done} of {passes} passes.")
        done += 1
        return answers

    plain = ask(found)
    curves = []
    for name in chosen:
        change = CHANGES[name]
        asked = [ask(_changed(found, change, level, seed)) for level in change.levels]
        curves.append(_curve(name, change, plain, asked, places, table.classes))
    if progress is not None:
        progress(passes, passes)
    return tuple(curves)


def _changed(images: ImageSet, change: Change, level: float, seed: int) -> ImageSet:
    """Return the photographs, each changed at a level when it is read."""

    def read(number: int, at_least: int | None) -> ImageSample:
        sample = images.read(number, at_least)
        if sample.data is not None:
            raise ValueError("it has other channels than red, green and blue")
        rng = np.random.default_rng([seed, number])
        changed = load_image(change.apply(sample.pixels, level, rng), fit=sample.fit)
        return replace(changed, inputs=sample.inputs)

    return ImageSet(images.names, images.labels, read)


@dataclass(frozen=True)
class _Seen:
    """What is kept of a photograph: the class answered, -1 if unreadable, and a small map."""

    answer: int
    evidence: Array


def _seen(each: Explained) -> _Seen:
    if each.attribution is None or not each.predictions:
        return _Seen(-1, np.zeros((1, 1), np.uint8))
    heatmap = np.asarray(each.attribution.heatmap, np.float32).clip(0, 1)
    factor = min(1.0, _MAP_SIDE / max(heatmap.shape))
    height, width = (max(1, round(factor * side)) for side in heatmap.shape)
    small = cv2.resize(heatmap, (width, height), interpolation=cv2.INTER_AREA)
    return _Seen(each.predictions[0].class_index, np.round(255 * small).astype(np.uint8))


def _curve(
    name: str,
    change: Change,
    plain: Sequence[_Seen],
    asked: Sequence[Sequence[_Seen]],
    places: Sequence[int],
    classes: Sequence[Sequence[int]],
) -> Curve:
    before = [each.answer for each in plain]
    turns = [float("nan")] * len(plain)
    same, right, agreement = [], [], []
    for level, answers in zip(change.levels, asked, strict=True):
        now = [each.answer for each in answers]
        both = [n for n in range(len(now)) if now[n] >= 0 and before[n] >= 0]
        kept = [n for n in both if now[n] == before[n]]
        for n in both:
            if now[n] != before[n] and np.isnan(turns[n]):
                turns[n] = level
        judged = [n for n in both if places[n] >= 0]
        good = sum(now[n] in classes[places[n]] for n in judged)
        same.append(Share(len(kept), len(both)))
        right.append(Share(good, len(judged)))
        alike = [_agreement(plain[n], answers[n], change, level) for n in kept]
        known = [each for each in alike if np.isfinite(each)]
        agreement.append(float(np.mean(known)) if known else float("nan"))
    labelled = [n for n in range(len(plain)) if before[n] >= 0 and places[n] >= 0]
    unchanged = Share(sum(before[n] in classes[places[n]] for n in labelled), len(labelled))
    return Curve(name, change.title, change.levels, tuple(same), tuple(right), unchanged,
                 tuple(agreement), tuple(turns))  # fmt: skip


def _agreement(plain: _Seen, changed: _Seen, change: Change, level: float) -> float:
    """Return the correlation of two maps, the first moved as the photograph was; NaN if flat."""
    before, after = (np.asarray(each.evidence / 255, np.float32) for each in (plain, changed))
    if change.moves is not None:
        before = np.asarray(change.moves(before, level), np.float32)
    one, other = (
        np.frombuffer(gridded(each), np.uint8).astype(np.float64) for each in (before, after)
    )
    if one.std() == 0 or other.std() == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
