"""Pictures in a zip."""

from __future__ import annotations

import lzma
import os
import posixpath
import threading
import zipfile
import zlib
from functools import lru_cache, partial
from pathlib import Path

from cnn_widgets.datasets.files import (
    SUFFIXES,
    beside,
    file_mark,
    folders_as_labels,
    is_hidden,
    left_out,
)
from cnn_widgets.datasets.image_set import ImageSet
from cnn_widgets.images.download import MAX_BYTES
from cnn_widgets.images.loading import load_image
from cnn_widgets.records import ImageSample

_UNPACKING = (
    RuntimeError, zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, lzma.LZMAError,
)  # fmt: skip


def zip_set(path: Path) -> ImageSet:
    """Return the pictures in a zip; the names of its own folders are their labels.

    Raises
    ------
    ValueError
        If the file is no zip, or holds no pictures.
    """
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path.name} is no zip that can be read: {error}.") from None
    every = [(_normal(each.filename), each) for each in archive.infolist() if not each.is_dir()]
    seen = [(name, each) for name, each in every if not is_hidden(name)]
    found = [(name, each) for name, each in seen if name.lower().endswith(SUFFIXES)]
    others = left_out(len(seen) - len(found))
    if not found:
        archive.close()
        raise ValueError(
            f"{path.name} holds no pictures: no file that ends in {', '.join(SUFFIXES)}."
            f"{''.join(f' {note}.' for note in others)}"
        )
    found.sort(key=lambda each: each[0].split("/"))
    names, members = [name for name, _ in found], [member for _, member in found]
    common = posixpath.commonpath([posixpath.dirname(name) for name in names]).rstrip("/")
    below = [name[len(common) + 1 :] for name in names]
    lock = threading.Lock()
    return ImageSet(
        below,
        folders_as_labels(below),
        lambda index, at_least: _read_member(archive, lock, members[index], at_least),
        [*others, *beside(below)],
        lambda index: (members[index].CRC, members[index].file_size),
        reader=lambda index: partial(
            _read_zipped, os.path.abspath(path), file_mark(path), members[index]
        ),
    )


def _read_member(
    archive: zipfile.ZipFile, lock: threading.Lock, member: zipfile.ZipInfo, at_least: int | None
) -> ImageSample:
    if member.file_size > 10 * MAX_BYTES:
        raise ValueError(f"{member.filename} is larger than {10 * MAX_BYTES // 2**20} MB.")
    try:
        with lock, archive.open(member) as file:
            data = file.read(member.file_size + 1)
    except _UNPACKING as error:
        raise ValueError(f"{member.filename} cannot be unpacked: {error}") from None
    return load_image({"name": member.filename, "content": data}, at_least=at_least)


def _read_zipped(
    path: str, mark: object, member: zipfile.ZipInfo, at_least: int | None
) -> ImageSample:
    return _read_member(*_opened_zip(path, mark), member, at_least)


@lru_cache(maxsize=2)
def _opened_zip(path: str, mark: object) -> tuple[zipfile.ZipFile, threading.Lock]:
    """Return a zip that another process has listed; it stays open for the next picture."""
    return zipfile.ZipFile(path), threading.Lock()


def _normal(name: str) -> str:
    r"""Return the name of a zip's member as a path from its top: "/cats/a.png".

    Some programs of Windows write ``cats\a.png``.
    """
    return posixpath.normpath("/" + name.replace("\\", "/").lstrip("/"))
