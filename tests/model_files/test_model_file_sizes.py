"""Model files that unpack to more than there is, or elsewhere."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from helpers.model_files import pack, refused

import cnn_widgets as cw

pytestmark = pytest.mark.filterwarnings("ignore:.*legacy.*")


def bounded(path, *reasons, most=80e6):
    """Refuse a file without taking the memory that it asks for."""
    tracemalloc.start()
    try:
        line = refused(path, *reasons)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    return line


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_a_member_that_unpacks_to_more_than_its_file_holds_is_not_unpacked(
    unpack, tmp_path, member
):
    parts = unpack | {member: bytes(80_000_000)}
    path = pack(tmp_path / "bomb.keras", parts, zipfile.ZIP_DEFLATED)
    del parts
    assert path.stat().st_size < 1e6
    bounded(path, "would unpack to 80 MB", most=5e6)


def test_a_long_configuration_is_refused_even_where_its_file_is_long(unpack, tmp_path):
    parts = unpack | {"config.json": b" " * 70_000_000, "assets/a": bytes(5_000_000)}
    bounded(pack(tmp_path / "long.keras", parts), "would unpack to 70 MB", most=5e6)


@pytest.mark.parametrize("kind", [".keras", ".h5"])
def test_an_array_that_unpacks_to_more_than_its_file_holds_is_not_unpacked(
    unpack, good, tmp_path, kind
):
    h5py = pytest.importorskip("h5py")
    source = io.BytesIO(
        unpack["model.weights.h5"] if kind == ".keras" else (good / "good.h5").read_bytes()
    )
    with h5py.File(source, "r+") as file:
        file.create_dataset("large", shape=(600_000_000,), dtype="f4", chunks=True, compression=9)
    path = tmp_path / f"bomb{kind}"
    if kind == ".keras":
        pack(path, unpack | {"model.weights.h5": source.getvalue()})
    else:
        path.write_bytes(source.getvalue())
    bounded(path, "would unpack to 2400 MB", most=5e6)


def test_a_file_packed_once_more_opens(unpack, tmp_path):
    path = pack(tmp_path / "packed.keras", unpack, zipfile.ZIP_DEFLATED)
    assert cw.load_network(path).classes == 3


@pytest.mark.parametrize(
    "name", ["../out", "assets/../../out", "/out", "\\out", "..\\out", "assets/..", "C:/out"]
)
def test_a_member_outside_its_place_is_refused(unpack, tmp_path, name):
    folder = tmp_path / "inner"
    folder.mkdir()
    path = pack(folder / "outside.keras", unpack | {"assets/a": b"a", name: b"written"})
    refused(path, "outside its place")
    assert [each.name for each in tmp_path.rglob("*out")] == []


def test_names_with_dots_are_inside(unpack, tmp_path):
    path = pack(tmp_path / "dots.keras", unpack | {"assets/a..b": b"a"})
    assert cw.load_network(path).classes == 3


@pytest.mark.parametrize("kind", ["external", "soft", "raw", "virtual"])
def test_weights_are_not_taken_from_other_files(keras, good, tmp_path, kind):
    h5py = pytest.importorskip("h5py")
    path, other = tmp_path / "linked.h5", tmp_path / "other.h5"
    path.write_bytes((good / "good.h5").read_bytes())
    place = "model_weights/dense/plain/dense/bias"
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones(3, np.float32)
    with h5py.File(path, "r+") as file:
        assert file[place].shape == (3,)
        del file[place]
        if kind == "external":
            file[place] = h5py.ExternalLink(str(other), "secret")
        elif kind == "soft":
            file["elsewhere"] = np.ones(3, np.float32)
            file[place] = h5py.SoftLink("/elsewhere")
        elif kind == "raw":
            file.create_dataset(place, (3,), "f4", external=[(str(other), 0, 12)])
        else:
            layout = h5py.VirtualLayout((3,), "f4")
            layout[:] = h5py.VirtualSource(str(other), "secret", (3,))
            file.create_virtual_dataset(place, layout)
    refused(path, "link to another file" if kind in ("raw", "virtual") else "Link")
