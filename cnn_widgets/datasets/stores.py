"""Pictures in a store such as S3, by its address: a folder, a pattern, a CSV or one picture."""

from __future__ import annotations

import io
import posixpath
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cnn_widgets import storage
from cnn_widgets.datasets.files import (
    SUFFIXES,
    beside,
    folders_as_labels,
    is_hidden,
    left_out,
    pictures_of,
    read_file,
)
from cnn_widgets.datasets.image_set import ImageSet
from cnn_widgets.datasets.tables import read_table
from cnn_widgets.images.download import MAX_BYTES
from cnn_widgets.images.loading import load_image
from cnn_widgets.records import ImageSample

#: What tells a file's content from another, as the different stores call it.
_MARKS = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "updated", "mtime", "created")


def store_set(address: str) -> ImageSet:
    """Return the pictures at an address such as ``s3://bucket/photos``.

    A folder's own folders are the labels, as on a disk. A pattern has ``*``, ``**`` or ``?`` in
    it. The files of a CSV lie beside it.

    Raises
    ------
    ImportError
        If `fsspec`, or what it needs for the store, is missing.
    FileNotFoundError
        If there is nothing at the address.
    ValueError
        If there are no pictures.
    """
    system, path = storage.store(address)
    kind = address.partition("://")[0].lower()
    if any(mark in path for mark in "*?["):
        found = {each: about for each, about in system.glob(path, detail=True).items()
                 if about["type"] == "file"}  # fmt: skip
        if not found:
            raise FileNotFoundError(f"No file matches the pattern {address!r}.")
        pictures = pictures_of(list(found))
        notes = left_out(len(found) - len(pictures))
        return _files_set(kind, {each: found[each] for each in pictures}, notes)
    if system.isfile(path):
        return _file_set(kind, system, path)
    every = system.find(path, detail=True)
    if not every:
        raise FileNotFoundError(f"There is no file or folder {address[:200]!r}.")
    base = path.rstrip("/")
    seen = [each for each in every if not is_hidden(each[len(base) :])]
    found = {each: every[each] for each in seen if each.lower().endswith(SUFFIXES)}
    if not found:
        raise ValueError(
            f"The folder {address!r} holds no pictures: no file that ends in {', '.join(SUFFIXES)}."
        )
    return _files_set(kind, found, left_out(len(seen) - len(found)), base)


def _files_set(
    kind: str, found: dict[str, Any], notes: Sequence[str], base: str | None = None
) -> ImageSet:
    """Return files, given with what the store says of each, named by their paths below `base`."""
    if base is None:
        base = posixpath.commonpath([posixpath.dirname(each) for each in found])
    names = {each[len(base) :].lstrip("/"): each for each in found}
    below = sorted(names, key=lambda name: name.split("/"))
    paths = [names[name] for name in below]

    def mark(index: int) -> object:
        about = found[paths[index]]
        known = next((about[name] for name in _MARKS if about.get(name)), "")
        return about.get("size"), str(known)

    def reader(index: int) -> Any:
        return partial(read_stored, _address(kind, paths[index]))

    return ImageSet(
        below,
        folders_as_labels(below),
        lambda index, at_least: read_stored(_address(kind, paths[index]), at_least),
        [*notes, *beside(below)],
        mark,
        reader=reader,
    )


def _address(kind: str, path: str) -> str:
    return f"{kind}://{path.lstrip('/')}"


def _file_set(kind: str, system: Any, path: str) -> ImageSet:
    """Return the pictures that one file is or names."""
    folder, name = posixpath.split(path)
    suffix = posixpath.splitext(name)[1].lower()
    if suffix == ".zip":
        raise ValueError(
            f"{name} is a zip in a store, where single pictures are slow to reach. Unpack it "
            "there, or copy it to a disk."
        )
    if suffix not in (".csv", ".tsv"):
        return _files_set(kind, {path: system.info(path)}, [])
    table = read_table(system.cat_file(path), name, lambda each: system.isfile(f"{folder}/{each}"))
    paths = [each if "://" in each else f"{folder}/{each}" for each in table.paths]
    readers = [partial(read_file, each) if "://" in each
               else partial(read_stored, _address(kind, each)) for each in paths]  # fmt: skip

    def mark(index: int) -> object:
        return paths[index]

    return ImageSet(
        table.paths,
        table.labels,
        lambda index, at_least: readers[index](at_least),
        table.notes,
        mark,
        reader=lambda index: readers[index],
    )


def read_stored(address: str, at_least: int | None) -> ImageSample:
    """Return a picture of a store; raises what `load_image` raises.

    >>> storage.write("memory://shelf", {"one.ppm": b"P6 1 1 255 abc"})
    >>> read_stored("memory://shelf/one.ppm", None).pixels.tolist()
    [[[97, 98, 99]]]
    """
    system, path = storage.store(address)
    name = posixpath.basename(path)
    try:
        with system.open(path, "rb") as opened:
            file = io.BytesIO(opened.read(10 * MAX_BYTES + 1))
    except FileNotFoundError:  # of which the stores say no more than the path
        raise FileNotFoundError(f"There is no file {name!r}.") from None
    file.name = name
    return replace(load_image(file, at_least=at_least), source=address)
