"""What two threads can do to each other, one moment at a time; each fault that was found stays so.

`test_floods` finds by chance what is told here in order: a gate stops one thread at the moment
that matters, while the other one acts.
"""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait

import numpy as np
import pytest
from helpers.networks import tiny
from helpers.person import differences, idle, other, pictures, png, seen, uploaded
from traitlets import TraitError

import cnn_widgets as cw
from cnn_widgets.explorer import background, scene
from cnn_widgets.explorer.background import JobRunner
from cnn_widgets.explorer.panels import PANELS
from cnn_widgets.explorer.warmup import Warmup

WAIT = 30


class Gate:
    """A place where one thread stops until another one lets it go."""

    def __init__(self):
        self._come, self._go = threading.Event(), threading.Event()

    def stop(self, *_, **__):
        self._come.set()
        assert self._go.wait(WAIT)

    def reached(self):
        assert self._come.wait(WAIT)

    def open(self):
        self._go.set()


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.open()


@pytest.fixture
def aside():
    """Run things in another thread: `aside(function, …).result(seconds)`."""
    with ThreadPoolExecutor(2) as pool:
        yield pool.submit


@pytest.fixture
def model(keras):
    return tiny(keras)


def explored(net):
    return cw.CNNExplorer(net, dict(zip(("one", "two"), pictures(2), strict=True)))


@pytest.fixture(scope="module")
def lent(keras):
    """A network whose weights nobody changes; it is compiled once for all."""
    return cw.Network(tiny(keras), preprocess="none")


@pytest.fixture
def explorer(lent):
    made = explored(lent)
    yield made
    made.close()


@pytest.fixture
def learning(model):
    """An explorer on a model that is trained meanwhile."""
    made = explored(cw.Network(model, preprocess="none"))
    yield made
    made.close()


def changed(model):
    model.set_weights([np.asarray(w) + 0.05 for w in model.get_weights()])


# --- weights ------------------------------------------------------------------------------------


def test_what_was_computed_before_a_change_of_weights_is_not_kept_after_it(
    model, photo, gate, aside, monkeypatch
):
    net = cw.Network(model, preprocess="none")
    observe = net.engine.observe

    def slow(*given):
        found = observe(*given)
        gate.stop()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(net.engine, "observe", slow)
        late = aside(net.predict, photo)
        gate.reached()
        changed(model)
        net.weights_state()  # another thread notices the change first
        gate.open()
        late.result(WAIT)
    assert net.predict(photo) == cw.Network(model, preprocess="none").predict(photo)


def test_a_change_that_a_private_copy_notices_is_still_news_to_the_network(model, photo):
    net = cw.Network(model, preprocess="none")
    net.predict(photo)
    twin = net.private_copy()
    changed(model)
    twin.predict(photo)
    assert net.predict(photo) == cw.Network(model, preprocess="none").predict(photo)


def test_while_weights_move_every_look_reads_all_of_them(model, photo):
    net = cw.Network(model, preprocess="none")
    net.predict(photo)
    changed(model)
    net.predict(photo)  # sees that they move
    looked = [weight.path for weight in net._watch._few]
    late = next(w for w in model.weights if w.path not in looked)
    late.assign(np.asarray(late) + 0.5)
    assert net.predict(photo) == cw.Network(model, preprocess="none").predict(photo)


def test_an_interrupt_between_seeing_a_change_and_forgetting_does_not_hide_it(model, photo):
    net = cw.Network(model, preprocess="none")
    net.predict(photo)
    changed(model)

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        net._watch.look(interrupted)
    assert net.predict(photo) == cw.Network(model, preprocess="none").predict(photo)


def test_a_slow_map_asked_for_right_after_training_is_shown(learning, model):
    learning.state.method = "score-cam"
    changed(model)
    learning.compute()
    assert "Score-CAM at conv2" in learning._screen.views["overlay"].value
    assert not differences(learning)


def test_a_script_that_looks_after_training_gets_no_map_of_before(learning, model):
    before = learning.scene.attribution.raw
    changed(model)
    fresh = cw.Network(model, preprocess="none")
    found = learning.scene.attribution.raw
    assert not np.array_equal(found, before)
    np.testing.assert_allclose(found, cw.attribute(fresh, learning.scene.sample).raw, rtol=1e-5)


@pytest.mark.slow
def test_moving_an_explorer_while_its_model_is_trained_ends_in_the_new_weights(
    learning, model, keras, aside
):
    rng = np.random.default_rng(0)
    x, y = rng.random((32, 16, 12, 3)).astype(np.float32), rng.integers(0, 4, 32)
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    training = aside(model.fit, x, y, epochs=3, batch_size=8, verbose=0)
    moves = 0
    while not training.done() or moves < 6:
        learning.show(
            layer=("conv1", "pool1", "conv2")[moves % 3],
            method=("grad-cam", "saliency")[moves % 2],
            image=("one", "two")[moves // 2 % 2],
        )
        moves += 1
    training.result(WAIT)
    assert learning.last_error is None
    learning.state.alpha = 0.2
    made = cw.CNNExplorer(cw.Network(model, preprocess="none"), dict(learning._catalogue.samples))
    made.show(**learning.state.values())
    assert seen(learning) == seen(made)
    made.close()


# --- state --------------------------------------------------------------------------------------


def test_what_was_checked_against_one_network_is_not_set_on_another(
    keras, explorer, gate, aside, monkeypatch
):
    explorer._catalogue._networks["other"] = cw.Network(other(keras), preprocess="none")
    monkeypatch.setattr(explorer.network, "layer", _stopping(explorer.network.layer, gate))
    setting = aside(setattr, explorer.state, "layer", "conv2")
    gate.reached()
    switching = aside(setattr, explorer.state, "network", "other")
    wait([switching], 0.5)  # time enough, were it not made to wait its turn
    gate.open()
    setting.result(WAIT)
    switching.result(WAIT)
    state = explorer.state
    assert state.network == "other"
    assert state.layer in [info.name for info in explorer.network.layers]
    assert explorer.last_error is None


def _stopping(find, gate):
    def slow(name):
        found = find(name)
        if name == "conv2":
            gate.stop()
        return found

    return slow


def test_a_refused_update_leaves_what_was_changed_beside_it_announced(explorer):
    with explorer.state.together():
        explorer.state.colormap = "jet"
        with pytest.raises(ValueError, match="Unknown layer"):
            explorer.state.update(alpha=0.1, layer="nowhere")
    assert not differences(explorer)


@pytest.mark.parametrize("trait", ["network", "kinds"])
def test_an_interrupt_while_a_trait_is_set_leaves_all_of_the_state_as_it_was(
    keras, explorer, trait, monkeypatch
):
    explorer._catalogue._networks["other"] = cw.Network(other(keras), preprocess="none")
    explorer.show(kinds="all", layer="bn1", filter=4)
    before = explorer.state.values()

    def interrupted(*_):
        raise KeyboardInterrupt

    value = {"network": "other", "kinds": "article"}[trait]
    with monkeypatch.context() as patch:
        patch.setattr(type(explorer.state), "_settle", interrupted)
        with pytest.raises(KeyboardInterrupt):
            setattr(explorer.state, trait, value)
    assert explorer.state.values() == before
    assert not differences(explorer)


@pytest.mark.parametrize("name", ["filter", "filter_number"])
def test_slider_and_number_agree_after_a_wish_was_refused(explorer, name, monkeypatch):
    def refuse(**changes):
        raise ValueError("not now")

    with monkeypatch.context() as patch:
        patch.setattr(explorer.state, "update", refuse, raising=False)
        explorer.controls.widgets[name].set_state({"value": 3})
    assert "not now" in explorer._screen.status.value
    explorer.state.alpha = 0.2
    assert not differences(explorer)


# --- jobs ---------------------------------------------------------------------------------------


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
    ended, busy = tasks._ended, threading.Event()
    monkeypatch.setattr(tasks, "_ended", lambda *found: (gate.stop(), ended(*found)))
    explorer.controls.buttons["compute"].click()
    gate.reached()  # over, but not shown yet
    monkeypatch.setattr(tasks, "_ended", ended)
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
    busy._on_result("compute", None, None, None)
    assert busy._screen.status.value == status


# --- drawing ------------------------------------------------------------------------------------


@pytest.fixture
def drawing(explorer, gate, aside, monkeypatch):
    """An explorer that another thread is drawing, stopped in the middle; and that thread's wish."""
    panel = PANELS["mosaic"]

    def slow(scene):
        gate.stop()
        return panel.view(scene)

    monkeypatch.setitem(PANELS, "mosaic", type(panel)(panel.name, panel.title, panel.reads, slow))
    wish = aside(setattr, explorer.state, "layer", "conv2")
    gate.reached()
    return explorer, wish


def test_an_upload_that_arrives_while_another_thread_draws_is_shown(drawing, gate, aside):
    explorer, wish = drawing
    data = uploaded(png(pictures(1, seed=4)[0]))
    upload = aside(explorer.controls.widgets["upload"].set_state, {"value": data})
    gate.open()
    wish.result(WAIT)
    upload.result(WAIT)
    assert (explorer.state.image, explorer.state.layer) == ("mine", "conv2")
    assert explorer.last_error is None
    assert not differences(explorer)


def test_closing_while_another_thread_draws_waits_for_the_end(drawing, gate, aside):
    explorer, wish = drawing
    closing = aside(explorer.close)
    gate.open()
    wish.result(WAIT)
    closing.result(WAIT)
    assert repr(explorer) == "CNNExplorer(closed)"


def test_closing_during_the_warm_up_ends_it(explorer, gate, monkeypatch):
    def rehearse(every_layer=False):
        gate.stop()
        yield
        raise AssertionError("a step after closing")

    monkeypatch.setattr(explorer.network, "warm_up", rehearse)
    explorer._warmup.start(explorer.network)
    gate.reached()
    thread = explorer._warmup._thread
    explorer.close()
    gate.open()
    thread.join(WAIT)
    assert not thread.is_alive()
    assert explorer.last_error is None


@pytest.mark.slow
def test_two_threads_that_begin_the_warm_up_begin_one(monkeypatch):
    class Slow:
        name, begun = "slow", 0

        def rehearse(self, every_layer=False):
            self.begun += 1
            while True:
                yield

    for _ in range(15):
        net, work, start = Slow(), Warmup(), threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            begun = [pool.submit(lambda s=start, w=work, n=net: (s.wait(), w.start(n)))
                     for _ in range(4)]  # fmt: skip
            for each in begun:
                each.result(WAIT)
        work.stop()
        work.wait(WAIT)
        assert not [t for t in threading.enumerate() if t.name == "cnn-widgets-warmup"]


class _Forgetful(dict):
    """As if another thread closed the network right after each function was cut."""

    def __setitem__(self, key, value):
        pass

    def setdefault(self, key, value):
        return value


def test_a_network_closed_while_another_thread_asks_it_answers_all_the_same(model, photo):
    net = cw.Network(model, preprocess="none")
    expected = net.predict(photo)
    net.engine._traces = _Forgetful()
    net.forget()
    assert net.predict(photo) == expected


def test_a_choice_no_list_has_is_refused_and_the_list_stays(explorer):
    layers = explorer.controls.widgets["layer"]
    with pytest.raises(TraitError):
        layers.set_state({"index": 99})
    assert (layers.value, layers.index) == ("conv1", 0)
    assert not differences(explorer)
