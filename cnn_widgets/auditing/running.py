"""Asks a network about every photograph of a set: with progress, and to be gone on with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from cnn_widgets import storage
from cnn_widgets.attribution.methods import find_method
from cnn_widgets.attribution.streaming import Explained, stream
from cnn_widgets.auditing.answers import (
    NOTES,
    TABLE,
    Answer,
    Progress,
    all_broken,
    gridded,
    has_shards,
)
from cnn_widgets.auditing.identity import manifest_of
from cnn_widgets.auditing.keeping import AnswerFile, alone_in, answered_in_shards
from cnn_widgets.auditing.labels import Classes, LabelTable, MatchedLabels
from cnn_widgets.auditing.probabilities import packed
from cnn_widgets.auditing.result import Audit
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.engine.weights import ScoresError
from cnn_widgets.executing import Job, checked_executor, to_parquet
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import check_fit
from cnn_widgets.telling import check_progress, stopped

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
        See `load_image`. Photographs are resized with antialiasing; for a network trained without,
        as `image_dataset_from_directory` resizes, give that data set itself.
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
        holds another run, a damaged file or answers to other photographs, another run writes into
        it now, or it is given for a data set or a generator (which no `executor` takes either), or
        for the same reasons as `stream`.
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
    check_fit(fit)
    check_progress(progress)
    found = open_images(images, labels, channels=net.channels)
    if net.engine.head.kind == "values":
        raise ValueError(
            f"{net.name!r} gives values, no classes, so none of them is right or wrong."
        )
    if not found.repeatable:
        _check_stream(found, out, executor)
    if executor is not None:
        checked_executor(executor)
    ask = _Ask(find_method(method).name, fit)
    matched = MatchedLabels(net, classes, found.labels if found.repeatable else ())
    depends = manifest_of(net, found, ask.method, fit, shard)
    if found.repeatable:
        ask.stream(net, found)  # refuses what it cannot answer; nothing is read by the call itself
    place = None if out is None else storage.folder(out)
    run = _Run(net, found, ask, matched, depends, place, progress)
    with alone_in(place):
        if executor is not None or (place is not None and has_shards(place)):
            answers = run.in_shards(executor)
        else:
            answers = run.one_by_one()
        if why := all_broken(answers):
            raise ValueError(why)
        made = Audit(_noted(depends, matched.table), net.class_names, matched.table, answers)
        if place is not None:
            made.save(place)
            if has_shards(place):
                made.to_parquet(storage.joined(place, TABLE))
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
        return _all_of(stream(net, images, self.method, top=2, fit=self.fit))


def _all_of(found: Iterator[Explained]) -> Iterator[Explained]:
    """Yield all photographs, also where the network has no finite scores for any of these.

    Others may have answers: `all_broken` decides when all are known.
    """
    with suppress(ScoresError):
        yield from found


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


@dataclass(frozen=True)
class _Run:
    """One audit, which is given answers by workers or makes them itself."""

    net: Network
    images: ImageSet
    ask: _Ask
    matched: MatchedLabels
    about: dict[str, Any]
    place: str | None
    progress: Progress | None

    @property
    def kept(self) -> dict[str, Any]:
        """What is kept with the answers: all that they depend on."""
        return {
            **_noted(self.about, self.matched.table),
            "class_names": list(self.net.class_names),
            "label_table": self.matched.as_json(),
        }

    def in_shards(self, executor: Executor | Callable[[], Executor] | None) -> list[Answer]:
        """Return the answers to all photographs, those of each shard from any worker."""
        work = partial(_answered_part, ask=self.ask, table=self.matched.table)
        job = Job(self.net, self.images, work, self.about["shard"])
        return answered_in_shards(job, executor, self.place, self.kept, self.progress)

    def one_by_one(self) -> list[Answer]:
        """Return the answers to all photographs; those that are kept already are not asked for."""
        if self.place is None:
            return self._added([], None)
        with closing(AnswerFile(Path(self.place), self.kept, self.images)) as file:
            return self._added(file.found, file)

    def _added(self, answers: list[Answer], file: AnswerFile | None) -> list[Answer]:
        """Add the answer to each further photograph to `answers`, and to the file."""
        total, flushed = len(self.images) if self.images.repeatable else 0, time.monotonic()
        for each in self._explained(len(answers)):
            answer = _answer(self.net, each, self.matched.meet(each.label))
            if file is not None:
                file.add(answer)
                if time.monotonic() - flushed > _FLUSHED_EVERY:
                    file.flush()
                    flushed = time.monotonic()
            answers.append(answer)
            if stopped(self.progress, len(answers), total):
                of = f" of {total}" if total else ""
                raise CancelledError(f"The audit was stopped after {len(answers)}{of}.")
        return answers

    def _explained(self, known: int) -> Iterator[Explained]:
        """Yield photographs from that of number `known` on, shard by shard.

        What the network says of one depends, by rounding, on those it is asked about together
        with. So a shard is begun at its first photograph, also where a run goes on in its middle.
        """
        if not self.images.repeatable:
            yield from self.ask.stream(self.net, self.images)
            return
        size = self.about["shard"]
        for start in range(known - known % size, len(self.images), size):
            part = self.images.part(start, min(start + size, len(self.images)))
            yield from islice(self.ask.stream(self.net, part), max(known - start, 0), None)


def _answered_part(net: Network, images: ImageSet, ask: _Ask, table: LabelTable) -> bytes:
    """Return the answers to the photographs of a shard, as a Parquet file."""
    with net.weights_checked():
        found = [_answer(net, each, table) for each in ask.stream(net, images)]
    return to_parquet(Answer, found)


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
