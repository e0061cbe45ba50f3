"""`Audit`: the answers of a network to labelled photographs, and what follows from them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets import storage
from cnn_widgets.auditing.answers import UNLABELLED, Answer, grids, why_unjudged
from cnn_widgets.auditing.calibration import Calibration, calibration
from cnn_widgets.auditing.labels import LabelTable
from cnn_widgets.auditing.probabilities import of_labels
from cnn_widgets.auditing.shares import LabelRow, Share, confusion
from cnn_widgets.environment import frame, versions
from cnn_widgets.executing import write_table
from cnn_widgets.records import Floats
from cnn_widgets.spelling import composed
from cnn_widgets.telling import counted

#: Column of the confusion matrix for answers that belong to no label.
ANOTHER = "another class"
_COLUMNS = ("name", "label", "answer", "probability", "right", "second", "second_probability",
            "label_probability", "error")  # fmt: skip
_KINDS = (*("string",) * 3, "float64", "bool_", "string", "float64", "float64", "string", "binary")


class Audit:
    """The answers of a network to photographs; photographs are counted from 0, in their order.

    Parameters
    ----------
    about : dict
        Name and fingerprint of the network, method, and so on; see `audit`.
    class_names : sequence of str
    labels : LabelTable
    answers : sequence of Answer

    Attributes
    ----------
    names : tuple of str
    errors : dict of str to str
        Why a photograph could not be read, or has no finite scores, by name.
    predicted : ndarray of int, shape (N,)
        The classes answered; -1 where there is none.
    probability : ndarray, shape (N,)
        Of the classes answered.
    label_probability : ndarray, shape (N,)
        Of the classes that the label stands for, together; NaN without a label.
    confidence : ndarray, shape (N,)
        Of all classes of the label to which the answer belongs, together.
    truth : ndarray of int, shape (N,)
        The place of each photograph's label in `label_names`; -1 without a label.
    """

    def __init__(
        self,
        about: dict[str, Any],
        class_names: Sequence[str],
        labels: LabelTable,
        answers: Sequence[Answer],
    ) -> None:
        self.about, self.class_names = about, tuple(class_names)
        self._labels, self._answers = labels, tuple(answers)
        self.names = tuple(each.name for each in answers)
        self.errors = {each.name: each.error for each in answers if each.predicted < 0}
        self.predicted = np.array([each.predicted for each in answers], np.intp)
        self.probability = np.array([each.probability for each in answers], np.float64)
        self.label_probability = np.array([each.label_probability for each in answers], np.float64)
        self.confidence = np.array([each.confidence for each in answers], np.float64)
        self.truth = np.array(
            [-1 if each.predicted < 0 else labels.place(each.label) for each in answers], np.intp
        )

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        told = self.unjudged or f"accuracy {self.accuracy}"
        told = "no labels" if told == UNLABELLED else told
        return f"Audit({self.about['network']!r}, {counted(len(self), 'photograph')}, {told})"

    @property
    def unjudged(self) -> str:
        """Why it is not known of any photograph whether it is right; "" if it is of some."""
        return "" if self.judged.any() else why_unjudged(self._answers)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, sorted."""
        return self._labels.names

    @property
    def label_classes(self) -> tuple[tuple[int, ...], ...]:
        """The classes that each label stands for."""
        return self._labels.classes

    @cached_property
    def labels_cover(self) -> bool:
        """Whether each class of the network belongs to a label: no answer is `ANOTHER` then."""
        return len(set(chain(*self.label_classes))) == len(self.class_names)

    @property
    def has_probabilities(self) -> NDArray[np.bool_]:
        """Of which photographs `label_probabilities` are kept, (N,)."""
        return np.array([bool(each.probabilities) for each in self._answers], bool)

    def label_probabilities(self, indices: Iterable[int]) -> Floats:
        """Return the probability of each label for some photographs, (n, L); NaN if not kept."""
        kept = [self._answers[int(index)].probabilities for index in indices]
        return of_labels(kept, len(self.class_names), self.label_classes)

    @property
    def judged(self) -> NDArray[np.bool_]:
        """Which photographs have a label and could be read, (N,)."""
        return np.asarray(self.truth >= 0)

    @cached_property
    def answered_label(self) -> NDArray[np.intp]:
        """The place of the label that each answer belongs to, (N,); -1 if it belongs to none."""
        pairs = zip(self.predicted.tolist(), self.truth.tolist(), strict=True)
        return np.array([self._labels.label_of(c, own) for c, own in pairs], np.intp)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """Which photographs were given a class that their label stands for, (N,)."""
        classes = self._labels.classes
        return np.array(
            [t >= 0 and p in classes[t] for t, p in zip(self.truth, self.predicted, strict=True)],
            bool,
        )

    @property
    def accuracy(self) -> Share:
        """How many of the labelled photographs are right."""
        return Share(int(self.right.sum()), int(self.judged.sum()))

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """How often a label (rows) was answered by a class of a label (columns), (L, L + 1).

        The last column counts answers that belong to no label. Where labels share a class, an
        answer that is right counts for its own label.
        """
        count = len(self.label_names)
        answered = np.where(self.answered_label < 0, count, self.answered_label)
        return confusion(self.truth[self.judged], answered[self.judged], count, count + 1)

    @cached_property
    def per_label(self) -> tuple[LabelRow, ...]:
        """What became of the photographs of each label, in the order of `label_names`."""
        table, count = self.confusion, len(self.label_names)
        columns = (*self.label_names, ANOTHER)
        found = []
        for place, name in enumerate(self.label_names):
            right = int(table[place, place])
            others = np.where(np.arange(count + 1) == place, 0, table[place])
            taken = columns[int(others.argmax())] if others.any() else ""
            recall = Share(right, int(table[place].sum()))
            found.append(LabelRow(name, recall, Share(right, int(table[:, place].sum())), taken))
        return tuple(found)

    def mistakes(self) -> NDArray[np.intp]:
        """Return the photographs that are wrong, the most confident answer first."""
        wrong = np.flatnonzero(self.judged & ~self.right)
        return wrong[np.argsort(-self.probability[wrong], kind="stable")]

    def near_misses(self) -> NDArray[np.intp]:
        """Return the photographs that are wrong, the one nearest to being right first."""
        wrong = np.flatnonzero(self.judged & ~self.right)
        gaps = self.probability[wrong] - self.label_probability[wrong]
        return wrong[np.argsort(gaps, kind="stable")]

    def narrowly_right(self) -> NDArray[np.intp]:
        """Return the photographs that are right, the least certain first."""
        good = np.flatnonzero(self.right)
        return good[np.argsort(self.probability[good], kind="stable")]

    @cached_property
    def calibration(self) -> Calibration:
        """Whether the network is right as often as it says, over the labelled photographs.

        A label of several classes is right if any of them is answered; how sure the network is of
        an answer is then the probability of all classes of its label together.
        """
        return calibration(self.confidence[self.judged], self.right[self.judged])

    def mean_evidence(self, label: str | None = None) -> Floats | None:
        """Return the mean evidence over the photographs, of one label or of all: (14, 14), 0 to 1.

        None if no maps were made.
        """
        label = None if label is None else composed(label)
        if label is not None and label not in self.label_names:
            raise ValueError(
                f"Unknown label {label!r}. Labels: {', '.join(self.label_names[:50])}."
            )
        wanted = None if label is None else self.label_names.index(label)
        some = [each for each, truth in zip(self._answers, self.truth, strict=True)
                if wanted is None or truth == wanted]  # fmt: skip
        found = grids(some)
        return np.asarray(found.mean(axis=0) / 255, np.float32) if len(found) else None

    def records(self) -> list[dict[str, Any]]:
        """Return a dict per photograph: name, label, answer, probabilities, whether it is right."""
        return self.records_of(range(len(self)))

    def records_of(self, indices: Iterable[int]) -> list[dict[str, Any]]:
        """Return the records of some photographs."""
        return [self._record(int(index)) for index in indices]

    def classes_of(self, index: int) -> tuple[int, ...]:
        """Return the classes that a photograph's label stands for; none without a label."""
        place = int(self.truth[index])
        return self._labels.classes[place] if place >= 0 else ()

    def _record(self, index: int) -> dict[str, Any]:
        each, judged = self._answers[index], bool(self.judged[index])

        def named(number: int) -> str | None:
            return self.class_names[number] if number >= 0 else None

        return dict(zip(_COLUMNS, (
            each.name, each.label, named(each.predicted), _finite(each.probability),
            bool(self.right[index]) if judged else None, named(each.second),
            _finite(each.second_probability), _finite(each.label_probability), each.error or None,
        ), strict=True))  # fmt: skip

    def to_pandas(self) -> Any:
        """Return `records` as a pandas DataFrame; an ImportError says if pandas is missing."""
        return frame(self.records(), _COLUMNS)

    def summary(self) -> dict[str, Any]:
        """Return the figures as plain values, for JSON."""
        low, high = self.accuracy.interval
        return {
            **self.about,
            "photographs": len(self),
            "unreadable": len(self.errors),
            "labelled": int(self.judged.sum()),
            "right": self.accuracy.right,
            "accuracy": _finite(self.accuracy.value),
            "accuracy_95": [low, high],
            "expected_calibration_error": _finite(self.calibration.error),
            "labels": {
                row.label: {
                    "photographs": row.recall.count,
                    "recall": _finite(row.recall.value),
                    "precision": _finite(row.precision.value),
                    "taken_for": row.taken_for,
                }
                for row in self.per_label
            },
            "confusion": self.confusion.tolist(),
            "versions": versions(),
        }

    def save(self, folder: str | Path) -> Path | str:
        """Write ``answers.csv`` and ``audit.json`` into a folder, which is made; return it.

        The folder may be the address of one in a store. Both files are written whole or not at
        all; an OSError names the file.
        """
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, _COLUMNS)
        writer.writeheader()
        writer.writerows(self.records())
        text = json.dumps(self.summary(), indent=2) + "\n"
        files = {"answers.csv": table.getvalue().encode(), "audit.json": text.encode()}
        place = storage.folder(folder)
        storage.write(place, files)
        return place if storage.is_store(place) else Path(place)

    def to_parquet(self, path: str | Path) -> None:
        """Write `records`, with the evidence of each answer, as a Parquet table.

        The same answers give the same bytes. A label that is a number is written as text. The path
        may be an address in a store; an ImportError says if `pyarrow` is missing.
        """
        rows = (
            [each.name, None if each.label is None else str(each.label),
             *list(self._record(index).values())[2:], each.evidence]
            for index, each in enumerate(self._answers)
        )  # fmt: skip
        file = io.BytesIO()
        write_table(file, dict(zip((*_COLUMNS, "evidence"), _KINDS, strict=True)), rows)
        storage.write_file(path, file.getvalue())


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
