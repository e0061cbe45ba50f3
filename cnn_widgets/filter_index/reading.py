"""Reads photographs: all in batches of model input, or one again to cut a patch out of it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from cnn_widgets.datasets import ImageSet, Label
from cnn_widgets.engine.batches import BATCH_SIZE
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.images.loading import load_image
from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample, Pixels


@dataclass
class Batch:
    """Some photographs one after the other, n of which could be read.

    Attributes
    ----------
    names : list of str
        All of them.
    errors : dict of str to str
        Why one could not be read, by name.
    numbers, labels, keys : list
        The numbers in the set, labels and `ImageSample.key` of those that could.
    x : ndarray, shape (n, H, W, C)
        Their model input.
    engine : Engine
        The network's engine with what they give to its other inputs.
    """

    engine: Engine
    names: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    x: Floats = field(default_factory=lambda: np.zeros(0, np.float32))


def batches(net: Network, images: ImageSet, fit: str | None) -> Iterator[Batch]:
    """Yield the photographs of a set in batches; a thread reads the next one meanwhile."""
    walk = enumerate(images.walk(2 * max(net.input_size)))
    # Where a layer mixes the photographs of a batch, each is asked about by itself
    size = net.batch or (1 if net.engine.graph.mixing is not None else BATCH_SIZE)

    def read() -> Batch | None:
        some = list(islice(walk, size))
        return _batch(net, some, fit, images.start) if some else None

    with ThreadPoolExecutor(1, "cnn-widgets-read") as pool:
        coming = pool.submit(read)
        while (found := coming.result()) is not None:
            coming = pool.submit(read)
            yield found


def _batch(net: Network, some: list[tuple[int, Any]], fit: str | None, start: int) -> Batch:
    found = Batch(net.engine)
    prepared, samples = list[Floats](), list[ImageSample]()
    for number, (name, label, read) in some:
        found.names.append(name)
        try:
            sample = net.with_inputs_of(load_image(read(), fit=fit), number + start)
            net.model_input.beside([sample])  # what goes into other inputs is there
            given = resize_to_input(sample, net.input_size, net.channels, net.fit)
            given = net.model_input.prepared(given, sample.name)
        except (ValueError, TypeError, OSError) as error:  # all that `load_image` documents
            found.errors[name] = str(error) or type(error).__name__
            continue
        prepared.append(given)
        found.numbers.append(number)
        found.labels.append(label)
        found.keys.append(sample.key)
        if net.model_input.others:  # otherwise the photograph can go
            samples.append(sample)
    if prepared:
        found.x = np.stack(prepared)
        found.engine = net.engine.beside(net.model_input.beside(samples)) if samples else net.engine
    return found


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
    return net.receptive_field(layer, *cell, sample).cut(sample.pixels)
