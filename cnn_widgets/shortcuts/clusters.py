"""Groups of photographs that a network decides on for the same reason: their maps, clustered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_MOST = 6  # clusters
_NEIGHBOUR = 7  # whose distance is the scale of a map; a nearer one among few maps
_CLEAR_GAP = 0.15  # between eigenvalues of 0 to 2; a smaller one tells nothing


@dataclass(frozen=True)
class Cluster:
    """Photographs of a class whose maps are alike.

    Attributes
    ----------
    members : tuple of int
        Their numbers among the photographs of the class that were looked at.
    average : ndarray, shape (h, w)
        Their mean map, 0 to 1.
    right : int
        How many of them the network gives a class of the label.
    probability : float
        The mean probability of the label's classes.
    """

    members: tuple[int, ...]
    average: Array
    right: int = 0
    probability: float = float("nan")


def clusters_of(maps: Array, odds: Array, right: Array, seed: int = 0) -> tuple[Cluster, ...]:
    """Return the clusters of maps (n, h, w), those whose label is most probable first.

    `odds` (n,) are the log-odds of the label for each photograph, `right` (n,) whether it was given
    a class of the label.
    """
    group = spectral_clusters(maps, seed)
    found = []
    for number in range(int(group.max()) + 1):
        members = np.flatnonzero(group == number)
        sure = float((1 / (1 + np.exp(-odds[members]))).mean())
        found.append(Cluster(tuple(members.tolist()), maps[members].mean(axis=0),
                             int(right[members].sum()), sure))  # fmt: skip
    return tuple(sorted(found, key=lambda each: -each.probability))


def spectral_clusters(maps: Array, seed: int = 0, most: int = _MOST) -> NDArray[np.intp]:
    """Return the cluster of each map, counted from 0, the largest cluster first.

    This is the step of SpRAy that groups heat-maps: the eigenvectors of the normalised Laplacian
    of a graph of similar maps. The number of clusters is where consecutive eigenvalues lie
    furthest apart, or 1 if they nowhere lie clearly apart.

    Parameters
    ----------
    maps : ndarray, shape (n, h, w)
        Not negative.
    seed : int
    most : int
        The largest number of clusters.

    References
    ----------
    Lapuschkin et al. 2019, "Unmasking Clever Hans predictors", arXiv 1902.10178 (SpRAy).
    Shi and Malik 2000, "Normalized cuts and image segmentation".
    Zelnik-Manor and Perona 2004, "Self-tuning spectral clustering" (the scale of each map).

    Examples
    --------
    >>> left, right = np.zeros((2, 6, 2, 2))
    >>> left[:, 0, 0] = 1; right[:, 1, 1] = 1
    >>> spectral_clusters(np.concatenate([left, right[:4]])).tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]
    """
    count = len(maps)
    if count < 4:
        return np.zeros(count, np.intp)
    values, vectors = np.linalg.eigh(_laplacian(maps.reshape(count, -1).astype(np.float64)))
    gaps = np.diff(values[: min(most, count - 1) + 1])
    wanted = int(gaps.argmax()) + 1 if gaps.max() > _CLEAR_GAP else 1
    places = vectors[:, :wanted]
    length = np.linalg.norm(places, axis=1, keepdims=True)
    found = _k_means(places / np.where(length > 0, length, 1), wanted, seed)
    order = np.argsort(-np.bincount(found, minlength=wanted), kind="stable")
    return np.argsort(order)[found]


def _laplacian(flat: Array) -> Array:
    """Return the normalised Laplacian (n, n) of a graph whose edges join similar maps."""
    total = flat.sum(axis=1, keepdims=True)
    flat = flat / np.where(total > 0, total, 1)
    squares = (flat**2).sum(axis=1)
    apart = np.maximum(squares[:, None] + squares - 2 * flat @ flat.T, 0)
    near = np.sort(apart, axis=1)[:, min(_NEIGHBOUR, max(1, len(flat) // 4))]
    scale = np.sqrt(near[:, None] * near) + 1e-12
    alike = np.exp(-apart / scale)
    np.fill_diagonal(alike, 0)
    root = 1 / np.sqrt(np.maximum(alike.sum(axis=1), 1e-12))
    return np.asarray(np.eye(len(flat)) - root[:, None] * alike * root)


def _k_means(points: Array, count: int, seed: int, steps: int = 50) -> NDArray[np.intp]:
    """Return the group of each point; the first centres lie as far apart as points do."""
    rng = np.random.default_rng(seed)
    centers = [points[int(rng.integers(len(points)))]]
    for _ in range(count - 1):
        nearest = ((points[:, None] - np.array(centers)) ** 2).sum(-1).min(axis=1)
        centers.append(points[int(nearest.argmax())])
    found = np.zeros(len(points), np.intp)
    middle = np.array(centers)
    for _ in range(steps):
        found = ((points[:, None] - middle) ** 2).sum(-1).argmin(axis=1)
        moved = np.array([points[found == k].mean(axis=0) if (found == k).any() else middle[k]
                          for k in range(count)])  # fmt: skip
        if np.allclose(moved, middle):
            break
        middle = moved
    return found
