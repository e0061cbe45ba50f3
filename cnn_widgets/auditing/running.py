"""Asks a network about every photograph of a set: with progress, and to be gone on with."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets.attribution.methods import find_method
from cnn_widgets.attribution.streaming import Explained, stream
from cnn_widgets.auditing.answers import (
    NOTES,
    TABLE,
    Answer,
    AnswerFile,
    Progress,
    answered_in_shards,
    gridded,
    has_shards,
)
from cnn_widgets.auditing.labels import Classes, LabelTable, MatchedLabels
from cnn_widgets.auditing.probabilities import packed
from cnn_widgets.auditing.result import Audit
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.executing import Job, checked_executor, shard_size, to_parquet
from cnn_widgets.images.loading import load_image
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.storage import is_store, joined

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
    executor: Executor | Callable[[], Executor] | None = None,
    shard: int | None = None,
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
        A folder for the answers, each written as it comes; with `executor`, or if it is the address
        of a store (``s3://bucket/audit``), a Parquet file for each shard and ``answers.parquet``
        in the end. A run that was stopped goes on where it was when it is called again with the
        same network, photographs and settings.
    fit : {"squash", "crop", "letterbox"}, optional
        See `load_image`.
    progress : callable, optional
        Called with (photographs done, photographs in all, or 0 of a data set or a generator);
        returning False stops the run.
    executor : Executor or callable, optional
        Who does the work, shard by shard: any executor of `concurrent.futures` or of its contract,
        such as that of a Dask client, ``client.get_executor()``; or a function that makes one,
        ``lambda: ProcessPoolExecutor(8, mp_context=…)``, so that a new one can take the place of
        one that broke. Workers on other machines need `out` and the photographs at places that
        all of them reach. Needs the extra ``cluster``.
    shard : int, optional
        Photographs in a shard, by default 64 to 256 by the number of all. Answers are equal to the
        last bit whoever works and however many, as long as this is the same.

    Returns
    -------
    Audit

    Raises
    ------
    ValueError
        If there is no photograph, a label stands for no class, the network gives no classes, `out`
        holds another run or is given for a data set or a generator (which no `executor` takes
        either), or for the same reasons as `stream`.
    TypeError, RuntimeError
        If the executor is none, is closed or broke; or network or photographs cannot be sent.
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
    checked_network(net)
    found = open_images(images, labels, channels=net.channels)
    if net.engine.head.kind == "values":
        raise ValueError(
            f"{net.name!r} gives values, no classes, so none of them is right or wrong."
        )
    if not found.repeatable:
        _check_stream(found, out, executor)
    if executor is not None:
        checked_executor(executor)
    matched = MatchedLabels(net, classes, found.labels if found.repeatable else ())
    ask = _Ask(find_method(method).name, fit)
    about = _about(net, found, ask, shard)
    place = None if out is None else str(out if is_store(out) else Path(out).expanduser())
    kept = {
        **_noted(about, matched.table),
        "class_names": list(net.class_names),
        "label_table": matched.as_json(),
    }
    if executor is not None or (place is not None and has_shards(place)):
        job = Job(net, found, partial(_answered_part, ask=ask, table=matched.table), about["shard"])
        answers = answered_in_shards(job, executor, place, kept, progress)
    else:
        file = AnswerFile(Path(place), kept) if place is not None else None
        answers = file.found if file is not None else []
        try:
            explained = _explained(net, found, ask, about["shard"], len(answers))
            total = len(found) if found.repeatable else 0
            _ask(net, explained, matched, answers, file, progress, total)
        finally:
            if file is not None:
                file.close()
    made = Audit(_noted(about, matched.table), net.class_names, matched.table, answers)
    if place is not None:
        made.save(place)
        if has_shards(place):
            made.to_parquet(joined(place, TABLE))
    return made


def _noted(about: dict[str, Any], table: LabelTable) -> dict[str, Any]:
    """Return what the answers depend on, with the notes on the labels met so far."""
    return {**about, NOTES: [*about[NOTES], *table.notes]}


@dataclass(frozen=True)
class _Ask:
    """What is asked about each photograph."""

    method: str
    fit: str | None

    def stream(self, net: Network, images: ImageSet) -> Iterator[Explained]:
        return stream(net, images, self.method, top=2, fit=self.fit)


def _check_stream(images: ImageSet, out: object, executor: object) -> None:
    """Raise a ValueError if what comes only one after the other is to be kept or cut up."""
    if out is not None:
        raise ValueError(
            "out= is for photographs that can be gone on with: a folder, a zip, a CSV, a list "
            "or an array. Those of a data set or a generator come only one after the other."
        )
    if executor is not None:
        raise ValueError(
            "executor= is for photographs that can be read by number: a folder, a zip, a CSV, a "
            "list or an array. Those of a data set or a generator come one after the other."
        )
    if images.endless:
        raise ValueError("The data set never ends: audit(net, data.take(1000)), for instance.")


def _explained(
    net: Network, images: ImageSet, ask: _Ask, size: int, known: int
) -> Iterator[Explained]:
    """Yield photographs from that of number `known` on, shard by shard.

    What the network says of one depends, by rounding, on those it is asked about together with. So
    a shard is begun at its first photograph, also where a run goes on in the middle of it.
    """
    if not images.repeatable:
        yield from ask.stream(net, images)
        return
    for start in range(known - known % size, len(images), size):
        part = images.part(start, min(start + size, len(images)))
        yield from islice(ask.stream(net, part), max(known - start, 0), None)


def _answered_part(net: Network, images: ImageSet, ask: _Ask, table: LabelTable) -> bytes:
    """Return the answers to the photographs of a shard, as a Parquet file."""
    with net.weights_checked():
        found = [_answer(net, each, table) for each in ask.stream(net, images)]
    return to_parquet(Answer, found)


def _ask(
    net: Network,
    explained: Iterator[Explained],
    matched: MatchedLabels,
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
        probabilities=packed(probabilities),
    )


def _about(net: Network, images: ImageSet, ask: _Ask, shard: int | None) -> dict[str, Any]:
    """Return what the answers depend on, as plain values."""
    if shard is not None and shard < 1:
        raise ValueError(f"Expected shard to be at least 1. Received: {shard}")
    count = len(images) if images.repeatable else 0
    return {
        "network": net.name,
        "weights": weights_digest(net.model),
        "preprocessing": input_digest(net),
        "images": images.fingerprint() if images.repeatable else "a stream",
        "method": ask.method,
        "fit": ask.fit or net.fit,
        "photographs": count,
        "shard": shard or shard_size(count),
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
