"""Several networks in one explorer."""

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw


def test_networks_are_switched_and_the_picture_stays(keras, lite0):
    own = tiny(keras, "sigmoid", classes=1)
    explorer = cw.CNNExplorer(lite0, models={"mine": own})
    explorer.show(image="rocket", layer="block9_expand", filter=300, class_index=5)
    explorer.controls.widgets["network"].value = "mine"
    state = explorer.state
    assert (state.image, state.layer, state.filter, state.class_index) == (
        "rocket",
        "conv1",
        0,
        None,
    )
    assert "divided by 255" in explorer._screen.status.value
    assert explorer.controls.widgets["class_search"].options == ("class 0", "class 1")
    assert explorer.last_error is None
    explorer.state.network = "EfficientNet-Lite0"
    assert explorer.state.layer == "stem"
    explorer.close()


def test_a_network_that_cannot_be_loaded_leaves_everything_as_it_is(explorer, tmp_path, keras):
    explorer._catalogue._sources["broken"] = tmp_path / "missing.keras"
    explorer._catalogue._sources["flat"] = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    explorer.state.alpha = 0.55
    for name, message in (("broken", "no model file"), ("flat", "nothing to look into")):
        explorer.controls.widgets["network"].value = name
        assert message in explorer._screen.status.value
        assert explorer.state.network == "EfficientNet-Lite0"
        assert explorer.controls.widgets["network"].value == "EfficientNet-Lite0"


def test_networks_of_one_name_are_refused_and_no_name_is_listed_twice(keras):
    net = cw.Network(tiny(keras), name="mine")
    with pytest.raises(ValueError, match="Two networks are named 'mine'"):
        cw.CNNExplorer(net, models={"mine": tiny(keras)})
    explorer = cw.CNNExplorer(net, models={"other": tiny(keras, seed=1)})
    explorer.state.network = "other"
    names = explorer.controls.widgets["network"].options
    assert len(names) == len(set(names))
    explorer.close()


def test_options_beside_a_finished_network_are_refused(keras):
    with pytest.raises(TypeError, match="class_names belong to Network"):
        cw.CNNExplorer(cw.Network(tiny(keras)), class_names=["a", "b", "c", "d"])


def test_networks_that_have_to_be_downloaded_are_marked(small, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    small._catalogue._labelled = None
    small.state.alpha = 0.3
    labels = {name: label for label, name in small.controls.widgets["network"].options}
    assert labels["tiny"] == "tiny"
    assert labels["EfficientNet-Lite0"] == "EfficientNet-Lite0"
    assert labels["VGG16"] == "VGG16 (to download)"


def test_two_models_of_the_same_keras_name_keep_their_maps_apart(keras, photo):
    first, second = (cw.Network(tiny(keras, seed=n), preprocess="none") for n in (0, 1))
    assert first.name == second.name
    explorer = cw.CNNExplorer(first, photo, models={"second": second})
    for name, net in (("tiny", first), ("second", second), ("tiny", first)):
        explorer.show(network=name, class_index=1)
        expected = cw.attribute(net, explorer.scene.sample, class_index=1)
        np.testing.assert_array_equal(explorer.scene.attribution.raw, expected.raw)
    assert explorer.judge("sanity").maps[0].origin.network is first
    explorer.show(network="second")
    assert explorer.scene.verdict is None
    explorer.close()
