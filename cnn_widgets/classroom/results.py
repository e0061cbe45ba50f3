"""What became of hand-ins that were computed again, as records, as a table and as lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cnn_widgets.environment import frame

RIGHT, WRONG, UNKNOWN = "right", "wrong", "cannot be checked"
#: Of a hand-in with notes only: nobody's fault, and nothing that could be right.
UNCLAIMED = "nothing claimed"
_COLUMNS = ("name", "file", "pin", "verdict", "answers", "reasons", "note")


@dataclass(frozen=True)
class CheckedPin:
    """What became of one pinned view.

    Attributes
    ----------
    number : int
        From 1.
    verdict : {"right", "wrong", "cannot be checked"}
        Right if all that is claimed of it is so, and all that the file says was measured.
    reasons : tuple of str
        What is wrong, or why it cannot be checked.
    note : str
        What the student wrote, as it is.
    answers : int
        How many claims it holds.
    """

    number: int
    verdict: str
    reasons: tuple[str, ...]
    note: str
    answers: int


@dataclass(frozen=True)
class CheckedWork:
    """What became of one hand-in.

    Attributes
    ----------
    name, file : str
        Whose it is, and the file's name, with its folder or its zip where files lie in several.
    verdict : {"right", "wrong", "cannot be checked", "nothing claimed"}
        Right only if every pin is right, and something is claimed.
    reasons : tuple of str
        About the whole file. Also what need be no fault: another one has the same name or content.
    pins : tuple of CheckedPin
    """

    name: str
    file: str
    verdict: str
    reasons: tuple[str, ...]
    pins: tuple[CheckedPin, ...]

    def records(self) -> list[dict[str, Any]]:
        """Return one row per pin, and one for the file where something is said of all of it.

        A note is shortened to a line; `pins` has it as it is.
        """
        file = one_line(self.file, 200)
        rows = [
            (self.name, file, each.number, each.verdict, each.answers,
             "; ".join(each.reasons), one_line(each.note))
            for each in self.pins
        ]  # fmt: skip
        if self.reasons or not rows:
            whole = "; ".join(self.reasons)
            rows.insert(0, (self.name, file, 0, self.verdict, 0, whole, ""))
        return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]

    def to_pandas(self) -> Any:
        """Return `records` as a pandas table."""
        return frame(self.records(), _COLUMNS)


def listed(works: Iterable[CheckedWork]) -> list[str]:
    """Return what became of hand-ins as lines: one for each, and one for each thing to say of it.

    >>> listed([CheckedWork("Ada", "ada.handin.json", "right", (), ())])
    ['Ada: 0 of 0 right (right), ada.handin.json']
    """
    lines = []
    for work in works:
        right = sum(each.verdict == RIGHT for each in work.pins)
        told = f"{right} of {len(work.pins)} right ({work.verdict})"
        lines.append(f"{work.name}: {told}, {one_line(work.file, 200)}")
        lines += [f"  {reason}" for reason in work.reasons]
        lines += [
            f"  view {each.number}, {each.verdict}: {reason}"
            for each in work.pins
            for reason in each.reasons
        ]
    return lines


def one_line(text: object, most: int = 80) -> str:
    r"""Return what somebody else wrote as one line that does nothing to a terminal.

    >>> one_line("Eve\n\x1b[31mright"), one_line("long" * 40, 9)
    ('Eve ?[31mright', 'longlong…')
    """
    words = " ".join(str(text)[: 10 * most].split())
    words = "".join(each if each.isprintable() else "?" for each in words)
    return words if len(words) <= most else f"{words[: most - 1]}…"


def few(names: Sequence[str], most: int = 5) -> str:
    """Return some names as a line, and how many more there are.

    >>> few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return one_line(", ".join(names[:most]), 400) + more
