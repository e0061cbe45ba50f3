"""One long computation at a time, in a thread of its own: progress, cancelling, latest wins.

Widget callbacks must return at once, or the page could not even hear "cancel".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

#: Seconds between two reports of progress.
REPORT_EVERY = 0.15

Work = Callable[[Callable[[int, int], bool]], Any]


class Jobs:
    """Runs one job; starting another, or `cancel`, stops the one that runs.

    Parameters
    ----------
    on_progress : callable
        Called from the job's thread with (steps done, steps in all, seconds left); never after
        the job was cancelled.
    on_end : callable
        Called from the job's thread with (key, result, error) when the newest job ends; result
        and error are None where it was cancelled. A job that was replaced ends in silence.
    """

    def __init__(
        self,
        on_progress: Callable[[int, int, float], None],
        on_end: Callable[[Any, Any, Exception | None], None],
    ) -> None:
        self._on_progress, self._on_end = on_progress, on_end
        self._lock = threading.RLock()
        self._key: Any = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def running(self) -> Any:
        """The key of the job that runs, or None."""
        return self._key

    def start(self, key: Any, work: Work) -> None:
        """Run `work(progress)` under a key; `progress(done, total)` tells whether to go on."""
        with self._lock:
            self.cancel(silent=True)
            stop = threading.Event()
            self._key, self._stop = key, stop
            self._thread = threading.Thread(
                target=self._run, args=(key, work, stop), name="cnn-widgets-job", daemon=True
            )
            self._thread.start()

    def cancel(self, silent: bool = False) -> None:
        """Ask the running job to stop; it does after its present batch."""
        with self._lock:
            self._stop.set()
            if silent:
                self._key = None

    def meanwhile(self, action: Callable[[Any], None]) -> None:
        """Call an action with the key of the job that runs, if one does; none ends meanwhile."""
        with self._lock:
            if self._key is not None:
                action(self._key)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the newest job has ended."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, key: Any, work: Work, stop: threading.Event) -> None:
        began, told = time.monotonic(), 0.0

        def progress(done: int, total: int) -> bool:
            nonlocal told
            now = time.monotonic()
            if done and now - told > REPORT_EVERY:
                told = now
                with self._lock:  # whoever has cancelled hears no more of it
                    if not stop.is_set():
                        self._on_progress(done, total, (now - began) / done * (total - done))
            return not stop.is_set()

        result, error = None, None
        try:
            result = work(progress)
        except CancelledError:
            pass  # the user's wish: ends without result and without error
        except Exception as failure:
            error = failure
        with self._lock:
            if self._stop is not stop or self._key != key:
                return  # replaced by a newer job
            self._key, cancelled = None, stop.is_set()
        self._on_end(key, None if cancelled else result, error)
