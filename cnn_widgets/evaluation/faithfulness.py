"""Deletion and insertion curves (Petsiuk et al. 2018, arXiv 1806.07421) of a map.

Pixels are removed from the photograph, or restored to it, in the order of the map's values, and the
class's probability is plotted against the share of pixels changed. A faithful map makes the
deletion curve fall early (small area) and the insertion curve rise early (large area).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.attribution.probe import Progress, partial_progress
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.drawing.color import resize
from cnn_widgets.engine.batches import BATCH_SIZE
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.images.bands import with_pixels
from cnn_widgets.images.resizing import visible_window
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

Baseline = Literal["blur", "mean"]
BASELINES = get_args(Baseline)


@dataclass(frozen=True)
class Curve:
    """One deletion or insertion curve.

    Attributes
    ----------
    kind : {"deletion", "insertion"}
    shares : ndarray of float32, shape (steps + 1,)
        Share of pixels changed, 0 to 1.
    probabilities : ndarray of float32, shape (steps + 1,)
        The class's probability at each share (its score, for a network without probabilities).
    """

    kind: Literal["deletion", "insertion"]
    shares: Floats = field(repr=False)
    probabilities: Floats = field(repr=False)

    @property
    def area(self) -> float:
        """The area under the curve, by the trapezoid rule."""
        return float(np.trapezoid(self.probabilities, self.shares))


def curves(
    net: Network,
    sample: ImageSample,
    found: Attribution | Floats,
    class_index: int | str | None = None,
    *,
    baseline: Baseline = "blur",
    steps: int = 50,
    progress: Progress | None = None,
) -> tuple[Curve, Curve]:
    """Return the deletion and the insertion curve of a map.

    Parameters
    ----------
    net : Network
    sample : ImageSample
    found : Attribution or ndarray, shape (h, w)
        The map to evaluate: an attribution of this sample, or any array that covers the
        photograph, such as a random map for comparison.
    class_index : int or str, optional
        The class; by default that of the attribution. Required for an array.
    baseline : {"blur", "mean"}
        What replaces a removed pixel: the blurred photograph, or the photograph's mean colour.
    steps : int
        Number of steps; a curve has one point more.
    progress : callable, optional
        As for `attribute`.

    Raises
    ------
    ValueError
        If the baseline is unknown, or an array is given without a class.

    References
    ----------
    Petsiuk et al. 2018, arXiv 1806.07421, section 4.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> deletion, insertion = curves(net, cat, cw.attribute(net, cat), steps=4)
    >>> bool(deletion.probabilities[0] > deletion.probabilities[-1])
    True
    """
    checked_network(net)
    if baseline not in BASELINES:
        raise ValueError(f"Expected baseline to be 'blur' or 'mean'. Received: {baseline!r}")
    if isinstance(found, Attribution):
        values = found.heatmap
        index = found.class_index if class_index is None else net.class_index(class_index)
    elif class_index is None:
        raise ValueError("A bare map needs a class: class_index=…")
    else:
        values, index = np.asarray(found, np.float32), net.class_index(class_index)
    whole, engine = net.input_tensor(sample), net.engine_for(sample)
    removed = baseline_input(net, sample, baseline)
    ranks = _ranks(_resized_to_input(net, sample, values))
    shares = np.linspace(0, 1, steps + 1).astype(np.float32)
    deletion, insertion = (
        _probabilities(
            engine,
            net.batch or BATCH_SIZE,
            before,
            after,
            ranks,
            shares,
            index,
            partial_progress(progress, number, 2),
        )
        for number, (before, after) in enumerate(((whole, removed), (removed, whole)))
    )
    return Curve("deletion", shares, deletion), Curve("insertion", shares, insertion)


def _resized_to_input(net: Network, sample: ImageSample, values: Floats) -> Floats:
    """Return a map over the photograph as a map over the network's input; 0 on padding."""
    if values.shape != sample.size:
        values = resize(values, sample.size)
    top, left, height, width = visible_window(sample.size, net.input_size, sample.fit or net.fit)
    view = np.zeros((height, width), np.float32)
    rows = slice(max(top, 0), min(top + height, sample.size[0]))
    columns = slice(max(left, 0), min(left + width, sample.size[1]))
    view[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = values[
        rows, columns
    ]
    return resize(view, net.input_size)


def _ranks(values: Floats) -> Floats:
    """Return each pixel's rank by descending value, divided by the number of pixels: [0, 1)."""
    flat = values.ravel()
    order = np.argsort(-flat, kind="stable")
    ranks = np.empty(flat.size, np.float32)
    ranks[order] = np.arange(flat.size, dtype=np.float32) / flat.size
    return ranks.reshape(values.shape)


def baseline_input(net: Network, sample: ImageSample, baseline: Baseline) -> Floats:
    """Return the network input (H, W, C) with every pixel replaced by the baseline."""
    if baseline == "mean":
        return net.input_tensor(with_pixels(sample, _mean_colour))
    sigma = max(sample.size) / 20
    blurred = with_pixels(sample, lambda pixels: cv2.GaussianBlur(pixels, (0, 0), sigma))
    found: Floats = net.input_tensor(blurred)
    return found


def _mean_colour(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return pixels (H, W, C) of the mean colour everywhere."""
    return np.broadcast_to(pixels.mean(axis=(0, 1)), pixels.shape)


def _probabilities(
    engine: Engine,
    size: int,
    before: Floats,
    after: Floats,
    ranks: Floats,
    shares: Floats,
    index: int,
    progress: Progress,
) -> Floats:
    """Return the class's probability with each of `shares` of the pixels taken from `after`."""
    found: list[Floats] = []
    for start in range(0, len(shares), size):
        progress(start, len(shares))
        some = shares[start : start + size, None, None]
        changed = (ranks[None] < some)[..., None]
        seen = engine.observe(np.where(changed, after[None], before[None]), ())
        usable = np.isfinite(seen.probabilities).all()
        found.append((seen.probabilities if usable else seen.scores)[:, index])
    return np.concatenate(found)
