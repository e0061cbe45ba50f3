"""Gradients of a layer's output with respect to the input, against central differences."""

import numpy as np
import pytest
from helpers.models import fixed_batch
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.layer_gradients.slopes import _compiled, layer_slopes


@pytest.fixture(scope="module")
def net(keras):
    """In double precision, so that differences of the outputs are exact enough."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        return cw.Network(tiny(keras, dtype="float64"), preprocess="none")
    finally:
        keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("layer", ["conv1", "relu1", "conv2", "gap", None])
def test_slopes_are_central_differences(net, layer, squared):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 16, 12, 3)).astype(np.float32)
    shape = (4,) if layer is None else net.layer(layer).shape
    weights = rng.normal(size=shape).astype(np.float32)
    slopes = layer_slopes(net.engine, layer, x, weights, squared=squared)[3]
    found, differences = [], []
    for way in rng.normal(size=(12, *x.shape)).astype(np.float32):
        step = 5e-5 * way  # short, so that hardly a ReLU opens or closes on it
        up, down = (layer_slopes(net.engine, layer, at, weights, squared=squared)[0]
                    for at in (x + step, x - step))  # fmt: skip
        found.append(float((slopes * way).sum()))
        differences.append((up - down) / 1e-4)
    typical = np.sqrt(np.mean(np.square(differences)))
    assert typical > 0.01  # there is a slope to compare
    np.testing.assert_allclose(found, differences, rtol=0, atol=0.06 * typical)


def test_value_means_and_peaks_are_those_of_the_layer(net):
    x = np.random.default_rng(1).normal(size=(2, 16, 12, 3)).astype(np.float32)
    a = net.engine.observe(x, ("conv1",)).activations["conv1"]
    one = np.eye(6, dtype=np.float32)[4]
    value, means, peaks, slopes = layer_slopes(net.engine, "conv1", x, one)
    assert value == pytest.approx(a[..., 4].sum(), rel=1e-5)
    np.testing.assert_allclose(means, a.mean(axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(peaks, a.max(axis=(1, 2)), atol=1e-5)
    assert slopes.shape == x.shape


def test_only_the_network_up_to_the_layer_is_run_and_the_function_is_kept(net):
    early, late = (_compiled(net.engine, name, False, False) for name in ("conv1", "conv2"))
    assert early.operations.count("Conv2D") == 1
    assert late.operations.count("Conv2D") == 2
    assert "MatMul" not in late.operations
    assert _compiled(net.engine, "conv1", False, False) is early


def test_a_silent_filter_has_no_gradient_but_says_what_would_wake_it(keras):
    layers = keras.layers
    model = keras.Sequential([keras.Input((4, 4, 1)), layers.Conv2D(1, 1, activation="relu"),
                              layers.Flatten(), layers.Dense(2)])  # fmt: skip
    model.layers[0].set_weights([np.full((1, 1, 1, 1), 2.0), np.array([-9.0])])
    net = cw.Network(model, preprocess="none", head="logits")
    name = net.layers[0].name
    x, one = np.ones((1, 4, 4, 1), np.float32), np.ones(1, np.float32)
    assert not layer_slopes(net.engine, name, x, one)[3].any()
    np.testing.assert_array_equal(layer_slopes(net.engine, name, x, one, opened=True)[3], 2)


def test_a_fixed_batch_is_filled_up_and_a_private_copy_has_its_own(keras, net):
    fixed = cw.Network(fixed_batch(keras), preprocess="none")
    x = np.ones((1, 16, 12, 3), np.float32)
    assert layer_slopes(fixed.engine, "conv", x, np.ones(4, np.float32))[3].shape == x.shape
    private = net.private_copy()
    for weight in private.private_weights:
        weight.write(0 * weight.read())
    ones = np.ones(6, np.float32)
    assert layer_slopes(private.engine, "conv1", x, ones)[0] == 0
    assert layer_slopes(net.engine, "conv1", x, ones)[0] != 0


def test_where_no_gradient_leads_is_said(keras, net):
    class Steps(keras.layers.Layer):
        def call(self, x):
            return keras.ops.cast(keras.ops.cast(x, "int32"), "float32")

    inputs = keras.Input((4, 4, 3))
    x = keras.layers.GlobalAveragePooling2D()(Steps(name="steps")(inputs))
    broken = cw.Network(keras.Model(inputs, keras.layers.Dense(2)(x)), preprocess="none",
                        head="logits")  # fmt: skip
    with pytest.raises(ValueError, match="No gradient leads from layer 'steps' to the network's"):
        layer_slopes(broken.engine, "steps", np.ones((1, 4, 4, 3), np.float32), np.ones(3))
    with pytest.raises(ValueError, match="Unknown layer 'nope'"):
        layer_slopes(net.engine, "nope", np.ones((1, 16, 12, 3), np.float32), np.ones(3))
