"""Small pictures made for tests, and how they are compared."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_widgets.images.loading import load_image

# 2 rows, 3 columns, six colours that cannot be confused
SIX = np.array(
    [
        [[255, 0, 0], [0, 255, 0], [0, 0, 255]],
        [[255, 255, 0], [0, 255, 255], [255, 0, 255]],
    ],
    np.uint8,
)


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG whose header announces a size that its few bytes do not hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(bytes(100_000)))
        + png_chunk(b"IEND", b"")
    )


def tiled_tiff(pixels: np.ndarray, side: int = 16) -> bytes:
    """Return RGB pixels as a TIFF in deflated tiles."""
    height, width, _ = pixels.shape
    down, across = -(-height // side), -(-width // side)
    full = np.zeros((down * side, across * side, 3), np.uint8)
    full[:height, :width] = pixels
    blocks = full.reshape(down, side, across, side, 3).swapaxes(1, 2)
    tiles = [zlib.compress(block.tobytes()) for row in blocks for block in row]
    starts = np.cumsum([8] + [len(tile) for tile in tiles])
    after = int(starts[-1])
    bits, places = after, after + 6
    lengths = places + 4 * len(tiles)
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, bits), (259, 3, 1, 8),
            (262, 3, 1, 2), (277, 3, 1, 3), (322, 4, 1, side), (323, 4, 1, side),
            (324, 4, len(tiles), places), (325, 4, len(tiles), lengths)]  # fmt: skip
    data = b"".join(tiles) + struct.pack("<3H", 8, 8, 8)
    data += struct.pack(f"<{len(tiles)}I", *starts[:-1])
    data += struct.pack(f"<{len(tiles)}I", *map(len, tiles))
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<I", 8 + len(data))
    return head + data + struct.pack("<H", len(tags)) + directory + bytes(4)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "six colours.v2.png"
    Image.fromarray(SIX).save(path)
    return path


GREY = np.array([[0, 100, 255], [50, 128, 200]], np.uint8)


def assert_grey(source, expected, slack=0):
    pixels = load_image(source).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == (*np.shape(expected), 3)
    assert np.abs(pixels.astype(int) - np.asarray(expected)[..., None]).max() <= slack


def from_lab(lightness: float, a: float, b: float) -> np.ndarray:
    """Return CIE L*a*b* (D50) as sRGB, 0 to 255, by CIE 15, Bradford and IEC 61966-2-1."""
    y = (lightness + 16) / 116
    cube = np.array([y + a / 500, y, y - b / 200])
    low = (cube - 4 / 29) * 3 * (6 / 29) ** 2
    xyz = np.array([0.9642, 1, 0.8249]) * np.where(cube > 6 / 29, cube**3, low)
    linear = np.array([[3.1338561, -1.6168667, -0.4906146], [-0.9787684, 1.9161415, 0.0334540],
                       [0.0719453, -0.2289914, 1.4052427]]) @ xyz  # fmt: skip
    linear = linear.clip(0, 1)
    return 255 * np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
