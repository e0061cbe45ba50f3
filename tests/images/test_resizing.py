"""Pictures brought to a network's input size."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.pictures import (
    SIX,
)

from cnn_widgets.images.resizing import grain_kept, is_larger, resize_to_input
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


@pytest.mark.parametrize(
    ("size", "input_size"), [((256, 200), (64, 64)), ((50, 77), (64, 32)), ((20, 20), (64, 64))]
)
def test_without_antialiasing_it_is_what_tf_image_resize_makes(size, input_size):
    tf, rng = pytest.importorskip("tensorflow"), np.random.default_rng(0)
    pixels, data = rng.integers(0, 256, (*size, 3), np.uint8), rng.random((*size, 5), np.float32)
    sample = ImageSample(pixels, data=data)
    for channels, given, rounding in ((3, pixels, 1), (5, data, 1e-5)):
        found = resize_to_input(sample, input_size, channels, antialias=False)
        np.testing.assert_allclose(found, tf.image.resize(given, input_size), atol=rounding)


def test_without_antialiasing_crop_and_letterbox_show_the_same_window():
    pixels = np.full((30, 90, 3), 200, np.uint8)
    pixels[:, 30:60] = 100
    crop, letterbox = (
        resize_to_input(ImageSample(pixels), (10, 10), fit=fit, antialias=False)
        for fit in ("crop", "letterbox")
    )
    assert set(np.unique(crop)) == {100}
    assert [set(np.unique(part)) for part in (letterbox[:3], letterbox[4:6], letterbox[7:])] == [
        {0}, {100, 200}, {0},
    ]  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3, 5])
def test_a_sample_whose_grain_is_kept_goes_in_as_it_is(channels):
    rng = np.random.default_rng(1)
    data = rng.random((40, 60, 5), np.float32)
    sample = ImageSample(rng.integers(0, 256, (40, 60, 3), np.uint8), data=data, fit="crop")
    kept = grain_kept(sample, (8, 8), channels)
    wanted = resize_to_input(sample, (8, 8), channels, antialias=False)
    np.testing.assert_allclose(resize_to_input(kept, (8, 8), channels), wanted, atol=0)


@pytest.mark.parametrize(
    ("fit", "larger"), [("squash", True), ("crop", False), ("letterbox", True)]
)
def test_a_photograph_is_larger_where_it_loses_pixels(fit, larger):
    wide = ImageSample(np.zeros((8, 20, 3), np.uint8), fit=fit)
    assert is_larger(wide, (8, 8)) is larger
    assert not is_larger(ImageSample(np.zeros((8, 8, 3), np.uint8), fit=fit), (8, 8))
