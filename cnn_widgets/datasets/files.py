"""Picture files: those of a folder, and those that match a pattern."""

from __future__ import annotations

import glob
import os
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from cnn_widgets.datasets.image_set import ImageSet
from cnn_widgets.images.loading import load_image
from cnn_widgets.records import ImageSample

#: Suffixes of the files that are read as pictures, where a whole folder is given.
SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm",
    ".pgm", ".pbm", ".avif", ".heic", ".heif",
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
    """Return the pictures below a folder, as sorted relative paths with "/", and what is to say."""
    found, notes, others = [], [], 0
    for prefix, entries, error in _walked(folder):
        if error:
            name = prefix.rstrip("/") or folder.name
            notes.append(f"The folder {name!r} could not be read: {error}")
        found += [prefix + entry.name for entry, kind in entries if kind == "picture"]
        others += sum(kind == "other" for _, kind in entries)
    return sorted(found, key=lambda path: path.split("/")), notes + left_out(others)


def left_out(count: int) -> list[str]:
    """Return what is to be said of so many files that are no pictures."""
    if not count:
        return []
    return [
        f"{'1 file is no picture' if count == 1 else f'{count} files are no pictures'}, left out"
    ]


def _walked(
    folder: str | Path,
) -> Iterator[tuple[str, list[tuple[os.DirEntry[str], str]], str]]:
    """Yield (prefix of its paths, entries with their kinds, error) of a folder and each below it.

    A folder that is reached twice, through a link, is read once; hidden files are left out.
    """
    seen = set[tuple[int, int]]()
    waiting, links = [("", str(folder))], list[tuple[str, str]]()
    while waiting or links:  # links last: what lies below the folder itself has its own path
        prefix, here = waiting.pop() if waiting else links.pop(0)
        try:
            about = os.stat(here)
            if (about.st_dev, about.st_ino) in seen:
                continue
            seen.add((about.st_dev, about.st_ino))
            with os.scandir(here) as listed:
                entries = [(entry, _kind(entry)) for entry in listed
                           if not entry.name.startswith((".", "__MACOSX"))]  # fmt: skip
        except OSError as error:
            yield prefix, [], error.strerror or type(error).__name__
            continue
        for entry, kind in entries:
            if kind == "folder":
                later = links if entry.is_symlink() else waiting
                later.append((f"{prefix}{entry.name}/", entry.path))
        yield prefix, entries, ""


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
    """Return what is to be said if folders are no labels, though there are several."""
    alone = [path for path in paths if "/" not in path]
    folders = {path.split("/", 1)[0] for path in paths if "/" in path}
    if alone and len(folders) > 1:
        more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
        return [f"The folders are not taken as labels: {alone[0]}{more} lies beside them"]
    common = "" if alone else posixpath.commonpath([posixpath.dirname(path) for path in paths])
    if common and folders_as_labels([path[len(common) + 1 :] for path in paths]):
        return [
            f"All pictures lie in the folder {common!r}, so nothing is taken as labels: the "
            "folders in it are, if it is opened itself"
        ]
    return []


def folders_as_labels(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the first folder of each relative path, if these can be classes; else nothing."""
    heads = [path.split("/", 1)[0] if "/" in path else "" for path in paths]
    return tuple(heads) if "" not in heads and len(set(heads)) > 1 else ()


def pattern_set(pattern: str) -> ImageSet:
    """Return the files that match a pattern such as ``photos/**/*.jpg``, sorted by name.

    A folder that is reached twice, through a link, is read once. Files that are no pictures by
    their names are left out, unless all are such.

    Raises
    ------
    FileNotFoundError
        If no file matches.
    """
    every = _once_each(path for path in _matches(pattern) if os.path.isfile(path))
    if not every:
        raise FileNotFoundError(f"No file matches the pattern {pattern!r}.")
    found = pictures_of(every)
    base = os.path.commonpath([os.path.dirname(path) for path in found])
    below = [Path(os.path.relpath(path, base or ".")).as_posix() for path in found]
    return ImageSet(
        below,
        folders_as_labels(below),
        lambda index, at_least: read_file(found[index], at_least),
        [*left_out(len(every) - len(found)), *beside(below)],
        lambda index: file_mark(found[index]),
        reader=lambda index: partial(read_file, os.path.abspath(found[index])),
    )


def pictures_of(paths: Sequence[str]) -> Sequence[str]:
    """Return those of some files that are pictures by their names; all if none is."""
    return [path for path in paths if path.lower().endswith(SUFFIXES)] or paths


def _matches(pattern: str) -> Iterable[str]:
    """Return the paths that match a pattern; unlike in `glob`, ``**`` takes each folder once."""
    pieces: list[list[str]] = [[]]
    for part in Path(pattern).parts:
        if part != "**":
            pieces[-1].append(part)
        elif len(pieces) == 1 or pieces[-1]:  # several in a row are as one
            pieces.append([])
    first, *further = pieces
    found: Iterable[str] = glob.iglob(os.path.join(*first)) if first else [""]
    for piece in further:
        rest = os.path.join(*(piece or ["*"]))
        folders = {
            os.path.join(start, prefix)
            for start in found
            for prefix, _, error in _walked(start or ".")
            if not error
        }
        found = [path for folder in folders
                 for path in glob.iglob(os.path.join(glob.escape(folder), rest))]  # fmt: skip
    return found


def _once_each(paths: Iterable[str]) -> list[str]:
    """Return paths sorted; of those that lead into one folder, the one with the fewest links."""
    by_folder: dict[str, set[str]] = {}
    for path in paths:
        folder, name = os.path.split(path)
        by_folder.setdefault(folder, set()).add(name)

    def links(folder: str) -> int:
        return sum(map(os.path.islink, (Path(folder), *Path(folder).parents)))

    taken: dict[tuple[object, str], str] = {}
    for folder in sorted(by_folder, key=lambda each: (links(each), each)):
        about = os.stat(folder or ".")
        for name in by_folder[folder]:
            taken.setdefault(((about.st_dev, about.st_ino), name), os.path.join(folder, name))
    return sorted(taken.values())


def is_hidden(path: str) -> bool:
    """Return whether systems hide a path below a folder, or macOS has added it to a zip."""
    parts = [part for part in path.split("/") if part not in (".", "..")]
    return any(part.startswith((".", "__MACOSX")) for part in parts)
