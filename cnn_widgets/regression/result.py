"""`Check`: what became of answers, evidence and layers, the worst first; and its JUnit report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from cnn_widgets.environment import atomic_files, frame
from cnn_widgets.telling import counted

#: What can have changed, the gravest first.
KINDS = ("input", "random", "classes", "unreadable", "missing", "answer", "evidence", "layer",
         "probability")  # fmt: skip
#: Figures of a case; which of them are there depends on what was compared.
_FIGURES = ("was", "now", "probability_was", "probability", "probability_changed", "correlation",
            "centre_moved", "overlap", "cka", "difference")  # fmt: skip
_COLUMNS = ("subject", "name", "status", "changed", "words", *_FIGURES)
#: What XML 1.0 cannot hold, escaped or not.
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Tolerances:
    """How much may change until a check fails.

    Measured: saving again, other batches, threads, processes and orders change probabilities by
    less than 1e-6; weights stored in half precision by up to 0.003 in the bundled network, with
    maps correlated by more than 0.9999 and layers alike by a CKA of more than 0.99999. Of the
    planted regressions of weights and layers, each changed a probability by 0.07 or more.

    Attributes
    ----------
    tie : float
        An answer that flips is forgiven if the two classes were and are this close in probability.
    probability : float
        The largest change of the probability of any class that was among the ten most likely.
    correlation : float
        The least correlation (Pearson) of the evidence for an answer with what it was.
    centre : float
        The furthest that the centre of the evidence may move, as a share of the diagonal.
    cka : float
        The least similarity of a layer with itself, see `linear_cka`.
    input : float
        The largest difference of what reaches the first weights, in standard deviations.
    missing : float
        The largest share of the photographs kept that may be missing now, or be another one.
    """

    tie: float = 0.01
    probability: float = 0.02
    correlation: float = 0.95
    centre: float = 0.05
    cka: float = 0.9995
    input: float = 0.02
    missing: float = 0.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int | float) or not 0 <= value <= 1:
                raise ValueError(f"Expected {name} from 0 to 1. Received: {value!r}")


def tolerances_from(given: Sequence[str]) -> Tolerances:
    """Return tolerances from texts such as ``"cka=0.9"``; a ValueError names those there are.

    >>> tolerances_from(["cka=0.9"]).cka
    0.9
    """
    found: dict[str, float] = {}
    for each in given:
        name, _, number = each.partition("=")
        try:
            found[name] = float(number)
        except ValueError:
            raise ValueError(f"Expected NAME=NUMBER, such as cka=0.9. Received: {each!r}") from None
    unknown = [name for name in found if name not in asdict(Tolerances())]
    if unknown:
        known = ", ".join(asdict(Tolerances()))
        raise ValueError(f"Unknown tolerance {unknown[0]!r}. Tolerances: {known}.")
    return Tolerances(**found)


@dataclass(frozen=True)
class Case:
    """One thing that was compared.

    Attributes
    ----------
    subject : {"network", "layer", "photograph"}
    name : str
    status : {"passed", "failed", "skipped"}
    changed : tuple of str
        Why it failed, from `KINDS`, the gravest first.
    words : str
    severity : float
        Orders failures of the same kind, the worst has the most.
    figures : dict
        What was measured.
    """

    subject: str
    name: str
    status: str
    changed: tuple[str, ...] = ()
    words: str = ""
    severity: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def rank(self) -> tuple[int, int, float]:
        """A key that sorts failures first, and among them the worst."""
        place = KINDS.index(self.changed[0]) if self.changed else len(KINDS)
        return ("failed", "skipped", "passed").index(self.status), place, -self.severity


class Check:
    """A network compared with what was kept of it, see `check_against`.

    Parameters
    ----------
    name : str
        The network's.
    cases : sequence of Case
        In the order in which they were compared, layers in the order they run.
    causes : sequence of str
        Where to look, in words, the first cause first.
    notes : sequence of str
        What was not compared, or holds with a reserve.
    tolerances : Tolerances
    first_drift : str or None
        The first layer, in the order they run, that is not what it was.

    Attributes
    ----------
    cases : tuple of Case
        The worst first.
    """

    def __init__(
        self,
        name: str,
        cases: Sequence[Case],
        causes: Sequence[str],
        notes: Sequence[str],
        tolerances: Tolerances,
        first_drift: str | None,
    ) -> None:
        self.name, self.tolerances, self.first_drift = name, tolerances, first_drift
        self.cases = tuple(sorted(cases, key=lambda case: case.rank))
        self.causes, self.notes = tuple(causes), tuple(notes)

    def __len__(self) -> int:
        return len(self.cases)

    def __repr__(self) -> str:
        return f"Check({self.name!r}, {self.summary()})"

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @cached_property
    def failures(self) -> tuple[Case, ...]:
        """What failed, the worst first."""
        return tuple(case for case in self.cases if case.status == "failed")

    @property
    def changed(self) -> tuple[str, ...]:
        """What changed at all, from `KINDS`, the gravest first."""
        found = {kind for case in self.failures for kind in case.changed}
        return tuple(kind for kind in KINDS if kind in found)

    def count(self, kind: str) -> int:
        """Return how many cases failed for a reason in `KINDS`."""
        return sum(kind in case.changed for case in self.failures)

    def summary(self) -> str:
        """Return the verdict in one line."""
        parts_of = {each: [case for case in self.cases if case.subject == each]
                    for each in ("photograph", "layer")}  # fmt: skip
        photographs, layers = (sum(bool(case.figures) and case.status != "skipped" for case in some)
                               for some in parts_of.values())  # fmt: skip
        over = f"{counted(photographs, 'photograph')} and {counted(layers, 'layer')} compared"
        rest = sum(map(len, parts_of.values())) - photographs - layers
        over += f", {rest:,} not" if rest else ""
        if self.passed:
            return f"passed: {over}"
        told = {
            "missing": ("photograph", "photographs", "missing"),
            "answer": ("answer", "answers", "flipped"),
            "evidence": ("map", "maps", "moved"),
            "layer": ("layer", "layers", "drifted"),
            "probability": ("probability", "probabilities", "changed"),
            "unreadable": ("photograph", "photographs", "unreadable"),
        }
        parts = [f"{counted(self.count(kind), one, more)} {what}"
                 for kind, (one, more, what) in told.items() if self.count(kind)]  # fmt: skip
        first = [f"{kind} changed" for kind in ("input", "classes") if self.count(kind)]
        first += ["answers at random"] if self.count("random") else []
        return f"FAILED: {', '.join(first + parts)} ({over})"

    def records(self) -> list[dict[str, Any]]:
        """Return a dict per case, the worst first: what it is, its status, words and figures."""
        return [
            {
                "subject": case.subject,
                "name": case.name,
                "status": case.status,
                "changed": ", ".join(case.changed),
                "words": case.words,
                **{name: case.figures.get(name) for name in _FIGURES},
            }
            for case in self.cases
        ]

    def to_pandas(self) -> Any:
        """Return `records` as a pandas DataFrame; an ImportError says if pandas is missing."""
        return frame(self.records(), _COLUMNS)

    def write_junit(self, path: str | Path) -> Path:
        r"""Write the report as JUnit XML, which CI servers show; return its path.

        A test case per photograph, per layer and for the network, the worst first. Characters that
        XML cannot hold are written as ``\x0b``. The file is there whole or not at all.
        """
        place = Path(path).expanduser()
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic_files(place.parent, place.name) as made:
            data = ElementTree.tostring(self._junit(), "utf-8", xml_declaration=True)
            (made / place.name).write_bytes(data)
        return place

    def _junit(self) -> ElementTree.Element:
        counts = {
            "tests": str(len(self.cases)),
            "failures": str(len(self.failures)),
            "errors": "0",
            "skipped": str(sum(case.status == "skipped" for case in self.cases)),
        }
        root = ElementTree.Element("testsuites", counts)
        suite = ElementTree.SubElement(root, "testsuite", {"name": _text(self.name), **counts})
        listed = ElementTree.SubElement(suite, "properties")
        for name, value in asdict(self.tolerances).items():
            ElementTree.SubElement(listed, "property", name=f"tolerance.{name}", value=str(value))
        for case in self.cases:
            where = f"cnn-widgets.{case.subject}"
            made = ElementTree.SubElement(suite, "testcase", classname=where, name=_text(case.name))
            if case.status == "failed":
                words, kinds = _text(case.words), ", ".join(case.changed)
                ElementTree.SubElement(made, "failure", message=words, type=kinds).text = words
            elif case.status == "skipped":
                ElementTree.SubElement(made, "skipped", message=_text(case.words))
        told = "\n".join([self.summary(), *self.causes, *self.notes])
        ElementTree.SubElement(suite, "system-out").text = _text(told)
        return root


def _text(words: str) -> str:
    """Return a text with what XML cannot hold written as an escape."""
    return _NOT_IN_XML.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), words)
