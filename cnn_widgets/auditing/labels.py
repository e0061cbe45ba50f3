"""Which classes of a network the labels of photographs stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

from cnn_widgets.datasets import Label
from cnn_widgets.networks.network import Network

#: What `classes` may say of a label: one class, several, or None to leave its photographs out.
Classes = Mapping[Any, Any]


@dataclass(frozen=True)
class LabelTable:
    """The labels, and the classes of the network that each stands for.

    Attributes
    ----------
    names : tuple of str
        The labels, sorted; a number goes by the name of its class.
    classes : tuple of tuple of int
        Of each label, the indices of its classes.
    known : dict
        From a label as it is told to its place in `names`; one that is left out is not in it.
    notes : tuple of str
        Which spellings were taken as one label; which entries of `classes` are of no label.
    """

    names: tuple[str, ...]
    classes: tuple[tuple[int, ...], ...]
    known: dict[Label, int]
    notes: tuple[str, ...] = ()

    def place(self, label: Label) -> int:
        """Return the place of a label in `names`; -1 if it is left out, or if there is none."""
        return self.known.get(label, -1)

    def label_of(self, class_index: int, own: int = -1) -> int:
        """Return the place of a label that stands for a class; -1 if none does.

        Of several it is `own` if that is one of them, else the first.
        """
        if own >= 0 and class_index in self.classes[own]:
            return own
        return self._first.get(class_index, -1)

    @cached_property
    def _first(self) -> dict[int, int]:
        """The place of the first label that stands for each class."""
        pairs = [(index, n) for n, each in enumerate(self.classes) for index in each]
        return dict(reversed(pairs))


def match_labels(
    labels: Iterable[Label], net: Network, classes: Classes | None = None
) -> LabelTable:
    """Return the classes that labels stand for.

    Parameters
    ----------
    labels : iterable of int, str or None
        A number is a class index. A name is that of a class, whatever its capitals, and with a
        space, a hyphen or an underscore between words. Names that differ in nothing else, and
        stand for the same classes, are one label, spelled as it was met first.
    net : Network
    classes : mapping, optional
        For labels that no class is named after: the class or classes (indices or names) that a
        label stands for, or None to leave its photographs out.

    Raises
    ------
    ValueError
        If a label stands for no class, with the labels and what is named alike.
    """
    if classes is not None and not isinstance(classes, Mapping):
        raise ValueError(
            "Expected classes to be a mapping from labels to classes. Received: "
            f"{type(classes).__name__}"
        )
    told = {str(key): value for key, value in (classes or {}).items()}
    spellings = Spellings(net)
    found: dict[str, tuple[int, ...]] = {}
    known: dict[Label, str] = {}
    unknown: list[str] = []
    met = list(dict.fromkeys(each for each in labels if each is not None))
    for label in met:
        name = str(label)
        if name in told:
            if told[name] is None:
                continue
            indices = _meant(name, told[name], net)
        else:
            name, indices = _of_the_network(label, net, spellings.by_name)
        if not indices:
            unknown.append(name)
            continue
        known[label] = str(spellings.first(name, indices))
        found[known[label]] = indices
    if unknown:
        raise ValueError(_unknown(unknown, net, list(spellings.by_name)))
    names = tuple(sorted(found))
    return LabelTable(
        names,
        tuple(found[name] for name in names),
        {label: names.index(name) for label, name in known.items()},
        (*spellings.notes, *_unused(told, met)),
    )


def _of_the_network(
    label: Label, net: Network, by_name: Mapping[str, list[int]]
) -> tuple[str, tuple[int, ...]]:
    """Return the name of a label, and the classes of the network that it stands for by itself."""
    if not isinstance(label, int):
        return str(label), tuple(by_name.get(_plain(str(label)), ()))
    index = net.class_index(label)
    name = net.class_names[index]
    if by_name.get(str(label), [index]) != [index]:
        raise ValueError(
            f"Label {label} may be the class of number {label}, {name!r}, or the one named "
            f"{str(label)!r}. Say which: classes={{{label}: …}}."
        )
    return name, (index,)


class Spellings:
    """Labels that are one: spelled in several ways, they stand for the same classes of a network.

    The rule is that of `match_labels`, but a label need not stand for any class.

    >>> found = Spellings(cw.load_network())
    >>> [found.one(label) for label in ("Tabby", "tabby", "my_dog", "My dog", 282, "tiger cat")]
    ['Tabby', 'Tabby', 'my_dog', 'my_dog', 282, 282]

    Attributes
    ----------
    by_name : dict of str to list of int
        The classes of each name, without regard to how it is spelled.
    """

    def __init__(self, net: Network) -> None:
        self._class_names = net.class_names
        self.by_name: dict[str, list[int]] = {}
        for index, name in enumerate(net.class_names):
            self.by_name.setdefault(_plain(name), []).append(index)
        self._met: dict[tuple[str, frozenset[int]], dict[Label, None]] = {}

    def first(self, label: Label, classes: Iterable[int], name: str | None = None) -> Label:
        """Return the first of the labels met that are one with a label; `name` it by default."""
        key = _plain(str(label) if name is None else name), frozenset(classes)
        alike = self._met.setdefault(key, {})
        alike[label] = None
        return next(iter(alike))

    def one(self, label: Label) -> Label:
        """Return the first of the labels met that are one with a label; None of none."""
        if label is None:
            return None
        if isinstance(label, int):
            known = 0 <= label < len(self._class_names)
            return self.first(label, [label], self._class_names[label] if known else None)
        return self.first(label, self.by_name.get(_plain(label), ()))

    @property
    def notes(self) -> tuple[str, ...]:
        """Which labels were taken as one."""
        return tuple(
            f"Labels {', '.join(map(repr, alike))} are taken as one label, {next(iter(alike))!r}"
            for alike in self._met.values()
            if len(alike) > 1
        )


def _unused(told: Iterable[str], labels: Iterable[Label]) -> list[str]:
    """Return in words the entries of `classes` that no photograph has as its label."""
    there = set(map(str, labels))
    unused = [repr(name) for name in told if name not in there]
    more = f" and {len(unused) - 8} more" if len(unused) > 8 else ""
    words = f"No photograph has these labels of classes=: {', '.join(unused[:8])}{more}"
    return [words] if unused else []


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


def _meant(label: str, meant: Any, net: Network) -> tuple[int, ...]:
    """Return the classes that a label is said to stand for, each once."""
    listed = list(meant) if isinstance(meant, list | tuple | set) else [meant]
    if not listed:
        raise ValueError(
            f"Expected the classes that label {label!r} stands for, or None to leave its "
            f"photographs out. Received: {meant!r}"
        )
    return tuple(dict.fromkeys(net.class_index(each) for each in listed))


def _unknown(labels: list[str], net: Network, names: list[str]) -> str:
    told = []
    for label in labels[:8]:
        near = get_close_matches(_plain(label), names, 1) or [
            name for name in names if _plain(label).rstrip("s") in name.split()
        ]
        told.append(f"{label!r}{f' (near: {near[0]!r})' if near else ''}")
    more = f" and {len(labels) - 8} more" if len(labels) > 8 else ""
    return (
        f"No class of {net.name!r} is named after these labels: {', '.join(told)}{more}. Say which "
        "classes they stand for: classes={'label': ['class', …]} (in a script; on the command "
        "line --classes and a JSON file of that), or None to leave such photographs out."
    )


class MatchedLabels:
    """The labels met so far, and the classes they stand for."""

    def __init__(self, net: Network, classes: Classes | None, labels: Iterable[Label]) -> None:
        self._net, self._classes = net, classes
        self._met = dict.fromkeys(labels)
        self.table = match_labels(self._met, net, classes)

    def meet(self, label: Label) -> LabelTable:
        """Return the table with a label in it; a ValueError if it stands for no class."""
        if label not in self._met:
            self._met[label] = None
            self.table = match_labels(self._met, self._net, self._classes)
        return self.table

    def as_json(self) -> dict[str, Any]:
        """Return the table as plain values."""
        table = self.table
        known = [[label, index] for label, index in table.known.items()]
        listed = [list(each) for each in table.classes]
        return {"names": list(table.names), "classes": listed, "known": known}
