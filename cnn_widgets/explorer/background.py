"""Long computations of the explorer, each in its own thread.

Widget callbacks must return at once: the kernel cannot receive a click on Cancel while a callback
runs. `JobRunner` runs one job at a time, with progress and cancelling; the most recent job replaces
the running one. `BackgroundTasks` connects it to the buttons of the explorer: Compute makes the map
of a slow method, Judge evaluates a map, "Ask about all" makes the audit of all photographs, "Look
through all" the filter index, and the button of an experiment the experiment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from typing import Any

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.environment import stopped_at_exit
from cnn_widgets.evaluation.instruments import INSTRUMENTS
from cnn_widgets.explorer.controls import Controls
from cnn_widgets.explorer.display import Display
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.selection import audit_question
from cnn_widgets.telling import counted
from cnn_widgets.workbench.table import TABLE, question, run

#: Least time between two reports of progress, in seconds.
REPORT_EVERY = 0.15
#: By the kind of a task: the question that it would answer for a scene.
QUESTIONS: dict[str, Callable[[Scene], Any]] = {
    "compute": lambda scene: scene.question,
    "judge": lambda scene: scene.trust_question,
    "audit": audit_question,
    "survey": audit_question,
    "experiment": question,
}
#: By the kind of a task: a trait whose readers show its result.
REDRAWN = {
    "compute": "method",
    "judge": "instrument",
    "audit": "audit_kind",
    "survey": "survey",
    "experiment": "experiment",
}
#: A computation: takes `progress(done, total)`, stops when that returns False, returns a result.
Work = Callable[[Callable[[int, int], bool]], Any]


class JobRunner:
    """Runs one job at a time in a daemon thread; `start` and `cancel` stop the running one.

    Not `concurrent.futures`: the interpreter joins its worker threads at exit, so closing Python
    would wait for the job, and a running future cannot be cancelled.

    Parameters
    ----------
    on_progress : callable
        Called from the job's thread with (steps done, steps in total, estimated seconds left);
        never after the job was cancelled.
    on_end : callable
        Called from the job's thread with (key, result, error) when the newest job ends; result
        and error are None if it was cancelled. It is not called for a job that was replaced.
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
        stopped_at_exit(self)

    @property
    def running(self) -> Any:
        """The key of the running job, or None."""
        return self._key

    def start(self, key: Any, work: Work) -> None:
        """Run `work(progress)` in a new thread, in place of the running job.

        Parameters
        ----------
        key : object
            Identifies the job: see `running` and `on_end`.
        work : callable
            Must call `progress(done, total)` regularly, and stop when it returns False.
        """
        with self._lock:
            self.cancel(silent=True)
            stop = threading.Event()
            self._key, self._stop = key, stop
            self._thread = threading.Thread(
                target=self._run, args=(key, work, stop), name="cnn-widgets-job", daemon=True
            )
            self._thread.start()

    def cancel(self, silent: bool = False) -> None:
        """Ask the running job to stop after its present batch; silent: do not call `on_end`."""
        with self._lock:
            self._stop.set()
            if silent:
                self._key = None

    def stop(self) -> None:
        """Ask the running job to stop after its present batch; its end is not reported."""
        self.cancel(silent=True)

    def meanwhile(self, action: Callable[[Any], None]) -> None:
        """Call an action with the key of the running job, if any; no job ends meanwhile."""
        with self._lock:
            if self._key is not None:
                action(self._key)

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the newest job has ended, for at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self, key: Any, work: Work, stop: threading.Event) -> None:
        started_at, reported_at = time.monotonic(), 0.0

        def progress(done: int, total: int) -> bool:
            nonlocal reported_at
            now = time.monotonic()
            if done and now - reported_at > REPORT_EVERY:
                reported_at = now
                with self._lock:  # a cancelled job reports no more progress
                    if not stop.is_set():
                        self._on_progress(done, total, (now - started_at) / done * (total - done))
            return not stop.is_set()

        result, error = None, None
        try:
            result = work(progress)
        except CancelledError:
            pass  # the user cancelled: there is neither a result nor an error
        except Exception as failure:
            error = failure
        with self._lock:
            if self._stop is not stop or self._key != key:
                return  # replaced by a newer job
            self._key, cancelled = None, stop.is_set()
        self._on_end(key, None if cancelled else result, error)


class BackgroundTasks:
    """Starts and cancels the long computations of one explorer, and shows their progress.

    A task has a kind, a key of `QUESTIONS`, and a question: a tuple of everything that its result
    depends on. The question is also the key under which the result is kept.

    Parameters
    ----------
    controls : Controls
        Its buttons and progress bars show the running task.
    screen : Display
        Its status line says how far the task is, and why one has failed.
    unless_closed : callable
        Runs a function, while nothing else changes the explorer; not if that is closed.
    keep : callable
        Called with (kind, question, result) of a task that has ended well.
    """

    def __init__(
        self,
        controls: Controls,
        screen: Display,
        unless_closed: Callable[[Callable[[], None]], None],
        keep: Callable[[str, Any, Any], None],
    ) -> None:
        self._controls, self._screen = controls, screen
        self._unless_closed, self._keep = unless_closed, keep
        self.jobs = JobRunner(self._on_progress, self._on_end)

    def press(self, kind: str, scene: Scene) -> None:
        """Start the task of the button that was pressed, or cancel it if it is running."""
        running = self.jobs.running
        if running is not None and running[0] == kind:
            self.jobs.cancel()
            return
        self.cancel()  # first, so that the job replaced reports nothing afterwards
        self._controls.tasks.show(0.0, kind)
        asked = QUESTIONS[kind](scene)
        works: dict[str, Work] = {
            "compute": scene.compute,
            "judge": scene.judge,
            "audit": lambda progress: scene.audits.run(asked, progress),
            "survey": lambda progress: scene.audits.look_through(asked, progress),
            "experiment": lambda progress: run(scene, progress),
        }
        self.jobs.start((kind, asked), works[kind])

    def keep_only(self, scene: Scene) -> None:
        """Cancel the running task if its question is not the one on screen any more."""
        running = self.jobs.running
        if running is not None and running[1] != QUESTIONS[running[0]](scene):
            self.cancel()

    def cancel(self) -> None:
        """Cancel the running task; its end is not reported."""
        self.jobs.cancel(silent=True)
        self._controls.tasks.show(None)

    def title(self, kind: str, asked: Any) -> str:
        """Return what a message calls a task: its method, its instrument, or the question."""
        if kind in ("audit", "survey"):
            return "The question about all photographs"
        if kind == "experiment":
            return TABLE[asked[1]].title
        return METHODS[asked[3]].title if kind == "compute" else INSTRUMENTS[asked[0]].title

    def _on_progress(self, done: int, total: int, left: float) -> None:
        running = self.jobs.running
        if running is not None:
            self._controls.tasks.show(done / total, running[0])
            self._screen.say(
                f"{done} of {total} steps, about {counted(round(left), 'second')} left"
            )

    def _on_end(self, key: Any, result: Any, error: Exception | None) -> None:
        """Show what a task found, or why it found nothing; called from the job's thread."""
        kind, asked = key

        def show() -> None:
            self._controls.tasks.show(None)
            if result is not None:
                try:
                    self._keep(kind, asked, result)
                except Exception as refused:  # the network has changed meanwhile, for instance
                    self._screen.failed(self.title(kind, asked), refused, kind)
            elif error is not None:
                self._screen.failed(self.title(kind, asked), error, kind)
            else:
                self._screen.say("Cancelled.")

        self._unless_closed(show)
        # Another task may have been started before the end of this one was reported
        self.jobs.meanwhile(lambda other: self._controls.tasks.show(0.0, other[0]))
