"""Small picture files made to take far more memory than they seem to."""

from __future__ import annotations

import struct
import zlib

from PIL import Image

from helpers.pictures import encoded, png_chunk


def avif_that_states(size: tuple[int, int], image: Image.Image, **options) -> bytes:
    """Return an AVIF of a picture whose boxes state another (width, height)."""
    data = encoded(image, "AVIF", speed=10, max_threads=1, **options)
    box = b"ispe" + bytes(4)
    return data.replace(box + struct.pack(">II", *image.size), box + struct.pack(">II", *size))


def film_that_states(size: tuple[int, int], image: Image.Image) -> bytes:
    """Return an AVIF of two frames whose boxes state another (width, height)."""
    data = avif_that_states(size, image, save_all=True, append_images=[image.rotate(90)])
    here = struct.pack(">II", *(side << 16 for side in image.size))  # in the track's header
    data = data.replace(here, struct.pack(">II", *(side << 16 for side in size)))
    short = struct.pack(">HH", *image.size)  # in the description of its samples
    return data.replace(short, struct.pack(">HH", *size))


def avif_grid(tile: Image.Image, states: tuple[int, int], columns: int) -> bytes:
    """Return an AVIF of columns² times one item, each of which states a (width, height).

    All items lie at the same place of the file.
    """
    data = encoded(tile, "AVIF", speed=10, max_threads=1)
    coded = data[data.index(b"mdat") + 4 :]
    config = data[data.index(b"av1C") - 4 :][:12]
    count = columns**2

    def box(name: bytes, *parts: bytes) -> bytes:
        return struct.pack(">I", 8 + sum(map(len, parts))) + name + b"".join(parts)

    def infe(item: int, kind: bytes) -> bytes:
        return box(b"infe", struct.pack(">IHH", 2 << 24, item, 0), kind, b"\0")

    whole = tuple(columns * side for side in states)
    grid = struct.pack(">BBBBHH", 0, 0, columns - 1, columns - 1, *whole)
    numbers = range(2, count + 2)
    properties = box(
        b"ipco",
        box(b"ispe", bytes(4), struct.pack(">II", *whole)),
        box(b"ispe", bytes(4), struct.pack(">II", *states)),
        config,
        box(b"pixi", bytes(4), b"\3\10\10\10"),
    )
    owners = struct.pack(">IIHBBB", 0, count + 1, 1, 2, 1, 4)
    owners += b"".join(struct.pack(">HBBBB", item, 3, 2, 0x83, 4) for item in numbers)

    def meta(start: int) -> bytes:
        places = struct.pack(">IBBH", 1 << 24, 0x44, 0, count + 1)
        places += struct.pack(">HHHHII", 1, 1, 0, 1, 0, len(grid))
        for item in numbers:
            places += struct.pack(">HHHHII", item, 0, 0, 1, start, len(coded))
        return box(
            b"meta",
            bytes(4),
            box(b"hdlr", bytes(8), b"pict", bytes(13)),
            box(b"pitm", bytes(4), struct.pack(">H", 1)),
            box(b"iinf", bytes(4), struct.pack(">H", count + 1), infe(1, b"grid"),
                *(infe(item, b"av01") for item in numbers)),
            box(b"iref", bytes(4), box(b"dimg", struct.pack(f">HH{count}H", 1, count, *numbers))),
            box(b"iprp", properties, box(b"ipma", owners)),
            box(b"iloc", places),
            box(b"idat", grid),
        )  # fmt: skip

    head = box(b"ftyp", b"avif", bytes(4), b"avifmif1miaf")
    start = len(head) + len(meta(0)) + 8
    return head + meta(start) + box(b"mdat", coded)


def heic_that_states(size: tuple[int, int], image: Image.Image) -> bytes:
    """Return a HEIC of a picture whose boxes state another (width, height)."""
    data = encoded(image, "HEIF", quality=1)
    box = b"ispe" + bytes(4)
    return data.replace(box + struct.pack(">II", *image.size), box + struct.pack(">II", *size))


def gif_of_a_small_screen(image: Image.Image) -> bytes:
    """Return a GIF whose screen is smaller than its frame."""
    data = encoded(image, "GIF")
    return data[:6] + struct.pack("<HH", 8, 8) + data[10:]


def webp_of_a_small_canvas(image: Image.Image, also_frame: bool) -> bytes:
    """Return a film in WebP whose canvas, and perhaps the head of its frame, states 64×64."""
    frames = [Image.new("RGB", image.size, "red")]
    data = bytearray(encoded(image, "WEBP", method=0, save_all=True, append_images=frames))
    small = (63).to_bytes(3, "little") * 2
    canvas, frame = data.index(b"VP8X") + 12, data.index(b"ANMF") + 14
    data[canvas : canvas + 6] = small
    if also_frame:
        data[frame : frame + 6] = small
    return bytes(data)


def tiff_of_a_long_strip(megabytes: int, rows: int) -> bytes:
    """Return a TIFF of 64×64 pixels whose only strip unpacks to so many megabytes."""
    strip = zlib.compress(bytes(megabytes * 2**20), 9)
    tags = [(256, 64), (257, 64), (258, 8), (259, 8), (262, 1), (273, 8), (277, 1), (278, rows),
            (279, len(strip))]  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip
    return head + struct.pack("<H", len(tags)) + directory + bytes(4)


def png_of(size: tuple[int, int], megabytes: int, before: bytes = b"") -> bytes:
    """Return a PNG whose data unpack to so many megabytes, whatever its (width, height)."""
    header = struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0)
    packed = zlib.compress(bytes(megabytes * 2**20), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + before
        + png_chunk(b"IDAT", packed)
        + png_chunk(b"IEND", b"")
    )
