"""The space of Fourier coefficients: derivatives against central differences, and its scales."""

import numpy as np
import pytest

from cnn_widgets.excitation.pixel_space import Spectrum, colour_mixing


@pytest.mark.parametrize("size", [(9, 8), (8, 7)])
def test_slopes_are_central_differences(size):
    space, rng = Spectrum(size, 3), np.random.default_rng(0)
    at = space.start(rng)
    weights = rng.normal(size=(*size, 3)).astype(np.float32)
    slopes = space.slopes(space.picture(at), weights)
    for _ in range(6):
        way = rng.normal(size=at.shape).astype(np.float32)
        up, down = (space.picture(at + step * way).astype(np.float64) for step in (1e-2, -1e-2))
        expected = ((up - down) * weights).sum() / 2e-2
        assert (slopes * way).sum() == pytest.approx(expected, rel=1e-2, abs=0.5)


def test_random_pictures_are_nearly_grey_and_smooth():
    space = Spectrum((64, 48), 3)
    picture = space.picture(space.start(np.random.default_rng(0)))
    assert picture.shape == (64, 48, 3)
    assert 4 < picture.std() < 30
    assert np.abs(np.diff(picture, axis=0)).mean() < picture.std()
    assert Spectrum((6, 5), 7).picture(np.zeros((6, 3, 7, 2), np.float32)).shape == (6, 5, 7)


def test_colours_correlate_as_in_photographs():
    mixing = colour_mixing(3)
    covariance = mixing @ mixing.T
    scale = np.sqrt(np.diag(covariance))
    correlations = covariance / np.outer(scale, scale)
    assert correlations.min() > 0.5
    np.testing.assert_array_equal(colour_mixing(2), np.eye(2))
