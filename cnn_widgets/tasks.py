"""The explorer's two long computations: a slow method's map, and an instrument's verdict.

Each has a button that starts and cancels it and a bar that shows how far it is. One runs at a
time; the latest wish wins, and what nobody waits for any more is cancelled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnn_widgets.controls import Controls
from cnn_widgets.instruments import INSTRUMENTS
from cnn_widgets.jobs import Jobs, Work
from cnn_widgets.methods import METHODS
from cnn_widgets.scene import Scene


class Tasks:
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
        self.jobs = Jobs(self._on_progress, self._on_end)

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
