"""What stands beside the evidence on screen: the same question but for one thing, or why not."""

import numpy as np
import pytest
from helpers.explored import pictures
from helpers.networks import tiny
from helpers.person import other

import cnn_widgets as cw
from cnn_widgets.attribution.methods import METHODS, QUICK
from cnn_widgets.evaluation.randomization import rank_correlation
from cnn_widgets.scenes.comparison import alternatives, chosen_other, compare

CLASSES = ["a", "b", "c", "d"]


def by_hand(net, sample, method="grad-cam", class_index=1, layer=None, target="logit", **more):
    return cw.attribute(net, sample, method, class_index, layer, target, **more)


def assert_maps(found, one, two):
    """Both maps are these, and the difference and the correlation follow from them."""
    assert found.refused == ""
    for map_, expected in zip(found.maps, (one, two), strict=True):
        np.testing.assert_array_equal(map_.raw, expected.raw)
        np.testing.assert_array_equal(map_.heatmap, expected.heatmap)
        assert (map_.score, map_.probability) == (expected.score, expected.probability)
        assert map_.question == expected.question
    np.testing.assert_array_equal(found.difference, one.heatmap - two.heatmap)
    assert found.difference.shape == found.scene.sample.size
    assert found.correlation == rank_correlation(one.heatmap, two.heatmap)


def refused(made, **changes):
    """Return why there is nothing beside the evidence; no part of an answer is given."""
    made.show(compare=True, **changes)
    found = compare(made.scene)
    assert (found.other, found.maps, found.difference, found.correlation) == (None, (), None, None)
    assert made.last_error is None
    return found.refused


# --- what B is ---


@pytest.mark.parametrize("method", [name for name in QUICK if name != "layercam"])
def test_another_method_is_asked_the_same(explorer, method):
    asked = {"class_index": 1, "versus": 3, "counter": True}
    explorer.show(
        method="layercam", cam_layer="conv1", compare_by="method", compare_with=method, **asked
    )
    net, sample = explorer.network, explorer.scene.sample
    maps = [by_hand(net, sample, m, layer="conv1", **asked) for m in ("layercam", method)]
    assert_maps(compare(explorer.scene), *maps)


def test_another_class_is_given_by_its_name(explorer):
    explorer.show(class_index=1, fit="crop", compare_by="class", compare_with="d")
    net, sample = explorer.network, explorer.scene.sample
    maps = [by_hand(net, sample, class_index=index) for index in (1, 3)]
    assert_maps(compare(explorer.scene), *maps)


def test_another_class_keeps_the_one_it_is_compared_with_unless_it_is_that(explorer):
    explorer.show(class_index=1, versus=2, compare_by="class", compare_with="d")
    assert [m.question for m in compare(explorer.scene).maps] == [
        "for b rather than c", "for d rather than c",
    ]  # fmt: skip
    explorer.show(compare_with="")
    assert chosen_other(explorer.scene) == "c"
    assert [m.question for m in compare(explorer.scene).maps] == ["for b rather than c", "for c"]


@pytest.mark.parametrize("method", ["grad-cam", "guided-grad-cam"])
def test_another_layer(explorer, method):
    explorer.show(method=method, class_index=1, compare_by="layer", compare_with="pool1")
    net, sample = explorer.network, explorer.scene.sample
    maps = [by_hand(net, sample, method, layer=layer) for layer in ("conv2", "pool1")]
    assert_maps(compare(explorer.scene), *maps)


def test_another_photograph_is_asked_for_the_same_class_and_has_no_difference(explorer):
    explorer.show(fit="crop", compare_by="photograph", region=(1, 2, 3, 4))
    scene = explorer.scene
    found = compare(scene)
    index = scene.chosen.class_index
    for map_, name in zip(found.maps, ("one", "portrait"), strict=True):
        expected = by_hand(scene.network, scene.samples[name], class_index=index)
        np.testing.assert_array_equal(map_.heatmap, expected.heatmap)
        assert map_.class_index == index
    assert (found.difference, found.correlation, found.one_place) == (None, None, False)
    assert (found.other.image, found.other.region) == ("portrait", None)


# --- what is offered, and what comes first ---


def test_what_is_offered(explorer):
    explorer.show(compare_by="method")
    assert alternatives(explorer.scene) == QUICK
    assert not any(METHODS[name].slow for name in QUICK)
    explorer.show(compare_by="class")
    ranked = tuple(p.name for p in explorer.scene.predictions)
    assert alternatives(explorer.scene) == ranked
    explorer.show(compare_by="layer")
    assert alternatives(explorer.scene) == ("conv1", "pool1", "conv2")
    explorer.show(kinds="all")
    assert alternatives(explorer.scene) == ("conv1", "bn1", "relu1", "pool1", "conv2")
    explorer.show(method="saliency")
    assert alternatives(explorer.scene) == ()
    explorer.show(compare_by="photograph")
    assert alternatives(explorer.scene) == ("one", "portrait")
    explorer.show(compare_by="network")
    assert alternatives(explorer.scene) == ("tiny",)


def test_of_many_classes_the_top_five_and_the_one_in_versus_are_offered(keras, photo):
    net = cw.Network(tiny(keras, classes=9), preprocess="none")
    made = cw.CNNExplorer(net, photo)
    try:
        made.show(compare_by="class")
        ranked = tuple(p.name for p in net.predict(made.scene.sample, top=9))
        assert alternatives(made.scene) == ranked[:5]
        assert chosen_other(made.scene) == ranked[1]
        made.show(versus=ranked[8])
        assert alternatives(made.scene) == (*ranked[:5], ranked[8])
        assert chosen_other(made.scene) == ranked[8]
        made.show(compare_with=ranked[7])  # not offered, but known
        assert compare(made.scene).maps[1].class_name == ranked[7]
    finally:
        made.close()


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        ({"compare_by": "method"}, "saliency"),
        ({"compare_by": "method", "method": "saliency"}, "grad-cam"),
        ({"compare_by": "layer", "layer": "pool1"}, "pool1"),
        ({"compare_by": "layer", "layer": "conv2"}, "conv1"),
        ({"compare_by": "layer", "cam_layer": "pool1"}, "conv2"),
        ({"compare_by": "layer", "layer": "conv1", "cam_layer": "follow"}, "conv2"),
        ({"compare_by": "photograph"}, "portrait"),
        ({"compare_by": "photograph", "image": "portrait"}, "one"),
        ({"compare_by": "network"}, ""),
        ({"compare_by": "photograph", "compare_with": "somewhere"}, "somewhere"),
    ],
    ids=str,
)
def test_what_comes_first_differs_from_what_is_on_screen(explorer, changes, first):
    explorer.show(**changes)
    assert chosen_other(explorer.scene) == first


def test_another_thing_to_compare_by_starts_anew_unless_it_is_named_with_it(explorer):
    explorer.show(compare_by="method", compare_with="layercam")
    explorer.show(compare_by="layer")
    assert explorer.state.compare_with == ""
    explorer.show(compare_by="class", compare_with="b")
    assert explorer.state.compare_with == "b"
    explorer.show(alpha=0.3, layer="conv2", method="hirescam", compare_by="class")
    assert explorer.state.compare_with == "b"


# --- networks ---


@pytest.fixture(scope="module")
def several(keras, lent):
    """An explorer of networks that share classes in another order, a layer's name, or nothing."""
    layers = keras.layers
    keras.utils.set_random_seed(2)
    image = keras.Input((10, 14, 3))
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="conv1")(image)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="last")(x)
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    twin, cousin = tiny(keras, seed=3), keras.Model(image, x)
    models = {
        "twin": cw.Network(twin, preprocess="none", class_names=["d", "C", "b", "a"]),
        "cousin": cw.Network(cousin, preprocess="none", class_names=["c", "b", "ab"]),
        "stranger": cw.Network(other(keras), preprocess="none"),
        "value": cw.Network(
            tiny(keras, None, classes=1), preprocess="none", head="values", class_names=["b"]
        ),
    }  # fmt: skip
    made = cw.CNNExplorer(lent, pictures(), models=models)
    made.show(compare=True, class_index=1)
    yield made, made.state.values(), models
    made.close()


@pytest.fixture
def networks(several):
    made, values, models = several
    made.state.update(**values)
    made.last_error = None
    return made, models


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({}, {"twin": "conv2", "cousin": "last"}),
        ({"cam_layer": "conv1"}, {"twin": "conv1", "cousin": "conv1"}),
        ({"cam_layer": "pool1"}, {"twin": "pool1", "cousin": "last"}),
        ({"cam_layer": "follow", "layer": "conv1"}, {"twin": "conv1", "cousin": "conv1"}),
        ({"method": "saliency"}, {"twin": None, "cousin": None}),
        ({"counter": True, "versus": "c", "fit": "letterbox"}, {"twin": "conv2", "cousin": "last"}),
    ],
    ids=str,
)
def test_another_network_is_asked_for_the_class_and_the_layer_of_the_same_name(
    networks, changes, at
):
    made, models = networks
    made.show(image="portrait", **changes)
    scene = made.scene
    more = {"counter": scene.counter}
    own = by_hand(scene.network, scene.sample, scene.method, "b", scene.looked_at,
                  versus=None if scene.versus is None else "c", **more)  # fmt: skip
    for name, layer in at.items():
        made.show(compare_by="network", compare_with=name)
        two = by_hand(models[name], scene.sample, scene.method, "b", layer,
                      versus=None if scene.versus is None else "c", **more)  # fmt: skip
        assert two.layer == layer
        found = compare(made.scene)
        for map_, expected in zip(found.maps, (own, two), strict=True):
            np.testing.assert_array_equal(map_.heatmap, expected.heatmap)
        assert found.correlation == rank_correlation(own.heatmap, two.heatmap)
        assert (found.other.network, found.other.network_name) == (models[name], name)
        assert found.other.chosen.name == "b"


def test_two_networks_of_one_keras_name_are_two(networks):
    made, models = networks
    assert models["twin"].name == made.network.name == "tiny"
    made.show(compare_by="network")
    assert chosen_other(made.scene) == "twin"
    one, two = compare(made.scene).maps
    assert (one.raw != two.raw).any()


def test_a_network_given_as_a_model_is_opened_when_it_is_compared_with(keras, lent):
    made = cw.CNNExplorer(lent, pictures(), models={"closed": tiny(keras, seed=4)})
    try:
        made.show(class_index=0)
        assert list(made._catalogue._networks) == ["tiny"]
        made.show(compare=True, compare_by="network")
        assert "knows no class 'a'" in compare(made.scene).refused  # its classes have no names
        assert list(made._catalogue._networks) == ["tiny", "closed"]
    finally:
        made.close()


def test_another_network_changes_what_is_compared_with(networks):
    made, _ = networks
    made.show(compare_by="method", compare_with="layercam")
    made.show(network="twin")
    assert (made.state.compare_by, made.state.compare_with) == ("method", "")
    made.show(compare_by="network")
    assert chosen_other(made.scene) == "tiny"


# --- refusals ---


UNKNOWN = {
    "method": "Unknown method 'x9'. Methods to compare with: grad-cam, grad-cam++, ",
    "class": "Unknown class 'x9'. Classes to compare with: ",
    "layer": "Unknown layer 'x9'. Layers to compare with: conv1, pool1, conv2.",
    "photograph": "Unknown photograph 'x9'. Photographs to compare with: one, portrait.",
    "network": "Unknown network 'x9'. Networks to compare with: tiny.",
}


@pytest.mark.parametrize("by", UNKNOWN)
def test_an_unknown_name_is_refused_with_those_that_are_offered(explorer, by):
    assert refused(explorer, compare_by=by, compare_with="x9").startswith(UNKNOWN[by])


@pytest.mark.parametrize(
    ("by", "changes"),
    [
        ("method", {"compare_with": "grad-cam"}),
        ("class", {"compare_with": "b", "class_index": 1}),
        ("layer", {"compare_with": "conv2"}),
        ("layer", {"compare_with": "conv1", "cam_layer": "follow", "layer": "conv1"}),
        ("photograph", {"compare_with": "one"}),
        ("network", {"compare_with": "tiny"}),
    ],
    ids=str,
)
def test_what_is_on_screen_is_not_compared_with_itself(explorer, by, changes):
    said = refused(explorer, compare_by=by, **changes)
    assert said == f"A and B would be the same: choose another {by} to compare with."


def test_slow_methods_are_refused_on_either_side_until_their_map_is_known(explorer):
    assert refused(explorer, compare_by="method", compare_with="score-cam") == (
        "Score-CAM is too slow to compare at once (one pass per filter): choose a quick method."
    )
    said = "Score-CAM takes time (one pass per filter): press Compute first, then it can be "
    assert refused(explorer, method="score-cam", compare_with="layercam") == f"{said}compared."
    explorer.compute()
    found = compare(explorer.scene)
    assert [m.method for m in found.maps] == ["score-cam", "layercam"]
    explorer.show(method="layercam", compare_with="score-cam")
    assert [m.method for m in compare(explorer.scene).maps] == ["layercam", "score-cam"]
    said = refused(explorer, method="score-cam", compare_by="photograph")
    assert said.startswith("Score-CAM is too slow to compare at once")


def test_a_method_that_looks_at_the_input_has_no_layers_to_compare(explorer):
    for name in ("", "conv1"):
        said = refused(explorer, method="saliency", compare_by="layer", compare_with=name)
        assert said == (
            "Saliency looks at the input and not at a layer: choose a class activation map, such "
            "as Grad-CAM, to compare layers."
        )


def test_a_layer_to_which_no_path_leads_is_refused_on_either_side(keras):
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, name="before")(image)
    x = layers.Conv2D(5, 3, name="behind")(keras.ops.stop_gradient(x))
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    rng = np.random.default_rng(0)
    net = cw.Network(keras.Model(image, x), preprocess="none")
    made = cw.CNNExplorer(net, rng.integers(0, 256, (12, 12, 3), np.uint8))
    try:
        no_path = "No path leads back from the score to layer 'before'"
        said = refused(made, compare_by="layer", compare_with="before")
        assert said.startswith(no_path)
        made.show(compare=False)  # on the photograph itself, the same is told as an error
        made.state.update(cam_layer="before", compare_by="method", compare_with="layercam")
        assert compare(made.scene).refused.startswith(no_path)
        made.state.update(compare_by="layer")
        assert alternatives(made.scene) == ("behind",)
        assert chosen_other(made.scene) == "behind"
    finally:
        made.close()


def test_what_the_other_network_does_not_know_is_refused(networks):
    made, _ = networks
    said = refused(made, compare_by="network", compare_with="stranger")
    assert said == "stranger knows no class 'b': there is nothing to compare."
    said = refused(made, compare_with="cousin", class_index="a")  # a part of "ab" is not it
    assert said == "cousin knows no class 'a': there is nothing to compare."
    said = refused(made, compare_with="cousin", class_index="b", versus="d")
    assert said == "cousin knows no class 'd': there is nothing to compare."
    said = refused(made, compare_with="value", versus=None, target="probability")
    assert said == "value has one plain output value and no probabilities to explain."


def test_a_network_that_wants_more_than_the_photograph_is_refused(keras, lent):
    layers = keras.layers
    keras.utils.set_random_seed(3)
    image, meta = keras.Input((24, 24, 3), name="image"), keras.Input((4,), name="meta")
    x = layers.Conv2D(8, 3, activation="relu", name="conv")(image)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), meta])
    model = keras.Model([image, meta], layers.Dense(4)(x))
    net = cw.Network(
        model, preprocess="none", inputs={"meta": None}, head="logits", class_names=CLASSES
    )
    made = cw.CNNExplorer(lent, pictures(), models={"wants": net})
    try:
        said = refused(made, compare_by="network", compare_with="wants")
        assert said.startswith("'one' comes without input 'meta', shape (4,) float32.")
    finally:
        made.close()


def test_a_network_that_cannot_be_opened_is_refused(lent, tmp_path, keras):
    flat = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    models = {"lost": tmp_path / "lost.keras", "flat": flat}
    made = cw.CNNExplorer(lent, pictures(), models=models)
    try:
        assert "no model file" in refused(made, compare_by="network", compare_with="lost")
        assert "nothing to look into" in refused(made, compare_with="flat")
    finally:
        made.close()


@pytest.mark.parametrize(
    ("by", "said"),
    [("network", "Only one network is open"), ("photograph", "There is only one photograph")],
)
def test_where_there_is_no_other_one_it_is_said_how_to_get_one(lent, photo, by, said):
    made = cw.CNNExplorer(lent, photo)
    try:
        assert refused(made, compare_by=by).startswith(said)
    finally:
        made.close()
