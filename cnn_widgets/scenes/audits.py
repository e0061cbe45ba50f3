"""What the networks of an explorer said, and their filters did, over all its photographs."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from typing import Any

from cnn_widgets.auditing import Audit, audit
from cnn_widgets.auditing.identity import differences
from cnn_widgets.auditing.labels import Classes, match_labels
from cnn_widgets.auditing.result import ANOTHER
from cnn_widgets.auditing.selecting import select
from cnn_widgets.datasets import ImageSet, Label
from cnn_widgets.filter_index import FilterIndex, index_filters
from cnn_widgets.filter_index.reading import cut_patch
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, Pixels
from cnn_widgets.scenes.photographs import Photographs, closed

#: Everything an audit depends on: network, its revision, how photographs are resized.
Question = tuple[Network, int, str]
#: Of each place that excites a filter: the photograph's name, the value, the pixels.
Patches = tuple[tuple[str, float, Pixels], ...]


class Audits:
    """The audits and filter indexes of one set of photographs, by network and way of resizing.

    Parameters
    ----------
    samples : Photographs
    classes : mapping, optional
        The classes that labels stand for where they are not named so; see `audit`.
    """

    def __init__(self, samples: Photographs, classes: Classes | None = None) -> None:
        self._samples, self._images, self._classes = samples, samples.images, classes
        self._names = frozenset(self._images.names)
        self._running = threading.Lock()  # two runs would write into one file
        self._found: dict[Question, Audit] = {}
        self._indexes: dict[Question, FilterIndex] = {}
        self._patches: tuple[object, Patches] = None, ()
        self._meant: dict[tuple[Network, Label], tuple[int, ...]] = {}
        self._folders: dict[Question, str] = {}
        self._chosen: tuple[object, tuple[str, ...]] = None, ()

    @property
    def labelled(self) -> bool:
        """Whether any of the photographs has a label."""
        return self._images.labelled

    def label_classes(self, net: Network, label: Label) -> tuple[int, ...]:
        """Return the classes that a label stands for; none if that is not known."""
        key = net, label
        if label is not None and key not in self._meant:
            try:
                table = match_labels([label], net, self._classes)
                self._meant[key] = table.classes[0] if table.classes else ()
            except ValueError:  # this network has no such class; `run` says so
                self._meant[key] = ()
        return self._meant.get(key, ())

    def label_class(self, net: Network, sample: ImageSample, label: Label) -> int | None:
        """Return the likeliest of the classes that a label stands for; None if there is none."""
        classes = self.label_classes(net, label)
        if len(classes) < 2:
            return classes[0] if classes else None
        probabilities = net.scores(sample)[1]
        return max(classes, key=lambda index: float(probabilities[index]))

    def run(self, question: Question, progress: Callable[[int, int], Any] | None = None) -> Audit:
        """Ask about every photograph, from where an earlier run was stopped; see `audit`."""
        net, _, fit = question
        out = self._folders.get(question)
        if out is None:
            # Answers are written as they come: an audit that was stopped goes on where it was
            out = self._folders[question] = tempfile.mkdtemp(prefix="cnn-widgets-audit-")
            weakref.finalize(self, shutil.rmtree, out, ignore_errors=True)
        with self._running:
            return audit(
                net, self._images, classes=self._classes, fit=fit, out=out, progress=progress
            )

    def look_through(
        self, question: Question, progress: Callable[[int, int], Any] | None = None
    ) -> FilterIndex:
        """Return what every filter does over all photographs; see `index_filters`."""
        net, _, fit = question
        return index_filters(net, self._images, fit=fit, progress=progress)

    def index(self, question: Question) -> FilterIndex | None:
        """Return the filter index of a question, if it has been made."""
        return self._indexes.get(question)

    def keep_index(self, question: Question, index: FilterIndex) -> None:
        """Keep a filter index, in place of those of the same network."""
        self._indexes = {q: each for q, each in self._indexes.items() if q[0] is not question[0]}
        self._indexes[question] = index

    def patches(self, question: Question, layer: str, number: int) -> Patches:
        """Return (photograph, value, pixels) of the places that excite a filter most.

        A photograph that cannot be read any more, or was taken off the table, is left out.
        """
        (net, _, fit), index = question, self._indexes[question]
        key = index, layer, number
        if self._patches[0] != key:
            found, samples = [], self._samples.fitted(fit)  # those seen last are in memory
            for one in index.top_photographs(layer, number):
                name, cell = str(one["name"]), (int(one["row"]), int(one["column"]))
                with contextlib.suppress(ValueError, KeyError):
                    pixels = cut_patch(net, samples[name], layer, cell)
                    found.append((name, float(one["value"]), pixels))
            self._patches = key, tuple(found)
        return self._patches[1]

    @staticmethod
    def has_label(found: Audit | None, label: str) -> bool:
        """Return whether an audit has a label: it may have been chosen in another one."""
        return found is not None and label in (*found.label_names, ANOTHER)

    def get(self, question: Question) -> Audit | None:
        """Return the audit of a question, if it has been run."""
        return self._found.get(question)

    def keep(self, question: Question, found: Audit) -> None:
        """Keep an audit, in place of those of the same network with other weights.

        A ValueError if it is one of another network (in its weights, preprocessing, class names or
        head), of other photographs, or of photographs that
        were resized otherwise.
        """
        net, _, fit = question
        if other := differences(found, net):
            raise ValueError(
                f"This is an audit of {found.about['network']!r}, and on screen {net.name!r} has "
                f"{other}."
            )
        if found.about["fit"] != fit:
            raise ValueError(
                f"This audit is of photographs resized by {found.about['fit']!r}, and on screen "
                f"they are resized by {fit!r}: see the list *picture is*."
            )
        if found.about["images"] != self._images.fingerprint():
            raise ValueError(
                "This is not an audit of exactly the photographs on the table: it has others, or "
                "some have changed since."
            )
        outdated = [each for each in self._found if each[0] is net and each[1] != question[1]]
        for each in outdated:
            del self._found[each]
        self._found[question] = found

    def asked_about(self, name: str) -> bool:
        """Return whether a photograph is one of those that are asked about: not one added since."""
        return name in self._names

    def selected(self, found: Audit, kind: str, label: str, answer: str) -> tuple[str, ...]:
        """Return the names of the photographs that `select` chooses; those that are on the table.

        Without labels nothing is right or wrong: then all are chosen.
        """
        kind = kind if found.judged.any() else "all"
        key = found, kind, label, answer, self._samples.names
        if self._chosen[0] != key:
            names = (found.names[index] for index in select(found, kind, label, answer))
            self._chosen = key, tuple(name for name in names if name in self._samples)
        return self._chosen[1]

    def close(self) -> None:
        """Let go of everything, and remove the folders of answers."""
        self._images = ImageSet((), (), closed)
        self._chosen = self._patches = None, ()
        self._found.clear()
        self._indexes.clear()
        self._meant.clear()
        for folder in self._folders.values():
            shutil.rmtree(folder, ignore_errors=True)
        self._folders.clear()
