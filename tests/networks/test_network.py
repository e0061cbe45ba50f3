"""The engine on every shape of Keras model, and the promise that the model stays as it was."""

import threading

import numpy as np
import pytest
from helpers.networks import (
    FAST,
    fingerprint,
    low_rank,
    mid_training,
    nested,
    quantised,
    subclassed_nested,
    tiny,
    used_twice,
)

import cnn_widgets as cw
from cnn_widgets.engine.taps import tapped
from cnn_widgets.environment import tensorflow
from cnn_widgets.images.resizing import resize_to_input

ARTICLE = [
    "Conv1",
    "expanded_conv_project",
    *(f"block_{i}_{part}" for i in range(1, 17) for part in ("expand", "project")),
    "Conv_1",
]


def functional(keras):
    return tiny(keras)


def sequential(keras):
    layers = keras.layers
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input((16, 12, 3)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.MaxPooling2D(name="pool"),
            layers.Flatten(),
            layers.Dense(3),
            layers.Softmax(),
        ]
    )


def sequential_in_sequential(keras):
    return keras.Sequential([keras.Input((16, 12, 3)), sequential(keras)])


def subclassed(keras):
    import tensorflow as tf

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = keras.layers.Conv2D(5, 3, name="conv")
            self.dense = keras.layers.Dense(3, name="dense")

        def call(self, x):
            return tf.nn.softmax(self.dense(tf.reduce_mean(tf.nn.relu(self.conv(x)), [1, 2])))

    keras.utils.set_random_seed(3)
    model = Own()
    model(np.zeros((1, 16, 12, 3), np.float32))
    return model


def binary(keras):
    return tiny(keras, "sigmoid", classes=1)


def logits(keras):
    return tiny(keras, None)


def multilabel(keras):
    return tiny(keras, "sigmoid", classes=3)


def one_channel(keras):
    return tiny(keras, channels=1)


def free_size(keras):
    return tiny(keras, size=(None, None))


def fixed_batch(keras):
    inputs = keras.Input(batch_shape=(2, 16, 12, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def several_outputs(keras):
    base = tiny(keras)
    other = keras.layers.Dense(2, activation="softmax", name="other")(base.get_layer("gap").output)
    return keras.Model(base.inputs, [base.output, other])


def dict_outputs(keras):
    base = tiny(keras)
    other = keras.layers.Dense(2, activation="softmax", name="other")(base.get_layer("gap").output)
    return keras.Model(base.inputs, {"main": base.output, "other": other})


def dict_input(keras):
    base = tiny(keras)
    inputs = keras.Input((16, 12, 3), name="picture")
    return keras.Model({"picture": inputs}, base(inputs))


def segmentation(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(inputs)
    return keras.Model(inputs, keras.layers.Conv2D(3, 1, activation="softmax", name="map")(x))


def mixed_precision(keras):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return tiny(keras)
    finally:
        keras.config.set_dtype_policy(before)


def double_precision(keras):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        return tiny(keras, dtype="float64")
    finally:
        keras.config.set_dtype_policy(before)


def regularised(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, activity_regularizer="l2", name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def time_distributed(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.TimeDistributed(keras.layers.Conv1D(2, 3))(x)
    x = keras.layers.Lambda(lambda t: t * 2.0)(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def transformer_like(keras):
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 4, strides=4, name="patches")(inputs)
    x = layers.Reshape((16, 8))(x)
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def nested_two_deep(keras):
    inputs = keras.Input((16, 12, 3))
    inner = nested(keras)
    inner.name = "middle"
    x = keras.layers.Reshape((1, 2))(inner(inputs))
    return keras.Model(inputs, keras.layers.Flatten()(x), name="outer")


def preprocessing_inside(keras):
    layers = keras.layers
    norm = layers.Normalization(mean=[100.0, 110.0, 120.0], variance=[50.0, 60.0, 70.0])
    augmented = [layers.RandomFlip(), layers.RandomRotation(0.2), layers.RandomContrast(0.3)]
    parts = [layers.Resizing(20, 18), layers.CenterCrop(16, 12), *augmented, norm]
    keras.utils.set_random_seed(5)
    return keras.Sequential([keras.Input((16, 12, 3)), *parts, tiny(keras)])


def half_precision(keras):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float16")
    try:
        inputs = keras.Input((16, 12, 3), dtype="float16")
        x = keras.layers.Rescaling(1 / 255)(inputs)
        base = tiny(keras, dtype="float16")
        return keras.Model(inputs, base(x))
    finally:
        keras.config.set_dtype_policy(before)


def quantised_to_four_bits(keras):
    return quantised(keras, "int4")


def recurrent_head(keras):
    keras.utils.set_random_seed(6)
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(inputs)
    x = keras.layers.Reshape((16, 48))(x)
    x = keras.layers.Bidirectional(keras.layers.GRU(5))(
        keras.layers.LSTM(6, return_sequences=True)(x)
    )
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def dict_with_a_list(keras):
    base = tiny(keras)
    gap = base.get_layer("gap").output
    heads = [keras.layers.Dense(n, activation="softmax", name=f"head{n}")(gap) for n in (2, 3)]
    return keras.Model(base.inputs, {"main": base.output, "more": heads})


def byte_input(keras):
    inputs = keras.Input((16, 12, 3), dtype="uint8")
    return keras.Model(inputs, tiny(keras)(keras.layers.Rescaling(1 / 255)(inputs)))


def named_oddly(keras):
    inputs = keras.Input((16, 12, 3), name="the picture")
    x = keras.layers.Conv2D(4, 3, name="a.b>c-d_1", activation="relu")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="_gap_")(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="9")(x))


def equal_names(keras):
    def part(filters):
        inputs = keras.Input((16, 12, filters - 1))
        x = keras.layers.Conv2D(filters, 3, padding="same", name="conv", activation="relu")(inputs)
        return keras.Model(inputs, x, name=f"part{filters}")

    keras.utils.set_random_seed(7)
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.GlobalAveragePooling2D()(part(5)(part(4)(inputs)))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="conv")(x))


def training_branches(keras):
    class Jitter(keras.layers.Layer):
        def call(self, x, training=None):
            return x + keras.random.normal(keras.ops.shape(x)) if training else x

    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, name="conv", activation="relu")(Jitter()(inputs))
    x = keras.layers.GaussianNoise(0.5)(keras.layers.SpatialDropout2D(0.5)(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def frozen(keras):
    model = nested(keras)
    model.trainable = False
    return model


def vision_transformer(keras):
    layers = keras.layers
    keras.utils.set_random_seed(8)
    inputs = keras.Input((16, 16, 3))
    x = layers.Reshape((4, 4, 4, 4, 3))(inputs)
    x = layers.Reshape((16, 48))(layers.Permute((1, 3, 2, 4, 5))(x))
    x = layers.Dense(8)(x)
    x = layers.LayerNormalization()(x + layers.MultiHeadAttention(2, 4)(x, x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x[:, 0]))


def dense_only(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Dense(6, activation="relu")(keras.layers.Flatten()(inputs))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def u_net(keras):
    layers = keras.layers
    keras.utils.set_random_seed(9)
    inputs = keras.Input((16, 12, 3))
    down = layers.Conv2D(4, 3, padding="same", activation="relu", name="down")(inputs)
    x = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="deep")(down)
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", activation="relu", name="up")(x)
    x = layers.Concatenate()([x, layers.UpSampling2D()(layers.MaxPooling2D()(down))])
    return keras.Model(inputs, layers.Conv2D(3, 1, activation="softmax", name="map")(x))


def wrapped(keras):
    layers = keras.layers
    keras.utils.set_random_seed(10)
    inputs = keras.Input((16, 12, 3))
    x = layers.SpectralNormalization(layers.Conv2D(4, 3, activation="relu", name="conv"))(inputs)
    x = layers.SeparableConv2D(4, 3, activation="gelu")(layers.GroupNormalization(2)(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


def call_compiled_by_its_owner(keras):
    import tensorflow as tf

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = keras.layers.Conv2D(5, 3, name="conv")
            self.dense = keras.layers.Dense(3, activation="softmax", name="dense")

        @tf.function
        def call(self, x):
            return self.dense(tf.reduce_mean(tf.nn.relu(self.conv(x)), [1, 2]))

    keras.utils.set_random_seed(11)
    model = Own()
    model(np.zeros((1, 16, 12, 3), np.float32))
    return model


def swish(keras):
    """TensorFlow's own swish brings a gradient of its own along, as EfficientNets do."""
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, activation="silu", name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def jit_compiled(keras):
    model = tiny(keras)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=True)
    return model


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
        found = cw.attribute(net, photo, method)
        assert found.heatmap.shape == photo.size
        assert np.isfinite(found.raw).all()
    pair = net.scores([photo, photo, photo])[1]
    np.testing.assert_allclose(pair, np.stack([probabilities] * 3), atol=tolerance)
    assert fingerprint(model) == before


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
        ("ResNet50V2", "post_relu"),
        ("VGG16", "block5_pool"),
        ("DenseNet121", "relu"),
        ("EfficientNetV2B0", "top_activation"),
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


def test_nested_layers_have_paths(keras):
    names = [info.name for info in cw.Network(nested(keras)).layers]
    assert "body/conv1" in names
    assert "body/conv2" in names


def test_a_layer_used_twice_gives_two_entries(keras, photo):
    net = cw.Network(used_twice(keras), preprocess="none")
    assert [info.name for info in net.feature_layers] == ["first", "shared", "shared:1"]
    once, twice = (net.activations(photo, name) for name in ("shared", "shared:1"))
    assert np.abs(once - twice).max() > 1e-3
    assert net.default_layer == "shared:1"


def test_observed_activations_equal_a_submodel_s(keras, photo):
    model = functional(keras)
    net = cw.Network(model, preprocess="none")
    x = net.input_tensor(photo)[None]
    for name in ("conv1", "relu1", "pool1", "conv2"):
        part = keras.Model(model.inputs, model.get_layer(name).output)
        np.testing.assert_allclose(
            net.activations(photo, name), np.asarray(part([x]))[0], rtol=1e-4, atol=1e-3
        )


@pytest.mark.parametrize("layer", ["conv1", "bn1", "pool1", "conv2", None])
def test_gradients_equal_central_differences(keras, photo, layer):
    """In double precision; the score is computed by Keras' own sub-model and NumPy."""
    model = double_precision(keras)
    net = cw.Network(model, preprocess=lambda x: x / 255)
    values, gradients = net.gradients(photo, layer, 1)
    start = model.inputs if layer is None else model.get_layer(layer).output
    tail = keras.Model(start, model.get_layer("gap").output)
    kernel = np.asarray(model.get_layer("dense").kernel)[:, 1]

    def score(at):
        given = at[None].astype(np.float64)
        return (np.asarray(tail([given] if layer is None else given)) @ kernel)[0]

    rng = np.random.default_rng(0)
    for _ in range(5):
        direction, step = rng.normal(size=values.shape), 1e-7
        difference = (score(values + step * direction) - score(values - step * direction)) / step
        assert 2 * (gradients * direction).sum() == pytest.approx(difference, rel=1e-3, abs=1e-7)


@pytest.mark.slow
def test_all_ways_to_a_gradient_agree(lite0, gallery):
    """The cached pass over all layers, the tail behind one layer, and the batch are one number."""
    cat = gallery["cat"]
    for layer in ("block3_expand", "block10_project", "head_relu"):
        _, one = lite0.gradients(cat, layer, 285)
        _, batch = lite0.gradients([cat, gallery["rocket"]], layer, [285, 285])
        np.testing.assert_allclose(batch[0], one, atol=1e-4 * np.abs(one).max())


def test_class_weights_contrast_two_classes(lite0, gallery):
    weights = np.zeros(1000, np.float32)
    weights[285], weights[967] = 1, -1
    _, contrast = lite0.gradients(gallery["cat"], "head_relu", weights)
    _, cat = lite0.gradients(gallery["cat"], "head_relu", 285)
    _, espresso = lite0.gradients(gallery["cat"], "head_relu", 967)
    np.testing.assert_allclose(contrast, cat - espresso, atol=1e-6)


def test_a_binary_head_has_two_classes_with_opposite_scores(keras, photo):
    net = cw.Network(binary(keras), preprocess="none", class_names=["dog", "cat"])
    first, second = sorted(net.predict(photo), key=lambda p: p.class_index)
    assert (first.name, second.name) == ("dog", "cat")
    assert first.score == -second.score
    assert first.probability + second.probability == pytest.approx(1)
    _, off = net.gradients(photo, "conv2", 0)
    _, on = net.gradients(photo, "conv2", 1)
    np.testing.assert_array_equal(off, -on)


def test_one_plain_output_is_a_value_without_probability(keras, photo):
    net = cw.Network(tiny(keras, None, classes=1), preprocess="none")
    assert net.head == "values"
    assert np.isnan(net.predict(photo)[0].probability)
    with pytest.raises(ValueError, match="no probabilities"):
        net.gradients(photo, "conv2", 0, "probability")
    as_logit = cw.Network(tiny(keras, None, classes=1), preprocess="none", head="logits")
    assert as_logit.classes == 2


def test_an_output_is_chosen_by_name_or_number(keras, photo):
    model = several_outputs(keras)
    assert cw.Network(model).classes == 4
    assert any("first is looked at" in note for note in cw.Network(model).notes)
    assert cw.Network(model, output=1).classes == 2
    assert cw.Network(dict_outputs(keras), output="other").classes == 2
    with pytest.raises(ValueError, match="Unknown output 'nothing'"):
        cw.Network(dict_outputs(keras), output="nothing")
    with pytest.raises(ValueError, match="Received: a list"):
        cw.Network(dict_with_a_list(keras), output="more")


def test_dropout_and_batch_norm_stay_in_inference_mode(keras, photo):
    net = cw.Network(nested(keras), preprocess="none")
    one, two = net.scores([photo])[0], net.scores([photo, photo])[0]
    np.testing.assert_allclose(one[0], two[1], atol=1e-6)


def test_preprocessing_works_on_a_copy_each_time(keras, photo):
    def in_place(pixels):
        pixels /= 255.0
        return pixels

    before = photo.pixels.copy()
    net = cw.Network(tiny(keras), preprocess=in_place)
    first, second = net.input_tensor(photo), net.input_tensor(photo)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(photo.pixels, before)


def test_guesses_about_preprocessing_are_said_aloud(keras):
    assert any("divided by 255" in note for note in cw.Network(tiny(keras)).notes)
    assert any("the model preprocesses" in note for note in cw.Network(nested(keras)).notes)
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(64, 64, 3), pooling="avg"
    )
    model = keras.Sequential([base, keras.layers.Dense(2, activation="softmax")])
    net = cw.Network(model)
    assert any("MobileNetV2 is used, guessed" in note for note in net.notes)
    black = cw.load_image(np.zeros((8, 8, 3), np.uint8))
    assert net.input_tensor(black).min() == -1.0
    assert net.default_layer.endswith("/out_relu")


def test_an_input_that_is_not_square_keeps_rows_and_columns(keras):
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:10] = 255  # the top quarter is white
    net = cw.Network(tiny(keras, size=(16, 32)), preprocess="none")
    x = net.input_tensor(cw.load_image(picture))
    assert x.shape == (16, 32, 3)
    assert x[:3].mean() > 250
    assert x[6:].mean() < 5


def test_silent_filters_are_counted_after_their_activation(keras, photo):
    model = tiny(keras)
    norm = model.get_layer("bn1")
    beta = np.asarray(norm.beta).copy()
    beta[:3] = -1e6  # three filters can never fire after their ReLU
    norm.beta.assign(beta)
    net = cw.Network(model, preprocess="none")
    peaks = net.peaks(photo)
    assert (peaks["conv1"] <= 0).tolist()[:3] == [True] * 3
    assert set(peaks) >= {"conv1", "pool1", "conv2"}
    linear = cw.Network(one_linear(keras), preprocess="none")
    assert "conv" not in linear.peaks(photo)


def one_linear(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def test_an_exception_while_tracing_leaves_the_model_as_it_was(keras):
    model = nested(keras)
    before = fingerprint(model)

    def broken_trace():
        with tapped(model):
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        broken_trace()
    assert fingerprint(model) == before


def test_a_call_the_user_patched_is_put_back_as_it_was(keras):
    model = tiny(keras)
    layer = model.get_layer("conv1")
    own = layer.call
    object.__setattr__(layer, "call", own)
    cw.Network(model)
    assert layer.__dict__["call"] is own


def test_two_networks_on_one_model_in_several_threads_agree(keras, photo):
    model = tiny(keras)
    nets = [cw.Network(model, preprocess="none") for _ in range(2)]
    found, errors = [], []

    def work(net, layer):
        try:
            found.append(cw.attribute(net, photo, class_index=1, layer=layer).raw)
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=work, args=(net, layer))
        for layer in ("conv1", "relu1", "conv2")
        for net in nets
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert len(found) == 6


def test_no_click_makes_a_new_trace(lite0, gallery):
    for name in ("cat", "espresso"):
        cw.attribute(lite0, gallery[name])
        cw.attribute(lite0, gallery[name], layer="block5_expand")
        cw.attribute(lite0, gallery[name], "saliency")
    before = lite0.engine.traces
    for index in range(0, 1000, 100):
        for name in ("rocket", "officer"):
            cw.attribute(lite0, gallery[name], class_index=index)
            cw.attribute(lite0, gallery[name], class_index=index, layer="block8_project")
            cw.attribute(lite0, gallery[name], "saliency", class_index=index)
    assert lite0.engine.traces == before


def test_the_cache_is_bounded_by_bytes(keras):
    net = cw.Network(tiny(keras, size=(64, 64)), preprocess="none", max_cache_bytes=400_000)
    rng = np.random.default_rng(0)
    for _ in range(20):
        net.predict(cw.load_image(rng.integers(0, 256, (64, 64, 3), np.uint8)))
        assert net._runner.cache.nbytes <= 400_000
    net.close()
    assert net._runner.cache.nbytes == 0


def test_classes_are_found_by_name(lite0):
    assert lite0.class_index("Egyptian cat") == 285
    assert lite0.class_index("egyptian_cat") == 285
    assert lite0.class_index(967) == 967
    with pytest.raises(ValueError, match=r"fits .* classes"):
        lite0.class_index("terrier")
    with pytest.raises(TypeError):
        lite0.class_index(2.5)
    assert len(set(lite0.class_names)) == 1000


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda k: k.Sequential([k.layers.Conv2D(2, 3), k.layers.Flatten(), k.layers.Dense(2)]),
            "not built",
        ),
        (lambda k: k.Sequential([k.Input((10,)), k.layers.Dense(2)]), "takes images"),
        (
            lambda k: k.Sequential(
                [
                    k.Input((8, 8, 8, 1)),
                    k.layers.Conv3D(2, 3),
                    k.layers.Flatten(),
                    k.layers.Dense(2),
                ]
            ),
            "takes images",
        ),
        (
            lambda k: k.Sequential([k.Input((8, 8, 5)), k.layers.Flatten(), k.layers.Dense(2)]),
            "1 or 3 channels",
        ),
        (
            lambda k: k.Sequential(
                [
                    k.Input((3, 8, 8)),
                    k.layers.Conv2D(2, 3, data_format="channels_first"),
                    k.layers.Flatten(),
                    k.layers.Dense(2),
                ]
            ),
            "channels-first",
        ),
        (lambda k: _two_inputs(k), "takes 2 inputs"),
        (lambda k: _made(k, lambda x: k.ops.mean(x, (1, 2, 3))), r"Expected a model output of"),
        (lambda k: _made(k, lambda x: k.ops.argmax(x, -1)), "numbers of type int32"),
        (lambda k: _made(k, lambda x: x > 0), "numbers of type bool"),
        (lambda k: _made(k, lambda x: [[x * 2], x]), "one tensor.*Received: a list"),
        (lambda k: _made(k, k.layers.Identity(), "string"), "takes numbers.*takes string"),
        (lambda k: _made(k, k.layers.Conv2D(2, 3, name="größe: 3")), "not a valid scope name"),
        (lambda k: _own(k, lambda x: None), "one tensor.*Received: a NoneType"),
        (lambda k: _own(k, lambda x: {"a": {"b": x}}), "one tensor.*Received: a dict"),
        (lambda k: _own(k, lambda x: 1 / 0), "cannot be run on one image: division by zero"),
        (lambda k: _own(k, lambda x: np.asarray(x)), "cannot be run on one image: Cannot convert"),
        (lambda k: _own(k, lambda x, more: x), "its call takes more.*'more'"),
    ],
)
def test_a_model_that_cannot_be_opened_says_why_in_one_line(keras, build, message):
    model = build(keras)
    before = fingerprint(model)
    with pytest.raises(ValueError, match=message) as caught:
        cw.Network(model, input_size=(8, 8) if type(model).__name__ == "Own" else None)
    assert "\n" not in str(caught.value)
    assert fingerprint(model) == before


def _made(keras, put_out, dtype=None):
    inputs = keras.Input((8, 8, 3), dtype=dtype)
    return keras.Model(inputs, put_out(inputs))


def _own(keras, put_out):
    return type("Own", (keras.Model,), {"call": staticmethod(put_out)})()


def _two_inputs(keras):
    a, b = keras.Input((8, 8, 3)), keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(keras.layers.Add()([a, b]))
    return keras.Model([a, b], keras.layers.Dense(2)(x))


def test_nan_weights_are_named(keras):
    model = tiny(keras)
    kernel = np.asarray(model.get_layer("conv2").kernel).copy()
    kernel[0, 0, 0, 0] = np.nan
    model.get_layer("conv2").kernel.assign(kernel)
    with pytest.raises(ValueError, match="weights 'conv2/kernel' hold NaN"):
        cw.Network(model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_names": ["a"]}, "Expected 4 class names"),
        ({"input_size": (99, 99)}, "takes images of 16×12"),
        ({"input_size": (0, 5)}, "Expected input_size"),
        ({"preprocess": "half"}, "Expected preprocess"),
        ({"head": "relu"}, "Expected head"),
    ],
)
def test_wrong_options_get_one_clear_error(tiny_model, options, message):
    with pytest.raises(ValueError, match=message):
        cw.Network(tiny_model, **options)


def test_a_preprocess_that_returns_nothing_is_named(tiny_model, photo):
    net = cw.Network(tiny_model, preprocess=lambda pixels: None)
    with pytest.raises(ValueError, match="preprocess must return an array of the shape"):
        net.predict(photo)


def test_what_is_no_model_and_no_sample_is_refused(tiny_net):
    with pytest.raises(TypeError, match="Expected a Keras model"):
        cw.Network("model")
    with pytest.raises(TypeError, match="load_image"):
        tiny_net.predict(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="at least one image"):
        tiny_net.predict([])


# --- faults that were found by looking hard; each stays found -----------------------------------


def test_preprocessing_written_into_the_model_is_not_done_twice(keras):
    """Keras' own transfer-learning recipe calls preprocess_input on the model's input."""
    inputs = keras.Input((64, 64, 3))
    x = keras.applications.mobilenet_v2.preprocess_input(inputs)
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(64, 64, 3), pooling="avg"
    )
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(base(x)))
    net = cw.Network(model)
    assert any("the model preprocesses" in note for note in net.notes)
    white = cw.load_image(np.full((8, 8, 3), 255, np.uint8))
    assert net.input_tensor(white).max() == 255.0
    divided = inputs / 255.0
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(divided))
    own = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    assert cw.Network(own).input_tensor(white).max() == 255.0


def test_outputs_that_are_probabilities_get_no_second_softmax(keras, photo):
    base = tiny(keras)
    other = keras.layers.Dense(4, activation="softmax")(base.get_layer("gap").output)
    model = keras.Model(base.inputs, keras.layers.Average()([base.output, other]))
    net = cw.Network(model, preprocess="none")
    assert net.head == "probabilities"
    expected = np.asarray(model([net.input_tensor(photo)[None]]))[0]
    np.testing.assert_allclose(net.scores(photo)[1], expected, atol=1e-6)


def test_one_logit_with_two_names_is_a_binary_head(keras, photo):
    net = cw.Network(tiny(keras, None, classes=1), preprocess="none", class_names=["cat", "dog"])
    assert {p.name for p in net.predict(photo)} == {"cat", "dog"}
    assert sum(p.probability for p in net.predict(photo)) == pytest.approx(1)


def test_names_with_underscores_are_found(keras):
    names = ["golden_retriever", "poodle", "Golden Retriever mix", "x"]
    net = cw.Network(tiny(keras), class_names=names)
    assert net.class_index("golden_retriever") == 0
    assert net.class_index("golden retriever") == 0
    assert net.class_index("mix") == 2


def test_the_parts_of_an_attention_layer_are_no_maps(keras, photo):
    """Tokens × heads × numbers have the shape of a stack of maps, and mean nothing as one."""
    net = cw.Network(transformer_like(keras), preprocess="none")
    assert [info.name for info in net.feature_layers] == ["patches"]
    assert net.default_layer == "patches"
    assert cw.attribute(net, photo).layer == "patches"
    none = cw.Network(vision_transformer(keras), preprocess="none")
    assert none.feature_layers == ()
    assert none.default_layer is None


def test_models_that_share_layers_answer_as_if_alone(keras, photo):
    first = tiny(keras)
    shared = keras.Model(first.inputs, first.get_layer("conv2").output, name="shared")
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.GlobalAveragePooling2D()(shared(inputs))
    second = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    before = fingerprint(first), fingerprint(second)
    alone = [cw.attribute(cw.Network(m, preprocess="none"), photo).raw for m in (first, second)]
    nets = [cw.Network(m, preprocess="none") for m in (first, second)]
    for _ in range(2):
        for net, expected in zip(nets, alone, strict=True):
            np.testing.assert_array_equal(cw.attribute(net, photo).raw, expected)
            cw.attribute(net, photo, "saliency")
    assert (fingerprint(first), fingerprint(second)) == before
    assert [info.name for info in nets[1].feature_layers] == [
        "shared/conv1", "shared/pool1", "shared/conv2",
    ]  # fmt: skip


def test_what_lies_beside_a_layer_that_hands_its_input_through_is_not_its_output(keras, photo):
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    dropped = layers.Dropout(0.5, name="dropout")(x)
    both = layers.Concatenate(name="both")([x, dropped])
    outputs = layers.Dense(2, name="dense")(layers.GlobalAveragePooling2D()(both))
    model = keras.Model(inputs, outputs)
    net = cw.Network(model, preprocess="none")
    weights = np.asarray(model.get_layer("dense").kernel)[:, 1]
    through = net.gradients(photo, "dropout", 1)[1]
    whole = net.gradients(photo, "conv", 1)[1]
    np.testing.assert_allclose(through[0, 0] * 36, weights[4:], rtol=1e-5)
    np.testing.assert_allclose(whole[0, 0] * 36, weights[:4] + weights[4:], rtol=1e-5)
