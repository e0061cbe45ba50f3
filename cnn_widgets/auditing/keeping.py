"""The folder in which a run keeps its answers: one run at a time, and its own answers only."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from cnn_widgets import storage
from cnn_widgets.auditing.answers import (
    ANSWERS,
    MANIFEST,
    NOTES,
    SHARDS,
    WORK,
    Answer,
    Progress,
    from_lines,
    from_shard,
    shard_places,
    whole_shards,
)
from cnn_widgets.datasets import ImageSet
from cnn_widgets.environment import cannot_write
from cnn_widgets.executing import Job, from_parquet, shard_results
from cnn_widgets.telling import stopped

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

#: The file that a run holds locked; it stays, empty.
LOCK = ".lock"
#: What is said of another run, by the entry of the manifest in which it differs.
_OTHERS = {
    "weights": "other weights",
    "images": "other photographs",
    "photographs": "other photographs",
    "shard": "another shard size",
    "notes": "other notes on the network",
    "class_names": "other class names",
    "label_table": "other meanings of the labels",
}
#: Entries of the manifest that audits written before do not have; those are not compared then.
_ADDED = ("head",)
_AGAIN = "Choose an empty folder, or delete that one."


@contextlib.contextmanager
def alone_in(folder: str | None) -> Iterator[None]:
    """Keep other runs out of a folder, which is made, as long as the block runs.

    The system gives the lock back when a process ends, however it ends. There is none in a store,
    where every file is written whole.

    Raises
    ------
    ValueError
        If another run writes into the folder.
    """
    if folder is None or storage.is_store(folder):
        yield
        return
    place = storage.local(folder)
    place.mkdir(parents=True, exist_ok=True)
    with (place / LOCK).open("ab") as file:
        if not _locked(file):
            raise ValueError(
                f"Another run writes into {folder!r} now. Wait until it has ended, or choose "
                "another folder."
            )
        yield


def _locked(file: IO[bytes]) -> bool:
    """Lock a file until it is closed; False if another has locked it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # some file systems of a network know no locks: then it goes on without
        return True
    return True


def read_manifest(folder: str) -> dict[str, Any]:
    """Return what the answers in a folder depend on.

    Raises
    ------
    FileNotFoundError
        If there is no manifest.
    ValueError
        If it is damaged; the message names it.
    """
    place = storage.joined(folder, MANIFEST)
    data = storage.read(place)
    try:
        kept = json.loads(data.decode("utf-8"))
    except ValueError as error:
        raise ValueError(f"{place!r} is damaged: {error}") from None
    if not isinstance(kept, dict):
        raise ValueError(f"{place!r} is damaged: it holds no mapping.")
    return kept


def keep_manifest(folder: str, about: dict[str, Any]) -> None:
    """Write down what the answers in a folder, which is made, depend on.

    Raises
    ------
    ValueError
        If the folder holds the answers of another run, or answers of which nothing is known; the
        message says in what it differs.
    """
    known = storage.exists(storage.joined(folder, MANIFEST))
    if not known and _has_answers(folder):
        raise ValueError(
            f"{folder!r} holds answers, but no {MANIFEST}, which says what they depend on. {_AGAIN}"
        )
    # In a store another run may be at its first shard: there the manifest alone says whose it is
    if not known or (not storage.is_store(folder) and not _has_answers(folder)):
        text = json.dumps(about, indent=2) + "\n"
        storage.write(folder, {MANIFEST: text.encode()})
        return
    kept = read_manifest(folder)
    unknown = [NOTES, *(name for name in _ADDED if name not in kept)]
    other = [name for name in about if name not in unknown and kept.get(name) != about[name]]
    if other:
        told = list(dict.fromkeys(_OTHERS.get(name, f"another {name}") for name in other))
        listed = " and ".join(filter(None, [", ".join(told[:-1]), told[-1]]))
        raise ValueError(f"{folder!r} holds an audit of {listed}. {_AGAIN}")


def _has_answers(folder: str) -> bool:
    """Return whether there is any answer in a folder, whole or not."""
    lines = storage.joined(folder, ANSWERS)
    return bool(shard_places(folder)) or (storage.exists(lines) and bool(storage.read(lines)))


def _fits(answers: Sequence[Answer], images: ImageSet, start: int) -> bool:
    """Return whether answers are those to a set's photographs from a number on."""
    some = slice(start, start + len(answers))
    wanted = zip(images.names[some], images.labels[some], strict=True)
    return [(each.name, each.label) for each in answers] == list(wanted)


def _check_fit(folder: str, answers: Sequence[Answer], images: ImageSet) -> None:
    """Raise a ValueError if answers are not those to the first photographs of a set."""
    if not _fits(answers, images, 0):
        raise ValueError(
            f"{storage.joined(folder, ANSWERS)!r} holds {len(answers)} answers, and not to these "
            f"photographs in this order, of which there are {len(images)}. {_AGAIN}"
        )


class ShardFiles:
    """The answers of a run in a folder, in a Parquet file for each shard, in any order.

    Parameters
    ----------
    folder : str
        A path, or the address of a store.
    size : int
        Photographs in a shard.
    images : ImageSet
        All photographs.

    Attributes
    ----------
    found : dict of int to list of Answer
        The shards that are there, by their numbers; also of answers written line by line. A shard
        whose file is damaged, or is not one of these photographs, is to be done again.
    """

    def __init__(self, folder: str, size: int, images: ImageSet) -> None:
        self._folder = storage.joined(folder, SHARDS)
        self.found = whole_shards(folder, size, len(images))
        _check_fit(
            folder, [each for _, some in sorted(self.found.items()) for each in some], images
        )
        for number, place in shard_places(folder).items():
            count = min(size, len(images) - number * size)
            with contextlib.suppress(ValueError):  # a damaged one is done again
                some = from_shard(place)
                if len(some) == count and _fits(some, images, number * size):
                    self.found[number] = some

    def add(self, number: int, data: bytes) -> None:
        """Write the answers of a shard, given as a Parquet file."""
        storage.write(self._folder, {f"{number:08}.parquet": data})
        self.found[number] = list(from_parquet(Answer, data))


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
        files, work = ShardFiles(place, job.size, job.images), storage.joined(place, WORK)
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
            if stopped(progress, done, total):
                raise CancelledError(f"The audit was stopped after {done} of {total}.")
    if work is not None:
        storage.remove(work)
    return [each for number in range(job.count) for each in found[number]]


class AnswerFile:
    """The answers of a run in a folder: read what is there, and add to it.

    Parameters
    ----------
    folder : Path
        Made if it is missing.
    about : dict
        What the answers depend on. A run with other values is another run.
    images : ImageSet
        The photographs, of which the first have answers.

    Raises
    ------
    ValueError
        If the folder holds the answers of another run, or a damaged file; the message says which.
    """

    def __init__(self, folder: Path, about: dict[str, Any], images: ImageSet) -> None:
        keep_manifest(str(folder), about)
        self._path = folder / ANSWERS
        self.found = self._read()
        _check_fit(str(folder), self.found, images)
        self._file = self._path.open("a", encoding="utf-8")

    def _read(self) -> list[Answer]:
        """Return the answers that are there; a last line that was cut off is removed."""
        if not self._path.exists():
            return []
        data = self._path.read_bytes()
        os.truncate(self._path, data.rfind(b"\n") + 1)
        return from_lines(str(self._path))

    def add(self, answer: Answer) -> None:
        """Write an answer; it is on the disk after `flush`. An OSError names the file."""
        self._named(lambda: self._file.write(answer.as_line() + "\n"))

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        self._named(self._file.flush)

    def close(self) -> None:
        """Write out the rest, and close the file."""
        self._named(self._file.close)

    def _named(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            raise cannot_write(error, self._path) from error
