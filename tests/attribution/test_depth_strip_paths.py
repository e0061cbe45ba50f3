"""A film-strip holds the layers that a path from the score leads back to."""

import pytest

import cnn_widgets as cw
from cnn_widgets.attribution.depth_strip import film_strip


def test_layers_behind_a_stopped_gradient_are_left_out(keras, gallery):
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, name="before")(image)
    x = layers.Conv2D(4, 3, name="behind")(keras.ops.stop_gradient(x))
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    strip = film_strip(cw.Network(keras.Model(image, x)), gallery["cat"])
    assert [each.layer for each in strip] == ["behind"]


def test_a_network_without_any_such_layer_is_refused(keras, gallery):
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    x = layers.Dense(3, activation="softmax")(keras.ops.stop_gradient(x))
    with pytest.raises(ValueError, match=r"No path leads back from the score of .* to any layer"):
        film_strip(cw.Network(keras.Model(image, x)), gallery["cat"])
