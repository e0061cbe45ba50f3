"""Photographs unlike the rest: of another kind than the others of their label, or of the set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.auditing.labels import Spellings
from cnn_widgets.data_checks.distances import (
    neighbour_distances,
    standard_scores,
    threshold_of,
)
from cnn_widgets.data_checks.features import DIMENSIONS, Seen, go_through
from cnn_widgets.datasets import Label, open_images
from cnn_widgets.environment import frame
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import check_fit
from cnn_widgets.telling import counted

#: Fewer photographs than this are not compared with one another.
LEAST = 10
_COLUMNS = ("index", "name", "label", "score", "odd", "error")


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class OddOnes:
    """How unlike the rest each photograph is.

    Attributes
    ----------
    names : tuple of str
    labels : tuple of int, str or None
        As they were given with the photographs.
    scores : ndarray, shape (N,)
        0 for a photograph as far from its neighbours as is usual, 1 for one standard deviation
        more (of the logarithm of the distance), and so on; NaN where it was not judged.
    threshold : float
        Above this score a photograph is odd.
    layer : str
        Whose activations were compared.
    unjudged : dict
        Of labels with fewer than ten photographs, how many they have.
    errors : dict of str to str
        Why a photograph could not be judged, by name.
    notes : tuple of str
        What limits the answer, in words.
    """

    names: tuple[str, ...]
    labels: tuple[Label, ...]
    scores: NDArray[np.float64]
    threshold: float
    layer: str
    unjudged: dict[Label, int]
    errors: dict[str, str]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.odd)

    def __repr__(self) -> str:
        judged = int(np.isfinite(self.scores).sum())
        return f"OddOnes({len(self)} of {counted(judged, 'photograph')}, layer {self.layer!r})"

    @property
    def odd(self) -> NDArray[np.intp]:
        """The photographs above the threshold, by number, the oddest first."""
        ranked = self.ranked
        return ranked[self.scores[ranked] > self.threshold]

    @property
    def ranked(self) -> NDArray[np.intp]:
        """All photographs that were judged, by number, the oddest first."""
        judged = np.flatnonzero(np.isfinite(self.scores))
        return judged[np.argsort(-self.scores[judged], kind="stable")]

    def records(self) -> list[dict[str, Any]]:
        """Return a dict per photograph: number, name, label, score, whether it is odd, error."""
        found = []
        for index, (name, label, score) in enumerate(
            zip(self.names, self.labels, self.scores.tolist(), strict=True)
        ):
            judged = bool(np.isfinite(score))
            told = (score, score > self.threshold) if judged else (None, None)
            row = (index, name, label, *told, self.errors.get(name))
            found.append(dict(zip(_COLUMNS, row, strict=True)))
        return found

    def to_pandas(self) -> Any:
        """Return `records` as a pandas DataFrame; an ImportError says if pandas is missing."""
        return frame(self.records(), _COLUMNS)


def odd_ones_out(
    net: Network,
    images: Any,
    labels: Any = None,
    *,
    layer: str | None = None,
    by_label: bool = True,
    neighbours: int | None = None,
    false_rate: float = 0.02,
    fit: str | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> OddOnes:
    """Return how unlike the others of its label, or of the set, each photograph is.

    Photographs are compared by what a network makes of them: the mean of each filter of a layer
    over the photograph, of which the square root is taken (with its sign), so that a few strong
    filters do not decide alone. The further the k-th nearest other photograph, the odder. This
    asks for no bell-shaped cloud, as the Mahalanobis distance does: a label may have several kinds
    of photographs, and fewer photographs than the layer has filters.

    Of each photograph one number per filter is kept; beyond 64 MB in all, 128 numbers each, random
    projections, which change distances by some 6 %. Of more than 10,000 photographs to compare,
    neighbours are searched among 10,000 of them.

    What a network was never taught to tell apart, it may not see here either. Photographs of one
    label are compared more sharply than a set of many kinds; one with a wrong label is odd, too. A
    group of alike foreign photographs larger than `neighbours` hides itself.

    Parameters
    ----------
    net : Network
    images, labels
        As `open_images` takes them; those of a data set or a generator, too: one pass is made.
        Different spellings of a label are one label, as for `audit`: see `match_labels`.
    layer : str, optional
        By default `net.default_layer`, the last map before the head. A layer of plain numbers
        (K,) will do, too.
    by_label : bool
        Whether a photograph is compared with those of its label, where there are labels, or with
        all.
    neighbours : int, optional
        k. By default a tenth of the photographs compared, at least 5 and at most 50.
    false_rate : float
        Which share of ordinary photographs may be called odd: this sets the threshold, as if the
        upper half of the scores fell off exponentially. For 2 %, in sets without a foreign one, up
        to 2 % were called odd: 0.0 to 1.3 % of made-up clouds of points (normal, exponential,
        long-tailed, in clusters; in 2 to 64 dimensions), 0.7 to 2.1 % of drawn figures.
    fit : {"squash", "crop", "letterbox"}, optional
        See `load_image`.
    progress : callable, optional
        Called with (photographs done, photographs in all, or 0 of a data set or a generator);
        returning False stops.

    Returns
    -------
    OddOnes

    Raises
    ------
    ValueError
        If there are fewer than ten photographs of every label, the layer is unknown or there is
        none, `neighbours` or `false_rate` is out of range, or the data set never ends.
    concurrent.futures.CancelledError
        If `progress` returned False.

    References
    ----------
    Sun, Ming, Zhu, Li 2022, "Out-of-Distribution Detection with Deep Nearest Neighbors", arXiv
    2204.06507 (there with features of length 1); the square root: Perronnin, Sánchez, Mensink 2010,
    "Improving the Fisher Kernel for Large-Scale Image Classification", section 3.2.

    Examples
    --------
    >>> cat, rocket = (cw.gallery()[name].pixels for name in ("cat", "rocket"))
    >>> places = [(y, x) for y in range(0, 100, 20) for x in range(0, 240, 40)]
    >>> pieces = [cat[y : y + 200, x : x + 200] for y, x in places]
    >>> found = odd_ones_out(cw.load_network(), [*pieces, rocket[:200, :200]])
    >>> [found.names[index] for index in found.odd]
    ['image 30']
    """
    checked_network(net)
    check_fit(fit)
    if not 0 < false_rate < 0.5:
        raise ValueError(f"Expected false_rate above 0 and below 0.5. Received: {false_rate}")
    if neighbours is not None and neighbours < 1:
        raise ValueError(f"Expected neighbours to be at least 1. Received: {neighbours}")
    layer = _layer(net, layer)
    found = open_images(images, labels, channels=net.channels)
    if found.endless:
        raise ValueError("The data set never ends: odd_ones_out(net, data.take(1000)), perhaps.")
    seen = go_through(net, found, layer, fit, progress)
    spellings = Spellings(net)
    scores, unjudged, notes = _judged(seen, by_label, neighbours, spellings)
    return OddOnes(
        tuple(seen.names), tuple(seen.labels), scores, threshold_of(false_rate), layer,
        unjudged, seen.errors, (*notes, *(f"{note}." for note in spellings.notes)),
    )  # fmt: skip


def _layer(net: Network, layer: str | None) -> str:
    """Return the name of the layer by which photographs are compared."""
    if layer is None and net.default_layer is None:
        names = ", ".join(info.name for info in net.layers[:12])
        raise ValueError(
            f"{net.name!r} has no layer with feature maps. Say by which layer= photographs are "
            f"compared: {names}."
        )
    info = net.layer(layer or str(net.default_layer))
    if not info.shape:
        raise ValueError(f"Layer {info.name!r} puts out one number, too little to compare by.")
    return info.name


def _judged(
    seen: Seen, by_label: bool, neighbours: int | None, spellings: Spellings
) -> tuple[NDArray[np.float64], dict[Label, int], list[str]]:
    """Return the score of each photograph, the labels left out, and notes."""
    grouped = by_label and any(label is not None for label in seen.labels)
    groups: dict[Label, list[int]] = {}
    for place, number in enumerate(seen.numbers):
        label = spellings.one(seen.labels[number]) if grouped else None
        groups.setdefault(label, []).append(place)
    unlabelled = groups.pop(None, []) if grouped else []
    unjudged = {label: len(each) for label, each in groups.items() if len(each) < LEAST}
    large = {label: each for label, each in groups.items() if len(each) >= LEAST}
    if not large:
        most = max(unjudged.values(), default=0)
        raise ValueError(
            f"Expected at least {LEAST} photographs{' of a label' * grouped} that can be read, to "
            f"compare one with the others. Received: {most}"
        )
    points, distances = seen.points.array(), []
    for label, places in large.items():
        distances.append(neighbour_distances(points[places], _neighbours(label, len(places),
                                                                         neighbours)))  # fmt: skip
    scores = np.full(len(seen.names), np.nan)
    found = standard_scores(distances)
    for places, some in zip(large.values(), found, strict=True):
        scores[[seen.numbers[place] for place in places]] = some
    copies = [label for label, some in zip(large, found, strict=True) if np.isnan(some).all()]
    return scores, unjudged, _notes(seen, unjudged, copies, len(unlabelled))


def _neighbours(label: Label, count: int, wanted: int | None) -> int:
    """Return which nearest neighbour is asked for, among the photographs of a label."""
    if wanted is None:
        return int(np.clip(count // 10, 5, 50))
    if wanted >= count:
        of = f" of label {label!r}" if label is not None else ""
        raise ValueError(
            f"Expected neighbours below the number of photographs{of}, {count}. Received: {wanted}"
        )
    return wanted


def _notes(
    seen: Seen, unjudged: dict[Label, int], copies: list[Label], unlabelled: int
) -> list[str]:
    """Return what limits the answer, in words."""
    notes = []
    if unjudged:
        told = ", ".join(f"{label!r} ({count})" for label, count in list(unjudged.items())[:8])
        more = f" and {len(unjudged) - 8} more" if len(unjudged) > 8 else ""
        notes.append(f"Not judged, with fewer than {LEAST} photographs: {told}{more}.")
    if unlabelled:
        told = counted(
            unlabelled, "photograph without a label is", "photographs without a label are"
        )
        notes.append(f"{told} not judged.")
    for label in copies:
        of = f" of {label!r}" if label is not None else ""
        notes.append(
            f"More than half of the photographs{of} are the same to this layer, so none is judged."
        )
    if seen.points.projected:
        notes.append(
            f"So many numbers are compared in {DIMENSIONS} random directions: distances are exact "
            "to about 6 %."
        )
    return notes
