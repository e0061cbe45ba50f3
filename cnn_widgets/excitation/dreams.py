"""DeepDream: a photograph changed so that what a layer sees in it is seen more strongly.

Mordvintsev, Olah and Tyka 2015, "Inceptionism" (Google Research blog): ascent on the energy of a
layer's output, on growing copies of the photograph. A network takes pictures of one size only, so a
larger copy is gone over in tiles of that size, which are laid elsewhere at every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.arguments import finite, one_sample, seed_of, whole
from cnn_widgets.excitation.making import wanted_filters
from cnn_widgets.excitation.pixel_space import pixel_map
from cnn_widgets.images.loading import load_image
from cnn_widgets.layer_gradients.slopes import layer_slopes
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.reading import Counted, Progress
from cnn_widgets.records import Floats, ImageSample

_GROWTH = 1.4  # from one octave to the next


@dataclass(frozen=True, eq=False)
class Dream:
    """A photograph that was changed to excite a layer.

    Attributes
    ----------
    sample : ImageSample
        The changed photograph; it can be asked about as the first one can.
    layer : str
    filters : tuple of int
        The filters that were strengthened; empty if all were.
    before, after : float
        The mean of the squared output of these filters for the photograph and for the dream, as
        the network answers it for both.
    """

    sample: ImageSample = field(repr=False)
    layer: str
    filters: tuple[int, ...]
    before: float
    after: float


def dream(
    net: Network,
    sample: ImageSample,
    layer: str | None = None,
    filters: int | Sequence[int] | None = None,
    *,
    octaves: int = 3,
    steps: int = 8,
    rate: float = 4.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Dream:
    """Return a photograph changed so that a layer, or some filters of it, answer more strongly.

    Parameters
    ----------
    net : Network
    sample : ImageSample
    layer : str, optional
        By default the network's default layer.
    filters : int or sequence of int, optional
        By default all filters of the layer.
    octaves : int
        How many sizes are gone through, each 1.4 times the one before; in the first the shorter
        side of the photograph is that of the network's input.
    steps : int
        Steps at each size.
    rate : float
        How far pixels go at each step: the mean change, in units of 0 to 255.
    seed : int
        Of where the tiles are laid.
    progress : callable, optional
        Called with (steps done, steps in all); returning False stops.

    Raises
    ------
    ValueError
        If there is no such layer or filter, a number is too small, the photograph has other
        channels than the network, or for the same reasons as `excite`.
    concurrent.futures.CancelledError
        If `progress` returned False.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> made = dream(net, cat, "block3_expand", octaves=1, steps=2)
    >>> made.after > made.before
    True
    """
    checked_network(net), one_sample(sample)
    octaves, steps, seed = whole("octaves", octaves), whole("steps", steps), seed_of(seed)
    rate = finite("rate", rate)
    if not rate > 0:
        raise ValueError(f"Expected a rate above 0. Received: {rate}")
    name = layer if layer is not None else net.default_layer
    if name is None:
        raise ValueError(f"Network {net.name!r} has no layer with a map; name a layer.")
    chosen = () if filters is None else wanted_filters(net, name, filters)
    canvas, mapping = _canvas(net, sample), pixel_map(net.model_input, net.name)
    shape, rng = canvas.shape[:2], np.random.default_rng(seed)
    counted = Counted(progress, octaves * steps, "steps")
    weights = np.zeros(net.layer(name).filters, np.float32)
    weights[list(chosen) or slice(None)] = 1
    for octave in range(octaves):
        canvas = _resized(canvas, shape, _GROWTH**octave)
        for _ in range(steps):
            slopes = np.zeros_like(canvas)
            for tile in _tiles(canvas.shape[:2], net.input_size, rng):
                x = np.ascontiguousarray(mapping.to_input(canvas[tile])[None])
                found = layer_slopes(net.engine, name, x, weights, squared=True)[3][0]
                slopes[tile] = mapping.to_pixels(found)
            canvas = _climbed(canvas, slopes, rate)
            counted.one()
    made = load_image(np.round(canvas).astype(np.uint8), name=f"{sample.name}, dreamt")
    before, after = (_energy(net, each, name, weights > 0) for each in (sample, made))
    return Dream(made, name, chosen, before, after)


def _canvas(net: Network, sample: ImageSample) -> Floats:
    """Return a photograph as (H, W, C), so large that the network's input fits in."""
    if sample.data is not None and sample.channels == net.channels:
        if sample.data.dtype != np.uint8:
            raise ValueError(
                f"{sample.name!r} has channels of {sample.data.dtype}; pictures are made of values "
                "from 0 to 255."
            )
        pixels = sample.data
    elif net.channels == 3:
        pixels = sample.pixels
    elif net.channels == 1:
        pixels = np.asarray(cv2.cvtColor(sample.pixels, cv2.COLOR_RGB2GRAY))[..., None]
    else:
        raise ValueError(
            f"Network {net.name!r} takes {net.channels} channels; {sample.name!r} has "
            f"{sample.channels}."
        )
    ratio = max(net.input_size[0] / pixels.shape[0], net.input_size[1] / pixels.shape[1])
    return _resized(np.asarray(pixels, np.float32), pixels.shape[:2], ratio)


def _resized(canvas: Floats, shape: Sequence[int], ratio: float) -> Floats:
    """Return a picture at `ratio` times a shape (H, W), still (H, W, C)."""
    height, width = (max(1, round(ratio * side)) for side in shape)
    how = cv2.INTER_AREA if height < canvas.shape[0] else cv2.INTER_CUBIC
    found = cv2.resize(canvas, (width, height), interpolation=how)
    return np.asarray(found.reshape(height, width, -1).clip(0, 255), np.float32)


def _tiles(
    shape: tuple[int, ...], size: tuple[int, int], rng: np.random.Generator
) -> Iterator[tuple[slice, slice]]:
    """Yield tiles of one size that cover a picture, at random places; they overlap at the edges."""
    starts = []
    for side, length in zip(shape, size, strict=True):
        spare = side - length
        first = int(rng.integers(min(length, spare + 1))) if spare else 0
        inner = range(first, spare + 1, length)
        starts.append(sorted({0, *inner, spare}))
    for top in starts[0]:
        for left in starts[1]:
            yield slice(top, top + size[0]), slice(left, left + size[1])


def _climbed(canvas: Floats, slopes: Floats, rate: float) -> Floats:
    """Return a picture changed along the slopes by `rate` on average."""
    spread = float(np.abs(slopes).mean())
    if spread == 0:
        return canvas
    return np.asarray((canvas + rate * slopes / spread).clip(0, 255), np.float32)


def _energy(net: Network, sample: ImageSample, layer: str, chosen: NDArray[np.bool_]) -> float:
    return float((net.activations(sample, layer)[..., chosen] ** 2).mean())
