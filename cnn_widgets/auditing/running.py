"""Asks a network about every photograph of a set: with progress, and to be gone on with."""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from cnn_widgets.attribution.methods import find_method
from cnn_widgets.attribution.streaming import Explained, stream
from cnn_widgets.auditing.answers import Answer, AnswerFile, gridded
from cnn_widgets.auditing.labels import Classes, LabelTable, match_labels
from cnn_widgets.auditing.result import Audit
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.networks.network import Network

#: Called with (photographs done, photographs in all); may return False to stop.
Progress = Callable[[int, int], Any]
_FLUSHED_EVERY = 2.0  # seconds


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
        Called with (photographs done, photographs in all); returning False stops the run.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        If there is no photograph, a label stands for no class, `out` holds another run, or for the
        same reasons as `stream`.
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
    table = match_labels(found.labels, net, classes)
    about = _about(net, found, find_method(method).name, fit)
    file = None
    if out is not None:
        kept = {**about, "class_names": list(net.class_names), "label_table": _plain(table)}
        file = AnswerFile(Path(out).expanduser(), kept)
    answers = file.found if file is not None else []
    rest = _rest(found, len(answers))
    try:
        if rest is not None:
            explained = stream(net, rest, method, top=2, fit=fit)
            _ask(net, explained, table, answers, file, progress, len(found))
    finally:
        if file is not None:
            file.close()
    made = Audit(about, net.class_names, table, answers)
    if out is not None:
        made.save(out)
    return made


def _ask(
    net: Network,
    explained: Iterator[Explained],
    table: LabelTable,
    answers: list[Answer],
    file: AnswerFile | None,
    progress: Progress | None,
    total: int,
) -> None:
    """Add the answer to each photograph to `answers`, and to the file."""
    flushed = time.monotonic()
    for each in explained:
        answer = _answer(net, each, table)
        if file is not None:
            file.add(answer)
            if time.monotonic() - flushed > _FLUSHED_EVERY:
                file.flush()
                flushed = time.monotonic()
        answers.append(answer)
        if progress is not None and progress(len(answers), total) is False:
            raise CancelledError(f"The audit was stopped after {len(answers)} of {total}.")


def _answer(net: Network, each: Explained, table: LabelTable) -> Answer:
    if each.error is not None or each.sample is None or each.attribution is None:
        return Answer(each.name, each.label, error=str(each.error))
    first, *others = each.predictions
    place = table.place(each.label)
    answered = table.label_of(first.class_index, place)
    probabilities = net.scores([each.sample])[1][0]  # known from the pass for the map

    def together(label: int, otherwise: float) -> float:
        return float(probabilities[list(table.classes[label])].sum()) if label >= 0 else otherwise

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


def _rest(images: ImageSet, done: int) -> ImageSet | None:
    """Return the photographs from a number on; None if there are no more."""
    if not done:
        return images
    if done >= len(images):
        return None
    return ImageSet(
        images.names[done:],
        images.labels[done:],
        lambda index, at_least: images.read(index + done, at_least),
    )


def _about(net: Network, images: ImageSet, method: str, fit: str | None) -> dict[str, Any]:
    """Return what the answers depend on, as plain values."""
    listed = hashlib.sha256()
    for name, label in zip(images.names, images.labels, strict=True):
        listed.update(f"{name}\0{label}\n".encode("utf-8", "surrogateescape"))
    return {
        "network": net.name,
        "weights": weights_digest(net.model),
        "images": listed.hexdigest(),
        "method": method,
        "fit": fit or net.fit,
        "notes": [*images.notes, *itertools.chain(net.notes)],
    }


def _plain(table: LabelTable) -> dict[str, Any]:
    known = [[label, index] for label, index in table.known.items()]
    return {"names": list(table.names), "classes": [list(e) for e in table.classes], "known": known}
