"""The places of real photographs that excite a filter most."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cnn_widgets.analysis.fields import Box
from cnn_widgets.arguments import whole
from cnn_widgets.datasets import open_images
from cnn_widgets.excitation.making import wanted_filters
from cnn_widgets.networks.network import Network
from cnn_widgets.reading import Counted, Progress, ending, number_of, readable
from cnn_widgets.records import ImageSample, Pixels


@dataclass(frozen=True, eq=False)
class Patch:
    """The place of one photograph that excites a filter most.

    Attributes
    ----------
    name : str
        The photograph.
    value : float
        The filter's output there, the largest on that photograph.
    mean : float
        The mean of the filter's output over all positions of the photograph.
    row, column : int
        The cell of the layer's map.
    box : Box
        What the cell sees, in pixels of the photograph as it was read.
    pixels : ndarray of uint8, shape (H, W, 3)
        The photograph inside the box.
    """

    name: str
    value: float
    mean: float
    row: int
    column: int
    box: Box
    pixels: Pixels = field(repr=False)


@dataclass(frozen=True)
class Patches:
    """The patches found, most exciting first, and what could not be read.

    Attributes
    ----------
    found : tuple of Patch
    best_mean : float
        The largest mean over positions of any photograph; NaN if none could be read.
    seen : int
        How many photographs were looked at.
    errors : dict of str to str
        Why a photograph could not be read, by its name.
    """

    found: tuple[Patch, ...]
    best_mean: float
    seen: int
    errors: dict[str, str]


def exciting_patches(
    net: Network,
    images: Any,
    layer: str,
    filter: int,
    *,
    count: int = 9,
    progress: Progress | None = None,
) -> Patches:
    """Return the places of photographs that excite a filter most, one for each photograph.

    Parameters
    ----------
    net : Network
    images : folder, list, array, data set, …
        Whatever `open_images` takes. Only the `count` best patches are kept in memory.
    layer : str
        A layer with a feature map.
    filter : int
        From 0.
    count : int
        The number of patches, at least 1.
    progress : callable, optional
        Called with (photographs done, photographs in all; 0 if not known); returning False stops.

    Raises
    ------
    ValueError
        If the layer has no map, there is no such filter, or `count` is below 1.
    TypeError
        If `filter` or `count` is no whole number.
    concurrent.futures.CancelledError
        If `progress` returned False.

    Examples
    --------
    >>> best = exciting_patches(cw.load_network(), cw.gallery().values(), "stem", 3, count=2)
    >>> [each.name for each in best.found], best.found[0].pixels.shape
    (['officer', 'astronaut'], (9, 8, 3))
    """
    count = whole("count", count)
    (k,) = wanted_filters(net, layer, whole("filter", filter, None))
    net.field(layer)  # refuses what has no map
    call = "exciting_patches(net, data.take(1000), …)"
    pictures = ending(open_images(images, channels=net.channels), call)
    counted = Counted(progress, number_of([pictures]))
    best: list[tuple[float, int, Patch]] = []
    errors: dict[str, str] = {}
    means = []
    for number, sample in readable(net, pictures, counted, errors):
        found = _best_of(net, sample, layer, k)
        means.append(found.mean)
        heapq.heappush(best, (found.value, -number, found))
        if len(best) > count:
            heapq.heappop(best)
    ordered = tuple(each for *_, each in sorted(best, key=lambda entry: entry[:2], reverse=True))
    return Patches(ordered, max(means, default=float("nan")), len(means), errors)


def _best_of(net: Network, sample: ImageSample, layer: str, k: int) -> Patch:
    values = net.activations(sample, layer)[..., k]
    row, column = (int(n) for n in np.unravel_index(int(values.argmax()), values.shape))
    box = net.receptive_field(layer, row, column, sample)
    value, mean = float(values[row, column]), float(values.mean())
    return Patch(sample.name, value, mean, row, column, box, box.cut(sample.pixels))
