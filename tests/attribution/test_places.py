"""Heat-maps lie where the object is, for models that crop, pad or resize their input."""

from functools import lru_cache

import numpy as np
import pytest

import cnn_widgets as cw


def blob_model(keras, *before, after=(), size=(160, 320)):
    """Return a model that sums what is bright, after some layers that change the picture."""
    L = keras.layers
    inputs = keras.Input((*size, 3))
    x = L.Rescaling(1 / 255)(inputs)
    for layer in before:
        x = layer(x)
    x = L.Conv2D(4, 3, padding="same", kernel_initializer="ones", activation="relu", name="conv")(x)
    for layer in after:
        x = layer(x)
    x = L.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, L.Dense(1, kernel_initializer="ones")(x))


def photo_with_blob(row, column, size=(160, 320), half=4):
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[row - half : row + half, column - half : column + half] = 255
    return cw.load_image(pixels)


CASES = {
    "cropping": lambda L: [L.Cropping2D(((70, 25), (30, 10)))],
    "centre crop": lambda L: [L.CenterCrop(120, 240)],
    "crop to aspect": lambda L: [L.Resizing(96, 96, crop_to_aspect_ratio=True)],
    "pad to aspect": lambda L: [L.Resizing(96, 96, pad_to_aspect_ratio=True)],
    "squashed": lambda L: [L.Resizing(96, 96)],
    "valid convolutions": lambda L: [
        L.Conv2D(3, 9, kernel_initializer="ones", use_bias=False) for _ in range(3)
    ],
    "padded": lambda L: [L.ZeroPadding2D(((40, 0), (0, 60)))],
    "strides": lambda L: [
        L.Conv2D(3, 3, 2, "same", kernel_initializer="ones", use_bias=False) for _ in range(3)
    ],
}


@pytest.fixture(scope="module")
def opened(keras):
    """A function that opens the network of a case, each once."""
    return lru_cache(
        lambda case: cw.Network(blob_model(keras, *CASES[case](keras.layers)), preprocess="none")
    )


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", ["grad-cam", "hirescam", "eigen-cam"])
@pytest.mark.parametrize("place", [(85, 160), (100, 190)])
def test_the_heat_lies_on_the_blob(opened, case, method, place):
    net = opened(case)
    found = cw.attribute(net, photo_with_blob(*place), method, 0, layer="conv")
    heat = np.maximum(found.heatmap, 0)
    rows, columns = np.nonzero(heat > 0.5)
    slack = 2 + max(net.field("conv").rows.step, net.field("conv").columns.step)
    assert abs((rows.min() + rows.max() + 1) / 2 - place[0]) <= slack
    assert abs((columns.min() + columns.max() + 1) / 2 - place[1]) <= slack


def test_nothing_is_drawn_where_the_model_sees_nothing(keras):
    crop = keras.layers.Cropping2D(((70, 25), (30, 10)))
    net = cw.Network(blob_model(keras, crop), preprocess="none")
    white = cw.load_image(np.full((160, 320, 3), 255, np.uint8))
    heat = cw.attribute(net, white, class_index=0, layer="conv").heatmap
    assert heat[70:135, 30:310].min() > 0
    heat[70:135, 30:310] = 0
    assert not heat.any()


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
def test_the_place_is_right_on_a_photograph_of_another_shape(keras, fit):
    crop = keras.layers.Cropping2D(((40, 20), (60, 20)))
    net = cw.Network(blob_model(keras, crop), preprocess="none")
    photo = cw.load_image(photo_with_blob(210, 260, (400, 500), 10), fit=fit)
    rows, columns = np.nonzero(cw.attribute(net, photo, class_index=0, layer="conv").heatmap > 0.5)
    assert abs(rows.mean() - 210) < 4
    assert abs(columns.mean() - 260) < 4
    box = net.receptive_field("conv", 0, 0, photo)
    assert 0 <= box.top < box.bottom <= 400


def test_score_cam_masks_the_part_that_a_filter_saw(keras):
    crop = keras.layers.Cropping2D(((70, 25), (0, 0)))
    net = cw.Network(blob_model(keras, crop), preprocess="none")
    rows, columns = np.nonzero(
        cw.attribute(net, photo_with_blob(85, 160), "score-cam", 0, layer="conv").heatmap > 0.5
    )
    assert abs(rows.mean() - 85) < 4
    assert abs(columns.mean() - 160) < 4


def test_a_layer_whose_positions_are_lost_is_not_offered_and_says_why(keras):
    L = keras.layers
    inputs = keras.Input((16, 12, 3))
    x = L.Conv2D(4, 3, name="conv", activation="relu")(inputs)
    x = L.Reshape((5, 4, 2), name="folded")(L.Dense(40)(L.Flatten()(x)))
    x = L.Conv2D(4, 3, name="late", activation="relu")(x)
    net = cw.Network(keras.Model(inputs, L.Dense(3)(L.Flatten()(x))), preprocess="none")
    assert [info.name for info in net.layers_of(None)] == ["conv"]
    assert net.default_layer == "conv"
    photo = cw.load_image(np.zeros((16, 12, 3), np.uint8))
    with pytest.raises(ValueError, match=r"'late' puts out no map.*summed away in.*dense"):
        cw.attribute(net, photo, layer="late")
    with pytest.raises(ValueError, match=r"'late' puts out no map"):
        net.receptive_field("late", 0, 0)
    with pytest.raises(ValueError, match="Expected a cell from 0 to 13"):
        net.receptive_field("conv", 14, 0)
