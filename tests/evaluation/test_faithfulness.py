"""Deletion and insertion, on a network whose answer is known and on the real one."""

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.evaluation.faithfulness import curves


@pytest.fixture(scope="module")
def left_half(keras):
    """A network whose one value is the mean of the left half of an 8×8 grey picture."""
    inputs = keras.Input((8, 8, 1))
    left = keras.layers.Cropping2D(((0, 0), (0, 4)))(inputs)
    outputs = keras.layers.Flatten()(keras.layers.GlobalAveragePooling2D()(left))
    return cw.Network(keras.Model(inputs, outputs), preprocess="none")


@pytest.fixture(scope="module")
def halves():
    """White on the left, black on the right: its mean is mid-grey."""
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:, :4] = 255
    return cw.load_image(pixels)


def test_taking_the_right_half_first_costs_all_at_once(left_half, halves):
    good = np.zeros((8, 8), np.float32)
    good[:, :4] = 1
    deletion, insertion = curves(left_half, halves, good, 0, baseline="mean", steps=8)
    mean = 128.0  # (255 + 0) / 2, rounded
    down = 255 - (255 - mean) * np.minimum(np.arange(9) / 4, 1)
    np.testing.assert_allclose(deletion.probabilities, down, rtol=1e-5)
    up = mean + (255 - mean) * np.minimum(np.arange(9) / 4, 1)
    np.testing.assert_allclose(insertion.probabilities, up, rtol=1e-5)
    bad_deletion, bad_insertion = curves(left_half, halves, 1 - good, 0, baseline="mean", steps=8)
    assert bad_deletion.area > deletion.area
    assert bad_insertion.area < insertion.area
    assert deletion.area == pytest.approx(np.trapezoid(down, np.linspace(0, 1, 9)))


def test_the_ends_are_the_whole_picture_and_the_emptied_one(lite0, gallery):
    found = cw.attribute(lite0, gallery["espresso"])
    deletion, insertion = curves(lite0, gallery["espresso"], found, steps=5)
    assert deletion.probabilities[0] == pytest.approx(found.probability, abs=1e-5)
    assert insertion.probabilities[-1] == pytest.approx(found.probability, abs=1e-5)
    assert deletion.probabilities[-1] == pytest.approx(insertion.probabilities[0], abs=1e-5)


@pytest.mark.parametrize("picture", ["espresso", "officer", "photographer"])
def test_grad_cam_beats_a_random_map_on_both_curves(lite0, gallery, picture):
    sample = gallery[picture]
    found = cw.attribute(lite0, sample)
    random = np.random.default_rng(0).random(sample.size).astype(np.float32)
    deletion, insertion = curves(lite0, sample, found, steps=20)
    _, by_chance = curves(lite0, sample, random, found.class_index, steps=20)
    assert insertion.area > by_chance.area
    assert deletion.area < insertion.area


def test_maps_of_crops_and_letterboxes_find_their_pixels(lite0, gallery):
    for fit in ("crop", "letterbox"):
        sample = cw.load_image(gallery["espresso"], fit=fit)
        deletion, _ = curves(lite0, sample, cw.attribute(lite0, sample), steps=4)
        assert deletion.probabilities[2] < deletion.probabilities[0]


def test_wrong_questions_get_one_clear_error(lite0, gallery):
    found = cw.attribute(lite0, gallery["cat"])
    with pytest.raises(ValueError, match="Expected baseline"):
        curves(lite0, gallery["cat"], found, baseline="black")
    with pytest.raises(ValueError, match="needs a class"):
        curves(lite0, gallery["cat"], found.heatmap)
