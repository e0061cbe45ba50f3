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


def test_what_is_no_model_and_no_sample_is_refused(tiny_net):
    with pytest.raises(TypeError, match="Expected a Keras model"):
        cw.Network("model")
    with pytest.raises(TypeError, match="load_image"):
        tiny_net.predict(np.zeros((4, 4, 3)))
    with pytest.raises(ValueError, match="at least one image"):
        tiny_net.predict([])
