"""The parts of the search for shortcuts, on arrays whose answer is known."""

import numpy as np
import pytest

from cnn_widgets.auditing import Share
from cnn_widgets.shortcuts import Blurring, Effect, Trial, common, spectral_clusters
from cnn_widgets.shortcuts.common import color_cast, fixed_regions
from cnn_widgets.shortcuts.interventions import Region, blurred_over, ground, overlay, tint
from cnn_widgets.shortcuts.judging import Judge, Photographs
from cnn_widgets.shortcuts.places import evidence_shares, inside, name_of, ring, zones
from cnn_widgets.shortcuts.suspicions import hot_spot


@pytest.fixture
def noise():
    """Two groups of twenty photographs that differ in nothing but chance."""
    rng = np.random.default_rng(3)
    return rng.integers(40, 215, (2, 20, 16, 20, 3)).astype(np.uint8)


def test_maps_of_three_kinds_form_three_clusters_the_largest_first():
    rng = np.random.default_rng(0)
    kinds = np.array([0] * 12 + [1] * 9 + [2] * 6)
    maps = rng.uniform(0, 0.1, (27, 8, 8))
    for number, kind in enumerate(kinds):
        maps[number, 3 * kind : 3 * kind + 2, 3 * kind : 3 * kind + 2] += 1
    order = rng.permutation(27)
    np.testing.assert_array_equal(spectral_clusters(maps[order]), kinds[order])


def test_maps_of_one_kind_are_one_cluster():
    rng = np.random.default_rng(0)
    assert not spectral_clusters(rng.uniform(0.5, 1, (30, 8, 8))).any()
    assert not spectral_clusters(np.zeros((9, 4, 4))).any()
    assert spectral_clusters(np.ones((2, 4, 4))).tolist() == [0, 0]


def test_evidence_is_shared_out_over_corners_border_and_centre():
    average = np.zeros((16, 16))
    average[0, 0], average[8, 8] = 3, 1
    shares = evidence_shares(average)
    assert shares["top left corner"] == (0.75, 1 / 16)
    assert shares["border"][0] == 0.75
    assert shares["centre"][0] == 0.25
    assert all(np.isnan(share) for share, _ in evidence_shares(np.zeros((16, 16))).values())


@pytest.mark.parametrize(
    ("rows", "columns", "name"),
    [
        (slice(0, 4), slice(0, 4), "top left corner"),
        (slice(16, 20), slice(15, 20), "bottom right corner"),
        (slice(0, 3), slice(0, 20), "top edge"),
        (slice(8, 12), slice(8, 12), "middle"),
        (slice(0, 20), slice(0, 20), "whole photograph"),
    ],
)
def test_regions_have_names(rows, columns, name):
    mask = np.zeros((20, 20), bool)
    mask[rows, columns] = True
    assert name_of(mask) == name


def test_a_frame_is_the_border_and_not_where_subjects_are():
    assert name_of(ring(20, 30, 0.1)) == "border"
    assert inside(ring(20, 30, 0.1)) == 0
    assert inside(~ring(20, 30, 0.3)) == 1
    assert zones(20, 30)["border"].sum() + zones(20, 30)["centre"].sum() == 600


def test_the_hot_spot_of_a_map_is_a_rectangle_around_its_largest_spot():
    average = np.zeros((4, 4))
    average[0, 0], average[2:4, 1:3] = 1, 1
    expected = np.zeros((8, 12), bool)
    expected[4:8, 3:9] = True
    np.testing.assert_array_equal(hot_spot(average, (8, 12)), expected)


def test_groups_that_differ_by_chance_have_nothing_in_common(noise):
    own, others = noise
    assert color_cast(own, others) is None
    assert fixed_regions(own, others) == []
    assert common.overlay(own, others) is None


def test_a_cast_is_measured_also_where_a_frame_is_fixed(noise):
    own, others = noise
    own = np.clip(own + np.array([30, 0, -30]), 0, 255).astype(np.uint8)
    own[:, :2] = 7
    np.testing.assert_allclose(color_cast(own, others), (30, 0, -30), atol=8)


def test_a_mark_on_nine_of_ten_photographs_is_found_where_it_is(noise):
    own, others = noise
    own[:18, 11:14, 2:6] = (250, 0, 250)
    (mask,) = fixed_regions(own, others)
    expected = np.zeros((16, 20), bool)
    expected[11:14, 2:6] = True
    np.testing.assert_array_equal(mask, expected)


def test_what_is_the_same_in_all_classes_is_no_mark(noise):
    noise[:, :, :3] = 0
    assert fixed_regions(*noise) == []


def test_an_added_pattern_is_measured(noise):
    own, others = noise
    pattern = np.zeros((16, 20, 3))
    pattern[::4, ::2] = 100
    pattern -= pattern.mean()
    found = common.overlay(np.clip(own + pattern, 0, 255).astype(np.uint8), others)
    assert np.corrcoef(found.ravel(), pattern.ravel())[0, 1] > 0.75


def test_a_region_is_filled_alike_in_all_photographs(noise):
    own, others = noise
    mask = ring(16, 20, 0.1)
    change = Region(mask, np.full((16, 20, 3), 10.0), np.full((16, 20, 3), 20.0))
    assert (change.present(own, True)[:, mask] == 10).all()
    assert (change.absent(others, False)[:, mask] == 20).all()
    assert (change.present(own, True)[:, ~mask] == own[:, ~mask]).all()


def test_controls_of_a_region_have_its_size_and_lie_elsewhere():
    mask = np.zeros((20, 20), bool)
    mask[:5, :5] = True
    rng = np.random.default_rng(0)
    for _ in range(50):
        moved = Region(mask, np.zeros((20, 20, 3)), np.zeros((20, 20, 3))).control(rng).mask
        assert moved.sum() == 25
        assert (moved & mask).sum() <= 25 / 4


def test_controls_of_a_cast_are_as_strong_and_have_nothing_of_it():
    cast = np.array([30.0, 10, -20])
    rng = np.random.default_rng(0)
    for _ in range(50):
        other = tint(cast).control(rng).added
        assert np.linalg.norm(other) == pytest.approx(np.linalg.norm(cast))
        assert other @ cast <= 1e-9


def test_controls_of_a_pattern_are_as_strong(noise):
    pattern = np.random.default_rng(0).normal(0, 9, (16, 20, 3))
    other = overlay(pattern, noise[1]).control(np.random.default_rng(1)).added
    assert np.linalg.norm(other) == pytest.approx(np.linalg.norm(pattern))
    assert np.abs(np.corrcoef(other.ravel(), pattern.ravel())[0, 1]) < 0.2


def test_what_is_taken_away_of_a_class_is_what_is_put_into_others(noise):
    own, others = np.full((2, 4, 16, 20, 3), 128, np.uint8)
    change = tint(np.array([30.0, 0, -30]))
    assert (change.present(own, True) == own).all()
    assert (change.absent(own, True)[0, 0, 0] == (98, 128, 158)).all()
    assert (change.absent(others, False) == others).all()
    assert (change.present(others, False)[0, 0, 0] == (158, 128, 98)).all()

    other = change.control(np.random.default_rng(0))  # in place of the class's own cast
    assert (other.absent(own, True) == change.absent(own, True)).all()
    expected = 128 - change.added + other.added
    np.testing.assert_allclose(other.present(own, True)[0, 0, 0], expected, atol=0.5)


def test_the_texture_of_the_ground_keeps_the_colours_and_the_middle(noise):
    own, others = noise
    own = np.clip(own.astype(int) // 4 + 100, 0, 255).astype(np.uint8)  # calmer than others
    change = ground(own, others)
    frame = ring(16, 20, 1 / 4)
    calm, wild = change.present(others, False), change.absent(others, False)
    assert (calm[:, ~frame] == others[:, ~frame]).all()
    assert calm[:, frame].std() < 0.6 * wild[:, frame].std()
    assert calm[:, frame].mean() == pytest.approx(others[:, frame].mean(), abs=8)


def effect(change, controls, low=1.0):
    return Effect(change, (change - low, change + low), change, tuple(controls), Share(5, 10))


def test_a_trial_holds_only_if_both_directions_exceed_the_controls():
    quiet = [0.1 * (n % 7) for n in range(200)]
    strong, weak = effect(4.0, quiet), effect(0.3, quiet)
    assert Trial(strong, strong).holds()
    assert not Trial(strong, weak).holds()
    assert not Trial(weak, strong).holds()
    assert not Trial(strong, effect(4.0, [*quiet[:-2], 5, 5])).holds()  # two controls of 200
    assert not Trial(strong, effect(1.4, quiet)).holds()  # less than four times the odds
    assert not Trial(strong, effect(3.0, quiet, low=3.5)).holds()  # its interval reaches 0
    assert not Trial(strong, strong).holds(tried=40)  # too many were tried for so few controls


def test_ranks_count_the_suspicion_itself():
    assert effect(4.0, [1.0] * 199).rank == 1 / 200
    assert effect(1.0, [1.0, 2.0, 0.0]).rank == 3 / 4
    both = effect(4.0, [1.0] * 99)
    assert Trial(both, both).chance(1) == pytest.approx(1e-4 * (1 - np.log(1e-4)))


def test_blurring_is_asked_for_where_something_can_be_blurred():
    quiet, whole = [0.1 * (n % 7) for n in range(200)], Share(5, 10)
    strong = effect(4.0, quiet)
    assert Trial(strong, strong, Blurring(3.0, (2.0, 4.0), whole)).holds()
    assert not Trial(strong, strong, Blurring(1.4, (1.0, 2.0), whole)).holds()
    assert not Trial(strong, strong, Blurring(3.0, (-0.1, 6.1), whole)).holds()


def test_what_is_blurred_over_has_nothing_of_its_content_left():
    pictures = np.full((2, 24, 30, 3), 90, np.uint8)
    pictures[:, :, 15:] = 150
    mask = np.zeros((24, 30), bool)
    mask[:9, 10:20] = mask[:, :2] = True
    before = pictures.copy()
    before[:, mask] = np.random.default_rng(0).integers(0, 255, (2, mask.sum(), 3))
    found = blurred_over(before, mask)
    np.testing.assert_array_equal(found, blurred_over(pictures, mask))
    np.testing.assert_array_equal(found[:, ~mask], before[:, ~mask])
    assert (found[:, :, :2] == 90).all()  # the surroundings reach there
    assert (found[:, 4, 10] < 110).all()
    assert (found[:, 4, 19] > 130).all()


def test_what_fills_the_photograph_becomes_its_mean_where_it_is_blurred_over():
    pictures = np.zeros((1, 6, 6, 3), np.uint8)
    pictures[:, :3] = 100
    assert (blurred_over(pictures, np.ones((6, 6), bool)) == 50).all()


def test_a_cast_of_colour_has_nothing_to_blur(noise):
    assert tint(np.array([30.0, 0, -30])).blurred(noise[0]) is None
    pattern = np.zeros((16, 20, 3))
    pattern[4:6, 3:9] = 80
    change = overlay(pattern, noise[1])
    added = np.clip(noise[0] + pattern, 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(change.blurred(added), change.blurred(noise[0]))


def test_the_texture_of_the_ground_is_blurred_in_the_frame_only(noise):
    found = ground(*noise).blurred(noise[0])
    frame = ring(16, 20, 1 / 4)
    assert (found[:, ~frame] == noise[0][:, ~frame]).all()
    assert found[:, frame].std() < 0.5 * noise[0][:, frame].std()


class Answering:
    """Stands for a network of a kind of head."""

    def __init__(self, head):
        self.head = head


@pytest.mark.parametrize("head", ["softmax", "sigmoid", "probabilities"])
@pytest.mark.parametrize("classes", [(1,), (0, 3)])
def test_slopes_are_how_the_log_odds_change_with_each_score(head, classes):
    judge = Judge(Answering(head), classes)
    scores = np.random.default_rng(0).normal(0, 2, (5, 4))
    if head == "probabilities":
        scores = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    slopes, small = judge.slopes(scores), 1e-6
    for number, step in enumerate(small * np.eye(4)):
        changed = judge.judged(scores + step)[0] - judge.judged(scores)[0]
        np.testing.assert_allclose(slopes[:, number], changed / small, rtol=1e-3, atol=1e-4)


def test_the_odds_of_a_probability_are_its_own():
    judge = Judge(Answering("probabilities"), (0, 2))
    odds, answered = judge.judged(np.array([[0.5, 0.2, 0.3], [0.1, 0.9, 0.0], [1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(odds, [np.log(0.8 / 0.2), np.log(0.1 / 0.9), 12])
    assert answered.tolist() == [True, False, True]


def test_photographs_are_taken_with_their_subjects():
    boxes = (None, (0.0, 0.0, 0.5, 0.5))
    some = Photographs(("a", "b"), np.zeros((2, 4, 4, 3), np.uint8), ({}, {"x": 1}), boxes)
    (one,) = (some.take([1]),)
    assert (one.names, one.inputs, one.subjects) == (("b",), ({"x": 1},), (boxes[1],))
    assert one.with_pixels(np.ones((1, 4, 4, 3), np.uint8)).pixels.min() == 1
    assert Photographs(("a",), some.pixels[:1], ({},)).take([0]).subjects == ()
