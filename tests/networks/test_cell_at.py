"""The cell at a place of a photograph: the inverse of the receptive fields' centres."""

import numpy as np
import pytest
from helpers.explored import pictures
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.images.resizing import visible_window
from cnn_widgets.records import FITS


@pytest.fixture(scope="module")
def nets(keras):
    L = keras.layers
    strided = keras.Sequential(
        [
            keras.Input((31, 20, 3)),
            L.Conv2D(3, 5, strides=(2, 1), name="first"),
            L.ZeroPadding2D(((2, 0), (0, 3)), name="pad"),
            L.Conv2D(3, 2, strides=2, name="second"),
            L.GlobalAveragePooling2D(),
            L.Dense(2, activation="softmax"),
        ]
    )
    return [cw.Network(model, preprocess="none") for model in (tiny(keras), strided)]


def whole_fields(net, layer, sample):
    """Yield each cell and its receptive field that no edge has cut off."""
    field = net.field(layer)
    _, _, height, width = visible_window(sample.size, net.input_size, sample.fit)
    tall = field.rows.size * height / net.input_size[0]
    wide = field.columns.size * width / net.input_size[1]
    for cell in np.ndindex(field.shape):
        box = net.receptive_field(layer, *cell, sample)
        if np.allclose((box.bottom - box.top, box.right - box.left), (tall, wide)):
            yield cell, box


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("name", ["one", "portrait"])
def test_a_receptive_fields_centre_is_at_its_cell(nets, fit, name):
    sample = cw.load_image(pictures()[name], fit=fit)
    for net in nets:
        for info in net.layers_of(None):
            found = list(whole_fields(net, info.name, sample))
            assert found or info.name in ("pool1", "conv2")  # wider than the portrait
            for cell, box in found:
                across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
                assert net.cell_at(info.name, across, down, sample) == cell


@pytest.mark.parametrize("fit", FITS)
def test_beside_the_photograph_the_nearest_cell_is_taken(nets, fit):
    sample = cw.load_image(pictures()["one"], fit=fit)
    for net in nets:
        for info in net.layers_of(None):
            rows, columns = net.field(info.name).shape
            assert net.cell_at(info.name, -1e4, -1e4, sample) == (0, 0)
            assert net.cell_at(info.name, 1e4, 1e4, sample) == (rows - 1, columns - 1)
            assert net.cell_at(info.name, -1e4, 1e4, sample) == (rows - 1, 0)


def test_a_photograph_without_a_fit_takes_the_networks(keras):
    net = cw.Network(tiny(keras), preprocess="none", fit="crop")
    pixels = pictures()["portrait"]
    plain, cropped = cw.load_image(pixels), cw.load_image(pixels, fit="crop")
    squashed = cw.load_image(pixels, fit="squash")
    assert net.cell_at("conv1", 10, 40, plain) == net.cell_at("conv1", 10, 40, cropped)
    assert net.cell_at("conv1", 10, 40, plain) != net.cell_at("conv1", 10, 40, squashed)


def test_an_unknown_layer_is_refused(nets):
    sample = cw.load_image(pictures()["one"])
    with pytest.raises(ValueError, match="Unknown layer 'nowhere'"):
        nets[0].cell_at("nowhere", 1, 1, sample)
    with pytest.raises(ValueError, match="'dense' puts out shape"):
        nets[0].cell_at("dense", 1, 1, sample)
