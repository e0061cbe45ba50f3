"""Networks of 1, 2, 4 and 13 channels, from the array to the page."""

from functools import lru_cache

import keras
import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.evaluation import curves
from cnn_widgets.panels.table import PANELS

SIDE = 20


def network_of(channels):
    keras.utils.set_random_seed(channels)
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, channels)),
            keras.layers.Conv2D(6, 3, padding="same", activation="relu", name="conv"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ],
        name=f"of_{channels}",
    )
    return cw.Network(model, "none")


@pytest.fixture(scope="module")
def lent():
    """A function that returns a network of so many channels, which no test changes."""
    return lru_cache(network_of)


def picture_of(channels):
    values = np.random.default_rng(channels).normal(size=(SIDE, SIDE, channels)) * 50 + 3
    return cw.load_image(values.astype(np.float32), bands=(0,) if channels == 1 else None)


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
def test_every_channel_reaches_the_model_in_its_own_values(channels):
    net, sample = network_of(channels), picture_of(channels)
    expected = np.asarray(net.model(sample.data[None]))[0]
    np.testing.assert_allclose(net.scores(sample)[1], expected, rtol=1e-5)
    np.testing.assert_array_equal(net.input_tensor(sample), sample.data)


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
@pytest.mark.parametrize("method", sorted(cw.METHODS))
def test_every_method_explains_it(lent, channels, method):
    net, sample = lent(channels), picture_of(channels)
    found = cw.attribute(net, sample, method)
    assert np.isfinite(found.heatmap).all()
    assert found.heatmap.shape == (SIDE, SIDE)


@pytest.mark.parametrize("channels", [2, 4, 13])
def test_a_planted_signal_in_one_channel_is_found(channels):
    """Only the last channel counts, and only a patch of it is not zero."""
    net = network_of(channels)
    kernel = np.zeros((3, 3, channels, 6), np.float32)
    kernel[1, 1, -1] = 1
    net.model.get_layer("conv").set_weights([kernel, np.zeros(6, np.float32)])
    rising = np.tile([[1.0, 0.0, -1.0]], (6, 1)).astype(np.float32)
    net.model.layers[-1].set_weights([rising, np.zeros(3, np.float32)])
    values = np.random.default_rng(0).normal(size=(SIDE, SIDE, channels)).astype(np.float32)
    values[..., -1] = 0
    values[5:9, 12:16, -1] = 10
    sample = cw.load_image(values)
    inside = np.zeros((SIDE, SIDE), bool)
    inside[5:9, 12:16] = True
    for method in ("grad-cam", "grad-cam++", "gradient-x-input"):
        heat = cw.attribute(net, sample, method, 0).heatmap
        assert heat[inside].min() > 0.9
        assert np.abs(heat[~inside]).max() < 0.1
    deletion, insertion = curves(net, sample, cw.attribute(net, sample, "grad-cam", 0), steps=4)
    # the last value says nothing here: a blurred picture has the same mean
    assert deletion.probabilities[1] < deletion.probabilities[0] - 0.01
    assert insertion.probabilities[1] > insertion.probabilities[0] + 0.01


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
def test_the_explorer_shows_it(channels):
    sample = picture_of(channels)
    explorer = cw.CNNExplorer(network_of(channels), [sample])
    assert explorer.last_error is None
    view = PANELS["input"].view(explorer.scene)
    assert view.picture.shape == (SIDE, SIDE, 3)
    assert f"{SIDE}×{SIDE}×{channels}" in view.caption
    if channels > 1:
        shown = sample.data[..., list(sample.bands)]
        span = (shown - shown.min((0, 1))) / np.ptp(shown, axis=(0, 1))
        np.testing.assert_allclose(view.picture, span * 255, atol=0.6)
        assert f"channels {', '.join(map(str, sample.bands))} shown" in view.caption
    explorer.figure()
    explorer.close()


def test_a_picture_of_other_channels_is_refused_by_name():
    with pytest.raises(ValueError, match="takes 4 channels; 'array' has 3"):
        network_of(4).scores(cw.load_image(np.zeros((SIDE, SIDE, 3), np.uint8)))
