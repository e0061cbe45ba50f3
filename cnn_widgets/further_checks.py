"""What else can be asked of audited photographs, each answer a section of the audit's page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

from cnn_widgets.auditing import Audit
from cnn_widgets.auditing.labels import Classes
from cnn_widgets.auditing.sections import percent, section, table
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
from cnn_widgets.stability import Curve, robustness


@dataclass(frozen=True)
class Subject:
    """What is checked: an audit with its network and photographs."""

    audit: Audit
    net: Network
    images: ImageSet
    classes: Classes | None


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
    checks: Iterable[str],
    classes: Classes | None = None,
    say: Callable[[str], object] | None = None,
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
    checks : iterable of str
        Names in `CHECKS`.
    classes : mapping, optional
        As it was given to `audit`.
    say : callable, optional
        Called with a line before each check.

    Raises
    ------
    ValueError
        If a check is unknown.

    Examples
    --------
    >>> cat = {"cat": cw.gallery()["cat"]}
    >>> net, images = cw.load_network(), cw.open_images(cat)
    >>> checked_sections(cw.audit(net, images), net, images, ["duplicates"])
    ['<section><h2>Duplicates</h2><p>None found.</p></section>']
    """
    chosen = list(dict.fromkeys(checks))
    unknown = [name for name in chosen if name not in CHECKS]
    if unknown:
        raise ValueError(f"Unknown check {unknown[0]!r}. Checks: {', '.join(CHECKS)}.")
    subject, made = Subject(found, net, images, classes), []
    for name in chosen:
        check = CHECKS[name]
        if say is not None:
            say(f"{check.title} ({check.cost}) …")
        try:
            made.append(check.section(subject) or _told(check.title, "None found."))
        except ValueError as error:
            made.append(_told(check.title, f"Not looked for: {error}"))
        except Exception as error:  # one check that fails takes no other with it
            line = f"It failed: {type(error).__name__}: {error}"
            made.append(_told(check.title, line))
            if say is not None:
                say(f"{check.title}: {line}")
    return made


def _told(title: str, line: str) -> str:
    return section(title, "", f"<p>{escape(line)}</p>")


def _doubted(asked: Subject) -> str:
    return doubted_section(doubted_labels(asked.audit), asked.images)


def _duplicates(asked: Subject) -> str:
    found = duplicates(asked.images)
    return duplicates_section(found, asked.images) if found.exact or found.near else ""


def _odd(asked: Subject) -> str:
    found = odd_ones_out(asked.net, asked.images, _labels(asked), fit=asked.audit.about["fit"])
    return odd_section(found, asked.images)


def _robust(asked: Subject) -> str:
    """Return how many answers stay under each change, from its weakest to its strongest level."""
    about = asked.audit.about
    curves = robustness(
        asked.net, asked.images, classes=asked.classes, method=about["method"], fit=about["fit"]
    )
    rows = [_curve(each, asked.images) for each in curves]
    head = ("change", "levels", "answers that stay", "evidence agrees", "turns first")
    return section(
        "Robustness",
        "How many photographs keep their answer as they are changed more and more, how well the "
        "evidence of those agrees (correlation), and the photograph whose answer turns first.",
        table(head, rows),
    )


def _curve(curve: Curve, images: ImageSet) -> tuple[str, ...]:
    first = curve.first
    return (
        curve.title,
        " · ".join(f"{level:g}" for level in curve.levels),
        " · ".join(percent(share.value) for share in curve.same),
        " · ".join("–" if value != value else f"{value:.2f}" for value in curve.agreement),
        "none" if first is None else f"{images.names[first]} at {curve.turns[first]:g}",
    )


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
