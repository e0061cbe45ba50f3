"""Between which values an activation function lies, read off the graph of a model."""

from math import inf

import pytest

import cnn_widgets as cw
from cnn_widgets.filter_index.ranges import ValueRange, value_range

SELU = -1.7580993408473766


def range_of(keras, *behind):
    """Return the range of what comes last, behind a convolution."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((4, 4, 3)), layers.Conv2D(2, 1, name="conv"), *behind,
        layers.Activation("linear", name="last"),
        layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    return value_range(cw.Network(model, preprocess="none").engine.graph.filters("last"))


@pytest.mark.parametrize(
    ("activation", "low", "high", "rests"),
    [
        ("relu", 0, inf, True), ("relu6", 0, 6, True), ("sigmoid", 0, 1, False),
        ("tanh", -1, 1, False), ("softsign", -1, 1, False), ("elu", -1, inf, False),
        ("selu", SELU, inf, False), ("softplus", 0, inf, False), ("hard_sigmoid", 0, 1, True),
        ("linear", -inf, inf, False), ("leaky_relu", -inf, inf, False),
        ("gelu", -inf, inf, False), ("silu", -inf, inf, False),
    ],
)  # fmt: skip
def test_the_range_of_an_activation_function(keras, activation, low, high, rests):
    found = range_of(keras, keras.layers.Activation(activation))
    assert (found.low, found.rests) == (pytest.approx(low, abs=1e-6), rests)
    assert found.high == pytest.approx(high)


def test_clipping_scaling_shifting_and_pooling_are_followed(keras):
    layers, ops = keras.layers, keras.ops
    for behind, wanted in (
        ([layers.ReLU(max_value=4)], (0, 4, True)),
        ([layers.ReLU(), layers.MaxPooling2D()], (0, inf, True)),
        ([layers.ReLU(), layers.Dropout(0.5)], (0, inf, True)),
        ([layers.Lambda(lambda x: ops.clip(x, -2, 3))], (-2, 3, False)),
        ([layers.ReLU(max_value=6), layers.Rescaling(0.5, 1)], (1, 4, False)),
        ([layers.ReLU(), layers.Lambda(lambda x: x - 1.0)], (-1, inf, False)),
        ([layers.ReLU(), layers.Lambda(lambda x: 1.0 - x)], (-inf, inf, False)),
        ([layers.ReLU(), layers.Lambda(lambda x: x * -2.0)], (-inf, inf, False)),
        ([layers.ReLU(), layers.Lambda(lambda x: x * x)], (-inf, inf, False)),
        ([layers.ReLU(), layers.BatchNormalization()], (-inf, inf, False)),
        ([layers.Activation("tanh"), layers.ReLU()], (0, 1, True)),
    ):
        found = range_of(keras, *behind)
        assert (found.low, found.high, found.rests) == wanted, behind


def test_near_an_end_is_a_share_of_the_range_or_of_the_end_alone():
    assert ValueRange(0, 6, True).near(0.01) == pytest.approx((0.06, 5.94))
    assert ValueRange(-1, 1).near(0.01) == pytest.approx((-0.98, 0.98))
    assert ValueRange(-1, inf).near(0.01) == (pytest.approx(-0.99), inf)
    assert ValueRange().near(0.01) == (-inf, inf)


def test_a_zero_of_rest_is_no_end():
    ranges = [ValueRange(0, inf, True), ValueRange(0, 6, True), ValueRange(-1, inf), ValueRange()]
    assert [each.ends for each in ranges] == [False, True, True, False]
