"""Anything a person has at hand → `ImageSample`: a path, an address, bytes, an array, a PIL image.

The order is the safe one: cap the bytes, allow-list the format, check the size before decoding,
turn by EXIF, convert to RGB. The sample gallery is here too.
"""

from __future__ import annotations

import io
import json
import os
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from cnn_widgets.fetch import MAX_BYTES, fetch
from cnn_widgets.heatmap import window
from cnn_widgets.records import ImageSample, Pixels

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")  # MPO opens as JPEG
MAX_PIXELS = 50_000_000
_ROUNDING = 1e-3  # how far floats may stray from [0, 1]: 1.0000001 is not one of 255

_SIGNATURES = (  # what people bring instead of a photograph, by its first bytes
    (b"%PDF", "a PDF document"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML or SVG document"),
    (b"<!doctype html", "a web page (HTML)"),
    (b"<html", "a web page (HTML)"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
)


def load_image(
    source: Any,
    *,
    fit: str | None = None,
    name: str | None = None,
    allow_private: bool = False,
) -> ImageSample:
    """Return a photograph as an `ImageSample`: upright, RGB, uint8, at its own size.

    Parameters
    ----------
    source : path, URL, bytes, ndarray, PIL image or ImageSample
        A file's path; an ``http(s)`` address; an encoded file as bytes, memoryview or open binary
        file; an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, bool, uint16, or
        of floats in [0, 1]; a PIL image; an upload of ``ipywidgets.FileUpload``.
    fit : {"squash", "crop", "letterbox"}, optional
        How it will be brought to a network's input size, see `ImageSample`; by default squashed,
        or as the sample given already says.
    name : str, optional
        A name to show; by default taken from the source.
    allow_private : bool
        Whether addresses inside the local network may be fetched.

    Returns
    -------
    ImageSample

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the source is no photograph, or too large (10 MB over the net, 50 million pixels).
    ConnectionError
        If an address cannot be fetched.
    TypeError
        If the source is of no known kind.

    Examples
    --------
    >>> load_image(np.zeros((2, 3), np.uint8)).pixels.shape
    (2, 3, 3)
    """
    if isinstance(source, ImageSample):
        return ImageSample(source.pixels, name or source.name, source.source, fit or source.fit)
    pixels, found, origin = _read(source, allow_private)
    return ImageSample(pixels, name or found, origin, fit or "squash")


def _read(source: Any, allow_private: bool) -> tuple[Pixels, str, str]:
    """Return (pixels, name, origin) of any source."""
    if isinstance(source, Image.Image):
        return _from_pil(source), "image", "PIL image"
    if isinstance(source, np.ndarray):
        return _from_array(source), "array", "array"
    if isinstance(source, dict) and "content" in source:
        label = Path(str(source.get("name", "upload"))).name
        return _decode(bytes(source["content"]), label), Path(label).stem, f"upload {label}"
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), "the bytes given"), "bytes", "bytes"
    if hasattr(source, "read"):
        label = Path(str(getattr(source, "name", "file"))).name
        return _decode(_capped(source), label), Path(label).stem, label
    if isinstance(source, str) and "://" in source:
        label = Path(unquote(urlsplit(source).path)).name or urlsplit(source).netloc
        data = fetch(source, allow_private=allow_private)
        return _decode(data, label), Path(label).stem, source
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        return _decode(_read_file(path), path.name), path.stem, str(path)
    raise TypeError(
        "Expected a path, an http(s) address, bytes, a NumPy array, a PIL image or an upload. "
        f"Received: {type(source).__name__}"
    )


def _capped(file: Any) -> bytes:
    data = file.read(10 * MAX_BYTES + 1)
    if not isinstance(data, bytes):
        raise TypeError("Expected a file opened in binary mode ('rb').")
    return data


def _read_file(path: Path) -> bytes:
    if not os.path.exists(path):  # False, not an error, also for a name no file can have
        raise FileNotFoundError(f"There is no file {str(path)[:200]!r}.")
    if not path.is_file():
        raise ValueError(f"{str(path)!r} is a folder or a device, not a picture file.")
    with path.open("rb") as file:
        return _capped(file)


def _decode(data: bytes, label: str) -> Pixels:
    """Return an encoded picture's pixels; `label` names it in errors."""
    if not data:
        raise ValueError(f"{label} is empty (0 bytes).")
    if len(data) > 10 * MAX_BYTES:
        raise ValueError(f"{label} is larger than {10 * MAX_BYTES // 2**20} MB.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is no matter: the pixels count
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if image.width * image.height <= MAX_PIXELS:
                    return _from_pil(image)
                size = image.size
    except UnidentifiedImageError:
        raise ValueError(
            f"{label} is {_what_it_is(data)}, not a picture that can be read here. "
            f"Allowed: {', '.join(FORMATS)}."
        ) from None
    except Image.DecompressionBombError:
        raise ValueError(_too_large(label)) from None
    except (
        OSError,
        ValueError,
        SyntaxError,
        EOFError,
        IndexError,
        OverflowError,
        TypeError,
        AttributeError,
        KeyError,
    ) as error:  # what Pillow raises on damaged files
        raise ValueError(f"{label} is damaged and cannot be decoded: {error}") from error
    raise ValueError(_too_large(label, size))


def _what_it_is(data: bytes) -> str:
    head = data[:64].lstrip().lower()
    for signature, words in _SIGNATURES:
        if head.startswith(signature.lower()):
            return words
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1"):
        return "a HEIC photograph (export it as JPEG first)"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "an AVIF picture (export it as JPEG first)"
    return "of an unknown format"


def _too_large(label: str, size: tuple[int, int] | None = None) -> str:
    measured = f" ({size[0]}×{size[1]})" if size else ""
    return f"{label} has too many pixels{measured}; at most {MAX_PIXELS // 10**6} million are read."


def _from_pil(image: Image.Image) -> Pixels:
    """Return a PIL image upright, without transparency, 8 bits, RGB (animations: first frame)."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(_too_large("the image", image.size))
    if not image.width * image.height:
        raise ValueError(f"The image has no pixels ({image.width}×{image.height}).")
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        return _from_array(_stretch_deep(np.asarray(image)))
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(image.convert("RGB"), np.uint8)


def _stretch_deep(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Return 16- or 32-bit grey as 8 bits: as its range tells, 8 or 16 bits, or stretched."""
    deep = np.nan_to_num(values.astype(np.float64))
    if values.dtype.kind == "i" and deep.min() >= 0 and deep.max() <= 255:
        return deep.astype(np.uint8)  # 8-bit numbers that were only kept in 32 bits
    if np.issubdtype(values.dtype, np.integer) and deep.min() >= 0 and deep.max() <= 65535:
        return np.round(deep / 257).astype(np.uint8)
    span = deep.max() - deep.min()
    stretched = (deep - deep.min()) * (255 / span if span > 0 else 0)
    return np.asarray(np.round(stretched), np.uint8)


def _from_array(array: NDArray[Any]) -> Pixels:
    """Return an array of any usual kind as pixels (H, W, 3) uint8."""
    shape = array.shape
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4) or not array.size:
        hint = ""
        if len(shape) == 3 and shape[0] in (1, 3):
            hint = " It looks channels-first: pass array.transpose(1, 2, 0)."
        elif len(shape) == 4:
            hint = " One image has no batch axis: pass array[0]."
        raise ValueError(
            f"Expected an array of shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4). "
            f"Received shape: {shape}.{hint}"
        )
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise ValueError(_too_large("the array", (array.shape[1], array.shape[0])))
    bits = _to_uint8(array)
    if bits.shape[2] == 4:
        return _from_pil(Image.fromarray(bits))
    return np.ascontiguousarray(np.broadcast_to(bits, (*bits.shape[:2], 3)))


def _to_uint8(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.dtype == np.uint8:
        return array.copy()
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # either byte order
        return np.round(array / 257).astype(np.uint8)
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise ValueError(f"Expected numbers as pixels. Received an array of {array.dtype}.")
    if not np.isfinite(array).all():
        raise ValueError("The array holds NaN or infinite values.")
    low, high = float(array.min()), float(array.max())
    if np.issubdtype(array.dtype, np.floating) and low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return np.asarray(np.round(np.clip(array, 0, 1) * 255), np.uint8)
    if low >= 0 and high <= 255:
        return np.round(array).astype(np.uint8)
    raise ValueError(
        "Expected values in [0, 255], or floats in [0, 1]. "
        f"Received {array.dtype} from {low:g} to {high:g}. Is the array preprocessed already?"
    )


def fit_to(sample: ImageSample, input_size: tuple[int, int], channels: int = 3) -> Pixels:
    """Return a sample's pixels at a network's input size (H, W, channels), bicubic.

    One channel means the luma of ITU-R 601.
    """
    image = Image.fromarray(sample.pixels)
    top, left, height, width = window(sample.size, input_size, sample.fit)
    if (top, left, height, width) != (0, 0, *sample.size):
        image = image.crop((left, top, left + width, top + height))  # black outside
    image = image.resize((input_size[1], input_size[0]), Image.Resampling.BICUBIC)
    pixels = np.asarray(image.convert("L") if channels == 1 else image, np.uint8)
    return pixels[..., None] if channels == 1 else pixels


def gallery() -> dict[str, ImageSample]:
    """Return the bundled photographs by name, all public domain or CC0; see gallery/SOURCES.md."""
    folder = files("cnn_widgets") / "gallery"
    entries = json.loads((folder / "sources.json").read_text("utf-8"))
    return {
        entry["name"]: ImageSample(
            _decode((folder / entry["file"]).read_bytes(), entry["file"]),
            entry["name"],
            f"{entry['author']}, {entry['license']}",
        )
        for entry in entries
    }
