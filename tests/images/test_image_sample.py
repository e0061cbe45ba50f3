"""What an `ImageSample` accepts and promises."""

from __future__ import annotations

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


def test_a_sample_cannot_be_changed_can_be_compared_and_does_not_print_its_pixels():
    sample, other = ImageSample(SIX), ImageSample(SIX + np.uint8(1))
    with pytest.raises(AttributeError):
        sample.name = "new"
    assert sample != other
    assert sample in [other, sample]
    assert len({sample, other}) == 2
    assert "pixels" not in repr(sample)
