"""Which classes rest on the same filters of a layer as a class does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.arguments import whole
from cnn_widgets.experiments.tail import chosen_class, chosen_filters, tail_of
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample


@dataclass(frozen=True, eq=False)
class SharedEvidence:
    """Which other classes rest on the same filters as one class, on one photograph.

    Attributes
    ----------
    layer, class_index, class_name
    classes : tuple of int
        The most likely other classes, in the order of their scores.
    cosines : ndarray, shape (n,)
        For each, the cosine between what its filters add to its score (dY/dA ⊙ A, summed over
        positions) and what they add to that of the class, -1 to 1; NaN where one has nothing.
    removed : tuple of int
        The filters that were silenced.
    drops : ndarray, shape (C,)
        For every class of the network, how far its score falls without them.
    """

    layer: str
    class_index: int
    class_name: str
    classes: tuple[int, ...]
    cosines: Floats = field(repr=False)
    removed: tuple[int, ...] = field(repr=False)
    drops: Floats = field(repr=False)
    class_names: tuple[str, ...] = field(repr=False)

    def most_lowered(self, count: int = 5) -> list[tuple[str, float]]:
        """Return the classes, with the class itself, whose scores fall most, and how far."""
        order = np.argsort(-self.drops, kind="stable")[: whole("count", count, 0)]
        return [(self.class_names[k], float(self.drops[k])) for k in order]

    def records(self) -> list[dict[str, Any]]:
        """Return one row for each of `classes`."""
        return [
            {"class_index": k, "name": self.class_names[k], "cosine": float(cosine),
             "drop": float(self.drops[k])}
            for k, cosine in zip(self.classes, self.cosines, strict=True)
        ]  # fmt: skip


def shared_evidence(
    net: Network,
    sample: ImageSample,
    layer: str | None = None,
    class_index: int | str | None = None,
    *,
    filters: int | Sequence[int] | None = None,
    among: int = 10,
) -> SharedEvidence:
    """Return which classes rest on the same filters of a layer as a class does.

    Costs one gradient through the layers behind for each of the classes, and one pass.

    Parameters
    ----------
    net, sample, layer, class_index
        As for `votes`.
    filters : int or sequence of int, optional
        The filters to silence; by default the fewest that make up half of what adds to the class.
    among : int
        How many other classes are compared, the most likely ones.

    Raises
    ------
    ValueError
        For the same reasons as `votes`, if a filter is unknown or `among` is below 1.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> found = cw.shared_evidence(net, cat, class_index="Egyptian cat", among=2)
    >>> [row["name"] for row in found.records()], bool(found.cosines[0] > 0.5)
    (['tiger cat', 'tabby'], True)
    """
    among = whole("among", among)
    tail = tail_of(net, sample, layer)
    index = chosen_class(net, tail.scores, class_index)
    order = np.argsort(-tail.scores, kind="stable")
    others = [int(k) for k in order if k != index][:among]
    shares = tail.products([index, *others])
    chosen = _half(shares[0]) if filters is None else chosen_filters(filters, tail.filters)
    before = tail.without([(), chosen])[0] if chosen else np.stack([tail.scores] * 2)
    norms = np.linalg.norm(shares, axis=1)
    scale = norms[1:] * norms[0]
    cosines = np.divide(shares[1:] @ shares[0], scale, out=np.full(len(others), np.nan),
                        where=scale > 0)  # fmt: skip
    return SharedEvidence(
        tail.layer, index, net.class_names[index], tuple(others), np.asarray(cosines, np.float32),
        chosen, np.asarray(before[0] - before[1], np.float32), net.class_names,
    )  # fmt: skip


def _half(shares: NDArray[np.float64]) -> tuple[int, ...]:
    """Return the fewest filters that make up half of what is above zero; none if nothing is."""
    order = np.argsort(-shares, kind="stable")
    summed = np.cumsum(np.maximum(shares[order], 0))
    if not summed[-1] > 0:
        return ()
    return tuple(int(k) for k in order[: int(np.searchsorted(summed, summed[-1] / 2)) + 1])
