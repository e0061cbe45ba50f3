"""Arrays of any usual kind as pictures."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.pictures import (
    GREY,
    assert_grey,
)

from cnn_widgets.images import arrays
from cnn_widgets.images.loading import load_image


def test_arrays_of_every_usual_kind_of_number_give_the_same_picture():
    for array in (GREY, GREY.astype(np.int64), GREY.astype(np.float32), GREY.astype(np.float16),
                  GREY.astype(np.int32), GREY.astype(np.uint16) * 257, GREY / 255,
                  GREY.astype(np.uint16), (GREY / 255).astype("f4"), GREY[..., None]):  # fmt: skip
        assert_grey(array, GREY)


def test_booleans_are_black_and_white():
    assert_grey(np.array([[True, False]]), [[255, 0]])


def test_floats_in_0_to_1_are_rounded_and_not_cut_off():
    assert_grey(np.array([[0.0, 0.5, 0.999, 1.0]]), [[0, 128, 255, 255]])


def test_floats_a_rounding_error_beyond_1_are_not_taken_for_0_to_255():
    assert_grey(np.array([[-1e-7, 0.5, 1 + 1e-6]]), [[0, 128, 255]])
    assert_grey(np.array([[0.0, 0.5, np.nextafter(np.float32(1), 2)]], np.float32), [[0, 128, 255]])


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("beyond", [[1.02, 0.5], [-0.01, 0.5], [-0.08, 1.09], [-0.02, 0.3]])
def test_floats_that_resizing_took_a_little_beyond_0_to_1_are_cut_off_there(kind, beyond):
    shares = np.linspace(0, 1, 30).reshape(5, 6)
    array = shares.astype(kind)
    array[2, 3:5] = beyond
    expected = np.round(255 * array.astype(float).clip(0, 1))
    assert_grey(array, expected)
    opaque = np.stack([array, array, array, np.ones_like(array)], -1)
    found = load_image(opaque)
    assert np.array_equal(found.pixels[..., 0], expected)
    assert np.array_equal(found.data, opaque.astype(np.float32))


def test_what_bicubic_resizing_makes_of_shares_is_the_picture():
    """OpenCV's curve overshoots a corner by about a quarter."""
    import cv2

    corner = np.zeros((8, 8), np.float32)
    corner[4:, 4:] = 1
    for shares in (corner, 1 - corner):
        array = cv2.resize(shares, (24, 24), interpolation=cv2.INTER_CUBIC)
        assert array.max() > 1.1 or array.min() < -0.1
        shown = load_image(array).pixels[..., 0]
        assert (shown[:8, :8] == 255 * shares[0, 0]).all()
        assert (shown[16:, 16:] == 255 * shares[7, 7]).all()


@pytest.mark.parametrize("high", [1.3, 3.5, 10])
def test_floats_that_are_too_large_for_shares_and_black_otherwise_are_refused(high):
    array = np.full((4, 4, 3), 0.5)
    array[0, 0] = high
    with pytest.raises(
        ValueError, match=rf"from 0\.5 to {high:g}, which is .* array\.clip\(0, 1\)"
    ):
        load_image(array)
    four = np.concatenate([array, array[..., :1]], -1)
    assert load_image(four).pixels.max() > 100  # no colours: shown stretched, as any bands


def test_floats_of_whole_numbers_are_brightness_however_dark():
    assert_grey(np.array([[0.0, 1.0, 7.0]]), [[0, 1, 7]])


def test_negative_floats_that_are_no_overshoot_are_refused():
    for low, high in ((-0.3, 1.0), (-0.05, 0.1), (-0.1, 0.0)):
        with pytest.raises(ValueError, match="preprocessed already"):
            load_image(np.array([[low, high]]))


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
            monkeypatch.setattr(arrays, "_BAND", band)
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
        (np.array([[-1.0, 1.0]]), r"float64 from -1 to 1.*preprocessed.*bands=\(0,\) gives"),
        (np.full((2, 2, 3), 300), r"int64 from 300 to 300.*bands=\(0, 1, 2\) gives its values"),
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
        ((13, 64, 64), r"channels-first: pass array\.transpose\(1, 2, 0\)"),
        ((2, 20, 30), "channels-first"),
        ((4, 20, 30), "channels-first"),
        ((13, 48, 64), "channels-first"),
        ((200, 145, 145), "channels-first"),
        ((0, 30, 3), r"Received shape: \(0, 30, 3\)\.$"),
        ((20, 30, 0), r"Received shape: \(20, 30, 0\)\.$"),
        ((20, 0), "Received shape"),
        ((7,), "Received shape"),
        ((), "Received shape"),
    ],
)
def test_arrays_of_another_shape_are_refused_with_a_hint(shape, hint):
    with pytest.raises(ValueError, match=hint):
        load_image(np.zeros(shape, np.uint8))
