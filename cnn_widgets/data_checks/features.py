"""What a layer of a network makes of each of many photographs, in a few numbers: one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from cnn_widgets.datasets import ImageSet, Label
from cnn_widgets.images.loading import load_image
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample
from cnn_widgets.telling import stopped

#: Beyond so many bytes, features are kept as `DIMENSIONS` numbers each.
KEPT_BYTES, DIMENSIONS = 64 * 2**20, 128
_AT_ONCE = 16  # photographs in memory


class Points:
    """Points that come one after the other, in bounded memory.

    Beyond `KEPT_BYTES` all are projected at random onto `DIMENSIONS` axes, which changes distances
    by some 6 % (Johnson, Lindenstrauss 1984).
    """

    def __init__(self) -> None:
        self._rows: list[Floats] = []
        self._axes: Floats | None = None

    @property
    def projected(self) -> bool:
        """Whether the points are kept as projections."""
        return self._axes is not None

    def add(self, point: Floats) -> None:
        """Keep a point (K,)."""
        too_many = (len(self._rows) + 1) * point.nbytes > KEPT_BYTES
        if self._axes is None and too_many and len(point) > DIMENSIONS:
            rng = np.random.default_rng(0)
            axes = rng.standard_normal((len(point), DIMENSIONS)) / np.sqrt(DIMENSIONS)
            self._axes = np.asarray(axes, np.float32)
            self._rows = [each @ self._axes for each in self._rows]
        self._rows.append(point if self._axes is None else point @ self._axes)

    def array(self) -> Floats:
        """Return the points, (N, K)."""
        return np.array(self._rows, np.float32)


@dataclass(frozen=True)
class Seen:
    """What is kept while photographs are gone through."""

    points: Points
    numbers: list[int]  #: Of each point, the number of its photograph.
    names: list[str]
    labels: list[Label]
    errors: dict[str, str]


def go_through(
    net: Network,
    images: ImageSet,
    layer: str,
    fit: str | None,
    progress: Callable[[int, int], Any] | None,
) -> Seen:
    """Go through the photographs once, and return what the layer makes of each."""
    seen = Seen(Points(), [], [], [], {})
    total, told = len(images) if images.repeatable else 0, -1
    samples = _readable(net, images, fit, seen)
    while told < len(seen.names):
        told = len(seen.names)
        some = list(islice(samples, _AT_ONCE))
        values = net.activations([sample for _, sample in some], layer) if some else ()
        for (number, _), value in zip(some, values, strict=True):
            point = _feature(value)
            if np.isfinite(point).all():
                seen.points.add(point)
                seen.numbers.append(number)
            else:
                seen.errors[seen.names[number]] = f"Layer {layer!r} gives NaN or infinite values."
        done = len(seen.names)
        if told < done and stopped(progress, done, total):
            raise CancelledError(f"Stopped after {done}{f' of {total}' if total else ''}.")
    return seen


def _readable(
    net: Network, images: ImageSet, fit: str | None, seen: Seen
) -> Iterator[tuple[int, ImageSample]]:
    """Yield each photograph that can be read, with its number; note every one in `seen`."""
    for number, (name, label, read) in enumerate(images.walk(2 * max(net.input_size))):
        seen.names.append(name)
        seen.labels.append(label)
        try:
            sample = load_image(read(), fit=fit)
            yield number, net.admitted(sample, number + images.start)
        except (ValueError, TypeError, OSError) as error:  # all that `load_image` documents
            seen.errors[name] = str(error) or type(error).__name__


def _feature(activations: Floats) -> Floats:
    """Return the signed square root of each filter's mean, (K,), of activations (…, K)."""
    values = np.asarray(activations, np.float64).reshape(-1, activations.shape[-1])
    with np.errstate(invalid="ignore"):  # of both infinities there is no mean: it is NaN
        means = values.mean(axis=0)
    return np.asarray(np.sign(means) * np.sqrt(np.abs(means)), np.float32)
