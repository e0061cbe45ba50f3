"""Where the evidence of a label lies, how far from its subject, and where with a part masked."""

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.shortcuts.evidence import evidence_maps, focus_of, masked_again
from cnn_widgets.shortcuts.interventions import Region, tint
from cnn_widgets.shortcuts.judging import Judge, Photographs
from cnn_widgets.shortcuts.places import box_on_input, checked_boxes, distances, share_in
from cnn_widgets.shortcuts.suspicions import Suspicion, where_subjects_are

SIDE = 16
CORNER = np.zeros((SIDE, SIDE), bool)
CORNER[:4, :4] = True


def test_evidence_on_the_subject_has_no_distance_and_elsewhere_its_own():
    maps = np.zeros((2, 10, 10))
    maps[0, 2, 2] = maps[1, 7, 7] = 1
    found = focus_of(maps, [(0.2, 0.2, 0.4, 0.4), (0.0, 0.0, 1.0, 0.25)])
    assert found.distance == pytest.approx((0 + 0.5) / 2)
    assert found.on_subject == pytest.approx((0.5, (0.04 + 0.25) / 2))
    assert found.subjects == 2
    assert found.even > 0.2


def test_without_subjects_the_distance_is_that_from_the_middle():
    edge, middle = np.zeros((2, 1, 10, 10))
    edge[0, 0, 0] = middle[0, 4:6, 4:6] = 1
    far, near = focus_of(edge), focus_of(middle)
    assert far.distance == pytest.approx(np.hypot(0.45, 0.45))
    assert near.distance == pytest.approx(np.hypot(0.05, 0.05))
    assert far.even == near.even == pytest.approx(0.383, abs=0.01)  # of a square
    assert far.subjects == 0
    assert np.isnan(far.on_subject).all()


def test_photographs_of_unknown_subject_are_left_out_of_distances():
    maps = np.zeros((2, 10, 10))
    maps[0, 2, 2] = maps[1, 7, 7] = 1
    found = focus_of(maps, [None, (0.6, 0.6, 0.9, 0.9)])
    assert (found.distance, found.subjects) == (0, 1)
    assert found.average[2, 2] == 0.5


def test_evidence_at_one_place_needs_little_of_the_area_for_its_half():
    one = np.zeros((1, 10, 10))
    one[0, :2, :2] = 1
    assert focus_of(one).half == pytest.approx(0.02)
    assert focus_of(np.ones((1, 10, 10))).half == pytest.approx(0.5)


def test_maps_without_evidence_have_no_distance():
    found = focus_of(np.zeros((2, 4, 4)), [(0.0, 0.0, 0.5, 0.5), None])
    assert np.isnan([found.distance, found.half, found.on_subject[0]]).all()


def test_shares_of_a_region_count_cells_in_part():
    average = np.zeros((2, 2))
    average[0] = 1
    mask = np.zeros((8, 8), bool)
    mask[:, :2] = True
    assert share_in(average, mask) == (0.25, 0.25)
    assert np.isnan(share_in(np.zeros((2, 2)), mask)[0])


def test_distances_from_a_box_are_shares_of_the_sides():
    found = distances((2, 4), (0.0, 0.5, 0.5, 1.0))
    np.testing.assert_allclose(found[0], [0.375, 0.125, 0, 0])
    np.testing.assert_allclose(found[1, 3], 0.25)


def test_a_box_is_where_the_network_sees_it():
    cropped = box_on_input((0.0, 0.5, 1.0, 1.0), (100, 200), (0, 50, 100, 100))
    assert cropped == (0.0, 0.5, 1.0, 1.0)
    assert box_on_input((0.0, 0.0, 1.0, 0.2), (100, 200), (0, 50, 100, 100)) is None
    padded = box_on_input((0.0, 0.0, 1.0, 1.0), (100, 200), (-50, 0, 200, 200))
    assert padded == (0.25, 0.0, 0.75, 1.0)


@pytest.mark.parametrize(
    ("subjects", "said"),
    [
        ({"c": (0, 0, 1, 1)}, "of 'c', which is no photograph"),
        ([None], "for each of 2 photographs. Received: 1"),
        ([None, (0, 0, 20, 40)], "Received for 'b'"),
        ([(0.5, 0, 0.5, 1), None], "Received for 'a'"),
        ({"a": (0, 0, 1)}, "Received for 'a'"),
    ],
)
def test_boxes_that_are_none_are_refused(subjects, said):
    with pytest.raises(ValueError, match=said):
        checked_boxes(subjects, ["a", "b"])


def test_known_subjects_decide_what_lies_where_subjects_are():
    middle = np.zeros((SIDE, SIDE), bool)
    middle[6:10, 6:10] = True
    for kind in ("region", "tint"):
        mark = Suspicion(kind, "", "", CORNER, None, (0,), central=False)
        assert not where_subjects_are(mark, [None])
        assert not where_subjects_are(mark, [(0.5, 0.5, 1.0, 1.0)])
        assert where_subjects_are(mark, [(0.0, 0.0, 0.5, 0.5)]) == (kind == "region")
    other = Suspicion("region", "", "", middle, None, (0,), central=True)
    assert where_subjects_are(other, [])
    assert not where_subjects_are(other, [(0.0, 0.0, 0.3, 1.0), None])


@pytest.fixture(scope="module")
def bright(keras):
    """A network whose first class is what is bright: in the corner twice as much."""
    layers = keras.layers
    inputs = keras.Input((SIDE, SIDE, 3))
    maps = layers.Conv2D(1, 1, activation="relu", name="bright")(inputs)
    scores = layers.Dense(2, activation="softmax", name="scores")(layers.Flatten()(maps))
    model = keras.Model(inputs, scores)
    model.get_layer("bright").set_weights([np.ones((1, 1, 3, 1)) / 3, np.array([-0.5])])
    weights = np.zeros((SIDE * SIDE, 2))
    weights[:, 0] = 0.1 + 0.4 * CORNER.ravel()
    model.get_layer("scores").set_weights([weights, np.array([0.0, 1.0])])
    return cw.Network(model, preprocess=lambda x: x / 255, class_names=["bright", "dark"])


def pictures(count, corner, spot):
    """Return dark pictures with a bright corner, a bright spot elsewhere, or both."""
    found = np.full((count, SIDE, SIDE, 3), 40, np.uint8)
    if corner:
        found[:, CORNER] = 255
    if spot:
        found[:, 9:12, 9:12] = 255
    names = tuple(map(str, range(count)))
    box = (9 / SIDE, 9 / SIDE, 12 / SIDE, 12 / SIDE)
    return Photographs(names, found, ({},) * count, (box,) * count)


@pytest.mark.parametrize(("spot", "right"), [(False, 0), (True, 0), (3, 6)])
def test_what_is_left_with_a_region_masked(bright, spot, right):
    judge = Judge(bright, (0,))
    own, others = pictures(6, corner=True, spot=spot), pictures(5, corner=False, spot=False)
    if spot == 3:  # bright enough to be recognised without the corner
        own.pixels[:, 8:15, 8:15] = 255
    change = Region(CORNER, *np.zeros((2, SIDE, SIDE, 3)))
    found = masked_again(judge, change, CORNER, own, others, "hirescam")
    before, after = found.before, found.after
    assert (before.right.right, before.right.count) == (6, 6)
    assert (after.right.right, after.right.count) == (right, 6)
    assert (before.taken.right, after.taken.right, after.taken.count) == (0, 0, 5)
    assert before.inside[1] == after.inside[1] == 1 / 16
    assert before.inside[0] > 0.5
    if spot:
        assert after.inside[0] < 0.1
        assert after.focus.distance < before.focus.distance / 2
        assert f"recognised (before: 6 of 6), and {100 * after.inside[0]:.0f} % of" in str(found)
    else:
        assert np.isnan(after.inside[0])
        assert "none of the evidence lies there" in str(found)


def test_a_cast_is_taken_away_where_it_cannot_be_blurred(bright):
    judge = Judge(bright, (0,))
    own, others = pictures(6, corner=True, spot=False), pictures(5, corner=False, spot=False)
    whole = np.ones((SIDE, SIDE), bool)
    found = masked_again(judge, tint(np.full(3, 200.0)), whole, own, others, "hirescam")
    assert (found.before.right.right, found.after.right.right) == (6, 0)
    assert found.before.taken == found.after.taken


def test_maps_are_those_of_the_label(bright):
    own = pictures(3, corner=True, spot=False)
    maps = evidence_maps(own, Judge(bright, (0,)), "hirescam")
    assert maps.shape == (3, 14, 14)
    assert maps[:, :3, :3].min() > 0.9
    assert maps[:, 5:, 5:].max() == 0
