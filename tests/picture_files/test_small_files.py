"""A small file takes no more memory than the limits say, whatever it was made to unpack to.

Each is read in a process of its own, whose greatest memory is compared with that before.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from helpers import crafted
from helpers.pictures import encoded, png_chunk
from PIL import Image, features

from cnn_widgets.images.decoding import formats

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own figures"),
]

READ = """
import sys
from pathlib import Path
from cnn_widgets.images.decoding import formats
from cnn_widgets.images.loading import load_image

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

formats()
before = peak()
try:
    print(load_image(sys.argv[1]).size)
except ValueError as error:
    print(error)
print(peak() - before)
"""


def flat(side: int, mode: str = "RGB") -> Image.Image:
    return Image.new(mode, (side, side))


def jpeg_strip() -> bytes:
    """Return a TIFF of 64×64 pixels whose JPEG strip holds 4000×4000."""
    data = encoded(flat(4000), "TIFF", compression="jpeg", strip_size=2**30)
    start = int.from_bytes(data[4:8], "little") + 2  # of the directory: tags of 12 bytes
    for at in range(start, start + 24, 12):  # the first two are width and height
        assert data[at : at + 2] in (b"\0\1", b"\1\1")
        data = data[: at + 8] + (64).to_bytes(4, "little") + data[at + 12 :]
    return data


def text_that_unpacks() -> bytes:
    packed = b"x\0\0" + zlib.compress(bytes(2**27), 9)
    before = png_chunk(b"iCCP", packed) + png_chunk(b"zTXt", packed)
    return crafted.png_of((64, 64), 1, before)


AVIF, HEIF, OTHERS = "AVIF", "HEIF", ""
CRAFTED = {
    "an AVIF that states 64×64": (
        AVIF,
        lambda: crafted.avif_that_states((64, 64), flat(8000), subsampling="4:4:4"),
        "holds 8000×8000",
    ),
    "a film in AVIF that states 64×64": (
        AVIF,
        lambda: crafted.film_that_states((64, 64), flat(6000)),
        "holds 6000×6000",
    ),
    "a grid in AVIF": (
        AVIF,
        lambda: crafted.avif_grid(flat(5000), (64, 64), 4),
        "holds 5000×5000",
    ),
    "a HEIC that states 64×64": (
        HEIF,
        lambda: crafted.heic_that_states((64, 64), flat(2000)),
        "is damaged",
    ),
    "a GIF of a small screen": (
        OTHERS,
        lambda: crafted.gif_of_a_small_screen(flat(8000, "P")),
        "too many pixels",
    ),
    "a WebP of a small canvas": (
        OTHERS,
        lambda: crafted.webp_of_a_small_canvas(flat(4000), False),
        "is damaged",
    ),
    "a WebP of a small canvas and frame": (
        OTHERS,
        lambda: crafted.webp_of_a_small_canvas(flat(4000), True),
        "is damaged",
    ),
    "a TIFF of a long strip": (OTHERS, lambda: crafted.tiff_of_a_long_strip(128, 64), "(64, 64)"),
    "a TIFF of endless rows": (
        OTHERS,
        lambda: crafted.tiff_of_a_long_strip(128, 2**31 - 1),
        "(64, 64)",
    ),
    "a TIFF of a vast JPEG": (OTHERS, jpeg_strip, "is damaged"),
    "a PNG that goes on": (OTHERS, lambda: crafted.png_of((64, 64), 128), "(64, 64)"),
    "a PNG of much text": (OTHERS, text_that_unpacks, "is damaged"),
}


@pytest.mark.parametrize("what", CRAFTED)
def test_a_small_file_takes_little_memory(what, tmp_path):
    kind, craft, words = CRAFTED[what]
    needs(kind)
    said, megabytes, size = read_in_a_child(craft(), tmp_path)
    print(f"{what}: {size / 1024:.0f} kB, {megabytes:.0f} MB, {said}")
    assert words in said
    assert megabytes < 40


@pytest.mark.parametrize("kind", ["PNG", "WEBP", AVIF])
def test_an_honest_small_file_of_many_pixels_takes_what_its_pixels_take_several_times_at_most(
    kind, tmp_path
):
    needs(kind)
    options = {
        "WEBP": {"method": 0},
        "AVIF": {"speed": 10, "max_threads": 1, "subsampling": "4:4:4"},
        "PNG": {"compress_level": 1},
    }
    data = encoded(flat(4000), kind, **options.get(kind, {}))
    said, megabytes, size = read_in_a_child(data, tmp_path)
    print(f"{kind}: {size / 1024:.0f} kB, {megabytes:.0f} MB")
    assert said == "(4000, 4000)"
    assert megabytes < 4.5 * 3 * 16 + 10


def needs(kind: str) -> None:
    if (kind == AVIF and not features.check("avif")) or (kind == HEIF and HEIF not in formats()):
        pytest.skip(f"{kind} is not read here")
    if kind == HEIF:
        importlib.import_module("pillow_heif").register_heif_opener()


def read_in_a_child(data: bytes, folder: Path) -> tuple[str, float, int]:
    """Return what is said of a file, the megabytes that it takes, and its size in bytes."""
    (folder / "picture").write_bytes(data)
    call = [sys.executable, "-c", READ, folder / "picture"]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    said, megabytes = done.stdout.splitlines()
    assert done.stderr == ""
    return said, float(megabytes), len(data)
