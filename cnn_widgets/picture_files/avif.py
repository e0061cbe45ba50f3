"""The true size of the pictures in an AVIF, found without decoding them.

An AVIF states its size in a box (`ispe`), and its coded data state one again. The decoder makes
room for the latter: 3 kB that state 64×64 may hold 16384×16384 pixels, which take a gigabyte.
Reference for the boxes: ISO/IEC 14496-12, sections 8.5 to 8.7 and 8.11.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from PIL import Image

from cnn_widgets.picture_files.av1 import frame_sizes
from cnn_widgets.picture_files.damage import damage_as_value_error
from cnn_widgets.picture_files.limits import MAX_PIXELS, Parts

_MOST_TIMES = 2  # what is coded has a margin, at most half of it
_SMALL = 2**20  # pixels that are never too many
_MOST_TOGETHER = 4 * MAX_PIXELS  # colours, opacity, brightness and thumbnail, or many tiles
_MOST_BYTES = 2**30  # of all items, of which equal ones may lie at the same place
_CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}


def refuse_hidden_pixels(image: Image.Image, data: bytes, label: str) -> None:
    """Raise a ValueError for an AVIF in which far more pixels are coded than it states.

    Parameters
    ----------
    image : PIL image
        Opened, but not decoded yet.
    data : bytes
        The file's content.
    label : str
        The name of the picture in the message.
    """
    with damage_as_value_error(label):
        sizes = coded_sizes(data)
    width, height = max(sizes, key=math.prod)
    if width * height > max(_SMALL, _MOST_TIMES * image.width * image.height):
        raise ValueError(
            f"{label} is an AVIF that states {image.width}×{image.height} pixels and holds "
            f"{width}×{height}, which would take too much memory. Save it again as PNG."
        )
    if sum(map(math.prod, sizes)) > _MOST_TOGETHER:
        raise ValueError(
            f"{label} is an AVIF of {len(sizes)} parts, with more than {_MOST_TOGETHER // 10**6} "
            "million pixels together, and would take too long. Save it again as PNG."
        )


def coded_sizes(data: bytes) -> list[tuple[int, int]]:
    """Return (width, height) of everything that is coded in an AVIF; at least one.

    Of a film only the first frame counts, which is the one that is shown.

    Parameters
    ----------
    data : bytes
        The file's content.

    Raises
    ------
    ValueError
        If the boxes or the coded data are not as the specifications say.
    """
    parts = Parts()
    found = [size for each in _coded(data, parts) for size in frame_sizes(each, parts)]
    if not found:
        raise ValueError("it does not tell the size of its pixels")
    return found


@dataclass
class _Track:
    """Where the samples of a track lie, as far as its boxes were read."""

    codecs: set[bytes] = field(default_factory=set)
    chunks: list[int] = field(default_factory=list)
    first_bytes: int = 0


def _coded(data: bytes, parts: Parts) -> Iterator[bytes]:
    """Yield the AV1 data of each item, and of the first sample of each track."""
    for name, start, end in _boxes(data, 0, len(data), parts):
        if name == b"meta":
            yield from _items(data, start + 4, end, parts)
        elif name == b"moov":
            for inner, first, last in _boxes(data, start, end, parts):
                if inner == b"trak":
                    yield from _first_sample(data, _track(data, first, last, _Track(), parts))


def _boxes(data: bytes, at: int, end: int, parts: Parts) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, start of content, end of content) of the boxes between two places."""
    while at + 8 <= end:
        parts.take()
        size, name, start = _number(data, at, 4), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, start = _number(data, at + 8, 8), at + 16
        stop = end if size == 0 else at + size
        if stop < start or stop > end:
            raise ValueError(f"its part {name!r} is longer than the file")
        yield name, start, stop
        at = stop


def _number(data: bytes, at: int, size: int) -> int:
    """Return a whole number of so many bytes; 0 for no bytes."""
    if at + size > len(data):
        raise ValueError("it is cut off")
    return int.from_bytes(data[at : at + size], "big")


def _items(data: bytes, at: int, end: int, parts: Parts) -> Iterator[bytes]:
    """Yield the data of each AV1 item that a `meta` box describes."""
    coded: set[int] = set()
    places: list[tuple[int, int, list[tuple[int, int]]]] = []
    inside, left = (end, end), _MOST_BYTES  # inside the box idat
    for name, start, stop in _boxes(data, at, end, parts):
        if name == b"iinf":
            wide = 2 if data[start] == 0 else 4
            for kind, first, _ in _boxes(data, start + 4 + wide, stop, parts):
                number = 2 if data[first] < 3 else 4
                type_at = first + 4 + number + 2
                if kind == b"infe" and data[type_at : type_at + 4] == b"av01":
                    coded.add(_number(data, first + 4, number))
        elif name == b"iloc":
            places += _locations(data, start, parts)
        elif name == b"idat":
            inside = (start, stop)
    for item, method, extents in places:
        if item in coded:
            low, high = inside if method == 1 else (0, len(data))
            spans = [
                (low + offset, min(low + offset + length, high) if length else high)
                for offset, length in extents
            ]
            left -= sum(max(0, stop - start) for start, stop in spans)
            if left < 0:
                raise ValueError("its items lie over each other a thousand times")
            yield b"".join(data[start:stop] for start, stop in spans)


def _locations(
    data: bytes, at: int, parts: Parts
) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Yield (item, construction method, [(offset, length)]) of a box `iloc`."""
    version, sizes = data[at], _number(data, at + 4, 2)
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version in (1, 2) else 0
    wide = 4 if version == 2 else 2
    count, at = _number(data, at + 6, wide), at + 6 + wide
    for _ in range(count):
        parts.take()
        item, at = _number(data, at, wide), at + wide
        method = 0
        if version in (1, 2):
            method, at = _number(data, at, 2) & 15, at + 2
        base, at = _number(data, at + 2, base_bytes), at + 2 + base_bytes
        number, at = _number(data, at, 2), at + 2
        extents = []
        for _ in range(number):
            parts.take()
            at += index_bytes
            offset, at = _number(data, at, offset_bytes), at + offset_bytes
            length, at = _number(data, at, length_bytes), at + length_bytes
            extents.append((base + offset, length))
        yield item, method, extents


def _track(data: bytes, at: int, end: int, found: _Track, parts: Parts) -> _Track:
    """Read the boxes of a track that say where its samples lie."""
    for name, start, stop in _boxes(data, at, end, parts):
        if name in _CONTAINERS:
            _track(data, start, stop, found, parts)
        elif name == b"stsd":
            found.codecs |= {kind for kind, _, _ in _boxes(data, start + 8, stop, parts)}
        elif name in (b"stco", b"co64"):
            wide = 4 if name == b"stco" else 8
            found.chunks.append(_number(data, start + 8, wide))
        elif name == b"stsz":
            fixed = _number(data, start + 4, 4)
            found.first_bytes = max(found.first_bytes, fixed or _number(data, start + 12, 4))
    return found


def _first_sample(data: bytes, track: _Track) -> Iterator[bytes]:
    if b"av01" in track.codecs:
        for chunk in track.chunks:
            yield data[chunk : chunk + track.first_bytes]
