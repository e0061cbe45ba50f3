"""Whether scores are affine in a layer's output: proven from the graph, and tried out."""

import numpy as np
import pytest
import tensorflow as tf

import cnn_widgets as cw

SHAPE = (8, 6, 4)


def network(keras, tail):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 6, 3))
    x = keras.layers.Conv2D(4, 1, name="maps")(inputs)
    return cw.Network(keras.Model(inputs, tail(keras.layers, x, inputs)), preprocess="none")


def dense(layers, x):
    return layers.Dense(3)(layers.GlobalAveragePooling2D()(x))


@tf.custom_gradient
def backwards(x):
    return x, lambda slope: -slope


AFFINE = {
    "pooling and dense": lambda L, x, _: dense(L, x),
    "flatten and dense": lambda L, x, _: L.Dense(3)(L.Flatten()(x)),
    "softmax": lambda L, x, _: L.Softmax()(dense(L, x)),
    "dropout, norm, average": lambda L, x, _: dense(
        L, L.AveragePooling2D(2)(L.BatchNormalization()(L.SpatialDropout2D(0.4)(x)))
    ),
    "a dilated convolution": lambda L, x, _: dense(L, L.Conv2D(3, 2, dilation_rate=2)(x)),
    "a depthwise one, padded": lambda L, x, _: dense(
        L, L.DepthwiseConv2D(3)(L.ZeroPadding2D(2)(x))
    ),
    "two ways, added": lambda L, x, _: dense(L, L.Add()([x, L.Conv2D(4, 1)(x)])),
    "two ways, side by side": lambda L, x, _: dense(L, L.Concatenate()([x, L.Conv2D(2, 1)(x)])),
    "a gate of the input alone": lambda L, x, y: dense(
        L, L.Multiply()([x, L.Conv2D(4, 1, activation="sigmoid")(y)])
    ),
    "turned and resized": lambda L, x, _: dense(L, L.UpSampling2D(2)(L.Permute((2, 1, 3))(x))),
    "cut": lambda L, x, _: dense(L, L.Cropping2D(1)(x) * 3.0 - 1.0),
}
CURVED = {
    "a ReLU": (lambda L, x, _: dense(L, L.ReLU()(x)), "Relu"),
    "max pooling": (lambda L, x, _: dense(L, L.MaxPooling2D()(x)), "MaxPool"),
    "a gate of its own": (
        lambda L, x, _: dense(L, L.Multiply()([x, L.Conv2D(4, 1)(x)])), "Mul"
    ),
    "a square": (lambda L, x, _: dense(L, x * x), "Mul"),
    "one over it": (lambda L, x, _: dense(L, 1.0 / (x + 99.0)), "RealDiv"),
    "layer normalization": (lambda L, x, _: dense(L, L.LayerNormalization()(x)), None),
    "rounding": (lambda L, x, _: dense(L, L.Lambda(tf.round)(x)), "Round"),
    "no gradient": (lambda L, x, _: dense(L, L.Lambda(tf.stop_gradient)(x) + x), "StopGradient"),
    "another gradient": (lambda L, x, _: dense(L, L.Lambda(backwards)(x)), "IdentityN"),
}  # fmt: skip


def bend(net):
    """Return how far the scores are from affine along two random directions, and their size."""
    rng = np.random.default_rng(0)
    a, b, c = (rng.normal(0, 50, (1, *SHAPE)).astype(np.float32) for _ in range(3))
    x = rng.normal(0, 1, (1, 8, 6, 3)).astype(np.float32)
    scores = [net.engine.tail_scores("maps", x, each)[0] for each in (a, a + b, a + c, a + b + c)]
    return np.abs(scores[0] - scores[1] - scores[2] + scores[3]).max(), np.abs(scores).max()


@pytest.mark.parametrize("name", AFFINE)
def test_what_is_called_affine_is(keras, name):
    net = network(keras, AFFINE[name])
    assert net.engine.graph.curve("maps") is None
    off, size = bend(net)
    assert off <= 1e-5 * size


@pytest.mark.parametrize("name", CURVED)
def test_what_is_not_affine_or_has_another_gradient_is_not_called_so(keras, name):
    build, kind = CURVED[name]
    found = network(keras, build).engine.graph.curve("maps")
    assert found is not None
    assert kind in (None, found)


@pytest.mark.slow
def test_the_bundled_network_is_affine_behind_its_last_map_only(lite0):
    curve = lite0.engine.graph.curve
    assert curve("head_relu") is None
    assert curve("head_bn") == "Relu6"
    assert curve("block15_project") == "Relu6"
