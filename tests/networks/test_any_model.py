"""Every kind of Keras model opens, gives its own numbers, and is not changed."""

import numpy as np
import pytest
from helpers.models import (
    binary,
    byte_input,
    call_compiled_by_its_owner,
    dense_only,
    dict_input,
    dict_outputs,
    dict_with_a_list,
    double_precision,
    equal_names,
    fixed_batch,
    free_size,
    frozen,
    functional,
    half_precision,
    jit_compiled,
    logits,
    mixed_precision,
    multilabel,
    named_oddly,
    nested_two_deep,
    one_channel,
    preprocessing_inside,
    quantised_to_four_bits,
    recurrent_head,
    regularised,
    segmentation,
    sequential,
    sequential_in_sequential,
    several_outputs,
    subclassed,
    swish,
    time_distributed,
    training_branches,
    transformer_like,
    u_net,
    vision_transformer,
    wrapped,
)
from helpers.networks import (
    FAST,
    fingerprint,
    low_rank,
    mid_training,
    nested,
    quantised,
    subclassed_nested,
    used_twice,
)

import cnn_widgets as cw
from cnn_widgets.environment import tensorflow
from cnn_widgets.images.resizing import resize_to_input

ARTICLE = [
    "Conv1",
    "expanded_conv_project",
    *(f"block_{i}_{part}" for i in range(1, 17) for part in ("expand", "project")),
    "Conv_1",
]


MATRIX = [
    functional,
    sequential,
    nested,
    sequential_in_sequential,
    subclassed,
    binary,
    logits,
    multilabel,
    one_channel,
    free_size,
    fixed_batch,
    used_twice,
    several_outputs,
    dict_outputs,
    dict_input,
    segmentation,
    mixed_precision,
    double_precision,
    regularised,
    time_distributed,
    transformer_like,
]


#: Rarer ones; the test takes a second or two for each.
RARER = [
    nested_two_deep,
    subclassed_nested,
    preprocessing_inside,
    mid_training,
    half_precision,
    quantised,
    quantised_to_four_bits,
    recurrent_head,
    dict_with_a_list,
    byte_input,
    named_oddly,
    equal_names,
    low_rank,
    training_branches,
    frozen,
    vision_transformer,
    dense_only,
    u_net,
    wrapped,
    call_compiled_by_its_owner,
    jit_compiled,
    swish,
]


SQUARE = (transformer_like, vision_transformer)

WITHOUT_RELU = (fixed_batch, regularised, time_distributed, transformer_like, vision_transformer)
COARSE = (mixed_precision, half_precision)


def plain_call(model, x):
    """Return what the model itself puts out for the first image: no engine, no taps."""
    struct = getattr(model, "_inputs_struct", None)
    given = {"picture": x} if isinstance(struct, dict) else [x] if isinstance(struct, list) else x
    output = model(given, training=False)
    output = output["main"] if isinstance(output, dict) else output
    output = output[0] if isinstance(output, list) else output
    return np.asarray(output, np.float32)[0].reshape(-1, output.shape[-1]).mean(0)


@pytest.mark.parametrize(
    "build",
    [*MATRIX, *(pytest.param(build, marks=pytest.mark.slow) for build in RARER)],
    ids=lambda build: build.__name__,
)
def test_every_kind_of_model_works_and_is_not_changed(keras, photo, build):
    model = build(keras)
    channels = 1 if build is one_channel else 3
    size = (16, 16) if build in SQUARE else (16, 12)
    x = resize_to_input(photo, size, channels).astype(np.float32)[None]
    expected = plain_call(model, np.repeat(x, 2, 0))
    before = fingerprint(model)
    net = cw.Network(model, preprocess="none", input_size=size)
    np.testing.assert_array_equal(net.input_tensor(photo), x[0])

    scores, probabilities = net.scores(photo)
    if build is binary:
        expected = np.array([1 - expected[0], expected[0]])
    elif build is logits:
        np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
        expected = np.exp(expected) / np.exp(expected).sum()
    tolerance = 2e-3 if build in COARSE else 1e-5
    np.testing.assert_allclose(probabilities, expected, atol=tolerance)

    for info in net.layers_of(None):
        assert net.activations(photo, info.name).shape == info.shape
    for method in FAST:
        if net.default_layer is None and cw.METHODS[method].at == "layer":
            with pytest.raises(ValueError, match="no layer with a spatial map"):
                cw.attribute(net, photo, method)
            continue
        if method.startswith("guided-") and build in WITHOUT_RELU:
            with pytest.raises(ValueError, match="gradients of ReLUs, and none is found"):
                cw.attribute(net, photo, method)
            continue
        found = cw.attribute(net, photo, method)
        assert found.heatmap.shape == photo.size
        assert np.isfinite(found.raw).all()
    pair = net.scores([photo, photo, photo])[1]
    np.testing.assert_allclose(pair, np.stack([probabilities] * 3), atol=tolerance)
    assert fingerprint(model) == before


@pytest.mark.slow
def test_the_article_s_35_layers_in_the_article_s_order():
    net = cw.load_network("MobileNetV2", weights=None)
    assert [info.name for info in net.feature_layers] == ARTICLE
    assert len(ARTICLE) == 35
    assert net.default_layer == "out_relu"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("ResNet50", "conv5_block3_out"),
        # test_every_application.py opens these three wherever the slow tests run
        pytest.param("ResNet50V2", "post_relu", marks=pytest.mark.sweep),
        ("VGG16", "block5_pool"),
        pytest.param("DenseNet121", "relu", marks=pytest.mark.sweep),
        pytest.param("EfficientNetV2B0", "top_activation", marks=pytest.mark.sweep),
        ("MobileNetV3Small", "activation_17"),
        ("MobileNet", "conv_pw_13_relu"),
        ("InceptionV3", "mixed10"),
        ("Xception", "block14_sepconv2_act"),
        ("ConvNeXtTiny", None),
    ],
)
def test_the_families_of_keras_applications_open(name, layer, gallery):
    net = cw.load_network(name, weights=None)
    info = net.layer(net.default_layer)
    assert info.spatial
    if layer and not layer.startswith("activation_"):  # automatic names count up per process
        assert net.default_layer == layer
    found = cw.attribute(net, gallery["cat"])
    assert found.raw.shape == info.shape[:2]
    assert np.isfinite(found.raw).all()
    assert net.feature_layers


def test_the_layers_of_a_call_that_its_owner_compiled_are_seen(keras, photo):
    """Loops over tensors in it, which only a compiled call may have, are run as ever."""
    tf = tensorflow()

    class Own(keras.Model):
        def __init__(self):
            super().__init__(name="own")
            self.conv = keras.layers.Conv2D(5, 3, name="conv")
            self.dense = keras.layers.Dense(3, activation="softmax", name="dense")

        @tf.function
        def call(self, x):
            y = self.conv(x)
            for _ in tf.range(3):
                y = tf.nn.relu(y) * 0.5
            return self.dense(tf.reduce_mean(y, [1, 2]))

    model = Own()
    model(np.zeros((1, 16, 12, 3), np.float32))
    before = fingerprint(model)
    net = cw.Network(model, preprocess="none")
    assert [info.name for info in net.layers] == ["conv", "dense"]
    assert (net.default_layer, net.head) == ("conv", "softmax")
    x = net.input_tensor(photo)[None]
    np.testing.assert_allclose(net.scores(photo)[1], np.asarray(model(x))[0], rtol=1e-4)
    with tf.GradientTape() as tape:
        maps = model.conv(x)
        tape.watch(maps)
        pooled = tf.reduce_mean(tf.nn.relu(maps) * 0.125, [1, 2])
        y = (pooled @ model.dense.kernel + model.dense.bias)[0, 1]
    expected = np.asarray(tape.gradient(y, maps))[0]
    np.testing.assert_allclose(net.gradients(photo, "conv", 1)[1], expected, rtol=1e-4, atol=1e-7)
    assert fingerprint(model) == before


INSIDE = {
    "a loop": lambda tf, conv, x: tf.while_loop(
        lambda i, y: i < 2, lambda i, y: (i + 1, conv(y)), [tf.constant(0), x]
    )[1],
    "a map": lambda tf, conv, x: tf.map_fn(lambda one: conv(one[None])[0], x),
    "a branch": lambda tf, conv, x: tf.cond(tf.reduce_mean(x) > 0, lambda: conv(x), lambda: x),
    "a function": lambda tf, conv, x: kept(tf, conv)(x),
}


def kept(tf, conv):
    """Return the `tf.function` that calls a layer, always the same one."""
    if not hasattr(conv, "kept"):
        conv.kept = tf.function(lambda x: conv(x))
    return conv.kept


@pytest.mark.parametrize("place", INSIDE)
def test_a_layer_in_a_graph_inside_the_models_is_not_listed_and_refused_by_name(
    keras, photo, place
):
    tf = tensorflow()

    class Holder(keras.layers.Layer):
        def __init__(self, model):
            super().__init__(name="holder")
            conv = keras.layers.Conv2D(4, 3, padding="same", name="inner")
            self.part = keras.Sequential([conv], name="part") if model else conv

        def build(self, shape):
            self.part.build(shape)

        def call(self, x):
            return INSIDE[place](tf, self.part, x)

    for as_model, path in ((False, "holder/inner"), (True, "holder/part/inner")):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((16, 12, 3))
        x = keras.layers.Conv2D(4, 3, padding="same", name="first")(inputs)
        pooled = keras.layers.GlobalAveragePooling2D()(Holder(as_model)(x))
        model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(pooled))
        cw.Network(model, preprocess="none")  # a function that is compiled is not traced again
        net = cw.Network(model, preprocess="none")
        assert not [info.name for info in net.layers if "inner" in info.name or "part" in info.name]
        assert [note for note in net.notes if "not listed" in note] == [
            f"Layers that are not listed: {path!r}. Each runs in a loop, a branch or a function "
            "in the model's graph, where its output cannot be read."
        ]
        for ask in (
            lambda net, path: net.activations(photo, path),
            lambda net, path: net.gradients(photo, path, 0),
            lambda net, path: net.receptive_field(path, 0, 0),
            lambda net, path: cw.attribute(net, photo, "grad-cam", 0, layer=path),
        ):
            with pytest.raises(ValueError, match=f"'{path}' runs in a loop, a branch or a func"):
                ask(net, path)
        x = net.input_tensor(photo)[None]
        np.testing.assert_allclose(net.scores(photo)[1], np.asarray(model(x))[0], rtol=1e-4)
        assert net.activations(photo, "first").shape == (16, 12, 4)


def test_a_layer_that_runs_inside_a_loop_and_outside_is_listed_once(keras, photo):
    tf = tensorflow()
    conv = keras.layers.Conv2D(3, 3, padding="same", name="twice")

    class Holder(keras.layers.Layer):
        def __init__(self):
            super().__init__(name="holder")
            self.conv = conv

        def call(self, x):
            return INSIDE["a loop"](tf, self.conv, self.conv(x))

    inputs = keras.Input((16, 12, 3))
    x = keras.layers.GlobalAveragePooling2D()(Holder()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    net = cw.Network(model, preprocess="none")
    assert [info.name for info in net.layers if "twice" in info.name] == ["holder/twice"]
    assert not [note for note in net.notes if "not listed" in note]
    expected = np.asarray(conv(net.input_tensor(photo)[None]))[0]
    np.testing.assert_allclose(net.activations(photo, "holder/twice"), expected, rtol=1e-4)


def test_a_compiled_call_whose_source_is_lost_shows_its_layers_too(keras, photo):
    place = {"tf": tensorflow(), "keras": keras}
    exec(
        "class Own(keras.Model):\n"
        "    def __init__(self):\n"
        "        super().__init__(name='own')\n"
        "        self.conv = keras.layers.Conv2D(5, 3, name='conv')\n"
        "    @tf.function\n"
        "    def call(self, x):\n"
        "        return tf.reduce_mean(self.conv(x), [1, 2])\n",
        place,
    )
    model = place["Own"]()
    model(np.zeros((1, 16, 12, 3), np.float32))
    net = cw.Network(model, preprocess="none")
    assert net.default_layer == "conv"
    assert net.scores(photo)[0].shape == (5,)
