"""Who votes for a class: effects by hand, exact where the tail is affine, measured elsewhere."""

from concurrent.futures import CancelledError

import numpy as np
import pytest
from helpers.models import binary, fixed_batch, sequential
from helpers.networks import nested, tiny
from test_ablation import built, counted, depthwise, network, residual, set_to_zero

import cnn_widgets as cw
from cnn_widgets.experiments import MEASURES


def test_votes_by_hand(by_hand, steps):
    net = cw.Network(by_hand, preprocess="none")
    found = cw.votes(net, steps, "relu")
    np.testing.assert_allclose(found.effect, [75, -21])
    np.testing.assert_allclose(found.weight, [1, -0.5])
    np.testing.assert_allclose(found.contribution, [75, -10.5])
    np.testing.assert_allclose(found.activation, [75 / 4, 21 / 4])
    assert found.passes == 0
    assert found.top(1) == (0,)
    np.testing.assert_array_equal(found.agreement, np.ones((4, 4)))
    before = cw.votes(net, steps, "conv")  # before the ReLU: measured, and the same
    np.testing.assert_allclose(before.effect, [75, -21])
    assert before.passes == 3  # as it is, and without each
    assert before.records()[0] == {
        "filter": 0, "effect": 75, "weight": 0.75, "contribution": 0.75 * 70,
        "activation": 17.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("build", "layer", "weights", "affine"),
    [
        (tiny, "bn1", "bn1", False), (sequential, "pool", "conv", True),
        (residual, "second", "second", True), (residual, "first", "first", False),
        (depthwise, "depth", "depth", False), (nested, "body/conv2", "body/conv2", True),
        (binary, "conv2", "conv2", True), (fixed_batch, "conv", "conv", True),
    ],
)  # fmt: skip
def test_effects_are_what_zeroed_weights_cost(keras, photo, build, layer, weights, affine):
    """Each filter is silenced in a copy of the model, whose weights for it are set to 0."""
    net = network(built(keras, build))
    found = cw.votes(net, photo, layer, 1, versus=0)
    scores = net.scores(photo)[0]
    copy = network(built(keras, build))
    whole = copy.model.get_weights()
    for k in range(net.layer(layer).filters):
        copy.model.set_weights(whole)
        set_to_zero(copy.model, weights, [k])
        copy.forget()
        after = copy.scores(photo)[0]
        cost = (scores[1] - scores[0]) - (after[1] - after[0])
        assert found.effect[k] == pytest.approx(cost, abs=2e-5), k
        silenced = cw.ablate(net, photo, layer, k, method=None).answers.scores_after
        np.testing.assert_allclose(silenced, after, rtol=0, atol=2e-5)
    assert np.abs(found.effect).max() > 1e-3
    assert (found.passes == 0) == affine


def test_each_filter_that_is_not_silent_costs_one_pass(keras, photo):
    model = tiny(keras)
    kernel, bias = model.get_layer("conv1").get_weights()
    kernel[..., [1, 4]] = bias[[1, 4]] = 0
    model.get_layer("conv1").set_weights([kernel, bias])
    net = network(model)
    net.observe(photo, "conv1")
    passes = counted(net)
    found = cw.votes(net, photo, "conv1")
    assert [n for name, n in passes if name == "tail_scores"] == [4, 1]
    assert found.passes == 5  # of 6 filters two are silent; and once as it is
    assert list(found.effect[[1, 4]]) == [0, 0]


def test_an_affine_tail_costs_one_gradient(keras, photo):
    net = network(tiny(keras))
    net.observe(photo)
    passes = counted(net)
    cw.votes(net, photo, "conv2")
    assert passes == [("tail_gradients", 1)]


def test_behind_a_batch_dependent_layer_filters_are_run_one_by_one(keras, photo):
    class Centered(keras.layers.Layer):
        def call(self, x):
            return keras.ops.tanh(x - keras.ops.mean(x, axis=0, keepdims=True) * 0.5)

    layers = keras.layers
    keras.utils.set_random_seed(1)
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name="conv")(inputs)
    net = network(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(Centered()(x)))))
    net.observe(photo, "conv")
    passes = counted(net)
    found = cw.votes(net, photo, "conv")
    assert [each for each in passes if each[0] == "tail_scores"] == [("tail_scores", 1)] * 5
    for k in range(4):
        after = cw.ablate(net, photo, "conv", k, method=None).answers.scores_after
        cost = net.scores(photo)[0].max() - after[found.class_index]
        assert found.effect[k] == pytest.approx(cost, abs=1e-5)


def test_rankings_that_agree_and_that_do_not():
    from cnn_widgets.experiments import Votes

    up, down = np.array([1.0, 2, 3], np.float32), np.array([3.0, 2, 1], np.float32)
    found = Votes("conv", 0, "cat", None, up, down, up * 10, np.zeros(3, np.float32), 0)
    assert list(MEASURES) == ["effect", "weight", "contribution", "activation"]
    expected = [[1, -1, 1, np.nan], [-1, 1, -1, np.nan], [1, -1, 1, np.nan], [np.nan] * 4]
    np.testing.assert_allclose(found.agreement, expected)  # one value for all ranks nothing
    assert found.top(2) == (2, 1)
    assert found.top(2, "weight") == (0, 1)
    assert [row["filter"] for row in found.records("weight")] == [0, 1, 2]
    with pytest.raises(ValueError, match="Expected a measure"):
        found.top(1, "size")
    with pytest.raises(ValueError, match="count to be at least 1"):
        found.top(0)


def test_what_was_not_measured_ranks_nothing(keras, photo):
    found = cw.votes(network(tiny(keras)), photo, "conv1", effects=False)
    assert np.isnan(found.effect).all()
    assert np.isnan(found.agreement[0]).all()
    for ask in (found.ranking, found.records, lambda: found.top(3)):
        with pytest.raises(ValueError, match="effects were not measured"):
            ask()
    assert len(found.top(3, "weight")) == 3


def test_it_can_be_stopped(keras, photo):
    seen = []
    with pytest.raises(CancelledError, match="after 4 of 7"):
        cw.votes(network(tiny(keras)), photo, "conv1",
                 progress=lambda *steps: seen.append(steps) or False)  # fmt: skip
    assert seen == [(4, 7)]


@pytest.fixture(scope="module")
def colors(keras):
    """Filters are the mean red, green and blue; four classes are made of them by hand."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Conv2D(3, 1, name="colors"),
        layers.GlobalAveragePooling2D(), layers.Dense(4, activation="softmax"),
    ])  # fmt: skip
    model.layers[0].set_weights([np.eye(3)[None, None], np.zeros(3)])
    columns = [[1, 0, 0], [2, 0, 0.0], [0, 1, 0], [-1, 0, 0]]
    model.layers[2].set_weights([np.array(columns).T, np.array([0, -30.0, 0, 50])])
    return cw.Network(model, preprocess="none", class_names=["red", "redder", "green", "no red"])


def test_classes_that_share_evidence_fall_together(colors):
    picture = cw.load_image(np.full((8, 8, 3), (100, 40, 7), np.uint8))
    found = cw.shared_evidence(colors, picture, class_index="red")
    rows = {row["name"]: (row["cosine"], row["drop"]) for row in found.records()}
    assert rows == {"redder": (1, 200), "green": (0, 0), "no red": (-1, -100)}
    assert found.removed == (0,)
    assert found.most_lowered(2) == [("redder", 200), ("red", 100)]
    by_green = cw.shared_evidence(colors, picture, class_index="red", filters=[1])
    assert by_green.most_lowered(1) == [("green", 40)]


def test_a_class_without_evidence_shares_none(colors):
    black = cw.load_image(np.zeros((8, 8, 3), np.uint8))
    found = cw.shared_evidence(colors, black, class_index="red")
    assert np.isnan(found.cosines).all()
    assert found.removed == ()
    assert not found.drops.any()
    with pytest.raises(ValueError, match="among"):
        cw.shared_evidence(colors, black, among=0)
