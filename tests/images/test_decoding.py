"""Files that are read, and damaged or foreign ones that are refused in one line."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from helpers.pictures import (
    SIX,
    encoded,
)
from PIL import Image, features

from cnn_widgets.images import decoding
from cnn_widgets.images.loading import load_image


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"Dear diary, this is a text.", "of an unknown format"),
        (b"<!DOCTYPE html><title>404</title>", "a web page"),
        (b"\n\n  <html lang=en><body>", "a web page"),
        (b"<?xml version='1.0'?><svg/>", "an XML or SVG document"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (b"%PDF-1.7 ...", "a PDF document"),
        (b"PK\x03\x04" + bytes(60), "a ZIP archive"),
        (b"\0\0\0\x18ftypheic" + bytes(60), "(a damaged or unusual|a) HEIC"),
        (b"\0\0\0\x18ftypheim" + bytes(60), "(a damaged or unusual|a) HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(60), "(a damaged or unusual|a) HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif" + bytes(60), "(a damaged or unusual|an) AVIF"),
        (b"\0\0\0\x18ftypavif" + bytes(60), "(a damaged or unusual|an) AVIF"),
        (bytes(1000), "of an unknown format"),
        (b"\x89PNG", "of an unknown format"),
        (b"\x89PNG\r\n\x1a\n", "a damaged or unusual PNG"),
        (b"RIFF\0\0\0\0WEBP", "a damaged or unusual WebP"),
    ],
)
def test_what_is_no_picture_is_called_by_its_name(data, words, tmp_path):
    path = tmp_path / "photo.jpg"  # whatever it claims
    path.write_bytes(data)
    with pytest.raises(ValueError, match=rf"photo\.jpg is {words}.*Allowed: JPEG, PNG"):
        load_image(path)


def test_a_heic_photograph_is_read_where_its_reader_is_installed_and_refused_where_not(monkeypatch):
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    image = Image.fromarray(np.kron(SIX, np.ones((16, 16, 1), np.uint8)))
    exif = Image.Exif()
    exif[0x0112] = 6  # taken with the telephone held upright
    data = encoded(image, "HEIF", quality=95, chroma=444, exif=exif.tobytes())
    found = load_image(data).pixels
    assert found.shape == (image.width, image.height, 3)
    centres = np.rot90(found)[8::16, 8::16].astype(int)
    assert np.abs(centres - SIX).max() <= 10
    monkeypatch.setattr(decoding, "formats", lambda: decoding.FORMATS)
    with pytest.raises(ValueError, match=r"is a HEIC photograph .*cnn-widgets\[heic\]"):
        load_image(data)


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_an_avif_picture_is_read_where_pillow_can_and_refused_in_clear_words_where_not(
    monkeypatch,
):
    image = Image.fromarray(np.kron(SIX, np.ones((16, 16, 1), np.uint8)))
    data = encoded(image, "AVIF", quality=95, subsampling="4:4:4")
    centres = load_image(data).pixels[8::16, 8::16].astype(int)
    assert np.abs(centres - SIX).max() <= 8
    monkeypatch.setattr(decoding, "formats", lambda: decoding.FORMATS)
    with pytest.raises(ValueError, match=r"is an AVIF picture \(export it as JPEG first\)"):
        load_image(data)


def test_a_format_that_is_not_allowed_is_refused_though_pillow_reads_it():
    for kind in ("ICO", "TGA", "PCX", "ICNS"):
        with pytest.raises(ValueError, match="Allowed"):
            load_image(encoded(Image.fromarray(SIX).resize((16, 16)), kind))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_each_allowed_format_is_read(kind):
    image = Image.fromarray(np.kron(SIX, np.ones((8, 8, 1), np.uint8)))
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    options |= {"lossless": True} if kind == "WEBP" else {}
    pixels = load_image(encoded(image, kind, **options)).pixels
    assert pixels.shape == (16, 24, 3)
    centres = pixels[4::8, 4::8].astype(int)
    assert np.abs(centres - SIX).max() <= (12 if kind == "JPEG" else 0)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_a_file_cut_short_is_damaged_wherever_it_is_cut(kind):
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    whole = encoded(Image.fromarray(noise), kind)
    assert load_image(whole).size == (40, 60)
    for share in (0.05, 0.3, 0.5, 0.8, 0.95):
        with pytest.raises(ValueError, match=r"the bytes given is (a )?(damaged|of an unknown)"):
            load_image(whole[: int(len(whole) * share)])


def test_damaged_bytes_give_a_picture_or_a_value_error_and_nothing_else():
    rng = np.random.default_rng(1)
    noise = Image.fromarray(rng.integers(0, 256, (12, 15, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    kinds = [encoded(noise, "JPEG", exif=exif), encoded(noise, "PNG", exif=exif),
             encoded(noise.convert("P"), "GIF"), encoded(noise, "BMP"), encoded(noise, "WEBP"),
             encoded(noise, "TIFF", exif=exif)]  # fmt: skip
    read, refused = 0, []
    for whole in kinds:
        for _ in range(60):
            data = bytearray(whole)
            for place in rng.integers(0, min(len(data), 200), 3):
                data[place] = rng.integers(0, 256)
            try:
                load_image(bytes(data))
                read += 1
            except ValueError as error:
                refused.append(str(error))
    assert read > 30
    assert len(refused) > 30
    assert all(message.startswith("the bytes given ") for message in refused)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_note_of_the_camera_never_loses_the_photograph(kind):
    rng = np.random.default_rng(4)
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x8769] = 6, "a description", {0x9003: "2020:01:01"}
    image = Image.fromarray(np.kron(SIX, np.ones((8, 8, 1), np.uint8)))
    whole = encoded(image, kind, exif=exif)
    note = exif.tobytes().removeprefix(b"Exif\0\0")
    at = whole.index(note)
    assert load_image(whole).size == (24, 16)
    turned = 0
    for _ in range(300):
        data = bytearray(whole)
        for place in rng.integers(at, at + len(note), 4):
            data[place] = rng.integers(0, 256)
        if kind == "PNG":
            chunk = at - 4
            data[at + len(note) : at + len(note) + 4] = struct.pack(
                ">I", zlib.crc32(data[chunk : at + len(note)])
            )
        size = load_image(bytes(data)).size
        assert size in ((24, 16), (16, 24))
        turned += size == (24, 16)
    assert 0 < turned < 300


def test_a_lazy_pil_image_of_a_damaged_file_is_one_clear_error():
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    whole = encoded(Image.fromarray(noise), "PNG")
    with (
        Image.open(io.BytesIO(whole[: len(whole) // 2])) as image,
        pytest.raises(ValueError, match="the image is damaged and cannot be decoded"),
    ):
        load_image(image)


@pytest.mark.parametrize(
    "error", [struct.error("x"), ZeroDivisionError("x"), zlib.error("x"), MemoryError(),
              RecursionError("x"), AssertionError("x"), NotImplementedError("x"), KeyError("x")],
)  # fmt: skip
def test_whatever_a_decoder_raises_is_one_clear_error_and_its_cause_is_kept(error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    with pytest.raises(
        ValueError, match=r"the bytes given is damaged and cannot be.*: .+"
    ) as caught:
        load_image(encoded(Image.fromarray(SIX)))
    assert caught.value.__cause__ is error


def test_a_user_who_interrupts_the_decoding_is_heard(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_image(encoded(Image.fromarray(SIX)))


def test_an_error_is_one_line_though_the_name_of_the_file_is_not():
    upload = {"name": "my\ncat\tof\r\n2020 " + "x" * 500 + ".png", "content": b"nothing"}
    with pytest.raises(ValueError, match=r"my cat of 2020 xxx.*… is of an unknown") as caught:
        load_image(upload)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_the_two_views_of_a_stereo_camera_give_the_first():
    views = [Image.new("RGB", (16, 8), colour) for colour in ("red", "blue")]
    data = encoded(views[0], "MPO", save_all=True, append_images=views[1:])
    assert np.abs(load_image(data).pixels.astype(int) - [255, 0, 0]).max() <= 2


def test_odd_metadata_is_no_reason_to_refuse_a_photograph():
    image = Image.new("RGB", (8, 6), "red")
    whole = encoded(image, "JPEG", exif=b"Exif\0\0garbage and no directory")
    assert load_image(whole).size == (6, 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    cut = exif.tobytes()[:-6]  # Pillow warns of the directory cut short
    assert load_image(encoded(image, "JPEG", exif=cut)).pixels.shape[2] == 3
