"""Pictures that would take too much memory or time are refused before they are decoded."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from helpers.pictures import (
    SIX,
    encoded,
    png_chunk,
    png_of_size,
)
from PIL import Image, features

from cnn_widgets.images import loading
from cnn_widgets.images.loading import load_image
from cnn_widgets.images.sample_gallery import gallery


@pytest.mark.parametrize("side", [8_000, 10_000, 30_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_by_its_header(side, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_size(side, side))
    refused_undecoded(path, r"bomb\.png has too many pixels.*50 million")


def refused_undecoded(picture: bytes | Path, words: str) -> None:
    with (
        patch("PIL.ImageFile.ImageFile.load", side_effect=AssertionError("decoded")),
        pytest.raises(ValueError, match=words),
    ):
        load_image(picture)


def test_a_jpeg_that_paints_a_wide_picture_a_thousand_times_is_refused():
    whole = encoded(Image.new("L", (3000, 2000)), "JPEG", progressive=True)
    assert load_image(whole).size == (2000, 3000)
    again = whole[whole.rindex(b"\xff\xc4") : -2]  # the last scan and its table
    refused_undecoded(
        whole[:-2] + again * 1000 + whole[-2:], "paints its 3000×2000 pixels 1006 times"
    )
    small = encoded(Image.new("L", (30, 20)), "JPEG", progressive=True)
    again = small[small.rindex(b"\xff\xc4") : -2]
    assert load_image(small[:-2] + again * 100 + small[-2:]).size == (20, 30)  # soon done
    followed = whole + b"\xff\xda\0\2" * 50_000  # a film after the picture, as telephones append
    assert load_image(followed).size == (2000, 3000)


def test_a_tiff_cut_out_of_one_vast_tile_is_refused():
    def tiled(side: int) -> bytes:
        tags = [(256, 4, 1, 10), (257, 4, 1, 10), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1),
                (277, 3, 1, 1), (322, 4, 1, side), (323, 4, 1, side)]  # fmt: skip
        tile = zlib.compress(bytes(side * side), 1)
        tags += [(324, 4, 1, 8), (325, 4, 1, len(tile))]
        directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
        return (b"II*\0" + struct.pack("<I", 8 + len(tile)) + tile
                + struct.pack("<H", len(tags)) + directory + bytes(4))  # fmt: skip

    assert load_image(tiled(512)).size == (10, 10)
    refused_undecoded(tiled(8192), "TIFF of 10×10 pixels in tiles of 67108864 pixels")


def test_a_header_of_a_million_parts_is_refused():
    jpeg, png = encoded(Image.fromarray(SIX), "JPEG"), encoded(Image.fromarray(SIX))
    for data in (
        jpeg[:2] + b"\xff" * 5_000_000 + jpeg[2:],
        jpeg[:2] + b"\xff\xfe\0\2" * 1_000_000 + jpeg[2:],
        png[:33] + png_chunk(b"teSt", b"") * 500_000 + png[33:],
        b"P5" + b" " * 5_000_000 + b"1 1 255\n\0",
    ):
        refused_undecoded(data, "it has more than 150000 parts")


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_the_smallest_and_the_narrowest_pictures_are_read(kind, size):
    sample = load_image(encoded(Image.new("RGB", size, (255, 0, 0)), kind))
    assert sample.size == size[::-1]
    assert np.abs(sample.pixels.astype(int) - [255, 0, 0]).max() <= 4


LARGE = """
import io, sys, time
from pathlib import Path
from PIL import Image
from cnn_widgets import load_image

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

data = Path(sys.argv[1]).read_bytes()
load_image(Path(sys.argv[2]).read_bytes())
before = peak()
ours, pillow = [], []  # the yardstick: Pillow decodes and turns the same file
for _ in range(2):
    started = time.perf_counter()
    pixels = load_image(data).pixels
    ours.append(time.perf_counter() - started)
    shape = pixels.shape
    del pixels
grown = peak() - before
for _ in range(2):
    started = time.perf_counter()
    Image.open(io.BytesIO(data)).convert("F").rotate(30, Image.Resampling.BILINEAR)
    pillow.append(time.perf_counter() - started)
print(*shape, min(ours), min(pillow), grown)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own figures")
@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"progressive": True, "subsampling": 0, "exif": 6}),
        ("JPEG", "CMYK", {}),
        ("PNG", "RGB", {"compress_level": 1}),
        ("PNG", "RGBA", {"compress_level": 1, "exif": 5}),
        ("PNG", "P", {"compress_level": 1, "transparency": bytes(range(256))}),
        ("PNG", "I;16", {"compress_level": 1}),
        ("TIFF", "F", {"exif": 8}),
        ("TIFF", "I", {}),
        ("WEBP", "RGB", {"method": 0}),
        ("GIF", "P", {}),
        ("BMP", "RGB", {}),
        ("AVIF", "RGB", {"speed": 10}),
    ],
)
def test_twenty_megapixels_are_read_soon_and_in_less_than_300_megabytes(
    kind, mode, options, tmp_path
):
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    image = Image.fromarray(gallery()["astronaut"].pixels)
    grey = np.asarray(image.convert("L")).astype(np.uint16) * 257
    image = Image.fromarray(grey) if mode == "I;16" else image.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = options.get("exif", 1)
    options = options | {"exif": exif} if "exif" in options else options
    image.save(tmp_path / "small", kind, **options)  # what a first picture costs is not counted
    image.resize((5472, 3648), Image.Resampling.NEAREST).save(tmp_path / "large", kind, **options)
    call = [sys.executable, "-c", LARGE, tmp_path / "large", tmp_path / "small"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    *shape, seconds, pillow, megabytes = map(float, done.stdout.split())
    print(kind, mode, list(options), f"{seconds:.2f} s of {pillow:.2f}, {megabytes:.0f} MB")
    assert shape == [*((5472, 3648) if exif[0x0112] >= 5 else (3648, 5472)), 3]
    assert seconds < 4 * pillow
    assert megabytes < 300


def test_a_pil_image_too_large_is_refused_unread(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png_of_size(8_000, 8_000))
    with Image.open(path) as image, pytest.raises(ValueError, match="8000×8000"):
        load_image(image)


def test_an_array_too_large_is_refused_without_being_copied():
    vast = np.broadcast_to(np.uint8(0), (10_000, 6_000, 3))
    with pytest.raises(ValueError, match="6000×10000"):
        load_image(vast)


def test_a_file_too_large_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "MAX_BYTES", 100)

    class Endless(io.RawIOBase):
        given = 0

        def read(self, size=-1):
            assert 0 < size <= 1001
            self.given += size
            return bytes(size)

    endless = Endless()
    with pytest.raises(ValueError, match="larger than"):
        load_image(endless)
    assert endless.given == 1001


def test_a_picture_without_pixels_is_refused():
    with pytest.raises(ValueError, match="no pixels"):
        load_image(Image.new("RGB", (0, 5)))
