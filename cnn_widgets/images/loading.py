"""Loads a picture from a path, an address, bytes, an array or a PIL image as an `ImageSample`.

This module recognises the kind of source and limits its size in bytes; `decoding` decodes it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_widgets.images.decoding import decode, from_pil
from cnn_widgets.images.download import MAX_BYTES, download
from cnn_widgets.images.limits import MAX_PIXELS, too_many_pixels
from cnn_widgets.records import ImageSample, Pixels

_BAND = 2**20  # pixels converted at a time
_ROUNDING = 1e-3  # tolerance beyond [0, 1] for floats, e.g. 1.0000001 after rounding


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
        of floats in [0, 1]; a PIL image; an upload of ``ipywidgets.FileUpload``. Files may be
        JPEG, PNG, WebP, GIF, BMP, TIFF, PPM, and AVIF where the Pillow installed reads it.
    fit : {"squash", "crop", "letterbox"}, optional
        How the photograph is resized to a network's input, see `ImageSample`. The default is
        ``"squash"``, or for an `ImageSample` its own `fit`.
    name : str, optional
        The name for display; by default taken from the source.
    allow_private : bool
        Whether addresses inside the local network may be fetched.

    Returns
    -------
    ImageSample
        With pixels of shape (H, W, 3), RGB, uint8.

    Raises
    ------
    FileNotFoundError
        If a path names no file.
    ValueError
        If the source is not a picture, is damaged, or is too large (10 MB from a web address,
        100 MB from elsewhere, 50 million pixels). The message is one line and names the source.
    ConnectionError
        If a web address cannot be fetched.
    TypeError
        If the source is of none of the types above.

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
    """Return (pixels, name, origin) of a source; name and origin are texts for display."""
    if isinstance(source, Image.Image):
        return from_pil(source), "image", "PIL image"
    if isinstance(source, np.ndarray):
        return _from_array(source), "array", "array"
    if isinstance(source, dict) and "content" in source:
        label = Path(str(source.get("name", "upload"))).name
        return _decode(bytes(source["content"]), label), Path(label).stem, f"upload {label}"
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), "the bytes given"), "bytes", "bytes"
    if hasattr(source, "read"):
        label = Path(str(getattr(source, "name", "file"))).name
        return _decode(_read_limited(source), label), Path(label).stem, label
    if isinstance(source, str) and "://" in source:
        label = Path(unquote(urlsplit(source).path)).name or urlsplit(source).netloc
        data = download(source, allow_private=allow_private)
        return _decode(data, label), Path(label).stem, source
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        return _decode(_read_file(path), path.name), path.stem, str(path)
    raise TypeError(
        "Expected a path, an http(s) address, bytes, a NumPy array, a PIL image or an upload. "
        f"Received: {type(source).__name__}"
    )


def _read_limited(file: Any) -> bytes:
    """Return the content of a binary file, cut off one byte above the limit."""
    data = file.read(10 * MAX_BYTES + 1)
    if not isinstance(data, bytes):
        raise TypeError("Expected a file opened in binary mode ('rb').")
    return data


def _read_file(path: Path) -> bytes:
    """Return the content of a file, cut off one byte above the limit."""
    if not os.path.exists(path):  # unlike Path.exists, False for any invalid path
        raise FileNotFoundError(f"There is no file {str(path)[:200]!r}.")
    if not path.is_file():
        raise ValueError(f"{str(path)!r} is a folder or a device, not a picture file.")
    with path.open("rb") as file:
        return _read_limited(file)


def _decode(data: bytes, label: str) -> Pixels:
    """Return an encoded picture's pixels after checking its size; `label` names it in errors."""
    if not data:
        raise ValueError(f"{label} is empty (0 bytes).")
    if len(data) > 10 * MAX_BYTES:
        raise ValueError(f"{label} is larger than {10 * MAX_BYTES // 2**20} MB.")
    return decode(data, label)


def _from_array(array: NDArray[Any]) -> Pixels:
    """Return an array of 1, 3 or 4 channels as uint8 pixels (H, W, 3), RGB."""
    if np.ma.is_masked(array):
        raise ValueError("The array is masked: pass array.filled(0), or another value to show.")
    array = np.asarray(array)  # np.matrix would keep two axes when indexed with None
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
        raise ValueError(too_many_pixels("the array", (array.shape[1], array.shape[0])))
    to_uint8 = _uint8_converter(array)
    pixels = np.empty((*array.shape[:2], 3), np.uint8)
    down = max(1, _BAND // array.shape[1])  # in bands, because float64 takes 8 times the memory
    for top in range(0, array.shape[0], down):
        bits = to_uint8(array[top : top + down])
        opaque = from_pil(Image.fromarray(bits)) if bits.shape[2] == 4 else bits
        pixels[top : top + down] = opaque
    return pixels


def _uint8_converter(array: NDArray[Any]) -> Callable[[NDArray[Any]], NDArray[np.uint8]]:
    """Return a function that converts rows to uint8, chosen by the array's dtype and range."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray
    if array.dtype == np.bool_:
        return lambda rows: rows.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # matches uint16 of both byte orders
        return lambda rows: np.round(rows / 257).astype(np.uint8)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"Expected numbers as pixels. Received an array of {array.dtype}.")
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):  # one NaN makes both of them NaN
        raise ValueError("The array holds NaN or infinite values.")
    if array.dtype.kind == "f" and low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return lambda rows: np.round(rows.clip(0, 1).astype(np.float64) * 255).astype(np.uint8)
    if low >= 0 and high <= 255:
        return lambda rows: np.round(rows).astype(np.uint8)
    raise ValueError(
        "Expected values in [0, 255], or floats in [0, 1]. "
        f"Received {array.dtype} from {low:g} to {high:g}. Is the array preprocessed already?"
    )
