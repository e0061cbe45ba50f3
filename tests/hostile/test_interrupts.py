"""Interrupts and closing at awkward moments: what is left is whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import tiny
from helpers.person import differences, pictures
from ipywidgets.widgets.widget import _instances as alive

import cnn_widgets as cw
from cnn_widgets.panels.table import PANELS


@pytest.fixture
def explorer(keras):
    net = cw.Network(tiny(keras), preprocess="none")
    made = cw.CNNExplorer(net, dict(zip(("one", "two"), pictures(2), strict=True)))
    yield made
    made.close()


def interrupt(explorer, monkeypatch, action):
    """Do something, and interrupt it while the page is being drawn."""
    panel = PANELS["mosaic"]

    def interrupted(scene):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        broken = replace(panel, view=interrupted)
        patch.setitem(PANELS, "mosaic", broken)
        with pytest.raises(KeyboardInterrupt):
            action()


def test_what_an_interrupt_leaves_undrawn_is_drawn_the_next_time(explorer, monkeypatch):
    interrupt(explorer, monkeypatch, lambda: setattr(explorer.state, "layer", "conv2"))
    explorer.state.alpha = 0.2
    assert not differences(explorer)


def test_new_weights_whose_drawing_was_interrupted_are_drawn_the_next_time(explorer, monkeypatch):
    model = explorer.network.model
    model.set_weights([np.asarray(w) + 0.05 for w in model.get_weights()])
    interrupt(explorer, monkeypatch, lambda: setattr(explorer.state, "alpha", 0.3))
    explorer.state.alpha = 0.2
    assert not differences(explorer)


def test_a_photograph_whose_drawing_was_interrupted_stays(explorer, monkeypatch):
    photo = np.zeros((9, 9, 3), np.uint8)
    interrupt(explorer, monkeypatch, lambda: explorer.show(image=photo))
    assert explorer.state.image in explorer._catalogue.samples
    explorer.state.alpha = 0.2
    assert not differences(explorer)


def test_closing_one_explorer_leaves_the_slow_results_of_another_on_its_network(explorer):
    explorer.state.method = "score-cam"
    explorer.compute()
    cw.CNNExplorer(explorer.network, pictures(1)).close()
    explorer.state.alpha = 0.2
    assert "Score-CAM at conv2" in explorer._screen.pictures["overlay"].tooltip


def test_an_explorer_that_cannot_be_built_leaves_no_widgets(keras):
    model = tiny(keras)
    before = set(alive)
    for images, options in (([], {}), (None, {"class_names": ["one"]})):
        with pytest.raises(ValueError, match="Expected"):
            cw.CNNExplorer(model, images, **options)
    assert set(alive) == before
