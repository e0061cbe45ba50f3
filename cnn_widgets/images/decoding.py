"""An encoded picture, or a PIL image → pixels: upright, RGB, 8 bits, laid on white.

The order is the safe one: allow-list the format, check the size before decoding, decode, turn by
EXIF, convert. The conversion goes window by window, so that a large picture is in memory twice at
most, as it was decoded and as it is returned: 20 megapixels have to fit into a small kernel.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError, features

from cnn_widgets.images.limits import (
    MAX_PIXELS,
    BoundedReader,
    refuse_decompression_bombs,
    too_many_pixels,
)
from cnn_widgets.records import Pixels

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")  # MPO opens as JPEG
_WINDOW = 2**20  # pixels converted at a time
_SIGNATURES = (  # what people bring instead of a photograph, by its first bytes
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
    """Return the formats that are read; AVIF where this Pillow can."""
    return (*FORMATS, "AVIF") if features.check("avif") else FORMATS


def decode(data: bytes, label: str) -> Pixels:
    """Return an encoded picture's pixels; `label` names it in errors.

    Raises
    ------
    ValueError
        In one line, whatever is wrong with it.
    """
    label = one_line(label)
    try:
        with _damage_named(label):
            image = Image.open(BoundedReader(data), formats=formats())
    except UnidentifiedImageError:
        raise ValueError(
            f"{label} is {_what_it_is(data)}, not a picture that can be read here. "
            f"Allowed: {', '.join(formats())}."
        ) from None
    with image:
        refuse_decompression_bombs(image, data, label)
        if image.format == "WEBP":
            _let_decoder_go(image)
        return from_pil(image, label)


def from_pil(image: Image.Image, label: str = "the image") -> Pixels:
    """Return a PIL image upright, without transparency, 8 bits, RGB (animations: first frame)."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(too_many_pixels(label, image.size))
    if not image.width * image.height:
        raise ValueError(f"{label} has no pixels ({image.width}×{image.height}).")
    with _damage_named(label):
        image.load()
        orientation = _orientation(image)
        sides = image.size if orientation >= 5 else image.size[::-1]
        upright = np.empty((*sides, 3), np.uint8)
        as_stored = _turned_back(upright, orientation)
        offset, factor = _depth(image) if _is_deep(image) else (0.0, 1.0)
        for left, top, piece in _windows(image):
            rgb = _deep_to_rgb(piece, offset, factor) if _is_deep(image) else _to_rgb(piece)
            as_stored[top : top + piece.height, left : left + piece.width] = rgb
    return upright


def _let_decoder_go(image: Any) -> None:
    """Drop a WebP's decoder when its frame is out: its canvases weigh more than the picture."""

    def load_prepare() -> None:
        del image.load_prepare  # (or the picture would hold itself)
        image._decoder = None
        image.load_prepare()

    image.load_prepare = load_prepare


def one_line(text: object) -> str:
    """Return a text for an error's single line, cut where it is long."""
    words = " ".join(str(text).split())
    return words if len(words) <= 200 else words[:199] + "…"


@contextmanager
def _damage_named(label: str) -> Iterator[None]:
    """Turn what a damaged file raises into one ValueError that names it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is no matter: the pixels count
            yield
    except UnidentifiedImageError:
        raise
    except Image.DecompressionBombError:
        raise ValueError(too_many_pixels(label)) from None
    except Exception as error:
        # Pillow's plugins raise whatever a damaged byte leads to: struct.error, KeyError,
        # ZeroDivisionError, MemoryError, … No list of them was ever complete.
        reason = one_line(error) or type(error).__name__
        raise ValueError(f"{label} is damaged and cannot be decoded: {reason}") from error


def _what_it_is(data: bytes) -> str:
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
            return "a HEIC photograph (export it as JPEG first)"
    return "of an unknown format"


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8; 1 where there is none, or none that can be read."""
    try:
        found = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a damaged note about a photograph is no reason to lose the photograph
        return 1
    return int(found) if found in range(1, 9) else 1


def _turned_back(upright: Pixels, orientation: int) -> Pixels:
    """Return a view of upright pixels in the order a file of this orientation stores them."""
    if orientation >= 5:
        upright = upright.transpose(1, 0, 2)
    mirrored, upside_down = orientation in (2, 3, 7, 8), orientation in (3, 4, 6, 7)
    return upright[:: -1 if upside_down else 1, :: -1 if mirrored else 1]


def _windows(image: Image.Image) -> Iterator[tuple[int, int, Image.Image]]:
    """Yield (left, top, piece) over a whole image, each piece of at most `_WINDOW` pixels."""
    across = min(image.width, _WINDOW)
    down = max(1, _WINDOW // across)
    for top in range(0, image.height, down):
        for left in range(0, image.width, across):
            right, bottom = min(left + across, image.width), min(top + down, image.height)
            yield left, top, image.crop((left, top, right, bottom))


def _to_rgb(piece: Image.Image) -> Pixels:
    if piece.mode == "La":  # Pillow takes its premultiplied grey to LA only
        piece = piece.convert("LA")
    if piece.has_transparency_data:
        rgba = piece.convert("RGBA")
        piece = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(piece.convert("RGB"), np.uint8)


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _depth(image: Image.Image) -> tuple[float, float]:
    """Return (offset, factor) that bring 16- or 32-bit grey to 0…255.

    Its range tells which: numbers of 8 bits, of 16 bits, or any others, which are stretched from
    the least to the greatest.
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
        return 0.0, 1.0  # 8-bit numbers that were only kept in 32 bits
    if image.mode != "F" and low >= 0 and high <= 65535:
        return 0.0, 1 / 257
    return low, 255 / (high - low) if high > low else 0.0


def _deep_to_rgb(piece: Image.Image, offset: float, factor: float) -> NDArray[np.uint8]:
    """Return deep grey as 8 bits, (h, w, 1): NaN black, a transparent value white."""
    values: NDArray[Any] = np.asarray(piece)
    scaled = (values.astype(np.float64) - offset) * factor
    grey = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0).clip(0, 255)
    bits = np.round(grey).astype(np.uint8)
    clear = piece.info.get("transparency")
    if isinstance(clear, int) and piece.mode.startswith("I;16"):
        bits[values == clear] = 255
    return bits[..., None]
