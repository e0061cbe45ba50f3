"""Which filters the mosaic shows, and in which order."""

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.panels.filters import mosaic
from cnn_widgets.scenes.filter_choice import choose, peaks

NAN = float("nan")


def maps(*tops):
    """Return activations (2, 3, K) whose filters have these largest values."""
    found = np.full((2, 3, len(tops)), -9, np.float32)
    found[1, 2] = tops
    return found


def by_strength(*tops):
    return choose("strength", "all", 0, maps(*tops), "").order.tolist()


def test_the_largest_value_of_each_filter_is_its_strength():
    np.testing.assert_array_equal(peaks(maps(3, -1, 2)), [3, -1, 2])


def test_the_strongest_filter_comes_first_and_equal_ones_keep_their_order():
    assert by_strength(1, 5, 0, 5, 2) == [1, 3, 4, 0, 2]


def test_filters_without_a_number_come_last():
    assert by_strength(NAN, 1, np.inf, -8, NAN) == [2, 1, 3, 0, 4]
    weights = np.array([NAN, 1, -np.inf, np.inf], np.float32)
    assert choose("weight", "all", 1, maps(1, 1, 1, 1), weights).order.tolist() == [3, 1, 2, 0]


def test_by_weight_what_speaks_most_for_the_class_comes_first():
    weights = np.array([0.5, -2, 3, 0], np.float32)
    choice = choose("weight", "all", 1, maps(9, 9, 9, 9), weights)
    assert choice.order.tolist() == [2, 0, 3, 1]
    assert choice.told == "those that add most to the evidence first"
    np.testing.assert_array_equal(choice.values, weights)


def test_where_weights_are_unknown_the_layers_order_is_kept_and_the_reason_told():
    choice = choose("weight", "all", 1, maps(1, 2, 3), "No path leads back from the score.")
    assert choice.order.tolist() == [0, 1, 2]
    assert choice.told == ("in the layer's own order, because no path leads back from the score.")


@pytest.mark.parametrize("order", ["index", "strength", "weight"])
@pytest.mark.parametrize("count", ["24", "96", "all"])
def test_the_page_holds_the_selected_filter(order, count):
    rng = np.random.default_rng(3)
    activations = rng.normal(size=(2, 2, 110)).astype(np.float32)
    weights = rng.normal(size=110).astype(np.float32)
    size = 110 if count == "all" else int(count)
    pages = {}
    for selected in range(110):
        choice = choose(order, count, selected, activations, weights)
        assert selected in choice.shown
        assert choice.shown[choice.place(selected)] == selected
        pages[choice.shown.tobytes()] = choice.shown
    assert sorted(map(len, pages.values())) == sorted(
        [size] * (110 // size) + [110 % size] * (110 % size > 0)
    )
    np.testing.assert_array_equal(np.sort(np.concatenate(list(pages.values()))), np.arange(110))
    for page in pages.values():
        first = choice.order.tolist().index(page[0])
        np.testing.assert_array_equal(page, choice.order[first : first + len(page)])


def test_a_step_in_the_order_ends_at_its_ends():
    choice = choose("strength", "24", 0, maps(1, 5, 0, 4), "")
    assert choice.order.tolist() == [1, 3, 0, 2]
    assert [choice.moved(3, step) for step in (-9, -1, 0, 1, 2, 9)] == [1, 1, 3, 0, 2, 2]


# --- by weight, in a scene ---


def summed(net, sample, layer, weights, target="logit"):
    values, slopes = net.gradients(sample, layer, np.asarray(weights, np.float32), target)
    return (values * slopes).sum(axis=(0, 1))


CASES = {
    "a class": ({"class_index": 1}, [0, 1, 0, 0]),
    "against": ({"class_index": 1, "counter": True}, [0, -1, 0, 0]),
    "compared": ({"class_index": 1, "versus": 3}, [0, 1, 0, -1]),
    "compared, against": ({"class_index": 1, "versus": 3, "counter": True}, [0, -1, 0, 1]),
    "compared with itself": ({"class_index": 1, "versus": 1}, [0, 1, 0, 0]),
    "probability": ({"class_index": 2, "target": "probability"}, [0, 0, 1, 0]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_the_weight_is_the_sum_of_gradient_times_activation(explorer, case, layer):
    changes, weights = CASES[case]
    explorer.show(layer=layer, filter_order="weight", **changes)
    scene = explorer.scene
    expected = summed(scene.network, scene.sample, layer, weights, scene.target)
    assert expected.any()
    np.testing.assert_allclose(scene.filter_weights, expected, rtol=1e-4, atol=1e-7)
    values = scene.filter_weights[scene.filter_choice.order]
    assert (np.diff(values) <= 0).all()
    assert scene.filter_choice.told == "those that add most to the evidence first"


def test_the_weights_of_the_network_worked_by_hand(by_hand, steps):
    # the filters' values are -5, 4, 31, 40 and -30, -21, 6, 15; negative ones become zero
    made = cw.CNNExplorer(cw.Network(by_hand, preprocess="none"), steps)
    try:
        made.show(layer="conv", filter_order="weight")
        assert made.scene.filter_weights.tolist() == [75.0, -21.0]
        assert made.scene.chosen.score == 54.0  # they add up to the score: no bias follows
        made.show(counter=True)
        assert made.scene.filter_weights.tolist() == [-75.0, 21.0]
        assert made.scene.filter_choice.order.tolist() == [1, 0]
    finally:
        made.close()


def test_a_layer_from_which_no_path_leads_keeps_its_order_and_says_why(keras):
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, name="before")(image)
    x = layers.Conv2D(5, 3, name="behind")(keras.ops.stop_gradient(x))
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    net = cw.Network(keras.Model(image, x), preprocess="none")
    rng = np.random.default_rng(0)
    made = cw.CNNExplorer(net, rng.integers(0, 256, (12, 12, 3), np.uint8))
    try:
        made.show(layer="before", filter_order="weight")
        choice = made.scene.filter_choice
        assert choice.order.tolist() == [0, 1, 2, 3]
        assert choice.told.startswith("in the layer's own order, because no path leads back")
        assert "'before'" in choice.told
        assert choice.told in mosaic(made.scene).caption
        assert made.last_error is None
        made.show(layer="behind")
        assert made.scene.filter_choice.told.startswith("those that add most")
    finally:
        made.close()


def test_the_order_is_computed_only_when_it_is_asked_for(explorer, monkeypatch):
    from cnn_widgets.networks.network import Network

    asked = []
    gradients = Network.gradients
    monkeypatch.setattr(
        Network, "gradients", lambda self, *given: asked.append(given) or gradients(self, *given)
    )
    for order in ("index", "strength", "weight"):
        scene = explorer.scene
        object.__setattr__(scene, "filter_order", order)
        assert len(scene.filter_choice.shown) == 6
        assert len(asked) == (order == "weight")
