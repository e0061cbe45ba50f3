"""One answer per photograph; in a folder, those that were kept line by line or shard by shard."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets import storage
from cnn_widgets.datasets import Label
from cnn_widgets.engine.weights import NOT_FINITE
from cnn_widgets.executing import from_parquet
from cnn_widgets.records import Floats

#: Rows and columns of the evidence that is kept of each photograph.
GRID = 14
#: Entry of the manifest that is told and not compared: a text file more is no other run.
NOTES = "image_notes"
_BYTES = ("evidence", "probabilities")
_KINDS = {"name": str, "label": int | str | None, "predicted": int, "second": int, "error": str}
ANSWERS, MANIFEST, SHARDS = "answers.jsonl", "manifest.json", "shards"
#: Files beside the shards: the table of all answers; a folder for what workers share in a run.
TABLE, WORK = "answers.parquet", "work"

UNLABELLED = "no photograph has a label"
#: Called with (photographs done, photographs in all); may return False to stop.
Progress = Callable[[int, int], Any]


@dataclass(frozen=True)
class Answer:
    """What the network says of one photograph; of one that it has no answer to, why.

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
        Why the photograph cannot be read, or that its scores are not finite; or "".
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
        """Return the answer of a line of JSON; a ValueError if it is none."""
        try:
            found = json.loads(line)
            for name in ("probability", "second_probability", "label_probability", "confidence"):
                found[name] = math.nan if found[name] is None else float(found[name])
            for name in _BYTES:
                found[name] = base64.b64decode(found.get(name, ""))
            made = cls(**found)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no answer, {type(error).__name__} {error}") from None
        for name, kind in _KINDS.items():
            if not isinstance(value := getattr(made, name), kind):
                raise ValueError(f"{name} is {value!r}")
        if len(made.evidence) not in (0, GRID * GRID):
            raise ValueError(f"the evidence has {len(made.evidence)} bytes")
        return made


def gridded(heatmap: Floats) -> bytes:
    """Return what speaks for the class in a heat-map (H, W) as `GRID` × `GRID` bytes."""
    small = cv2.resize(np.asarray(heatmap, np.float32), (GRID, GRID), interpolation=cv2.INTER_AREA)
    return bytes(np.round(small.clip(0, 1) * 255).astype(np.uint8))


def grids(answers: Sequence[Answer]) -> NDArray[np.uint8]:
    """Return the evidence of answers, (n, GRID, GRID); of those that have some."""
    found = [np.frombuffer(each.evidence, np.uint8) for each in answers if each.evidence]
    return np.array(found, np.uint8).reshape(-1, GRID, GRID)


def why_unjudged(answers: Sequence[Answer]) -> str:
    """Return why it is not known of any photograph whether the answer to it is right."""
    bad = [each for each in answers if each.predicted < 0]
    if bad and len(bad) == len(answers):
        return f"none can be read; the first: {bad[0].name}: {bad[0].error}"
    labelled = [each for each in answers if each.label is not None]
    if labelled and all(each.predicted < 0 for each in labelled):
        return "no photograph with a label can be read"
    return "no photograph has a label that is not left out" if labelled else UNLABELLED


def all_broken(answers: Sequence[Answer]) -> str:
    """Return in words that the network has no finite scores for any photograph; "" if it has."""
    broken = [each.error for each in answers if NOT_FINITE in each.error]
    if not broken or not all(each.error for each in answers):
        return ""
    return f"{broken[0]} So it is with every photograph that can be read."


def has_shards(folder: str) -> bool:
    """Return whether the answers in a folder are written shard by shard."""
    return storage.is_store(folder) or bool(storage.names_in(storage.joined(folder, SHARDS)))


def kept_answers(folder: str, size: int, count: int) -> list[Answer]:
    """Return the answers in a folder, in order; of a run that was stopped, the first ones.

    Parameters
    ----------
    folder : str
    size, count : int
        Photographs in a shard, and in all.

    Raises
    ------
    FileNotFoundError
        If there are none.
    ValueError
        If a file is damaged, or the answers are not one for each photograph.
    """
    if has_shards(folder):
        known = whole_shards(folder, size, count)
        known.update((n, from_shard(place)) for n, place in shard_places(folder).items())
        first = takewhile(known.__contains__, range(-(-count // size)))
        found = [each for number in first for each in known[number]]
    else:
        found = from_lines(storage.joined(folder, ANSWERS))
    names = {each.name for each in found}
    if len(found) > count or len(names) < len(found):
        raise ValueError(f"{len(found)} answers, to {len(names)} of {count} photographs")
    return found


def shard_places(folder: str) -> dict[int, str]:
    """Return the places of the Parquet files in a folder, by their numbers."""
    inside = storage.joined(folder, SHARDS)
    parts = [name.partition(".") for name in storage.names_in(inside)]
    return {
        int(number): storage.joined(inside, f"{number}.parquet")
        for number, _, kind in parts
        if number.isdecimal() and kind == "parquet"
    }


def from_shard(place: str) -> list[Answer]:
    """Return the answers of a Parquet file; a ValueError that names it if it is damaged."""
    data = storage.read(place)
    try:
        return list(from_parquet(Answer, data))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{place!r} is damaged: it is no Parquet table of answers.") from error


def whole_shards(folder: str, size: int, count: int) -> dict[int, list[Answer]]:
    """Return the shards of which all answers were written line by line, by their numbers."""
    lines = storage.joined(folder, ANSWERS)
    known = from_lines(lines) if storage.exists(lines) else []
    return {
        start // size: known[start : start + size]
        for start in range(0, len(known), size)
        if min(start + size, count) <= len(known)
    }


def from_lines(place: str) -> list[Answer]:
    """Return the answers of a file's whole lines; a last one that was cut off is left out.

    A ValueError names the file, and the line that is no answer.
    """
    data, found = storage.read(place), []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].split(b"\n")[:-1], 1):
        try:
            found.append(Answer.from_line(line.decode("utf-8")))
        except ValueError as error:
            raise ValueError(f"{place!r} is damaged in line {number}: {error}") from None
    return found
