"""Pictures and maps brought from one size to another.

Forwards: a photograph is resized to a network's input (`resize_to_input`). Backwards: a map over
that input is laid over the photograph again (`place_on_photo`). Both use the same window
(`visible_window`), so what the network saw and where its map is drawn always agree. Thumbnails
for the page are made here too.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_widgets.drawing.color import resize
from cnn_widgets.records import FITS, Floats, ImageSample, Pixels


def place_on_photo(
    raw: NDArray[Any], image_size: tuple[int, int], input_size: tuple[int, int], fit: str
) -> Floats:
    """Return a map over the network's input as a map (H, W) over the whole photograph.

    Parameters
    ----------
    raw : ndarray, shape (h, w)
        A map that covers the network's input, at any resolution.
    image_size, input_size : (H, W)
        The photograph's size and the size of the network's input.
    fit : {"squash", "crop", "letterbox"}
        How the photograph was brought to the input. Outside a crop the map is 0: the network
        never saw those pixels.
    """
    top, left, height, width = visible_window(image_size, input_size, fit)
    covered = resize(raw, (height, width))
    if (top, left, height, width) == (0, 0, *image_size):
        return covered
    rows = slice(max(top, 0), min(top + height, image_size[0]))
    columns = slice(max(left, 0), min(left + width, image_size[1]))
    whole = np.zeros(image_size, np.float32)
    whole[rows, columns] = covered[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return whole


def visible_window(
    image_size: tuple[int, int], input_size: tuple[int, int], fit: str
) -> tuple[int, int, int, int]:
    """Return (top, left, height, width) of the network's view, in the photograph's pixels.

    A letterbox reaches past the photograph: its top or left is negative.
    """
    if fit not in FITS:
        raise ValueError(f"Expected fit to be one of {FITS}. Received: {fit!r}")
    (rows, columns), aspect = image_size, input_size[1] / input_size[0]
    if fit == "squash":
        return 0, 0, rows, columns
    wide = columns / rows > aspect
    if wide == (fit == "crop"):
        height, width = rows, max(1, round(rows * aspect))
    else:
        height, width = max(1, round(columns / aspect)), columns
    return (rows - height) // 2, (columns - width) // 2, height, width


def resize_to_input(sample: ImageSample, input_size: tuple[int, int], channels: int = 3) -> Pixels:
    """Return a sample's pixels at a network's input size (H, W, channels), bicubic.

    One channel means the luma of ITU-R 601.
    """
    image = Image.fromarray(sample.pixels)
    top, left, height, width = visible_window(sample.size, input_size, sample.fit)
    if (top, left, height, width) != (0, 0, *sample.size):
        image = image.crop((left, top, left + width, top + height))  # black outside
    image = image.resize((input_size[1], input_size[0]), Image.Resampling.BICUBIC)
    pixels = np.asarray(image.convert("L") if channels == 1 else image, np.uint8)
    return pixels[..., None] if channels == 1 else pixels


#: Small photographs, as long as their samples live.
_THUMBNAILS: WeakKeyDictionary[ImageSample, dict[int, Pixels]] = WeakKeyDictionary()


def cached_thumbnail(sample: ImageSample, side: int) -> Pixels:
    """Return a sample's photograph with its longer side at most `side` pixels; kept with it."""
    kept = _THUMBNAILS.setdefault(sample, {})
    if side not in kept:
        kept[side] = shrink(sample.pixels, side)
    return kept[side]


def shrink(pixels: Pixels, side: int) -> Pixels:
    """Return a picture with its longer side at most `side` pixels."""
    height, width = pixels.shape[:2]
    ratio = side / max(height, width)
    if ratio >= 1:
        return pixels
    size = max(1, round(height * ratio)), max(1, round(width * ratio))
    return resize_to_input(ImageSample(pixels), size)
