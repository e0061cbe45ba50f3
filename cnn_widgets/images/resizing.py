"""Resizes photographs to a network's input, and maps over that input back to the photograph.

`resize_to_input` and `place_on_photo` use the same window (`visible_window`), so that a map is
drawn exactly over the pixels that the network was given. Thumbnails are made here too.
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
    """Return a map over the network's input as a float32 map (H, W) over the whole photograph.

    Parameters
    ----------
    raw : ndarray, shape (h, w)
        A map that covers the network's input, at any resolution.
    image_size, input_size : (H, W)
        The photograph's size and the size of the network's input.
    fit : {"squash", "crop", "letterbox"}
        How the photograph was resized to the input, see `ImageSample`. Outside the window of a
        crop the result is 0, because those pixels were not given to the network.
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
    """Return (top, left, height, width) of the photograph's window that becomes the input.

    All are in pixels of the photograph; `image_size`, `input_size` and `fit` are as for
    `place_on_photo`. The window of a letterbox extends beyond the photograph, so that its top or
    left is negative.

    Raises
    ------
    ValueError
        If `fit` is unknown.
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
    """Return a sample's pixels resized bicubically to (H, W, channels), uint8.

    `input_size` is (H, W). For one channel the RGB pixels are converted to the luma of ITU-R 601.
    """
    image = Image.fromarray(sample.pixels)
    top, left, height, width = visible_window(sample.size, input_size, sample.fit)
    if (top, left, height, width) != (0, 0, *sample.size):
        image = image.crop((left, top, left + width, top + height))  # outside becomes black
    image = image.resize((input_size[1], input_size[0]), Image.Resampling.BICUBIC)
    pixels = np.asarray(image.convert("L") if channels == 1 else image, np.uint8)
    return pixels[..., None] if channels == 1 else pixels


#: Thumbnails by sample and longer side; an entry is dropped together with its sample.
_THUMBNAILS: WeakKeyDictionary[ImageSample, dict[int, Pixels]] = WeakKeyDictionary()


def cached_thumbnail(sample: ImageSample, side: int) -> Pixels:
    """Return a sample's thumbnail, longer side at most `side` pixels, made on first use."""
    kept = _THUMBNAILS.setdefault(sample, {})
    if side not in kept:
        kept[side] = shrink(sample.pixels, side)
    return kept[side]


def shrink(pixels: Pixels, side: int) -> Pixels:
    """Return pixels (H, W, 3) shrunk to a longer side of at most `side`; smaller ones unchanged."""
    height, width = pixels.shape[:2]
    ratio = side / max(height, width)
    if ratio >= 1:
        return pixels
    size = max(1, round(height * ratio)), max(1, round(width * ratio))
    return resize_to_input(ImageSample(pixels), size)
