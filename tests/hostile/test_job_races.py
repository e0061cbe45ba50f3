"""What jobs and another thread can do to each other, one moment at a time."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest
from helpers.gates import WAIT
from helpers.person import differences, idle

from cnn_widgets.explorer import background
from cnn_widgets.explorer.background import JobRunner
from cnn_widgets.scenes import scene


def until_told(progress):
    """Work, telling of each step, until the answer is no."""
    step = 0
    while progress(step := step + 1, 10**9):
        pass
    raise CancelledError


def test_who_has_cancelled_hears_no_more_of_the_job(monkeypatch):
    monkeypatch.setattr(background, "REPORT_EVERY", 0.0)
    told, cancelled = threading.Event(), threading.Event()
    late = []

    def on_progress(*_):
        told.set()
        if cancelled.is_set():
            late.append(1)

    work = JobRunner(on_progress, lambda *_: None)
    for _ in range(150):
        told.clear()
        cancelled.clear()
        work.start("a", until_told)
        assert told.wait(WAIT)
        work.cancel(silent=True)
        cancelled.set()
        work.wait(WAIT)
    assert not late


def test_a_job_started_before_the_end_of_the_last_one_was_shown_shows_its_bar(
    explorer, gate, monkeypatch
):
    tasks = explorer._tasks
    explorer.state.method = "score-cam"
    unless_closed, busy = tasks._unless_closed, threading.Event()
    monkeypatch.setattr(tasks, "_unless_closed", lambda show: (gate.stop(), unless_closed(show)))
    explorer.controls.buttons["compute"].click()
    gate.reached()  # over, but not shown yet
    monkeypatch.setattr(tasks, "_unless_closed", unless_closed)
    monkeypatch.setattr(scene, "attribute", _patient(busy))
    first = tasks.jobs._thread
    explorer.controls.buttons["compute"].click()
    assert busy.wait(WAIT)
    gate.open()
    first.join(WAIT)
    assert tasks.jobs.running is not None
    assert explorer.controls.buttons["compute"].description == "Cancel"
    assert explorer.controls.bars["compute"].layout.visibility == "visible"
    explorer.controls.buttons["compute"].click()
    idle(explorer)
    assert explorer.controls.buttons["compute"].description == "Compute"


def _patient(busy, attribute=scene.attribute):
    """Return an `attribute` that works until it is told to stop, where it may be told."""

    def work(*given, progress=None, **options):
        if progress is None:
            return attribute(*given, **options)
        busy.set()
        return until_told(progress)

    return work


@pytest.fixture
def busy(explorer, monkeypatch):
    """An explorer whose slow method runs until it is cancelled."""
    event = threading.Event()
    monkeypatch.setattr(scene, "attribute", _patient(event))
    monkeypatch.setattr(background, "REPORT_EVERY", 0.0)
    explorer.state.method = "score-cam"
    explorer.controls.buttons["compute"].click()
    assert event.wait(WAIT)
    return explorer


@pytest.mark.slow
def test_cancelling_again_and_again_during_progress_leaves_no_bar_behind(busy):
    button = busy.controls.buttons["compute"]
    for _ in range(10):
        button.click()
        idle(busy)
        assert button.description == "Compute"
        button.click()
        assert button.description == "Cancel"
    button.click()
    idle(busy)
    assert "Cancelled" in busy._screen.status.value
    busy.state.alpha = 0.2
    assert not differences(busy)


def test_closing_during_a_job_ends_it_and_nothing_is_said_afterwards(busy):
    ended = busy._tasks.jobs._thread
    busy.close()
    status = busy._screen.status.value
    ended.join(WAIT)
    assert not ended.is_alive()
    assert busy._screen.status.value == status
    assert busy.last_error is None
    busy._tasks._on_progress(1, 2, 3.0)  # what comes late is heard by nobody
    busy._tasks._on_end(("compute", None), None, None)
    assert busy._screen.status.value == status
