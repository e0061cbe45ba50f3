"""The arithmetic behind parts: non-negative factors, and Sobol indices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_SMALL = 1e-12


def factorised(a: Doubles, count: int, seed: int = 0, rounds: int = 200) -> tuple[Doubles, Doubles]:
    """Return U (n, count) and W (count, K), both ≥ 0, with U · W near A (n, K).

    Hierarchical alternating least squares (Cichocki and Phan 2009): each column of U and each row
    of W is solved for in turn. Rows of W have length 1.

    Parameters
    ----------
    a : ndarray, shape (n, K)
        Numbers ≥ 0.
    count : int
    seed : int
        Of the random beginning.
    rounds : int
        At most; it ends when the factors no longer change.

    Examples
    --------
    >>> a = np.array([[2.0, 0], [0, 3], [1, 0]])
    >>> u, w = factorised(a, 2)
    >>> bool(np.allclose(u @ w, a, atol=1e-6))
    True
    """
    rng = np.random.default_rng(seed)
    size = np.sqrt(max(float(a.mean()), _SMALL) / count)
    u = size * rng.random((len(a), count)) + _SMALL
    w = size * rng.random((count, a.shape[1])) + _SMALL
    for _ in range(rounds):
        before = w.copy()
        u = _solved(a @ w.T, w @ w.T, u)
        w = _solved(a.T @ u, u.T @ u, w.T).T
        lengths = np.linalg.norm(w, axis=1)
        lengths[lengths == 0] = 1
        u, w = u * lengths, w / lengths[:, None]
        if np.abs(w - before).max() < 1e-7:
            break
    return coefficients(a, w, u), w


def coefficients(a: Doubles, w: Doubles, start: Doubles | None = None) -> Doubles:
    """Return U (n, count) ≥ 0 that brings U · W nearest to A (n, K) for a given W.

    >>> coefficients(np.array([[0.0, 4]]), np.array([[0.0, 1], [1, 0]])).tolist()
    [[4.0, 0.0]]
    """
    u = np.maximum(a @ w.T, 0) if start is None else start
    against, gram = a @ w.T, w @ w.T
    for _ in range(100):
        before = u
        u = _solved(against, gram, u)
        if np.abs(u - before).max(initial=0) <= 1e-8 * max(float(u.max(initial=0)), _SMALL):
            break
    return u


def _solved(against: Doubles, gram: Doubles, u: Doubles) -> Doubles:
    """Return u after one round over its columns, each the best ≥ 0 for the others as they are."""
    u = u.copy()
    for k in range(u.shape[1]):
        if gram[k, k] > _SMALL:
            u[:, k] = np.maximum(u[:, k] + (against[:, k] - u @ gram[:, k]) / gram[k, k], 0)
    return u


def total_indices(
    function: Callable[[Doubles], Doubles], count: int, rng: np.random.Generator, samples: int = 32
) -> Doubles:
    """Return the total Sobol index of each of `count` variables in [0, 1], estimated.

    Jansen 1999: the mean of ½ (f(a) - f(a with variable i from b))², over the variance of f. It is
    the share of the variance that a variable has a part in, by itself or with others.

    Parameters
    ----------
    function : callable
        Takes points (n, count) and returns values (n,).
    count : int
    rng : Generator
    samples : int
        Pairs of random points; the function is called for ``samples · (count + 2)`` points.

    Returns
    -------
    ndarray, shape (count,)
        NaN if the function does not vary.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> total_indices(lambda x: x[:, 0] + 0 * x[:, 1], 2, rng, 64).round(1).tolist()
    [1.0, 0.0]
    """
    a, b = _spread(rng, samples, count), _spread(rng, samples, count)
    points = [a, b]
    for k in range(count):
        mixed = a.copy()
        mixed[:, k] = b[:, k]
        points.append(mixed)
    values = function(np.concatenate(points)).reshape(count + 2, samples)
    variance = float(values[:2].var())
    scale = max(float(np.abs(values).max()), 1.0)
    if variance <= (1e-6 * scale) ** 2:
        return np.full(count, np.nan)
    found: Doubles = ((values[0] - values[2:]) ** 2).mean(axis=1) / 2 / variance
    return found


def _spread(rng: np.random.Generator, samples: int, count: int) -> Doubles:
    """Return random points (samples, count) that fill each axis evenly (Latin hypercube)."""
    cells = np.stack([rng.permutation(samples) for _ in range(count)], axis=1)
    return np.asarray((cells + rng.random((samples, count))) / samples)
