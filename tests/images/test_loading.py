"""Every kind of source a picture may come from, and what is refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers.pictures import (
    SIX,
    encoded,
)
from PIL import Image

from cnn_widgets.images import loading
from cnn_widgets.images.loading import load_image
from cnn_widgets.records import ImageSample


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
    assert again.pixels is sample.pixels
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
