"""What a worker does with one shard of photographs; it all comes and goes as bytes."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cnn_widgets import storage
from cnn_widgets.datasets import ImageSet
from cnn_widgets.executing.packing import COMPUTING, PackedNetwork, dumps, unpack
from cnn_widgets.executing.trial import deadly
from cnn_widgets.networks.network import Network

#: Called with a network and the photographs of a shard; returns what can be pickled.
Work = Callable[[Network, ImageSet], Any]


@dataclass(frozen=True)
class Task:
    """One shard, as it is sent to a worker.

    Attributes
    ----------
    number : int
        The shard's number, from 0.
    network : PackedNetwork
    images : ImageSet
        The photographs of the shard, which can be pickled.
    work : callable
    folder : str
        Where a worker notes that it has begun; every worker reaches it.
    at_least : int or None
        At which size photographs are read, see `load_image`.
    """

    number: int
    network: PackedNetwork
    images: ImageSet
    work: Work
    folder: str
    at_least: int | None

    @property
    def begun(self) -> str:
        """The name of the file that is there while a worker has the shard."""
        return f"begun-{self.number:08}"


@dataclass(frozen=True)
class Returned:
    """What a worker sends back: a value, or the error that the work has raised."""

    value: Any = None
    error: Exception | None = None


def do_task(data: bytes) -> bytes:
    """Do a pickled `Task` and return a pickled `Returned`, which holds the result or the error.

    A worker notes in the folder that it has begun, and takes the note back when it ends. A note
    that is there already was left by one that died over this shard, whoever hands it out again:
    so the photographs are then tried in a process of their own first. The note holds how often.
    """
    try:
        found = Returned(_done(pickle.loads(data)))
    except Exception as error:
        found = Returned(error=_sendable(error))
    return dumps(found, "what the work has returned")


def _done(task: Task) -> Any:
    images, note = task.images, storage.joined(task.folder, task.begun)
    died = _deaths(note)
    if died:
        images = _without_deadly(task, died)
    storage.write(task.folder, {task.begun: str(died + 1).encode()})
    try:
        with COMPUTING:
            return task.work(unpack(task.network), images)
    finally:
        storage.remove(note)


def _deaths(note: str) -> int:
    """Return how many workers have died over a shard, by the note that the last one left."""
    try:
        return max(int(storage.read(note) or b"1"), 1)
    except FileNotFoundError:
        return 0


def _without_deadly(task: Task, died: int) -> ImageSet:
    """Return the photographs of a shard; those that make a process die are marked as unreadable.

    They are only read at first: nearly always it is a decoder that crashes. If none is found so,
    or if a worker died again, the network is asked about each as well.
    """
    images, count = task.images, len(task.images)
    found = deadly(dumps(task, "the task"), count, network=False)
    images = images.part(0, count, found)
    if died > 1 or not found:
        more = deadly(dumps(replace(task, images=images), "the task"), count, network=True)
        images = images.part(0, count, more)
    return images


def _sendable(error: Exception) -> Exception:
    """Return an error that another process can read: itself, or one with the same words."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # an error with a constructor of its own may fail in any way
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
