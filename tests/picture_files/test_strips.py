"""A large PNG, TIFF or WebP, decoded in parts, is the same as decoded whole and shrunk then."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from helpers.pictures import encoded, png_chunk, tiled_tiff
from PIL import Image

from cnn_widgets.images.decoding import decode
from cnn_widgets.images.loading import load_image
from cnn_widgets.picture_files import strips
from cnn_widgets.picture_files.strips import shrunk

NOISE = np.random.default_rng(0).integers(0, 256, (37, 53, 3), np.uint8)
PHOTO = Image.fromarray(NOISE).resize((533, 371), Image.Resampling.BICUBIC)
EVEN = PHOTO.resize((534, 370))
CLEAR = PHOTO.copy()
CLEAR.putalpha(PHOTO.convert("L"))


@pytest.fixture(autouse=True)
def small_counts_as_large(monkeypatch):
    monkeypatch.setattr(strips, "_LARGE", 0)
    monkeypatch.setattr(strips, "_STRIP", 2000)


def read(data: bytes, at_least: int) -> Image.Image | None:
    return shrunk(Image.open(io.BytesIO(data)), data, at_least)


def assert_same_as_whole(data: bytes, share: int) -> None:
    found = read(data, 371 // share)
    with Image.open(io.BytesIO(data)) as whole:
        expected = whole.reduce(share)
    assert found is not None
    assert found.mode == expected.mode
    assert np.array_equal(np.asarray(found), np.asarray(expected))


@pytest.mark.parametrize("share", [2, 4, 8])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_a_png_in_strips_is_the_whole_one_shrunk(mode, share):
    assert_same_as_whole(encoded(CLEAR.convert(mode)), share)


@pytest.mark.parametrize("share", [2, 8])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "CMYK"])
@pytest.mark.parametrize(
    "options",
    [
        {"compression": "raw"},
        {"compression": "tiff_lzw"},
        {"compression": "tiff_lzw", "tiffinfo": {317: 2}},
        {"compression": "tiff_adobe_deflate"},
        {"compression": "packbits"},
        {"compression": "jpeg"},
        {"compression": "tiff_lzw", "big_tiff": True},
    ],
)
def test_a_tiff_in_strips_is_the_whole_one_shrunk(mode, options, share):
    image = CLEAR.convert(mode)
    data = encoded(image, "TIFF", strip_size=533 * 7 * len(mode), **options)
    assert_same_as_whole(data, share)


def test_a_tiff_of_tiles_is_the_whole_one_shrunk():
    assert_same_as_whole(tiled_tiff(np.asarray(PHOTO), 48), 4)


def test_the_shorter_side_keeps_as_many_pixels_as_are_asked_for():
    data = encoded(PHOTO)
    sizes = [read(data, at_least).size for at_least in (46, 47, 92, 93, 185)]
    assert sizes == [(67, 47), (134, 93), (134, 93), (267, 186), (267, 186)]
    assert read(data, 186) is None


def test_a_usual_photograph_is_decoded_whole_and_so_exactly(monkeypatch):
    monkeypatch.undo()
    assert read(encoded(PHOTO), 10) is None
    assert np.array_equal(load_image(encoded(PHOTO), at_least=10).pixels, np.asarray(PHOTO))


@pytest.mark.parametrize(
    ("data", "mode"),
    [
        (encoded(PHOTO.convert("P")), "RGB"),
        (encoded(PHOTO.convert("1")), "L"),
        (encoded(PHOTO.convert("P"), transparency=bytes(range(256))), "RGBA"),
        (encoded(PHOTO, transparency=(1, 2, 3)), "RGBA"),
        (encoded(PHOTO.convert("1"), "TIFF", compression="group4"), "L"),
        (encoded(PHOTO.convert("P"), "GIF"), "RGB"),
        (encoded(PHOTO, "WEBP"), "RGB"),
        (encoded(CLEAR, "WEBP"), "RGBA"),
        (encoded(PHOTO, "WEBP", save_all=True, append_images=[PHOTO.rotate(90)]), "RGB"),
        (encoded(PHOTO, "BMP"), "RGB"),
    ],
)
def test_what_pillow_decodes_whole_is_shrunk_in_strips_too(data, mode):
    found = read(data, 90)
    with Image.open(io.BytesIO(data)) as whole:
        expected = whole.convert(mode).reduce(4)
    assert found.mode == mode
    assert np.array_equal(np.asarray(found), np.asarray(expected))
    sample = load_image(data, at_least=90)
    assert sample.size == (93, 134)
    assert (sample.channels == 4) == (mode == "RGBA")


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.fromarray(np.asarray(PHOTO.convert("L")).astype(np.uint16) * 257)),
        encoded(PHOTO.convert("F"), "TIFF"),
        encoded(PHOTO.convert("I"), "TIFF"),
    ],
)
def test_more_than_8_bits_are_kept_at_their_full_size(data):
    assert read(data, 10) is None
    assert load_image(data, at_least=10).size == (371, 533)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_every_orientation_is_that_of_the_whole_picture(kind, turned):
    exif = Image.Exif()
    exif[0x0112] = turned
    smooth = Image.linear_gradient("L").resize((533, 371)).rotate(30).convert("RGB")
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(smooth, kind, exif=exif, **options)
    small, whole = load_image(data, at_least=90), load_image(data)
    width, height = small.size[::-1]
    again = np.asarray(Image.fromarray(whole.pixels).resize((width, height), Image.Resampling.BOX))
    assert small.size == ((134, 93) if turned >= 5 else (93, 134))
    assert np.abs(small.pixels.astype(int) - again).mean() < 3


def test_orientation_and_opacity_are_as_of_the_whole_picture():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(CLEAR, exif=exif)
    found, whole = decode(data, "photo", 90), decode(data, "photo")
    assert found.pixels.shape == (134, 93, 3)
    assert found.data.shape == (134, 93, 4)
    assert whole.pixels.shape == (533, 371, 3)
    mean = whole.pixels[:532, -368:].reshape(133, 4, 92, 4, 3).mean((1, 3))
    assert np.abs(found.pixels[:133, -92:].astype(float) - mean).mean() < 8
    after = data.index(b"eXIf") - 4  # telephones write it last
    length = int.from_bytes(data[after : after + 4], "big") + 12
    last = data[:after] + data[after + length : -12] + data[after : after + length] + data[-12:]
    assert np.array_equal(decode(last, "photo", 90).pixels, found.pixels)


def test_damage_is_one_clear_error_never_a_part_of_the_picture():
    png = encoded(PHOTO)
    tiff = encoded(PHOTO, "TIFF", strip_size=533 * 21, compression="tiff_lzw")
    broken = bytearray(png)
    broken[len(png) // 2] ^= 255
    short = png[:33] + png_chunk(b"IDAT", b"x\x9c\x03\0\0\0\0\1") + png_chunk(b"IEND", b"")
    half = bytearray(tiff)
    half[5000:9000] = b"\xff" * 4000
    webp = encoded(EVEN, "WEBP")
    cut = [each[: len(each) // 2] for each in (png, webp, encoded(EVEN, "WEBP", lossless=True))]
    for data in (*cut, webp[:-9], bytes(broken), short, bytes(half)):
        with pytest.raises(ValueError, match=r"holiday is damaged and cannot be decoded: \w"):
            decode(data, "holiday", 90)


@pytest.mark.parametrize("size", [(534, 370), (536, 374), (520, 368), (1002, 90)])
@pytest.mark.parametrize("share", [2, 4, 8])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_halved_by_opencv_is_the_whole_one_shrunk(size, share, lossless):
    data = encoded(PHOTO.resize(size), "WEBP", lossless=lossless)
    found = read(data, min(size) // share)
    with Image.open(io.BytesIO(data)) as whole:
        expected = whole.reduce(share)
    assert found.size == expected.size
    difference = np.asarray(found).astype(int) - np.asarray(expected)
    assert np.abs(difference).max() <= (0 if share == 2 else 1)  # a mean of rounded means
    if share > 2:
        assert difference.any()  # so OpenCV it was


def test_opencv_reads_of_a_damaged_webp_what_pillow_reads():
    data, chance = encoded(EVEN, "WEBP"), np.random.default_rng(3)
    read_by_both = refused_by_both = 0
    for _ in range(200):
        broken = bytearray(data)
        for at in chance.integers(12, len(data), 3):
            broken[at] = chance.integers(256)
        outcomes = []
        for large in (0, 2**23):  # the first by OpenCV
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(strips, "_LARGE", large)
                try:
                    found = decode(bytes(broken), "holiday", 90)
                except ValueError:
                    outcomes.append(None)
                else:
                    outcomes.append(found.pixels)
        by_opencv, by_pillow = outcomes
        assert (by_opencv is None) == (by_pillow is None)
        refused_by_both += by_opencv is None
        if by_opencv is not None and by_opencv.shape[0] < by_pillow.shape[0]:
            read_by_both += 1
            whole = np.asarray(Image.fromarray(by_pillow).reduce(4), int)
            assert np.abs(whole - by_opencv).max() <= 1
    assert read_by_both > 20
    assert refused_by_both > 20


def test_no_more_than_a_strip_is_held():
    side = 2000
    data = encoded(Image.new("RGB", (side, side), (1, 2, 3)))
    tracemalloc.start()
    found = read(data, 200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.size == (250, 250)
    assert found.getpixel((249, 249)) == (1, 2, 3)
    assert peak < 2**20  # of 12 MB
