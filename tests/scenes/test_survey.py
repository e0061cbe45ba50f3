"""The filters over all photographs, in the explorer: what excites the one on screen, and faults."""

import re

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.scenes.selection import indexed

DEAD = 2


@pytest.fixture(scope="module")
def net(keras):
    """A tiny network whose second convolution has a dead filter."""
    model = tiny(keras)
    conv = model.get_layer("conv2")
    kernel, bias = conv.get_weights()
    kernel[..., DEAD], bias[DEAD] = 0, -1
    conv.set_weights([kernel, bias])
    return cw.Network(model, preprocess="none", class_names=list("abcd"))


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(3).integers(0, 256, (12, 24, 30, 3), np.uint8)


@pytest.fixture
def explorer(net, pictures):
    made = cw.CNNExplorer(net, pictures)
    yield made
    made.close()


def looked_through(explorer):
    explorer.state.survey = True
    explorer.controls.buttons["survey"].click()
    explorer._tasks.jobs.wait(120)
    assert explorer.last_error is None
    return indexed(explorer.scene)


def shown(explorer):
    return explorer._screen.views["survey"].value


def test_nothing_is_computed_before_the_button_is_pressed(explorer):
    explorer.state.survey = True
    assert indexed(explorer.scene) is None
    assert "Press the button" in shown(explorer)
    faults = explorer.controls.widgets["fault"]
    assert [told for told, _ in faults.options] == ["filters with a fault: not looked for yet"]
    assert faults.disabled


def test_the_patches_of_the_filter_on_screen_are_those_of_the_index(explorer, net, pictures):
    index = looked_through(explorer)
    alone = cw.index_filters(net, pictures)
    explorer.state.update(layer="conv2", filter=1)
    names = [one["name"] for one in alone.top_photographs("conv2", 1)]
    assert [one["name"] for one in index.top_photographs("conv2", 1)] == names
    assert len(names) == 9
    assert re.findall(r"<figcaption>(.*?)<br>", shown(explorer)) == names
    assert shown(explorer).count("<figure") == len(names)
    explorer.state.filter = 3
    assert "filter 3 of conv2" in shown(explorer)


def test_a_filter_with_a_fault_is_listed_and_gone_to(explorer):
    looked_through(explorer)
    options = explorer.controls.widgets["fault"].options
    assert not explorer.controls.widgets["fault"].disabled
    assert options[0][0] == f"{len(options) - 1} filters with a fault …"
    dead = [value for told, value in options if told.startswith(f"conv2 {DEAD}: dead")]
    assert dead == [("conv2", DEAD)]
    explorer.controls.widgets["fault"].value = dead[0]
    assert (explorer.state.layer, explorer.state.filter) == ("conv2", DEAD)
    assert "Dead" in shown(explorer)
    explorer.state.filter = 0
    assert explorer.controls.widgets["fault"].value != dead[0]


def test_a_layer_without_filters_of_its_own_says_so(explorer):
    looked_through(explorer)
    explorer.state.update(kinds="all", layer="pool1")
    assert "pool1 has no filters of its own" in shown(explorer)


def test_another_network_has_an_index_of_its_own(keras, net, pictures):
    other = cw.Network(tiny(keras, seed=5), preprocess="none", name="other")
    explorer = cw.CNNExplorer(net, pictures, models={"other": other})
    index = looked_through(explorer)
    explorer.state.network = "other"
    assert indexed(explorer.scene) is None
    explorer.state.network = net.name
    assert indexed(explorer.scene) is index
    explorer.close()
