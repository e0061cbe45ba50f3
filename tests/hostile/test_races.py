"""What two threads can do to each other, one moment at a time; each fault that was found stays so.

`test_floods` finds by chance what is told here in order: a gate stops one thread at the moment
that matters, while the other one acts.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace

import pytest
from helpers.gates import WAIT
from helpers.person import differences, other, pictures, png, uploaded
from traitlets import TraitError

import cnn_widgets as cw
from cnn_widgets.explorer.warmup import Warmup
from cnn_widgets.panels.table import PANELS

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


# --- drawing ------------------------------------------------------------------------------------


@pytest.fixture
def drawing(explorer, gate, aside, monkeypatch):
    """An explorer that another thread is drawing, stopped in the middle; and that thread's wish."""
    panel = PANELS["mosaic"]

    def slow(scene):
        gate.stop()
        return panel.view(scene)

    monkeypatch.setitem(PANELS, "mosaic", replace(panel, view=slow))
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
