"""Messages as the page sends them: good ones are carried out, bad ones harm nothing."""

import io

import numpy as np
import pytest
from PIL import Image
from test_gestures import NO_NUMBER, NOTHING

import cnn_widgets as cw
from cnn_widgets.panels.places import grid
from cnn_widgets.pointing import describe


def send(explorer, message, *buffers):
    """Hand over a message as the widget does when the page has sent it."""
    explorer._touch.pointer._on_message(None, message, [memoryview(each) for each in buffers])


def hover(explorer, **place):
    explorer._touch.pointer.hover = place
    return explorer._touch.pointer.readout


def png(seed=0):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (9, 7, 3), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue(), pixels


def test_a_click_of_the_page_changes_the_state(explorer):
    send(explorer, {"kind": "click", "picture": "mosaic", "x": 0.999, "y": 0.999, "shift": False})
    assert explorer.state.filter == 5
    assert explorer.last_error is None


def test_every_key_of_a_message_counts(explorer):
    keys = ["End", "ArrowLeft", "ArrowLeft"]
    send(explorer, {"kind": "keys", "picture": "mosaic", "keys": keys})
    assert explorer.state.filter == 3
    send(explorer, {"kind": "keys", "picture": "depth", "keys": ["End"]})
    assert explorer.state.layer == "conv2"


def test_one_message_holds_at_most_a_hundred_keys(explorer, monkeypatch):
    asked = []
    monkeypatch.setattr(explorer._touch, "_act", asked.append)
    send(explorer, {"kind": "keys", "picture": "mosaic", "keys": ["ArrowRight"] * 1000})
    assert len(asked) == 100


def test_what_a_key_has_chosen_is_said(explorer):
    send(explorer, {"kind": "keys", "picture": "mosaic", "keys": ["End"]})
    first = explorer._touch.pointer.readout
    peak = explorer.scene.activations[..., 5].max()
    assert first["say"] is True
    assert first["text"] == f"filter 5 · maximum {peak:.3g}"
    send(explorer, {"kind": "keys", "picture": "mosaic", "keys": ["End"]})
    again = explorer._touch.pointer.readout
    assert (again["text"], again["serial"] == first["serial"]) == (first["text"], False)


def test_hovering_tells_the_place(explorer):
    found = hover(explorer, picture="filter", x=0.3, y=0.6, serial=1)
    assert found["picture"] == "filter"
    assert found["text"] == describe(explorer.scene, "filter", 0.3, 0.6)
    assert hover(explorer, picture="filter", x=2, y=0.6, serial=2)["text"] == ""
    assert hover(explorer, picture="photo", x=0.3, y=0.6, serial="x")["text"].startswith("pixel")
    send(explorer, {"kind": "keys", "picture": "mosaic", "keys": ["End"]})
    assert explorer._touch.pointer.readout["text"].startswith("filter 5")
    assert explorer.last_error is None


def test_under_a_pointer_that_rests_the_words_change_with_the_picture(explorer):
    before = hover(explorer, picture="photo", x=0.3, y=0.6, serial=1)
    explorer.state.face = "photograph"
    after = explorer._touch.pointer.readout
    assert "evidence" in before["text"]
    assert "evidence" not in after["text"]
    assert after["text"] == describe(explorer.scene, "photo", 0.3, 0.6)
    assert after["serial"] != before["serial"]
    hover(explorer)  # it has left the picture
    explorer.state.face = "evidence"
    assert explorer._touch.pointer.readout == after


def test_a_place_that_cannot_be_told_is_refused_once(explorer):
    hover(explorer, picture="photo", x="a", y=0.5)
    assert explorer.last_error is not None
    explorer.last_error = None
    explorer.show(filter=2)
    assert explorer.last_error is None


def test_hovering_computes_nothing_twice(explorer, monkeypatch):
    """The filters' weights, a pass through the network, are those of the scene on screen."""
    explorer.state.filter_order = "weight"
    first = hover(explorer, picture="mosaic", x=0.1, y=0.5, serial=1)["text"]
    passes = []
    monkeypatch.setattr(cw.Network, "gradients", lambda *_, **__: passes.append(1))
    assert hover(explorer, picture="mosaic", x=0.9, y=0.5, serial=2)["text"] != first
    assert hover(explorer, picture="mosaic", x=0.1, y=0.5, serial=3)["text"] == first
    assert not passes
    assert "evidence for" in first


@pytest.mark.parametrize(
    "place",
    [
        {"x": 0.5}, {"picture": "photo"}, {"picture": "photo", "x": None, "y": 0.5},
        {"picture": "photo", "x": "a", "y": 0.5}, {"picture": [], "x": 0.5, "y": [0.5]},
    ],
)  # fmt: skip
def test_a_place_without_numbers_is_named_and_the_next_is_told(explorer, place):
    hover(explorer, **place)
    assert "of a gesture to be a number. Received: " in str(explorer.last_error)
    assert hover(explorer, picture="photo", x=0.5, y=0.5)["text"].startswith("pixel 15, 12")


def test_magnifying_is_answered(explorer, monkeypatch):
    sent = []
    monkeypatch.setattr(explorer._touch.pointer, "send", sent.append)
    send(explorer, {"kind": "zoom", "zoom": 2, "x": 0.5, "y": 0.5})
    assert explorer.state.zoom == 2
    assert sent == [{"kind": "zoomed"}]


def test_a_dropped_file_is_opened(fresh):
    data, pixels = png()
    fresh.show(class_index=1)
    send(fresh, {"kind": "file", "name": "mine.png", "type": "image/png"}, data)
    assert fresh.state.image == "mine"
    assert fresh.state.class_index is None
    np.testing.assert_array_equal(fresh.scene.sample.pixels, pixels)


@pytest.mark.parametrize(
    "message",
    [
        {"name": "a"}, {"name": "a", "content": "/etc/passwd"}, {"content": 10**12},
        {"content": ["x"]}, {"name": None, "content": None},
    ],
)  # fmt: skip
def test_a_file_without_content_is_refused(explorer, message):
    before = explorer.state.values()
    send(explorer, {"kind": "file", **message})
    assert "is empty (0 bytes)" in str(explorer.last_error)
    assert explorer.state.values() == before


def test_what_is_no_picture_is_refused(fresh):
    send(fresh, {"kind": "file", "name": "a.png"}, b"words")
    assert fresh.last_error is not None
    assert fresh.state.image == "one"


BAD = [gesture for gesture, _ in NO_NUMBER] + [
    {"kind": "keys"}, {"kind": "keys", "picture": "photo", "keys": 5},
    {"kind": "keys", "picture": "photo", "keys": None}, {"kind": "keys", "keys": {"a": 1}},
    {"kind": "keys", "picture": {}, "keys": [None, 5, [], "Enter"]},
    {"kind": "keys", "picture": "mosaic", "keys": [None, {}, "nothing"]},
    {"kind": "keys", "picture": "photo", "keys": "Escape"},
    "click", None, 5, ["click"],
]  # fmt: skip


@pytest.mark.parametrize("message", [*NOTHING, *BAD], ids=lambda message: f"{message!s:.60}")
def test_a_bad_message_changes_nothing_and_the_explorer_lives_on(explorer, message):
    explorer.show(pins=(("conv1", 1, 2),), region=(1, 2, 3, 4), zoom=2, filter=1)
    before = explorer.state.values()
    send(explorer, message)
    assert explorer.state.values() == before
    error = explorer.last_error
    assert error is None or (isinstance(error, ValueError) and "Received: " in str(error))
    send(explorer, {"kind": "keys", "picture": "mosaic", "keys": ["ArrowRight"]})
    assert explorer.state.filter == 2


def test_a_closed_explorer_hears_nothing(fresh):
    fresh.close()
    for message in ({"kind": "click", "picture": "mosaic", "x": 0.9, "y": 0.9}, {"kind": "zoom"}):
        send(fresh, message)
    send(fresh, {"kind": "keys", "picture": "mosaic", "keys": ["End"]})
    send(fresh, {"kind": "file", "name": "a.png"}, png()[0])
    assert fresh.state.filter == 0
    assert fresh.last_error is None


def test_the_page_knows_where_the_selected_tiles_are(wide):
    wide.show(filter=57, filter_order="strength", strip=True)
    rows, columns, _ = grid(wide.scene)
    row, column = divmod(wide.scene.filter_choice.place(57), columns)
    places = wide._touch.pointer.places
    peak = f"{wide.scene.activations[..., 57].max():.3g}"
    assert places["mosaic"] == {
        "rows": rows, "columns": columns, "row": row, "column": column,
        "text": f"filter 57 · maximum {peak}",
    }  # fmt: skip
    assert places["strip"] == {"rows": 1, "columns": 1, "row": 0, "column": 0, "text": "wide"}
    wide.show(strip=False)
    assert "strip" not in wide._touch.pointer.places
