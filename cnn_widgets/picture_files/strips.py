"""Shrinks large pictures strip by strip: no second full copy is held in memory, often not one.

Pillow decodes a file whole: 50 megapixels take 200 MB, of a WebP 600. Here the coded rows of some
strips of a PNG or TIFF are handed to it as a small file of their own, one after the other, and a
WebP is handed to OpenCV.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

import cv2
import numpy as np
from PIL import Image

from cnn_widgets.picture_files.directories import with_directories
from cnn_widgets.picture_files.libtiff import send_to_log

_LARGE = 2**23  # pixels; what is smaller is decoded whole, and so exactly
_STRIP = 2**20  # pixels of a strip, about
_SHARES = (8, 4, 2)
_PNG_MODES = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}  # and bytes per pixel
_EIGHT_BITS = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_TIFF_MODES = {"L", "RGB", "RGBA", "CMYK", "YCbCr"}
# TIFF tag numbers
_WIDTH, _HEIGHT, _COMPRESSION, _STRIPS, _ORIENTATION, _ROWS = 256, 257, 259, 273, 274, 278
_STRIP_BYTES, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 279, 284, 322, 323, 324, 325
#: Tags that say how samples are coded: bits, compression, colours, order, predictor, JPEG tables.
_CODING = (258, 259, 262, 266, 277, 284, 317, 322, 323, 338, 339, 347, 530, 531)


def shrunk(image: Any, data: bytes, at_least: int) -> Image.Image | None:
    """Return a large picture at a half, a quarter or an eighth of its size.

    Parameters
    ----------
    image : PIL image
        Opened, but not decoded yet.
    data : bytes
        The file's content.
    at_least : int
        The pixels that the shorter side keeps.

    Returns
    -------
    PIL image or None
        Each of its pixels is the mean of a square of pixels. None if the picture has not more than
        8 million pixels, or more than 8 bits per sample: it is to be decoded whole then.

    Raises
    ------
    Exception
        Whatever Pillow, zlib and struct raise for damaged files.
    """
    share = next((n for n in _SHARES if min(image.size) // n >= at_least), 1)
    if share == 1 or image.width * image.height <= _LARGE or image.mode not in _EIGHT_BITS:
        return None
    clear = image.has_transparency_data
    mode = {"1": "L", "P": "RGB"}.get(image.mode, image.mode)
    mode = "RGBA" if clear and mode != "LA" else mode
    strips = None
    if mode == image.mode and image.format in _WAYS:
        strips = _WAYS[image.format](image, data, share)
    found = Image.new(mode, tuple(-(-side // share) for side in image.size))
    top = 0
    for strip in strips or _strips_of_decoded(image, share):
        small = strip.convert(mode).reduce(share * strip.width // image.width)
        found.paste(small, (0, top))
        top += small.height
    if top != found.height:
        raise ValueError("it is cut off")
    kept = ("exif", "xmp", "XML:com.adobe.xmp")  # which tell the orientation
    found.info = {key: image.info[key] for key in kept if key in image.info}
    return found


def _strips_of_decoded(image: Any, share: int) -> Iterator[Image.Image]:
    """Yield the strips of a picture that has to be decoded whole."""
    image.load()
    down = share * max(1, _STRIP // (image.width * share))
    for top in range(0, image.height, down):
        yield image.crop((0, top, image.width, min(top + down, image.height)))


def _strips_of_png(image: Any, data: bytes, share: int) -> Iterator[Image.Image] | None:
    """Return the strips of a PNG of 8 bits that is not interlaced, else None."""
    depth, _, _, _, interlaced = data[24:29]
    if data[12:16] != b"IHDR" or depth != 8 or interlaced or image.mode not in _PNG_MODES:
        return None
    return _png_strips(image, data, share)


def _png_strips(image: Any, data: bytes, share: int) -> Iterator[Image.Image]:
    """Yield strips of `share` rows or a multiple.

    A row is coded as its difference from the one above: each strip is given the last row of the
    strip before, uncoded, as its first.
    """
    line = image.width * _PNG_MODES[image.mode] + 1
    down = share * max(1, _STRIP // (image.width * share))
    coded, before = _Inflated(image, data), b""
    for top in range(0, image.height, down):
        rows = min(down, image.height - top)
        lines = b"\0" + before if before else b""
        packed = zlib.compress(lines + coded.read(rows * line), 0)
        header = struct.pack(">II", image.width, rows + bool(before)) + data[24:29]
        part = b"".join(
            (data[:8], _chunk(b"IHDR", header), _chunk(b"IDAT", packed), _chunk(b"IEND", b""))
        )
        with Image.open(io.BytesIO(part), formats=("PNG",)) as strip:
            strip.load()
            whole = strip.size[1]
            yield strip.crop((0, bool(before), image.width, whole))
            before = strip.crop((0, whole - 1, image.width, whole)).tobytes()
    coded.finish()


def _chunk(name: bytes, content: bytes) -> bytes:
    check = zlib.crc32(content, zlib.crc32(name))
    return b"".join((struct.pack(">I", len(content)), name, content, struct.pack(">I", check)))


class _Inflated:
    """Reads the decompressed data of a PNG; its EXIF, which may come last, is put to the image."""

    def __init__(self, image: Any, data: bytes) -> None:
        self._unpack, self._packed = zlib.decompressobj(), self._chunks(data)
        self._image, self._rest = image, b""

    def _chunks(self, data: bytes) -> Iterator[bytes]:
        at = 8
        while at + 8 <= len(data):
            length, name = struct.unpack(">I4s", data[at : at + 8])
            content = data[at + 8 : at + 8 + length]
            if name in (b"IDAT", b"eXIf"):
                check = data[at + 8 + length : at + 12 + length]
                if check != struct.pack(">I", zlib.crc32(content, zlib.crc32(name))):
                    raise ValueError("a part of it does not match its checksum")
            if name == b"IDAT":
                yield content
            elif name == b"eXIf":
                self._image.info["exif"] = b"Exif\0\0" + content
            at += 12 + length

    def finish(self) -> None:
        """Look at what comes after the pixels."""
        for _ in self._packed:
            pass

    def read(self, size: int) -> bytes:
        """Return as many decompressed bytes; a ValueError says that there are fewer."""
        found, left = [], size
        while left:
            if not self._rest:
                self._rest = next(self._packed, b"")
                if not self._rest:
                    raise ValueError("it is cut off")
            piece = self._unpack.decompress(self._rest, left)
            self._rest = self._unpack.unconsumed_tail
            left -= len(piece)
            found.append(piece)
            if self._unpack.eof and left:
                raise ValueError("it is cut off")
        return b"".join(found)


def _strips_of_tiff(image: Any, data: bytes, share: int) -> Iterator[Image.Image] | None:
    """Return the strips of a TIFF whose samples lie together, else None."""
    tags = image.tag_v2
    tiled = _TILES in tags
    if image.mode not in _TIFF_MODES or tiled == (_STRIPS in tags):
        return None
    if tags.get(_PLANAR, 1) != 1 or tags.get(_ORIENTATION, 1) != 1:
        return None
    rows = tags.get(_TILE_HEIGHT if tiled else _ROWS, image.height)
    across = -(-image.width // tags[_TILE_WIDTH]) if tiled else 1
    down = -(-image.height // rows) if isinstance(rows, int) and rows > 0 else 0
    offsets, counts = (tags.get(tag, ()) for tag in
                       ((_TILES, _TILE_BYTES) if tiled else (_STRIPS, _STRIP_BYTES)))  # fmt: skip
    if not len(offsets) == len(counts) == across * down:
        return None
    places = list(zip(offsets, counts, strict=True))
    if down == 1 and tags.get(_COMPRESSION, 1) == 1 and not tiled:  # one strip, cut anywhere
        line, rows = counts[0] // image.height, 1
        places = [(offsets[0] + row * line, line) for row in range(image.height)]
    send_to_log()
    return _tiff_strips(image, data, rows, places, share) if len(places) > across else None


def _tiff_strips(
    image: Any, data: bytes, rows: int, places: list[tuple[int, int]], share: int
) -> Iterator[Image.Image]:
    """Yield strips of `share` times the rows that lie together, or a multiple."""
    across = len(places) // -(-image.height // rows)
    many = share * max(1, _STRIP // (image.width * rows * share))  # of `rows` each
    for top in range(0, image.height, many * rows):
        height = min(many * rows, image.height - top)
        first = top // rows * across
        parts = places[first : first + -(-height // rows) * across]
        part = _as_tiff(image.tag_v2, data, (image.width, height), rows, parts)
        with Image.open(io.BytesIO(part), formats=("TIFF",)) as strip:
            strip.load()
            yield strip


def _as_tiff(
    tags: Any, data: bytes, size: tuple[int, int], rows: int, places: list[tuple[int, int]]
) -> bytes:
    """Return some strips or tiles of a TIFF as a TIFF of their own."""
    coded = [data[:8], *(data[offset : offset + count] for offset, count in places)]
    ends = list(accumulate(map(len, coded)))
    starts, counts = (_TILES, _TILE_BYTES) if _TILES in tags else (_STRIPS, _STRIP_BYTES)
    page: dict[int, Any] = {tag: tags[tag] for tag in _CODING if tag in tags}
    page |= {_WIDTH: size[0], _HEIGHT: size[1], starts: ends[:-1]}
    page |= {counts: [count for _, count in places]} | ({} if _TILES in tags else {_ROWS: rows})
    return with_directories(
        b"".join(coded),
        [{tag: [each] if isinstance(each, int) else each for tag, each in page.items()}],
    )


def _strips_of_webp(image: Any, data: bytes, share: int) -> Iterator[Image.Image] | None:
    """Return the only strip of a WebP with even sides that neither moves nor has opacity, or None.

    OpenCV decodes it in 3 bytes for a pixel, where Pillow takes 12, and halves it on its way: each
    pixel is the mean of four. So the strip is already half as large.
    """
    moves, odd = getattr(image, "is_animated", False), image.width % 2 or image.height % 2
    if image.mode != "RGB" or moves or odd:
        return None
    flags = cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION
    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    if pixels is None or pixels.shape != (image.height // 2, image.width // 2, 3):
        raise ValueError("its pixels cannot be decoded")
    return iter([Image.fromarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))])


_WAYS: dict[str | None, Callable[[Any, bytes, int], Iterator[Image.Image] | None]] = {
    "PNG": _strips_of_png,
    "TIFF": _strips_of_tiff,
    "WEBP": _strips_of_webp,
}
