"""Layers that stay random or follow the batch are found, and said."""

import numpy as np
import pytest

import cnn_widgets as cw


def model(keras, inner, training=True):
    """Return a classifier with a layer inside that is called with `training`, come what may."""
    layers = keras.layers

    class Middle(layers.Layer):
        def __init__(self):
            super().__init__(name="middle")
            self.inner = inner

        def call(self, x):
            return self.inner(x, training=training)

    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3)(image)
    x = layers.GlobalAveragePooling2D()(Middle()(x))
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def said(net, words):
    return any(words in note for note in net.notes)


def test_a_layer_that_stays_random_is_said(keras):
    net = cw.Network(model(keras, keras.layers.Dropout(0.5)))
    assert said(net, "A layer stays random (near ")
    assert said(net, "middle")


def test_a_layer_that_follows_the_batch_is_said(keras):
    net = cw.Network(model(keras, keras.layers.BatchNormalization()))
    assert said(net, "A layer follows the batch (near ")


@pytest.mark.parametrize("kind", ["Dropout", "BatchNormalization"])
def test_layers_in_inference_mode_are_quiet(keras, kind):
    layer = {"Dropout": lambda: keras.layers.Dropout(0.5)}.get(
        kind, keras.layers.BatchNormalization
    )
    net = cw.Network(model(keras, layer(), training=False))
    assert not said(net, "A layer")
    assert net.engine.graph.random is None
    assert net.engine.graph.mixing is None


def test_a_harmless_statistic_over_the_batch_is_quiet(keras):
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    x = x + 0 * keras.ops.mean(x, axis=0)
    net = cw.Network(keras.Model(image, layers.Dense(3, activation="softmax")(x)))
    assert net.engine.graph.mixing is not None
    assert not said(net, "A layer")
    assert np.isfinite(net.scores(cw.gallery()["cat"])[0]).all()
