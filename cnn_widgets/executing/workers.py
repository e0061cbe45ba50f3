"""Executors as in `concurrent.futures`: which are accepted, and what happens when one breaks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any

#: Tasks that wait for a worker, for each worker: so that none has to wait for the next one.
AHEAD = 2
#: Workers that are assumed where an executor does not say how many it has.
UNKNOWN = 32


def checked_executor(given: Any) -> None:
    """Raise an error if something is no executor for photographs, nor a function that makes one.

    Raises
    ------
    TypeError
        If it is something else, a Dask client for instance.
    ValueError
        If it is a pool of forked processes, in which TensorFlow hangs.
    """
    made_later = callable(given) and not hasattr(given, "submit")
    if not made_later and not (hasattr(given, "submit") and hasattr(given, "shutdown")):
        raise TypeError(
            "Expected executor to be one of concurrent.futures or of its contract "
            "(ProcessPoolExecutor, Dask's client.get_executor()), or a function that makes one. "
            f"Received: {type(given).__name__}"
        )
    if hasattr(given, "get_executor"):
        raise TypeError(
            "Expected an executor. Received a client of Dask, which gives one: "
            "executor=client.get_executor()"
        )
    context = getattr(given, "_mp_context", None)
    if context is not None and context.get_start_method() == "fork":
        raise ValueError(
            "TensorFlow hangs in forked processes. Start new ones: ProcessPoolExecutor(2, "
            "mp_context=multiprocessing.get_context('spawn'))"
        )


class Workers:
    """An executor, or a function that makes one: then a new one is made when the old one breaks.

    A pool of processes is broken for good once one of them has died. Dask replaces a worker by
    itself.
    """

    def __init__(self, given: Executor | Callable[[], Executor]) -> None:
        checked_executor(given)
        made_later = callable(given) and not hasattr(given, "submit")
        make: Any = given
        self._make = make if made_later else None
        self._executor: Any = make() if made_later else given
        checked_executor(self._executor)
        self.generation = 0

    @property
    def ahead(self) -> int:
        """How many tasks are to be under way: enough for every worker."""
        count = getattr(self._executor, "_max_workers", None)
        client: Any = getattr(self._executor, "_client", None)
        if count is None and hasattr(client, "nthreads"):
            count = sum(client.nthreads().values())  # grows and shrinks with the cluster
        return AHEAD * max(int(UNKNOWN if count is None else count), 1)

    def submit(self, function: Callable[[bytes], bytes], data: bytes) -> Future[bytes]:
        """Hand in a task.

        Raises
        ------
        RuntimeError
            If the executor is closed, or is broken and nobody can make another.
        """
        try:
            future: Future[bytes] = self._executor.submit(function, data)
        except BrokenExecutor as error:
            self.renew(self.generation, error)
            return self.submit(function, data)
        except RuntimeError as error:
            raise RuntimeError(f"The executor takes no tasks, is it closed? {error}") from error
        if not isinstance(future, Future):
            raise TypeError(
                "Expected an executor whose submit returns a future of concurrent.futures. "
                f"Received: {type(future).__name__}"
            )
        return future

    def renew(self, generation: int, error: BaseException) -> None:
        """Make a new executor after one of a generation broke, unless that is done already."""
        if generation != self.generation:
            return
        if self._make is None:
            raise RuntimeError(
                f"A worker died, and with it the whole pool: {error} What was done is kept where "
                "out= was given: call again with a new executor, and it goes on. Or give a "
                "function that makes the pool, executor=lambda: ProcessPoolExecutor(…)."
            ) from error
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._make()
        self.generation += 1

    def close(self) -> None:
        """Shut down an executor that was made here; one that was given stays as it is."""
        if self._make is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
