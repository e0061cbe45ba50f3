"""One answer per photograph, kept in a file line by line, so that a run can go on where it was."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.datasets import Label
from cnn_widgets.environment import atomic_files
from cnn_widgets.records import Floats

#: Rows and columns of the evidence that is kept of each photograph.
GRID = 14
#: Entry of the manifest that is told and not compared: a text file more is no other run.
NOTES = "image_notes"
_BYTES = ("evidence", "probabilities")
ANSWERS, MANIFEST = "answers.jsonl", "manifest.json"


@dataclass(frozen=True)
class Answer:
    """What the network says of one photograph; of one that cannot be read, why.

    Attributes
    ----------
    name : str
    label : int, str or None
        As its owner told it.
    predicted, second : int
        The most likely class and the next; -1 if there is none.
    probability, second_probability : float
    label_probability : float
        Of all classes that the label stands for together; NaN without a label.
    confidence : float
        Of all classes of the label to which the answer belongs, together; the answer's own
        probability if it belongs to none.
    evidence : bytes
        The evidence for the answer over the photograph, `GRID` × `GRID` bytes, 255 the most; empty
        if no map was asked for.
    error : str
        Why the photograph cannot be read, or "".
    probabilities : bytes
        Of every class, as `packed` keeps them; empty in audits written before these were kept.
    """

    name: str
    label: Label = None
    predicted: int = -1
    probability: float = math.nan
    second: int = -1
    second_probability: float = math.nan
    label_probability: float = math.nan
    confidence: float = math.nan
    evidence: bytes = b""
    error: str = ""
    probabilities: bytes = b""

    def as_line(self) -> str:
        """Return the answer as a line of JSON."""
        found: dict[str, Any] = asdict(self)
        for name, value in found.items():
            if isinstance(value, float) and not math.isfinite(value):
                found[name] = None
        for name in _BYTES:
            found[name] = base64.b64encode(found[name]).decode("ascii")
        return json.dumps(found)  # ASCII: one line, whatever characters a name holds

    @classmethod
    def from_line(cls, line: str) -> Answer:
        """Return the answer of a line of JSON; a ValueError or TypeError if it is none."""
        found = json.loads(line)
        for name in ("probability", "second_probability", "label_probability", "confidence"):
            found[name] = math.nan if found[name] is None else float(found[name])
        for name in _BYTES:
            found[name] = base64.b64decode(found.get(name, ""))
        return cls(**found)


def gridded(heatmap: Floats) -> bytes:
    """Return what speaks for the class in a heat-map (H, W) as `GRID` × `GRID` bytes."""
    small = cv2.resize(np.asarray(heatmap, np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
    return bytes(np.round(small.clip(0, 1) * 255).astype(np.uint8))


def grids(answers: Sequence[Answer]) -> NDArray[np.uint8]:
    """Return the evidence of answers, (n, GRID, GRID); of those that have some."""
    found = [np.frombuffer(each.evidence, np.uint8) for each in answers if each.evidence]
    return np.array(found, np.uint8).reshape(-1, GRID, GRID)


class AnswerFile:
    """The answers of a run in a folder: read what is there, and add to it.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    about : dict
        What the answers depend on. A run with other values is another run.

    Raises
    ------
    ValueError
        If the folder holds the answers of another run; the message says in what it differs.
    """

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, manifest = folder / ANSWERS, folder / MANIFEST
        if manifest.exists():
            kept = json.loads(manifest.read_text("utf-8"))
            other = [name for name in about if name != NOTES and kept.get(name) != about[name]]
            if other:
                raise ValueError(
                    f"{str(folder)!r} holds an audit of another {' and another '.join(other)}. "
                    "Choose an empty folder, or delete that one."
                )
        else:
            with atomic_files(folder, MANIFEST) as made:
                (made / MANIFEST).write_text(json.dumps(about, indent=2) + "\n", "utf-8")
        self.found = self._read()
        self._file = self._path.open("a", encoding="utf-8")

    def _read(self) -> list[Answer]:
        """Return the answers that are there; a last line that was cut off is removed."""
        if not self._path.exists():
            return []
        data = self._path.read_bytes()
        end = data.rfind(b"\n") + 1
        if end < len(data):
            with self._path.open("r+b") as file:
                file.truncate(end)
        return [Answer.from_line(line) for line in data[:end].decode("utf-8").split("\n")[:-1]]

    def add(self, answer: Answer) -> None:
        """Write an answer; it is on the disk after `flush`."""
        self._file.write(answer.as_line() + "\n")

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Write out the rest, and close the file."""
        self._file.close()
