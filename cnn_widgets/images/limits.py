"""Pictures that are small as files and endless when opened, known before they are decoded.

A header may announce more pixels than fit into memory; a progressive JPEG may paint them a
thousand times; a TIFF may cut ten pixels out of one vast tile; and a header may itself be made of
a million parts. No photograph is like that.
"""

from __future__ import annotations

import io
import re

from PIL import Image

MAX_PIXELS = 50_000_000
_READS = 150_000  # a photograph of 100 MB takes a third of them
_SCANS = 24  # a usual progressive JPEG has 10, a baseline one up to 4
_PAINTED = 10 * MAX_PIXELS  # pixels times scans, a second or two
_TILE = 2**24
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")  # neither stuffing nor a restart

# TIFF's numbers for the sides of a tile
_TILE_WIDTH, _TILE_LENGTH = 322, 323


class BoundedReader(io.BytesIO):
    """An encoded file that is not read in more pieces than a photograph has.

    Pillow reads a header piece by piece, ten megabytes of it for a quarter of a minute.
    """

    left = _READS

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes; a ValueError when patience is at its end."""
        self.left -= 1
        if self.left < 0:
            raise ValueError(f"it has more than {_READS} parts")
        return super().read(size)


def too_many_pixels(label: str, size: tuple[int, int] | None = None) -> str:
    """Return the words for a picture of too many pixels; `size` is its width and height."""
    measured = f" ({size[0]}×{size[1]})" if size else ""
    return f"{label} has too many pixels{measured}; at most {MAX_PIXELS // 10**6} million are read."


def refuse_decompression_bombs(image: Image.Image, data: bytes, label: str) -> None:
    """Raise a ValueError for a picture that is opened, not yet decoded, and would be too much."""
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise ValueError(too_many_pixels(label, image.size))
    scans = _scans(data) if image.format in ("JPEG", "MPO") else 0
    if scans > _SCANS and scans * max(pixels, 4096) > _PAINTED:
        raise ValueError(
            f"{label} is a JPEG that paints its {image.width}×{image.height} pixels {scans} times "
            "and would take too long. Save it again as a usual JPEG."
        )
    tile = _tile(image)
    if tile > max(_TILE, 2 * pixels):
        raise ValueError(
            f"{label} is a TIFF of {image.width}×{image.height} pixels in tiles of {tile} pixels, "
            "which would take too much memory. Save it again as PNG."
        )


def _scans(data: bytes) -> int:
    """Return how often a JPEG goes over its pixels, without reading them."""
    if data.count(b"\xff\xda") <= _SCANS:  # the usual case, as quick as can be
        return 0
    at, scans = 2, 0
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker == 0xD9:  # the end; what follows is another picture, or a film
            break
        scans += marker == 0xDA
        if marker not in (0x01, 0xD8):  # the others say how long they are
            at += int.from_bytes(data[at : at + 2], "big")
    return scans


def _tile(image: Image.Image) -> int:
    """Return the pixels of one tile of a TIFF, 0 where there are no tiles."""
    tags = getattr(image, "tag_v2", {})
    width, length = tags.get(_TILE_WIDTH), tags.get(_TILE_LENGTH)
    return width * length if isinstance(width, int) and isinstance(length, int) else 0
