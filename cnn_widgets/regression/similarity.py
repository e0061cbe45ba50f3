"""How alike two sets of activations are, whatever the order, sign or scale of their filters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Rows or columns that are held in float64 at a time.
_BLOCK = 2048


def linear_cka(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Return the linear centred kernel alignment (CKA) of two sets of activations, 0 to 1.

    ``CKA(X, Y) = ‖YᵀX‖² / (‖XᵀX‖ · ‖YᵀY‖)`` with Frobenius norms, where X and Y have the mean of
    each column taken away. It is 1 if Y is X turned, mirrored, with its columns in another order,
    scaled as a whole or moved by a constant, and it compares layers of different widths.

    Parameters
    ----------
    x, y : ndarray, shape (N, ...)
        What two layers put out for the same N pictures, in the same order; all axes after the
        first are taken as features. At least 3 pictures: of two, the result would always be 1.

    Returns
    -------
    float
        NaN if one of them is the same for every picture, or holds NaN or infinity.

    Raises
    ------
    ValueError
        If the numbers of pictures differ, or there are fewer than 3.
    TypeError
        If they are no real numbers.

    Notes
    -----
    The same value follows from the N × N matrices XXᵀ and YYᵀ, and the smaller form is used: memory
    is that of min(N, K)² numbers and of 2048 rows or columns in float64. Where N is much smaller
    than the number of features the value is too high, of unrelated features too: it then tells
    little; `cnn_widgets.training.unbiased_cka` is without that bias, but noisier.

    References
    ----------
    Kornblith et al. 2019, arXiv 1905.00414, equation 4 and table 1.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> round(linear_cka(x, 3 * x[:, ::-1] + 1), 6)
    1.0
    """
    one, other = _rows(x), _rows(y)
    if len(one) != len(other) or len(one) < 3:
        raise ValueError(
            "Expected activations of the same pictures, at least 3 of them. "
            f"Received: {len(one)} and {len(other)}"
        )
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return float("nan")
    if any((each.max(axis=0) == each.min(axis=0)).all() for each in (one, other)):
        return float("nan")  # taking the mean away would leave rounding
    if len(one) <= max(one.shape[1], other.shape[1]):
        first, second = _gram(one), _gram(other)
        top = float((first * second).sum())
        below = float(np.linalg.norm(first) * np.linalg.norm(second))
    else:
        top = float((_products(other, one) ** 2).sum())
        below = float(np.linalg.norm(_products(one, one)) * np.linalg.norm(_products(other, other)))
    return min(top / below, 1.0) if below > 0 else float("nan")


def _rows(activations: NDArray[Any]) -> NDArray[Any]:
    """Return activations with all axes after the first as one; a TypeError of other things."""
    found = np.asarray(activations)
    if not (found.ndim and (found.dtype.kind in "biuf" or np.can_cast(found.dtype, np.float64))):
        raise TypeError(
            "Expected activations as an array of real numbers, one row for each picture. "
            f"Received: {found.dtype} of shape {found.shape}"
        )
    return found.reshape(len(found), -1)


def _gram(x: NDArray[Any]) -> NDArray[np.float64]:
    """Return XXᵀ (N, N) of features that have their means taken away."""
    found = np.zeros((len(x), len(x)))
    for start in range(0, x.shape[1], _BLOCK):
        part = np.asarray(x[:, start : start + _BLOCK], np.float64)
        part = part - part.mean(axis=0)
        found += part @ part.T
    return found


def _products(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Return XᵀY of features that have their means taken away."""
    means = x.mean(axis=0, dtype=np.float64), y.mean(axis=0, dtype=np.float64)
    found = np.zeros((x.shape[1], y.shape[1]))
    for start in range(0, len(x), _BLOCK):
        some = slice(start, start + _BLOCK)
        found += (x[some] - means[0]).T @ (y[some] - means[1])
    return found
