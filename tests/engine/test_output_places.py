"""Outputs per pixel and per box say what is explained: their mean, or the place chosen."""

import numpy as np
import pytest

import cnn_widgets as cw


@pytest.fixture
def photo():
    return cw.load_image(np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8))


def segmenter(keras, boxes=False):
    layers = keras.layers
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="features")(image)
    x = layers.Conv2D(3, 1)(x)
    x = layers.Reshape((256, 3))(x) if boxes else x
    return keras.Model(image, layers.Softmax()(x))


def test_the_mean_is_said(keras, photo):
    net = cw.Network(segmenter(keras))
    assert any("16×16 positions: their mean is explained (at=(row, col" in n for n in net.notes)
    boxes = cw.Network(segmenter(keras, True))
    assert any("256 positions: their mean is explained (at=a number" in n for n in boxes.notes)


def test_one_pixel_s_scores_and_evidence(keras, photo):
    model = segmenter(keras)
    net = cw.Network(model, at=(12, 3))
    whole = np.asarray(model(net.input_tensor(photo)[None]))[0]
    np.testing.assert_allclose(net.scores(photo)[1], whole[12, 3], atol=1e-6)
    gradients = net.gradients(photo, None, 1)[1]
    rows, columns = np.nonzero(np.abs(gradients).sum(-1))
    assert rows.min() >= 11
    assert rows.max() <= 13
    assert columns.min() >= 2
    assert columns.max() <= 4
    assert not any("mean is explained" in note for note in net.notes)


def test_one_box_is_the_same_place(keras, photo):
    pixel = cw.Network(segmenter(keras), at=(12, 3)).scores(photo)[0]
    box = cw.Network(segmenter(keras, True), at=12 * 16 + 3).scores(photo)[0]
    np.testing.assert_allclose(pixel, box, atol=1e-6)


@pytest.mark.parametrize("at", [(16, 0), (-1, 0), (3,), (1, 2, 3), 7])
def test_a_place_that_is_not_there_is_refused(keras, at):
    with pytest.raises(
        ValueError, match=r"positions \(16, 16\), counted from 0. Received: "
    ) as found:
        cw.Network(segmenter(keras), at=at)
    assert str(found.value).endswith(f"Received: {at!r}")


@pytest.mark.parametrize("at", [(1.5, 2), "ab", ("1", 2)])
def test_a_place_of_anything_but_whole_numbers_is_refused(keras, at):
    with pytest.raises(ValueError, match="Expected at= to be whole numbers"):
        cw.Network(segmenter(keras), at=at)


def test_whole_numbers_of_numpy_are_a_place(keras, photo):
    ours = cw.Network(segmenter(keras), at=(np.int64(12), np.int64(3))).scores(photo)[0]
    assert (ours == cw.Network(segmenter(keras), at=(12, 3)).scores(photo)[0]).all()


def test_a_place_of_one_vector_is_refused(keras):
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    with pytest.raises(ValueError, match="which has no positions"):
        cw.Network(keras.Model(image, layers.Dense(3, activation="softmax")(x)), at=(0, 0))
