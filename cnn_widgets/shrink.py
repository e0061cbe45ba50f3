"""Photographs made small: for the page, and to fit thirty of them into a small kernel."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from cnn_widgets.images import fit_to
from cnn_widgets.records import ImageSample, Pixels

#: Small photographs, as long as their samples live.
_SMALL: WeakKeyDictionary[ImageSample, dict[int, Pixels]] = WeakKeyDictionary()


def small(sample: ImageSample, side: int) -> Pixels:
    """Return a sample's photograph with its longer side at most `side` pixels; kept with it."""
    kept = _SMALL.setdefault(sample, {})
    if side not in kept:
        kept[side] = shrunk(sample.pixels, side)
    return kept[side]


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """Return a picture with its longer side at most `side` pixels."""
    height, width = pixels.shape[:2]
    ratio = side / max(height, width)
    if ratio >= 1:
        return pixels
    size = max(1, round(height * ratio)), max(1, round(width * ratio))
    return fit_to(ImageSample(pixels), size)
