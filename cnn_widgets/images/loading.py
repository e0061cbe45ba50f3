"""Anything a person has at hand → `ImageSample`: a path, an address, bytes, an array, a PIL image.

The bytes are capped here and decoded in `decode`. The sample gallery is here too.
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
_ROUNDING = 1e-3  # how far floats may stray from [0, 1]: 1.0000001 is not one of 255


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
        If the source is no photograph, damaged, or too large (10 MB over the net, 100 MB from a
        file, 50 million pixels); in one line that names it.
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
        return _decode(_capped(source), label), Path(label).stem, label
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
    return decode(data, label)


def _from_array(array: NDArray[Any]) -> Pixels:
    """Return an array of any usual kind as pixels (H, W, 3) uint8."""
    if np.ma.is_masked(array):
        raise ValueError("The array is masked: pass array.filled(0), or another value to show.")
    array = np.asarray(array)  # a matrix would keep its two axes
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
    to_uint8 = _conversion(array)
    pixels = np.empty((*array.shape[:2], 3), np.uint8)
    down = max(1, _BAND // array.shape[1])  # in bands: a whole in float64 would be vast
    for top in range(0, array.shape[0], down):
        bits = to_uint8(array[top : top + down])
        opaque = from_pil(Image.fromarray(bits)) if bits.shape[2] == 4 else bits
        pixels[top : top + down] = opaque
    return pixels


def _conversion(array: NDArray[Any]) -> Callable[[NDArray[Any]], NDArray[np.uint8]]:
    """Return what turns rows of an array into uint8: its type and its range tell."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray
    if array.dtype == np.bool_:
        return lambda rows: rows.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # either byte order
        return lambda rows: np.round(rows / 257).astype(np.uint8)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"Expected numbers as pixels. Received an array of {array.dtype}.")
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):  # a single NaN is both least and greatest
        raise ValueError("The array holds NaN or infinite values.")
    if array.dtype.kind == "f" and low >= -_ROUNDING and high <= 1 + _ROUNDING:
        return lambda rows: np.round(rows.clip(0, 1).astype(np.float64) * 255).astype(np.uint8)
    if low >= 0 and high <= 255:
        return lambda rows: np.round(rows).astype(np.uint8)
    raise ValueError(
        "Expected values in [0, 255], or floats in [0, 1]. "
        f"Received {array.dtype} from {low:g} to {high:g}. Is the array preprocessed already?"
    )
