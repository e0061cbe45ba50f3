"""The sanity check and its network of private weights, with answers known beforehand."""

import numpy as np
import pytest
from helpers.networks import fingerprint, tiny

import cnn_widgets as cw
from cnn_widgets.evaluation.randomization import rank_correlation, sanity_check

# --- a network of its own weights ---------------------------------------------------------------


def kinds(keras):
    """Return models that no configuration could rebuild, or that are built in odd ways."""
    layers = keras.layers

    class Own(keras.Model):
        def __init__(self, secret):
            super().__init__()
            self.secret = secret  # no get_config: it cannot be cloned
            self.conv = layers.Conv2D(4, 3, padding="same", activation="relu")
            self.dense = layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.dense(keras.ops.mean(self.conv(x) * self.secret, axis=(1, 2)))

    own = Own(2.0)
    own(np.zeros((1, 12, 12, 3), np.float32))
    inside = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
        ]
    )
    inputs = keras.Input((12, 12, 3))
    shared = layers.Conv2D(3, 3, padding="same", activation="relu", name="shared")
    x = shared(shared(inputs))
    nested = layers.Dense(3)(layers.GlobalAveragePooling2D()(inside(x)))
    return {
        "functional": tiny(keras, size=(12, 12)),
        "subclassed": own,
        "nested, with a shared layer": keras.Model(inputs, nested),
    }


@pytest.mark.parametrize("kind", ["functional", "subclassed", "nested, with a shared layer"])
def test_a_private_copy_computes_the_same_and_may_be_changed(keras, photo, kind):
    model = kinds(keras)[kind]
    net = cw.Network(model, preprocess="none", input_size=(12, 12))
    before, scores = fingerprint(model), net.scores(photo)[0]
    first = cw.attribute(net, photo)
    twin = net.private_copy()
    np.testing.assert_array_equal(twin.scores(photo)[0], scores)
    for method in ("grad-cam", "saliency", "guided-backprop", "ablation-cam"):
        ours, theirs = (cw.attribute(each, photo, method, 1).raw for each in (twin, net))
        np.testing.assert_array_equal(ours, theirs)
    assert sorted(w.path for w in twin.private_weights) == sorted(w.path for w in model.weights)
    for weight in twin.private_weights:
        weight.write(weight.read() * 0.5)
    twin.forget()
    assert not np.allclose(twin.scores(photo)[0], scores)
    assert fingerprint(model) == before
    np.testing.assert_array_equal(net.scores(photo)[0], scores)
    np.testing.assert_array_equal(cw.attribute(net, photo).raw, first.raw)


def test_a_private_copy_of_changed_weights_computes_as_the_model_does_with_them(keras, photo):
    model = tiny(keras)
    net = cw.Network(model, preprocess="none")
    twin = net.private_copy()
    changed = {w.path: np.asarray(w) * 1.25 for w in model.weights}
    for weight in twin.private_weights:
        weight.write(changed[weight.path])
    twin.forget()
    ours = cw.attribute(twin, photo, "layercam", 2)
    for weight in model.weights:
        weight.assign(changed[weight.path])
    theirs = cw.attribute(net, photo, "layercam", 2)
    assert ours.score == theirs.score
    np.testing.assert_array_equal(ours.raw, theirs.raw)


def test_the_private_weights_come_from_input_to_scores(lite0):
    layers = list(dict.fromkeys(w.layer for w in lite0.private_copy().private_weights))
    assert layers[:2] == ["stem", "stem_bn"]
    assert layers[-2:] == ["head_bn", "predictions"]


# --- the sanity check ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 4000], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4], [1, 1, 1, 1], 0.0),
        ([1, 2, 2, 3], [1, 2, 3, 4], 0.9486833),  # ties share their mean rank
        ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8),  # 1 - 6·4 / (5·24)
    ],
)
def test_the_rank_correlation_is_spearman_s(one, other, expected):
    one, other = np.float32(one), np.float32(other)
    assert rank_correlation(one, other) == pytest.approx(expected, abs=1e-6)
    assert rank_correlation(other, one) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_grad_cam_falls_apart_with_the_network_and_guided_backprop_does_not(lite0, gallery):
    """Adebayo et al. 2018, figure 3: the finding that gave the check its name."""
    before = fingerprint(lite0.model)
    cam = sanity_check(lite0, gallery["cat"], "grad-cam", steps=4)
    guided = sanity_check(lite0, gallery["cat"], "guided-backprop", steps=4)
    assert cam.correlations[0] == guided.correlations[0] == 1.0
    assert cam.correlations[1] < 0.7
    assert guided.correlations[1] > 0.95  # the topmost layer is noise, the map stays
    assert abs(guided.correlations[-1]) < 0.3
    assert fingerprint(lite0.model) == before
    assert cam.stages[:2] == ("trained", "predictions")
    assert cam.stages[-1] == "stem"
    assert cam.shares[-1] == 1.0
    assert all(each.class_index == 285 for each in cam.maps)
    np.testing.assert_array_equal(cam.maps[0].raw, cw.attribute(lite0, gallery["cat"]).raw)


def test_the_check_is_seeded_and_takes_the_methods_options(tiny_net, photo):
    first, same = (sanity_check(tiny_net, photo, steps=3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.correlations, same.correlations)
    other = sanity_check(tiny_net, photo, steps=3, seed=6)
    assert any(
        not np.array_equal(a.raw, b.raw) for a, b in zip(first.maps, other.maps, strict=True)
    )
    checked = sanity_check(tiny_net, photo, "rise", 1, masks=10, steps=2)
    assert checked.maps[1].origin.options == {"masks": 10}


def test_a_network_without_weights_has_nothing_to_randomise(keras, photo):
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D()(inputs))
    net = cw.Network(keras.Model(inputs, outputs), preprocess="none")
    with pytest.raises(ValueError, match="has no weights: there is nothing to randomise"):
        sanity_check(net, photo)
    with pytest.raises(ValueError, match="at least one step"):
        sanity_check(net, photo, steps=0)


def test_a_map_of_the_private_copy_is_not_saved_as_the_model_s(tiny_net, photo, tmp_path):
    check = sanity_check(tiny_net, photo, steps=2)
    check.maps[0].save(tmp_path / "trained")
    with pytest.raises(ValueError, match="made on a private copy"):
        check.maps[1].save(tmp_path / "shuffled")
    assert not (tmp_path / "shuffled").exists()
