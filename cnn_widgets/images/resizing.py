"""Resizes photographs to a network's input, and maps over that input back to the photograph.

`resize_to_input` and `place_on_photo` use the same window (`visible_window`), so that a map is
drawn exactly over the pixels that the network was given. Thumbnails are made here too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_widgets.analysis.fields import Box, MapField, whole_input
from cnn_widgets.records import FITS, Floats, ImageSample, Pixels


def place_on_photo(
    raw: NDArray[Any], image_size: tuple[int, int], input_size: tuple[int, int], fit: str
) -> Floats:
    """Return a map whose cells divide the network's input evenly, as a map over the photograph.

    Parameters
    ----------
    raw : ndarray, shape (h, w)
        A map that covers the network's input, at any resolution.
    image_size, input_size : (H, W)
        The photograph's size and the size of the network's input.
    fit : {"squash", "crop", "letterbox"}
        How the photograph was resized to the input, see `ImageSample`.

    Returns
    -------
    ndarray of float32, shape (H, W)
        0 outside the window of a crop, because those pixels were not given to the network.
    """
    height, width = np.shape(raw)
    window = visible_window(image_size, input_size, fit)
    return whole_input((height, width), input_size).lay(raw, image_size, window)


def lay_on_photo(
    raw: NDArray[Any], field: MapField, sample: ImageSample, fit: str = "squash"
) -> Floats:
    """Return a map (h, w) as a map (H, W) over the photograph, where its field says it lies.

    `fit` is the network's own, for a sample whose `fit` is None. Outside the pixels that reach the
    map the result is 0.
    """
    window = visible_window(sample.size, field.size, sample.fit or fit)
    return field.lay(raw, sample.size, window)


def box_on_photo(box: Box, field: MapField, sample: ImageSample, fit: str = "squash") -> Box:
    """Return a box on the network's input as a box in pixels of the photograph."""
    top, left, height, width = visible_window(sample.size, field.size, sample.fit or fit)
    down, across = height / field.size[0], width / field.size[1]
    rows, columns = sample.size
    edges = (
        (top + box.top * down, rows),
        (left + box.left * across, columns),
        (top + box.bottom * down, rows),
        (left + box.right * across, columns),
    )
    return Box(*(min(max(edge, 0.0), float(side)) for edge, side in edges))


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


def resize_to_input(
    sample: ImageSample,
    input_size: tuple[int, int],
    channels: int = 3,
    fit: str = "squash",
    antialias: bool = True,
) -> NDArray[Any]:
    """Return a sample resized to (H, W, channels), uint8 or float32.

    Parameters
    ----------
    sample : ImageSample
        If its `data` have that many channels, they are resized, each channel for itself and in
        its own type: float32 is not cut off where the bicubic curve leaves the range of the
        values. Otherwise the RGB pixels are resized for three channels, and converted to the luma
        of ITU-R 601 for one.
    input_size : (H, W)
    channels : int
        The number of channels C of the network.
    fit : {"squash", "crop", "letterbox"}
        The network's own fit, for a sample whose `fit` is None. Padding is 0.
    antialias : bool
        Whether each pixel is the mean of all that it covers, by a bicubic curve. Otherwise it is
        made of the four nearest pixels alone, bilinearly, as `tf.image.resize` and Keras'
        `image_dataset_from_directory` do it by default: fine grain stays, also where it is false.

    Raises
    ------
    ValueError
        If the sample cannot be given to a network of so many channels, see `has_channels`.
    """
    window = visible_window(sample.size, input_size, sample.fit or fit)
    if sample.data is not None and sample.channels == channels:
        return _resize_bands(sample.data, window, input_size, antialias)
    if channels not in (1, 3):
        raise ValueError(
            f"Expected a picture of {channels} channels. {sample.name!r} has {sample.channels}."
        )
    image = _resize_window(Image.fromarray(sample.pixels), window, input_size, antialias)
    pixels = np.asarray(image.convert("L") if channels == 1 else image, np.uint8)
    return pixels[..., None] if channels == 1 else pixels


def is_larger(sample: ImageSample, input_size: tuple[int, int], fit: str = "squash") -> bool:
    """Return whether a sample loses pixels on its way to an input of (H, W)."""
    _, _, *sides = visible_window(sample.size, input_size, sample.fit or fit)
    return any(side > wanted for side, wanted in zip(sides, input_size, strict=True))


def grain_kept(
    sample: ImageSample, input_size: tuple[int, int], channels: int = 3, fit: str = "squash"
) -> ImageSample:
    """Return a sample at an input's size, resized without antialiasing; see `resize_to_input`."""
    given = resize_to_input(sample, input_size, channels, fit, antialias=False)
    shown = np.zeros((*input_size, 3), np.uint8)
    if sample.data is not None and sample.channels == channels:
        return replace(sample, pixels=shown, data=given, fit="squash")
    return replace(sample, pixels=shown + given, data=None, fit="squash")


def has_channels(sample: ImageSample, channels: int) -> bool:
    """Return whether a sample can be given to a network of so many channels.

    Any sample can for 1 (luma) and 3 (RGB), and otherwise one with `data` of that many channels.
    """
    return channels in (1, 3) or sample.channels == channels


def _resize_window(
    image: Image.Image,
    window: tuple[int, int, int, int],
    size: tuple[int, int],
    antialias: bool = True,
) -> Image.Image:
    """Return a window (top, left, height, width) of a PIL image, resized to `size` (H, W)."""
    top, left, height, width = window
    if not antialias:
        box, extent = (left, top, left + width, top + height), Image.Transform.EXTENT
        return image.transform(size[::-1], extent, box, Image.Resampling.BILINEAR)
    if (left, top, width, height) != (0, 0, *image.size):
        image = image.crop((left, top, left + width, top + height))  # outside becomes black
    return image.resize((size[1], size[0]), Image.Resampling.BICUBIC)


def _resize_bands(
    data: NDArray[Any],
    window: tuple[int, int, int, int],
    size: tuple[int, int],
    antialias: bool = True,
) -> NDArray[Any]:
    """Return a window of channels (h, w, C), uint8 or float32, resized to (H, W, C), same dtype."""
    resized = np.empty((*size, data.shape[2]), data.dtype)
    for k in range(data.shape[2]):
        band = Image.fromarray(np.ascontiguousarray(data[..., k]))  # "L" of uint8, "F" of float32
        resized[..., k] = np.asarray(_resize_window(band, window, size, antialias))
    return resized


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
    return shrink_sample(ImageSample(pixels), side).pixels


def shrink_sample(sample: ImageSample, side: int) -> ImageSample:
    """Return a sample, with all its channels, shrunk to a longer side of at most `side`."""
    height, width = sample.size
    ratio = side / max(height, width)
    if ratio >= 1:
        return sample
    size = max(1, round(height * ratio)), max(1, round(width * ratio))
    whole = 0, 0, height, width
    pixels = np.asarray(_resize_window(Image.fromarray(sample.pixels), whole, size), np.uint8)
    data = None if sample.data is None else _resize_bands(sample.data, whole, size)
    return replace(sample, pixels=pixels, data=data)
