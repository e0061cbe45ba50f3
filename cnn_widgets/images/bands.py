"""Pictures of any number of channels: which values are kept, and which channels are shown.

Satellite scenes, hyperspectral patches, RGB with depth or opacity: a network of C channels is given
all of them, a person sees three, as red, green and blue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.picture_files.limits import (
    MAX_BAND_BYTES,
    MAX_PIXELS,
    too_many_pixels,
    too_many_values,
)
from cnn_widgets.records import Floats, ImageSample, Pixels

Bands = Pixels | Floats

_PERCENTILES = (2, 98)  # shown as black and as white: a few outliers must not darken the rest
_GREY = 128  # shown for a band with one value everywhere
_SAMPLED = 2**20  # values from which percentiles are estimated
_GROUP = 64  # channels given to a function at a time; OpenCV takes at most 128


@dataclass(frozen=True)
class Picture:
    """A picture as it was read, before it is decided which channels are shown.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (H, W, 3), or None
        The picture in RGB; None if its channels are no colours, so that three must be chosen.
    data : ndarray of uint8 or float32, shape (H, W, C), or None
        All channels, in their own values; None if the pixels hold everything.
    """

    pixels: Pixels | None
    data: Bands | None = None

    def to_sample(
        self,
        name: str,
        source: str,
        fit: str | None = None,
        bands: Sequence[int] | None = None,
    ) -> ImageSample:
        """Return the picture as a sample that shows the channels `bands`, see `load_image`.

        Raises
        ------
        ValueError
            If `bands` is given for an RGB picture, or names no channels of this one.
        """
        if self.data is None:
            if bands is not None or self.pixels is None:
                raise ValueError(
                    f"{name!r} is grey or RGB and has no bands= to choose from. To change the "
                    "order of colours, pass an array: array[..., (2, 1, 0)]."
                )
            return ImageSample(self.pixels, name, source, fit)
        chosen = choose_bands(bands, self.data.shape[2], name)
        shown = self.pixels if bands is None else None
        pixels = show_bands(self.data, chosen) if shown is None else shown
        return ImageSample(pixels, name, source, fit, self.data, chosen)


def choose_bands(bands: Sequence[int] | None, count: int, name: str) -> tuple[int, int, int]:
    """Return the channels shown as red, green and blue, of `count` channels.

    Parameters
    ----------
    bands : sequence of 3 or 1 int, or None
        Three channels, counted from 0, or one that is shown as grey. None means the first three;
        of two channels the first as red and blue and the second as green (magenta and green
        add up to white); of one channel that one.
    count : int
        The number of channels.
    name : str
        The picture's name in error messages.

    Raises
    ------
    ValueError
        If `bands` is anything else, or names a channel that there is not.
    """
    if bands is None:
        return ((0, 0, 0), (0, 1, 0))[count - 1] if count < 3 else (0, 1, 2)
    listed = list(bands) if isinstance(bands, Sequence | np.ndarray) else []
    whole = all(isinstance(k, int | np.integer) and not isinstance(k, bool) for k in listed)
    if len(listed) not in (1, 3) or not whole:
        raise ValueError(
            "Expected bands=(red, green, blue) or bands=(grey,), as whole numbers from 0. "
            f"Received: {bands!r}"
        )
    if not all(0 <= k < count for k in listed):
        raise ValueError(
            f"Expected bands from 0 to {count - 1}, those of {name!r}. "
            f"Received: {[int(k) for k in listed]}"
        )
    red, green, blue = listed if len(listed) == 3 else listed * 3
    return int(red), int(green), int(blue)


def show_bands(data: Bands, chosen: tuple[int, int, int]) -> Pixels:
    """Return three channels of `data` (H, W, C) as pixels (H, W, 3), uint8.

    uint8 is shown as it is. Any other channel is stretched: its 2nd percentile becomes black and
    its 98th white, each channel for itself, what lies beyond is cut off. A channel whose two
    percentiles are equal is stretched from its minimum to its maximum, and a constant one is grey.
    """
    if data.dtype == np.uint8:
        return np.ascontiguousarray(data[..., list(chosen)], np.uint8)
    pixels = np.empty((*data.shape[:2], 3), np.uint8)
    for place, k in enumerate(chosen):
        if k in chosen[:place]:
            pixels[..., place] = pixels[..., chosen.index(k)]
            continue
        low, high = shown_range(data[..., k])
        if high > low:
            unit = (data[..., k].astype(np.float64) - low) / (high - low)
            pixels[..., place] = np.round(unit.clip(0, 1) * 255)
        else:
            pixels[..., place] = _GREY
    return pixels


def shown_range(values: NDArray[Any]) -> tuple[float, float]:
    """Return the values of a channel (H, W) that are shown as black and as white."""
    step = max(1, int(np.ceil(np.sqrt(values.size / _SAMPLED))))
    some = values[::step, ::step].astype(np.float64)  # float32 would round between percentiles
    low, high = np.percentile(some, _PERCENTILES)
    if low == high:
        return float(values.min()), float(values.max())
    return float(low), float(high)


def as_bands(array: NDArray[Any], label: str) -> Bands:
    """Return a copy of an array (H, W, C) of numbers as uint8 if it is uint8, else as float32.

    Raises
    ------
    ValueError
        If the array holds no numbers, a value that is NaN, infinite or beyond float32, or too many
        pixels or values.
    """
    if array.dtype.kind not in "bfiu":
        raise ValueError(f"Expected numbers as pixels. Received an array of {array.dtype}.")
    kind = np.uint8 if array.dtype == np.uint8 else np.float32
    check_band_size(array.shape, np.dtype(kind).itemsize, label)
    with np.errstate(over="ignore"):  # becomes infinite, which is refused below
        data: NDArray[Any] = np.array(array, kind, order="C")
    check_finite(data, label)
    return data


def check_band_size(shape: tuple[int, ...], item_bytes: int, label: str) -> None:
    """Raise a ValueError if channels (H, W, C) of so many bytes per value are too large to keep."""
    if shape[0] * shape[1] > MAX_PIXELS:
        raise ValueError(too_many_pixels(label, (shape[1], shape[0])))
    if shape[0] * shape[1] * shape[2] * item_bytes > MAX_BAND_BYTES:
        raise ValueError(too_many_values(label, shape, item_bytes))


def check_finite(data: NDArray[Any], label: str) -> None:
    """Raise a ValueError if channels hold NaN or infinity: a network would answer NaN."""
    # without a copy: min and max are NaN if any value is
    if data.dtype != np.uint8 and not (np.isfinite(data.min()) and np.isfinite(data.max())):
        raise ValueError(
            f"{label} holds NaN or infinite values. Replace them first: np.nan_to_num(array)."
        )


def looks_channels_first(shape: Sequence[int | None]) -> bool:
    """Return whether a shape with three axes is more likely (C, H, W) than (H, W, C).

    It is if the first axis is shorter than the last, and the picture so read is closer to a
    square. Few rows of 5 or more channels are always taken for channels first, and so is a
    square behind a first axis of another length.
    """
    first, middle, last = shape
    if last in (1, 3) or first is None:
        return False
    if last is None or middle is None:
        return first in (1, 3) or middle is last
    if middle == last >= 16 and first != middle:
        return True
    if last < 5 or first >= last:
        return False
    return first <= 4 or _length(middle, last) < _length(first, middle)


def _length(a: int, b: int) -> float:
    """Return how many times as long as short a rectangle is, at least 1."""
    return max(a, b) / max(1, min(a, b))


def with_pixels(
    sample: ImageSample, function: Callable[[NDArray[Any]], NDArray[Any]]
) -> ImageSample:
    """Return a sample whose pixels, and whose `data` if there are any, went through a function.

    Parameters
    ----------
    sample : ImageSample
    function : callable
        Takes an array (H, W, K) of uint8 or float32 and returns one of the same shape, each
        channel for itself (a blur, a mean, a shift); rounded back to whole numbers for uint8. K is
        at most 64; more channels are given in parts.
    """

    def mapped(array: Bands) -> Any:
        parts = []
        for start in range(0, array.shape[2], _GROUP):
            part = np.ascontiguousarray(array[..., start : start + _GROUP])
            found = np.asarray(function(part)).reshape(part.shape)  # OpenCV drops an axis of 1
            if array.dtype == np.uint8 and found.dtype != np.uint8:
                found = np.round(found).clip(0, 255)
            parts.append(found.astype(array.dtype))
        return np.concatenate(parts, axis=2)

    data = None if sample.data is None else mapped(sample.data)
    return replace(sample, pixels=mapped(sample.pixels), data=data)


def uniform_like(sample: ImageSample, level: int) -> ImageSample:
    """Return a picture of one shade, with the size and the channels of a sample.

    Parameters
    ----------
    level : int
        0 (black) to 255 (white). Channels of 8 bits get this value. A channel of other values gets
        the one that is shown as this shade, see `show_bands`: between the 2nd percentile (black)
        and the 98th (white).
    """
    given, data = sample.data, None
    if given is not None:
        data = np.full_like(given, level)
        if given.dtype != np.uint8:
            for k in range(given.shape[2]):
                low, high = shown_range(given[..., k])
                data[..., k] = low + (high - low) * level / 255
    return replace(sample, pixels=np.full_like(sample.pixels, level), data=data)
