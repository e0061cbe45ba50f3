"""What is kept of a network's answer to one photograph, and how two such answers differ."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.attribution.result import Attribution
from cnn_widgets.attribution.streaming import Explained
from cnn_widgets.engine.weights import values_digest
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

#: Rows and columns of the evidence that is kept of a photograph, and of the photograph itself.
GRID, THUMB = 14, 8
#: The most likely classes whose probabilities are kept.
TOP = 10
#: Share of a map that the ReLU of its equation may remove; what is left beyond is rounding.
_NOTHING_LEFT = 0.999
_HOTTEST = 0.2  # the share of cells of which the overlap is told


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Photograph:
    """The answer to one photograph, and the evidence for it.

    Attributes
    ----------
    name : str
    content : str
        A digest of the pixels, and of what goes into other inputs; "" if it cannot be read.
    top : tuple of (int, float)
        The most likely classes with their probabilities, the most likely first.
    evidence : ndarray of float32, shape (14, 14)
        The heat-map for the answer over the photograph, in [0, 1] or [-1, 1]; or zeros.
    thumb : ndarray of uint8, shape (8, 8, 3)
        Tells a photograph decoded a little otherwise from another one.
    error : str
        Why it cannot be read, or "".
    """

    name: str
    content: str = ""
    top: tuple[tuple[int, float], ...] = ()
    evidence: Floats = field(default_factory=lambda: np.zeros((GRID, GRID), np.float32))
    thumb: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((THUMB, THUMB, 3), np.uint8))
    error: str = ""

    @property
    def answer(self) -> int:
        """The most likely class; -1 if the photograph cannot be read."""
        return self.top[0][0] if self.top else -1

    def probability(self, class_index: int) -> float | None:
        """Return a class's probability; None if it is not among those kept."""
        return dict(self.top).get(class_index)


def photograph_of(net: Network, each: Explained) -> Photograph:
    """Return what is kept of a photograph and its answer."""
    if each.error is not None or each.sample is None or each.attribution is None:
        return Photograph(each.name, error=str(each.error) or type(each.error).__name__)
    scores, probabilities = (both[0] for both in net.scores([each.sample]))  # known from the map
    order = np.lexsort((-scores, -probabilities))[:TOP]  # by score where probabilities are equal
    top = tuple((int(n), float(probabilities[n])) for n in order)
    return Photograph(each.name, content_of(each.sample), top, small_map(each.attribution),
                      thumb_of(each.sample))  # fmt: skip


def content_of(sample: ImageSample) -> str:
    """Return a digest of a photograph's pixels and other inputs, whatever its name or file."""
    return replace(sample, fit=None).key


def small_map(found: Attribution) -> Floats:
    """Return a heat-map as 14 × 14; zeros if all but rounding was removed by the method's ReLU."""
    if found.removed > _NOTHING_LEFT or found.empty:
        return np.zeros((GRID, GRID), np.float32)
    heat = np.nan_to_num(np.asarray(found.heatmap, np.float32))
    small = cv2.resize(heat, (GRID, GRID), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def thumb_of(sample: ImageSample) -> NDArray[np.uint8]:
    """Return the photograph as 8 × 8 pixels."""
    small = cv2.resize(sample.pixels, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def repeats(net: Network, sample: ImageSample) -> bool:
    """Return whether a network says the same of a photograph each time, whatever lies beside it.

    Not so where dropout, or batch normalization, works as in training. The photograph is asked
    about alone, and twice in a batch with a plain picture. Scores count as the same if they differ
    by less than a thousandth of the largest.
    """
    engine, x = net.engine_for(sample), net.input_tensor([sample])
    alone = engine.observe(x, ()).scores
    plain = np.broadcast_to(x[:, :1, :1], x.shape)
    beside = engine.observe(np.concatenate([x, plain, x])[: net.batch or 3], ()).scores[::2]
    allowed = 1e-3 * max(float(np.abs(alone).max()), 1e-6)
    return bool(np.abs(beside - alone).max() <= allowed)


def digest_of(net: Network) -> str:
    """Return a digest of the weights' values in order, equal where only names differ.

    "" for a private copy, whose weights are not those of its model.
    """
    return "" if net.private_weights else values_digest(net.model)


# --- how two maps differ ---------------------------------------------------------------------


def correlation(one: Floats, other: Floats) -> float:
    """Return Pearson's correlation of two maps; 1 if both are empty, 0 if only one of them is.

    An even map has no shape to compare: 1 if the maps are alike within a twentieth, else 0.
    """
    if float(np.abs(one - other).max()) <= 1e-3:
        return 1.0
    if one.std() <= 1e-6 or other.std() <= 1e-6:
        return float(np.abs(one - other).max() <= 0.05)
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def centre_moved(one: Floats, other: Floats) -> float:
    """Return how far the centre of what speaks for the class moved, as a share of the diagonal.

    NaN if a map has nothing that does.
    """
    places = []
    for each in (one, other):
        heat = np.maximum(np.asarray(each, np.float64), 0)
        if heat.sum() <= 0:
            return float("nan")
        rows, columns = np.indices(heat.shape) + 0.5
        centre = (heat * rows).sum() / heat.sum(), (heat * columns).sum() / heat.sum()
        places.append(np.array(centre) / heat.shape)
    return float(np.linalg.norm(places[0] - places[1]) / np.sqrt(2))


def overlap(one: Floats, other: Floats) -> float:
    """Return the intersection over union of the hottest fifth of two maps; NaN if one is empty."""
    count = round(_HOTTEST * one.size)
    hottest = []
    for each in (one, other):
        if not (each > 0).any():
            return float("nan")
        hottest.append(set(np.argsort(-each, axis=None, kind="stable")[:count].tolist()))
    return len(hottest[0] & hottest[1]) / len(hottest[0] | hottest[1])
