"""Labels that a network doubts with reason: likely mistakes of whoever labelled the photographs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.auditing import Audit
from cnn_widgets.auditing.probabilities import KEPT, WHOLE
from cnn_widgets.data_checks.confident import FEW, ConfidentJoint, joint_of, noisiest
from cnn_widgets.environment import frame
from cnn_widgets.records import Floats
from cnn_widgets.telling import counted

#: The confident joint of so many labels takes 256 MB.
MOST = 4096
_COLUMNS = ("index", "name", "label", "likely", "label_probability", "likely_probability")


@dataclass(frozen=True)
class Doubt:
    """A photograph whose label is likely wrong.

    Attributes
    ----------
    index : int
        Its number in the audit, from 0.
    name : str
    label, likely : str
        The label given, and the most likely other one.
    label_probability, likely_probability : float
        Of both, of all classes that a label stands for together.
    """

    index: int
    name: str
    label: str
    likely: str
    label_probability: float
    likely_probability: float

    @property
    def margin(self) -> float:
        """The label's probability less the likely one's, in [-1, 1]: the lower, the worse."""
        return self.label_probability - self.likely_probability


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class DoubtedLabels:
    """The photographs whose labels are likely wrong, and how many are estimated to be.

    Attributes
    ----------
    doubts : tuple of Doubt
        The lowest margin first.
    judged : int
        How many photographs have a label and kept probabilities.
    label_names : tuple of str
    joint : ConfidentJoint
        Its rows and columns are the labels.
    notes : tuple of str
        What limits the answer, in words.
    """

    doubts: tuple[Doubt, ...]
    judged: int
    label_names: tuple[str, ...]
    joint: ConfidentJoint
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.doubts)

    def __repr__(self) -> str:
        return (
            f"DoubtedLabels({len(self)} of {self.judged}, estimated wrong: {self.joint.wrong:.0f})"
        )

    @property
    def pairs(self) -> tuple[tuple[str, str, float], ...]:
        """(label given, label likely, estimated number of photographs), the most first."""
        table = np.array(self.joint.expected)
        np.fill_diagonal(table, 0)
        order = np.argsort(-table, axis=None, kind="stable")[: np.count_nonzero(table)]
        places = [divmod(int(each), len(table)) for each in order]
        names = self.label_names
        return tuple((names[a], names[b], float(table[a, b])) for a, b in places)

    def records(self) -> list[dict[str, Any]]:
        """Return a dict per doubted photograph: number, name, both labels and probabilities."""
        return [{name: getattr(each, name) for name in _COLUMNS} for each in self.doubts]

    def to_pandas(self) -> Any:
        """Return `records` as a pandas DataFrame; an ImportError says if pandas is missing."""
        return frame(self.records(), _COLUMNS)


def doubted_labels(audit: Audit) -> DoubtedLabels:
    """Return the photographs of an audit whose labels are likely wrong, the worst first.

    This is confident learning: a label is doubted where the network is as sure of another one as it
    usually is of that other's photographs, for as many as are estimated to be wrong. Whether the
    label is wrong, or the network, is for a person to see. A photograph that shows nothing any
    label stands for is not found here; `odd_ones_out` looks for such.

    The network must not have been trained on these photographs: one that has learnt wrong labels by
    heart cannot doubt them. Audit photographs that were held out; to judge all of a set, train
    one network on each half and audit the other half with it.

    Parameters
    ----------
    audit : Audit
        Of photographs with at least two different labels.

    Returns
    -------
    DoubtedLabels

    Raises
    ------
    ValueError
        If no photograph has a label, there is one label only, or the audit was written before
        all probabilities were kept.

    References
    ----------
    Northcutt, Jiang, Chuang 2021, arXiv 1911.00068: thresholds (eq. 2), confident joint (eq. 1),
    its calibration (eq. 3), prune by noise rate (section 3.2). Two deviations: of fewer than five
    photographs the threshold is at least the mean over all, and a photograph whose own label is the
    most likely is not doubted.

    Examples
    --------
    >>> some = [(cw.gallery()[name], name) for name in ("espresso", "cat", "rocket")]
    >>> some.append((cw.gallery()["espresso"], "cat"))
    >>> meant = {"cat": ["Egyptian cat", "tabby", "tiger cat"], "rocket": "missile"}
    >>> found = doubted_labels(cw.audit(cw.load_network(), some, classes=meant))
    >>> [(each.name, each.label, each.likely) for each in found.doubts]
    [('espresso 2', 'cat', 'espresso')]
    """
    _check(audit)
    kept = np.flatnonzero(audit.judged)
    known = kept[audit.has_probabilities[kept]]
    if not len(known):
        raise ValueError(
            "This audit keeps no probabilities of all labels: it was written before they were "
            "kept. Audit the photographs again, into an empty folder."
        )
    members = [known[audit.truth[known] == place] for place in range(len(audit.label_names))]
    sharing = _sharing(audit.label_classes)

    def rows(place: int) -> Floats:
        p = audit.label_probabilities(members[place])
        p[:, sharing[place]] = -1
        return p

    joint = joint_of(rows, len(members))
    doubts = []
    for place, numbers in enumerate(members):
        p = rows(place)
        chosen = noisiest(p, place, joint.expected[place])
        doubts += _doubts(audit, numbers[chosen], p[chosen], place)
    doubts.sort(key=lambda each: (each.margin, each.index))
    notes = _notes(audit, joint, len(doubts), [len(each) for each in members], len(kept))
    return DoubtedLabels(tuple(doubts), len(known), audit.label_names, joint, notes)


def _check(audit: Audit) -> None:
    """Raise a ValueError if there are no two labels to choose from."""
    if not audit.judged.any():
        raise ValueError(
            "No photograph of this audit has a label that could be doubted: none is labelled, or "
            "those that are cannot be read."
        )
    met = sorted(set(audit.truth[audit.judged].tolist()))
    if len(met) < 2:
        raise ValueError(
            f"All photographs have the label {audit.label_names[met[0]]!r}. A label is doubted in "
            "favour of another one; there must be at least two."
        )
    if len(audit.label_names) > MOST:
        raise ValueError(
            f"Expected at most {MOST:,} labels: every pair of them is counted. "
            f"Received: {len(audit.label_names):,}"
        )


def _sharing(classes: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return for each label the others that share a class with it: no alternatives to it."""
    having: dict[int, set[int]] = defaultdict(set)
    for place, each in enumerate(classes):
        for class_index in each:
            having[class_index].add(place)
    return [
        sorted(set().union(*(having[class_index] for class_index in each)) - {place})
        for place, each in enumerate(classes)
    ]


def _doubts(audit: Audit, numbers: NDArray[np.intp], p: Floats, place: int) -> list[Doubt]:
    """Return the doubts of photographs of a label, given their probabilities (n, L)."""
    names = audit.label_names
    others = np.array(p)
    others[:, place] = -1
    return [
        Doubt(int(number), audit.names[number], names[place], names[best], float(row[place]),
              float(row[best]))
        for number, row, best in zip(numbers, p, others.argmax(axis=1), strict=True)
    ]  # fmt: skip


def _notes(
    audit: Audit, joint: ConfidentJoint, doubted: int, counts: list[int], labelled: int
) -> tuple[str, ...]:
    """Return what limits the answer, in words."""
    names, notes = audit.label_names, []
    if labelled > sum(counts):
        told = counted(labelled - sum(counts), "photograph is", "photographs are")
        notes.append(
            f"{told} not judged: audited before the probabilities of all labels were kept."
        )
    if len(audit.class_names) > WHOLE:
        notes.append(
            f"Of {len(audit.class_names):,} classes only the {KEPT} most likely are kept of each "
            "photograph; the others count as impossible."
        )
    few = [name for name, count in zip(names, counts, strict=True) if 0 < count < FEW]
    if few:
        notes.append(f"Of fewer than {FEW} photographs, so hardly judged: {_listed(few)}.")
    unknown = [
        name for name, mean, count, classes in zip(
            names, joint.thresholds, counts, audit.label_classes, strict=True
        ) if count >= FEW and mean < len(classes) / len(audit.class_names)
    ]  # fmt: skip
    if unknown:
        notes.append(
            "Photographs with these labels are given a lower probability of them than chance, on "
            f"average: the network does not know the label, or most are wrong: {_listed(unknown)}."
        )
    if doubted > sum(counts) / 2:
        notes.append(
            "More than half of the labels are doubted: doubt the network first, or the way in "
            "which labels were matched with its classes."
        )
    return tuple(notes)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"{', '.join(map(repr, names[:8]))}{more}"
