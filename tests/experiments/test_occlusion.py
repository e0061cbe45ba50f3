"""Covering by hand: literal numbers on a network that is a mean, and what a move costs."""

from concurrent.futures import CancelledError

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.attribution import Brush
from cnn_widgets.experiments import Occlusion
from cnn_widgets.experiments.patches import filled_input, patch_of


@pytest.fixture(scope="module")
def left_half(keras):
    """A network whose one value is the mean of the left half of an 8×8 grey picture."""
    inputs = keras.Input((8, 8, 1))
    left = keras.layers.Cropping2D(((0, 0), (0, 4)))(inputs)
    outputs = keras.layers.Flatten()(keras.layers.GlobalAveragePooling2D()(left))
    return cw.Network(keras.Model(inputs, outputs), preprocess="none")


@pytest.fixture(scope="module")
def white():
    return cw.load_image(np.full((8, 8), 255, np.uint8))


@pytest.fixture(scope="module")
def black():
    return cw.load_image(np.zeros((8, 8), np.uint8))


def test_a_place_beside_all_others_by_hand(left_half, white, black):
    """A 2×2 patch takes 255 / 32 for each of its pixels on the left.

    There are 7×7 places: 3·7 columns of them take 4 pixels, 7 take 2, and 21 take none.
    """
    found = cw.occlude(left_half, white, (0, 0, 2, 2), black)
    one = 255 / 32
    assert found.effect == pytest.approx(4 * one)
    assert len(found.controls.places) == 49
    assert len(found.controls_effects) == 48  # its own place is no control
    expected = [0] * 21 + [2 * one] * 7 + [4 * one] * 20
    np.testing.assert_allclose(np.sort(found.controls_effects), expected, atol=1e-4)
    assert found.percentile == pytest.approx((28 + 10) / 48)
    assert found.standardized == pytest.approx(
        (4 * one - np.mean(expected)) / np.std(expected, ddof=1), rel=1e-4
    )
    assert found.share == 4 / 64
    assert found.mask.sum() == 4
    assert found.mask[:2, :2].all()
    assert found.answers.scores_after[0] == pytest.approx(255 - 4 * one)
    assert found.told.startswith("Covering this place costs class 0 31.9: more than 79 % of 48")


def test_places_are_drawn_once_each_by_the_seed(left_half, white, black):
    first, again, other = (
        cw.occlude(left_half, white, (0, 0, 2, 2), black, controls=20, seed=seed)
        for seed in (1, 1, 2)
    )
    assert len(np.unique(first.controls.places, axis=0)) == 20
    np.testing.assert_array_equal(first.controls.places, again.controls.places)
    assert (first.controls.places != other.controls.places).any()


def test_a_move_costs_one_pass(left_half, white, black):
    first = cw.occlude(left_half, white, (0, 0, 2, 2), black)
    passes = []
    asked = left_half.engine.observe
    left_half.engine.observe = lambda x, layers: passes.append(len(x)) or asked(x, layers)
    try:
        moved = cw.occlude(left_half, white, (5, 3, 7, 5), black, known=first.controls)
        assert passes == [1]
        assert moved.controls is first.controls
        assert moved.effect == 0
        assert moved.percentile == pytest.approx(20 / 2 / 48)
        for options in [{"region": (5, 3, 8, 5)}, {"fill": "mean"}, {"seed": 1}, {"controls": 9}]:
            passes.clear()
            given = {"region": (5, 3, 7, 5), "fill": black} | options
            other = cw.occlude(left_half, white, known=first.controls, **given)
            assert other.controls is not first.controls
            assert sum(passes) == 1 + len(other.controls.places)
    finally:
        left_half.engine.observe = asked


def test_fills_are_what_they_are_called(left_half, white, black):
    sample = cw.load_image(np.repeat(np.array([[0, 200]], np.uint8), 4, 1).repeat(8, 0))
    mean = cw.occlude(left_half, sample, (0, 0, 8, 8), "mean", controls=0)
    assert mean.answers.scores_after[0] == 100
    assert np.isnan(mean.percentile)
    assert np.isnan(mean.standardized)
    assert "No random places were asked for" in mean.told
    piece = cw.occlude(left_half, sample, (0, 0, 4, 4), white, controls=0)
    assert piece.answers.scores_after[0] == 255 / 2
    np.testing.assert_array_equal(piece.filled[:4, :4], 255)
    blurred = filled_input(left_half, sample, "blur")[..., 0]
    assert (np.diff(blurred[0]) >= 0).all()
    noise = filled_input(left_half, cw.load_image(sample.pixels.repeat(50, 0)), "noise")
    assert noise.shape == (8, 8, 1)
    assert noise.std() > 20
    assert (noise == filled_input(left_half, cw.load_image(sample.pixels.repeat(50, 0)), "noise",
                                  0)).all()  # fmt: skip


@pytest.fixture(scope="module")
def spot(keras):
    """A network whose map at "maps" is the picture, and its score the mean of it."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((16, 16, 1)), layers.Conv2D(1, 1, name="maps"),
                              layers.GlobalAveragePooling2D()])  # fmt: skip
    model.layers[0].set_weights([np.ones((1, 1, 1, 1)), np.zeros(1)])
    return cw.Network(model, preprocess="none")


def test_places_that_a_map_names(spot):
    pixels = np.full((16, 16), 20, np.uint8)
    pixels[2:5, 8:12] = 240
    pixels[10:13, 1:5] = 0
    sample, black = cw.load_image(pixels), cw.load_image(np.zeros((16, 16), np.uint8))
    hot = cw.occlude(spot, sample, "hottest", black)
    expected = np.zeros((16, 16), bool)
    expected[2:5, 8:12] = True
    np.testing.assert_array_equal(hot.mask, expected)
    assert hot.effect == pytest.approx(12 * 240 / 256)
    assert hot.percentile == 1
    assert hot.standardized > 3
    cold = cw.occlude(spot, sample, "coldest", black)
    expected[:] = False
    expected[10:13, 1:5] = True
    np.testing.assert_array_equal(cold.mask, expected)
    assert (cold.effect, cold.percentile < 0.02) == (0, True)
    rest = cw.occlude(spot, sample, "all but the hottest", black, known=cold.controls)
    assert rest.mask.sum() == 256 - 12
    assert not (rest.mask & hot.mask).any()
    assert rest.effect == pytest.approx((pixels.sum() - 12 * 240) / 256)
    assert rest.percentile == 0  # leaving any other place costs more
    own = cw.attribute(spot, sample, "hirescam")
    np.testing.assert_array_equal(cw.occlude(spot, sample, "hottest", evidence=own).mask, hot.mask)
    with pytest.raises(ValueError, match="no hottest place"):
        cw.occlude(spot, black, "hottest")


def test_a_rectangle_that_moves_keeps_its_size_and_a_brush_its_shape(left_half):
    sample = cw.load_image(np.zeros((31, 47), np.uint8))
    shapes = {patch_of(left_half, sample, (x, y, x + 15.3, y + 9.7)).shape.shape
              for x in np.arange(0, 30, 1.7) for y in np.arange(0, 20, 0.9)}  # fmt: skip
    assert shapes == {(3, 3)}
    ring = Brush(2, (((10.0, 8.0), (24.0, 8.0), (24.0, 20.0), (10.0, 20.0), (10.0, 8.0)),))
    moved = Brush(2, (tuple((x + 11, y + 7) for x, y in ring.strokes[0]),))
    one, other = (patch_of(left_half, sample, each) for each in (ring, moved))
    np.testing.assert_array_equal(one.shape, other.shape)
    assert 0 < one.area < one.shape.size  # the middle is free


@pytest.mark.parametrize("fit", ["crop", "letterbox"])
def test_controls_lie_where_the_photograph_is_and_regions_outside_are_refused(left_half, fit):
    sample = cw.load_image(np.full((8, 16), 90, np.uint8), fit=fit)
    inside = (6, 2, 8, 4)
    found = cw.occlude(left_half, sample, inside, "mean")
    top, left, bottom, right = patch_of(left_half, sample, inside).window
    assert (top, left, bottom, right) == ((0, 0, 8, 8) if fit == "crop" else (2, 0, 6, 8))
    assert found.controls.places[:, 0].min() == top
    assert found.controls.places[:, 0].max() < bottom
    assert found.mask[2:4, 6:8].any()
    if fit == "crop":
        with pytest.raises(ValueError, match="Nothing of the region"):
            cw.occlude(left_half, sample, (0, 0, 3, 8))


def test_a_binary_network_s_probability_is_asked_for(keras, photo):
    from helpers.models import binary

    net = cw.Network(binary(keras), preprocess=lambda pixels: pixels / 255)
    found = cw.occlude(net, photo, (0, 0, 15, 10), class_index=1, target="probability", controls=3)
    before, after = found.answers.probabilities_before, found.answers.probabilities_after
    assert isinstance(found, Occlusion)
    assert found.effect == pytest.approx(float(before[1] - after[1]))


def test_bad_questions_are_refused_and_it_can_be_stopped(left_half, spot, white):
    for region, options, said in [
        ((4, 0, 2, 8), {}, "left < right"), ("warmest", {}, "one of"), (7, {}, "Expected a region"),
        ((90, 90, 99, 99), {}, "outside of the photo"), ((0, 0, 2, 2), {"fill": "red"}, "fill"),
        ((0, 0, 2, 2), {"controls": -1}, "controls"), ("hottest", {"level": 0}, "level"),
        ((0, 0, 2, 2), {"target": "x"}, "target"), ((0, 0, 2, float("nan")), {}, "left < right"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=said):
            cw.occlude(spot, white, region, **options)
    with pytest.raises(CancelledError, match="after 4 of 49"):
        cw.occlude(left_half, white, (0, 0, 2, 2), progress=lambda done, total: False)


def test_places_that_are_mostly_the_region_itself_are_no_controls(left_half, white, black):
    """Of a 6×6 region's nine places in 8×8 all overlap it by at least 16 of 36 pixels."""
    found = cw.occlude(left_half, white, (0, 0, 6, 6), black)
    assert len(found.controls.places) == 9
    assert len(found.controls_effects) == 1  # the corner opposite, 16 of 36
    assert "No other place has room" in cw.occlude(left_half, white, (0, 0, 7, 7), black).told


def test_a_thin_region_at_an_edge_is_the_pixels_at_that_edge(left_half):
    large = cw.load_image(np.full((800, 800), 90, np.uint8))
    for region, expected in [((0, 799.5, 800, 800), np.s_[7, :]), ((799, 0, 800, 800), np.s_[:, 7]),
                             ((0, 0, 800, 0.4), np.s_[0, :])]:  # fmt: skip
        patch = patch_of(left_half, large, region)
        asked = np.zeros((8, 8), bool)
        asked[expected] = True
        assert np.array_equal(patch.mask((8, 8)), asked)


def test_a_photograph_of_which_a_letterbox_leaves_less_than_a_pixel_can_be_covered(left_half):
    flat = cw.load_image(np.full((7, 300), 200, np.uint8), fit="letterbox")
    found = cw.occlude(left_half, flat, (0, 0, 300, 7), "mean", controls=0)
    assert found.share == 1
    assert found.mask.any()


@pytest.mark.parametrize(
    "brush",
    [Brush(2, ((5, 5),)), Brush(float("nan"), (((1, 1),),)), Brush("a", (((1, 1),),)),
     Brush(-2, (((1, 1),),)), Brush(1, ()), Brush(1, ((),))],
)  # fmt: skip
def test_what_is_no_brush_is_refused_in_words(left_half, spot, white, brush):
    with pytest.raises(ValueError, match="Expected a Brush with a radius above 0"):
        cw.occlude(left_half, white, brush)
    with pytest.raises(ValueError, match="Expected a Brush with a radius above 0"):
        cw.patch_activations(spot, white, None, white, region=brush)
