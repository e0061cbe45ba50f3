"""Slow methods: a button, a bar, a cancel that answers, and the latest wish wins."""

import threading
import time

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.attribution import perturbation
from cnn_widgets.explorer.background import JobRunner


@pytest.fixture
def ended():
    return []


@pytest.fixture
def jobs(ended):
    return JobRunner(lambda *_: None, lambda *result: ended.append(result))


def patient(progress):
    """Work until told to stop."""
    for step in range(1, 2000):
        if not progress(step, 2000):
            from concurrent.futures import CancelledError

            raise CancelledError
        time.sleep(0.005)
    return "finished"


def test_a_job_ends_with_its_result(jobs, ended):
    jobs.start("a", lambda progress: 42)
    jobs.wait(10)
    assert ended == [("a", 42, None)]
    assert jobs.running is None


def test_an_error_is_handed_on(jobs, ended):
    def fail(progress):
        raise ValueError("no")

    jobs.start("a", fail)
    jobs.wait(10)
    assert ended[0][0] == "a"
    assert isinstance(ended[0][2], ValueError)


def test_a_cancelled_job_ends_without_a_result(jobs, ended):
    jobs.start("a", patient)
    assert jobs.running == "a"
    jobs.cancel()
    jobs.wait(10)
    assert ended == [("a", None, None)]


def test_the_latest_wish_wins_and_the_replaced_job_is_silent(jobs, ended):
    jobs.start("old", patient)
    jobs.start("new", lambda progress: "new result")
    jobs.wait(10)
    for thread in threading.enumerate():
        if thread.name == "cnn-widgets-job":
            thread.join(10)
    assert ended == [("new", "new result", None)]


def test_progress_tells_steps_and_the_time_left():
    told, ended = [], []
    jobs = JobRunner(lambda *p: told.append(p), lambda *r: ended.append(r))

    def work(progress):
        for step in range(1, 6):
            time.sleep(0.16)
            assert progress(step, 5)
        return "done"

    jobs.start("a", work)
    jobs.wait(10)
    assert [p[:2] for p in told] == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert told[-1][2] == 0
    assert ended == [("a", "done", None)]


@pytest.fixture
def explorer(keras):
    rng = np.random.default_rng(1)
    net = cw.Network(tiny(keras), preprocess="none", class_names=list("abcd"))
    made = cw.CNNExplorer(net, {"one": rng.integers(0, 256, (24, 30, 3), np.uint8)})
    yield made
    made.close()


def html(explorer):
    return explorer._screen.pictures["overlay"].tooltip


def test_a_slow_method_waits_for_its_button_and_then_shows_its_map(explorer):
    explorer.state.method = "score-cam"
    assert "press Compute" in html(explorer)
    assert explorer.controls.buttons["compute"].layout.display is None
    explorer.controls.buttons["compute"].click()
    explorer._tasks.jobs.wait(60)
    assert "Score-CAM at conv2" in html(explorer)
    assert explorer.controls.buttons["compute"].description == "Compute"
    expected = cw.attribute(explorer.network, explorer.scene.sample, "score-cam")
    np.testing.assert_allclose(explorer.scene.attribution.raw, expected.raw, rtol=1e-4, atol=1e-6)
    explorer.state.class_index = 3  # another question: not computed yet
    assert "press Compute" in html(explorer)
    explorer.state.class_index = None  # the first one is still known
    assert "Score-CAM at conv2" in html(explorer)
    explorer.state.method = "grad-cam"
    assert explorer.controls.buttons["compute"].layout.display == "none"


def test_a_slow_map_does_not_outlive_the_weights_it_was_made_with(explorer):
    explorer.state.method = "score-cam"
    explorer.compute()
    assert explorer.scene.attribution is not None
    model = explorer.network.model
    model.set_weights([np.asarray(w) + 0.05 for w in model.get_weights()])
    explorer.state.alpha = 0.2
    assert explorer.scene.attribution is None
    assert "press Compute" in html(explorer)


def test_cancelling_ends_the_work_at_once_and_shows_no_partial_map(explorer, monkeypatch):
    made = slow_down(monkeypatch)
    explorer.state.method = "rise"
    explorer.controls.buttons["compute"].click()
    assert explorer.controls.buttons["compute"].description == "Cancel"
    before = len(made)
    explorer.controls.buttons["compute"].click()
    explorer._tasks.jobs.wait(10)
    assert len(made) - before < 200  # of 1,000 masks: what was begun when Cancel was pressed
    assert "Cancelled" in explorer._screen.status.value
    assert "press Compute" in html(explorer)
    assert explorer.scene.attribution is None


def test_moving_on_cancels_what_nobody_waits_for(explorer, monkeypatch):
    slow_down(monkeypatch)
    explorer.state.method = "rise"
    explorer.controls.buttons["compute"].click()
    explorer.state.method = "grad-cam"
    assert explorer._tasks.jobs.running is None
    assert explorer.controls.bars["compute"].layout.visibility == "hidden"
    assert "Grad-CAM at conv2" in html(explorer)


def slow_down(monkeypatch):
    """Make each mask take a moment, so that there is something to cancel; list those made."""
    mask, made = perturbation._mask, []

    def slow(*arguments):
        time.sleep(0.002)
        made.append(1)
        return mask(*arguments)

    monkeypatch.setattr(perturbation, "_mask", slow)
    return made


def test_an_error_in_a_job_is_said_on_the_page(explorer, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("no masks today")

    monkeypatch.setattr(perturbation, "_mask", broken)
    explorer.state.method = "rise"
    explorer.controls.buttons["compute"].click()
    explorer._tasks.jobs.wait(10)
    assert "no masks today" in explorer._screen.status.value
    assert isinstance(explorer.last_error, RuntimeError)
    assert all(note.value == "" for note in explorer._screen.notes.values())


def test_an_error_stands_behind_what_failed_after_one_mark(explorer):
    for what, told in (("RISE", "RISE: No masks."), ("Is it so?", "Is it so? No masks.")):
        explorer._screen.failed(what, ValueError("No masks."))
        assert f">{told}<" in explorer._screen.status.value


def test_what_goes_wrong_in_a_fold_is_said_in_it_until_something_goes_right(explorer, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("no answers today")

    notes, buttons = explorer._screen.notes, explorer.controls.buttons
    for task, fold in {"audit": "audit", "experiment": "experiments", "judge": "trust",
                       "survey": "survey"}.items():  # fmt: skip
        assert notes[task] in inside(explorer.controls.widgets[fold])
    explorer.state.audit = True
    with monkeypatch.context() as patched:
        patched.setattr("cnn_widgets.scenes.audits.Audits.run", broken)
        buttons["audit"].click()
        explorer._tasks.jobs.wait(10)
    assert "no answers today" in notes["audit"].value
    assert [task for task, note in notes.items() if note.layout.display != "none"] == ["audit"]
    buttons["audit"].click()
    explorer._tasks.jobs.wait(10)
    assert notes["audit"].value == ""
    explorer.controls.widgets["switched"].value = "999999"
    assert "999999" in notes["experiment"].value
    assert explorer.controls.widgets["switched"].value == "999999"
    explorer.state.filter = 1
    assert notes["experiment"].layout.display == "none"


def inside(box):
    """Return all widgets that lie in a widget."""
    return [each for child in getattr(box, "children", ()) for each in (child, *inside(child))]


def test_a_script_computes_without_a_button(explorer):
    explorer.state.method = "occlusion"
    explorer.compute()
    assert explorer.scene.attribution is not None
    assert "Occlusion" in html(explorer)
