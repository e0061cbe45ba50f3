"""What an `ImageSample` accepts and promises."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from helpers.pictures import (
    SIX,
)

from cnn_widgets.images.loading import load_image
from cnn_widgets.records import ImageSample


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((4, 4), np.uint8), r"uint8 \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \(4, 4, 4\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"\(1, 4, 4, 3\)"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 3), np.int8), "int8"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        ([[1, 2]], "list None"),
        (None, "NoneType"),
    ],
)
def test_a_sample_takes_true_pixels_only_and_says_who_converts_the_others(pixels, words):
    with pytest.raises(ValueError, match=f"{words}.*load_image"):
        ImageSample(pixels)


def test_a_sample_refuses_an_unknown_fit():
    with pytest.raises(ValueError, match=r"squash.*Received: 'stretch'"):
        ImageSample(SIX, fit="stretch")
    with pytest.raises(ValueError, match="Received: 'stretch'"):
        load_image(SIX, fit="stretch")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((2, 3), np.uint8), r"uint8 \(2, 3\)"),
        (np.zeros((3, 2, 4), np.uint8), r"uint8 \(3, 2, 4\)"),
        (np.zeros((2, 3, 0), np.uint8), r"uint8 \(2, 3, 0\)"),
        (np.zeros((2, 3, 4), np.float64), r"float64 \(2, 3, 4\)"),
        ([[1]], "list None"),
    ],
)
def test_a_sample_takes_channels_of_its_own_size_only(data, words):
    with pytest.raises(ValueError, match=rf"shape \(2, 3, C\).*{words}.*load_image"):
        ImageSample(SIX, data=data)


@pytest.mark.parametrize("bands", [(0, 1), (0, 1, 5), (0, 1, -1), (0, 1, 2, 3)])
def test_a_sample_shows_three_of_its_channels(bands):
    with pytest.raises(ValueError, match="three channels, 0 to 4"):
        ImageSample(SIX, data=np.zeros((2, 3, 5), np.uint8), bands=bands)


def test_a_sample_counts_its_channels():
    assert ImageSample(SIX).channels == 3
    assert ImageSample(SIX, data=np.zeros((2, 3, 5), np.uint8)).channels == 5


def test_a_sample_s_arrays_cannot_be_written_to_and_the_caller_s_own_still_can():
    pixels, data = SIX.copy(), np.zeros((2, 3, 5), np.float32)
    sample = ImageSample(pixels, data=data, inputs={"age": np.zeros((1, 1))})
    bands = load_image(np.zeros((9, 9, 5), np.float32)).data
    for array in (sample.pixels, sample.data, sample.inputs["age"], load_image(SIX).pixels, bands):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1
    pixels[0, 0], data[0, 0] = 1, 1
    assert np.shares_memory(sample.pixels, pixels)  # not copied


def test_a_fit_may_be_left_to_the_network():
    assert ImageSample(SIX).fit is None
    assert load_image(SIX).fit is None
    assert load_image(ImageSample(SIX, fit="crop")).fit == "crop"


def test_a_sample_says_its_height_first():
    assert ImageSample(SIX).size == (2, 3)


def test_the_key_tells_samples_apart_as_a_network_would():
    key = ImageSample(SIX, "one", "here").key
    assert ImageSample(SIX.copy(), "two", "there").key == key
    assert ImageSample(np.asfortranarray(SIX)).key == key
    assert ImageSample(SIX, fit="crop").key != key
    assert ImageSample(SIX.reshape(3, 2, 3)).key != key  # same bytes, other shape
    changed = SIX.copy()
    changed[1, 2, 2] ^= 1
    assert ImageSample(changed).key != key
    assert ImageSample(SIX[:, ::-1]).key == ImageSample(SIX[:, ::-1].copy()).key


def test_the_key_tells_samples_apart_by_all_their_channels():
    data = np.arange(30, dtype=np.uint8).reshape(2, 3, 5)
    first, other = ImageSample(SIX, data=data), data.copy()
    other[1, 2, 4] ^= 1
    samples = [
        ImageSample(SIX),
        first,
        ImageSample(SIX, data=other),
        ImageSample(SIX, data=data.astype(np.float32)),
        ImageSample(SIX, data=data.astype(np.float32).view(np.uint8).reshape(2, 3, 20)),
    ]
    assert len({sample.key for sample in samples}) == len(samples)
    assert len({sample.digest for sample in samples}) == len(samples)
    assert ImageSample(SIX, data=np.asfortranarray(data)).key == first.key


def test_the_digest_of_an_rgb_picture_is_that_of_its_bytes():
    assert ImageSample(SIX).digest == hashlib.sha256(SIX.tobytes()).hexdigest()


def test_a_sample_cannot_be_changed_can_be_compared_and_does_not_print_its_pixels():
    sample, other = ImageSample(SIX), ImageSample(SIX + np.uint8(1))
    with pytest.raises(AttributeError):
        sample.name = "new"
    assert sample != other
    assert sample in [other, sample]
    assert len({sample, other}) == 2
    assert "pixels" not in repr(sample)
