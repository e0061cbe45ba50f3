"""Decodes a picture file or a PIL image: upright, RGB, 8 bits, composed over white.

Opacity and the bands of a TIFF are kept beside what is shown, for networks of that many channels.

Files come from untrusted sources, so the format is checked against a list, and the size before
decoding. Then the picture is decoded, converted and turned upright by its EXIF orientation. The
conversion works on windows of the picture, so that memory holds only two full copies, the decoded
and the returned one: a picture of 20 megapixels must fit into a small notebook server.
"""

from __future__ import annotations

import contextlib
import importlib
import math
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError, features

from cnn_widgets.images.bands import Picture
from cnn_widgets.images.tiff import read_bands, read_samples
from cnn_widgets.picture_files import libtiff
from cnn_widgets.picture_files.avif import refuse_hidden_pixels
from cnn_widgets.picture_files.damage import damage_as_value_error, one_line
from cnn_widgets.picture_files.limits import (
    MAX_PIXELS,
    BoundedReader,
    refuse_decompression_bombs,
    too_many_pixels,
)
from cnn_widgets.picture_files.strips import shrunk
from cnn_widgets.records import Pixels

#: Pillow's names of the formats that every build of it can read.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")  # MPO is opened by the JPEG plugin
_WINDOW = 2**20  # pixels converted at a time
_SIGNATURES = (  # (first bytes, description) of files often given by mistake
    (b"%PDF", "a PDF document"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML or SVG document"),
    (b"<!doctype html", "a web page (HTML)"),
    (b"<html", "a web page (HTML)"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"\xff\xd8\xff", "a damaged or unusual JPEG"),
    (b"\x89PNG\r\n\x1a\n", "a damaged or unusual PNG"),
    (b"GIF8", "a damaged or unusual GIF"),
    (b"II*\0", "a damaged or unusual TIFF"),
    (b"MM\0*", "a damaged or unusual TIFF"),
)


@cache
def formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that can be read.

    AVIF if this Pillow reads it; HEIF if the package pillow-heif is installed.
    """
    further = ["AVIF"] if features.check("avif") else []
    with contextlib.suppress(ImportError):
        heif: Any = importlib.import_module("pillow_heif")
        heif.register_heif_opener()
        further.append("HEIF")
    return (*FORMATS, *further)


def decode(data: bytes, label: str, at_least: int | None = None) -> Picture:
    """Return an encoded picture: RGB uint8 (H, W, 3), and its channels if they are others.

    Parameters
    ----------
    data : bytes
        The content of a picture file.
    label : str
        The name of the picture in error messages.
    at_least : int, optional
        A JPEG, and any large picture of 8 bits, is returned at a half, a quarter or an eighth of
        its size, as long as its shorter side keeps so many pixels.

    Raises
    ------
    ValueError
        If the picture cannot be read, is damaged or too large; the message is a single line.
    """
    label = one_line(label)
    try:
        with damage_as_value_error(label):
            image = Image.open(BoundedReader(data), formats=formats())
    except UnidentifiedImageError:
        if (bands := read_samples(data, label)) is not None:
            return Picture(None, bands)
        raise ValueError(
            f"{label} is {_describe_content(data)}, not a picture that can be read here. "
            f"Allowed: {', '.join(formats())}."
        ) from None
    with image:
        refuse_decompression_bombs(image, data, label)
        if image.format == "AVIF":
            refuse_hidden_pixels(image, data, label)
        if at_least and image.format in ("JPEG", "MPO"):
            share = at_least / min(image.size)
            image.draft(None, (math.ceil(image.width * share), math.ceil(image.height * share)))
        if image.format == "WEBP":
            _release_decoder_early(image)
        if image.format == "TIFF" and (bands := read_bands(image, data, label)) is not None:
            return Picture(None, bands)
        if at_least:
            with damage_as_value_error(label):
                small = shrunk(image, data, at_least)
            return from_pil(small or image, label)
        return from_pil(image, label)


def from_pil(image: Image.Image, label: str = "the image") -> Picture:
    """Return a PIL image as RGB uint8 (H, W, 3), and its channels if it has opacity.

    The image is turned upright by its EXIF orientation, and composed over white where it is
    transparent; the channels, grey or RGB with opacity, stay as they are. Of an animation the
    first frame is taken.

    Raises
    ------
    ValueError
        If the image has more than 50 million pixels, none at all, or is damaged.
    """
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(too_many_pixels(label, image.size))
    if not image.width * image.height:
        raise ValueError(f"{label} has no pixels ({image.width}×{image.height}).")
    if image.format == "TIFF":
        libtiff.send_to_log()
    with damage_as_value_error(label):
        image.load()
        orientation = _orientation(image)
        sides = image.size if orientation >= 5 else image.size[::-1]
        upright, mode = np.empty((*sides, 3), np.uint8), _mode_with_opacity(image)
        shown, kept = _view_as_stored(upright, orientation), None
        data = np.empty((*sides, len(mode)), np.uint8) if mode else None
        if data is not None:
            kept = _view_as_stored(data, orientation)
        offset, factor = _offset_and_factor(image) if _is_high_depth(image) else (0.0, 1.0)
        for left, top, piece in _windows(image):
            here = slice(top, top + piece.height), slice(left, left + piece.width)
            shown[here] = (
                _high_depth_to_gray(piece, offset, factor)
                if _is_high_depth(image)
                else to_rgb(piece)
            )
            if kept is not None:
                kept[here] = np.asarray(_from_premultiplied(piece).convert(mode), np.uint8)
    return Picture(upright, data)


def _mode_with_opacity(image: Image.Image) -> str:
    """Return Pillow's mode of an image with opacity of 8 bits, "LA" or "RGBA"; else ""."""
    if _is_high_depth(image) or not image.has_transparency_data:
        return ""
    return "LA" if image.mode in ("1", "L", "LA", "La") else "RGBA"


def _release_decoder_early(image: Any) -> None:
    """Make Pillow free a WebP decoder's buffers as soon as the first frame is decoded."""

    def load_prepare() -> None:
        del image.load_prepare  # the closure is a reference cycle that would keep the image alive
        image._decoder = None
        image.load_prepare()

    image.load_prepare = load_prepare


def _describe_content(data: bytes) -> str:
    """Return what kind of file the data seem to be, in words for an error message."""
    head = data[:64].lstrip().lower()
    for signature, words in _SIGNATURES:
        if head.startswith(signature.lower()):
            return words
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "a damaged or unusual WebP"
    if data[4:8] == b"ftyp":
        brands = data[8:64]
        if b"avif" in brands or b"avis" in brands:
            if "AVIF" in formats():
                return "a damaged or unusual AVIF"
            return "an AVIF picture (export it as JPEG first)"
        if brands[:4] in (b"mif1", b"msf1") or brands[:2] == b"he":
            if "HEIF" in formats():
                return "a damaged or unusual HEIC"
            return "a HEIC photograph (export it as JPEG, or pip install 'cnn-widgets[heic]')"
    return "of an unknown format"


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 if it is missing or cannot be read."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF data must not prevent reading the pixels
        return 1
    return int(found) if found in range(1, 9) else 1


def _view_as_stored(upright: Pixels, orientation: int) -> Pixels:
    """Return a view of upright pixels with the axes in the order of a file of this orientation."""
    if orientation >= 5:
        upright = upright.transpose(1, 0, 2)
    mirrored, upside_down = orientation in (2, 3, 7, 8), orientation in (3, 4, 6, 7)
    return upright[:: -1 if upside_down else 1, :: -1 if mirrored else 1]


def _windows(image: Image.Image) -> Iterator[tuple[int, int, Image.Image]]:
    """Yield (left, top, piece) for pieces of ≤ `_WINDOW` pixels that cover an image."""
    if image.width * image.height <= _WINDOW:
        yield 0, 0, image  # itself: a crop would be a copy
        return
    across = min(image.width, _WINDOW)
    down = max(1, _WINDOW // across)
    for top in range(0, image.height, down):
        for left in range(0, image.width, across):
            right, bottom = min(left + across, image.width), min(top + down, image.height)
            yield left, top, image.crop((left, top, right, bottom))


def _from_premultiplied(piece: Image.Image) -> Image.Image:
    """Return an image, premultiplied grey converted to "LA": Pillow converts it to nothing else."""
    return piece.convert("LA") if piece.mode == "La" else piece


def to_rgb(piece: Image.Image) -> Pixels:
    """Return an image of 8 bits per channel as RGB (h, w, 3), composed over white."""
    piece = _from_premultiplied(piece)
    if piece.has_transparency_data:
        rgba = piece.convert("RGBA")
        piece = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(piece if piece.mode == "RGB" else piece.convert("RGB"), np.uint8)


def _is_high_depth(image: Image.Image) -> bool:
    """Return whether an image is grey with 16 or 32 bits per pixel."""
    return image.mode.startswith("I") or image.mode == "F"


def _offset_and_factor(image: Image.Image) -> tuple[float, float]:
    """Return (offset, factor): (value - offset) · factor maps 16- or 32-bit grey to 0…255.

    The scale depends on the range of the values: integers in 0…255 are kept, others in 0…65535
    are divided by 257, and anything else is stretched from its minimum to its maximum.
    """
    low, high = np.inf, -np.inf
    for _, _, piece in _windows(image):
        values = np.asarray(piece)
        finite = values[np.isfinite(values)] if image.mode == "F" else values
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        raise ValueError("it holds no finite values")
    if image.mode == "I" and low >= 0 and high <= 255:
        return 0.0, 1.0  # 8-bit values stored in 32 bits
    if image.mode != "F" and low >= 0 and high <= 65535:
        return 0.0, 1 / 257
    return low, 255 / (high - low) if high > low else 0.0


def _high_depth_to_gray(piece: Image.Image, offset: float, factor: float) -> NDArray[np.uint8]:
    """Return 16- or 32-bit grey as uint8 (h, w, 1); NaN becomes 0, the transparent value 255."""
    values: NDArray[Any] = np.asarray(piece)
    scaled = (values.astype(np.float64) - offset) * factor
    grey = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255)
    bits = np.round(grey).astype(np.uint8)
    clear = piece.info.get("transparency")
    if isinstance(clear, int) and piece.mode.startswith("I;16"):
        bits[values == clear] = 255
    return bits[..., None]
