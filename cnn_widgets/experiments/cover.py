"""A photograph cut into cells that can be taken away from a network's input one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.experiments.patches import Mask, filled_input, on_photo, visible_pixels
from cnn_widgets.experiments.tail import Step, batches
from cnn_widgets.images.resizing import visible_window
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample


@dataclass(frozen=True, eq=False)
class Cover:
    """The cells of a photograph, and the network's input without some of them.

    Attributes
    ----------
    labels : ndarray of int, shape (H, W)
        The number of the cell that each pixel of the input belongs to; -1 of padding.
    numbers : tuple of int
        The numbers of the cells that the network is given.
    filled : ndarray, shape (H, W, C)
        The input from which the pixels of removed cells are taken.
    scores, probabilities : ndarray, shape (C,)
        The answer to the photograph as it is.
    """

    network: Network
    sample: ImageSample
    labels: NDArray[np.intp] = field(repr=False)
    numbers: tuple[int, ...]
    filled: Floats = field(repr=False)
    scores: Floats = field(repr=False)
    probabilities: Floats = field(repr=False)

    def mask(self, cells: Sequence[int]) -> Mask:
        """Return the pixels of the input, bool (H, W), that belong to some cells."""
        return np.isin(self.labels, list(cells))

    def without(
        self, sets: Sequence[Sequence[int]], step: Step | None = None
    ) -> tuple[Floats, Floats]:
        """Return scores and probabilities (N, C) with each of N sets of cells taken away."""
        engine, x = self.network.engine_for(self.sample), self.network.input_tensor(self.sample)
        found = []
        for rows in batches(self.network, len(sets)):
            gone = np.stack([self.mask(sets[n]) for n in rows])[..., None]
            seen = engine.observe(np.where(gone, self.filled, x), ())
            found.append((seen.scores, seen.probabilities))
            if step is not None:
                step(rows.stop)
        scores, probabilities = zip(*found, strict=True)
        return np.concatenate(scores), np.concatenate(probabilities)

    def next_to(self, cells: Sequence[int]) -> list[int]:
        """Return the cells that touch some cells along an edge, and are none of them."""
        inside = self.mask(cells)
        near = np.zeros_like(inside)
        near[1:] |= inside[:-1]
        near[:-1] |= inside[1:]
        near[:, 1:] |= inside[:, :-1]
        near[:, :-1] |= inside[:, 1:]
        return [int(k) for k in np.unique(self.labels[near & ~inside]) if k >= 0]

    def connected(self, cells: Sequence[int]) -> bool:
        """Return whether some cells are one piece, joined along edges."""
        reached, new = set(cells[:1]), set(cells[:1])
        while new:
            new = set(self.next_to(sorted(reached))) & set(cells) - reached
            reached |= new
        return reached == set(cells)

    def share(self, cells: Sequence[int]) -> float:
        """Return the share of the visible pixels that belong to some cells, in [0, 1]."""
        return float(self.mask(cells).sum() / (self.labels >= 0).sum())

    def on_photo(self, cells: Sequence[int]) -> Mask:
        """Return the pixels of the photograph, bool (H, W), that belong to some cells."""
        return np.asarray(on_photo(self.mask(cells), self.network, self.sample, False), bool)


def cover(
    net: Network,
    sample: ImageSample,
    cells: tuple[int, int] | NDArray[np.integer],
    fill: str | ImageSample,
) -> Cover:
    """Return a photograph cut into cells.

    Parameters
    ----------
    cells : (rows, columns) or ndarray of int, shape (H, W)
        A grid over what the network is given of the photograph; or for each pixel of the
        photograph the number of its part, from 0 (superpixels of any kind).
    fill : {"mean", "blur", "noise"} or ImageSample
        What takes the place of removed pixels, see `filled_input`.

    Raises
    ------
    ValueError
        If the cells are neither, or more than the input has pixels.
    """
    labels = _grid(net, sample, cells) if not isinstance(cells, np.ndarray) else None
    if labels is None:
        labels = _labelled(net, sample, np.asarray(cells))
    numbers = np.unique(labels[labels >= 0])
    if len(numbers) < 2:
        raise ValueError("Expected at least two cells of the photograph that the network is given.")
    filled = filled_input(net, sample, fill)
    return Cover(net, sample, labels, tuple(int(k) for k in numbers), filled, *net.scores(sample))


def _grid(net: Network, sample: ImageSample, cells: tuple[int, int]) -> NDArray[np.intp]:
    """Return the labels (H, W) of a grid of (rows, columns) over what shows the photograph."""
    top, left, bottom, right = visible_pixels(net, sample)
    try:
        rows, columns = (int(each) for each in cells)
    except (TypeError, ValueError):
        raise ValueError(f"Expected cells as (rows, columns). Received: {cells!r}") from None
    if not (1 <= rows <= bottom - top and 1 <= columns <= right - left):
        raise ValueError(
            f"Expected 1 to {bottom - top} rows and 1 to {right - left} columns of cells. "
            f"Received: {cells!r}"
        )
    down = np.arange(bottom - top) * rows // (bottom - top)
    across = np.arange(right - left) * columns // (right - left)
    labels = np.full(net.input_size, -1, np.intp)
    labels[top:bottom, left:right] = down[:, None] * columns + across
    return labels


def _labelled(net: Network, sample: ImageSample, cells: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return labels over the photograph as labels (H, W) of the input's pixels, the nearest."""
    if cells.dtype.kind not in "iu" or cells.shape != sample.size or cells.min() < 0:
        raise ValueError(
            f"Expected cells as whole numbers from 0, one per pixel {sample.size}. "
            f"Received: {cells.dtype} {cells.shape}"
        )
    size, (rows, columns) = net.input_size, sample.size
    top, left, height, width = visible_window(sample.size, size, sample.fit or net.fit)
    down = np.floor(top + (np.arange(size[0]) + 0.5) * height / size[0]).astype(int)
    across = np.floor(left + (np.arange(size[1]) + 0.5) * width / size[1]).astype(int)
    inside = ((down >= 0) & (down < rows))[:, None] & ((across >= 0) & (across < columns))
    found = cells[np.ix_(down.clip(0, rows - 1), across.clip(0, columns - 1))]
    return np.where(inside, found.astype(np.intp), -1)
