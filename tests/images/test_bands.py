"""Pictures of other channels than RGB: what is kept of them, and which channels are shown."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.pictures import SIX, encoded
from PIL import Image

from cnn_widgets.images import uniform_like, with_pixels
from cnn_widgets.images.bands import looks_channels_first, show_bands
from cnn_widgets.images.loading import load_image
from cnn_widgets.images.resizing import shrink_sample
from cnn_widgets.records import ImageSample


def noise(channels: int, kind: str = "uint8", size: tuple[int, int] = (20, 30)) -> np.ndarray:
    values = np.random.default_rng(channels).integers(0, 256, (*size, channels))
    return values.astype(kind)


# --- what is kept -------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [2, 4, 5, 7, 13, 200])
def test_uint8_of_any_number_of_channels_is_kept_as_it_is(channels):
    array = noise(channels)
    sample = load_image(array)
    assert sample.data.dtype == np.uint8
    assert np.array_equal(sample.data, array)
    assert not np.shares_memory(sample.data, array)
    assert (sample.channels, sample.size) == (channels, (20, 30))


@pytest.mark.parametrize(
    "kind", ["uint16", ">u2", "int16", "int64", "float16", "float32", "float64", ">f4", "bool"]
)
@pytest.mark.parametrize("channels", [2, 4, 13])
def test_other_numbers_are_kept_in_their_own_values_as_float32(kind, channels):
    array = noise(channels, kind) if kind == "bool" else noise(channels, kind) * np.array(3, kind)
    sample = load_image(array)
    assert sample.data.dtype == np.float32
    assert sample.data.flags.c_contiguous
    assert np.array_equal(sample.data, array.astype(np.float64))


def test_values_beyond_255_and_below_zero_are_no_reason_to_refuse_bands():
    array = noise(4, "float64") * 40 - 1000
    assert np.array_equal(load_image(array).data, array)


def test_one_or_three_channels_of_numbers_are_bands_if_bands_says_so():
    for channels, bands in ((1, (0,)), (3, (0, 1, 2)), (3, (2,))):
        array = noise(channels, "uint16") * np.uint16(20)
        sample = load_image(array, bands=bands)
        assert np.array_equal(sample.data, array)
        assert load_image(array).data is None


def test_an_rgb_picture_keeps_nothing_beside_its_pixels():
    for source in (SIX, SIX / 255, encoded(Image.fromarray(SIX)), Image.fromarray(SIX)):
        assert load_image(source).data is None


def test_rgba_is_shown_over_white_and_all_four_channels_are_kept():
    rgba = noise(4)
    over_white = Image.new("RGBA", (30, 20), "white")
    over_white.alpha_composite(Image.fromarray(rgba))
    shown = np.asarray(over_white.convert("RGB"))
    image = Image.fromarray(rgba)
    for source in (rgba, image, encoded(image), encoded(image, "TIFF")):
        sample = load_image(source)
        assert np.array_equal(sample.pixels, shown)
        assert np.array_equal(sample.data, rgba)
        assert sample.data.dtype == np.uint8


def test_grey_with_opacity_keeps_its_two_channels():
    array = noise(2)
    image = Image.merge("LA", [Image.fromarray(array[..., k]) for k in (0, 1)])
    for source in (image, encoded(image), encoded(image, "TIFF")):
        assert np.array_equal(load_image(source).data, array)


def test_a_transparent_colour_or_palette_is_opacity_too():
    six = Image.fromarray(SIX)
    data = load_image(encoded(six, transparency=(0, 255, 0))).data
    assert np.array_equal(data[..., :3], SIX)
    assert data[..., 3].tolist() == [[255, 0, 255], [255, 255, 255]]
    palette = six.convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    assert load_image(palette).data is None
    assert load_image(encoded(palette, transparency=bytes([0] * 256))).data[..., 3].max() == 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_opacity_is_turned_upright_with_its_picture(orientation):
    image = Image.fromarray(np.dstack([SIX, SIX[..., 0] // 2 + SIX[..., 1] // 4]))
    image.getexif()[0x0112] = orientation
    sample = load_image(image)
    turned = np.dstack([SIX] * 2)[..., :4].copy()
    turned[..., 3] = np.asarray(image)[..., 3]
    straight = load_image(encoded(image, exif=image.getexif())).data
    assert np.array_equal(sample.data, straight)
    assert sample.data.shape[:2] == sample.size == ((3, 2) if orientation >= 5 else (2, 3))
    if orientation == 6:
        assert np.array_equal(sample.data, np.rot90(turned, -1))


def test_sixteen_bits_of_four_channels_are_rgba_only_if_something_is_opaque():
    scene = noise(4, "uint16") * np.uint16(40)
    assert np.array_equal(load_image(scene).pixels, load_image(scene, bands=(0, 1, 2)).pixels)
    scene[..., 3] = 65535
    assert np.array_equal(load_image(scene).pixels, np.round(scene[..., :3] / 257))


# --- what is shown ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channels", "bands", "shown"),
    [
        (2, None, [0, 1, 0]),
        (5, None, [0, 1, 2]),
        (13, None, [0, 1, 2]),
        (13, (3, 2, 1), [3, 2, 1]),
        (13, [12], [12, 12, 12]),
        (4, (3,), [3, 3, 3]),
        (4, (0, 1, 2), [0, 1, 2]),
        (5, np.array([4, 4, 0]), [4, 4, 0]),
        (5, range(2, 5), [2, 3, 4]),
    ],
)
def test_uint8_bands_are_shown_as_they_are(channels, bands, shown):
    array = noise(channels)
    sample = load_image(array, bands=bands)
    assert np.array_equal(sample.pixels, array[..., shown])
    assert sample.bands == tuple(shown)


def test_other_numbers_are_stretched_from_the_second_to_the_98th_percentile_of_each_band():
    array = np.zeros((10, 10, 3), np.float32)
    array[..., 0] = np.arange(100).reshape(10, 10)  # percentiles 1.98 and 97.02
    array[..., 1] = array[..., 0] * -50 + 7
    array[..., 2] = 3.5
    pixels = show_bands(array, (0, 1, 2))
    expected = np.round(((array[..., 0] - 1.98) / 95.04).clip(0, 1) * 255)
    assert np.array_equal(pixels[..., 0], expected)
    assert np.abs(pixels[..., 1].astype(int) - (255 - expected)).max() <= 1
    assert np.all(pixels[..., 2] == 128)  # one value everywhere: grey


def test_a_few_outliers_do_not_darken_a_band_and_a_rare_mask_is_still_seen():
    array = noise(5, "float32")
    array[0, 0] = 1e9
    assert load_image(array).pixels.mean() > 100
    rare = np.zeros((20, 30, 5), np.float32)
    rare[3, 4] = 1  # less than 2 %: both percentiles are 0
    pixels = load_image(rare).pixels
    assert np.all(pixels[3, 4] == 255)
    assert pixels.sum() == 3 * 255


def test_a_large_band_is_stretched_as_its_sample_says(monkeypatch):
    ramp = np.linspace(0, 1, 400 * 500, dtype=np.float32).reshape(400, 500, 1)
    whole = show_bands(ramp, (0, 0, 0)).astype(int)
    monkeypatch.setattr("cnn_widgets.images.bands._SAMPLED", 2000)
    assert np.abs(show_bands(ramp, (0, 0, 0)) - whole).max() <= 255 / 40  # 40 of 400 rows


def test_other_bands_of_a_sample_may_be_shown_later_and_the_network_gets_the_same():
    first = load_image(noise(6, "int32"), name="scene", fit="crop")
    other = load_image(first, bands=(5, 0, 3))
    assert other.data is first.data
    assert np.array_equal(other.pixels, show_bands(first.data, (5, 0, 3)))
    assert (other.name, other.fit, other.bands) == ("scene", "crop", (5, 0, 3))
    again = load_image(other, fit="squash", name="again")
    assert (again.bands, again.fit, again.name) == ((5, 0, 3), "squash", "again")
    assert again.pixels is other.pixels
    assert again.data is first.data


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bands", [(0, 1), (), (0, 1, 2, 3), "rgb", (True, 0, 1), (0.0, 1.0, 2.0), 3, {"r": 1}, (None,)]
)
def test_bands_are_three_whole_numbers_or_one(bands):
    with pytest.raises(ValueError, match=r"Expected bands=\(red, green, blue\) or bands=\(grey,\)"):
        load_image(noise(5), bands=bands)


@pytest.mark.parametrize("bands", [(0, 1, 5), (5,), (-1, 0, 1), np.array([9, 9, 9])])
def test_a_band_that_there_is_not_is_refused_with_those_there_are(bands):
    with pytest.raises(
        ValueError, match=r"bands from 0 to 4, those of 'scene'\. Received: \["
    ) as e:
        load_image(noise(5), bands=bands, name="scene")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "source", [SIX, SIX[..., 0], SIX[..., :1], Image.fromarray(SIX), ImageSample(SIX)]
)
def test_bands_of_a_grey_or_rgb_picture_are_refused_and_the_way_out_is_said(source):
    with pytest.raises(ValueError, match=r"is grey or RGB.*array\[\.\.\., \(2, 1, 0\)\]"):
        load_image(source, bands=(2, 1, 0))
    with pytest.raises(ValueError, match=r"'six' is grey or RGB"):
        load_image(encoded(Image.fromarray(SIX)), bands=(0,), name="six")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("channels", [2, 4, 13])
def test_nan_and_infinity_in_any_band_are_refused(bad, channels):
    array = noise(channels, "float64")
    array[3, 4, channels - 1] = bad
    with pytest.raises(ValueError, match=r"the array holds NaN or infinite values.*nan_to_num"):
        load_image(array)


@pytest.mark.parametrize("dtype", [object, complex, "U3", "M8[s]"])
def test_bands_that_are_no_numbers_are_refused(dtype):
    with pytest.raises(ValueError, match="Expected numbers as pixels"):
        load_image(np.zeros((20, 30, 5), dtype))


def test_too_many_values_are_refused_without_being_copied():
    vast = np.broadcast_to(np.uint8(0), (6000, 5000, 13))
    with pytest.raises(ValueError, match=r"5000×6000 pixels of 13 channels take 390 MB.*200 MB"):
        load_image(vast)
    deep = np.broadcast_to(np.float64(0), (4000, 4000, 4))
    with pytest.raises(ValueError, match="256 MB"):
        load_image(deep, bands=(0, 1, 2))
    wide = np.broadcast_to(np.uint8(0), (10_000, 6_000, 2))
    with pytest.raises(ValueError, match="too many pixels"):
        load_image(wide)


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ((64, 64, 13), False),
        ((9, 9, 103), False),  # a patch of a hyperspectral scene
        ((11, 13, 30), False),
        ((145, 145, 200), False),
        ((3, 8, 4), False),
        ((8, 8, 5), False),
        ((13, 64, 64), True),
        ((13, 48, 64), True),
        ((4, 20, 30), True),
        ((2, 7, 7), True),
        ((200, 145, 145), True),
        ((3, None, None), True),
        ((5, None, None), True),
        ((None, None, None), False),
        ((None, None, 5), False),
        ((3, 20, 1), False),
    ],
)
def test_a_shape_is_taken_for_channels_first_where_it_is_closer_to_a_square_so(shape, first):
    assert looks_channels_first(shape) is first


# --- computed on all channels -------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 3, 5, 150])
def test_a_function_of_pixels_is_applied_to_what_is_shown_and_to_every_channel(channels):
    pixels, data = noise(3), noise(channels, "float32")
    found = with_pixels(ImageSample(pixels, "a", "b", "crop", data, (0, 0, 0)), lambda x: x / 2 + 1)
    assert found.pixels.dtype == np.uint8
    assert np.array_equal(found.pixels, np.round(pixels / 2 + 1))
    assert np.array_equal(found.data, data / 2 + 1)
    assert (found.name, found.source, found.fit, found.bands) == ("a", "b", "crop", (0, 0, 0))


def test_a_function_may_drop_an_axis_of_one_channel_as_opencv_does():
    sample = ImageSample(noise(3), data=noise(1, "float32"), bands=(0, 0, 0))
    assert np.array_equal(with_pixels(sample, np.squeeze).data, sample.data)
    assert with_pixels(ImageSample(noise(3)), np.squeeze).data is None


def test_a_uniform_picture_has_the_values_that_are_shown_as_this_shade():
    assert np.all(uniform_like(load_image(SIX), 127).pixels == 127)
    assert np.all(uniform_like(load_image(noise(5)), 127).data == 127)
    values = np.arange(100, dtype=np.float32).reshape(10, 10, 1) * [1, -20, 0, 5, 3]
    sample = load_image(values)
    for level, percentile in ((0, 2), (255, 98)):
        found = uniform_like(sample, level)
        assert np.all(found.pixels == level)
        wanted = np.percentile(values, percentile, axis=(0, 1))
        assert np.allclose(found.data, wanted)
    middle = uniform_like(sample, 128).data
    assert np.all(middle == middle[:1, :1])
    assert middle[0, 0, 2] == 0


def test_a_large_sample_is_shrunk_with_all_its_channels():
    array = np.broadcast_to(np.arange(5, dtype=np.float32), (300, 200, 5))
    small = shrink_sample(load_image(array, name="scene", bands=(4,)), 100)
    assert (small.size, small.data.shape) == ((100, 67), (100, 67, 5))
    assert np.allclose(small.data, np.arange(5))
    assert (small.name, small.bands) == ("scene", (4, 4, 4))
    assert shrink_sample(small, 100) is small
