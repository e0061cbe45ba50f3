"""Which photographs of an audit one wants to see: the mistakes, one cell of the confusion table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.auditing.result import ANOTHER, Audit
from cnn_widgets.spelling import composed

#: The kinds of photographs that can be chosen, and how each is told.
SELECTIONS = {
    "mistakes": "mistakes, the most confident first",
    "near misses": "mistakes, the nearest to being right first",
    "narrowly right": "right ones, the least certain first",
    "all": "all photographs, in their order",
}


def select(found: Audit, kind: str = "mistakes", label: str = "", answer: str = "") -> list[int]:
    """Return the photographs of a kind, by their numbers, in the order that the kind says.

    Parameters
    ----------
    found : Audit
    kind : str
        One of `SELECTIONS`.
    label : str
        Only photographs with this label; "" for every label.
    answer : str
        Only those that were answered by a class of this label, or `ANOTHER`; "" for every answer.

    Raises
    ------
    ValueError
        If the kind or a label is unknown.
    """
    if kind not in SELECTIONS:
        raise ValueError(f"Unknown selection {kind!r}. Selections: {', '.join(SELECTIONS)}.")
    if kind == "mistakes":
        some = found.mistakes()
    elif kind == "near misses":
        some = found.near_misses()
    elif kind == "narrowly right":
        some = found.narrowly_right()
    else:
        some = np.flatnonzero(found.predicted >= 0)
    if label:
        some = some[found.truth[some] == label_place(found, label)]
    if answer:
        place = -1 if answer == ANOTHER else label_place(found, answer)
        some = some[found.answered_label[some] == place]
    return [int(index) for index in some]


def label_place(found: Audit, label: str) -> int:
    """Return the place of a label in `label_names`; a ValueError lists them."""
    label = composed(label)
    if label not in found.label_names:
        known = found.label_names
        more = f" and {len(known) - 20} more" if len(known) > 20 else ""
        raise ValueError(f"Unknown label {label!r}. Labels: {', '.join(known[:20])}{more}.")
    return found.label_names.index(label)


def most_confused(
    found: Audit, most: int
) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[np.int64]]:
    """Return labels, answers, and how often each was given, (labels, answers).

    Of more labels than `most` those with the most mistakes, the worst first, and beside them the
    answers that they are most often taken for. `ANOTHER` is the last one, if there can be such.
    """
    table, names = found.confusion, found.label_names
    other = () if found.labels_cover else (len(names),)
    if len(names) <= most:
        every = [*range(len(names)), *other]
        return names, tuple((*names, ANOTHER)[n] for n in every), table[:, every]
    own = np.arange(len(names))
    wrong = table.copy()
    wrong[own, own] = 0
    rows = np.argsort(-wrong.sum(axis=1), kind="stable")[:most]
    taken = wrong[rows, : len(names)].sum(axis=0)
    others = [n for n in np.argsort(-taken, kind="stable") if taken[n] and n not in rows]
    columns = [*rows.tolist(), *others[: most // 2], *other]
    labels = tuple(names[n] for n in rows)
    answers = tuple((*names, ANOTHER)[n] for n in columns)
    return labels, answers, table[np.ix_(rows, columns)]
