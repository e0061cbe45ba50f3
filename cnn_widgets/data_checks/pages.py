"""The data's faults as sections of an audit's page: the worst photographs, with their words.

Each is one of the `sections` that `cnn_widgets.auditing.write_page` takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import numpy as np

from cnn_widgets.arguments import whole
from cnn_widgets.auditing.sections import percent, photograph, row, section, table
from cnn_widgets.data_checks.doubts import DoubtedLabels
from cnn_widgets.data_checks.duplicates import Duplicates
from cnn_widgets.data_checks.odd import OddOnes
from cnn_widgets.datasets import ImageSet, open_images

#: So many photographs are shown in a section.
PICTURES = 30
_PAIRS = 20  # so many pairs of labels are listed
_NAMED = 200  # so many unreadable photographs are listed


def doubted_section(found: DoubtedLabels, images: Any, pictures: int = PICTURES) -> str:
    """Return a section of HTML: which labels are likely wrong, the worst photographs first.

    Parameters
    ----------
    found : DoubtedLabels
    images : object
        The photographs that were audited, as `open_images` takes them.
    pictures : int
        How many photographs are shown.

    Raises
    ------
    ValueError
        If the photographs are not those that were audited, or come as a data set or a generator:
        they cannot be read again.

    Examples
    --------
    >>> cat, espresso = cw.gallery()["cat"], cw.gallery()["espresso"]
    >>> given = [(cat, "tabby"), (espresso, "espresso"), (espresso, "tabby")]
    >>> doubted = cw.doubted_labels(cw.audit(cw.load_network(), given))
    >>> doubted_section(doubted, given)[:40]
    '<section><h2>Doubted labels</h2><p class'
    """
    photographs = _readable(images, pictures)
    cards = (
        _card(photographs, each.index, each.name,
              f"{each.label} ({percent(each.label_probability)}), more likely {each.likely} "
              f"({percent(each.likely_probability)})")
        for each in found.doubts[:pictures]
    )  # fmt: skip
    pairs = [
        (label, likely, f"{count:.0f}") for label, likely, count in found.pairs if count >= 0.5
    ]
    return section(
        "Doubted labels",
        f"{len(found):,} of {found.judged:,} photographs have a label that is likely wrong; "
        f"{found.joint.wrong:,.0f} are estimated to have one (confident learning, arXiv "
        "1911.00068). This holds for a network that was not trained on these photographs: one that "
        "has learnt wrong labels by heart does not doubt them."
        f"{_shown(len(found), pictures)}",
        (
            table(("label given", "label likely", "photographs, estimated"), pairs[:_PAIRS])
            + row(cards)
            + _told(found.notes)
        )
        or " ",
    )


def odd_section(found: OddOnes, images: Any, pictures: int = PICTURES) -> str:
    """Return a section of HTML: which photographs are unlike the rest, the oddest first.

    Parameters, errors and use are those of `doubted_section`.

    Examples
    --------
    >>> cat = cw.gallery()["cat"].pixels
    >>> given = [cat[n : n + 200, :200] for n in range(10)]
    >>> odd_section(cw.odd_ones_out(cw.load_network(), given), given)[:42]
    '<section><h2>Odd ones out</h2><p class="ab'
    """
    photographs, odd = _readable(images, pictures), found.odd
    cards = (
        _card(photographs, int(index), found.names[index],
              f"{found.labels[index]}, " * (found.labels[index] is not None)
              + f"score {found.scores[index]:.1f}")
        for index in odd[:pictures]
    )  # fmt: skip
    judged = int(np.isfinite(found.scores).sum())
    return section(
        "Odd ones out",
        f"{len(odd):,} of {judged:,} photographs lie further from their neighbours than usual "
        f"(score above {found.threshold:.1f}), by what layer {found.layer} makes of them. Each is "
        f"worth a look: foreign, damaged, or rare.{_shown(len(odd), pictures)}",
        (row(cards) + _told(found.notes)) or " ",
    )


def duplicates_section(
    found: Duplicates, images: Any, other: Any = None, pictures: int = PICTURES
) -> str:
    """Return a section of HTML: photographs that look alike, in a set or in both.

    It tells, too, which photographs could not be read and so were not compared. `other` is the
    second set, if there was one; parameters, errors and use are otherwise those of
    `doubted_section`.

    Examples
    --------
    >>> given = {"a": cw.gallery()["cat"], "b": cw.gallery()["cat"]}
    >>> duplicates_section(cw.duplicates(given), given)[:40]
    '<section><h2>Duplicates</h2><p class="ab'
    """
    sets = [_readable(each, pictures) for each in (images, other) if each is not None]
    numbers = [{name: number for number, name in enumerate(each.names)} for each in sets]
    exact = {name for group in found.exact for name in group}
    groups = [[(0, name, "exact copy" if name in exact else "looks alike") for name in group]
              for group in found.near]  # fmt: skip
    if found.across and other is None:
        raise ValueError("Expected other=, the second set: some photographs look alike in both.")
    groups += [[(0, a, "in the first set"), (1, b, "in the second set")] for a, b in found.across]
    body, shown = "", 0
    for group in groups:
        if shown < pictures:
            body += row(
                _card(sets[place], numbers[place].get(name, -1), name, told)
                for place, name, told in group[: pictures - shown]
            )
            shown += len(group)
    total = sum(map(len, groups))
    return section(
        "Duplicates",
        f"Groups of photographs that look alike: {len(found.near):,}; groups in the "
        f"very same pixels: {len(found.exact):,}; pairs that look alike, one in each set: "
        f"{len(found.across):,}. Whether those that look alike are one picture, the eye must say."
        f"{_shown(total, pictures)}",
        (body + _left_out(found)) or " ",
    )


def _left_out(found: Duplicates) -> str:
    """Return what could not be read, and so was not compared: how many, which, and why."""
    items = [f"{name}: {why}" for name, why in found.unreadable.items()]
    more = [f"and {len(items) - _NAMED:,} more"] if len(items) > _NAMED else []
    listed = "".join(f"<li>{escape(each)}</li>" for each in (*items[:_NAMED], *more))
    return f"{_told([found.left_out])}<ul>{listed}</ul>" if items else ""


def _readable(images: Any, pictures: int) -> ImageSet:
    """Return photographs as a set of which `pictures` are shown; a ValueError if they cannot be."""
    whole("pictures", pictures, 0)
    found = open_images(images)
    if not found.repeatable:
        raise ValueError(
            "The photographs of a data set or a generator cannot be shown: they cannot be read "
            "again. Give a folder, a zip, a CSV, a list or an array."
        )
    return found


def _card(images: ImageSet, index: int, name: str, told: str) -> str:
    """Return a photograph with its name and a word about it; with the error if it is gone."""
    if not 0 <= index < len(images) or images.names[index] != name:
        raise ValueError(f"Expected the photographs that were judged. {name!r} is not there.")
    return photograph(images, index, told)


def _shown(count: int, pictures: int) -> str:
    return f" Shown are {pictures:,} of {count:,}." if count > pictures else ""


def _told(notes: Iterable[str]) -> str:
    return "".join(f"<p class='about'>{escape(note)}</p>" for note in notes)
