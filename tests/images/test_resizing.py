"""Pictures brought to a network's input size."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.pictures import (
    SIX,
)

from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.records import FITS, ImageSample


def test_luma_weighs_the_colours_by_itu_r_601():
    primaries = ImageSample(SIX[:1], "primaries")
    luma = resize_to_input(primaries, (1, 3), channels=1)
    assert luma.shape == (1, 3, 1)
    assert luma.ravel().tolist() == [76, 150, 29]  # .299, .587 and .114 of 255


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(7, 19), (19, 7), (16, 16), (1, 1)])
def test_every_photograph_comes_out_at_the_size_of_the_input(fit, channels, size):
    for shape in ((40, 60, 3), (60, 40, 3), (1, 1, 3), (1, 50, 3)):
        fitted = resize_to_input(ImageSample(np.full(shape, 9, np.uint8), fit=fit), size, channels)
        assert fitted.shape == (*size, channels)
        assert fitted.dtype == np.uint8


def test_a_photograph_of_the_right_size_is_untouched():
    noise = np.random.default_rng(2).integers(0, 256, (9, 13, 3), np.uint8)
    for fit in FITS:
        assert np.array_equal(resize_to_input(ImageSample(noise, fit=fit), (9, 13)), noise)


def bands(height: int, width: int) -> np.ndarray:
    """Return a photograph in three bands along its longer side: red, green, blue."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for k, part in enumerate(np.array_split(np.arange(max(height, width)), 3)):
        if width > height:
            pixels[:, part, k] = 255
        else:
            pixels[part, :, k] = 255
    return pixels


@pytest.mark.parametrize("size", [(20, 60), (60, 20)])
def test_squash_shows_all_of_the_picture_crop_its_middle_and_letterbox_all_on_black(size):
    long = 1 if size[1] > size[0] else 0

    def middle_line(fit):
        fitted = resize_to_input(ImageSample(bands(*size), fit=fit), (30, 30))
        return np.moveaxis(fitted, long, 0)[:, 15], np.moveaxis(fitted, 1 - long, 0)[:, 15]

    along, across = middle_line("squash")
    assert along[[5, 15, 25]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert np.all(across == [0, 255, 0])
    along, across = middle_line("crop")
    assert np.all(along == [0, 255, 0])
    assert np.all(across == [0, 255, 0])
    along, across = middle_line("letterbox")
    assert along[[5, 15, 25]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert not across[:8].any()
    assert not across[-8:].any()
    assert np.all(across[13:17] == [0, 255, 0])
