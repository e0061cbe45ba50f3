"""Photographs cut into shards, handed to an executor, and what comes back."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Any

from cnn_widgets.datasets import ImageSet
from cnn_widgets.executing.packing import dumps, pack
from cnn_widgets.executing.tasks import Returned, Task, Work, do_task
from cnn_widgets.executing.workers import Workers
from cnn_widgets.networks.network import Network

#: How often a shard is handed out at most: after so many lost workers photographs are not to blame.
TRIES = 6
_SMALLEST, _LARGEST, _SHARDS, _STEP = 64, 256, 64, 8


def shard_size(count: int) -> int:
    """Return how many photographs a shard has: from 64 to 256, by the number of all.

    Few enough that a set of some thousand keeps dozens of workers busy, and enough that handing
    them out costs little. A multiple of 8, the size of a batch.
    """
    wanted = -(-count // (_SHARDS * _STEP)) * _STEP
    return min(max(wanted, _SMALLEST), _LARGEST)


@dataclass(frozen=True)
class Job:
    """What is to be done with the photographs of a set, shard by shard.

    Attributes
    ----------
    net : Network
    images : ImageSet
    work : callable
        Called with the network and the photographs of a shard; a function at the top of a module,
        or a `functools.partial` of one.
    size : int
        Photographs in a shard; the last one may have fewer.
    whole : bool
        Whether photographs are read at their full size; else as `stream` does.
    """

    net: Network
    images: ImageSet
    work: Work
    size: int
    whole: bool = False

    @property
    def at_least(self) -> int | None:
        """At which size photographs are read, see `load_image`."""
        return None if self.whole else 2 * max(self.net.input_size)

    @property
    def count(self) -> int:
        """The number of shards."""
        return -(-len(self.images) // self.size)

    def part(self, number: int) -> ImageSet:
        """Return the photographs of a shard."""
        start = number * self.size
        return self.images.part(start, min(start + self.size, len(self.images)))


def shard_results(
    job: Job,
    executor: Executor | Callable[[], Executor] | None,
    numbers: Iterable[int],
    folder: str | None = None,
    ordered: bool = False,
) -> Generator[tuple[int, Any], None, None]:
    """Yield (number, result) of shards as they are done, in order if `ordered`.

    So many shards are under way as keep every worker busy. When the iterator is closed, those that
    have not begun are cancelled, and those that have are waited for.

    Parameters
    ----------
    job : Job
    executor : Executor, callable or None
        See `checked_executor`; without one the work is done here, shard after shard.
    numbers : iterable of int
        The shards to do.
    folder : str, optional
        A place that every worker reaches, for the network's file and for notes of what is begun;
        by default a temporary folder of this machine.
    ordered : bool
        Whether results come in the order of `numbers`; those that are early wait.

    Raises
    ------
    TypeError, ValueError
        If the network or the photographs cannot be sent; see `pack`.
    RuntimeError
        If the executor is closed or broken, or a shard's workers die `TRIES` times.
    Exception
        What the work itself raised.
    """
    if executor is None:
        for number in numbers:
            yield number, job.work(job.net, job.part(number))
        return
    with ExitStack() as opened:
        workers = Workers(executor)
        opened.callback(workers.close)
        shared = folder or opened.enter_context(tempfile.TemporaryDirectory(prefix="cnn-widgets-"))
        network = pack(job.net, shared)

        def task(number: int) -> bytes:
            found = Task(number, network, job.part(number), job.work, shared, job.at_least)
            return dumps(found, "these photographs")

        run = _Run(workers, task, ordered)
        opened.callback(run.close)
        yield from run.results(iter(numbers))


@dataclass(frozen=True)
class _Sent:
    number: int
    data: bytes
    tries: int
    generation: int


class _Run:
    """The shards that are under way."""

    def __init__(self, workers: Workers, task: Callable[[int], bytes], ordered: bool) -> None:
        self._workers, self._task, self._ordered = workers, task, ordered
        self._waiting: dict[Future[bytes], _Sent] = {}

    def results(self, numbers: Iterator[int]) -> Iterator[tuple[int, Any]]:
        order: list[int] = []
        early: dict[int, Any] = {}
        while True:
            room = self._workers.ahead - len(self._waiting) - len(early)
            for number in islice(numbers, max(room, 0)):
                order.append(number)
                self._send(number, self._task(number), 1)
            if not self._waiting and not early:
                return
            early.update(self._done())
            ready = _leading(order, early) if self._ordered else list(early)
            for number in ready:
                order.remove(number)
                yield number, early.pop(number)

    def _send(self, number: int, data: bytes, tries: int) -> None:
        future = self._workers.submit(do_task, data)
        self._waiting[future] = _Sent(number, data, tries, self._workers.generation)

    def _done(self) -> dict[int, Any]:
        """Return what is done by now, at least one if any is; a shard that was lost is resent."""
        found = {}
        done, _ = wait(self._waiting, return_when=FIRST_COMPLETED)
        for future in done:
            sent = self._waiting.pop(future)
            try:
                returned: Returned = pickle.loads(future.result())
            except Exception as error:  # each engine has its own for a worker that died
                self._again(sent, error)
                continue
            if returned.error is not None:
                raise returned.error
            found[sent.number] = returned.value
        return found

    def _again(self, sent: _Sent, error: Exception) -> None:
        if sent.tries == TRIES:
            raise RuntimeError(
                f"Shard {sent.number} was handed out {TRIES} times, and no answer came back; at "
                f"last: {type(error).__name__}: {error}"
            ) from error
        if isinstance(error, BrokenExecutor):
            self._workers.renew(sent.generation, error)
        self._send(sent.number, sent.data, sent.tries + 1)

    def close(self) -> None:
        """Cancel what has not begun, and wait for what has."""
        for future in self._waiting:
            future.cancel()
        wait(self._waiting)
        self._waiting.clear()


def _leading(order: list[int], early: dict[int, Any]) -> list[int]:
    """Return the numbers at the head of `order` that are there."""
    found = []
    for number in order:
        if number not in early:
            break
        found.append(number)
    return found
