"""One number back to the pixels: it adds up, by hand and on every plain convolution."""

import numpy as np
import pytest
from helpers.models import byte_input, fixed_batch, mixed_precision, vision_transformer, wrapped
from helpers.networks import nested, tiny, used_twice

import cnn_widgets as cw
from cnn_widgets.layer_gradients.cells import cell_gradient, layer_before, layer_input


def test_a_number_by_hand(by_hand, steps):
    net = cw.Network(by_hand, preprocess="none")
    found = cw.trace_cell(net, steps, "relu", 0, 1, 0)
    np.testing.assert_array_equal(found.products.patch[..., 0], [[1, 2, 3], [5, 6, 7], [9, 10, 11]])
    np.testing.assert_array_equal(found.products.kernel, np.ones((3, 3, 1)))
    assert (found.products.bias, found.products.total, found.value) == (-50, 4, 4)
    assert [(step.layer, step.told, step.value) for step in found.steps] == [
        ("conv", "sum of the products", 54), ("conv", "plus the bias", 4),
        ("relu", "activation", 4),
    ]  # fmt: skip
    assert found.box == (0, 1, 3, 4)
    expected = np.zeros((4, 4), np.float32)
    expected[:3, 1:] = 1
    np.testing.assert_array_equal(found.gradient[..., 0], expected)
    np.testing.assert_array_equal(found.heatmap, expected)
    assert not found.silent


def test_behind_a_relu_that_is_shut_no_pixel_counts(by_hand, steps):
    net = cw.Network(by_hand, preprocess="none")
    shut = cw.trace_cell(net, steps, "relu", 0, 0, 1)  # 45 - 75
    assert (shut.value, shut.silent, [step.value for step in shut.steps]) == (0, True, [45, -30, 0])
    assert not shut.heatmap.any()
    assert not cw.trace_cell(net, steps, "conv", 0, 0, 1).silent


def test_the_limit_of_an_activation_is_no_0_of_a_relu(keras):
    """Ones of 3×3, and a ReLU6: where the sum is above 6, no pixel changes the 6."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((4, 4, 1)),
        layers.Conv2D(1, 3, use_bias=False, kernel_initializer="ones", name="conv"),
        layers.ReLU(6, name="relu"), layers.Flatten(), layers.Dense(2),
    ])  # fmt: skip
    net = cw.Network(model, preprocess="none")
    full = cw.load_image(np.full((4, 4), 9, np.uint8))
    found = cw.trace_cell(net, full, "relu", 0, 0, 0)
    assert (found.value, found.silent, found.steps[-1].value) == (6, True, 6)
    explorer = cw.CNNExplorer(net, [full])
    explorer.show(kinds="all", layer="relu", experiments=True, experiment="trace")
    assert (
        "an activation function there or before is at its limit"
        in explorer._screen.views["experiment"].value
    )
    explorer.show(image=cw.load_image(np.zeros((4, 4), np.uint8), name="dark"))
    assert "it is the 0 of a ReLU" in explorer._screen.views["experiment"].value
    explorer.close()


def test_what_a_value_alone_does_not_tell_is_refused_in_words(keras, photo):
    layers = keras.layers

    def turned(x):
        return keras.ops.reshape(keras.ops.relu(x), (-1, 14, 14, 4))

    for follows, why in [
        (layers.BatchNormalization(axis=2, name="it"), "another axis than that of the filters"),
        (layers.Activation(turned, name="it"), "does not take one value alone"),
    ]:
        model = keras.Sequential([
            keras.Input((16, 16, 3)), layers.Conv2D(4, 3, name="conv"), follows,
            layers.GlobalAveragePooling2D(), layers.Dense(2),
        ])  # fmt: skip
        found = cw.trace_cell(cw.Network(model, preprocess="none"), photo, "it", 13, 0, 0)
        assert why in found.refused
        assert found.products is None


def layer_kinds(L):
    yield L.Conv2D(4, 3, padding="same", name="it")
    yield L.Conv2D(4, (2, 5), strides=(2, 3), padding="same", name="it")
    yield L.Conv2D(4, 4, strides=3, use_bias=False, name="it")
    yield L.Conv2D(4, 3, dilation_rate=(2, 3), padding="same", activation="tanh", name="it")
    yield L.Conv2D(4, (3, 2), groups=2, activation="gelu", name="it")
    yield L.DepthwiseConv2D(3, depth_multiplier=2, strides=2, padding="same", name="it")
    yield L.DepthwiseConv2D((3, 2), dilation_rate=2, activation="relu", name="it")


@pytest.mark.parametrize("number", range(7))
def test_every_cell_of_every_plain_convolution_adds_up(keras, photo, number):
    keras.utils.set_random_seed(number)
    layer = list(layer_kinds(keras.layers))[number]
    layer.bias_initializer = keras.initializers.RandomNormal(seed=number)
    model = keras.Sequential([
        keras.Input((13, 11, 3)), keras.layers.Conv2D(4, 1, activation="relu", name="first"), layer,
        keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2),
    ])  # fmt: skip
    net = cw.Network(model, preprocess=lambda pixels: pixels / 255)
    shown = net.activations(photo, "it")
    rng = np.random.default_rng(number)
    height, width, filters = shown.shape
    corners = [(0, 0), (0, width - 1), (height - 1, 0), (height - 1, width - 1)]
    inner = [(int(rng.integers(height)), int(rng.integers(width))) for _ in range(3)]
    for row, column in corners + inner:
        for k in range(filters):
            found = cw.trace_cell(net, photo, "it", row, column, k)
            assert found.refused == ""
            assert found.steps[-1].value == pytest.approx(shown[row, column, k], abs=1e-5)
            first = found.steps[0].value
            assert first == pytest.approx((found.products.kernel * found.products.patch).sum())
            top, left, bottom, right = net.receptive_field("it", row, column)
            outside = np.ones((13, 11), bool)
            outside[int(top) : int(bottom), int(left) : int(right)] = False
            assert not found.gradient[outside].any()


def test_steps_go_through_normalization_and_activation(keras, photo):
    model = tiny(keras)
    rng = np.random.default_rng(0)
    norm = model.get_layer("bn1")
    norm.set_weights([rng.uniform(0.5, 2, each.shape) for each in norm.get_weights()])
    net = cw.Network(model, preprocess=lambda pixels: pixels / 255)
    for k in range(6):
        found = cw.trace_cell(net, photo, "relu1", 5, 4, k)
        assert [step.layer for step in found.steps] == ["conv1", "conv1", "bn1", "relu1"]
        for step, layer in zip(found.steps[1:], ("conv1", "bn1", "relu1"), strict=True):
            assert step.value == pytest.approx(net.activations(photo, layer)[5, 4, k], abs=1e-5)
        gamma, beta, mean, variance = (each[k] for each in norm.get_weights())
        before, after = found.steps[1].value, found.steps[2].value
        assert after == pytest.approx(gamma * (before - mean) / np.sqrt(variance + 1e-3) + beta)
    inside = cw.trace_cell(net, photo, "conv2", 2, 2, 3)
    assert [step.told for step in inside.steps] == ["sum of the products", "plus the bias", "relu"]


@pytest.mark.parametrize(
    ("build", "layer"),
    [
        (nested, "body/relu1"),
        (used_twice, "shared:1"),
        (mixed_precision, "bn1"),
        (wrapped, None),
        (fixed_batch, "conv"),
        (byte_input, "tiny/conv2"),
    ],
)
def test_layers_inside_models_called_twice_and_of_other_inputs(keras, photo, build, layer):
    net = cw.Network(build(keras), preprocess=lambda pixels: pixels / 255)
    layer = layer or next(i.name for i in net.layers if i.kind == "Conv2D" and i.spatial)
    found = cw.trace_cell(net, photo, layer, 3, 2, 1)
    slack = 1e-2 if build is mixed_precision else 1e-5
    assert found.refused == ""
    assert found.steps[-1].value == pytest.approx(found.value, abs=slack)


def test_gradients_of_a_cell_are_central_differences(keras, photo):
    layers = keras.layers
    keras.utils.set_random_seed(2)
    model = keras.Sequential([
        keras.Input((7, 6, 2)), layers.Conv2D(3, 3, activation="tanh"), layers.AveragePooling2D(2),
        layers.Conv2D(2, 2, padding="same", activation="softplus", name="it"), layers.Flatten(),
    ])  # fmt: skip
    net = cw.Network(model, preprocess="none")
    x = np.random.default_rng(0).normal(0, 1, (1, 7, 6, 2)).astype(np.float32)
    value, found = cell_gradient(net.engine, "it", x, 1, 0, 1)
    assert value == pytest.approx(net.engine.observe(x, ("it",)).activations["it"][0, 1, 0, 1])
    for place in np.ndindex(7, 6, 2):
        moved = np.repeat(x, 2, 0)
        moved[(0, *place)] += 0.01
        moved[(1, *place)] -= 0.01
        up, down = net.engine.observe(moved, ("it",)).activations["it"][:, 1, 0, 1]
        assert found[place] == pytest.approx((up - down) / 0.02, abs=2e-4), place


def test_one_function_serves_all_cells_of_a_layer(tiny_net, photo):
    cw.trace_cell(tiny_net, photo, "relu1", 0, 0, 0)
    traces = tiny_net.engine.traces
    for row in range(4):
        cw.trace_cell(tiny_net, photo, "relu1", row, 3, row)
    assert tiny_net.engine.traces == traces


def test_what_a_layer_is_called_with_comes_from_the_graph(keras, photo):
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    one = layers.Conv2D(4, 1, name="one")(inputs)
    other = layers.Conv2D(4, 1, name="other")(inputs)
    x = layers.ReLU(name="relu")(one)  # not of "other", which stands before it in the table
    x = layers.Add(name="add")([x, other])
    x = layers.ReLU(name="last")(x)
    net = cw.Network(keras.Model(inputs, layers.Flatten()(x)), preprocess="none")
    assert layer_before(net.engine, "relu") == "one"
    assert layer_before(net.engine, "last") == "add"
    assert layer_before(net.engine, "add") is None
    given = net.input_tensor(photo)[None]
    assert layer_input(net.engine, "add", given) is None
    np.testing.assert_array_equal(layer_input(net.engine, "one", given), given)
    found = cw.trace_cell(net, photo, "last", 1, 1, 0)
    assert found.refused.startswith("'add' is not taken apart: it is a Add")
    assert found.products is None
    assert found.steps == ()


def test_what_is_not_plain_is_said_and_the_rest_still_told(keras, photo):
    layers = keras.layers

    class Own(layers.Conv2D):
        def call(self, x):
            return super().call(x) * 2

    keras.utils.set_random_seed(0)
    model = keras.Sequential([
        keras.Input((12, 12, 3)), Own(3, 3, name="own"), layers.SeparableConv2D(3, 3, name="sep"),
        layers.MaxPooling2D(2, name="pool"), layers.ReLU(name="relu"),
        layers.GlobalAveragePooling2D(),
    ])  # fmt: skip
    net = cw.Network(model, preprocess=lambda pixels: pixels / 255)
    for layer, kind in [("own", "Own"), ("sep", "SeparableConv2D"), ("relu", "MaxPooling2D")]:
        found = cw.trace_cell(net, photo, layer, 1, 1, 0)
        assert kind in found.refused
        assert found.products is None
        assert found.box.bottom > found.box.top
    tokens = cw.Network(vision_transformer(keras), preprocess="none")
    name = next(info.name for info in tokens.layers_of(None))
    assert "tokens" in cw.trace_cell(tokens, photo, name, 1, 1, 0).refused


def test_a_layer_that_computes_something_else_than_it_says_is_found_out(keras, photo):
    model = tiny(keras)
    layer = model.get_layer("conv2")
    given = layer.call
    layer.call = lambda x: given(x) + 1.0
    net = cw.Network(model, preprocess=lambda pixels: pixels / 255)
    found = cw.trace_cell(net, photo, "conv2", 1, 1, 0)
    assert "computes something else than the layer says" in found.refused
    assert found.products is None
    private = cw.Network(tiny(keras), preprocess="none").private_copy()
    assert "private copy" in cw.trace_cell(private, photo, "conv2", 1, 1, 0).refused


def test_bad_questions_are_refused(keras, tiny_net, photo):
    with pytest.raises(ValueError, match="Unknown layer"):
        cw.trace_cell(tiny_net, photo, "nope", 0, 0, 0)
    with pytest.raises(ValueError, match="Expected a cell"):
        cw.trace_cell(tiny_net, photo, "conv2", 99, 0, 0)
    with pytest.raises(ValueError, match="Unknown filter 8"):
        cw.trace_cell(tiny_net, photo, "conv2", 0, 0, 8)
    layers = keras.layers
    rounded = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Lambda(keras.ops.stop_gradient),
        layers.Conv2D(2, 3, name="c"), layers.GlobalAveragePooling2D(),
    ])  # fmt: skip
    with pytest.raises(ValueError, match="No gradient leads from a cell of 'c' to the input"):
        cw.trace_cell(cw.Network(rounded, preprocess="none"), photo, "c", 0, 0, 0)
