"""The input check finds the recipe a network was trained with, on any photograph."""

import itertools
from concurrent.futures import CancelledError
from functools import lru_cache

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.evaluation import check_input

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
own = cw.networks.efficientnet_lite.preprocess
WRONG = {
    "divided by 255": lambda x: x / 255,
    "raw": "none",
    "caffe": lambda x: x[..., ::-1] - 255 * MEAN[::-1],
    "mean and deviation": lambda x: (x / 255 - MEAN) / DEVIATION,
    "BGR": lambda x: own(x[..., ::-1].copy()),
    "twice": lambda x: own(np.asarray(own(x)).copy()),
}
PICTURES = tuple(cw.gallery())


#: Each wrong recipe with the cat, which comes first in the gallery, and with one other photograph,
#: so that each photograph is used; every recipe with every photograph is a proof run by hand.
OTHERS = [name for name in PICTURES if name != "cat"]
FURTHER = {(wrong, OTHERS[number]) for number, wrong in enumerate((*WRONG, *WRONG)[: len(OTHERS)])}


@pytest.fixture(scope="module")
def opened(lite0):
    """A function that opens the bundled network under a wrong recipe, under each once."""
    return lru_cache(lambda wrong: cw.Network(lite0.model, WRONG[wrong], lite0.class_names))


@pytest.fixture
def wrong(request, opened):
    """The bundled network under a wrong recipe, and the names of those that mend it."""
    right = {"x / 127.5 - 1"}
    if request.param == "BGR":
        right.add("as it is, red and blue swapped")
    return opened(request.param), right


def check_that_it_is_found(wrong, sample):
    net, right = wrong
    found = net.check_input(sample)
    assert found.right is False
    assert found.best in right
    assert "looks wrong" in found.advice
    assert repr(found.best) in found.advice


@pytest.mark.parametrize(
    "wrong",
    [pytest.param(name, marks=() if name == "BGR" else pytest.mark.slow) for name in WRONG],
    indirect=True,
)
def test_a_wrong_recipe_is_found_and_the_right_one_advised(wrong, gallery):
    check_that_it_is_found(wrong, gallery["cat"])


@pytest.mark.parametrize(
    ("wrong", "picture"),
    [
        pytest.param(*pair, marks=pytest.mark.slow if pair in FURTHER else pytest.mark.sweep)
        for pair in itertools.product(WRONG, OTHERS)
    ],
    indirect=["wrong"],
)
def test_a_wrong_recipe_is_found_on_every_picture(wrong, gallery, picture):
    check_that_it_is_found(wrong, gallery[picture])


@pytest.mark.slow
@pytest.mark.parametrize("picture", PICTURES)
def test_the_right_recipe_is_told_to_be_right(lite0, gallery, picture):
    found = check_input(lite0, gallery[picture])
    assert found.right is True
    assert "looks right" in found.advice
    assert found.trials[0].tops == (lite0.predict(gallery[picture], top=1)[0].class_index,)


@pytest.mark.slow
def test_nearly_the_same_recipe_is_not_called_wrong(lite0, gallery):
    net = cw.Network(lite0.model, lambda x: x / 127.5 - 1, lite0.class_names)
    assert net.check_input([gallery["cat"], gallery["rocket"]]).right is True


def test_each_trial_is_measured(lite0, gallery):
    trials = {each.name: each for each in lite0.check_input(gallery["cat"]).trials}
    assert trials["x / 255"].low >= 0
    assert 0.8 < trials["x / 255"].high <= 1
    assert trials["as it is"].probability == pytest.approx(
        lite0.predict(gallery["cat"], top=1)[0].probability, abs=1e-4
    )
    assert trials["as it is, twice"].entropy > 8  # of 10 bits
    assert trials["as it is, fit='crop'"].misfit is not None


def test_an_untrained_network_and_one_without_normalization_tell_nothing(keras, gallery):
    layers = keras.layers

    def model(*middle):
        return keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                layers.Conv2D(4, 3),
                *middle,
                layers.GlobalAveragePooling2D(),
                layers.Dense(3, activation="softmax"),
            ]
        )

    untrained = cw.Network(model(layers.BatchNormalization())).check_input(gallery["cat"])
    assert untrained.right is None
    assert "untrained" in untrained.advice
    plain = cw.Network(model()).check_input(gallery["cat"])
    assert plain.right is None
    assert "no batch normalization follows" in plain.advice


def trained(keras, *middle, channels=3, activation=None, filters=16):
    """Return a classifier whose batch normalization holds statistics, as if it were trained."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    norm = layers.BatchNormalization()
    model = keras.Sequential(
        [
            keras.Input((32, 32, channels)),
            layers.Conv2D(filters, 3, activation=activation, use_bias=False),
            *middle,
            norm,
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    norm.moving_mean.assign(np.linspace(0.1, 0.3, filters))
    norm.moving_variance.assign(np.full(filters, 0.2))
    return cw.Network(model)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"activation": "relu"}, "no batch normalization follows its first convolution directly"),
        ({"channels": 4}, "no photographs of 4 channels"),
        ({"filters": 4}, "its first filters do not settle the mean colour"),
        ({}, "its first filters do not settle the mean colour"),
    ],
)
def test_statistics_that_are_not_those_of_the_channels_are_not_used(keras, options, words):
    channels = options.get("channels", 3)
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, channels), np.uint8)
    found = trained(keras, **options).check_input(cw.load_image(pixels))
    assert found.right is None
    assert words in found.advice


def test_a_pooling_in_between_is_noticed(keras, gallery):
    found = trained(keras, keras.layers.MaxPooling2D()).check_input(gallery["cat"])
    assert found.right is None
    assert "directly" in found.advice


def test_the_mean_colour_of_training_is_read_off(keras, gallery):
    """Statistics are those of noise of a known mean, put in by hand."""
    net = trained(keras)
    conv, norm = net.model.layers[0], net.model.layers[1]
    colour = np.array([0.6, 0.4, 0.2])
    kernel = np.asarray(conv.kernel, np.float64)
    norm.moving_mean.assign(kernel.sum((0, 1)).T @ colour)
    norm.moving_variance.assign(0.05 * np.square(kernel).sum((0, 1, 2)))
    assert "a mean of (0.60, 0.40, 0.20)" in net.check_input(gallery["cat"]).advice


def test_the_check_can_be_cancelled_and_changes_nothing(lite0, gallery):
    before = lite0.input_tensor(gallery["cat"]).copy()
    with pytest.raises(CancelledError):
        lite0.check_input(gallery["cat"], progress=lambda done, total: done < 2)
    np.testing.assert_array_equal(lite0.input_tensor(gallery["cat"]), before)


def grainy(keras, trained):
    """A network that tells fine grain from none: it answers by the mean of |x - its neighbour|."""
    x = keras.Input((16, 16, 3))
    edges = keras.layers.Conv2D(6, (1, 2), use_bias=False, name="conv")(x)
    normed = keras.layers.BatchNormalization(name="bn", epsilon=1e-6)(edges)
    rough = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(normed))
    model = keras.Model(x, keras.layers.Dense(2, activation="softmax")(rough))
    kernel = np.zeros((1, 2, 3, 6), np.float32)
    for color in range(3):
        kernel[0, :, color, color], kernel[0, :, color, color + 3] = (1, -1), (1, 1)
    conv, bn, dense = model.get_layer("conv"), model.get_layer("bn"), model.layers[-1]
    conv.set_weights([kernel])
    weight = 20 / 13 if trained else 1 / 13  # a mean of 13 of the three colours is grain
    dense.set_weights([np.array([[weight, 0]] * 3 + [[0, 0]] * 3), np.array([0, 1])])
    bn.set_weights(
        [
            np.ones(6),
            np.zeros(6),
            np.array([0] * 3 + [250.0] * 3),
            np.array([400.0] * 3 + [8000.0] * 3),
        ]
        if trained
        else bn.get_weights()
    )
    return cw.Network(model, preprocess="none", class_names=["grain", "smooth"])  # fmt: skip


@pytest.mark.parametrize("trained", [True, False])
def test_a_network_that_reads_grain_is_not_called_right_on_larger_photographs(keras, trained):
    rng, net = np.random.default_rng(2), grainy(keras, trained)
    rough = [rng.integers(88, 169, (64, 64, 3)).astype(np.uint8) for _ in range(4)]
    smooth = [np.full((64, 64, 3), value, np.uint8) for value in (60, 120, 180, 240)]
    samples = [cw.load_image(each) for each in (*rough, *smooth)]
    before = [each[0].name for each in net.predict(samples)]
    kept = [cw.load_image(each[1::4, 1::4]) for each in (*rough, *smooth)]
    assert [each[0].name for each in net.predict(kept)] == ["grain"] * 4 + ["smooth"] * 4
    assert before == ["smooth"] * 8  # antialiasing takes the grain away
    found = net.check_input(samples)
    assert "Resized without antialiasing" in found.advice
    assert "4 of 8 answers would differ: if it was trained so, resize" in found.advice
    assert "The input looks right" not in found.advice
    assert ("The preprocessing looks right" in found.advice) == trained
    assert found.right is None
    assert found.trials[-1].name == "as it is, resized without antialiasing"
    assert found.trials[-1].misfit is None
    of_its_size = net.check_input(kept)
    assert "antialiasing" not in of_its_size.advice
    assert len(of_its_size.trials) == len(found.trials) - 1


def test_photographs_whose_answers_do_not_depend_on_resampling_are_said_to(lite0, gallery):
    found = lite0.check_input([gallery["cat"], gallery["espresso"]])
    assert found.right is True
    assert "The input looks right" in found.advice
    assert found.advice.endswith("does it, 0 of 2 answers would differ.")
