"""Fixtures: a good model file, its parts, and what tells that code was run."""

from __future__ import annotations

import zipfile

import pytest


@pytest.fixture(scope="module")
def good(tmp_path_factory, keras):
    """A folder with the same small model as .keras and as .h5."""
    folder = tmp_path_factory.mktemp("good")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(2, 3, activation="relu", name="conv"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dense(3, activation="softmax", name="dense"),
        ],
        name="plain",
    )
    model.save(folder / "good.keras")
    model.save(folder / "good.h5")
    return folder


@pytest.fixture
def marker(tmp_path):
    """A file that comes into being only if code from a model file is run."""
    return tmp_path / "marker"


@pytest.fixture
def unpack(good):
    """Return the parts of the good .keras file: name to bytes."""
    with zipfile.ZipFile(good / "good.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def reckless(keras):
    """Whatever the program has set for itself: `enable_unsafe_deserialization`."""
    from keras.src.saving import serialization_lib

    scope = serialization_lib.SafeModeScope(True)
    with scope:
        keras.config.enable_unsafe_deserialization()
        assert serialization_lib.in_safe_mode() is False
        yield serialization_lib
