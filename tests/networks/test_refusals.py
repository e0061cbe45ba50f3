"""Models and options that are refused, each in one clear line."""

import numpy as np
import pytest
from helpers.networks import (
    fingerprint,
    tiny,
)

import cnn_widgets as cw


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
            lambda k: k.Sequential([k.Input((8, 8, None)), k.layers.GlobalAveragePooling2D()]),
            "a known number of channels",
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


def standardized(pixels):
    with np.errstate(all="ignore"):
        return (pixels - pixels.mean()) / pixels.std()


FLAT = cw.load_image(np.full((16, 12, 3), 7, np.uint8), name="flat")
NOISE = [
    cw.load_image(array, name=f"noise {n}")
    for n, array in enumerate(np.random.default_rng(0).integers(0, 256, (11, 16, 12, 3), np.uint8))
]


@pytest.fixture(scope="module")
def standardizing(keras):
    """A network whose preprocess gives NaN for a picture of one colour."""
    return cw.Network(tiny(keras), preprocess=standardized)


@pytest.mark.parametrize(
    "ask",
    [
        lambda net: net.predict(FLAT),
        lambda net: net.scores([*NOISE, FLAT]),
        lambda net: net.activations([NOISE[0], FLAT], "conv2"),
        lambda net: net.input_tensor(FLAT),
        lambda net: cw.attribute(net, FLAT),
        lambda net: cw.attribute(net, [NOISE[0], FLAT], "saliency", 0),
        lambda net: cw.attribute(net, FLAT, "occlusion"),
        lambda net: cw.ablate(net, FLAT, "conv2", [0]),
    ],
)
def test_a_picture_of_which_preprocess_makes_nan_is_refused_by_name(standardizing, ask):
    said = "cannot be asked about 'flat': preprocess gave NaN or infinity"
    with pytest.raises(ValueError, match=said):
        ask(standardizing)


def test_an_infinite_input_and_one_beyond_float32_are_refused(tiny_model):
    for preprocess in (lambda x: x + np.inf, lambda x: x.astype(np.float64) * 1e300):
        net = cw.Network(tiny_model, preprocess=preprocess)
        with pytest.raises(ValueError, match="preprocess gave NaN or infinity"):
            net.predict(NOISE[0])


def test_each_picture_is_prepared_by_itself_so_that_a_list_gives_the_same(standardizing):
    np.testing.assert_array_equal(
        standardizing.input_tensor(NOISE),
        np.stack([standardized(each.pixels.astype(np.float32)) for each in NOISE]),
    )


@pytest.mark.parametrize("method", ["grad-cam", "saliency", "score-cam"])
def test_of_many_pictures_those_that_cannot_be_prepared_are_counted(standardizing, method):
    given = [*NOISE[:3], FLAT, *NOISE[3:]]
    found = list(cw.stream(standardizing, given, method))
    assert [n for n, each in enumerate(found) if each.error is not None] == [3]
    assert "'flat': preprocess gave NaN" in str(found[3].error)
    assert [each.name for each in found] == [each.name for each in given]
    last = found[-1].predictions[0]
    assert last.score == pytest.approx(standardizing.predict(NOISE[-1])[0].score, abs=1e-5)


def test_an_audit_and_an_index_of_filters_count_it_too(standardizing):
    given = [*NOISE[:3], FLAT, *NOISE[3:]]
    audit = cw.audit(standardizing, given, labels=[0] * 12)
    assert audit.accuracy.count == 11
    assert [row["name"] for row in audit.records() if row["error"]] == ["flat"]
    index = cw.index_filters(standardizing, given, layers=["conv2"])
    assert list(index.errors) == ["flat"]
    assert "preprocess gave NaN" in index.errors["flat"]


def test_an_explorer_says_it_and_goes_on(standardizing):
    explorer = cw.CNNExplorer(standardizing, images=[FLAT, *NOISE[:2]])
    assert explorer.state.image == "noise 0"
    with pytest.raises(ValueError, match="'flat': preprocess gave NaN"):
        explorer.state.update(image="flat")
    assert explorer.state.image == "noise 0"
    explorer.state.update(image="noise 1")
    explorer.close()
    with pytest.raises(ValueError, match="'flat': preprocess gave NaN"):
        cw.CNNExplorer(standardizing, images=[FLAT])


def test_a_picture_whose_scores_are_nan_is_named(keras):
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((16, 12, 3)),
            layers.Lambda(lambda x: keras.ops.log(x - 50)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    net = cw.Network(model, preprocess="none")
    bright = cw.load_image(np.full((16, 12, 3), 200, np.uint8), name="bright")
    said = "computes NaN or infinite scores for 'flat', though its weights are finite"
    for asked in (FLAT, [bright, FLAT, bright]):
        with pytest.raises(ValueError, match=said):
            net.scores(asked)


def test_what_is_no_model_and_no_sample_is_refused(tiny_net):
    with pytest.raises(TypeError, match="Expected a Keras model"):
        cw.Network("model")
    with pytest.raises(TypeError, match="load_image"):
        tiny_net.predict(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="at least one image"):
        tiny_net.predict([])
