"""A network whose answers are known: it names the strongest colour of a picture."""

import numpy as np
import pytest

import cnn_widgets as cw

COLORS = {"red": (200, 40, 40), "green": (40, 200, 40), "blue": (40, 40, 200)}
NAMES = ["red", "green", "sky_blue"]


def color_model(keras):
    """The scores are ten times the means of the three channels, in [0, 1]."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        layers.Conv2D(3, 1, use_bias=False, name="colors"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(3, use_bias=False, activation="softmax"),
    ])  # fmt: skip
    model.layers[0].set_weights([np.eye(3)[None, None]])
    model.layers[2].set_weights([10 * np.eye(3)])
    return model


@pytest.fixture(scope="module")
def color_net(keras):
    """It names the strongest colour of a picture."""
    model = color_model(keras)
    return cw.Network(model, preprocess=lambda x: x / 255, class_names=NAMES, name="colors")


def picture(color, weak=0):
    """Return a picture of one colour; `weak` takes from it what another channel gets."""
    pixels = np.empty((8, 8, 3), np.uint8)
    pixels[:] = np.clip(np.array(COLORS[color]) + np.array([weak, -weak, 0]), 0, 255)
    return pixels


#: (picture, label): eight right ones, a mislabelled one, one that is nearly right, one without.
PICTURES = [
    *[(picture("red"), "Red"), (picture("green"), "green"), (picture("blue"), "sky blue")] * 2,
    (picture("red"), "red"), (picture("blue"), "Sky-Blue"),
    (picture("blue"), "red"), (picture("green", weak=85), "green"), (picture("green"), None),
]  # fmt: skip
