"""Ten thousand damaged files: each is a right picture or one clear error, soon and in little room.

The damage is done in child processes without TensorFlow, so that time and memory are those of the
decoding alone, and so that what a C library prints or breaks is seen. This file is the child too.
"""

from __future__ import annotations

import io
import json
import os
import re
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import pytest
from helpers.pictures import tiled_tiff
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from cnn_widgets.images.loading import load_image
from cnn_widgets.images.sample_gallery import gallery

KINDS = ["JPEG", "PNG", "TIFF", "WEBP", "GIF", "BMP", "PPM"]
KINDS += ["AVIF"] if features.check("avif") else []
HERE = Path(__file__)
ENV = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, HERE.parents[1:3]))}  # for the child
SOON, MEGABYTES = 5, 300  # times what a whole photograph of 20 megapixels takes
NUMBERS = [0, 1, 2, 3, 7, 8, 16, 17, 255, 256, 4097, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31,
           2**32 - 1]  # fmt: skip


# real pictures, small, in every allowed format, mode and option


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def interlaced_png(pixels: np.ndarray, bits: int = 8) -> bytes:
    """Return RGB pixels as a PNG in the seven passes of Adam7."""
    height, width, _ = pixels.shape
    deep = pixels.astype(">u2") * 257 if bits == 16 else pixels
    lines = b""
    for top, left, down, across in [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4),
                                    (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]:  # fmt: skip
        lines += b"".join(b"\0" + line.tobytes() for line in deep[top::down, left::across])
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 1)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(lines))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def bmp_rle8() -> bytes:
    """Return 16 x 4 pixels, each line one run, as a BMP in run-length encoding."""
    body = b"".join(bytes([16, line, 0, 0]) for line in range(4)) + b"\0\1"
    palette = bytes(range(64)) + bytes(960)
    info = struct.pack("<IiiHHIIiiII", 40, 16, 4, 1, 8, 1, len(body), 0, 0, 256, 0)
    head = struct.pack("<2sIII", b"BM", 14 + 40 + 1024 + len(body), 0, 14 + 40 + 1024)
    return head + info + palette + body


@cache
def corpus(kind: str) -> tuple[bytes, ...]:
    """Return the undamaged files of a format."""
    photo = Image.fromarray(gallery()["astronaut"].pixels).resize((48, 32))
    pixels, grey, palette = np.asarray(photo), photo.convert("L"), photo.convert("P")
    clear = photo.copy()
    clear.putalpha(grey)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    frames = {"save_all": True, "append_images": [photo.rotate(90), photo.rotate(180)]}
    if kind == "JPEG":
        options = [{}, {"quality": 95, "subsampling": 0}, {"progressive": True}, {"exif": exif},
                   {"restart_marker_blocks": 2}, {"icc_profile": bytes(200)}]  # fmt: skip
        files = [encoded(photo, kind, **each) for each in options]
        files += [encoded(photo.convert(mode), kind) for mode in ("L", "CMYK")]
        files += [encoded(photo, "MPO", **frames)]
    elif kind == "PNG":
        modes = [photo, grey, clear, clear.convert("LA"), palette, photo.convert("1"),
                 Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)]  # fmt: skip
        files = [encoded(each, kind) for each in modes]
        files += [encoded(photo, kind, exif=exif, icc_profile=bytes(200), dpi=(72, 72))]
        files += [encoded(palette, kind, transparency=bytes(range(0, 256, 4)))]
        files += [encoded(photo, kind, transparency=(1, 2, 3)), encoded(photo, kind, **frames)]
        files += [interlaced_png(pixels), interlaced_png(pixels, 16)]
    elif kind == "TIFF":
        modes = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F", "I;16"]
        files = [encoded(photo.convert(mode), kind) for mode in modes[:-1]]
        files += [encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), kind)]
        files += [encoded(Image.new("LAB", (20, 10), (137, 208, 195)), kind)]
        files += [encoded(photo, kind, compression=each) for each in
                  ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")]  # fmt: skip
        files += [encoded(photo.convert("YCbCr"), kind, compression="jpeg")]
        files += [encoded(photo.convert("1"), kind, compression="group4")]
        files += [encoded(photo, kind, exif=exif), encoded(photo, kind, big_tiff=True)]
        files += [encoded(photo, kind, **frames), tiled_tiff(pixels)]
    elif kind == "WEBP":
        files = [encoded(photo, kind), encoded(photo, kind, lossless=True), encoded(clear, kind)]
        files += [encoded(photo, kind, exif=exif), encoded(photo, kind, **frames)]
    elif kind == "AVIF":
        files = [encoded(photo, kind), encoded(clear, kind), encoded(photo, kind, exif=exif)]
        files += [encoded(photo, kind, subsampling="4:4:4"), encoded(photo, kind, **frames)]
    elif kind == "GIF":
        files = [encoded(palette, kind), encoded(grey, kind), encoded(clear, kind)]
        files += [encoded(palette, kind, interlace=0), encoded(palette, kind, **frames)]
    elif kind == "BMP":
        files = [encoded(each, kind) for each in (photo, grey, palette, photo.convert("1"), clear)]
        head, size = files[0][:22], -32  # a negative height: the first line comes first
        files += [head + struct.pack("<i", size) + files[0][26:], bmp_rle8()]
    else:
        files = [encoded(each, kind) for each in (photo, grey, photo.convert("1"))]
        files += [b"P5 48 32 65535\n" + np.asarray(grey).astype(">u2").tobytes()]
        files += [b"P3 2 1 255\n" + b"1 2 3  4 5 6\n", b"P2 2 1 9\n 3 4\n", b"P1 2 1\n1 0\n"]
        files += [encoded(photo.convert("F"), kind)]
    return tuple(files)


@cache
def joints(data: bytes) -> tuple[int, ...]:
    """Return where the parts of a file begin: markers, chunks, boxes, tags, and its head."""
    found = re.finditer(
        rb"(?s)\xff[\xc0-\xfe]|[A-Za-z]{4}|[\x00-\x02][\xfe\x00-\x40]\x00[\x01-\x0d]\x00", data
    )
    return tuple(
        sorted({at for each in found for at in each.span() if 8 <= at < len(data)})
        or range(len(data))
    )


# what is done to them


def place(chance: Random, data: bytes) -> int:
    """Return where to strike: at a joint, or anywhere; seldom where the format is recognised."""
    if chance.random() < 0.5 and (found := joints(data)):
        return chance.choice(found)
    return chance.randrange(min(8, len(data) - 1), len(data))


def flip(chance: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        changed[place(chance, data)] = chance.randrange(256)
    return bytes(changed)


def number(chance: Random, data: bytes) -> bytes:
    """Set a field of two or four bytes to a number that programs stumble over."""
    at, value, size = place(chance, data), chance.choice(NUMBERS), chance.choice([2, 4])
    field = (value % 256**size).to_bytes(size, chance.choice(["big", "little"]))
    return data[:at] + field + data[at + size :]


def cut(chance: Random, data: bytes) -> bytes:
    return data[: place(chance, data)]


def span(chance: Random, data: bytes) -> bytes:
    """Delete, double, blank or scramble a span, or put one of another file there."""
    start = place(chance, data)
    end = start + chance.randint(1, chance.choice([4, 16, len(data)]))
    part, rest = data[start:end], data[end:]
    other = chance.choice(corpus(chance.choice(KINDS)))
    begin = place(chance, other)
    new = [b"", part + part, bytes(len(part)), b"\xff" * len(part), chance.randbytes(len(part)),
           other[begin : begin + len(part)]]  # fmt: skip
    return data[:start] + chance.choice(new) + rest


def swap(chance: Random, data: bytes) -> bytes:
    """Exchange two parts of the file: chunks and tags out of order."""
    a, b, c = sorted(place(chance, data) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


def whole_png(data: bytes) -> bytes:
    """Return a PNG with right check sums: damage behind them is what a decoder has to meet."""
    out, at = data[:8], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if at + 12 + length > len(data):
            break
        out += png_chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return out + data[at:]


@st.composite
def damaged(draw, kind: str) -> bytes:
    """Draw a file, and one to three blows; a seed says where they fall, evenly over the file."""
    data = draw(st.sampled_from(corpus(kind)))
    blows = draw(st.lists(st.sampled_from([flip, number, cut, span, swap]), min_size=1, max_size=3))
    chance = Random(draw(st.integers(0, 2**64 - 1)))
    for blow in blows:
        data = blow(chance, data) or data[:1]
    return whole_png(data) if kind == "PNG" and chance.random() < 0.7 else data


# the child


def verdict(data: bytes) -> str:
    """Return what became of an input; an AssertionError for what must not be."""
    try:
        pixels = load_image({"name": "holiday.jpg", "content": data}).pixels
    except ValueError as error:
        return family(error)
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3
    return "picture"


def family(error: ValueError) -> str:
    """Return which of the clear errors this one is."""
    words = str(error)
    assert type(error) is ValueError
    assert words.isprintable(), words  # one line
    assert len(words) < 400, words
    known = re.match(r"holiday\.jpg (is damaged|is an? |is of an unknown|has too many)", words)
    assert known, words
    return known[1].strip()


def high_water() -> float:
    """Return the greatest memory this process has had, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # the other figure begins with that of the parent
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(peak) / 2**10
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def seconds_of(read: Callable[[], object], enough: float = 0) -> float:
    """Return the shortest of up to three runs: what is slow is slow every time."""
    took = np.inf
    for _ in range(3):
        started = time.perf_counter()
        read()
        took = min(took, time.perf_counter() - started)
        if took < enough:
            break
    return took


def photograph_seconds() -> float:
    """Return what reading a photograph of 20 megapixels takes, in a process of its own."""
    call = [sys.executable, __file__, "a photograph"]
    return float(subprocess.run(call, capture_output=True, text=True, check=True, env=ENV).stdout)


def read_a_photograph() -> float:
    photograph = Image.fromarray(gallery()["astronaut"].pixels).resize((5472, 3648))
    data = encoded(photograph, "JPEG")
    return seconds_of(lambda: load_image(data))


def child(kind: str, count: int) -> dict[str, object]:
    outcomes: Counter[str] = Counter()
    seen: set[bytes] = set()
    worst = (0.0, "")
    limit = SOON * photograph_seconds()
    for data in corpus(kind):
        assert verdict(data) == "picture"
    before = high_water()

    @settings(max_examples=count, derandomize=True, database=None, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(damaged(kind))
    def each_is_a_picture_or_one_error(data):
        nonlocal worst, limit
        outcome = ""

        def read():
            nonlocal outcome
            outcome = verdict(data)

        took = seconds_of(read, limit / 4)
        if took >= limit:  # a busy machine is slow at everything
            limit = SOON * photograph_seconds()
        assert took < limit, f"{took:.1f} seconds, of {limit:.1f} allowed"
        assert high_water() - before < MEGABYTES, f"{high_water() - before:.0f} MB"
        outcomes[outcome] += 1
        seen.add(hash(data).to_bytes(8, "big", signed=True))
        worst = max(worst, (took / limit, outcome))

    each_is_a_picture_or_one_error()
    return {"tried": outcomes.total(), "different": len(seen), "outcomes": dict(outcomes),
            "worst": worst[0], "megabytes": high_water() - before}  # fmt: skip


def in_a_child(kind: str, count: int = 1500) -> dict[str, object]:
    call = [sys.executable, "-W", "error", __file__, kind, str(count)]
    done = subprocess.run(
        call, capture_output=True, text=True, cwd=Path(__file__).parents[2], env=ENV
    )
    assert done.returncode == 0, kind + done.stdout[-2000:] + done.stderr[-6000:]
    assert done.stderr == ""
    told = json.loads(done.stdout)
    print(kind, told)
    return told


@pytest.mark.parametrize("kind", KINDS)
def test_every_undamaged_file_is_a_picture(kind):
    for data in corpus(kind):
        assert verdict(data) == "picture"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_anywhere_is_an_error_or_the_whole_picture_never_a_part(kind):
    outcomes = Counter()
    for data in corpus(kind):
        whole = load_image(data).pixels
        step = max(1, len(data) // 100)
        for end in {*range(1, len(data), step), *range(max(1, len(data) - 12), len(data))}:
            part = {"name": "holiday.jpg", "content": data[:end]}
            try:
                pixels = load_image(part).pixels
            except ValueError as error:
                outcomes[family(error)] += 1
            else:  # only what comes after the picture was missing
                outcomes["picture"] += 1
                assert np.array_equal(pixels, whole)
    assert outcomes["is damaged"] > outcomes["picture"]


@pytest.mark.parametrize("kind", KINDS)
def test_some_damaged_files_are_pictures_or_clear_errors(kind):
    outcomes = Counter()

    @settings(max_examples=60, derandomize=True, database=None, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(damaged(kind))
    def each_is_a_picture_or_one_error(data):
        outcomes[verdict(data)] += 1

    each_is_a_picture_or_one_error()
    assert outcomes["picture"]
    assert outcomes.total() > outcomes["picture"]


@pytest.mark.slow
def test_ten_thousand_damaged_files_are_pictures_or_clear_errors_soon_and_in_little_room():
    with ThreadPoolExecutor(2) as pair:
        told = dict(zip(KINDS, pair.map(in_a_child, KINDS), strict=True))
    assert sum(each["tried"] for each in told.values()) >= 10_000
    for each in told.values():
        assert each["different"] > 0.9 * each["tried"]
        assert each["outcomes"]["picture"] > 0.02 * each["tried"]  # not all damage is too coarse
        assert each["outcomes"]["is damaged"] > 0.02 * each["tried"]
        assert each["worst"] < 1
        assert each["megabytes"] < MEGABYTES


if __name__ == "__main__":
    if sys.argv[1] == "a photograph":
        print(read_a_photograph())
    else:
        print(json.dumps(child(sys.argv[1], int(sys.argv[2]))))
