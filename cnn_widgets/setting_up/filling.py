"""`bundle`: a folder for a stick, from which cnn-widgets is installed with no network.

The manifest, with the SHA-256 of every file, is written last: a folder without it is not finished.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from cnn_widgets.setting_up import stick
from cnn_widgets.setting_up.machine import gigabytes
from cnn_widgets.setting_up.notebooks import chosen_notebooks
from cnn_widgets.setting_up.packages import installed
from cnn_widgets.setting_up.wheels import Say, collect, expected_bytes, lowest_python

_SPARE = 5_000_000  # bytes that a file system takes for itself: tables, the ends of blocks


@dataclass(frozen=True)
class Bundle:
    """A finished bundle.

    Attributes
    ----------
    folder : Path
    bytes : int
        The size of all its files.
    installed_bytes : int
        What it takes on a computer on which it is installed.
    files : int
        The number of its files.
    """

    folder: Path
    bytes: int
    installed_bytes: int
    files: int

    def __str__(self) -> str:
        size, after = gigabytes(self.bytes), gigabytes(self.installed_bytes)
        return f"{self.files} files, {size}; installed it takes {after}"


def bundle(
    out: str | Path,
    *,
    notebooks: Iterable[Path] | None = None,
    extras: str = "cpu",
    wheel: Path | None = None,
    say: Say | None = None,
) -> Bundle:
    """Fill a folder with all that is needed to install cnn-widgets with no network.

    Wheels of this package and of all that it needs (the bundled network's weights among them) for
    computers with this system, processor and version of Python, notebooks, a README, and programs
    that install. An earlier bundle in the folder is replaced.

    Parameters
    ----------
    out : str or Path
        A new or empty folder, or one that holds a bundle.
    notebooks : iterable of Path, optional
        Files and folders; by default the notebooks that come with the package.
    extras : str
        Extras of this package, separated by commas.
    wheel : Path, optional
        This package's own wheel, where pip cannot find or build it.
    say : callable, optional
        Called with a line of text now and then.

    Returns
    -------
    Bundle

    Raises
    ------
    ValueError
        If the folder holds something else, or an argument is wrong.
    OSError
        If there is no room, or pip fails. The folder is then marked as not finished.
    """
    tell: Say = say or (lambda line: None)
    chosen, folder = chosen_notebooks(notebooks), Path(out).expanduser().absolute()
    _check_folder(folder)
    guess = expected_bytes(extras)
    tell(f"about {gigabytes(guess)} will be downloaded or taken from pip's cache (estimated)")
    _check_room(folder, guess // 2)  # half of an estimate that may be wrong
    with tempfile.TemporaryDirectory(prefix="cnn-widgets-bundle-") as made:
        requirement = collect(Path(made), extras, wheel, tell)
        parts = {f"wheels/{path.name}": path for path in sorted(Path(made).glob("*.whl"))}
        parts |= {f"notebooks/{name}": path for name, path in chosen.items()}
        size = sum(path.stat().st_size for path in parts.values())
        tell(f"{len(parts)} files, {gigabytes(size)}; copying")
        _check_room(folder, size)
        return _filled(folder, parts, requirement)


def _check_folder(folder: Path) -> None:
    """Raise a ValueError if a folder holds anything but an earlier bundle, finished or not."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"Expected a folder, and this is a file: {str(folder)!r}")
    marks = (stick.MANIFEST, stick.UNFINISHED)
    held = [path for path in folder.glob("*") if not path.name.startswith(".")]
    if held and not any((folder / mark).exists() for mark in marks):
        raise ValueError(
            f"{str(folder)!r} holds other files. Name a new folder, such as "
            f"{str(folder / 'cnn-widgets-bundle')!r}."
        )


def _check_room(folder: Path, needed: int) -> None:
    """Raise an OSError if the disk of a folder has no room for a bundle of some bytes."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    free = shutil.disk_usage(there).free
    old = sum(path.stat().st_size for path in (folder / "wheels").glob("*.whl"))
    if free + old < needed + _SPARE:
        raise OSError(
            errno.ENOSPC,
            f"No room: the bundle needs {gigabytes(needed)}, and {gigabytes(free + old)} are free",
            str(folder),
        )


def _filled(folder: Path, parts: dict[str, Path], requirement: str) -> Bundle:
    """Copy all parts into a folder and write its manifest last."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / stick.UNFINISHED
    unfinished.write_text("This bundle is not finished: run cnn-widgets bundle again.\n", "utf-8")
    (folder / stick.MANIFEST).unlink(missing_ok=True)
    for old in ("wheels", "notebooks"):
        shutil.rmtree(folder / old, ignore_errors=True)
    facts: dict[str, Any] = {
        **stick.this_computer(),
        "requirement": requirement,
        **_unpacked(parts),
    }
    facts["lowest_python"] = lowest_python(facts["python"], parts.values())
    try:
        stated = {name: _copied(path, folder / name) for name, path in parts.items()}
        for name, text in _written(facts).items():
            (folder / name).write_bytes(text)
            stated[name] = _stated(text)
        manifest = json.dumps({**facts, "files": stated}, indent=1)
        with (folder / stick.MANIFEST).open("w", encoding="utf-8") as file:
            file.write(manifest)
            file.flush()
            os.fsync(file.fileno())
        unfinished.unlink()
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        why = "No room: the disk is full, and the bundle is not finished"
        raise OSError(errno.ENOSPC, why, str(folder)) from error
    size = sum(int(each["bytes"]) for each in stated.values()) + len(manifest)
    return Bundle(folder, size, int(facts["installed_bytes"]), len(stated) + 1)


def _copied(source: Path, target: Path) -> dict[str, Any]:
    """Copy a file piece by piece, down to the disk itself; return its size and SHA-256."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as read, target.open("wb") as write:
        while piece := read.read(1 << 20):
            digest.update(piece)
            size += write.write(piece)
        write.flush()
        os.fsync(write.fileno())  # a stick may be pulled out as soon as the command has ended
    return {"bytes": size, "sha256": digest.hexdigest()}


def _stated(data: bytes) -> dict[str, Any]:
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _unpacked(parts: dict[str, Path]) -> dict[str, int]:
    """Return the bytes that all files take when installed, and the length of the longest name."""
    size, longest = 0, 0
    for name, path in parts.items():
        if not name.endswith(".whl"):
            size += path.stat().st_size
            continue
        with zipfile.ZipFile(path) as opened:
            for each in opened.infolist():
                size += each.file_size
                longest = max(longest, len(each.filename))
    return {"installed_bytes": size, "longest_name": longest}


def _written(facts: dict[str, Any]) -> dict[str, bytes]:
    """Return the files that are written for a bundle, by name."""
    place = files("cnn_widgets.setting_up")
    major, minor = facts["python"].split(".")
    words = {
        "PYTHON": facts["python"],
        "LOWEST": facts["lowest_python"],
        "COMMAS": f"{major}, {minor}",
        "MICRO": facts["lowest_python"].split(".")[2],
        "NUMBER": str(int(major) * 100 + int(minor)),
        "VERSION": facts["requirement"].partition("==")[2] or installed("cnn-widgets") or "",
        "SYSTEM": {"Darwin": "macOS"}.get(facts["system"], facts["system"]),
        "MACHINE": facts["machine"],
        "INSTALLED": gigabytes(facts["installed_bytes"]),
    }
    found = {"install.py": (place / "stick.py").read_text("utf-8")}
    for name in ("install.sh", "install.bat", "README.txt"):
        text = (place / "on_stick" / name).read_text("utf-8")
        for word, meaning in words.items():
            text = text.replace(f"@{word}@", meaning)
        found[name] = text
    windows = ("install.bat", "README.txt")  # both want the line ends of Windows
    return {
        name: text.replace("\n", "\r\n" if name in windows else "\n").encode("utf-8")
        for name, text in found.items()
    }


def check_bundle(folder: str | Path) -> list[str]:
    """Return in words what is wrong with a bundle: files missing, changed or foreign.

    Raises
    ------
    ValueError
        If there is no such folder, it is not finished, or is no bundle.
    """
    place = Path(folder).expanduser()
    if not place.is_dir():
        raise ValueError(f"Expected the folder of a bundle. There is no folder {str(folder)!r}.")
    return stick.damage(place, stick.read_manifest(place))
