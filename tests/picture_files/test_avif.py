"""How many pixels an AVIF really holds is known before any is decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers.crafted import avif_grid, avif_that_states, film_that_states
from helpers.pictures import encoded
from PIL import Image, features

from cnn_widgets.images.loading import load_image
from cnn_widgets.picture_files.av1 import frame_sizes
from cnn_widgets.picture_files.avif import coded_sizes
from cnn_widgets.picture_files.limits import Parts

pytestmark = pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")

PHOTO = Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 121, 3), np.uint8))


def with_opacity(image):
    clear = image.copy()
    clear.putalpha(77)
    return clear


def film(image):
    return {"save_all": True, "append_images": [image.rotate(90), image.rotate(180)]}


@pytest.mark.parametrize(
    ("image", "options", "count"),
    [
        (PHOTO, {}, 1),
        (PHOTO.convert("L"), {}, 1),
        (PHOTO, {"subsampling": "4:4:4"}, 1),
        (PHOTO, {"tile_rows": 2, "tile_cols": 2}, 1),
        (with_opacity(PHOTO), {}, 2),
        (PHOTO, film(PHOTO), 2),  # a still and a track
        (with_opacity(PHOTO), film(with_opacity(PHOTO)), 4),
    ],
)
def test_the_size_of_everything_coded_is_found_in_an_honest_file(image, options, count):
    data = encoded(image, "AVIF", **options)
    assert coded_sizes(data) == [(121, 90)] * count
    assert load_image(data).size == (90, 121)


def test_the_size_of_every_tile_of_a_grid_is_found():
    tile = Image.new("RGB", (64, 64), (200, 0, 0))
    data = avif_grid(tile, (64, 64), 3)
    assert coded_sizes(data) == [(64, 64)] * 9
    sample = load_image(data)
    assert sample.size == (192, 192)
    assert np.abs(sample.pixels.astype(int) - [200, 0, 0]).max() < 8


@pytest.mark.parametrize("craft", [avif_that_states, film_that_states])
def test_a_file_that_holds_far_more_than_it_states_is_refused_undecoded(craft):
    data = craft((64, 64), Image.new("RGB", (4000, 3000)))
    assert len(data) < 3000
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == (64, 64)
    with pytest.raises(ValueError, match="AVIF that states 64×64 pixels and holds 4000×3000"):
        load_image(data)


def test_a_grid_of_tiles_that_hold_more_than_they_state_is_refused():
    data = avif_grid(Image.new("RGB", (4000, 3000)), (64, 64), 3)
    with pytest.raises(ValueError, match="states 192×192 pixels and holds 4000×3000"):
        load_image(data)


def test_a_grid_of_tiles_that_are_too_many_pixels_together_is_refused():
    data = avif_grid(Image.new("RGB", (1000, 1000)), (64, 64), 15)
    with pytest.raises(ValueError, match="AVIF of 225 parts, with more than 200 million pixels"):
        load_image(data)


def test_a_margin_such_as_encoders_add_is_no_offence():
    data = avif_that_states((100, 90), PHOTO)
    assert load_image(data).size == (90, 100)


# AV1 written by hand


def bits(*fields: tuple[int, int]) -> bytes:
    """Return (value, number of bits) after another, filled up with zeros."""
    text = "".join(f"{value:0{count}b}" for value, count in fields if count)
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


def unit(kind: int, content: bytes) -> bytes:
    return bytes([kind << 3 | 2, len(content)]) + content


def sequence(side_bits=16, width=64, height=48, timing=False, ids=False, screen=2) -> bytes:
    fields = [(0, 3), (0, 1), (0, 1), (timing, 1)]
    if timing:
        fields += [(1, 32), (25, 32), (0, 1), (1, 1), (9, 5), (1, 32), (9, 5), (6, 5)]
    fields += [(1, 1), (0, 5), (0, 12), (9, 5), (1, 1)]
    if timing:
        fields += [(1, 1), (0, 21)]
    fields += [(1, 1), (5, 4), (side_bits - 1, 4), (side_bits - 1, 4)]
    fields += [(width - 1, side_bits), (height - 1, side_bits), (ids, 1)]
    if ids:
        fields += [(3, 4), (2, 3)]
    fields += [(0, 7), (1, 1), (0, 2)]
    fields += [(1, 1)] if screen == 2 else [(0, 1), (screen, 1)]
    fields += [(1, 1)] if screen else []
    return unit(1, bits(*fields, (6, 3)))


def frame(own_size, shown=True, timing=False, ids=False, screen=2, kind=0) -> bytes:
    fields = [(0, 1), (kind, 2), (shown, 1)]
    fields += [(0, 7)] if timing and shown else []
    fields += [] if shown else [(1, 1)]
    fields += [] if shown and kind == 0 else [(1, 1)]
    fields += [(0, 1)]
    fields += [(1, 1)] if screen == 2 else []
    fields += [(0, 1)] if screen else []
    fields += [(0, 8)] if ids else []
    return bits(*fields, (own_size, 1), (0, 8))


OPTIONS = [
    {},
    {"timing": True},
    {"ids": True},
    {"screen": 0},
    {"screen": 1},
    {"timing": True, "ids": True, "screen": 1},
]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind_of_unit", [3, 6, 7])
@pytest.mark.parametrize(("shown", "kind"), [(True, 0), (False, 0), (True, 1), (True, 2)])
def test_a_frame_with_a_size_of_its_own_counts_with_the_largest_it_can_give(
    options, kind_of_unit, shown, kind
):
    stream = b"\x12\0" + sequence(**options)
    plain = unit(kind_of_unit, frame(False, shown, kind=kind, **options))
    own = unit(kind_of_unit, frame(True, shown, kind=kind, **options))
    assert list(frame_sizes(stream + plain, Parts())) == [(64, 48)]
    assert list(frame_sizes(stream + own, Parts())) == [(64, 48), (65536, 65536)]


def test_a_switch_frame_always_has_a_size_of_its_own():
    switch = unit(6, bits((0, 1), (3, 2), (1, 1), (0, 12)))
    assert (65536, 65536) in list(frame_sizes(sequence() + switch, Parts()))


def test_a_later_sequence_counts_too():
    stream = sequence() + unit(6, frame(False)) + sequence(width=9000, height=8000)
    assert list(frame_sizes(stream, Parts())) == [(64, 48), (9000, 8000)]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (unit(6, frame(False)), "frames come before their size"),
        (sequence()[:6], "header in it is cut off"),
        (b"\x0a" + b"\xff" * 9, "length in it never ends"),
        (b"\x12\0" * 200_000, "more than 150000 parts"),
    ],
)
def test_coded_data_that_cannot_be_understood_are_refused(data, words):
    with pytest.raises(ValueError, match=words):
        list(frame_sizes(data, Parts()))
