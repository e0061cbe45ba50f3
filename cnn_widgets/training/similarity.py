"""How alike two layers are in what they tell apart: linear CKA, without its bias for few samples.

Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited" (arXiv 1905.00414).
With fewer samples than filters the plain index is high for any two layers, random ones too; so the
unbiased estimator of Song et al. 2012 is used, summed over batches as in Nguyen et al. 2021 (arXiv
2010.15327, equation 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Doubles = NDArray[np.float64]

FEWEST = 4  # samples that the unbiased estimator needs


def unbiased_cka(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Return the linear CKA of two representations of the same samples, by the unbiased estimator.

    `cnn_widgets.regression.linear_cka` is the plain index, which never says less than there is.

    Parameters
    ----------
    a, b : ndarray, shape (n, K) and (n, L)
        Activations of n samples, at least 4.

    Returns
    -------
    float
        1 for representations equal up to rotation, shift and scale; about 0 for unrelated ones,
        below 0 by chance. NaN if one of them does not tell the samples apart.

    Raises
    ------
    ValueError
        If the samples are fewer than 4, or not equally many.

    Examples
    --------
    >>> a = np.random.default_rng(0).normal(size=(9, 5))
    >>> round(unbiased_cka(a, 3 * a[:, ::-1] + 1), 6)
    1.0
    """
    if len(a) != len(b) or len(a) < FEWEST:
        raise ValueError(
            f"Expected the same samples, at least {FEWEST}, in both. Received: {len(a)}, {len(b)}"
        )
    return cka_of(dependences(a, b))


def dependences(a: NDArray[np.floating], b: NDArray[np.floating]) -> _Doubles:
    """Return the unbiased HSIC of (a, b), (a, a) and (b, b); they may be summed over batches."""
    k, m = _gram(a), _gram(b)
    return np.array([_hsic(k, m), _hsic(k, k), _hsic(m, m)])


def cka_of(sums: _Doubles) -> float:
    """Return the CKA of what `dependences` returned, or of sums of it; NaN if it is not defined."""
    across, one, other = sums
    if one <= 0 or other <= 0:
        return float("nan")
    return float(across / np.sqrt(one * other))


def _gram(values: NDArray[np.floating]) -> _Doubles:
    """Return the products of all pairs of samples (n, n), with 0 on the diagonal."""
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    rows = rows - rows.mean(axis=0)
    found: _Doubles = rows @ rows.T
    if np.abs(found).max() <= 1e-12 * max(float((np.asarray(values) ** 2).max()), 1e-300):
        found[:] = 0  # what is left of equal rows is rounding
    np.fill_diagonal(found, 0)
    return found


def _hsic(k: _Doubles, m: _Doubles) -> float:
    """Return the unbiased estimator of Song et al. 2012 of two matrices with diagonal 0."""
    n = len(k)
    both = float((k * m).sum())
    sums = float(k.sum() * m.sum()) / ((n - 1) * (n - 2))
    middle = 2 * float(k.sum(axis=0) @ m.sum(axis=0)) / (n - 2)
    return (both + sums - middle) / (n * (n - 3))
