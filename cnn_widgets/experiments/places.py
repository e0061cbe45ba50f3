"""The places of a photograph that a map names: where it is hottest, and where it is coldest."""

from __future__ import annotations

from typing import Any

import numpy as np

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.regions import Region, hottest_region
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.experiments.patches import Patch, patch_of
from cnn_widgets.images.resizing import visible_window
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

#: The places that a map names; given in place of a region.
PLACES = ("hottest", "coldest", "all but the hottest")


def place_of(
    net: Network,
    sample: ImageSample,
    region: Region | str,
    evidence: Attribution | None,
    level: float,
    index: int,
) -> Patch:
    """Return a region, or the place that a map names, as pixels of the network's input."""
    if not isinstance(region, str):
        return patch_of(net, sample, region)
    if region not in PLACES:
        raise ValueError(f"Expected a region or one of {PLACES}. Received: {region!r}")
    found = attribute(net, sample, class_index=index) if evidence is None else evidence
    if found.heatmap.shape != sample.size:
        raise ValueError(
            f"The map given covers {found.heatmap.shape} pixels, the photograph has {sample.size}."
        )
    box = hottest_region(found.heatmap, level)
    if box is None:
        raise ValueError("The map holds no evidence for the class: it has no hottest place.")
    if region == "coldest":
        fit = sample.fit or net.fit
        top, left, height, width = visible_window(sample.size, net.input_size, fit)
        top, left, height, width = (
            max(top, 0),
            max(left, 0),
            height + min(top, 0),
            width + min(left, 0),
        )
        coldest = _coldest(found.heatmap[top : top + height, left : left + width], box)
        box = coldest[0] + left, coldest[1] + top, coldest[2] + left, coldest[3] + top
    return patch_of(net, sample, box, inverted=region == "all but the hottest")


def _coldest(heatmap: Floats, box: tuple[float, float, float, float]) -> Any:
    """Return the first box of the same size where a map (H, W) has the smallest mean."""
    tall, wide = int(box[3] - box[1]), int(box[2] - box[0])
    summed = np.zeros((heatmap.shape[0] + 1, heatmap.shape[1] + 1))
    summed[1:, 1:] = heatmap.astype(np.float64).cumsum(0).cumsum(1)
    sums = (
        summed[tall:, wide:]
        - summed[:-tall, wide:]
        - summed[tall:, :-wide]
        + summed[:-tall, :-wide]
    )
    row, column = np.unravel_index(int(sums.argmin()), sums.shape)
    return float(column), float(row), float(column + wide), float(row + tall)
