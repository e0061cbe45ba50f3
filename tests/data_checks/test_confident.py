"""Confident learning by hand: joints that are known to the last photograph."""

import numpy as np
import pytest

from cnn_widgets.data_checks import confident_joint
from cnn_widgets.data_checks.confident import noisiest, whole

#: Ten photographs, two labels. Thresholds: (.9 + .8 + .7 + .9 + .1) / 5 = .68 and, of the second,
#: (.9 + .8 + .6 + .9 + .2) / 5 = .68.
P = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.9, 0.1], [0.1, 0.9],
              [0.1, 0.9], [0.2, 0.8], [0.4, 0.6], [0.1, 0.9], [0.8, 0.2]])  # fmt: skip
GIVEN = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])


def test_the_confident_joint_is_the_one_worked_out_by_hand():
    found = confident_joint(P, GIVEN)
    assert found.thresholds == pytest.approx([0.68, 0.68])
    # The eighth photograph (0.4, 0.6) reaches no threshold and is not counted
    np.testing.assert_array_equal(found.counts, [[4, 1], [1, 3]])
    np.testing.assert_allclose(found.expected, [[4, 1], [1.25, 3.75]])
    assert found.wrong == pytest.approx(2.25)
    assert noisiest(P[:5].astype(np.float32), 0, found.expected[0]).tolist() == [4]
    assert noisiest(P[5:].astype(np.float32), 1, found.expected[1]).tolist() == [4]


def test_a_label_reached_twice_counts_as_the_more_probable():
    p = [[0.5, 0.4, 0.1], [0.5, 0.4, 0.1], [0.3, 0.3, 0.4], [0.6, 0.35, 0.05], [0.1, 0.2, 0.7]]
    many = np.repeat(p, 5, axis=0)
    found = confident_joint(many, np.repeat([0, 0, 1, 1, 2], 5))
    assert found.thresholds == pytest.approx([0.5, 0.325, 0.7])
    np.testing.assert_array_equal(found.counts, [[10, 0, 0], [5, 0, 0], [0, 0, 5]])
    np.testing.assert_allclose(found.expected, [[10, 0, 0], [10, 0, 0], [0, 0, 5]])


def test_a_single_wrong_photograph_does_not_draw_others_to_its_label():
    """Its own probability, 0.02, would be a threshold that every hesitant photograph reaches."""
    p = np.array([[0.9, 0.08, 0.02]] * 6 + [[0.6, 0.35, 0.05]] * 4 + [[0.05, 0.93, 0.02]])
    found = confident_joint(p, [0] * 10 + [2])
    assert found.thresholds[2] == pytest.approx((6 * 0.9 + 4 * 0.6 + 0.02) / 11)
    np.testing.assert_array_equal(found.counts[0], [6, 0, 0])
    # No photograph is labelled 1, so none can count as one
    assert np.isnan(found.thresholds[1])
    assert found.wrong == 0


def test_where_all_is_right_nothing_is_expected_to_be_wrong():
    p = np.full((30, 3), 0.1) + 0.7 * np.eye(3)[np.arange(30) % 3]
    assert confident_joint(p, np.arange(30) % 3).wrong == 0


def test_where_all_is_wrong_everything_is():
    p = np.full((30, 3), 0.1) + 0.7 * np.eye(3)[(np.arange(30) + 1) % 3]
    found = confident_joint(p, np.arange(30) % 3)
    assert found.wrong == pytest.approx(30)
    assert len(noisiest(p[::3].astype(np.float32), 0, found.expected[0])) == 10


def test_a_photograph_whose_label_is_the_most_likely_is_not_doubted():
    p = np.array([[0.5, 0.4, 0.1], [0.2, 0.7, 0.1]], np.float32)
    assert noisiest(p, 0, np.array([0.0, 2.0, 0.0])).tolist() == [1]


@pytest.mark.parametrize(
    ("expected", "counts"),
    [([3.4, 0.6, 1.0], [3, 1, 1]), ([2, 0, 3], [2, 0, 3]), ([0.5, 0.3, 0.2], [1, 0, 0])],
)
def test_counts_are_rounded_so_that_none_is_lost(expected, counts):
    assert whole(np.array(expected, float)).tolist() == counts


@pytest.mark.parametrize(
    ("p", "given", "said"),
    [
        ([[0.5, np.nan]], [0], "Some are NaN"),
        ([[0.5, 1.5]], [0], "from 0 to 1"),
        ([[0.5, 0.5]], [2], "Expected labels from 0 to 1. Received: 2 to 2"),
        ([[0.5, 0.5]], [0, 1], "Expected probabilities of shape"),
        ([[0.5, 0.5]], [0.0], "whole numbers"),
        ([[1.0]], [0], "at least two labels"),
    ],
)
def test_bad_questions_are_refused(p, given, said):
    with pytest.raises(ValueError, match=said):
        confident_joint(p, given)
