"""Cuts the part of a photograph that one cell of a layer sees out of the photograph."""

from __future__ import annotations

from math import ceil, floor

from cnn_widgets.datasets import ImageSet
from cnn_widgets.images.loading import load_image
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample, Pixels


def read_again(
    images: ImageSet, number: int, name: str, fit: str | None, at_least: int | None = None
) -> ImageSample:
    """Return a photograph of the set that an index is of.

    Raises
    ------
    ValueError
        If the photographs come as a stream, the set is another one, or it cannot be read.
    OSError
        If its file is gone.
    """
    if not images.repeatable:
        raise ValueError(
            "The photographs of a data set or a generator cannot be read again, so there are no "
            "patches to cut out. Index a folder, a zip, a CSV, a list or an array."
        )
    if number >= len(images) or images.names[number] != name:
        there = images.names[number] if number < len(images) else "missing"
        raise ValueError(
            f"These are other photographs than those of the index: number {number} was {name!r}, "
            f"here it is {there!r}."
        )
    return load_image(images.read(number, at_least), fit=fit)


def cut_patch(net: Network, sample: ImageSample, layer: str, cell: tuple[int, int]) -> Pixels:
    """Return the pixels that one cell of a layer sees, (h, w, 3), at least one.

    Pixels that it sees in part are included.
    """
    box = net.receptive_field(layer, *cell, sample)
    (height, width) = sample.size
    top, left = min(floor(box.top), height - 1), min(floor(box.left), width - 1)
    bottom, right = max(ceil(box.bottom), top + 1), max(ceil(box.right), left + 1)
    return sample.pixels[top:bottom, left:right].copy()
