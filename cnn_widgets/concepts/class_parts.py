"""Which parts of its photographs a class is made of, found without being asked for: CRAFT.

Fel et al. 2023, "CRAFT: Concept Recursive Activation FacTorization for Explainability" (arXiv
2211.10154): crops of a class's photographs are described by their activations at a layer, averaged
over positions; non-negative factors of these are the parts. How much the class depends on each part
is its total Sobol index, measured by masking parts and running the rest of the network.

Deviations. What the factors leave over of an activation is kept while parts are masked, so that
unmasked activations are the network's own. The recursion into earlier layers is left to the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.analysis.fields import Box
from cnn_widgets.arguments import seed_of, whole
from cnn_widgets.concepts.factors import Doubles, coefficients, factorised, total_indices
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.engine.batches import BATCH_SIZE
from cnn_widgets.images.resizing import lay_on_photo
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.reading import (
    Counted,
    Progress,
    first_error,
    map_layer,
    readable,
    repeatable,
)
from cnn_widgets.records import Floats, ImageSample, Pixels

#: Crops are this share of a photograph's shorter side; the photograph itself is not among them.
_CROP = 0.5
#: At most so many crops of all photographs are described, and so many photographs masked.
MOST_CROPS, MOST_MASKED = 2000, 24


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a class's photographs.

    Attributes
    ----------
    importance : float
        Its total Sobol index, averaged over photographs: the share of the score's variation under
        masking in which it has a part, from 0; NaN if the score does not vary.
    effect : float
        How much the class's score falls when the part is masked, averaged over photographs:
        negative for a part that speaks against the class.
    vector : ndarray, shape (K,)
        Its activations, at least 0, of length 1.
    crops : tuple of (str, Box, ndarray)
        The crops that show it best, best first: the photograph's name, the place in its pixels,
        and these pixels, uint8 (H, W, 3); each of another photograph as far as there are.
    """

    importance: float
    effect: float
    vector: Doubles = field(repr=False)
    crops: tuple[tuple[str, Box, Pixels], ...] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts found, the most important first.

    Attributes
    ----------
    net : Network
    layer : str
    class_index : int
    parts : tuple of Part
    explained : float
        The share of the crops' activations (of their sum of squares) that the parts make up.
    photographs : int
        How many photographs were read.
    errors : dict of str to str
        Why a photograph could not be read, by its name; it was left out.
    """

    net: Network = field(repr=False)
    layer: str
    class_index: int
    parts: tuple[Part, ...]
    explained: float
    photographs: int
    errors: dict[str, str] = field(repr=False)

    def maps(self, sample: ImageSample) -> Floats:
        """Return how much of each part lies where on a photograph, (parts, H, W), from 0.

        The values are in units of the layer's activations, comparable between parts.
        """
        a = self.net.activations(sample, self.layer).astype(np.float64)
        vectors = np.stack([each.vector for each in self.parts])
        u = coefficients(a.reshape(-1, a.shape[-1]), vectors).reshape(*a.shape[:2], -1)
        where = self.net.field(self.layer)
        return np.stack(
            [lay_on_photo(u[..., k], where, sample, self.net.fit) for k in range(len(vectors))]
        )


def parts(
    net: Network,
    images: Any,
    class_index: int | str,
    layer: str | None = None,
    *,
    count: int = 6,
    crops: int = 12,
    samples: int = 32,
    shown: int = 6,
    seed: int = 0,
    progress: Progress | None = None,
) -> Parts:
    """Return the parts that a class's photographs are made of, by what the network sees in them.

    Parameters
    ----------
    net : Network
    images : folder, list, array, …
        Photographs of the class, at least two; they are gone through twice.
    class_index : int or str
    layer : str, optional
        A layer with a feature map whose values are never below 0 (after a ReLU); by default the
        network's default layer.
    count : int
        The number of parts, from 2.
    crops : int
        Crops of each photograph, half as large as its shorter side, at random places; fewer if
        they would be more than 2000 together.
    samples : int
        Pairs of random masks for each photograph. At most 24 photographs, evenly chosen, are
        masked.
    shown : int
        How many crops are kept of each part.
    seed : int
        Of crops, factors and masks.
    progress : callable, optional
        Called with (steps done, steps in all), of one step for each photograph read or masked;
        returning False stops.

    Raises
    ------
    ValueError
        If a number is too small, fewer than two photographs can be read, they come as a data set or
        a generator, or the layer has no map or values below 0.
    concurrent.futures.CancelledError
        If `progress` returned False.

    References
    ----------
    Fel et al. 2023, arXiv 2211.10154, sections 3.1 to 3.3.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"].pixels
    >>> found = parts(net, [cat, cat[:, ::-1]], "Egyptian cat", count=2, crops=4, samples=4)
    >>> len(found.parts), found.maps(cw.gallery()["cat"]).shape
    (2, (2, 300, 451))
    """
    checked_network(net)
    count, samples = whole("count", count, 2), whole("samples", samples, 2)
    crops, shown, seed = whole("crops", crops), whole("shown", shown), seed_of(seed)
    name, index = map_layer(net, layer), net.class_index(class_index)
    pictures = repeatable(open_images(images, channels=net.channels), "Parts are read twice")
    masked = np.unique(np.linspace(0, len(pictures) - 1, min(len(pictures), MOST_MASKED)).round())
    counted, errors = Counted(progress, len(pictures) + len(masked), "steps"), dict[str, str]()
    rng = np.random.default_rng(seed)
    each = max(1, min(crops, MOST_CROPS // max(len(pictures), 1)))
    places, rows = _described(net, pictures, name, each, rng, counted, errors)
    read = sorted({number for number, _ in places})
    if len(read) < 2:
        raise ValueError("Expected at least 2 photographs that can be read. "
                         f"Received: {len(read)}{first_error(errors)}")  # fmt: skip
    u, vectors = factorised(rows, count, seed)
    left = ((rows - u @ vectors) ** 2).sum() / max((rows**2).sum(), 1e-12)
    importance, effect = _importance(
        net, pictures, [n for n in masked.astype(int) if n in read], name, index, vectors, samples,
        rng, counted,
    )  # fmt: skip
    found = [
        Part(float(importance[k]), float(effect[k]), vectors[k], tuple(best))
        for k, best in enumerate(_best_crops(net, pictures, places, u, shown))
    ]
    found.sort(key=lambda part: -np.nan_to_num(part.importance, nan=-1))
    return Parts(net, name, index, tuple(found), float(1 - left), len(read), errors)


def _described(
    net: Network,
    pictures: ImageSet,
    layer: str,
    crops: int,
    rng: np.random.Generator,
    counted: Counted,
    errors: dict[str, str],
) -> tuple[list[tuple[int, Box]], Doubles]:
    """Return the crops' places, as (photograph, box), and their mean activations (n, K)."""
    places: list[tuple[int, Box]] = []
    rows: list[NDArray[Any]] = []
    for number, sample in readable(net, pictures, counted, errors):
        boxes = list(_boxes(sample.size, crops, rng))
        a = net.activations([_cropped(sample, box) for box in boxes], layer)
        if a.min() < 0:
            raise ValueError(
                f"Parts are found in activations that are never below 0, as after a ReLU; layer "
                f"{layer!r} puts out {a.min():.3g} for {sample.name!r}. Name another layer."
            )
        places += [(number, box) for box in boxes]
        rows += list(a.mean(axis=(1, 2)))
    return places, np.array(rows, np.float64)


def _boxes(size: tuple[int, int], crops: int, rng: np.random.Generator) -> Iterator[Box]:
    """Yield random square places of a photograph."""
    side = max(1, round(_CROP * min(size)))
    for _ in range(crops):
        top, left = (int(rng.integers(length - side + 1)) for length in size)
        yield Box(top, left, top + side, left + side)


def _cropped(sample: ImageSample, box: Box) -> ImageSample:
    rows, columns = slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
    data = None if sample.data is None else sample.data[rows, columns].copy()
    return replace(sample, pixels=sample.pixels[rows, columns].copy(), data=data)


def _importance(
    net: Network,
    pictures: ImageSet,
    numbers: list[int],
    layer: str,
    index: int,
    vectors: Doubles,
    samples: int,
    rng: np.random.Generator,
    counted: Counted,
) -> tuple[Doubles, Doubles]:
    """Return the total Sobol indices and effects of the parts, averaged over photographs."""
    count = len(vectors)
    found, effects = [], []
    for number in numbers:
        sample = net.with_inputs_of(pictures.read(number, 2 * max(net.input_size)), number)
        a = net.activations(sample, layer).astype(np.float64)
        u = coefficients(a.reshape(-1, a.shape[-1]), vectors).reshape(*a.shape[:2], count)
        x, engine = net.input_tensor([sample]), net.engine_for(sample)

        def score(masks: Doubles, a: Any = a, u: Any = u, x: Any = x, engine: Any = engine) -> Any:
            values = []
            for start in range(0, len(masks), net.batch or BATCH_SIZE):
                some = masks[start : start + (net.batch or BATCH_SIZE)]
                without = (u * (some[:, None, None] - 1)) @ vectors
                given = np.asarray(np.maximum(a + without, 0), np.float32)
                scores = engine.tail_scores(layer, np.repeat(x, len(some), 0), given)[0]
                values.append(scores[:, index].astype(np.float64))
            return np.concatenate(values)

        found.append(total_indices(score, count, rng, samples))
        one_out = score(np.concatenate([np.ones((1, count)), 1 - np.eye(count)]))
        effects.append(one_out[0] - one_out[1:])
        counted.one()
    known = np.isfinite(found).all(axis=1)
    nothing = np.full(count, np.nan)
    mean = np.array(found)[known].mean(axis=0) if known.any() else nothing
    return mean, np.mean(effects, axis=0) if effects else nothing


def _best_crops(
    net: Network, pictures: ImageSet, places: list[tuple[int, Box]], u: Doubles, shown: int
) -> Iterator[list[tuple[str, Box, Pixels]]]:
    """Yield for each part the crops that show it best, of different photographs first."""
    wanted = []
    for k in range(u.shape[1]):
        order = np.argsort(-u[:, k], kind="stable")
        first: dict[int, int] = {}
        for place in order.tolist():
            first.setdefault(places[place][0], place)
        chosen = list(first.values())
        chosen += [n for n in order.tolist() if n not in set(chosen)]
        wanted.append([n for n in chosen if u[n, k] > 0][:shown])
    used = {places[n][0] for some in wanted for n in some}
    pixels: dict[int, Pixels] = {}
    for number in sorted(used):
        sample = pictures.read(number, 2 * max(net.input_size))
        for some in wanted:
            for n in some:
                if places[n][0] == number:
                    pixels[n] = _cropped(sample, places[n][1]).pixels
    for some in wanted:
        yield [(pictures.names[places[n][0]], places[n][1], pixels[n]) for n in some]
