"""Wheels for a bundle, through pip: this package's own, and those of all that it needs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from email.message import Message
from email.parser import Parser
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from cnn_widgets.setting_up.packages import OWN, installed

Say = Callable[[str], object]
#: Wheels take about a quarter of what they take when they are unpacked (measured: 0.25).
_PACKED = 0.25
_TOLD = ("Collecting ", "Downloading ", "Building wheel", "Processing ")


def run_pip(arguments: Sequence[str], say: Say) -> None:
    """Run pip of this Python, passing on what it is doing.

    Raises
    ------
    OSError
        If pip is missing or fails; the message holds its own last errors.
    """
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check",
               "--progress-bar=off", "--no-input"]  # fmt: skip
    lines: deque[str] = deque(maxlen=200)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          encoding="utf-8", errors="replace") as running:  # fmt: skip
        for line in running.stdout or ():
            lines.append(line.strip())
            if line.strip().startswith(_TOLD):
                say(line.strip().partition(" (from ")[0])
    if running.returncode:
        told = "\n".join(lines)
        if "No module named pip" in told:
            raise OSError("This Python has no pip. Install it: python -m ensurepip")
        if "No space left on device" in told or "[Errno 28]" in told:
            raise OSError("There is no room for temporary files: make room, or set TMPDIR to a "
                          "folder on another disk.")  # fmt: skip
        errors = [line for line in lines if line.startswith("ERROR:")] or list(lines)
        raise OSError(f"pip failed: {' '.join(errors[-3:])}")


def collect(folder: Path, extras: str, wheel: Path | None, say: Say) -> str:
    """Put all wheels for this computer into a folder; return the requirement that installs them.

    Parameters
    ----------
    folder : Path
        An empty folder.
    extras : str
        Extras of this package, separated by commas, such as ``"cpu"``.
    wheel : Path or None
        This package's own wheel, where it cannot be found otherwise.
    say : callable
        Called with a line of text now and then.

    Raises
    ------
    ValueError
        If an extra is unknown, or the file given is no wheel of this package.
    OSError
        If pip fails.
    """
    own = own_wheel(folder, wheel, say)
    stated = _metadata(own)
    known = stated.get_all("Provides-Extra") or []
    for each in filter(None, extras.split(",")):
        if each not in known:
            raise ValueError(f"Unknown extra {each!r}. Extras: {', '.join(known)}.")
    named = f"{OWN}[{extras}]" if extras else OWN
    run_pip(["wheel", "--wheel-dir", str(folder), f"{named} @ {own.as_uri()}", "pip"], say)
    return f"{named}=={stated['Version']}"


def _metadata(wheel: Path) -> Message:
    """Return what a wheel states about itself."""
    with zipfile.ZipFile(wheel) as opened:
        (name,) = (n for n in opened.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
        return Parser().parsestr(opened.read(name).decode("utf-8"))


def lowest_python(version: str, files: Iterable[Path]) -> str:
    """Return the first release of a version of Python, such as ``"3.11"``, that all wheels take.

    Parameters
    ----------
    version : str
    files : iterable of Path
        Those that are no wheels are left out.
    """
    from packaging.specifiers import SpecifierSet

    stated = (_metadata(path)["Requires-Python"] for path in files if path.suffix == ".whl")
    asked = [SpecifierSet(line) for line in stated if line]
    releases = (f"{version}.{number}" for number in range(100))
    fitting = (each for each in releases if all(some.contains(each) for some in asked))
    return next(fitting, f"{version}.0")


def own_wheel(folder: Path, given: Path | None, say: Say) -> Path:
    """Put this package's own wheel into a folder and return its path.

    It is built from the checkout that this package runs from or was installed from; otherwise it is
    the wheel file that it was installed from, or the release of the same version in pip's index.
    """
    if given is not None:
        if not (given.is_file() and given.name.startswith("cnn_widgets-")
                and given.suffix == ".whl"):  # fmt: skip
            raise ValueError(f"Expected a file cnn_widgets-….whl. Received: {str(given)!r}")
        return Path(shutil.copy(given, folder)).absolute()
    source = origin()
    say(f"the package's own wheel, from {'its release' if source is None else source}")
    if source is not None:
        run_pip(["wheel", "--no-deps", "--wheel-dir", str(folder), source], say)
    else:
        number = installed(OWN)
        try:
            run_pip(["download", "--no-deps", "--only-binary=:all:", "--dest", str(folder),
                     f"{OWN}=={number}"], say)  # fmt: skip
        except OSError as error:
            raise OSError(
                f"pip did not find the release {OWN} {number}. Give its wheel with --wheel "
                "cnn_widgets-….whl (in a checkout, pip wheel . --no-deps makes it), or run the "
                f"command in a checkout. ({error})"
            ) from error
    (own,) = folder.glob("cnn_widgets-*.whl")
    return own.absolute()


def origin() -> str | None:
    """Return what this package was installed from, as pip takes it; None for a release."""
    root = Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").is_file():
        return str(root)
    try:
        said = metadata.distribution(OWN).read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    stated = json.loads(said) if said else {}
    address = urlsplit(str(stated.get("url", "")))
    if address.scheme == "file":
        path = Path(url2pathname(address.path))
        return str(path) if path.exists() else None
    if "vcs_info" in stated:
        about = stated["vcs_info"]
        return f"{about['vcs']}+{stated['url']}@{about['commit_id']}"
    return None


def expected_bytes(extras: str) -> int:
    """Return about how many bytes the wheels take, estimated from what is installed here."""
    from packaging.requirements import Requirement

    waiting, seen, total = [Requirement(f"{OWN}[{extras}]" if extras else OWN)], set[str](), 0
    while waiting:
        asked = waiting.pop()
        if asked.name.lower() in seen:
            continue
        seen.add(asked.name.lower())
        try:
            found = metadata.distribution(asked.name)
        except metadata.PackageNotFoundError:
            continue
        total += sum(file.size or 0 for file in found.files or ())
        for line in found.requires or ():
            each = Requirement(line)
            if each.marker is None or any(
                each.marker.evaluate({"extra": extra}) for extra in ("", *asked.extras)
            ):
                waiting.append(each)
    return int(total * _PACKED)
