"""A full disk while photographs are judged: nothing is half-written, and the run goes on after."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from helpers.disk import full_disk
from helpers.networks import tiny
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.auditing.answers import ANSWERS, MANIFEST
from cnn_widgets.auditing.page import write_page
from cnn_widgets.datasets import open_images

NAMES = ("two words", "new\nline", "🐈", 'a,b"c')


@pytest.fixture(scope="module")
def net(keras):
    return cw.load_network(tiny(keras))


@pytest.fixture
def folder(tmp_path):
    rng, place = np.random.default_rng(0), tmp_path / "photographs"
    for kind in range(2):
        (place / f"kind {kind}").mkdir(parents=True)
        for name in NAMES:
            pixels = rng.integers(0, 256, (20, 20, 3), np.uint8)
            Image.fromarray(pixels).save(place / f"kind {kind}" / f"{name}.png")
    (place / "kind 0" / "again").symlink_to(place)  # a ring
    (place / "kind 1" / "broken.png").write_bytes(b"no picture")
    return place


def files(place):
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def judge(net, folder, out):
    return cw.audit(net, folder, classes={"kind 0": [0], "kind 1": [1]}, out=out)


def told(found):
    return found.names, set(found.errors), found.predicted, found.probability, found.truth


def test_an_audit_goes_on_where_the_disk_was_full(net, folder, tmp_path):
    expected = judge(net, folder, tmp_path / "at once")
    named = set()
    for most in (0, 100, 900, 1500):
        with full_disk(most), pytest.raises(OSError, match="Cannot write: ") as stop:
            judge(net, folder, tmp_path / "out")
        named.add(stop.value.filename)
    assert named == {str(tmp_path / "out" / name) for name in (MANIFEST, ANSWERS)}
    found = judge(net, folder, tmp_path / "out")
    for ours, theirs in zip(told(found), told(expected), strict=True):
        if isinstance(ours, np.ndarray):
            np.testing.assert_array_equal(ours, theirs)  # it goes on at the shard's beginning
        else:
            assert ours == theirs
    assert len(found) == 9
    assert not list((tmp_path / "out").rglob(".saving*"))


def test_what_was_saved_before_is_kept_whole(net, folder, tmp_path):
    found, images = judge(net, folder, None), open_images(folder)
    found.save(tmp_path)
    write_page(found, net, images, tmp_path / "page.html")
    before = files(tmp_path)
    with full_disk(100):
        with pytest.raises(OSError, match="Cannot write"):
            found.save(tmp_path)
        with pytest.raises(OSError, match=r"Cannot write.*page\.html"):
            write_page(found, net, images, tmp_path / "page.html")
    assert files(tmp_path) == before


def test_odd_names_arrive_whole_in_every_file(net, folder, tmp_path):
    found = judge(net, folder, tmp_path / "out")
    names = {f"kind {kind}/{name}.png" for kind in range(2) for name in NAMES}
    assert set(found.names) - set(found.errors) == names
    (table,) = (tmp_path / "out").glob("*.csv")
    with table.open(newline="", encoding="utf-8-sig") as file:
        cells = {cell for row in csv.reader(file) for cell in row}
    assert names <= cells
    texts = [path.read_text("utf-8") for path in (tmp_path / "out").glob("*.json")]
    assert all(json.loads(text) for text in texts)
