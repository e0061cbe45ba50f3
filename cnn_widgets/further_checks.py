"""What else can be asked of audited photographs, each answer a section of the audit's page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

from cnn_widgets.auditing import Audit
from cnn_widgets.auditing.labels import Classes
from cnn_widgets.auditing.sections import section
from cnn_widgets.data_checks import (
    doubted_labels,
    doubted_section,
    duplicates,
    duplicates_section,
    odd_ones_out,
    odd_section,
)
from cnn_widgets.datasets import ImageSet
from cnn_widgets.filter_index import filters_section, index_filters
from cnn_widgets.networks.network import Network
from cnn_widgets.shortcuts import find_shortcuts, shortcuts_section
from cnn_widgets.stability import robustness, robustness_section


@dataclass(frozen=True)
class Subject:
    """What is checked: an audit with its network and photographs."""

    audit: Audit
    net: Network
    images: ImageSet
    classes: Classes | None
    other: ImageSet | None
    say: Callable[[str], object]


@dataclass(frozen=True)
class Check:
    """A check: its title, what it costs, and the function that makes its section."""

    title: str
    cost: str
    section: Callable[[Subject], str]


def checked_sections(
    found: Audit,
    net: Network,
    images: ImageSet,
    checks: str | Iterable[str],
    classes: Classes | None = None,
    say: Callable[[str], object] | None = None,
    other: ImageSet | None = None,
) -> list[str]:
    """Return a section of each check, for `write_page(…, sections=…)`.

    A check that cannot be made, of shortcuts with one label for instance, has a section that says
    why.

    Parameters
    ----------
    found : Audit
    net : Network
    images : ImageSet
        The photographs that were audited.
    checks : str or iterable of str
        Names in `CHECKS`.
    classes : mapping, optional
        As it was given to `audit`.
    say : callable, optional
        Called with a line before each check, and with what it could not look at.
    other : ImageSet, optional
        Photographs of another set, those that the network was trained on for instance: duplicates
        are also looked for in both sets.

    Raises
    ------
    ValueError
        If a check is unknown, or `other` is given without the check of duplicates.

    Examples
    --------
    >>> cat = {"cat": cw.gallery()["cat"]}
    >>> net, images = cw.load_network(), cw.open_images(cat)
    >>> checked_sections(cw.audit(net, images), net, images, ["duplicates"])
    ['<section><h2>Duplicates</h2><p>None found.</p></section>']
    """
    chosen = list(dict.fromkeys([checks] if isinstance(checks, str) else checks))
    unknown = [name for name in chosen if name not in CHECKS]
    if unknown:
        raise ValueError(f"Unknown check {unknown[0]!r}. Checks: {', '.join(CHECKS)}.")
    if other is not None and "duplicates" not in chosen:
        raise ValueError("Another set of photographs is for the check of duplicates: choose it.")
    told, made = say or _silent, list[str]()
    subject = Subject(found, net, images, classes, other, told)
    for name in chosen:
        check = CHECKS[name]
        told(f"{check.title} ({check.cost}) …")
        try:
            made.append(check.section(subject) or _told(check.title, "None found."))
        except ValueError as error:
            made.append(_told(check.title, f"Not looked for: {error}"))
        except Exception as error:  # one check that fails takes no other with it
            line = f"It failed: {type(error).__name__}: {error}"
            made.append(_told(check.title, line))
            told(f"{check.title}: {line}")
    return made


def _silent(line: str) -> None:
    """Take a line that nobody asked for."""


def _told(title: str, line: str) -> str:
    return section(title, "", f"<p>{escape(line)}</p>")


def _doubted(asked: Subject) -> str:
    return doubted_section(doubted_labels(asked.audit), asked.images)


def _duplicates(asked: Subject) -> str:
    found = duplicates(asked.images, asked.other)
    if found.left_out:
        asked.say(f"Duplicates: {found.left_out}")
    elif not (found.exact or found.near or found.across):
        return ""
    return duplicates_section(found, asked.images, asked.other)


def _odd(asked: Subject) -> str:
    found = odd_ones_out(asked.net, asked.images, _labels(asked), fit=asked.audit.about["fit"])
    return odd_section(found, asked.images)


def _robust(asked: Subject) -> str:
    """Return how many answers stay, and are right, under each change."""
    about = asked.audit.about
    curves = robustness(
        asked.net, asked.images, classes=asked.classes, method=about["method"], fit=about["fit"]
    )
    return robustness_section(curves, asked.images)


def _labels(asked: Subject) -> list[str | None]:
    """Return the label of each photograph as the audit has it: one for all its spellings."""
    names = asked.audit.label_names
    return [names[place] if place >= 0 else None for place in asked.audit.truth.tolist()]


def _filters(asked: Subject) -> str:
    fit = asked.audit.about["fit"]
    index = index_filters(asked.net, asked.images, _labels(asked), fit=fit)
    return filters_section(index, asked.net, asked.images)


def _shortcuts(asked: Subject) -> str:
    found = find_shortcuts(asked.net, asked.images, classes=asked.classes)
    return shortcuts_section(found, asked.net, asked.images)


#: What can be checked beside the answers, by name.
CHECKS: dict[str, Check] = {
    "labels": Check("Doubted labels", "from the answers", _doubted),
    "duplicates": Check("Duplicates", "each photograph is read once", _duplicates),
    "odd": Check("Odd ones out", "one pass over the photographs", _odd),
    "filters": Check("Filters", "one pass, about four times as long", _filters),
    "robustness": Check("Robustness", "37 passes over the photographs", _robust),
    "shortcuts": Check("Shortcuts", "hundreds of passes for each label", _shortcuts),
}
