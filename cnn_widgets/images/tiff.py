"""The bands of a TIFF: one grey page per band, or one page with many samples per pixel.

Pillow reads one page at a time, and of one page only the samples that are colours. Here grey pages
of one size become the channels of one picture. A page with more samples is described to Pillow
anew, as a grey page of bytes, so that Pillow decompresses it; the bytes are then put in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from cnn_widgets.images.bands import Bands, as_bands, check_band_size, check_finite
from cnn_widgets.picture_files import libtiff
from cnn_widgets.picture_files.damage import damage_as_value_error
from cnn_widgets.picture_files.directories import with_directories
from cnn_widgets.picture_files.limits import (
    BoundedReader,
    refuse_decompression_bombs,
    refuse_vast_tile,
)

# TIFF tag numbers
_KIND_OF_PAGE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_FILL_ORDER, _STRIPS, _ORIENTATION, _SAMPLES, _ROWS, _STRIP_BYTES = 266, 273, 274, 277, 278, 279
_PLANAR, _PREDICTOR, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 284, 317, 322, 323, 324, 325
_FORMAT = 339

_REDUCED_OR_MASK = 1 | 4  # kinds of page: a preview of another page, or its transparency
_EIGHT_BITS = "L"  # black-and-white pages (mode "1") are a scanned document, no bands
#: Compressions of bytes; others (JPEG, fax) depend on what the samples mean.
_COMPRESSIONS = {1, 5, 8, 32773, 32946, 34925, 50000}
_NUMBERS = {1: "u", 2: "i", 3: "f", 4: "u"}  # sample formats


def read_bands(image: Any, data: bytes, label: str) -> Bands | None:
    """Return the grey pages, or the many samples of the one page, of a TIFF as channels (H, W, C).

    Parameters
    ----------
    image : PIL image
        A TIFF, opened at its first page. It is there again if None is returned.
    data : bytes
        The file's content.
    label : str
        The name of the picture in error messages.

    Returns
    -------
    ndarray of uint8 or float32, shape (H, W, C), or None
        uint8 if all pages have 8 bits, else float32 with the pages' own values. None if the file
        is a picture of Pillow's own kinds, or has pages that are not all grey and of one size.
        Previews are left out.

    Raises
    ------
    ValueError
        If a page is damaged or would take too much memory or time, if all together are too large,
        or hold NaN or infinite values. The message is a single line.
    """
    pages = _grey_pages(image, data, label)
    if len(pages) > 1:
        kind = np.uint8 if all(mode == _EIGHT_BITS for mode in pages.values()) else np.float32
        bands = _stack(image, list(pages), kind, label)
        check_finite(bands, label)
        return bands
    with damage_as_value_error(label):
        image.seek(0)
        dropped = image.tag_v2.get(_SAMPLES, 1) != len(image.getbands())
    if not dropped or getattr(image, "is_animated", False):
        return None
    layout = _layout(data, label)
    return None if layout is None or layout.compression not in _COMPRESSIONS else layout.read(label)


def read_samples(data: bytes, label: str) -> Bands | None:
    """Return the samples of a TIFF's first page, which Pillow does not know, as (H, W, C).

    Returns None if the data are no TIFF of several samples of whole bytes.

    Raises
    ------
    ValueError
        As for `read_bands`, or if the page is compressed in a way that is not read here.
    """
    layout = _layout(data, label)
    if layout is not None and layout.compression not in _COMPRESSIONS:
        raise ValueError(
            f"{label} is a TIFF of {layout.count} channels in one page, compressed in a way that "
            "is not read here. Save it without compression, or with one grey page per channel."
        )
    return None if layout is None else layout.read(label)


def _stack(image: Any, numbers: Sequence[int], kind: Any, label: str) -> NDArray[Any]:
    """Return the pages with these numbers, all of one size, as an array (H, W, C) of `kind`."""
    libtiff.send_to_log()
    with damage_as_value_error(label):
        image.seek(numbers[0])
        stack = np.empty((image.height, image.width, len(numbers)), kind)
        for place, number in enumerate(numbers):
            image.seek(number)
            image.load()
            stack[..., place] = np.asarray(image)
    return stack


def _grey_pages(image: Any, data: bytes, label: str) -> dict[int, str]:
    """Return the mode of each page by its number; empty unless all are grey and of one size."""
    found: dict[int, str] = {}
    size, number, item_bytes = image.size, 0, 1
    while getattr(image, "is_animated", False):  # Pillow's word for several pages
        kind = image.tag_v2.get(_KIND_OF_PAGE, 0)
        if not (isinstance(kind, int) and kind & _REDUCED_OR_MASK):
            if not _is_grey(image.mode) or image.size != size:
                return {}
            refuse_decompression_bombs(image, data, label)
            found[number] = image.mode
            item_bytes = item_bytes if image.mode == _EIGHT_BITS else 4
            check_band_size((size[1], size[0], len(found)), item_bytes, label)
        number += 1
        try:
            with damage_as_value_error(label):
                image.seek(number)
        except ValueError as error:
            if isinstance(error.__cause__, EOFError):
                break
            if len(found) < 2:  # whatever follows the first page, that one may be read
                return {}
            raise
    return found


def _is_grey(mode: str) -> bool:
    """Return whether an image of this mode of Pillow is grey, of 8 bits or more."""
    return mode in (_EIGHT_BITS, "I", "F") or mode.startswith("I;16")


@dataclass(frozen=True)
class _Layout:
    """How the samples of one page lie in a TIFF: what its tags say, checked."""

    data: bytes
    tags: Any  # Pillow's directory of the page
    size: tuple[int, int]  # (H, W)
    count: int  # samples per pixel, C
    kind: np.dtype[Any]  # of a sample, in the file's byte order
    compression: int
    planar: bool  # whether each sample has its own strips or tiles

    def read(self, label: str) -> Bands:
        """Return the samples as channels (H, W, C), turned upright."""
        together = 1 if self.planar else self.count  # samples per pixel of each page of bytes
        check_band_size((*self.size, self.count), 1 if self.kind == np.uint8 else 4, label)
        with damage_as_value_error(label):
            pages = Image.open(BoundedReader(self._as_pages_of_bytes()), formats=("TIFF",))
        with pages:
            refuse_vast_tile(pages, label)
            raw = _stack(pages, range(self.count // together), np.uint8, label)
        with damage_as_value_error(label):
            parts = [
                self._in_order(np.ascontiguousarray(raw[..., k]), together)
                for k in range(raw.shape[2])
            ]
            bands = np.concatenate(parts, axis=2)
        return as_bands(_upright(bands, self.tags.get(_ORIENTATION, 1)), label)

    def _as_pages_of_bytes(self) -> bytes:
        """Return a TIFF of the same strips or tiles, described as grey pages of 8 bits."""
        tiled = _TILES in self.tags
        places, lengths = (_TILES, _TILE_BYTES) if tiled else (_STRIPS, _STRIP_BYTES)
        offsets, counts = self.tags[places], self.tags[lengths]
        pages = self.count if self.planar else 1
        if len(offsets) != len(counts) or len(offsets) % pages:
            raise ValueError(f"it has {len(offsets)} parts for {pages} planes")
        wide = self.kind.itemsize * (1 if self.planar else self.count)
        fixed = {_WIDTH: [self.size[1] * wide], _HEIGHT: [self.size[0]], _BITS: [8],
                 _COMPRESSION: [self.compression], _PHOTOMETRIC: [1], _SAMPLES: [1],
                 _PLANAR: [1], _PREDICTOR: [1]}  # fmt: skip
        if tiled:
            fixed |= {_TILE_WIDTH: [self.tags[_TILE_WIDTH] * wide]}
            fixed |= {_TILE_HEIGHT: [self.tags[_TILE_HEIGHT]]}
        else:
            fixed |= {_ROWS: [min(self.tags.get(_ROWS, self.size[0]), self.size[0])]}
        some = len(offsets) // pages
        parts = [slice(k * some, (k + 1) * some) for k in range(pages)]
        written = [
            fixed | {places: list(offsets[part]), lengths: list(counts[part])} for part in parts
        ]
        return with_directories(self.data, written)

    def _in_order(self, raw: NDArray[np.uint8], count: int) -> NDArray[Any]:
        """Return a page of bytes (H, W·bytes) as samples (H, W, count), without the predictor.

        A predictor stores differences between neighbours, in each tile for itself (Adobe 1992,
        TIFF 6.0, section 14; Adobe 2005, TIFF Technical Note 3 for floats).
        """
        height, width = self.size
        predictor, bytes_each = self.tags.get(_PREDICTOR, 1), self.kind.itemsize
        across = self.tags[_TILE_WIDTH] if _TILES in self.tags else width
        values = np.empty((height, width, count), self.kind)
        for left in range(0, width, across):
            n = min(across, width - left)
            start = left * bytes_each * count
            tile = raw[:, start : start + n * bytes_each * count]
            if predictor == 3:
                sums = np.cumsum(tile.reshape(height, -1, count), axis=1, dtype=np.uint8)
                planes = sums.reshape(height, bytes_each, n * count)  # most significant first
                tile = np.ascontiguousarray(np.moveaxis(planes, 1, 2)).reshape(height, -1)
                found = tile.view(self.kind.newbyteorder(">")).reshape(height, n, count)
            else:
                found = np.ascontiguousarray(tile).view(self.kind).reshape(height, n, count)
            if predictor == 2:
                whole = found.astype(f"u{bytes_each}" if self.kind.kind == "i" else self.kind)
                found = np.cumsum(whole, axis=1, dtype=whole.dtype).astype(self.kind)
            values[:, left : left + n] = found
        return values


def _layout(data: bytes, label: str) -> _Layout | None:
    """Return the layout of a TIFF's first page; None unless it has several samples of bytes."""
    if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return None
    with damage_as_value_error(label):
        tags: Any = TiffImagePlugin.ImageFileDirectory_v2(data[:16])
        reader = BoundedReader(data)
        reader.seek(tags.next)
        tags.load(reader)
        count, bits = tags.get(_SAMPLES, 1), set(tags.get(_BITS, (1,)))
        width, height = tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0)
        letter = {_NUMBERS.get(each) for each in tags.get(_FORMAT, (1,))}
        if count < 2 or width < 1 or height < 1 or len(bits) > 1 or len(letter) > 1:
            return None
        if (_TILES in tags) == (_STRIPS in tags) or tags.get(_FILL_ORDER, 1) != 1:
            return None
        (depth,), (kind,) = bits, letter
        if depth not in (8, 16, 32, 64) or kind is None or (kind, depth) == ("f", 8):
            return None
        order = "<" if data[:2] == b"II" else ">"
        return _Layout(
            data,
            tags,
            (height, width),
            count,
            np.dtype(f"{order}{kind}{depth // 8}"),
            tags.get(_COMPRESSION, 1),
            tags.get(_PLANAR, 1) == 2,
        )


def _upright(stored: NDArray[Any], orientation: Any) -> NDArray[Any]:
    """Return channels (h, w, C) turned by their EXIF orientation, 1 to 8."""
    rows = -1 if orientation in (3, 4, 6, 7) else 1
    columns = -1 if orientation in (2, 3, 7, 8) else 1
    turned = stored[::rows, ::columns]
    return turned.transpose(1, 0, 2) if orientation in (5, 6, 7, 8) else turned
