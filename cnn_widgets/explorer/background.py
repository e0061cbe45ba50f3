"""Long computations of the explorer, each in a thread of its own.

Widget callbacks must return at once, otherwise the page could not even hear "cancel". `JobRunner`
runs one job at a time with progress and cancelling; starting another one replaces it.
`BackgroundTasks` binds it to the explorer's two buttons: a slow method's map (Compute), and the
evaluation of a map (Judge).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.evaluation.instruments import INSTRUMENTS
from cnn_widgets.explorer.controls import Controls
from cnn_widgets.explorer.scene import Scene


class BackgroundTasks:
    """Starts, shows and ends the long computations of one explorer.

    Parameters
    ----------
    controls : Controls
    say : callable
        Shows a line of text.
    ended : callable
        Called from the job's thread with (kind, question, result, error); result and error are
        None where it was cancelled.
    """

    def __init__(
        self,
        controls: Controls,
        say: Callable[[str], None],
        ended: Callable[[str, Any, Any, Exception | None], None],
    ) -> None:
        self._controls, self._say, self._ended = controls, say, ended
        self.jobs = JobRunner(self._on_progress, self._on_end)

    def press(self, kind: str, scene: Scene) -> None:
        """Start the task of a button, or cancel it if it runs."""
        running = self.jobs.running
        if running is not None and running[0] == kind:
            self.jobs.cancel()
            return
        self.cancel()  # first: what is replaced must not tell of itself any more
        self._controls.show_progress(0.0, kind)
        work: Work = scene.compute if kind == "compute" else scene.judge
        self.jobs.start((kind, question(kind, scene)), work)

    def keep_only(self, scene: Scene) -> None:
        """Cancel what runs if it is no answer to what is on screen now."""
        running = self.jobs.running
        if running is not None and running[1] != question(running[0], scene):
            self.cancel()

    def cancel(self) -> None:
        """Cancel in silence."""
        self.jobs.cancel(silent=True)
        self._controls.show_progress(None)

    def title(self, kind: str, asked: Any) -> str:
        """Return what a task is called, for a message."""
        return METHODS[asked[3]].title if kind == "compute" else INSTRUMENTS[asked[0]].title

    def _on_progress(self, done: int, total: int, left: float) -> None:
        running = self.jobs.running
        if running is not None:
            self._controls.show_progress(done / total, running[0])
            self._say(f"{done} of {total} steps, about {left:.0f} seconds left")

    def _on_end(self, key: Any, result: Any, error: Exception | None) -> None:
        self._ended(key[0], key[1], result, error)
        # Another may have been started before the end of this one was shown
        self.jobs.meanwhile(lambda other: self._controls.show_progress(0.0, other[0]))


def question(kind: str, scene: Scene) -> Any:
    """Return what a task would answer now."""
    return scene.question if kind == "compute" else scene.trust_question


#: Seconds between two reports of progress.
REPORT_EVERY = 0.15
Work = Callable[[Callable[[int, int], bool]], Any]


class JobRunner:
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
