"""What goes in is what the model lacks: measured at its first weights, never scaled twice."""

import re

import numpy as np
import pytest

import cnn_widgets as cw

SIZE = (32, 32, 3)
MEANS = np.array([103.939, 116.779, 123.68], np.float32)


@pytest.fixture
def photo():
    pixels = np.random.default_rng(0).integers(0, 256, SIZE, np.uint8)
    pixels[0, 0], pixels[0, 1] = 0, 255
    return cw.load_image(pixels)


def classifier(keras, before=None, shape=SIZE, dtype=None, after=None):
    """Return a small classifier; `before` makes its first tensors, `after` its last scores."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input(shape, dtype=dtype)
    x = image if before is None else before(image)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(x))
    x = layers.Dense(3)(x)
    x = x if after is None else after(x)
    return keras.Model(image, layers.Softmax()(x))


def given(net, photo):
    return net.input_tensor(photo)


def range_of(array):
    return round(float(array.min()), 2), round(float(array.max()), 2)


def backbone(keras, name="MobileNetV2", **options):
    build = getattr(keras.applications, name)
    return build(input_shape=SIZE, include_top=False, weights=None, **options)


def headed(keras, base, x, image):
    layers = keras.layers
    x = layers.GlobalAveragePooling2D()(base(x, training=False))
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def tutorial_model(keras):
    image = keras.Input(SIZE)
    augmented = keras.Sequential([keras.layers.RandomFlip(), keras.layers.RandomRotation(0.2)])
    x = keras.applications.mobilenet_v2.preprocess_input(augmented(image))
    return headed(keras, backbone(keras, alpha=0.35), x, image)


def nested_preprocessing(keras):
    image = keras.Input(SIZE)
    inner = keras.Input(SIZE)
    part = keras.Model(inner, keras.layers.Rescaling(1 / 127.5, -1)(inner), name="prepare")
    return headed(keras, backbone(keras, alpha=0.35), part(image), image)


def lambda_in_a_sequential(keras):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(SIZE),
            layers.Lambda(lambda x: x / 127.5 - 1),
            layers.Conv2D(4, 3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def custom_layer(keras):
    class Prepare(keras.layers.Layer):
        def call(self, x):
            return x / 127.5 - 1

    return classifier(keras, Prepare())


def subclassed(keras):
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.conv = keras.layers.Conv2D(4, 3)
            self.pool = keras.layers.GlobalAveragePooling2D()
            self.top = keras.layers.Dense(3, activation="softmax")

        def call(self, x, training=False):
            return self.top(self.pool(self.conv(x / 127.5 - 1)))

    model = Mine()
    model(np.zeros((1, *SIZE), np.float32))
    return model


def half_precision(keras):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return classifier(keras, keras.layers.Rescaling(1 / 127.5, -1))
    finally:
        keras.config.set_dtype_policy(before)


RESCALING_MODELS = {
    "the transfer-learning tutorial's": tutorial_model,
    "a nested preprocessing model": nested_preprocessing,
    "a Lambda in a Sequential": lambda_in_a_sequential,
    "a custom layer": custom_layer,
    "a subclassed model": subclassed,
    "half precision": half_precision,
    "padded and resized": lambda keras: classifier(
        keras,
        lambda x: keras.layers.ZeroPadding2D(3)(
            keras.layers.Resizing(16, 16)(keras.layers.Rescaling(1 / 127.5, -1)(x))
        ),
    ),
    "patches cut from it": lambda keras: classifier(
        keras,
        lambda x: keras.ops.image.extract_patches(keras.layers.Rescaling(1 / 127.5, -1)(x), 4),
    ),
}


@pytest.mark.parametrize("kind", RESCALING_MODELS)
def test_a_model_that_rescales_gets_pixels_and_is_measured(keras, photo, kind):
    net = cw.Network(RESCALING_MODELS[kind](keras))
    assert range_of(given(net, photo)) == (0, 255)
    told = "as they are: the network calculates with pixel values of −1…1"
    assert any(told in note for note in net.notes)


def scaled_at_the_end(keras):
    return classifier(keras, after=keras.layers.Rescaling(1 / 255))


def test_a_rescaling_behind_weights_is_no_preprocessing(keras, photo):
    net = cw.Network(scaled_at_the_end(keras))
    assert range_of(given(net, photo)) == (0, 1)
    assert (
        "divided by 255, a guess (preprocess= changes it): the network calculates" in net.notes[0]
    )


def test_batch_normalization_counts_as_weights(keras, photo):
    net = cw.Network(classifier(keras, keras.layers.BatchNormalization()))
    assert range_of(given(net, photo)) == (0, 1)


def normalizing(keras, mean, variance, *before):
    """Return a classifier whose batch normalization of the pixels holds statistics."""
    norm = keras.layers.BatchNormalization()

    def first(x):
        for layer in before:
            x = layer(x)
        return norm(x)

    model = classifier(keras, first)
    norm.moving_mean.assign(np.broadcast_to(mean, norm.moving_mean.shape))
    norm.moving_variance.assign(np.broadcast_to(variance, norm.moving_mean.shape))
    return model


#: Mean and variance of photographs whose pixels are 0…255, 0…1 and −1…1, as numbers that are known:
#: those of ImageNet, and of numbers spread evenly over the range.
SEEN = {
    (0, 255): [([124, 116, 104], [3410, 3261, 3291]), (127.5, 255**2 / 12), ([131, 77, 78], 2000)],
    (0, 1): [([0.485, 0.456, 0.406], [0.0524, 0.0502, 0.0506]), (0.5, 1 / 12)],
    (-1, 1): [([-0.03, -0.088, -0.188], [0.21, 0.2, 0.2]), ([0.014, 0.003, -0.003], 1 / 3)],
}
RANGES = [(ends, *each) for ends, found in SEEN.items() for each in found]


@pytest.mark.parametrize(("ends", "mean", "variance"), RANGES)
def test_the_guess_follows_what_a_first_batch_normalization_has_seen(
    keras, photo, ends, mean, variance
):
    net = cw.Network(normalizing(keras, mean, variance))
    assert range_of(given(net, photo)) == ends
    assert ", which fits the mean and variance of the batch normalization" in net.notes[0]
    check = net.check_input([cw.gallery()["cat"]])
    assert check.right is True, check.advice


@pytest.mark.parametrize(("ends", "mean", "variance"), RANGES)
def test_the_guess_follows_what_a_normalization_was_adapted_to(keras, photo, ends, mean, variance):
    mean, variance = (np.broadcast_to(each, 3).tolist() for each in (mean, variance))
    net = cw.Network(classifier(keras, keras.layers.Normalization(mean=mean, variance=variance)))
    assert range_of(given(net, photo)) == ends
    assert "guess" not in net.notes[0]


def test_statistics_behind_the_model_s_own_scaling_are_those_of_its_result(keras, photo):
    layers = keras.layers
    for scaling, mean, variance in (
        (layers.Rescaling(1 / 255), 0.45, 0.06),
        (layers.Rescaling(1 / 127.5, -1), -0.1, 0.25),
    ):
        net = cw.Network(normalizing(keras, mean, variance, scaling))
        assert range_of(given(net, photo)) == (0, 255)
    twice = normalizing(keras, 0.45 / 255, 0.06 / 255**2, layers.Rescaling(1 / 255))
    assert range_of(given(cw.Network(twice), photo)) == (0, 1)  # as it was trained


@pytest.mark.parametrize("steps", [1, 10, 100])
def test_statistics_of_few_steps_of_training_decide_nothing(keras, photo, steps):
    """Moving statistics start at 0 and 1; each step keeps 99 % of them."""
    start = 0.99**steps
    net = cw.Network(normalizing(keras, 0.45 * (1 - start), start + 0.06 * (1 - start)))
    assert range_of(given(net, photo)) == (0, 1)
    assert "divided by 255, a guess" in net.notes[0]
    assert net.check_input([cw.gallery()["cat"]]).right is None


@pytest.mark.parametrize(
    ("mean", "variance", "received"),
    [(0.0, 0.33, (-1, 1)), (2e4, 9e7, (0, 255)), (0.13, 0.095, (0, 1))],
)
def test_statistics_that_do_not_decide_are_called_a_guess(keras, photo, mean, variance, received):
    layer = keras.layers.Normalization(mean=[mean] * 3, variance=[variance] * 3)
    net = cw.Network(classifier(keras, layer))
    assert range_of(given(net, photo)) == received
    assert "a guess (preprocess= changes it)" in net.notes[0]


def test_a_wrong_input_of_a_first_batch_normalization_is_told(keras):
    for given_, mean, variance, best in (
        (lambda x: x / 255, [131, 77, 78], 2000, "pixels 0…255"),
        ("none", 0.45, 0.06, "x / 255"),
        (lambda x: x / 255, [0.01, 0, 0.01], 0.33, "x / 127.5 - 1"),
    ):
        net = cw.Network(normalizing(keras, mean, variance), given_)
        found = net.check_input([cw.gallery()["cat"]])
        assert (found.right, found.best) == (False, best)


def test_what_holds_of_bytes_only_is_said_where_bands_may_hold_other_numbers(keras):
    said = "0…1, where channels hold 0…255; other channels come in their own values."
    assert cw.Network(classifier(keras, shape=(8, 8, 5))).notes[0].endswith(said)
    assert "channels hold" not in cw.Network(classifier(keras)).notes[0]


@pytest.mark.parametrize(
    ("before", "received", "reaches"),
    [
        (lambda k: k.layers.Rescaling(2, -1), (0, 1), "−1…1"),
        (lambda k: k.layers.Normalization(mean=[0.5] * 3, variance=[0.0625] * 3), (0, 1), "−2…2"),
        (lambda k: k.layers.Rescaling(255), (0, 1), "0…255"),
        (lambda k: k.layers.Rescaling(0.5, 0.5), (-1, 1), "0…1"),
        (lambda k: lambda x: (x + 1) * 127.5, (-1, 1), "0…255"),
        (lambda k: k.layers.Normalization(-1, [128] * 3, [4096] * 3), (0, 255), "−2…1.98"),
        (lambda k: lambda x: x[..., ::-1] - MEANS, (0, 255), "−124…151"),
        (lambda k: lambda x: k.ops.image.rgb_to_grayscale(x) / 255, (0, 255), "0…1"),
    ],
)
def test_what_stands_before_the_model_s_own_scaling_fits_it(
    keras, photo, before, received, reaches
):
    net = cw.Network(classifier(keras, before(keras)))
    assert range_of(given(net, photo)) == received
    assert f"calculates with pixel values of {reaches}" in net.notes[0]


def test_an_adapted_normalization_is_no_weight(keras, photo):
    normalization = keras.layers.Normalization()
    normalization.adapt(np.random.default_rng(0).normal(120, 60, (20, 4, 4, 3)))
    net = cw.Network(classifier(keras, normalization))
    assert range_of(given(net, photo)) == (0, 255)
    assert "as they are" in net.notes[0]


def test_swapped_channels_alone_settle_no_range_and_are_said(keras, photo):
    net = cw.Network(classifier(keras, lambda x: x[..., ::-1]))
    assert range_of(given(net, photo)) == (0, 1)
    assert "in the order BGR" in net.notes[0]


def test_whole_numbers_go_in_as_they_are(keras, photo):
    model = classifier(keras, lambda x: keras.ops.cast(x, "float32") / 255, dtype="uint8")
    net = cw.Network(model)
    assert range_of(given(net, photo)) == (0, 255)
    assert (
        "whole numbers 0…255 that the model takes: the network calculates with pixel"
        in net.notes[0]
    )


def test_standardization_of_each_picture_is_told_apart(keras, photo):
    import tensorflow as tf

    layer = keras.layers.Lambda(tf.image.per_image_standardization)
    net = cw.Network(classifier(keras, layer))
    assert range_of(given(net, photo)) == (0, 255)
    assert "in a way that depends on the picture" in net.notes[0]


def test_branches_that_prepare_differently_are_both_named(keras, photo):
    layers = keras.layers
    image = keras.Input(SIZE)
    one = layers.Conv2D(4, 3)(layers.Rescaling(1 / 127.5, -1)(image))
    other = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(image))
    x = layers.GlobalAveragePooling2D()(one + other)
    net = cw.Network(keras.Model(image, layers.Dense(3, activation="softmax")(x)))
    assert range_of(given(net, photo)) == (0, 255)
    assert "pixel values of −1…1, 0…1 in another branch" in net.notes[0]


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
def test_any_number_of_channels_is_measured(keras, channels):
    def model(before=None):
        return classifier(keras, before, shape=(16, 16, channels))

    net = cw.Network(model(keras.layers.Rescaling(1 / 127.5, -1)))
    assert "as they are: the network calculates with pixel values of −1…1" in net.notes[0]
    assert "calculates with pixel values of 0…1" in cw.Network(model()).notes[0]


RECURRENT = {
    "LSTM": ((8, 24), lambda layers: layers.LSTM(4)),
    "GRU": ((8, 24), lambda layers: layers.Bidirectional(layers.GRU(4))),
    "ConvLSTM": ((2, 4, 8, 3), lambda layers: layers.ConvLSTM2D(2, 3)),
}


@pytest.mark.parametrize("kind", RECURRENT)
def test_a_recurrent_layer_that_reads_the_picture_is_measured_too(keras, kind):
    layers, (shape, made) = keras.layers, RECURRENT[kind]

    def model(*before):
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                *before,
                layers.Reshape(shape),
                made(layers),
                layers.Flatten(),
                layers.Dense(3, activation="softmax"),
            ]
        )

    guess = "Pixels are divided by 255, a guess (preprocess= changes it): the network calculates"
    assert cw.Network(model()).notes == (f"{guess} with pixel values of 0…1.",)
    own = cw.Network(model(layers.Rescaling(1 / 127.5, -1)), preprocess="none")
    assert own.notes == ("The network calculates with pixel values of −1…1.",)


def test_a_fixed_batch_size_is_measured_too(keras):
    layers = keras.layers
    image = keras.Input(batch_shape=(4, *SIZE))
    x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 127.5, -1)(image))
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    assert "pixel values of −1…1" in cw.Network(keras.Model(image, x)).notes[0]


INLINED = {
    "VGG16": "−124…151",
    "ResNet50": "−124…151",
    "ResNet50V2": "−1…1",
    "DenseNet121": "−2.12…2.64",
    "MobileNet": "−1…1",
    "MobileNetV2": "−1…1",
    "InceptionV3": "−1…1",
    "InceptionResNetV2": "−1…1",
    "Xception": "−1…1",
    "EfficientNetB0": "0…1",  # the mean and variance that follow come with trained weights
    "EfficientNetV2B0": "−2.12…2.64",
    "EfficientNetV2S": "−1…0.992",
    "MobileNetV3Large": "−1…1",
    "ConvNeXtTiny": "−2.12…2.64",
}
FAST = {"VGG16", "MobileNetV2"}
HUGE = {"EfficientNetV2S", "InceptionResNetV2", "InceptionV3"}


def inlined(keras, name, **options):
    """Return a classifier of a backbone's tensors; the backbone's own name is lost."""
    size = (96, 96, 3)
    base = getattr(keras.applications, name)(
        input_shape=size, include_top=False, weights=None, **options
    )
    x = keras.layers.GlobalAveragePooling2D()(base.output)
    return keras.Model(base.input, keras.layers.Dense(3, activation="softmax")(x), name="mine")


@pytest.mark.parametrize(
    "name",
    [
        "VGG16",
        "MobileNetV2",
        *(
            pytest.param(name, marks=pytest.mark.sweep if name in HUGE else pytest.mark.slow)
            for name in sorted({*INLINED} - FAST)
        ),
    ],
)
def test_a_backbone_made_part_of_a_model_is_known_by_its_layers(keras, name):
    net = cw.Network(inlined(keras, name))
    assert f"calculates with pixel values of {INLINED[name]}" in net.notes[0]
    known = name if name == "ConvNeXtTiny" else f"the {name} family"  # its stem keeps its name
    assert cw.networks.families.family_inside(net.model).name == known


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["EfficientNetV2S", "EfficientNetV2B0", "MobileNetV3Large", "ConvNeXtTiny"]
)
def test_a_backbone_without_the_preprocessing_it_usually_holds_is_given_it(keras, name):
    net = cw.Network(inlined(keras, name, include_preprocessing=False))
    assert re.search(f"Preprocessing of (the )?{name}( family)? is used", net.notes[0])
    assert f"calculates with pixel values of {INLINED[name].replace('0.992', '1')}" in net.notes[0]


def test_pixels_divided_twice_are_said(keras):
    """A Rescaling before a backbone that holds one itself is a frequent mistake."""
    image = keras.Input(SIZE)
    base = backbone(keras, "MobileNetV3Small")
    net = cw.Network(headed(keras, base, keras.layers.Rescaling(1 / 255)(image), image))
    told = "would bring them to −1…1): the network calculates with pixel values of −1…−0.992"
    assert told in net.notes[0]


def test_a_model_s_own_scaling_is_kept_where_it_is_not_its_family_s(keras, photo):
    image = keras.Input(SIZE)
    x = keras.layers.Rescaling(1 / 255)(image)
    net = cw.Network(headed(keras, backbone(keras, alpha=0.35), x, image))
    assert range_of(given(net, photo)) == (0, 255)
    assert "the recipe of MobileNetV2 would bring them to −1…1" in net.notes[0]
    assert "calculates with pixel values of 0…1" in net.notes[0]


def test_a_given_function_is_kept_and_measured(keras, photo):
    net = cw.Network(classifier(keras), preprocess=lambda x: x / 64)
    assert given(net, photo).max() == pytest.approx(255 / 64)
    assert net.notes[0] == "The network calculates with pixel values of 0…3.98."
    raw = cw.Network(classifier(keras), preprocess="none")
    assert raw.notes[0] == "The network calculates with pixel values of 0…255."


def test_a_given_function_that_fails_says_so_and_fails_again_for_a_photograph(keras, photo):
    def broken(pixels):
        raise RuntimeError("no such file")

    net = cw.Network(classifier(keras), preprocess=broken)
    assert "not known: RuntimeError: no such file" in net.notes[0]
    with pytest.raises(RuntimeError, match="no such file"):
        net.predict(photo)


def test_the_bundled_network_says_what_reaches_its_weights(lite0):
    assert lite0.notes == ("The network calculates with pixel values of −0.992…1.",)
