"""Of several outputs, also of shared and nested layers, the one that is meant is explained."""

import numpy as np
import pytest

import cnn_widgets as cw


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def inner(keras, named):
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(image))
    species = layers.Dense(3, activation="softmax", name="species")(x)
    sex = layers.Dense(3, activation="softmax", name="sex")(x)
    outputs = {"b": species, "a": sex} if named else [species, sex]
    return keras.Model(image, outputs, name="inner")


def around(keras, part):
    image = keras.Input((16, 16, 3))
    found = part(image)
    return keras.Model(image, list(found.values()) if isinstance(found, dict) else found)


def shared(keras):
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    head = layers.Dense(3, activation="softmax", name="shared")
    maps = layers.Conv2D(4, 3, activation="relu")(image)
    pooled = layers.GlobalAveragePooling2D()(maps), layers.GlobalMaxPooling2D()(maps)
    return keras.Model(image, [head(each) for each in pooled])


def explained(model, output, picture):
    """Return the number of the output whose probabilities the network gives."""
    net = cw.Network(model, lambda pixels: pixels / 255, output=output)
    got = net.scores(cw.load_image(picture))[1]
    wanted = [np.asarray(each)[0] for each in model(picture[None] / np.float32(255))]
    equal = [np.allclose(got, each, atol=1e-5) for each in wanted]
    assert sum(equal) == 1
    return equal.index(True)


@pytest.mark.parametrize(
    ("named", "output", "number"),
    [
        (False, None, 0),
        (False, 0, 0),
        (False, 1, 1),
        (False, "species", 0),
        (False, "sex", 1),
        (False, "inner/sex", 1),
        (True, 0, 0),
        (True, 1, 1),
        (True, "inner/a", None),
    ],
)
def test_outputs_of_a_nested_model(keras, picture, named, output, number):
    keras.utils.set_random_seed(0)
    part = inner(keras, named)
    model = around(keras, part)
    found = explained(model, output, picture)
    if number is None:  # the key's own tensor, wherever it stands in the list
        want = np.asarray(part(picture[None] / np.float32(255))["a"])[0]
        mine = np.asarray(model(picture[None] / np.float32(255))[found])[0]
        np.testing.assert_allclose(mine, want, atol=1e-6)
    else:
        assert found == number


@pytest.mark.parametrize(("output", "number"), [(None, 0), (0, 0), (1, 1), ("shared:1", 1)])
def test_outputs_of_one_shared_layer(keras, picture, output, number):
    keras.utils.set_random_seed(0)
    assert explained(shared(keras), output, picture) == number
