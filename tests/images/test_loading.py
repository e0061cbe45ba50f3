"""Everything people bring as a picture, and everything that only claims to be one."""

from __future__ import annotations

import io
import json
import re
import struct
import subprocess
import sys
import time
import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from cnn_widgets.images import decoding, loading
from cnn_widgets.images.loading import load_image
from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.images.sample_gallery import gallery
from cnn_widgets.records import FITS, ImageSample

FOLDER = files("cnn_widgets.images") / "photographs"
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


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "six colours.v2.png"
    Image.fromarray(SIX).save(path)
    return path


# sources


def test_a_path_is_read_as_str_or_path_and_named_by_its_stem(picture):
    for source in (picture, str(picture)):
        sample = load_image(source)
        assert np.array_equal(sample.pixels, SIX)
        assert sample.name == "six colours.v2"
        assert sample.source == str(picture)


def test_a_path_below_the_home_folder_may_start_with_a_tilde(picture, monkeypatch):
    monkeypatch.setenv("HOME", str(picture.parent))
    monkeypatch.setenv("USERPROFILE", str(picture.parent))
    assert np.array_equal(load_image(f"~/{picture.name}").pixels, SIX)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_an_encoded_file_is_read_from_bytes(kind):
    sample = load_image(kind(encoded(Image.fromarray(SIX))))
    assert np.array_equal(sample.pixels, SIX)
    assert (sample.name, sample.source) == ("bytes", "bytes")


def test_an_open_file_is_read_from_where_it_stands(picture):
    with picture.open("rb") as file:
        sample = load_image(file)
    assert np.array_equal(sample.pixels, SIX)
    assert sample.name == "six colours.v2"
    assert load_image(io.BytesIO(picture.read_bytes())).name == "file"


def test_a_file_opened_as_text_is_refused(tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("hello")
    with path.open() as file, pytest.raises(TypeError, match="binary mode"):
        load_image(file)


def test_an_upload_is_read_and_its_name_holds_no_folder():
    content = memoryview(encoded(Image.fromarray(SIX)))
    sample = load_image({"name": "../../etc/dog.png", "type": "image/png", "content": content})
    assert np.array_equal(sample.pixels, SIX)
    assert (sample.name, sample.source) == ("dog", "upload dog.png")
    assert load_image({"content": content}).name == "upload"


def test_a_pil_image_is_read_and_left_alone():
    image = Image.fromarray(SIX).convert("P")
    sample = load_image(image)
    assert sample.pixels.shape == (2, 3, 3)
    assert image.mode == "P"
    assert (sample.name, sample.source) == ("image", "PIL image")


def test_an_array_is_read_and_copied():
    for array in (
        SIX.copy(),
        SIX[..., :1].copy(),
        SIX[..., 0].copy(),
        np.dstack([SIX, SIX])[..., :4],
    ):
        sample = load_image(array)
        before = sample.pixels.copy()
        assert not np.shares_memory(sample.pixels, array)
        array[:] = 7
        assert np.array_equal(sample.pixels, before)


def test_views_of_arrays_are_read_as_they_look():
    assert np.array_equal(load_image(SIX[::-1, ::2]).pixels, SIX[::-1, ::2])
    assert np.array_equal(load_image(SIX[..., ::-1]).pixels, SIX[..., ::-1])
    frozen = SIX.copy()
    frozen.flags.writeable = False
    assert np.array_equal(load_image(frozen).pixels, SIX)


def test_an_address_is_fetched_and_its_name_is_the_last_part(monkeypatch):
    asked = []

    def fetch(url, *, allow_private):
        asked.append((url, allow_private))
        return encoded(Image.fromarray(SIX))

    monkeypatch.setattr(loading, "download", fetch)
    sample = load_image("https://example.org/a/my%20cat.png?size=5#top")
    assert np.array_equal(sample.pixels, SIX)
    assert sample.name == "my cat"
    assert sample.source == "https://example.org/a/my%20cat.png?size=5#top"
    assert load_image("http://example.org/", allow_private=True).name == "example"
    assert [private for _, private in asked] == [False, True]


def test_a_sample_keeps_its_pixels_and_its_fit_unless_told():
    sample = ImageSample(SIX, "six", "here", "crop")
    again = load_image(sample)
    assert again.pixels is SIX
    assert (again.name, again.source, again.fit) == ("six", "here", "crop")
    other = load_image(sample, fit="letterbox", name="other")
    assert (other.name, other.source, other.fit) == ("other", "here", "letterbox")


def test_a_name_may_be_given_for_any_source(picture):
    for source in (picture, SIX, picture.read_bytes(), Image.fromarray(SIX)):
        assert load_image(source, name="mine").name == "mine"


@pytest.mark.parametrize("source", [None, 3, [1, 2], [[0, 1], [1, 0]], object(), {"a": 1}, ()])
def test_anything_else_is_refused_by_its_type(source):
    with pytest.raises(TypeError, match=f"Received: {type(source).__name__}"):
        load_image(source)


# files that are not there, or not pictures


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file '.*gone\.png'"):
        load_image(tmp_path / "gone.png")


@pytest.mark.parametrize("text", ["a" * 5000, "data:image/png;base64," + "A" * 5000, "a\0b"])
def test_a_text_that_can_be_no_path_is_a_missing_file(text):
    with pytest.raises(FileNotFoundError, match="There is no file"):
        load_image(text)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder"):
        load_image(tmp_path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(ValueError, match=r"empty\.jpg is empty \(0 bytes\)"):
        load_image(path)
    with pytest.raises(ValueError, match="empty"):
        load_image(b"")


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
        (b"\0\0\0\x18ftypheic" + bytes(60), "a HEIC photograph"),
        (b"\0\0\0\x18ftypheim" + bytes(60), "a HEIC photograph"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(60), "a HEIC photograph"),
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


@pytest.mark.parametrize("side", [8_000, 10_000, 30_000, 2**31 - 1])
def test_a_decompression_bomb_is_refused_by_its_header(side, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_size(side, side))
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"bomb\.png has too many pixels.*50 million"):
        load_image(path)
    assert time.perf_counter() - started < 1


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch):
    def never(*_):
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", never)
    for side in (8_000, 10_000, 30_000):
        with pytest.raises(ValueError, match="too many pixels"):
            load_image(png_of_size(side, side))


def in_a_second(data: bytes, words: str) -> None:
    started = time.process_time()
    with pytest.raises(ValueError, match=words):
        load_image(data)
    assert time.process_time() - started < 1


def test_a_jpeg_that_paints_a_wide_picture_a_thousand_times_is_refused():
    whole = encoded(Image.new("L", (3000, 2000)), "JPEG", progressive=True)
    assert load_image(whole).size == (2000, 3000)
    again = whole[whole.rindex(b"\xff\xc4") : -2]  # the last scan and its table
    in_a_second(whole[:-2] + again * 1000 + whole[-2:], "paints its 3000×2000 pixels 1006 times")
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
    in_a_second(tiled(8192), "TIFF of 10×10 pixels in tiles of 67108864 pixels")


def test_a_header_of_a_million_parts_is_refused():
    jpeg, png = encoded(Image.fromarray(SIX), "JPEG"), encoded(Image.fromarray(SIX))
    for data in (
        jpeg[:2] + b"\xff" * 5_000_000 + jpeg[2:],
        jpeg[:2] + b"\xff\xfe\0\2" * 1_000_000 + jpeg[2:],
        png[:33] + png_chunk(b"teSt", b"") * 500_000 + png[33:],
        b"P5" + b" " * 5_000_000 + b"1 1 255\n\0",
    ):
        in_a_second(data, "it has more than 150000 parts")


@pytest.mark.parametrize("size", [(1, 1), (1, 10_000), (10_000, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM"])
def test_the_smallest_and_the_narrowest_pictures_are_read(kind, size):
    sample = load_image(encoded(Image.new("RGB", size, (255, 0, 0)), kind))
    assert sample.size == size[::-1]
    assert np.abs(sample.pixels.astype(int) - [255, 0, 0]).max() <= 4


LARGE = """
import io, sys, time
from pathlib import Path
from cnn_widgets import load_image

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

data = Path(sys.argv[1]).read_bytes()
load_image(Path(sys.argv[2]).read_bytes())
before, took = peak(), []
for _ in range(2):
    started = time.perf_counter()
    pixels = load_image(data).pixels
    took.append(time.perf_counter() - started)
    shape = pixels.shape
    del pixels
print(*shape, min(took), peak() - before)
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
    *shape, seconds, megabytes = map(float, done.stdout.split())
    print(kind, mode, list(options), f"{seconds:.2f} s, {megabytes:.0f} MB")
    assert shape == [*((5472, 3648) if exif[0x0112] >= 5 else (3648, 5472)), 3]
    assert seconds < 3  # of it most is the decoder's
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


# orientation and modes


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


GREY = np.array([[0, 100, 255], [50, 128, 200]], np.uint8)


def assert_grey(source, expected, slack=0):
    pixels = load_image(source).pixels
    assert pixels.dtype == np.uint8
    assert pixels.shape == (*np.shape(expected), 3)
    assert np.abs(pixels.astype(int) - np.asarray(expected)[..., None]).max() <= slack


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


# arrays


def test_arrays_of_every_usual_kind_of_number_give_the_same_picture():
    for array in (GREY, GREY.astype(np.int64), GREY.astype(np.float32), GREY.astype(np.float16),
                  GREY.astype(np.int32), GREY.astype(np.uint16) * 257, GREY / 255,
                  (GREY / 255).astype(np.float32), GREY[..., None]):  # fmt: skip
        assert_grey(array, GREY)


def test_booleans_are_black_and_white():
    assert_grey(np.array([[True, False]]), [[255, 0]])


def test_floats_in_0_to_1_are_rounded_and_not_cut_off():
    assert_grey(np.array([[0.0, 0.5, 0.999, 1.0]]), [[0, 128, 255, 255]])


def test_floats_a_rounding_error_beyond_1_are_not_taken_for_0_to_255():
    assert_grey(np.array([[-1e-7, 0.5, 1 + 1e-6]]), [[0, 128, 255]])
    assert_grey(np.array([[0.0, 0.5, np.nextafter(np.float32(1), 2)]], np.float32), [[0, 128, 255]])


def test_floats_above_1_are_taken_as_0_to_255():
    assert_grey(np.array([[0.0, 99.6, 255.0]]), [[0, 100, 255]])


@pytest.mark.parametrize("kind", [">f4", ">f8", ">i4", ">u2", "<u2", np.float16, np.longdouble,
                                  np.int8, np.uint32, np.uint64])  # fmt: skip
def test_numbers_of_any_width_and_byte_order_are_read(kind):
    top = 127 if kind is np.int8 else 255
    grey = np.minimum(GREY, top)
    array = grey.astype(kind) * (257 if np.dtype(kind).str[1:] == "u2" else 1)
    assert_grey(array.astype(kind), grey)


def test_half_floats_in_0_to_1_are_rounded_as_others_are():
    assert_grey((GREY / 255).astype(np.float16), GREY)
    halves = np.arange(2049).astype(np.float16)[None] / np.float16(2048)
    assert_grey(halves, np.round(halves.astype(float) * 255))


def test_arrays_that_are_strided_reversed_transposed_or_read_only_are_read_as_they_look():
    deep = np.random.default_rng(5).integers(0, 256, (6, 8, 4)).astype(np.float64)
    opaque = deep.copy()
    opaque[..., 3] = 255
    for view in (opaque[::-1], opaque[:, ::-2], opaque[::3, :, ::-1][..., 1:], opaque[..., :3],
                 opaque.transpose(1, 0, 2), np.asfortranarray(opaque[..., 2])):  # fmt: skip
        view = view.view()
        view.flags.writeable = False
        shown = view[..., :3] if view.ndim == 3 else view[..., None]
        for source in (view, view.astype(np.uint8), view / 255):
            assert np.array_equal(
                load_image(source).pixels, np.broadcast_to(shown, (*view.shape[:2], 3))
            )


def test_a_large_array_is_the_same_as_in_one_piece(monkeypatch):
    rng = np.random.default_rng(6)
    for array in (rng.random((11, 5, 3)), rng.random((11, 5, 4)), rng.random((11, 5)) * 255,
                  rng.integers(0, 65536, (11, 5, 3)).astype(np.uint16)):  # fmt: skip
        whole = load_image(array).pixels
        for band in (1, 10, 27):
            monkeypatch.setattr(loading, "_BAND", band)
            assert np.array_equal(load_image(array).pixels, whole)
        monkeypatch.undo()


def test_a_masked_array_is_refused_and_the_way_out_is_said():
    masked = np.ma.masked_less(GREY, 60)
    with pytest.raises(ValueError, match=r"masked.*\.filled\("):
        load_image(masked)
    assert_grey(np.ma.array(GREY), GREY)  # nothing is hidden: an array as any other


def test_a_matrix_is_an_array_of_two_axes():
    assert_grey(GREY.view(np.matrix), GREY)


@pytest.mark.parametrize("shape", [(3, 3, 20), (4, 20, 30), (3, 20, 1000)])
def test_other_channels_first_shapes_are_refused_too(shape):
    with pytest.raises(ValueError, match="Expected an array of shape"):
        load_image(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a"]),
        np.array([[None]]),
        np.array([[1, "x"]], object),
        np.zeros((2, 2), [("r", "u1")]),
        np.zeros((2, 2), "V3"),
    ],
)
def test_objects_texts_and_records_are_refused(array):
    with pytest.raises(ValueError, match="Expected"):
        load_image(array)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused(bad):
    with pytest.raises(ValueError, match="NaN or infinite"):
        load_image(np.array([[0.5, bad]]))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.array([[-1.0, 1.0]]), "float64 from -1 to 1.*preprocessed"),
        (np.array([[0, 256]]), "int64 from 0 to 256"),
        (np.array([[-1, 5]], np.int16), "int16 from -1 to 5"),
        (np.array([[103.9, -116.8]], np.float32), "preprocessed"),
    ],
)
def test_values_out_of_range_are_refused_with_the_range_found(array, words):
    with pytest.raises(ValueError, match=words):
        load_image(array)


@pytest.mark.parametrize("dtype", [object, complex, "U3", "M8[s]"])
def test_arrays_that_are_no_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match="Expected numbers as pixels"):
        load_image(np.zeros((2, 2), dtype))


@pytest.mark.parametrize(
    ("shape", "hint"),
    [
        ((3, 20, 30), r"channels-first: pass array\.transpose\(1, 2, 0\)"),
        ((1, 20, 30), "channels-first"),
        ((1, 20, 30, 3), r"no batch axis: pass array\[0\]"),
        ((5, 20, 30, 3), "no batch axis"),
        ((20, 30, 2), r"Received shape: \(20, 30, 2\)\.$"),
        ((20, 30, 5), r"Received shape: \(20, 30, 5\)\.$"),
        ((0, 30, 3), "Received shape"),
        ((20, 0), "Received shape"),
        ((7,), "Received shape"),
        ((), "Received shape"),
    ],
)
def test_arrays_of_another_shape_are_refused_with_a_hint(shape, hint):
    with pytest.raises(ValueError, match=hint):
        load_image(np.zeros(shape, np.uint8))


# to the network's size


def test_luma_weighs_the_colours_by_itu_r_601():
    primaries = ImageSample(SIX[:1], "primaries")
    luma = resize_to_input(primaries, (1, 3), channels=1)
    assert luma.shape == (1, 3, 1)
    assert luma.ravel().tolist() == [76, 150, 29]  # .299, .587 and .114 of 255


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(7, 19), (19, 7), (16, 16), (1, 1)])
def test_every_photograph_comes_out_at_the_size_of_the_input(fit, channels, size):
    for shape in ((40, 60, 3), (60, 40, 3), (1, 1, 3), (1, 50, 3)):
        fitted = resize_to_input(ImageSample(np.full(shape, 9, np.uint8), fit=fit), size, channels)
        assert fitted.shape == (*size, channels)
        assert fitted.dtype == np.uint8


def test_a_photograph_of_the_right_size_is_untouched():
    noise = np.random.default_rng(2).integers(0, 256, (9, 13, 3), np.uint8)
    for fit in FITS:
        assert np.array_equal(resize_to_input(ImageSample(noise, fit=fit), (9, 13)), noise)


def bands(height: int, width: int) -> np.ndarray:
    """Return a photograph in three bands along its longer side: red, green, blue."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for k, part in enumerate(np.array_split(np.arange(max(height, width)), 3)):
        if width > height:
            pixels[:, part, k] = 255
        else:
            pixels[part, :, k] = 255
    return pixels


@pytest.mark.parametrize("size", [(20, 60), (60, 20)])
def test_squash_shows_all_of_the_picture_crop_its_middle_and_letterbox_all_on_black(size):
    long = 1 if size[1] > size[0] else 0

    def middle_line(fit):
        fitted = resize_to_input(ImageSample(bands(*size), fit=fit), (30, 30))
        return np.moveaxis(fitted, long, 0)[:, 15], np.moveaxis(fitted, 1 - long, 0)[:, 15]

    along, across = middle_line("squash")
    assert along[[5, 15, 25]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert np.all(across == [0, 255, 0])
    along, across = middle_line("crop")
    assert np.all(along == [0, 255, 0])
    assert np.all(across == [0, 255, 0])
    along, across = middle_line("letterbox")
    assert along[[5, 15, 25]].tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert not across[:8].any()
    assert not across[-8:].any()
    assert np.all(across[13:17] == [0, 255, 0])


# the record


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((4, 4), np.uint8), r"uint8 \(4, 4\)"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \(4, 4, 4\)"),
        (np.zeros((1, 4, 4, 3), np.uint8), r"\(1, 4, 4, 3\)"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 3), np.int8), "int8"),
        (np.zeros((0, 4, 3), np.uint8), r"\(0, 4, 3\)"),
        ([[1, 2]], "list None"),
        (None, "NoneType"),
    ],
)
def test_a_sample_takes_true_pixels_only_and_says_who_converts_the_others(pixels, words):
    with pytest.raises(ValueError, match=f"{words}.*load_image"):
        ImageSample(pixels)


def test_a_sample_refuses_an_unknown_fit():
    with pytest.raises(ValueError, match=r"squash.*Received: 'stretch'"):
        ImageSample(SIX, fit="stretch")
    with pytest.raises(ValueError, match="Received: 'stretch'"):
        load_image(SIX, fit="stretch")


def test_a_sample_says_its_height_first():
    assert ImageSample(SIX).size == (2, 3)


def test_the_key_tells_samples_apart_as_a_network_would():
    key = ImageSample(SIX, "one", "here").key
    assert ImageSample(SIX.copy(), "two", "there").key == key
    assert ImageSample(np.asfortranarray(SIX)).key == key
    assert ImageSample(SIX, fit="crop").key != key
    assert ImageSample(SIX.reshape(3, 2, 3)).key != key  # same bytes, other shape
    changed = SIX.copy()
    changed[1, 2, 2] ^= 1
    assert ImageSample(changed).key != key
    assert ImageSample(SIX[:, ::-1]).key == ImageSample(SIX[:, ::-1].copy()).key


def test_a_sample_cannot_be_changed_can_be_compared_and_does_not_print_its_pixels():
    sample, other = ImageSample(SIX), ImageSample(SIX + np.uint8(1))
    with pytest.raises(AttributeError):
        sample.name = "new"
    assert sample != other
    assert sample in [other, sample]
    assert len({sample, other}) == 2
    assert "pixels" not in repr(sample)


# the gallery


def test_the_gallery_shows_upright_photographs_of_a_sensible_size():
    samples = gallery()
    assert len(samples) >= 6
    for name, sample in samples.items():
        assert sample.name == name
        assert min(sample.size) >= 224
        assert max(sample.size) <= 1024
        assert sample.pixels.std() > 20  # a photograph, not a blank
        assert sample.source
    assert len({sample.key for sample in samples.values()}) == len(samples)


def test_the_gallery_has_landscapes_and_pictures_of_two_subjects():
    samples = gallery()
    assert any(s.size[1] > s.size[0] for s in samples.values())
    assert any(s.size[0] > s.size[1] for s in samples.values())
    assert sum(" and " in name for name in samples) >= 2


def test_every_source_is_complete_and_free():
    entries = json.loads((FOLDER / "sources.json").read_text("utf-8"))
    for entry in entries:
        assert set(entry) == {"name", "file", "author", "license", "origin"}
        assert all(isinstance(value, str) and value.strip() for value in entry.values())
        assert entry["license"] in ("CC0 1.0", "public domain")
    for field in ("name", "file"):
        assert len({entry[field] for entry in entries}) == len(entries)


def test_every_file_in_the_gallery_is_listed_and_every_listed_file_is_there():
    entries = json.loads((FOLDER / "sources.json").read_text("utf-8"))
    found = {item.name for item in FOLDER.iterdir()} - {"sources.json", "SOURCES.md"}
    assert found == {entry["file"] for entry in entries}


def test_sources_md_says_the_same_as_sources_json():
    entries = json.loads((FOLDER / "sources.json").read_text("utf-8"))
    lines = (FOLDER / "SOURCES.md").read_text("utf-8").splitlines()
    rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in lines if line.startswith("|")]
    assert rows[0] == ["name", "file", "author", "licence", "origin"]
    assert rows[2:] == [list(entry.values()) for entry in entries]
