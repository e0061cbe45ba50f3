"""`Diagnosis`: what the doctor found, one `Finding` for each part, as a page of plain text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

#: The gravest first: a fault must be mended before class, a warning may matter.
STATUSES = ("fault", "warning", "ok")
_WIDTH = 96
_MARKS = {"fault": "FAULT", "warning": "warning", "ok": "ok"}
_COLORS = {"fault": "#c62828", "warning": "#9a6700", "ok": "#2e7d32"}


@dataclass(frozen=True)
class Finding:
    """What was found about one part of the set-up.

    Attributes
    ----------
    part : str
        The part that was looked at, such as ``"memory"``.
    status : {"fault", "warning", "ok"}
    told : str
        What was found, in words.
    remedy : str
        What to do about it, in words that a student can follow; empty only if all is well.

    Raises
    ------
    ValueError
        If the status is unknown, or a fault or warning comes without a remedy.
    """

    part: str
    status: str
    told: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"Expected status to be one of {STATUSES}. Received: {self.status!r}")
        if self.status != "ok" and not self.remedy:
            raise ValueError(f"A {self.status} needs a remedy: {self.part}: {self.told}")


@dataclass(frozen=True, repr=False)
class Diagnosis:
    """All findings about the set-up of this computer, see `doctor`.

    A notebook shows it as a page of plain text, `print` as the same text; it can be pasted into a
    message to the teacher. It holds no user name, no folder and no setting of the computer.

    Attributes
    ----------
    findings : tuple of Finding
        The gravest first.
    version : str
        The version of this package.
    made : str
        The day it was made, such as ``"2026-11-28"``.
    tried : bool
        Whether TensorFlow and the widgets were loaded, and a photograph drawn.
    """

    findings: tuple[Finding, ...]
    version: str
    made: str
    tried: bool = True

    def __post_init__(self) -> None:
        ordered = sorted(self.findings, key=lambda found: STATUSES.index(found.status))
        object.__setattr__(self, "findings", tuple(ordered))

    @property
    def faults(self) -> tuple[Finding, ...]:
        """What must be mended."""
        return tuple(found for found in self.findings if found.status == "fault")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What may matter."""
        return tuple(found for found in self.findings if found.status == "warning")

    @property
    def healthy(self) -> bool:
        """Whether there is no fault. Warnings are allowed."""
        return not self.faults

    def records(self) -> list[dict[str, Any]]:
        """Return a dict per finding, the gravest first: part, status, told and remedy."""
        return [asdict(found) for found in self.findings]

    def summary(self) -> str:
        """Return the verdict in one line, and what was not tried."""
        left_out = "" if self.tried else " TensorFlow and the widgets were not tried."
        if not self.faults and not self.warnings:
            return f"Everything {'' if self.tried else 'looked at '}is in order.{left_out}"
        parts = [_counted(some, word) for some, word in
                 ((self.faults, "fault"), (self.warnings, "warning")) if some]  # fmt: skip
        after = "It works all the same." if self.healthy else "After mending, run it again."
        return f"{' and '.join(parts)}, listed first. {after}{left_out}"

    def __str__(self) -> str:
        lines = [self._title(), self.summary(), ""]
        for found in self.findings:
            lines += _wrapped(_MARKS[found.status], f"{found.part}: {found.told}")
            if found.remedy:
                lines += _wrapped("", f"What to do: {found.remedy}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"Diagnosis({self.summary()!r})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the whole page where IPython would show the short `repr`."""
        printer.text(repr(self) if cycle else str(self))

    def _repr_html_(self) -> str:
        lines = [f"<b>{escape(self._title())}</b>", escape(self.summary()), ""]
        for found in self.findings:
            first, *rest = _wrapped(_MARKS[found.status], f"{found.part}: {found.told}")
            mark = _MARKS[found.status]
            styled = f'<b style="color:{_COLORS[found.status]}">{mark}</b>'
            lines.append(styled + escape(first.removeprefix(mark)))
            if found.remedy:
                rest += _wrapped("", f"What to do: {found.remedy}")
            lines += [escape(line) for line in rest]
        return f"<pre>{chr(10).join(lines)}</pre>"

    def _title(self) -> str:
        return f"cnn-widgets {self.version}: the doctor's page of {self.made}"


def _wrapped(mark: str, text: str) -> list[str]:
    """Return a text in lines of at most `_WIDTH` characters, with a mark before the first."""
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"{mark:9}",
        subsequent_indent=" " * 9,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _counted(some: Sequence[object], word: str) -> str:
    return f"{len(some)} {word}{'' if len(some) == 1 else 's'}"
