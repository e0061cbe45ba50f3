"""The bundled photographs and their sources."""

from __future__ import annotations

import json
import re
from importlib.resources import files

from cnn_widgets.images.sample_gallery import gallery

FOLDER = files("cnn_widgets.images") / "photographs"


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
