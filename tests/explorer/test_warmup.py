"""First clicks are paid for in the background, and the background knows its place."""

import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.explorer import warmup
from cnn_widgets.explorer.warmup import Warmup


@pytest.fixture
def explorer(keras):
    pictures = [np.full((9, 9, 3), level, np.uint8) for level in (10, 200)]
    made = cw.CNNExplorer(cw.Network(tiny(keras), preprocess="none"), pictures)
    yield made
    made.close()


def displayed(explorer):
    explorer._repr_mimebundle_()
    explorer._warmup.wait(60)


def test_nothing_runs_in_the_background_before_the_explorer_is_displayed(explorer):
    assert not [t for t in threading.enumerate() if t.name == "cnn-widgets-warmup"]


def test_a_page_that_shows_it_within_other_widgets_says_so(explorer):
    explorer._touch.pointer._on_message(None, {"kind": "shown"}, [])
    explorer._warmup.wait(60)
    assert explorer.last_error is None
    assert explorer._warmup.network is explorer.network


def test_after_the_warm_up_no_first_click_compiles_anything(explorer):
    displayed(explorer)
    before = explorer.network.engine.traces
    explorer.show(cam_layer="follow", layer="conv2")
    for method in ("grad-cam", "hirescam", "layercam", "saliency", "gradient-x-input"):
        explorer.state.method = method
    explorer.show(cam_layer="default", method="grad-cam")
    assert explorer.last_error is None
    assert explorer.network.engine.traces == before
    explorer.state.kinds = "all"
    explorer._warmup.wait(60)
    warm = explorer.network.engine.traces
    assert warm > before
    for info in explorer.network.layers_of(None):
        explorer.state.layer = info.name
    assert explorer.network.engine.traces == warm


def test_a_rehearsal_leaves_model_and_results_alone(keras, photo):
    from helpers.networks import fingerprint

    model = tiny(keras)
    net = cw.Network(model, preprocess="none")
    expected, before = net.predict(photo), fingerprint(model)
    kept = net._runner.cache.nbytes
    assert sum(1 for _ in net.warm_up(every_layer=True)) > 5
    assert fingerprint(model) == before
    assert net._runner.cache.nbytes == kept
    assert net.predict(photo) == expected


def test_a_network_chosen_later_is_warmed_up_too(keras, explorer):
    displayed(explorer)
    other = cw.Network(tiny(keras, "sigmoid", classes=1), preprocess="none", name="other")
    explorer._catalogue._networks["other"] = other
    explorer.state.network = "other"
    explorer._warmup.wait(60)
    assert explorer._warmup.network is other
    assert other.engine.traces > 4


class Slow:
    """A network whose warm-up has many steps."""

    name = "slow"

    def __init__(self):
        self.steps = 0

    def warm_up(self, every_layer):
        while True:
            self.steps += 1
            yield


def test_it_waits_while_somebody_moves_something_and_ends_when_told(monkeypatch):
    monkeypatch.setattr(warmup, "CALM", 0.05)
    net, work = Slow(), Warmup()
    work._moved = time.monotonic() + 3600  # somebody is moving for an hour
    work.start(net)
    work.wait(0.3)
    assert net.steps == 1
    work.stop()
    work.wait(5)
    assert not work._thread.is_alive()


def test_a_closed_explorer_ends_it(explorer):
    slow = Slow()
    explorer._warmup.start(slow)
    explorer.close()
    explorer._warmup.wait(5)
    assert not explorer._warmup._thread.is_alive()


@pytest.mark.slow
@pytest.mark.parametrize(
    "work",
    [
        "explorer._repr_mimebundle_(); time.sleep(0.6)",  # a step of the warm-up has begun
        "explorer.state.method = 'occlusion'; explorer._press('compute'); time.sleep(1)",
    ],
)
def test_python_ends_while_a_thread_computes(work):
    """Python kills such threads inside TensorFlow, which aborts the process."""
    code = f"import time, cnn_widgets as cw; explorer = cw.CNNExplorer(); {work}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]
    assert "exception not rethrown" not in done.stderr


def test_a_model_that_fails_only_meanwhile_is_left_to_the_click(caplog):
    class Broken(Slow):
        def warm_up(self, every_layer):
            raise ValueError("out of memory")
            yield

    work = Warmup()
    with caplog.at_level("INFO", logger="cnn_widgets"):
        work.start(Broken())
        work.wait(5)
    assert "slow could not be warmed up" in caplog.text
