"""Loads a picture from a path, an address, bytes, an array or a PIL image as an `ImageSample`.

This module recognises the kind of source and limits its size in bytes; `decoding` decodes files,
`arrays` reads arrays.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
from PIL import Image

from cnn_widgets.images.arrays import read_array
from cnn_widgets.images.bands import Picture
from cnn_widgets.images.decoding import decode, from_pil
from cnn_widgets.images.download import MAX_BYTES, download
from cnn_widgets.records import ImageSample
from cnn_widgets.spelling import composed


def load_image(
    source: Any,
    *,
    fit: str | None = None,
    bands: Sequence[int] | None = None,
    name: str | None = None,
    allow_private: bool = False,
    inputs: Mapping[str, Any] | None = None,
    at_least: int | None = None,
) -> ImageSample:
    """Return a picture as an `ImageSample`: upright, at its own size, shown in RGB.

    Parameters
    ----------
    source : path, URL, bytes, ndarray, PIL image or ImageSample
        A file's path; an ``http(s)`` address; an encoded file as bytes, memoryview or open binary
        file; an array (H, W), (H, W, 1) or (H, W, 3) of uint8, bool, uint16 (to 255 if it holds
        nothing above), or of floats in [0, 1], which is grey or RGB (floats that resizing has taken
        up to a quarter beyond are cut off); an array (H, W, C) of any
        other number of channels and of any numbers; a PIL image; an upload of
        ``ipywidgets.FileUpload``. Files may be JPEG, PNG,
        WebP, GIF, BMP, TIFF, PPM, and AVIF where the Pillow installed reads it. Grey pages of one
        size in a TIFF are the channels of one picture; of other pages the first is taken.
    fit : {"squash", "crop", "letterbox"}, optional
        How the picture is resized to a network's input, always with antialiasing, see
        `ImageSample`. By default the network decides; for an `ImageSample` its own `fit` is kept.
    bands : sequence of 3 or 1 int, optional
        The channels shown as red, green and blue, counted from 0, or one shown as grey. Given for
        an array (H, W, 1) or (H, W, 3) of other numbers than uint8, it says that its channels are
        bands, which a network gets in their own values. See the notes for the default.
    name : str, optional
        The name for display; by default taken from the source, its letters composed (NFC).
    allow_private : bool
        Whether addresses inside the local network may be fetched.
    inputs : mapping of str, optional
        For a network of several inputs, the values of the others that belong to this picture, by
        the names of the inputs: numbers, arrays, or further pictures (a path, a PIL image or an
        `ImageSample`).
    at_least : int, optional
        The pixels needed of the shorter side: a JPEG of more than twice as many is decoded at a
        half, a quarter or an eighth of its size, which is faster and gives about the same picture.
        So is any other picture of more than 8 million pixels, which is kept in less memory; a PNG
        or TIFF is decoded in less, too.

    Returns
    -------
    ImageSample
        With pixels of shape (H, W, 3), RGB, uint8, and with `data` of shape (H, W, C) if the
        picture has channels that are not in the pixels.

    Raises
    ------
    FileNotFoundError
        If a path names no file.
    ValueError
        If the source is not a picture, is damaged, or is too large (10 MB from a web address,
        100 MB from elsewhere, 50 million pixels, 200 MB of channels), or if `bands` names no
        channels of it. The message is one line and names the source.
    ConnectionError
        If a web address cannot be fetched.
    TypeError
        If the source is of none of the types above.

    Notes
    -----
    A network of C channels gets `data` if that has C channels; otherwise a network of three gets
    the pixels shown, and a network of one their luma. In `data`, uint8 stays as it is and all
    other numbers become float32 without any scaling.

    Shown are the first three channels; of two, the first as red and blue, the second as green.
    uint8 is shown as it is, any other channel from its 2nd percentile (black) to its 98th (white).
    Four channels are taken for RGBA and shown over white if their values are in [0, 255], or if
    they are uint16 and the fourth reaches 65535; `bands` shows them as bands.

    Examples
    --------
    >>> load_image(np.zeros((2, 3), np.uint8)).pixels.shape
    (2, 3, 3)
    >>> scene = load_image(np.ones((20, 30, 13), np.float32), bands=(3, 2, 1))
    >>> scene.pixels.shape, scene.data.shape
    ((20, 30, 3), (20, 30, 13))
    """
    others = {
        str(key): load_image(each, allow_private=allow_private) if is_picture(each) else each
        for key, each in (inputs or {}).items()
    }
    if isinstance(source, ImageSample):
        found = _changed(source, fit, bands, name)
        return replace(found, inputs={**found.inputs, **others}) if others else found
    if bands is not None and isinstance(source, np.ndarray):
        picture, called, origin = read_array(source, as_stored=True), "array", "array"
    else:
        picture, called, origin = _read(source, allow_private, at_least)
    made = picture.to_sample(composed(name or called), origin, fit, bands)
    return replace(made, inputs=others) if others else made


def is_picture(source: Any) -> bool:
    """Whether a value is a picture by its type alone: a sample, a path, a PIL image, a file."""
    kinds = (ImageSample, Image.Image, str, os.PathLike, bytes, bytearray, memoryview)
    return isinstance(source, kinds) or hasattr(source, "read")


def _changed(
    sample: ImageSample, fit: str | None, bands: Sequence[int] | None, name: str | None
) -> ImageSample:
    """Return a sample with another fit, other bands shown or another name, where given."""
    name, fit = composed(name or sample.name), fit or sample.fit
    if bands is None:
        return replace(sample, name=name, fit=fit)
    return Picture(sample.pixels, sample.data).to_sample(name, sample.source, fit, bands)


def _read(source: Any, allow_private: bool, at_least: int | None) -> tuple[Picture, str, str]:
    """Return (picture, name, origin) of a source; name and origin are texts for display."""
    if isinstance(source, Image.Image):
        return from_pil(source), "image", "PIL image"
    if isinstance(source, np.ndarray):
        return read_array(source), "array", "array"
    if isinstance(source, dict) and "content" in source:
        label, content = Path(str(source.get("name", "upload"))).name, bytes(source["content"])
        return _decode(content, label, at_least), Path(label).stem, f"upload {label}"
    if isinstance(source, bytes | bytearray | memoryview):
        return _decode(bytes(source), "the bytes given", at_least), "bytes", "bytes"
    if hasattr(source, "read"):
        label = Path(str(getattr(source, "name", "file"))).name
        return _decode(read_limited(source), label, at_least), Path(label).stem, label
    if isinstance(source, str) and "://" in source:
        label = Path(unquote(urlsplit(source).path)).name or urlsplit(source).netloc
        data = download(source, allow_private=allow_private)
        return _decode(data, label, at_least), Path(label).stem, source
    if isinstance(source, str | os.PathLike):
        path = Path(source).expanduser()
        return _decode(_read_file(path), path.name, at_least), path.stem, str(path)
    raise TypeError(
        "Expected a path, an http(s) address, bytes, a NumPy array, a PIL image or an upload. "
        f"Received: {type(source).__name__}"
    )


def read_limited(file: Any) -> bytes:
    """Return the content of a binary file, cut off one byte above the limit, which is refused."""
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
        return read_limited(file)


def _decode(data: bytes, label: str, at_least: int | None) -> Picture:
    """Return an encoded picture after checking its size; `label` names it in errors."""
    if not data:
        raise ValueError(f"{label} is empty (0 bytes).")
    if len(data) > 10 * MAX_BYTES:
        raise ValueError(f"{label} is larger than {10 * MAX_BYTES // 2**20} MB.")
    return decode(data, label, at_least)
