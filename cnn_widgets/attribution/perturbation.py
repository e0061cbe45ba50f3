"""Attribution methods that perturb the input or a layer and measure the change of the score.

They use no gradients and take many passes, which run in batches. Each batch is reported, so that a
caller can show progress and cancel. Y is the score explained, x (H, W, C) the preprocessed input,
A (h, w, K) the activations of a layer.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from cnn_widgets.attribution.cam import weighted
from cnn_widgets.attribution.probe import Probe
from cnn_widgets.drawing.color import resize
from cnn_widgets.drawing.mosaics import scale_filters
from cnn_widgets.records import Floats


def score_cam(probe: Probe, relu: bool = True) -> Floats:
    """Return ReLU(Σ_k α_k A_k), the Score-CAM map (h, w).

    Filter k is scaled to [0, 1], laid over the input where its cells lie, and multiplied with it.
    The rise of filter k is Y of the masked input minus Y of an all-zero input, and α is the softmax
    of the rises over the filters. A filter that is constant over all positions becomes a mask of
    zeros.

    References
    ----------
    Wang et al. 2020, arXiv 1910.01279, algorithm 1.
    """
    activations, count = probe.activations, probe.activations.shape[-1]
    masks = scale_filters(activations)
    rises, buffer = np.empty(count, np.float64), _MaskBuffer(probe.x)
    for batch in probe.batches(count):
        masked = buffer.masked(probe.over_input(masks[..., k]) for k in batch)
        rises[batch.start : batch.stop] = probe.score(masked)
        probe.step(batch.stop, count)
    rises -= probe.score(np.zeros_like(probe.x)[None])[0]
    weights = np.exp(rises - rises.max())
    return weighted(activations, weights / weights.sum(), relu)


def ablation_cam(probe: Probe, relu: bool = True) -> Floats:
    """Return ReLU(Σ_k w_k A_k), w_k = (Y - Y without filter k) / |Y|, the Ablation-CAM map (h, w).

    Each filter is set to 0 in the layer's output, and only the layers after it are run again.
    Deviation: the paper divides by Y. Division by |Y| keeps the weight of a filter positive if it
    raises a negative Y. At Y = 0 nothing is divided.

    References
    ----------
    Ramaswamy & Desai 2020, WACV, equations 2 and 3.
    """
    activations, count = probe.activations, probe.activations.shape[-1]
    whole = float(probe.tail(activations[None])[0])
    without = np.empty(count, np.float64)
    for batch in probe.batches(count):
        ablated = np.repeat(activations[None], len(batch), axis=0)
        for row, k in enumerate(batch):
            ablated[row, ..., k] = 0.0
        without[batch.start : batch.stop] = probe.tail(ablated)
        probe.step(batch.stop, count)
    return weighted(activations, (whole - without) / (abs(whole) or 1.0), relu)


def occlusion(probe: Probe, patch: float = 0.2, stride: float = 0.07) -> Floats:
    """Return the drop of Y when a grey patch covers a pixel, a signed map (H, W).

    Each pixel's value is the mean drop over all patches that cover it. The patch is mid-grey in
    the photograph and preprocessed like the input.

    Parameters
    ----------
    patch, stride : float
        Side of the patch and step between patches, as shares of the input's height and width.

    References
    ----------
    Zeiler & Fergus 2013, arXiv 1311.2901, section 4.2.
    """
    rows, columns = probe.x.shape[:2]
    side = [max(1, round(patch * n)) for n in (rows, columns)]
    places = [
        (top, left)
        for top in _starts(rows, side[0], max(1, round(stride * rows)))
        for left in _starts(columns, side[1], max(1, round(stride * columns)))
    ]
    whole = float(probe.score(probe.x[None])[0])
    drops, covers = np.zeros((rows, columns)), np.zeros((rows, columns))
    for batch in probe.batches(len(places)):
        covered = np.repeat(probe.x[None], len(batch), axis=0)
        windows = [_window(places[i], side) for i in batch]
        for picture, place in zip(covered, windows, strict=True):
            picture[place] = probe.grey[place]
        for score, place in zip(probe.score(covered), windows, strict=True):
            drops[place] += whole - float(score)
            covers[place] += 1
        probe.step(batch.stop, len(places))
    return np.asarray(drops / covers, np.float32)


def rise(
    probe: Probe, masks: int = 1000, cells: int = 7, keep: float = 0.5, seed: int = 0
) -> Floats:
    """Return E[Y | pixel shown] - E[Y] over random masks, the RISE map (H, W), signed.

    A mask is a random grid of cells, resized bilinearly, shifted, and multiplied with the input.
    Deviation: the paper's map is the first term only. The constant E[Y] is subtracted here, so
    that a pixel with no influence has the value 0.

    Parameters
    ----------
    masks : int
        Number of random masks.
    cells : int
        Grid cells per side of a mask.
    keep : float
        Probability that a cell is shown.
    seed : int
        Seed of the masks.

    References
    ----------
    Petsiuk et al. 2018, arXiv 1806.07421, equation 6 and section 3.2.
    """
    rng = np.random.default_rng(seed)
    rows, columns = probe.x.shape[:2]
    shown, weighted = np.zeros((rows, columns)), np.zeros((rows, columns))
    total, buffer = 0.0, _MaskBuffer(probe.x)
    for batch in probe.batches(masks):
        drawn = [_mask(rng, rows, columns, cells, keep) for _ in batch]
        scores = probe.score(buffer.masked(drawn)).astype(np.float64)
        for score, mask in zip(scores, drawn, strict=True):
            weighted += score * mask
            shown += mask
        total += scores.sum()
        probe.step(batch.stop, masks)
    return np.asarray(weighted / np.maximum(shown, 1e-9) - total / masks, np.float32)


class _MaskBuffer:
    """A buffer for one batch of masked inputs, reused for every batch.

    Allocating new memory for every batch would take as long as the multiplication.
    """

    def __init__(self, x: Floats) -> None:
        self._x = x
        self._batch = np.empty((0, *x.shape), np.float32)

    def masked(self, masks: Iterable[Floats]) -> Floats:
        """Return the input times each mask (H, W), as (N, H, W, C); overwrites the last result."""
        drawn = list(masks)
        if len(drawn) > len(self._batch):
            self._batch = np.empty((len(drawn), *self._x.shape), np.float32)
        for place, mask in zip(self._batch, drawn, strict=False):
            np.multiply(self._x, mask[..., None], out=place)
        return self._batch[: len(drawn)]


def _mask(rng: np.random.Generator, rows: int, columns: int, cells: int, keep: float) -> Floats:
    """Return one smooth random mask (rows, columns), cut at a random offset from a larger grid."""
    height, width = -(-rows // cells), -(-columns // cells)
    grid = (rng.random((cells + 1, cells + 1)) < keep).astype(np.float32)
    large = resize(grid, ((cells + 1) * height, (cells + 1) * width))
    top, left = rng.integers(0, height), rng.integers(0, width)
    return large[top : top + rows, left : left + columns]


def _starts(length: int, side: int, step: int) -> list[int]:
    """Return the first pixel of each patch along a side; the last patch ends at the edge."""
    return sorted({*range(0, length - side, step), length - side})


def _window(place: tuple[int, int], side: list[int]) -> tuple[slice, slice]:
    """Return the rows and columns that a patch at `place` (top, left) covers."""
    return slice(place[0], place[0] + side[0]), slice(place[1], place[1] + side[1])
