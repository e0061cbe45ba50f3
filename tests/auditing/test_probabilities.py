"""Probabilities kept in few bytes: what comes back, what is left out, and of which labels."""

import numpy as np
import pytest

from cnn_widgets.auditing.probabilities import KEPT, of_labels, packed, unpacked


@pytest.mark.parametrize("classes", [1, 2, 10, 1000])
def test_probabilities_come_back_to_sixteen_bits(classes):
    p = np.random.default_rng(0).dirichlet(np.ones(classes)).astype(np.float32)
    assert unpacked(packed(p), classes) == pytest.approx(p, abs=0.6 / 65535)


def test_a_thousand_classes_take_at_most_two_kilobytes():
    rng = np.random.default_rng(0)
    assert len(packed(rng.dirichlet(np.ones(1000)))) < 2048
    assert len(packed(np.eye(1, 1000)[0])) < 64


def test_of_very_many_classes_the_most_likely_are_kept():
    p = np.random.default_rng(0).dirichlet(np.full(20_000, 0.01)).astype(np.float32)
    found = unpacked(packed(p), 20_000)
    best = np.argsort(-p)[:KEPT]
    assert found[best] == pytest.approx(p[best], abs=1e-5)
    assert np.count_nonzero(found) <= KEPT


def test_a_label_of_several_classes_has_their_sum_and_of_sigmoids_the_largest():
    softmax, sigmoid = np.array([0.5, 0.3, 0.2]), np.array([0.9, 0.8, 0.1])
    found = of_labels([packed(softmax), b"", packed(sigmoid)], 3, [(0, 2), (1,)])
    assert found[[0, 2]] == pytest.approx(np.array([[0.7, 0.3], [0.9, 0.8]]), abs=1e-4)
    assert np.isnan(found[1]).all()
    assert of_labels([b""], 3, ()).shape == (1, 0)


@pytest.mark.parametrize("data", [b"broken", packed(np.ones(2) / 2)])
def test_damaged_ones_are_told(data):
    with pytest.raises(ValueError, match="kept of"):
        unpacked(data, 3)
