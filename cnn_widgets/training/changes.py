"""What training changed: two networks or checkpoints over the same photographs.

Layers are compared by linear CKA (see `similarity`), filters by the correlation of their maps,
weights by how far they moved, answers by how far the probabilities moved, and evidence by the
correlation of the maps. Most changed comes first everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.datasets import open_images
from cnn_widgets.layer_gradients.cells import layer_object
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.reading import Counted, Progress, ending, first_error, number_of, readable
from cnn_widgets.records import Floats, ImageSample, LayerInfo
from cnn_widgets.training.similarity import FEWEST, cka_of, dependences

_Doubles = NDArray[np.float64]

_BATCH = 64  # photographs of which a layer's mean activations are kept at once, for CKA


@dataclass(frozen=True, eq=False)
class LayerChange:
    """How far one layer moved.

    Attributes
    ----------
    before, after : str
        Its name in both networks.
    cka : float
        How alike the photographs lie to each other in both (means over positions), 1 for equal up
        to rotation and scale; NaN of fewer than 4 photographs or where the layer does not tell
        them apart.
    filters : ndarray, shape (K,)
        For each filter 1 - r, with r the correlation of its values before and after, over all
        positions of all photographs: 0 for a filter that stayed what it was, up to 2; NaN for one
        that is constant. Empty where the maps have different shapes.
    weights : float
        The length of the change of its weights, as a share of their length before; NaN where
        they cannot be compared, or there are none.
    """

    before: str
    after: str
    cka: float
    filters: _Doubles = field(repr=False)
    weights: float

    @property
    def most_changed(self) -> NDArray[np.intp]:
        """The numbers of the filters that moved, most changed first; constant ones are left out."""
        order = np.argsort(-np.nan_to_num(self.filters, nan=-1), kind="stable")
        return order[np.isfinite(self.filters[order])]


@dataclass(frozen=True)
class AnswerChange:
    """How far the answer to one photograph moved.

    Attributes
    ----------
    name : str
    before, after : int
        The most likely class.
    moved : float
        Half the sum of the changes of all probabilities, 0 to 1 (total variation); of independent
        sigmoids the largest change. NaN where the classes differ or there are no probabilities.
    evidence : float
        The correlation of the maps, each for the class that was most likely before; NaN where one
        is flat, or the classes differ.
    """

    name: str
    before: int
    after: int
    moved: float
    evidence: float


@dataclass(frozen=True, eq=False)
class NetworkChange:
    """What is different in the second of two networks.

    Attributes
    ----------
    layers : tuple of LayerChange
        Least alike first; those without a CKA last.
    answers : tuple of AnswerChange
        Most moved first.
    only_before, only_after : tuple of str
        Layers that were not matched.
    errors : dict of str to str
        Why a photograph could not be read, by its name; it was left out.
    notes : tuple of str
        What has to be known to read it.
    """

    layers: tuple[LayerChange, ...]
    answers: tuple[AnswerChange, ...]
    only_before: tuple[str, ...]
    only_after: tuple[str, ...]
    errors: dict[str, str]
    notes: tuple[str, ...]

    @property
    def turned(self) -> tuple[AnswerChange, ...]:
        """The photographs whose most likely class is another one."""
        return tuple(each for each in self.answers if each.before != each.after)


def compare_networks(
    before: Network,
    after: Network,
    images: Any,
    *,
    method: str = "grad-cam",
    progress: Progress | None = None,
) -> NetworkChange:
    """Return which layers, filters, answers and maps differ between two networks.

    Parameters
    ----------
    before, after : Network
        Two checkpoints of one model, or two models; each with its own preprocessing. Layers are
        matched by name. Where the names differ and all kinds and shapes agree, they are matched by
        their order, for Keras numbers the layers of a second model on.
    images : folder, list, array, data set, …
        Whatever `open_images` takes; labels are not needed.
    method : str
        Of the maps, a name in `METHODS`.
    progress : callable, optional
        Called with (photographs done, photographs in all; 0 if not known); returning False stops.

    Raises
    ------
    ValueError
        If no photograph can be read, or for the same reasons as `attribute`.
    concurrent.futures.CancelledError
        If `progress` returned False.

    References
    ----------
    Kornblith et al. 2019, arXiv 1905.00414, equation 4.

    Examples
    --------
    >>> net = cw.load_network()
    >>> found = compare_networks(net, net, list(cw.gallery().values())[:4])
    >>> found.turned, round(min(each.cka for each in found.layers), 3)
    ((), 1.0)
    """
    checked_network(before), checked_network(after)
    pairs, notes = _matched(before.feature_layers, after.feature_layers)
    same = before.class_names == after.class_names
    if not same:
        notes += ("The classes differ: answers and maps are not compared.",)
    pictures = ending(
        open_images(images, channels=before.channels),
        "compare_networks(before, after, data.take(1000))",
    )
    errors = dict[str, str]()
    counted = Counted(progress, number_of([pictures]), "photographs")
    sums = [_LayerSums(one, other) for one, other in pairs]
    answers = []
    for _, sample in readable(before, pictures, counted, errors):
        seen = before.observe(sample).activations, after.observe(sample).activations
        for each in sums:
            each.add(seen[0][each.before], seen[1][each.after])
        answers.append(_answer(before, after, sample, method if same else None))
    if not answers:
        raise ValueError(f"No photograph could be read{first_error(errors)}.")
    if len(answers) < FEWEST:
        notes += (f"CKA needs at least {FEWEST} photographs.",)
    layers = [each.change(before, after) for each in sums]
    layers.sort(key=lambda each: np.nan_to_num(each.cka, nan=np.inf))
    answers.sort(key=lambda each: -np.nan_to_num(each.moved, nan=-1))
    names = {one for one, _ in pairs}, {other for _, other in pairs}
    alone = [
        tuple(info.name for info in net.feature_layers if info.name not in taken)
        for net, taken in zip((before, after), names, strict=True)
    ]
    return NetworkChange(tuple(layers), tuple(answers), alone[0], alone[1], errors, notes)


def _matched(
    before: Sequence[LayerInfo], after: Sequence[LayerInfo]
) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """Return the layers that belong together, as pairs of names, and notes."""
    there = {info.name: info for info in after}
    pairs = [(info.name, info.name) for info in before if info.name in there]
    if len(pairs) == len(before) == len(after):
        return pairs, ()
    if [(i.kind, i.shape) for i in before] == [(i.kind, i.shape) for i in after]:
        pairs = [(one.name, other.name) for one, other in zip(before, after, strict=True)]
        return pairs, ("Not all layers have the same name in both: matched by their order.",)
    if not pairs:
        return [], ("Not one layer has the same name in both: layers are not compared.",)
    notes = [f"{len(pairs)} layers have the same name in both and are compared; the networks have "
             f"{len(before)} and {len(after)}."]  # fmt: skip
    other = [i.name for i in before if i.name in there and there[i.name].kind != i.kind]
    if other:
        notes.append(f"Of the same name but of another kind: {', '.join(other)}.")
    return pairs, tuple(notes)


class _LayerSums:
    """The sums from which a layer's change is worked out; they do not grow with photographs."""

    def __init__(self, before: str, after: str) -> None:
        self.before, self.after = before, after
        self._rows: list[tuple[Floats, Floats]] = []
        self._hsic = np.zeros(3)
        self._moments: _Doubles | None = None
        self._alike = True

    def add(self, one: Floats, other: Floats) -> None:
        """Add the layer's activations (h, w, K) for one photograph before and after."""
        self._rows.append((one.mean(axis=(0, 1)), other.mean(axis=(0, 1))))
        if len(self._rows) == _BATCH + FEWEST:  # so that never too few are left for the end
            self._take(_BATCH)
        self._alike = self._alike and one.shape == other.shape
        if self._alike:
            a, b = (np.float64(each).reshape(-1, each.shape[-1]) for each in (one, other))
            found = np.stack([each.sum(axis=0) for each in
                              (np.ones_like(a), a, b, a * a, b * b, a * b)])  # fmt: skip
            self._moments = found if self._moments is None else self._moments + found

    def _take(self, count: int) -> None:
        one, other = (np.stack(each) for each in zip(*self._rows[:count], strict=True))
        self._hsic += count * dependences(one, other)
        del self._rows[:count]

    def change(self, before: Network, after: Network) -> LayerChange:
        """Return the change by all that was added."""
        if len(self._rows) >= FEWEST:
            self._take(len(self._rows))
        weights = _weights_moved(before, after, self.before, self.after)
        return LayerChange(self.before, self.after, cka_of(self._hsic), self._filters(), weights)

    def _filters(self) -> _Doubles:
        if not self._alike or self._moments is None:
            return np.zeros(0)
        n, a, b, aa, bb, ab = self._moments
        spread = [
            np.maximum(square / n - (mean / n) ** 2, 0) for mean, square in ((a, aa), (b, bb))
        ]
        constant = [each <= 1e-9 * np.maximum(square / n, 1e-30)
                    for each, square in zip(spread, (aa, bb), strict=True)]  # fmt: skip
        scale = np.sqrt(spread[0] * spread[1])
        r = (ab / n - a * b / n**2) / np.where(scale > 0, scale, 1)
        return np.where(constant[0] | constant[1], np.nan, 1 - r.clip(-1, 1))


def _weights_moved(before: Network, after: Network, one: str, other: str) -> float:
    """Return how far a layer's weights moved, as a share of their length."""
    found = [[np.float64(w) for w in layer_object(net.engine, name).weights]
             for net, name in ((before, one), (after, other))]  # fmt: skip
    if not found[0] or [w.shape for w in found[0]] != [w.shape for w in found[1]]:
        return float("nan")
    moved = sum(float(((b - a) ** 2).sum()) for a, b in zip(*found, strict=True))
    length = sum(float((a**2).sum()) for a in found[0])
    return float(np.sqrt(moved / length)) if length > 0 else float("nan")


def _answer(
    before: Network, after: Network, sample: ImageSample, method: str | None
) -> AnswerChange:
    (scores, one), (others, other) = before.scores(sample), after.scores(sample)
    classes = int(scores.argmax()), int(others.argmax())
    if method is None:
        return AnswerChange(sample.name, *classes, float("nan"), float("nan"))
    change = np.abs(np.float64(other) - one)
    shared = abs(float(one.sum()) - 1) < 1e-3  # else each class has a probability of its own
    moved = float(change.sum() / 2 if shared else change.max())
    maps = [attribute(net, sample, method, classes[0]).heatmap for net in (before, after)]
    a, b = (np.float64(each).ravel() - float(each.mean()) for each in maps)
    scale = float(np.sqrt((a @ a) * (b @ b)))
    evidence = float(a @ b) / scale if scale > 0 else float("nan")
    return AnswerChange(sample.name, *classes, moved, evidence)
