"""Asks a network about every photograph of a set: with progress, and to be gone on with."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets.attribution.methods import find_method
from cnn_widgets.attribution.streaming import Explained, stream
from cnn_widgets.auditing.answers import NOTES, Answer, AnswerFile, gridded
from cnn_widgets.auditing.labels import Classes, LabelTable, match_labels
from cnn_widgets.auditing.result import Audit
from cnn_widgets.datasets import ImageSet, Label, open_images
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.images.loading import load_image
from cnn_widgets.networks.network import Network

#: Called with (photographs done, photographs in all); may return False to stop.
Progress = Callable[[int, int], Any]
_FLUSHED_EVERY = 2.0  # seconds
_ROUNDING = 1e-3


def audit(
    net: Network,
    images: Any,
    labels: Any = None,
    *,
    classes: Classes | None = None,
    method: str = "grad-cam",
    out: str | Path | None = None,
    fit: str | None = None,
    progress: Progress | None = None,
) -> Audit:
    """Return a network's answers to photographs: how many are right, and what is wrong with which.

    Parameters
    ----------
    net : Network
    images : object
        Photographs as `open_images` takes them; those of a folder of class folders have labels.
    labels : sequence, optional
        One for each photograph, where `images` does not say so.
    classes : mapping, optional
        Where labels are not named as the network's classes: the class or classes that a label
        stands for, ``{"cat": ["tabby", "tiger cat"]}``, or None to leave its photographs out.
    method : str
        The map of each answer, of which the mean per label is kept; a name in `METHODS`.
    out : str or Path, optional
        A folder for the answers, each written as it comes. A run that was stopped goes on where it
        was when it is called again with the same network, photographs and settings.
    fit : {"squash", "crop", "letterbox"}, optional
        See `load_image`.
    progress : callable, optional
        Called with (photographs done, photographs in all, or 0 of a data set or a generator);
        returning False stops the run.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        If there is no photograph, a label stands for no class, the network gives no classes, `out`
        holds another run or is given for a data set or a generator, or for the same reasons as
        `stream`.
    concurrent.futures.CancelledError
        If `progress` returned False. What was answered is kept in `out`.
    OSError
        If `out` cannot be written to; what was answered before is kept.

    Examples
    --------
    >>> found = audit(cw.load_network(), cw.gallery())
    >>> len(found), found.accuracy.count  # without labels there is nothing to judge
    (9, 0)
    """
    found = open_images(images, labels, channels=net.channels)
    if net.engine.head.kind == "values":
        raise ValueError(
            f"{net.name!r} gives values, no classes, so none of them is right or wrong."
        )
    if not found.repeatable:
        if out is not None:
            raise ValueError(
                "out= is for photographs that can be gone on with: a folder, a zip, a CSV, a list "
                "or an array. Those of a data set or a generator come only one after the other."
            )
        if getattr(found, "endless", False):
            raise ValueError("The data set never ends: audit(net, data.take(1000)), for instance.")
    matched = _Matched(net, classes, found.labels if found.repeatable else ())
    about = _about(net, found, find_method(method).name, fit)
    file = None
    if out is not None:
        kept = {**about, "class_names": list(net.class_names), "label_table": matched.as_json()}
        file = AnswerFile(Path(out).expanduser(), kept)
    answers = file.found if file is not None else []
    try:
        if not found.repeatable or len(answers) < len(found):
            rest = found.rest(len(answers)) if answers else found
            explained = stream(net, rest, method, top=2, fit=fit)
            total = len(found) if found.repeatable else 0
            _ask(net, explained, matched, answers, file, progress, total)
    finally:
        if file is not None:
            file.close()
    made = Audit(about, net.class_names, matched.table, answers)
    if out is not None:
        made.save(out)
    return made


class _Matched:
    """The labels met so far, and the classes they stand for."""

    def __init__(self, net: Network, classes: Classes | None, labels: Iterable[Label]) -> None:
        self._net, self._classes = net, classes
        self._met = dict.fromkeys(labels)
        self.table = match_labels(self._met, net, classes)

    def meet(self, label: Label) -> LabelTable:
        """Return the table with a label in it; a ValueError if it stands for no class."""
        if label not in self._met:
            self._met[label] = None
            self.table = match_labels(self._met, self._net, self._classes)
        return self.table

    def as_json(self) -> dict[str, Any]:
        """Return the table as plain values."""
        table = self.table
        known = [[label, index] for label, index in table.known.items()]
        listed = [list(each) for each in table.classes]
        return {"names": list(table.names), "classes": listed, "known": known}


def _ask(
    net: Network,
    explained: Iterator[Explained],
    matched: _Matched,
    answers: list[Answer],
    file: AnswerFile | None,
    progress: Progress | None,
    total: int,
) -> None:
    """Add the answer to each photograph to `answers`, and to the file."""
    flushed = time.monotonic()
    for each in explained:
        answer = _answer(net, each, matched.meet(each.label))
        if file is not None:
            file.add(answer)
            if time.monotonic() - flushed > _FLUSHED_EVERY:
                file.flush()
                flushed = time.monotonic()
        answers.append(answer)
        if progress is not None and progress(len(answers), total) is False:
            of = f" of {total}" if total else ""
            raise CancelledError(f"The audit was stopped after {len(answers)}{of}.")


def _answer(net: Network, each: Explained, table: LabelTable) -> Answer:
    if each.error is not None or each.sample is None or each.attribution is None:
        return Answer(each.name, each.label, error=str(each.error) or type(each.error).__name__)
    first, *others = each.predictions
    place = table.place(each.label)
    answered = table.label_of(first.class_index, place)
    probabilities = net.scores([each.sample])[1][0]  # known from the pass for the map

    def together(label: int, otherwise: float) -> float:
        if label < 0:
            return otherwise
        some = probabilities[list(table.classes[label])]
        # Of independent sigmoids the sum is no probability: the largest is all that is known
        return float(some.sum() if probabilities.sum() <= 1 + _ROUNDING else some.max())

    second = others[0] if others else None
    return Answer(
        each.name,
        each.label,
        first.class_index,
        first.probability,
        second.class_index if second else -1,
        second.probability if second else float("nan"),
        together(place, float("nan")),
        together(answered, first.probability),
        gridded(each.attribution.heatmap),
    )


def _about(net: Network, images: ImageSet, method: str, fit: str | None) -> dict[str, Any]:
    """Return what the answers depend on, as plain values."""
    return {
        "network": net.name,
        "weights": weights_digest(net.model),
        "preprocessing": input_digest(net),
        "images": images.fingerprint() if images.repeatable else "a stream",
        "method": method,
        "fit": fit or net.fit,
        "notes": list(net.notes),
        NOTES: list(images.notes) if images.repeatable else [],
    }


def input_digest(net: Network) -> str:
    """Return a digest of what the network is given of a certain picture; "" if it takes no such."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    try:
        given = np.round(net.input_tensor(load_image(pixels)), 4)
    except ValueError:  # it takes other channels than a photograph's
        return ""
    return hashlib.sha256(np.asarray(given, np.float32).tobytes()).hexdigest()
