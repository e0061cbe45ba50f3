"""Tokens that stand on a known grid are maps: vision transformers are explained at their blocks."""

import numpy as np
import pytest

import cnn_widgets as cw

SIZE = (32, 48, 3)


def block(keras, width, name):
    layers = keras.layers

    class Block(layers.Layer):
        def __init__(self):
            super().__init__(name=name)
            self.before, self.between = layers.LayerNormalization(), layers.LayerNormalization()
            self.attention = layers.MultiHeadAttention(2, width // 2)
            self.wide, self.narrow = layers.Dense(2 * width, "gelu"), layers.Dense(width)

        def call(self, x):
            tokens = self.before(x)
            x = x + self.attention(tokens, tokens)
            return x + self.narrow(self.wide(self.between(x)))

    return Block()


def class_token(keras):
    class ClassToken(keras.layers.Layer):
        def build(self, shape):
            self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="normal")

        def call(self, x):
            count = keras.ops.shape(x)[0]
            return keras.ops.concatenate([keras.ops.tile(self.token, (count, 1, 1)), x], 1)

    return ClassToken()


def transformer(keras, token):
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input(SIZE)
    x = layers.Conv2D(16, 8, strides=8, name="patch")(image)
    x = layers.Reshape((-1, 16))(x)
    x = class_token(keras)(x) if token else x
    for number in range(3):
        x = block(keras, 16, f"block{number}")(x)
    x = x[:, 0] if token else layers.GlobalAveragePooling1D()(x)
    return keras.Model(image, layers.Dense(5, activation="softmax")(x))


@pytest.fixture
def photo():
    return cw.load_image(np.random.default_rng(0).integers(0, 256, SIZE, np.uint8))


@pytest.mark.parametrize("token", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_blocks_are_maps_on_the_grid_of_patches(keras, photo, token):
    model = transformer(keras, token)
    net = cw.Network(model)
    assert net.activations(photo, "block1").shape == (4, 6, 16)
    assert {"block0", "block1"} <= {info.name for info in net.feature_layers}
    found = cw.attribute(net, photo, layer="block1")
    assert found.raw.shape == (4, 6)
    assert found.heatmap.shape == SIZE[:2]
    scores = np.asarray(model(net.input_tensor(photo)[None]))[0]
    np.testing.assert_allclose(net.scores(photo)[1], scores, atol=1e-6)


@pytest.mark.slow
def test_a_patch_sees_its_own_pixels_and_a_block_all(keras):
    net = cw.Network(transformer(keras, True))
    assert tuple(net.receptive_field("patch", 1, 2)) == (8, 16, 16, 24)
    assert tuple(net.receptive_field("block0", 1, 2)) == (0, 0, 32, 48)


@pytest.mark.slow
def test_the_default_is_the_last_block_whose_map_counts(keras, photo):
    """Behind the last attention the score reads the class token alone."""
    net = cw.Network(transformer(keras, True))
    assert net.default_layer == "block1"
    for method in ("grad-cam", "score-cam", "ablation-cam"):
        with pytest.raises(ValueError, match="the score reads only the token in front of the map"):
            cw.attribute(net, photo, method, layer="block2")
    assert cw.Network(transformer(keras, False)).default_layer == "block2"
