"""Installs cnn-widgets from this folder into a new environment, with no network.

This file stands alone: it is copied onto the stick as install.py and run there by Python itself,
before anything is installed. It imports the standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"
#: A file that is in the folder while it is being filled, and stays if that was interrupted.
UNFINISHED = "NOT_FINISHED.txt"
#: What a manifest tells beside the files.
_FACTS = {"files", "implementation", "installed_bytes", "longest_name", "lowest_python", "machine",
          "python", "requirement", "system"}  # fmt: skip
#: Windows refuses longer paths, unless it was told not to.
_LONGEST_PATH = 259


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return a bundle's manifest; a ValueError says that the bundle is not finished."""
    file = folder / MANIFEST
    if (folder / UNFINISHED).exists() or not file.is_file():
        raise ValueError(
            f"This folder is not a finished bundle ({MANIFEST} is missing, or the copying was "
            "interrupted). Make it again with: cnn-widgets bundle FOLDER"
        )
    try:
        found = json.loads(file.read_text("utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict) or not set(found) >= _FACTS:
        raise ValueError(f"{MANIFEST} is damaged. Copy the whole folder again.")
    return found


def damage(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """Return in words each file that is missing, changed, or does not belong to a bundle."""
    found = []
    for name, stated in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif path.stat().st_size != stated["bytes"]:
            found.append(f"{name} has {path.stat().st_size:,} bytes instead of {stated['bytes']:,}")
        elif sha256(path) != stated["sha256"]:
            found.append(f"{name} was changed")
    for path in sorted((folder / "wheels").glob("*")):
        if f"wheels/{path.name}" not in manifest["files"] and not path.name.startswith("."):
            found.append(f"wheels/{path.name} does not belong here")
    return found


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits, reading it piece by piece."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def this_computer() -> dict[str, str]:
    """Return what wheels depend on: Python's kind and version, system and processor."""
    return {
        "implementation": platform.python_implementation(),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "system": platform.system(),
        "machine": platform.machine().lower(),
    }


def unfit(manifest: dict[str, Any]) -> str:
    """Return why a bundle cannot be installed on this computer, or an empty text."""
    here = this_computer()
    for name, words in (("system", "system"), ("machine", "processor")):
        if manifest[name] != here[name]:
            return (
                f"This bundle is for the {words} {manifest[name]}, and this computer has "
                f"{here[name]}. Make another one on a computer like this one."
            )
    wanted = f"{manifest['implementation']} {manifest['python']}"
    running = f"{here['implementation']} {here['python']}"
    exact, lowest = platform.python_version(), manifest["lowest_python"]
    if wanted != running or _numbers(exact) < _numbers(lowest):  # wheels may refuse early releases
        return (
            f"This bundle needs {wanted} ({lowest} or newer), and this is {exact}. "
            f"Install Python {manifest['python']}."
        )
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """Return a version of Python as numbers: of ``"3.11.5rc1"`` they are (3, 11, 5)."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def install(folder: Path, target: Path, manifest: dict[str, Any]) -> int:
    """Make the environment `.venv` in a target folder, copy the notebooks, and run the doctor.

    Nothing outside of the target folder is changed. An environment that an earlier run made there
    is made anew; notebooks that are there are kept as they are.

    Returns
    -------
    int
        The doctor's exit code.

    Raises
    ------
    ValueError
        If the room does not suffice, the path would be too long, `.venv` is something else, or pip
        fails.
    """
    place, environment = target / ".venv", quiet_environment()
    _check_room(target, place, int(manifest["installed_bytes"]))
    _check_length(place, int(manifest["longest_name"]))
    print(f"Making {place} ...", flush=True)
    command = [sys.executable, "-m", "venv", "--without-pip", "--clear", str(place)]
    if subprocess.run(command, env=environment).returncode:
        raise ValueError(
            f"{place} could not be made; Python's own words stand above. If an earlier one is in "
            "use, close its notebooks and terminals first."
        )
    scripts = place / ("Scripts" if os.name == "nt" else "bin")
    python = scripts / ("python.exe" if os.name == "nt" else "python")
    print("Installing, this takes some minutes ...", flush=True)
    _run_pip(python, folder / "wheels", str(manifest["requirement"]), environment)
    _copy_notebooks(folder / "notebooks", target / "notebooks")
    start = _write_start(target)
    print("Looking whether all is well ...\n", flush=True)
    done = subprocess.run([str(python), "-m", "cnn_widgets.cli", "doctor"],
                          env=environment, cwd=target)  # fmt: skip
    print(f"\nInstalled in {target}. To start: {start}", flush=True)
    return done.returncode


def _check_room(target: Path, place: Path, needed: int) -> None:
    """Make the target folder; a ValueError if its `.venv` is something else, or space lacks."""
    if place.exists() and not (place / "pyvenv.cfg").exists():
        raise ValueError(
            f"{place} is there and is no environment of Python. Choose another folder."
        )
    target.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target).free
    if place.exists():
        free += needed  # what an earlier run put there is replaced
    if free < needed:
        raise ValueError(
            f"{needed / 1e9:.1f} GB are needed in {target}, {free / 1e9:.1f} are free."
        )


def _run_pip(python: Path, wheels: Path, requirement: str, environment: dict[str, str]) -> None:
    """Install from a folder of wheels, with the pip that lies there; no network is asked."""
    (pip,) = wheels.glob("pip-*.whl")
    command = [str(python), str(pip / "pip"), "install", "--quiet", "--no-index", "--find-links",
               str(wheels), "--no-compile", "--no-cache-dir", "--disable-pip-version-check",
               "--no-warn-script-location", "pip", requirement]  # fmt: skip
    if subprocess.run(command, env=environment).returncode:
        raise ValueError(
            "pip could not install it; its own words stand above. If it says that no distribution "
            "matches, this computer is too old for the wheels: make a bundle on one like it."
        )


def quiet_environment() -> dict[str, str]:
    """Return this process's environment without what would lead pip or Python elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PIP_") and name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    return {**kept, "PIP_CONFIG_FILE": os.devnull}


def _check_length(place: Path, longest: int) -> None:
    """Raise a ValueError where Windows would refuse the paths of an environment as too long."""
    if os.name != "nt" or _long_paths_allowed():
        return
    length = len(str(place / "Lib" / "site-packages")) + 1 + longest
    if length > _LONGEST_PATH:
        raise ValueError(
            f"{place.parent} is too long a folder for Windows (by {length - _LONGEST_PATH} "
            "characters). Choose a shorter one: install.bat C:\\cnn"
        )


def _long_paths_allowed() -> bool:
    import winreg  # on Windows only

    key: Any = winreg
    try:
        with key.OpenKey(
            key.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem"
        ) as at:
            return bool(key.QueryValueEx(at, "LongPathsEnabled")[0])
    except OSError:  # not set
        return False


def _copy_notebooks(source: Path, target: Path) -> None:
    """Copy the files that are not there yet; those that are there are a student's work."""
    for path in sorted(source.rglob("*")):
        there = target / path.relative_to(source)
        if path.is_file() and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, there)


def _write_start(target: Path) -> str:
    """Write the file that starts the explorer, and return how it is run."""
    if os.name == "nt":
        text = (
            '@echo off\nset "PYTHONPATH="\n'
            '"%~dp0.venv\\Scripts\\cnn-widgets.exe" --folder "%~dp0notebooks" %*\n'
        )
        (target / "start.bat").write_text(text, "ascii", newline="\r\n")
        return f"open {target / 'start.bat'}"
    text = (
        "#!/bin/sh\n"
        'here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd) || exit 1\n'
        "unset PYTHONPATH PYTHONHOME\n"
        'exec "$here/.venv/bin/python" -I -m cnn_widgets.cli --folder "$here/notebooks" "$@"\n'
    )
    (target / "start.sh").write_text(text, "ascii")
    return f"sh '{target / 'start.sh'}'"


def main(argv: Sequence[str] | None = None, folder: Path | None = None) -> int:
    """Check the folder that this file lies in, and install from it; return the exit code."""
    folder = folder or Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(prog="install", description="Install cnn-widgets, offline.")
    home = Path.home() / "cnn-widgets"
    words = "the folder to install into (default: cnn-widgets in your home)"
    parser.add_argument("target", nargs="?", type=Path, default=home, help=words)
    parser.add_argument("--check", action="store_true", help="only check that no file is damaged")
    options = parser.parse_args(argv)
    try:
        manifest = read_manifest(folder)
        why_not = "" if options.check else unfit(manifest)
        if why_not:
            raise ValueError(why_not)
        print("Checking the files ...", flush=True)
        wrong = damage(folder, manifest)
        if wrong:
            more = f", and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            raise ValueError(f"Damaged: {'; '.join(wrong[:5])}{more}. Copy the whole folder again.")
        if options.check:
            print(f"{len(manifest['files'])} files, all undamaged.")
            return 0
        return install(folder, options.target.expanduser().absolute(), manifest)
    except (ValueError, OSError) as error:
        print(f"Not installed. {error}" if not options.check else str(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. Run it again: it begins anew.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
