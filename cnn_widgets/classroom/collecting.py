"""Finds the hand-ins in folders and zips, whatever a browser or a Mac made of their names."""

from __future__ import annotations

import json
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from cnn_widgets.classroom.handing_in import ENDING, FORM
from cnn_widgets.classroom.results import few, one_line

#: Largest hand-in that is read, in bytes; a zip may hold so many, and so much of them.
_LARGEST = 20 * 2**20
_MOST, _MOST_BYTES = 1000, 500 * 2**20
#: A second download of a file is called "ada.handin (1).json".
_NAME = re.compile(r".*\.handin[^.]*\.json", re.IGNORECASE | re.DOTALL)
#: What else may hold a hand-in, and is told when it is left out.
_PERHAPS = re.compile(r".*\.(json|zip|rar|7z|tar|t?gz|bz2|xz)|.*\.handin.*", re.IGNORECASE)


class HandInFile(NamedTuple):
    """A file that is to be read: its name as it is told, its path, and its place in a zip."""

    shown: str
    path: Path
    member: zipfile.ZipInfo | None = None

    def content(self) -> dict[str, Any]:
        """Return what the hand-in says; a ValueError says what the file is instead."""
        name = PurePosixPath(self.shown).name
        data = self._bytes()
        if len(data) > _LARGEST:
            raise ValueError(f"{name} is larger than {_LARGEST // 2**20} MB")
        try:
            content = json.loads(data.decode("utf-8-sig"))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{name} is no JSON file ({error})") from None
        if not isinstance(content, dict) or content.get("form") != FORM:
            raise ValueError(f"{name} is no hand-in of cnn-widgets")
        pins = content.get("pins")
        fields = ("answers", "state", "measured", "photograph", "network")
        if not isinstance(pins, list) or "name" not in content or not all(
            isinstance(each, dict) and all(isinstance(each.get(name), dict) for name in fields)
            for each in pins
        ):  # fmt: skip
            raise ValueError(f"{name} is a damaged hand-in")
        return content

    def _bytes(self) -> bytes:
        """Return the file, and no more of it than a byte too many."""
        if self.member is None:
            with self.path.open("rb") as file:
                return file.read(_LARGEST + 1)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as packed:
                return packed.read(_LARGEST + 1)
        except (RuntimeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ValueError(f"{self.shown} cannot be unpacked: {error}") from None


class Collected(NamedTuple):
    """The hand-ins of a class, and what may be some but was left out, each with the reason."""

    files: list[HandInFile]
    left_out: list[str]


def collected(source: str | Path | Iterable[str | Path]) -> Collected:
    """Return the hand-ins in folders, in zips and among files.

    Parameters
    ----------
    source : str, Path or several
        A folder with its sub-folders and the zips in it, a zip, or files.

    Raises
    ------
    TypeError
        If it is no path.
    ValueError
        If it does not exist or is something else, or there is no hand-in.
    """
    given = [source] if isinstance(source, str | Path) else source
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise TypeError(f"Expected a folder of hand-ins, or files. Received: {source!r}")
    roots = [_root(each) for each in given]
    above = _common(roots)
    found = Collected([], [])
    for path in dict.fromkeys(path for root in roots for path in _walked(root)):
        shown = path.relative_to(above).as_posix() if above else str(path)
        if _NAME.fullmatch(path.name):
            found.files.append(HandInFile(shown, path))
        elif path.suffix.lower() == ".zip":
            _unpack(shown, path, found)
        elif _PERHAPS.fullmatch(path.name):
            found.left_out.append(f"{shown} (no *{ENDING} and no zip)")
    if not found.files:
        others = f" Left out: {few(found.left_out)}." if found.left_out else ""
        raise ValueError(f"There is no file *{ENDING}.{others}")
    return found


def left_out(source: str | Path | Iterable[str | Path]) -> list[str]:
    """Return what `check_hand_ins` leaves out of a folder though it may be a hand-in, and why.

    Such as a zip without one, or an archive of another kind.
    """
    return [one_line(each, 300) for each in collected(source).left_out]


def _root(given: Any) -> Path:
    if not isinstance(given, str | Path):
        raise TypeError(f"Expected a folder of hand-ins, or files. Received: {given!r}")
    path = Path(given)
    known = path.is_dir() or _NAME.fullmatch(path.name) or path.suffix.lower() == ".zip"
    if not known or not path.exists():
        why = f"Received: {path}" if path.exists() else f"There is no file or folder {str(path)!r}."
        raise ValueError(
            f"Expected a folder of hand-ins, a zip of them, or a file *{ENDING}. {why}"
        )
    return Path(os.path.abspath(path))


def _common(roots: list[Path]) -> Path | None:
    """Return the folder in which all lie; None if there is none, as on two drives."""
    try:
        return Path(os.path.commonpath([each if each.is_dir() else each.parent for each in roots]))
    except ValueError:
        return None


def _walked(root: Path) -> Iterator[Path]:
    """Yield the files of a folder in order, without those in which a Mac keeps its own notes."""
    if not root.is_dir():
        yield root
        return
    for path in sorted(root.rglob("*")):
        if not _of_a_mac(path.relative_to(root).parts) and not path.is_dir():
            yield path


def _of_a_mac(parts: tuple[str, ...]) -> bool:
    return "__MACOSX" in parts or parts[-1].startswith("._")


def _unpack(shown: str, path: Path, found: Collected) -> None:
    """Add the hand-ins in a zip, or the reason why it is left out; nothing is unpacked yet."""
    try:
        with zipfile.ZipFile(path) as archive:
            within = [each for each in archive.infolist() if not each.is_dir()]
    except (OSError, ValueError, RuntimeError, struct.error, zipfile.BadZipFile) as error:
        found.left_out.append(f"{shown} (it cannot be unpacked: {error})")
        return
    named = [(PurePosixPath(each.filename), each) for each in within]
    named = [(at, each) for at, each in named if at.parts and not _of_a_mac(at.parts)]
    files = [(at, each) for at, each in named if _NAME.fullmatch(at.name)]
    nested = [f"{shown}/{at}" for at, _ in named if at.suffix.lower() == ".zip"]
    found.left_out.extend(f"{each} (a zip inside a zip)" for each in nested[:20])
    if len(files) > _MOST or sum(each.file_size for _, each in files) > _MOST_BYTES:
        found.left_out.append(
            f"{shown} (more than {_MOST:,} hand-ins, or {_MOST_BYTES // 2**20} MB of them)"
        )
    elif not files and not nested:
        found.left_out.append(f"{shown} (a zip without a hand-in)")
    else:
        found.files.extend(HandInFile(f"{shown}/{at}", path, each) for at, each in files)
