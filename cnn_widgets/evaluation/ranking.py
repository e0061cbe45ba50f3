"""Ranking of attribution methods on one photograph by deletion and insertion.

A random map and an edge detector are ranked with the methods as controls. A method that does no
better than they do gives no information about the network.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.methods import METHODS, chosen_methods
from cnn_widgets.attribution.probe import Progress, partial_progress
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.evaluation.faithfulness import Baseline, Curve, curves
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

RANDOM, EDGES = "random map", "edge detector"


@dataclass(frozen=True)
class RankedMap:
    """The deletion and insertion curve of one map.

    Attributes
    ----------
    title : str
        The method's title, `RANDOM` or `EDGES`.
    method : str or None
        The method's name in `METHODS`; None for the two control maps.
    deletion, insertion : Curve
    seconds : float
        The time it took to compute the map, without its curves; 0 if it was not measured.
    """

    title: str
    method: str | None
    deletion: Curve = field(repr=False)
    insertion: Curve = field(repr=False)
    seconds: float = 0.0

    @property
    def gain(self) -> float:
        """The area under insertion minus the area under deletion: larger is better."""
        return self.insertion.area - self.deletion.area


def rank(
    net: Network,
    sample: ImageSample,
    methods: Sequence[str] | None = None,
    class_index: int | str | None = None,
    layer: str | None = None,
    target: str = "logit",
    *,
    baseline: Baseline = "blur",
    steps: int = 20,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[RankedMap, ...]:
    """Return the curves of several methods' maps on one photograph, best gain first.

    Parameters
    ----------
    net, sample, class_index, layer, target
        As for `attribute`.
    methods : sequence of str, optional
        Names in `METHODS`; by default `QUICK`, the methods that take one or two passes, without
        those that need a ReLU where the network has none.
    baseline, steps
        As for `curves`.
    seed : int
        Seed of the random map.
    progress : callable, optional
        As for `attribute`.

    Returns
    -------
    tuple of RankedMap
        One per method, and one for each of the two control maps.

    Raises
    ------
    ValueError
        For the same reasons as `attribute` and `curves`.

    Examples
    --------
    >>> net, cup = cw.load_network(), cw.gallery()["espresso"]
    >>> table = rank(net, cup, ["grad-cam"], steps=8)
    >>> sorted(each.title for each in table)
    ['Grad-CAM', 'edge detector', 'random map']
    """
    chosen = chosen_methods(net, methods)
    count = 2 * len(chosen) + 2  # per method a map and its curves; two control maps
    found = []
    for number, method in enumerate(chosen):
        began = time.perf_counter()
        shown = attribute(
            net, sample, method.name, class_index, layer if method.at == "layer" else None, target,
            progress=partial_progress(progress, 2 * number, count),
        )  # fmt: skip
        spent = time.perf_counter() - began
        pair = curves(net, sample, shown, baseline=baseline, steps=steps,
                      progress=partial_progress(progress, 2 * number + 1, count))  # fmt: skip
        found.append(RankedMap(method.title, method.name, *pair, seconds=spent))
    index = _class(net, sample, class_index)
    for number, (title, values) in enumerate(control_maps(sample, seed).items(), count - 2):
        pair = curves(net, sample, values, index, baseline=baseline, steps=steps,
                      progress=partial_progress(progress, number, count))  # fmt: skip
        found.append(RankedMap(title, None, *pair))
    return tuple(sorted(found, key=lambda each: -each.gain))


def beside_chance(
    net: Network,
    found: Attribution,
    *,
    baseline: Baseline = "blur",
    steps: int = 50,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[RankedMap, ...]:
    """Return the curves of one map, then of the random map and of the edge detector.

    The parameters are those of `rank`; class and photograph are the map's own.
    """
    checked_network(net)
    maps: dict[str, Attribution | Floats] = {METHODS[found.method].title: found}
    maps |= control_maps(found.sample, seed)
    ranked = []
    for number, (title, values) in enumerate(maps.items()):
        pair = curves(net, found.sample, values, found.class_index, baseline=baseline, steps=steps,
                      progress=partial_progress(progress, number, len(maps)))  # fmt: skip
        ranked.append(RankedMap(title, None if number else found.method, *pair))
    return tuple(ranked)


def control_maps(sample: ImageSample, seed: int = 0) -> dict[str, Floats]:
    """Return two maps (H, W) that do not depend on the network: random values and edges.

    The random map has one value per cell of a 7×7 grid, resized bilinearly. Independent pixels
    would instead measure how the network reacts to pixel noise. The edge map is the magnitude of
    the Sobel gradient of the grey-scale photograph.
    """
    rows, columns = sample.size
    noise = np.random.default_rng(seed).random((7, 7)).astype(np.float32)
    smooth = cv2.resize(noise, (columns, rows), interpolation=cv2.INTER_LINEAR)
    grey = cv2.cvtColor(sample.pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    edges = np.hypot(across, down)
    return {RANDOM: np.asarray(smooth, np.float32), EDGES: np.asarray(edges, np.float32)}


def _class(net: Network, sample: ImageSample, wanted: int | str | None) -> int:
    """Return the index of class `wanted`, or (None) of the most likely class."""
    scores, _ = net.scores(sample)
    return int(scores.argmax()) if wanted is None else net.class_index(wanted)
