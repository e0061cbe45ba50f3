"""Linear CKA against values worked out by hand and against its definition."""

import tracemalloc

import numpy as np
import pytest

from cnn_widgets.regression import linear_cka


def by_definition(x, y):
    """Kornblith et al. 2019, section 3: HSIC of centred kernels, normalised."""
    centre = np.eye(len(x)) - 1 / len(x)
    k, m = centre @ (x @ x.T) @ centre, centre @ (y @ y.T) @ centre
    return (k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum())


def test_of_single_features_it_is_the_squared_correlation():
    x, y = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [3.0], [2.0]])
    assert linear_cka(x, y) == pytest.approx(0.25)  # their correlation is 1/2
    assert linear_cka(x, -y) == pytest.approx(0.25)


@pytest.mark.parametrize(("n", "kx", "ky"), [(30, 4, 7), (8, 20, 5), (12, 40, 90), (5000, 3, 2)])
def test_both_forms_are_the_definition(n, kx, ky):
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, kx)) + 5
    y = x[:, :1] * rng.normal(size=(1, ky)) + rng.normal(size=(n, ky))
    expected = by_definition(x[:500], y[:500]) if n > 500 else by_definition(x, y)
    found = linear_cka(x[:500], y[:500]) if n > 500 else linear_cka(x, y)
    assert found == pytest.approx(expected, rel=1e-9)
    if n > 500:  # more rows than are held at a time: through the covariances in one piece
        x, y = x - x.mean(0), y - y.mean(0)
        top = np.linalg.norm(y.T @ x) ** 2
        whole = top / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y)
        assert linear_cka(x, y) == pytest.approx(whole, rel=1e-9)


def test_it_does_not_see_order_rotation_scale_or_a_constant_but_a_stretch():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 6))
    turned = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    for same in (x[:, rng.permutation(6)], x @ turned, -3 * x, x + 100):
        assert linear_cka(x, same) == pytest.approx(1, abs=1e-9)
    assert linear_cka(x, x * [9, 1, 1, 1, 1, 1]) < 0.7
    assert linear_cka(x, rng.normal(size=(60, 6))) < 0.3


def test_maps_are_flattened():
    x = np.random.default_rng(2).normal(size=(9, 2, 3, 4))
    assert linear_cka(x, x.reshape(9, 24)[:, ::-1]) == pytest.approx(1)


def test_what_has_no_variation_or_is_broken_is_nan():
    x = np.random.default_rng(3).normal(size=(5, 2))
    assert np.isnan(linear_cka(x, np.ones((5, 3))))
    assert np.isnan(linear_cka(x, np.where(x > 0, np.inf, x)))
    for pair in ((x, x[:4]), (x[:2], x[:2])):
        with pytest.raises(ValueError, match=r"at least 3 of them. Received"):
            linear_cka(*pair)


@pytest.mark.parametrize(("n", "k"), [(40, 3), (5, 30)])
def test_a_constant_that_its_mean_misses_by_rounding_is_nan(n, k):
    x = np.random.default_rng(0).normal(size=(n, k))
    for value in (0.1, 1 / 3, 1e9 + 0.1):
        assert np.isnan(linear_cka(x, np.full((n, k), value)))
        assert np.isnan(linear_cka(np.full((n, k), value), x))
    assert linear_cka(x, np.where(np.arange(k) == 1, x, 0.1)) > 0.1


@pytest.mark.parametrize("given", [np.array([["a"], ["b"], ["c"]]), np.ones((3, 2)) * 1j, 3.0])
def test_what_are_no_real_numbers_is_refused_in_words(given):
    with pytest.raises(TypeError, match=r"Expected activations as an array of real numbers"):
        linear_cka(np.arange(6.0).reshape(3, 2), given)


def test_many_features_take_little_memory():
    x = np.random.default_rng(4).normal(size=(20, 200_000)).astype(np.float16)
    tracemalloc.start()
    assert linear_cka(x, x) == pytest.approx(1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15e6  # in float64 the features alone take 32 MB
