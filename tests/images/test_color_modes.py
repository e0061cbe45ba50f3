"""Orientation, colour modes, depth and transparency of picture files."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from helpers.pictures import (
    GREY,
    SIX,
    assert_grey,
    encoded,
    from_lab,
    png_chunk,
)
from PIL import Image

from cnn_widgets.images import decoding
from cnn_widgets.images.loading import load_image


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, SIX),
        (2, SIX[:, ::-1]),
        (3, SIX[::-1, ::-1]),
        (4, SIX[::-1]),
        (5, SIX.transpose(1, 0, 2)),
        (6, np.rot90(SIX, -1)),
        (7, SIX[::-1, ::-1].transpose(1, 0, 2)),
        (8, np.rot90(SIX)),
    ],
)
def test_a_photograph_is_turned_upright_by_its_exif_orientation(orientation, upright):
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("PNG", "TIFF"):
        pixels = load_image(encoded(Image.fromarray(SIX), kind, exif=exif)).pixels
        assert np.array_equal(pixels, upright), kind
    large = Image.fromarray(np.kron(SIX, np.ones((16, 16, 1), np.uint8)))
    photo = load_image(encoded(large, "JPEG", exif=exif, quality=95, subsampling=0)).pixels
    assert np.abs(photo[8::16, 8::16].astype(int) - upright).max() <= 12


def test_a_pil_image_is_turned_too_and_itself_stays_as_it_was():
    image = Image.fromarray(SIX)
    image.getexif()[0x0112] = 6
    assert np.array_equal(load_image(image).pixels, np.rot90(SIX, -1))
    assert image.size == (3, 2)


def test_black_and_white_becomes_zero_and_255():
    bits = Image.fromarray(GREY).point(lambda v: 255 * (v > 99)).convert("1")
    for source in (bits, encoded(bits), encoded(bits, "TIFF")):
        assert_grey(source, 255 * (GREY > 99))


def test_grey_becomes_three_equal_channels():
    assert_grey(encoded(Image.fromarray(GREY)), GREY)


def test_grey_with_alpha_is_laid_on_white():
    alpha = np.array([[255, 0, 255], [0, 255, 0]], np.uint8)
    image = Image.merge("LA", [Image.fromarray(GREY), Image.fromarray(alpha)])
    assert_grey(encoded(image), np.where(alpha, GREY, 255))


def test_transparency_is_laid_on_white_in_proportion():
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = 255, 102, 0  # opaque, 40 %, clear black: 0, .6·255 = 153, 255
    assert_grey(encoded(Image.fromarray(rgba)), [[0, 153, 255]])
    assert_grey(rgba, [[0, 153, 255]])
    assert_grey(rgba.astype(np.float64) / 255, [[0, 153, 255]])


def test_the_colour_hidden_under_full_transparency_does_not_show():
    rgba = np.dstack([SIX, np.zeros((2, 3), np.uint8)])
    assert np.all(load_image(rgba).pixels == 255)


def test_a_palette_is_looked_up():
    image = Image.fromarray(SIX).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    assert np.array_equal(load_image(encoded(image)).pixels, SIX)


@pytest.mark.parametrize("transparency", [1, bytes([255, 0, 255])])
def test_a_transparent_palette_colour_becomes_white(transparency):
    image = Image.frombytes("P", (3, 1), bytes([0, 1, 2]))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    pixels = load_image(encoded(image, transparency=transparency)).pixels
    assert pixels.tolist() == [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]]


def test_one_transparent_colour_of_an_rgb_picture_becomes_white():
    pixels = load_image(encoded(Image.fromarray(SIX), transparency=(0, 255, 0))).pixels
    expected = SIX.copy()
    expected[0, 1] = 255
    assert np.array_equal(pixels, expected)


def test_cmyk_becomes_rgb():
    inks = [(0, 0, 0, 0), (0, 255, 255, 0), (0, 0, 0, 255), (255, 0, 0, 0)]
    image = Image.new("CMYK", (4, 1))
    image.putdata(inks)
    expected = [[[255, 255, 255], [255, 0, 0], [0, 0, 0], [0, 255, 255]]]
    assert load_image(encoded(image, "TIFF")).pixels.tolist() == expected
    large = encoded(image.resize((64, 16), 0), "JPEG", quality=95)
    assert np.abs(load_image(large).pixels[8, 8::16].astype(int) - expected[0]).max() <= 6


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "P", "PA"])
def test_a_colour_picture_of_any_mode_gives_the_same_six_colours(mode):
    image = Image.fromarray(SIX)
    if mode == "RGBa":
        image = image.convert("RGBA")
    pixels = load_image(image.convert(mode)).pixels.astype(int)
    slack = {"YCbCr": 2, "HSV": 3}.get(mode, 0)  # what their 8 bits can hold
    assert np.abs(pixels - SIX).max() <= slack


@pytest.mark.parametrize("mode", ["1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L"])
def test_a_grey_picture_of_any_mode_gives_the_same_black_and_white(mode):
    image = Image.fromarray(np.array([[0, 255, 255], [255, 0, 0]], np.uint8))
    if mode == "La":
        image = image.convert("LA")
    if mode.startswith("I;16"):
        order = ">u2" if mode == "I;16B" else "<u2"
        deep = (np.asarray(image).astype(order) * 257).astype(order)
        image = Image.frombytes(mode, image.size, deep.tobytes())
    else:
        image = image.convert(mode)
    assert_grey(image, [[0, 255, 255], [255, 0, 0]])


@pytest.mark.parametrize(
    "lab", [(100, 0, 0), (0, 0, 0), (50, 0, 0), (60, 30, 20), (60, -30, 20), (40, 10, -40)]
)
def test_a_lab_tiff_has_the_colours_that_the_standard_gives(lab):
    values = (round(lab[0] * 2.55), lab[1] + 128, lab[2] + 128)
    data = encoded(Image.new("LAB", (4, 3), values), "TIFF")
    found = load_image(data).pixels[0, 0].astype(float)
    assert np.abs(found - from_lab(*lab)).max() <= 3


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_a_ycbcr_tiff_has_the_colours_that_itu_r_601_gives(compression):
    ycc = np.array([[[128, 128, 128], [81, 90, 240], [145, 54, 34], [200, 100, 140]]], np.uint8)
    y, cb, cr = np.moveaxis(ycc.astype(float) - [0, 128, 128], 2, 0)
    expected = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], 2)
    image = Image.frombytes("YCbCr", (4, 1), ycc.tobytes())
    found = load_image(encoded(image, "TIFF", compression=compression)).pixels
    assert np.abs(found - expected.clip(0, 255)).max() <= 2


def test_the_transparent_value_of_a_sixteen_bit_picture_becomes_white():
    line = zlib.compress(b"\0" + struct.pack(">3H", 500, 257 * 100, 501))
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 1, 16, 0, 0, 0, 0))
    chunks = header + png_chunk(b"tRNS", struct.pack(">H", 500)) + png_chunk(b"IDAT", line)
    assert_grey(b"\x89PNG\r\n\x1a\n" + chunks + png_chunk(b"IEND", b""), [[255, 100, 2]])


def test_sixteen_bits_are_scaled_to_eight_and_not_clipped_to_white():
    deep = np.array([[0, 257 * 100, 65535], [257 * 50, 257 * 128, 257 * 200]], np.uint16)
    image = Image.fromarray(deep)
    assert image.mode == "I;16"
    for source in (image, encoded(image), encoded(image, "TIFF"), deep, deep.astype(">u2")):
        assert_grey(source, GREY)


def test_a_sixteen_bit_pgm_is_scaled_to_eight():
    deep = (GREY.astype(">u2") * 257).tobytes()
    assert_grey(b"P5 3 2 65535\n" + deep, GREY)


def test_sixteen_bits_that_are_dark_stay_dark():
    dark = np.full((2, 2), 300, np.uint16)
    assert_grey(Image.fromarray(dark), np.ones((2, 2)))


def test_thirty_two_bits_are_read_by_the_range_they_use():
    assert_grey(Image.fromarray(GREY.astype(np.int32)), GREY)  # 8-bit numbers
    assert_grey(Image.fromarray(GREY.astype(np.int32) * 257), GREY)  # 16-bit numbers
    spread = Image.fromarray(GREY.astype(np.int32) * 10_000 - 50_000)
    assert_grey(spread, GREY)  # any others: from the least to the greatest


def test_float_pictures_are_stretched_over_their_range():
    for kind in (GREY / 255, GREY * 40.0 - 7):
        image = Image.fromarray(kind.astype(np.float32))
        assert image.mode == "F"
        assert_grey(encoded(image, "TIFF"), GREY)
    assert_grey(Image.fromarray(np.full((2, 2), 3.5, np.float32)), np.zeros((2, 2)))
    holes = np.array([[0.0, np.nan, 1.0]], np.float32)
    assert_grey(Image.fromarray(holes), [[0, 0, 255]])


def test_holes_and_infinities_of_a_float_picture_do_not_stretch_it():
    image = np.array([[100, 200, np.nan, np.inf, -np.inf, 175]], np.float32)
    for source in (Image.fromarray(image), encoded(Image.fromarray(image), "TIFF")):
        assert_grey(source, [[0, 255, 0, 255, 0, 191]])


def test_a_float_picture_of_holes_only_is_refused():
    image = Image.fromarray(np.full((2, 2), np.nan, np.float32))
    with pytest.raises(ValueError, match=r"the image .* holds no finite values"):
        load_image(image)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "I;16", "F"])
@pytest.mark.parametrize("window", [1, 7, 12, 100])
def test_a_picture_is_the_same_however_small_the_windows_it_is_converted_in(
    mode, window, monkeypatch
):
    noise = np.random.default_rng(3).integers(0, 256, (9, 12, 4), np.uint8)
    image = Image.fromarray(noise)
    if mode == "I;16":
        image = Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    elif mode != "RGBA":
        image = image.convert("RGB").convert(mode)
    for orientation in range(1, 9):
        image.getexif()[0x0112] = orientation
        whole = load_image(image).pixels
        with monkeypatch.context() as patch:
            patch.setattr(decoding, "_WINDOW", window)
            assert np.array_equal(load_image(image).pixels, whole)


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "lime", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        pixels = load_image(data).pixels
        assert pixels.shape == (4, 5, 3)
        assert np.all(pixels == [255, 0, 0]), kind
