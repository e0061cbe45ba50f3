"""Is a class sensitive to a concept that a few pictures show? TCAV, with its significance.

Kim et al. 2018, "Interpretability Beyond Feature Attribution" (arXiv 1711.11279): pictures of a
concept and others are separated in the activations of a layer; the normal of the separating plane
is the concept's vector, and the derivative of the class's score along it tells whether more of the
concept raises the score.

Deviations. Activations are averaged over positions before, so a concept counts wherever it stands
in the picture, and few pictures suffice. The paper's t-test takes runs with the same concept
pictures as independent; it then finds any set of pictures significant, random ones too, where
gradients hardly differ from photograph to photograph. Here pictures are permuted instead: the
p-value is the share of random sets of pictures that are at least as far from no effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.arguments import seed_of, whole
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.reading import (
    Counted,
    Progress,
    ending,
    first_error,
    map_layer,
    number_of,
    readable,
)

_Doubles = NDArray[np.float64]

FEWEST = 3  # pictures of a set
_SETS = {  # by argument: how many are needed, and what they are
    "positives": (FEWEST, "pictures of the concept"),
    "negatives": (FEWEST, "other pictures"),
    "images": (2, "photographs of the class"),
    "randoms": (FEWEST, "random pictures"),
}
_RIDGE = 0.05  # of the mean square of a picture's activations
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Concept:
    """What a layer and a class know of a concept.

    Attributes
    ----------
    layer : str
    class_index : int
    accuracy : float
        How well the concept's pictures are told from the others by the plane, on pictures that it
        was not fitted to (cross-validated; the mean of both sets' shares). 0.5 is chance: then the
        layer does not hold the concept, and the score says nothing.
    score : float
        The TCAV score: the share of the class's photographs whose score would rise with more of
        the concept, 0 to 1.
    effect : float
        By how much the class's score changes, to first order and in the mean over its photographs,
        when activations go along the vector as far as from the other pictures to the concept's.
    random_scores, random_effects : ndarray, shape (runs,)
        The same for random sets of pictures in place of the concept's.
    p_value : float
        The share of random sets, this one among them, whose effect is at least as far from 0
        (two-sided).
    least_p : float
        About the smallest p-value that so many pictures and runs allow. Of few pictures only few
        different sets can be drawn, and the concept's own is among them: with three against three
        it is 0.1, and nothing can be told from chance.
    counts : tuple of 3 int
        Pictures of the concept, other pictures, photographs of the class.
    vector : ndarray, shape (K,)
        The concept's vector, of length 1.
    errors : dict of str to str
        Why a picture could not be read, by its name; it was left out. A name that came before, in
        another set, has the set's beside it.
    """

    layer: str
    class_index: int
    accuracy: float
    score: float
    effect: float
    random_scores: _Doubles = field(repr=False)
    random_effects: _Doubles = field(repr=False)
    p_value: float
    least_p: float
    counts: tuple[int, int, int]
    vector: _Doubles = field(repr=False)
    errors: dict[str, str] = field(repr=False)

    @property
    def runs(self) -> int:
        """The number of random sets."""
        return len(self.random_scores)


def concept(
    net: Network,
    positives: Any,
    negatives: Any,
    images: Any,
    class_index: int | str,
    layer: str | None = None,
    *,
    randoms: Any = None,
    runs: int = 500,
    seed: int = 0,
    progress: Progress | None = None,
) -> Concept:
    """Return whether a class is sensitive to a concept, and whether that is more than chance.

    Parameters
    ----------
    net : Network
    positives, negatives : folder, list, array, …
        Pictures of the concept, and pictures without it, at least three of each; whatever
        `open_images` takes.
    images : folder, list, array, …
        Photographs of the class, at least two.
    class_index : int or str
    layer : str, optional
        A layer with a feature map; by default the network's default layer.
    randoms : folder, list, array, …, optional
        Random pictures, from which, with the concept's, random sets are drawn that stand against
        `negatives`: right where these are no random pictures but show another concept. By default
        random sets are drawn from positives and negatives together.
    runs : int
        The number of random sets, at least 20.
    seed : int
        Of the random sets and of the parts of the cross-validation.
    progress : callable, optional
        Called with (pictures done, pictures in all; 0 if not known); returning False stops.

    Raises
    ------
    ValueError
        If there are too few pictures that can be read, `runs` is below 20, the layer has no map,
        or no gradient of the score reaches it.
    concurrent.futures.CancelledError
        If `progress` returned False.

    References
    ----------
    Kim et al. 2018, arXiv 1711.11279, equations 1 and 2.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"].pixels
    >>> warm = [np.full((9, 9, 3), (255, 99 + n, n), np.uint8) for n in range(4)]
    >>> cold = [np.full((9, 9, 3), (n, 99 + n, 255), np.uint8) for n in range(4)]
    >>> found = concept(net, warm, cold, [cat, cat[:, ::-1]], "Egyptian cat", runs=20)
    >>> found.accuracy, found.runs, found.counts
    (1.0, 20, (4, 4, 2))
    """
    runs, seed = whole("runs", runs, 20), seed_of(seed)
    name = map_layer(checked_network(net), layer)
    index = net.class_index(class_index)
    given = dict(zip(_SETS, (positives, negatives, images, randoms), strict=True))
    if randoms is None:
        del given["randoms"]
    sets = {each: ending(open_images(some, channels=net.channels),
                         "concept(net, …, data.take(100))")
            for each, some in given.items()}  # fmt: skip
    counted, errors = Counted(progress, number_of(list(sets.values()))), dict[str, str]()
    rows = dict[str, _Doubles]()
    for each, (least, what) in _SETS.items():
        if each in sets:
            unread = dict[str, str]()
            rows[each] = (_slopes(net, sets[each], name, index, counted, unread) if each == "images"
                          else _means(net, sets[each], name, counted, unread))  # fmt: skip
            if len(rows[each]) < least:
                raise ValueError(f"Expected at least {least} {what} that can be read. "
                                 f"Received: {len(rows[each])}{first_error(unread)}")  # fmt: skip
            errors |= {f"{k} ({each})" if k in errors else k: why for k, why in unread.items()}
    concepts, others, slopes = (rows[each] for each in ("positives", "negatives", "images"))
    pool = rows.get("randoms", np.empty((0, concepts.shape[1])))
    rng = np.random.default_rng(seed)
    planes = _Planes(np.concatenate([concepts, others, pool]), slopes)
    own = np.arange(len(concepts))
    rest = len(concepts) + np.arange(len(others))
    score, effect, vector = planes.judged(own, rest)
    drawn = _random_sets(own, rest, len(pool), runs, rng)
    random = np.array([planes.judged(*some)[:2] for some in drawn])
    as_far = np.abs(random[:, 1]) >= abs(effect) * (1 - 1e-9)
    return Concept(
        name, index, planes.accuracy(own, rest, rng), score, effect, random[:, 0], random[:, 1],
        float((1 + as_far.sum()) / (1 + runs)),
        _least_p(len(concepts), len(others), len(pool), runs),
        (len(concepts), len(others), len(slopes)), vector, errors,
    )  # fmt: skip


def _least_p(own: int, rest: int, pool: int, runs: int) -> float:
    """Return about the smallest p-value: the share of random sets that equal the concept's own.

    Exchanging two sets of one size only turns the effect's sign: that set is as far from 0.
    """
    equal = 2 if not pool and own == rest else 1
    return max(1 / (runs + 1), equal / comb(own + (pool or rest), own))


class _Planes:
    """Separates sets of pictures by ridge regression, solved in the pictures' own space.

    Parameters
    ----------
    means : ndarray, shape (n, K)
        The activations of all pictures.
    slopes : ndarray, shape (m, K)
        The gradients of the class's score for its photographs, summed over positions.
    """

    def __init__(self, means: _Doubles, slopes: _Doubles) -> None:
        self._means, self._slopes = means - means.mean(axis=0), slopes

    def judged(self, own: Any, rest: Any) -> tuple[float, float, _Doubles]:
        """Return TCAV score, effect and vector for pictures `own` against `rest`, by number."""
        vector = self._plane(own, rest)[0]
        length = float(np.linalg.norm(vector))
        vector = vector / length if length > 0 else vector
        along = self._slopes @ vector
        way = float((self._means[own].mean(axis=0) - self._means[rest].mean(axis=0)) @ vector)
        return float((along > 0).mean()), float(along.mean()) * way, vector

    def accuracy(self, own: Any, rest: Any, rng: np.random.Generator) -> float:
        """Return the cross-validated accuracy, the mean of that for both sets."""
        parts = [np.arange(len(some)) % _FOLDS for some in (own, rest)]
        parts = [rng.permutation(each) for each in parts]
        shares = np.zeros(2)
        for fold in range(_FOLDS):
            kept = [some[part != fold] for some, part in zip((own, rest), parts, strict=True)]
            vector, offset = self._plane(*kept)
            for side, (some, part) in enumerate(zip((own, rest), parts, strict=True)):
                value = self._means[some[part == fold]] @ vector + offset
                right = (value > 0) if side == 0 else (value < 0)
                shares[side] += right.sum() / len(some)
        return float(shares.mean())

    def _plane(self, own: Any, rest: Any) -> tuple[_Doubles, float]:
        """Return (w, b) of the plane w · a + b = 0; both sets weigh the same."""
        a = self._means[np.concatenate([own, rest])]
        sides = np.concatenate([np.ones(len(own)), -np.ones(len(rest))])
        shares = np.concatenate([np.full(len(own), 0.5 / len(own)),
                                 np.full(len(rest), 0.5 / len(rest))])  # fmt: skip
        middle = shares @ a
        root = np.sqrt(shares)[:, None]
        centred = root * (a - middle)
        gram = centred @ centred.T
        gram[np.diag_indices_from(gram)] += _RIDGE * max(float(np.trace(gram)), 1e-12)
        vector = centred.T @ np.linalg.solve(gram, root[:, 0] * sides)
        return vector, -float(middle @ vector)


def _random_sets(
    own: Any, rest: Any, pool: int, runs: int, rng: np.random.Generator
) -> Iterator[tuple[Any, Any]]:
    """Yield (own, rest) of random sets as large as the concept's."""
    last = len(own) + len(rest)
    drawn = np.concatenate([own, last + np.arange(pool)]) if pool else np.arange(last)
    for _ in range(runs):
        some = rng.permutation(drawn)
        yield some[: len(own)], rest if pool else some[len(own) :]


def _means(
    net: Network, images: ImageSet, layer: str, counted: Counted, errors: dict[str, str]
) -> _Doubles:
    """Return the activations of pictures, averaged over positions, (n, K)."""
    rows = [net.activations(sample, layer).mean(axis=(0, 1), dtype=np.float64)
            for _, sample in readable(net, images, counted, errors)]  # fmt: skip
    return np.array(rows)


def _slopes(
    net: Network, images: Any, layer: str, index: int, counted: Counted, errors: dict[str, str]
) -> _Doubles:
    """Return the gradients of the class's score for its photographs, summed over positions."""
    height, width = net.field(layer).shape
    rows = []
    for _, sample in readable(net, images, counted, errors):
        mean = net.gradients(sample, layer, index, averaged=True)[1]
        rows.append(height * width * np.float64(mean).ravel())
    return np.array(rows)
