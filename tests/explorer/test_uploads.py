"""Uploads, addresses and paths: what is shown, and what is refused in words."""

import io
import re

import numpy as np
import pytest
from helpers.networks import tiny
from helpers.shown import html, picture
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.panels.table import PANELS


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"just text", "not a picture"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"\x89PNG\r\n\x1a\n" + b"0" * 40, "damaged|not a picture"),
    ],
)
def test_a_bad_upload_says_why_and_the_last_good_view_stays(explorer, data, message):
    before = {name: html(explorer, name) for name in PANELS}
    upload = explorer.controls.widgets["upload"]
    upload.value = (
        {
            "name": "x.png",
            "type": "image/png",
            "size": len(data),
            "content": memoryview(data),
            "last_modified": _now(),
        },
    )
    assert re.search(message, explorer._screen.status.value)
    assert 'role="alert"' in explorer._screen.status.value
    assert isinstance(explorer.last_error, ValueError)
    assert {name: html(explorer, name) for name in PANELS} == before
    assert upload.value == ()
    explorer.state.alpha = 0.5  # still alive, and the message goes
    assert 'role="alert"' not in explorer._screen.status.value


def _now():
    import datetime

    return datetime.datetime.now(tz=datetime.UTC)


def test_an_upload_is_shown_and_not_kept_in_the_widget(explorer):
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, "PNG")
    upload = explorer.controls.widgets["upload"]
    upload.value = (
        {
            "name": "my red.png",
            "type": "image/png",
            "size": 1,
            "content": memoryview(buffer.getvalue()),
            "last_modified": _now(),
        },
    )
    assert explorer.state.image == "my red"
    assert upload.value == ()
    assert picture(explorer, "original")[..., 0].min() > 240


def test_an_upload_is_not_stored_in_the_notebook_unless_asked(small, tmp_path):
    def stored():
        bundle = small._repr_mimebundle_()
        return "image/png" in (bundle[0] if isinstance(bundle, tuple) else bundle)

    small.state.pairs = False
    assert stored()
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, "PNG")
    small._open({"name": "mine.png", "content": memoryview(buffer.getvalue())})
    assert small.state.image == "mine"
    assert not stored()
    small.state.image = "one"
    assert stored()
    small.state.pairs = True  # all photographs, the upload among them
    assert not stored()
    assert small.save(tmp_path / "asked.png").exists()


def test_addresses_inside_the_local_network_need_the_switch(keras, monkeypatch):
    from cnn_widgets.images import loading

    asked = []

    def fetch(url, *, allow_private):
        asked.append(allow_private)
        raise ConnectionError("no picture here")

    monkeypatch.setattr(loading, "download", fetch)
    for options, allowed in (({}, False), ({"allow_private": True}, True)):
        made = cw.CNNExplorer(cw.Network(tiny(keras), preprocess="none"), **options)
        made.controls.widgets["location"].value = "http://10.0.0.1/cat.png"
        assert "no picture here" in made._screen.status.value
        assert asked.pop() is allowed
        made.close()


def test_a_missing_path_is_said_on_the_page(explorer):
    explorer.controls.widgets["location"].value = "/no/such/picture.jpg"
    assert "There is no file" in explorer._screen.status.value
    assert isinstance(explorer.last_error, FileNotFoundError)


def test_a_picture_the_network_fails_on_is_refused_and_the_view_stays(keras):
    def picky(pixels):
        if pixels.max() < 1:
            raise RuntimeError("too dark")
        return pixels / 255

    pictures = {"light": np.full((9, 9, 3), 200, np.uint8), "dark": np.zeros((9, 9, 3), np.uint8)}
    explorer = cw.CNNExplorer(tiny(keras), pictures, preprocess=picky)
    explorer.state.pairs = False
    before = {name: html(explorer, name) for name in PANELS}
    explorer.controls.thumbs.row.children[1].click()
    assert "too dark" in explorer._screen.status.value
    assert explorer.state.image == "light"
    assert {name: html(explorer, name) for name in PANELS} == before
    explorer.controls.widgets["class_search"].value = "nothing like it"
    assert "Unknown class" in explorer._screen.status.value
    assert explorer.controls.widgets["class_search"].value == "nothing like it"
    explorer.close()


def upload(explorer, name):
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, "PNG")
    data = {"name": name, "type": "image/png", "size": 1, "last_modified": _now()}
    explorer.controls.widgets["upload"].value = (data | {"content": memoryview(buffer.getvalue())},)


def test_an_upload_can_be_taken_away_and_what_was_given_stays(small):
    assert small.controls.remove.layout.display == "none"
    upload(small, "mine.png")
    assert small.state.image == "mine"
    assert small.controls.remove.layout.display is None
    small.controls.remove.click()
    assert list(small._catalogue.samples) == ["one", "two"]
    assert small.state.image == "two"
    assert small.last_error is None


def test_the_only_photograph_stays(keras):
    made = cw.CNNExplorer(cw.Network(tiny(keras), "none"), np.zeros((9, 9, 3), np.uint8))
    made.controls.remove.click()
    assert "only photograph" in made._screen.status.value
    made.close()


def test_a_large_photograph_is_labelled_with_its_own_size(small):
    small.show(image=np.zeros((1500, 3000, 3), np.uint8))
    assert "3000×1500, looked at in 1024×512" in html(small, "original")


def test_a_picture_that_no_message_holds_is_refused_with_what_to_do_and_was_not_sent(small):
    told = {"kind": "file", "name": "vast.heic", "bytes": 30 * 2**20}
    small._touch._on_gesture(told)
    assert "larger than 8 MB" in small._screen.status.value
    assert "path or address" in small._screen.status.value
    assert list(small._catalogue.samples) == ["one", "two"]


def test_pictures_beyond_the_most_that_are_taken_at_once_are_told(small):
    small._touch._on_gesture({"kind": "left out", "taken": 200, "count": 731})
    assert "731 pictures came at once; the first 200 were taken" in small._screen.status.value
