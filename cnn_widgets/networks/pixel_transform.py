"""What happens to pixels on their way to a model's first weights, measured with plain pictures.

A function from pixels to values is fed pictures of one colour each. From what comes out for black,
white and the single channels follows the transform out = A · pixel + b, and further colours tell
whether it holds. So nothing is concluded from the names of layers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Floats

_Doubles = NDArray[np.float64]

#: With more channels than this only their common scale is measured, not how they are mixed.
_MIXED_CHANNELS = 4
#: Deviation from out = A · pixel + b that half precision may cause, as a share of the range.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class PixelTransform:
    """The transform of pixels, 0 to 255, to the values that come out.

    Attributes
    ----------
    low, high : float
        The smallest and the largest value that came out, or would for pixels of 0 and 255.
    matrix : ndarray, shape (D, C), or None
        A in out = A · pixel + b for C channels of pixels and D of values; None where what comes
        out is not of this form, for instance because it depends on the whole picture.
    offset : ndarray, shape (D,), or None
        b, the value of a black pixel.
    size : (int, int) or None
        Height and width of what comes out, if it is an image (N, h, w, D).
    """

    low: float
    high: float
    matrix: _Doubles | None = None
    offset: _Doubles | None = None
    size: tuple[int, int] | None = None

    @property
    def gain(self) -> float:
        """How much values rise when all channels of a pixel rise by 1, at most over channels."""
        if self.matrix is None:
            return float("nan")
        return float(np.abs(self.matrix).sum(axis=1).max())

    @property
    def keeps_scale(self) -> bool:
        """Whether 0…255 stay 0…255, though channels may be swapped or mixed."""
        if self.matrix is None or self.offset is None:
            return -30 < self.low < 30 and 150 < self.high < 300
        rows = np.abs(self.matrix).sum(axis=1)
        return bool((np.abs(rows - 1) < _TOLERANCE).all() and (np.abs(self.offset) < 1).all())

    @property
    def swaps_channels(self) -> bool:
        """Whether red, green and blue come out in reversed order, as BGR."""
        if self.matrix is None or self.matrix.shape != (3, 3):
            return False
        swapped = np.abs(self.matrix[::-1])
        return bool(swapped.max() > 0 and swapped.diagonal().min() > 2 * _off_diagonal(swapped))

    @property
    def range(self) -> str:
        """The range in words, such as "−1…1"."""
        return f"{_number(self.low)}…{_number(self.high)}"

    def after(self, first: PixelTransform) -> PixelTransform | None:
        """Return the transform of pixels that pass `first` and then this; None if not known."""
        if self.matrix is None or self.offset is None or first.matrix is None:
            return None
        if first.offset is None or self.matrix.shape[1] != first.matrix.shape[0]:
            return None
        return affine(
            self.matrix @ first.matrix, self.matrix @ first.offset + self.offset, self.size
        )

    def distance(self, other: PixelTransform) -> float:
        """Return how far two transforms differ at most, as a share of the other's range."""
        if (
            self.matrix is None
            or self.offset is None
            or other.matrix is None
            or other.offset is None
            or self.matrix.shape != other.matrix.shape
        ):
            return float("inf")
        apart = 255 * np.abs(self.matrix - other.matrix).sum(axis=1)
        apart = np.maximum(apart, np.abs(self.offset - other.offset))
        return float(apart.max() / max(other.high - other.low, 1e-9))


def affine(
    matrix: _Doubles, offset: _Doubles, size: tuple[int, int] | None = None
) -> PixelTransform:
    """Return the transform out = matrix · pixel + offset."""
    lowest = offset + 255 * np.minimum(matrix, 0).sum(axis=1)
    highest = offset + 255 * np.maximum(matrix, 0).sum(axis=1)
    return PixelTransform(float(lowest.min()), float(highest.max()), matrix, offset, size)


def scaled(gain: float, offset: float, channels: int) -> PixelTransform:
    """Return the transform out = gain · pixel + offset of every channel."""
    return affine(gain * np.eye(channels), np.full(channels, offset))


def measured(
    values_of: Callable[[Floats], Sequence[NDArray[Any]]], shape: tuple[int, int, int]
) -> list[PixelTransform]:
    """Return the transforms that a function applies to pixels, from a dozen plain pictures.

    Parameters
    ----------
    values_of : callable
        Takes pixels (1, H, W, C), float32, 0 to 255, and returns arrays of values of any shape.
        Where the last axis holds channels, each of these is measured by itself.
    shape : (H, W, C)
        The shape of the pictures to feed.

    Returns
    -------
    list of PixelTransform
        One for each array that the function returns.
    """
    colours = _colours(shape[2])
    noise = np.random.default_rng(0).integers(0, 256, (1, *shape)).astype(np.float32)
    pictures = [*(np.tile(colour, (1, *shape[:2], 1)) for colour in colours), noise]
    outputs = zip(*(values_of(picture) for picture in pictures), strict=True)
    return [_transform(list(values), colours, shape[2]) for values in outputs]


def _transform(outputs: list[NDArray[Any]], colours: list[Floats], channels: int) -> PixelTransform:
    """Return the transform by what came out for pictures of one colour, and (last) for noise."""
    found = [_by_channel(values, channels) for values in outputs[:-1]]
    size = outputs[0].shape[1:3] if outputs[0].ndim == 4 else None
    matrix = _fitted_matrix(found, channels)
    if matrix is not None and _holds(matrix, found, colours):
        live = np.abs(matrix).sum(axis=1) > 1e-3 * np.abs(matrix).max()
        return affine(matrix[live], found[0][live], size)
    finite = np.concatenate([v[np.isfinite(v)].ravel() for v in outputs] + [np.zeros(1)])
    return PixelTransform(float(finite.min()), float(finite.max()), size=size)


def _colours(channels: int) -> list[Floats]:
    """Return pixels (C,): black, white, single channels (if they are few), grey, and others."""
    found = [np.zeros(channels), np.full(channels, 255.0)]
    if channels <= _MIXED_CHANNELS:
        found += list(255.0 * np.eye(channels))
    random = np.random.default_rng(1).integers(0, 256, (2, channels)).astype(np.float64)
    found += [np.full(channels, 128.0), *random]
    return [np.asarray(each, np.float32) for each in found]


def _by_channel(values: NDArray[Any], channels: int) -> _Doubles:
    """Return the usual value of each channel (D,), whatever borders may have been padded.

    Where an image was flattened or cut into patches, its channels follow each other.
    """
    last = values.shape[-1] if values.ndim > 1 else 1
    width = channels if last % channels == 0 else last
    return np.asarray(np.median(values.reshape(-1, width).astype(np.float64), axis=0))


def _fitted_matrix(found: list[_Doubles], channels: int) -> _Doubles | None:
    """Return A (D, C) by the values for black, white and single channels; None if unclear."""
    black, white, *rest = found
    if channels <= _MIXED_CHANNELS:
        matrix = np.stack([(each - black) / 255 for each in rest[:channels]], axis=1)
    elif len(white) == channels:
        matrix = np.diag((white - black) / 255)
    else:
        return None
    return matrix if np.isfinite(matrix).all() and np.abs(matrix).max() > 1e-9 else None


def _holds(matrix: _Doubles, found: list[_Doubles], colours: list[Floats]) -> bool:
    """Return whether out = A · pixel + b for every colour tried."""
    black, span = found[0], 255 * np.abs(matrix).sum(axis=1).max()
    apart = [
        np.abs(matrix @ colour.astype(np.float64) + black - values).max()
        for colour, values in zip(colours, found, strict=True)
    ]
    return bool(max(apart) < _TOLERANCE * span)


def _off_diagonal(matrix: _Doubles) -> float:
    return float(np.abs(matrix - np.diag(np.diag(matrix))).max())


def _number(value: float) -> str:
    return f"{value + 0.0:.3g}".replace("-", "−")
