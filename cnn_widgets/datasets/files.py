"""Picture files: those of a folder, of a pattern, and of a zip."""

from __future__ import annotations

import glob
import lzma
import os
import posixpath
import threading
import zipfile
import zlib
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path

from cnn_widgets.datasets.image_set import ImageSet
from cnn_widgets.images.download import MAX_BYTES
from cnn_widgets.images.loading import load_image
from cnn_widgets.records import ImageSample

#: Suffixes of the files that are read as pictures, where a whole folder is given.
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm",
    ".pgm", ".pbm", ".avif", ".heic", ".heif",
)  # fmt: skip
_UNPACKING = (
    RuntimeError, zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, lzma.LZMAError,
)  # fmt: skip


def folder_set(folder: Path) -> ImageSet:
    """Return the pictures below a folder; the names of its own folders are their labels.

    Folders without pictures are no labels, and neither are any if there is but one or if pictures
    lie beside them.

    Raises
    ------
    ValueError
        If there is no picture below the folder.
    """
    found, notes = _pictures_below(folder)
    if not found:
        raise ValueError(
            f"The folder {str(folder)!r} holds no pictures: no file that ends in "
            f"{', '.join(SUFFIXES)}.{''.join(f' {note}.' for note in notes)}"
        )
    return ImageSet(
        found,
        folders_as_labels(found),
        lambda index, at_least: read_file(str(folder / found[index]), at_least),
        [*notes, *beside(found)],
        lambda index: file_mark(folder / found[index]),
        reader=lambda index: partial(read_file, os.path.abspath(folder / found[index])),
    )


def read_file(path: str, at_least: int | None) -> ImageSample:
    """Return the picture of a file, or of an ``http(s)`` address.

    What cannot be read is named without its folder: the error may stand on a page that is handed
    over.
    """
    try:
        return load_image(path, at_least=at_least)
    except (OSError, ValueError) as error:
        if "://" in path:
            raise
        raise _without_folder(error, path) from None


def _without_folder(error: OSError | ValueError, path: str) -> OSError | ValueError:
    """Return an error about a file with the file's name in place of its path."""
    told, name = str(error), os.path.basename(path)
    for written in (str(Path(path)), path):
        for shown in (repr(written)[1:-1], written, repr(written[:200])[1:-1]):
            told = told.replace(shown, name)
    kinds = (FileNotFoundError, PermissionError, OSError)
    return next((kind for kind in kinds if isinstance(error, kind)), ValueError)(told)


def _pictures_below(folder: Path) -> tuple[list[str], list[str]]:
    """Return the pictures below a folder, as sorted relative paths with "/", and what is to say.

    A folder that is reached twice, through a link, is read once; hidden files are left out.
    """
    found, notes, others, seen = [], [], 0, set()
    waiting, links = [("", folder)], list[tuple[str, Path]]()
    while waiting or links:  # links last: what lies below the folder itself has its own path
        prefix, here = waiting.pop() if waiting else links.pop(0)
        try:
            about = here.stat()
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.name.startswith((".", "__MACOSX")):
                        continue
                    kind = _kind(entry)
                    if kind == "folder":
                        later = links if entry.is_symlink() else waiting
                        later.append((f"{prefix}{entry.name}/", Path(entry.path)))
                    elif kind == "picture":
                        found.append(prefix + entry.name)
                    else:
                        others += 1
        except OSError as error:
            name = prefix.rstrip("/") or folder.name
            notes.append(f"The folder {name!r} could not be read: {error.strerror}")
    if others:
        said = "1 file is no picture" if others == 1 else f"{others} files are no pictures"
        notes.append(f"{said}, left out")
    return sorted(found, key=lambda path: path.split("/")), notes


def _kind(entry: os.DirEntry[str]) -> str:
    """Return "folder", "picture" or "other"; a link that leads nowhere or in a ring is other."""
    try:
        if entry.is_dir():
            return "folder"
        picture = entry.name.lower().endswith(SUFFIXES) and entry.is_file()
    except OSError:
        return "other"
    return "picture" if picture else "other"


def file_mark(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Return size and time of a file, which tell its content from another; None if it is gone."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    return about.st_size, about.st_mtime_ns


def beside(paths: Sequence[str]) -> list[str]:
    """Return what is to be said if pictures beside the folders keep these from being labels."""
    alone = [path for path in paths if "/" not in path]
    if not alone or len({path.split("/", 1)[0] for path in paths if "/" in path}) < 2:
        return []
    more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
    return [f"The folders are not taken as labels: {alone[0]}{more} lies beside them"]


def folders_as_labels(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the first folder of each relative path, if these can be classes; else nothing."""
    heads = [path.split("/", 1)[0] if "/" in path else "" for path in paths]
    return tuple(heads) if "" not in heads and len(set(heads)) > 1 else ()


def pattern_set(pattern: str) -> ImageSet:
    """Return the files that match a pattern such as ``photos/**/*.jpg``, sorted by name.

    Raises
    ------
    FileNotFoundError
        If no file matches.
    """
    found = sorted(path for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path))
    if not found:
        raise FileNotFoundError(f"No file matches the pattern {pattern!r}.")
    base = os.path.commonpath([os.path.dirname(path) for path in found])
    below = [Path(os.path.relpath(path, base or ".")).as_posix() for path in found]
    return ImageSet(
        below,
        folders_as_labels(below),
        lambda index, at_least: read_file(found[index], at_least),
        beside(below),
        lambda index: file_mark(found[index]),
        reader=lambda index: partial(read_file, os.path.abspath(found[index])),
    )


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
    members = sorted(
        (
            each
            for each in archive.infolist()
            if not each.is_dir() and is_picture_file(each.filename)
        ),
        key=lambda each: _normal(each.filename).split("/"),
    )
    if not members:
        archive.close()
        raise ValueError(f"{path.name} holds no pictures: no file that ends in {SUFFIXES}.")
    names = [_normal(each.filename) for each in members]
    common = posixpath.commonpath([posixpath.dirname(name) for name in names]).rstrip("/")
    below = [name[len(common) + 1 :] for name in names]
    lock = threading.Lock()
    return ImageSet(
        below,
        folders_as_labels(below),
        lambda index, at_least: _read_member(archive, lock, members[index], at_least),
        beside(below),
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
    """Return the name of a zip's member as a path from its top: "/cats/a.png"."""
    return posixpath.normpath("/" + name.lstrip("/"))


def is_picture_file(name: str) -> bool:
    parts = [part for part in name.split("/") if part not in (".", "..")]
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    return not hidden and name.lower().endswith(SUFFIXES)
