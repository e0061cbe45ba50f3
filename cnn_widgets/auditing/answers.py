"""One answer per photograph, kept in a file line by line, so that a run can go on where it was."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Executor
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets import storage
from cnn_widgets.datasets import Label
from cnn_widgets.executing import Job, from_parquet, shard_results
from cnn_widgets.records import Floats

#: Rows and columns of the evidence that is kept of each photograph.
GRID = 14
#: Entry of the manifest that is told and not compared: a text file more is no other run.
NOTES = "image_notes"
_BYTES = ("evidence", "probabilities")
ANSWERS, MANIFEST, SHARDS = "answers.jsonl", "manifest.json", "shards"
#: Files beside the shards: the table of all answers; a folder for what workers share in a run.
TABLE, WORK = "answers.parquet", "work"

#: Called with (photographs done, photographs in all); may return False to stop.
Progress = Callable[[int, int], Any]


@dataclass(frozen=True)
class Answer:
    """What the network says of one photograph; of one that cannot be read, why.

    Attributes
    ----------
    name : str
    label : int, str or None
        As it was given with the photograph.
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


def keep_manifest(folder: str, about: dict[str, Any]) -> None:
    """Write down what the answers in a folder, which is made, depend on.

    Raises
    ------
    ValueError
        If the folder holds the answers of another run; the message says in what it differs.
    """
    manifest = storage.joined(folder, MANIFEST)
    if not storage.exists(manifest):
        text = json.dumps(about, indent=2) + "\n"
        storage.write(folder, {MANIFEST: text.encode()})
        return
    kept = json.loads(storage.read(manifest))
    other = [name for name in about if name != NOTES and kept.get(name) != about[name]]
    if other:
        raise ValueError(
            f"{folder!r} holds an audit of another {' and another '.join(other)}. "
            "Choose an empty folder, or delete that one."
        )


class ShardFiles:
    """The answers of a run in a folder, in a Parquet file for each shard, in any order.

    Parameters
    ----------
    folder : str
        A path, or the address of a store.
    size, count : int
        Photographs in a shard, and in all.

    Attributes
    ----------
    found : dict of int to list of Answer
        The shards that are there, by their numbers; also of answers written line by line.
    """

    def __init__(self, folder: str, size: int, count: int) -> None:
        self._folder, lines = storage.joined(folder, SHARDS), storage.joined(folder, ANSWERS)
        known = _from_lines(storage.read(lines)) if storage.exists(lines) else []
        self.found = {
            start // size: known[start : start + size]
            for start in range(0, len(known), size)
            if min(start + size, count) <= len(known)
        }
        for name in storage.names_in(self._folder):
            number, _, kind = name.partition(".")
            if number.isdigit() and kind == "parquet":
                data = storage.read(storage.joined(self._folder, name))
                self.found[int(number)] = list(from_parquet(Answer, data))

    def add(self, number: int, data: bytes) -> None:
        """Write the answers of a shard, given as a Parquet file."""
        storage.write(self._folder, {f"{number:08}.parquet": data})
        self.found[number] = list(from_parquet(Answer, data))

    def answers(self) -> list[Answer]:
        """Return the answers in order, up to the first shard that is missing."""
        found: list[Answer] = []
        for number in range(len(self.found)):
            if number not in self.found:
                break
            found += self.found[number]
        return found


def answered_in_shards(
    job: Job,
    executor: Executor | Callable[[], Executor] | None,
    place: str | None,
    kept: dict[str, Any],
    progress: Progress | None,
) -> list[Answer]:
    """Return the answers to all photographs, those of each shard from any worker.

    The job's work returns the answers of a shard as a Parquet file. In `place`, if there is one,
    they are kept as they come, with what the run depends on (`kept`).
    """
    total, files, work = len(job.images), None, None
    if place is not None:
        keep_manifest(place, kept)
        files, work = ShardFiles(place, job.size, total), storage.joined(place, WORK)
    found = {} if files is None else files.found
    done = sum(len(each) for each in found.values())
    missing = [number for number in range(job.count) if number not in found]
    with closing(shard_results(job, executor, missing, work)) as results:
        for number, data in results:
            if files is not None:
                files.add(number, data)
            else:
                found[number] = list(from_parquet(Answer, data))
            done += len(found[number])
            if progress is not None and progress(done, total) is False:
                raise CancelledError(f"The audit was stopped after {done} of {total}.")
    if work is not None:
        storage.remove(work)
    return [each for number in range(job.count) for each in found[number]]


def has_shards(folder: str) -> bool:
    """Return whether the answers in a folder are written shard by shard."""
    return storage.is_store(folder) or bool(storage.names_in(storage.joined(folder, SHARDS)))


def kept_answers(folder: str, size: int, count: int) -> list[Answer]:
    """Return the answers in a folder, in order; of a run that was stopped, the first ones."""
    if has_shards(folder):
        return ShardFiles(folder, size, count).answers()
    return _from_lines(storage.read(storage.joined(folder, ANSWERS)))


def _from_lines(data: bytes) -> list[Answer]:
    """Return the answers of whole lines; a last one that was cut off is left out."""
    lines = data[: data.rfind(b"\n") + 1].decode("utf-8").split("\n")
    return [Answer.from_line(line) for line in lines[:-1]]


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
        keep_manifest(str(folder), about)
        self._path = folder / ANSWERS
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
        return _from_lines(data)

    def add(self, answer: Answer) -> None:
        """Write an answer; it is on the disk after `flush`."""
        self._file.write(answer.as_line() + "\n")

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Write out the rest, and close the file."""
        self._file.close()
