"""Refuses decompression bombs: small files that would take far too much memory or time to decode.

Each kind is recognised before decoding: more pixels than fit into memory, a progressive JPEG with
a thousand scans, a TIFF with one huge tile for a few pixels, and a header of a million parts.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from PIL import Image

#: The largest number of pixels, H · W, of any picture.
MAX_PIXELS = 50_000_000
#: The largest size in bytes of the channels that are kept besides the pixels shown: as much as RGBA
#: of 8 bits takes for the largest picture.
MAX_BAND_BYTES = 4 * MAX_PIXELS
_MAX_READS = 150_000  # three times as many as a photograph of 100 MB takes
_MAX_SCANS = 24  # a progressive JPEG usually has 10, a baseline JPEG up to 4
_MAX_PAINTED_PIXELS = 10 * MAX_PIXELS  # pixels times scans; decoding takes one to two seconds
_MAX_TILE_PIXELS = 2**24
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # not ff 00, no restart marker

# TIFF tag numbers
_TILE_WIDTH, _TILE_LENGTH = 322, 323


class BoundedReader(io.BytesIO):
    """A file in memory whose `read` can be called a limited number of times.

    Pillow reads a header in small pieces, so a crafted header of 10 MB would take it 15 seconds.
    """

    #: How many further calls of `read` are allowed.
    left = _MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes; raise a ValueError after too many calls."""
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"it has more than {_MAX_READS} parts")
        return super().read(size)


@dataclass
class Parts:
    """Counts the parts of a file that are looked at, which a crafted file has by the million."""

    left: int = _MAX_READS

    def take(self) -> None:
        """Count one part; raise a ValueError after too many."""
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"it has more than {_MAX_READS} parts")


def too_many_pixels(label: str, size: tuple[int, int] | None = None) -> str:
    """Return the error message for too many pixels; `size` is (width, height)."""
    measured = f" ({size[0]}×{size[1]})" if size else ""
    return f"{label} has too many pixels{measured}; at most {MAX_PIXELS // 10**6} million are read."


def too_many_values(label: str, shape: tuple[int, ...], item_bytes: int) -> str:
    """Return the error message for too many values; `shape` is (H, W, C)."""
    height, width, count = shape
    megabytes = height * width * count * item_bytes / 10**6
    return (
        f"{label} has too many values ({width}×{height} pixels of {count} channels take "
        f"{megabytes:.0f} MB); at most {MAX_BAND_BYTES // 10**6} MB are kept."
    )


def refuse_decompression_bombs(image: Image.Image, data: bytes, label: str) -> None:
    """Raise a ValueError for a picture that would take too much memory or time to decode.

    Parameters
    ----------
    image : PIL image
        Opened, but not decoded yet.
    data : bytes
        The file's content.
    label : str
        The name of the picture in the message.
    """
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise ValueError(too_many_pixels(label, image.size))
    scans = _scan_count(data) if image.format in ("JPEG", "MPO") else 0
    if scans > _MAX_SCANS and scans * max(pixels, 4096) > _MAX_PAINTED_PIXELS:
        raise ValueError(
            f"{label} is a JPEG that paints its {image.width}×{image.height} pixels {scans} times "
            "and would take too long. Save it again as a usual JPEG."
        )
    refuse_vast_tile(image, label)


def refuse_vast_tile(image: Image.Image, label: str) -> None:
    """Raise a ValueError for a TIFF with few pixels out of one huge tile; see above."""
    tile = _tile_pixels(image)
    if tile > max(_MAX_TILE_PIXELS, 2 * image.width * image.height):
        raise ValueError(
            f"{label} is a TIFF of {image.width}×{image.height} pixels in tiles of {tile} pixels, "
            "which would take too much memory. Save it again as PNG."
        )


def _scan_count(data: bytes) -> int:
    """Return the number of scans of a JPEG (0 if few), by counting markers without decoding."""
    if data.count(b"\xff\xda") <= _MAX_SCANS:  # a fast upper bound that suffices for usual files
        return 0
    at, scans = 2, 0
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == 0xD9:  # end of image; another picture or a video may follow
            break
        scans += marker == 0xDA
        if marker not in (0x01, 0xD8):  # all other segments start with their length
            at += int.from_bytes(data[at : at + 2], "big")
    return scans


def _tile_pixels(image: Image.Image) -> int:
    """Return the number of pixels of one tile of a TIFF, or 0 for a picture without tiles."""
    tags = getattr(image, "tag_v2", {})
    width, length = tags.get(_TILE_WIDTH), tags.get(_TILE_LENGTH)
    return width * length if isinstance(width, int) and isinstance(length, int) else 0
