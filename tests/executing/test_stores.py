"""Photographs and answers in a store: fsspec's memory, which stands for S3 and the like."""

import io
import sys
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest
from helpers.pictures import encoded
from PIL import Image

import cnn_widgets as cw
from cnn_widgets import storage
from cnn_widgets.datasets import stores

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("pyarrow")


@pytest.fixture
def bucket(photos):
    """The folder of pictures in a store, with a text file and a CSV beside the class folders."""
    for path in sorted(photos.rglob("*.png")):
        below = path.relative_to(photos).parent.as_posix()
        storage.write(f"memory://bucket/photos/{below}", {path.name: path.read_bytes()})
    storage.write("memory://bucket/photos/green", {".hidden.png": b"", "notes.txt": b"a"})
    yield "memory://bucket/photos"
    storage.remove("memory://bucket")


def test_a_folder_in_a_store_is_read_as_one_on_a_disk(bucket, photos):
    found, other = cw.open_images(bucket), cw.open_images(photos)
    assert (found.names, found.labels) == (other.names, other.labels)
    assert found.notes == (*other.notes, "1 file is no picture, left out")  # not the hidden one
    assert cw.open_images(f"{bucket}/green/*").notes == found.notes
    for index in (0, 20, len(found) - 1):
        np.testing.assert_array_equal(found.read(index).pixels, other.read(index).pixels)
    assert found.read(0).source == "memory://bucket/photos/blue/02.png"
    with pytest.raises(ValueError, match=r"broken\.png"):
        found.read(found.names.index("green/broken.png"))


def test_other_content_is_another_set(bucket):
    before = cw.open_images(bucket).fingerprint()
    assert cw.open_images(bucket).fingerprint() == before
    storage.write(f"{bucket}/blue", {"02.png": b"other"})
    assert cw.open_images(bucket).fingerprint() != before


def test_patterns_a_csv_and_single_pictures(bucket):
    assert cw.open_images(f"{bucket}/blue/*.png").names[:2] == ("02.png", "05.png")
    assert set(cw.open_images(f"{bucket}/**/*.png").labels) == {"red", "green", "blue"}
    storage.write(bucket, {"some.csv": b"path,label\nblue/02.png,sky\nred/00.png,wine\n"})
    some = cw.open_images(f"{bucket}/some.csv")
    assert (some.labels, some.read(1).size) == (("sky", "wine"), (12, 10))
    assert cw.open_images(f"{bucket}/red/00.png").read(0).size == (12, 10)


def test_a_file_that_a_csv_names_and_that_is_not_there_is_told(bucket, colors):
    storage.write(bucket, {"some.csv": b"photo,label\nred/00.png,wine\nred/nope.png,wine\n"})
    found = list(cw.stream(colors, f"{bucket}/some.csv"))
    assert [str(each.error) for each in found] == ["None", "There is no file 'nope.png'."]


def test_the_kind_of_a_store_may_be_written_large(bucket):
    large = bucket.replace("memory", "MEMORY")
    found = cw.open_images(large)
    assert found.names == cw.open_images(bucket).names
    assert found.read(0).source == cw.open_images(bucket).read(0).source
    storage.write("Memory://bucket/out", {"a.txt": b"a"})
    assert storage.read("memory://bucket/out/a.txt") == b"a"


def test_what_is_not_there_is_told(bucket):
    with pytest.raises(FileNotFoundError, match="memory://bucket/none"):
        cw.open_images("memory://bucket/none")
    with pytest.raises(FileNotFoundError, match="No file matches"):
        cw.open_images(f"{bucket}/*.jpg")
    storage.write("memory://bucket/words", {"a.txt": b"a"})
    with pytest.raises(ValueError, match="holds no pictures"):
        cw.open_images("memory://bucket/words")
    storage.write("memory://bucket", {"all.zip": b"PK"})
    with pytest.raises(ValueError, match="zip in a store"):
        cw.open_images("memory://bucket/all.zip")


def test_a_picture_that_is_too_large_is_refused(bucket, monkeypatch):
    monkeypatch.setattr(stores, "MAX_BYTES", 1)
    with pytest.raises(ValueError, match=r"00\.png"):
        cw.open_images(f"{bucket}/red/00.png").read(0)


def test_an_audit_of_a_store_into_a_store(colors, bucket, photos, tmp_path):
    whole = cw.audit(colors, photos, shard=10)
    whole.to_parquet(tmp_path / "whole.parquet")
    out = "memory://bucket/out"
    with ThreadPoolExecutor(2) as pool:
        with pytest.raises(CancelledError):
            cw.audit(colors, bucket, shard=10, out=out, executor=pool, progress=lambda *_: False)
        asked = []
        found = cw.audit(colors, bucket, shard=10, out=out, executor=pool,
                         progress=lambda done, _: asked.append(done))  # fmt: skip
    assert len(asked) == 4
    assert found.records() == whole.records()
    assert storage.read(f"{out}/answers.parquet") == (tmp_path / "whole.parquet").read_bytes()
    assert cw.load_audit(out).records() == whole.records()
    assert storage.names_in(out) == [
        "answers.csv", "answers.parquet", "audit.json", "manifest.json", "shards"]  # fmt: skip
    with pytest.raises(FileNotFoundError, match="holds no audit"):
        cw.load_audit("memory://bucket/photos")
    alone = cw.audit(colors, bucket, shard=10, out="memory://bucket/alone")
    assert alone.records() == whole.records()


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("s3://bucket/a", True), ("gs://b/a", True), ("memory://a", True), ("abfs://a/b", True),
        ("http://127.0.0.1/a", False), ("https://a.org/b", False), ("ftp://a/b", False),
        ("file:///etc/passwd", False), ("zip://a::http://127.0.0.1/b", False), ("photos", False),
        ("s3://a::http://127.0.0.1", False), (io.BytesIO(), False),
    ],
)  # fmt: skip
def test_only_stores_are_handed_to_fsspec(address, taken):
    assert storage.is_store(address) is taken


def test_without_fsspec_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(ImportError, match=r"cnn-widgets\[cluster\]"):
        cw.open_images("s3://bucket/photos")


def test_without_pyarrow_the_extra_is_named(colors, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with ThreadPoolExecutor(1) as pool, pytest.raises(ImportError, match=r"\[cluster\]"):
        cw.audit(colors, np.zeros((2, 8, 8, 3), np.uint8), executor=pool)


def test_a_picture_of_a_store_has_its_own_name(bucket):
    storage.write("memory://bucket/one", {"cat.png": encoded(Image.new("RGB", (4, 3)))})
    assert cw.open_images("memory://bucket/one").read(0).name == "cat.png"
