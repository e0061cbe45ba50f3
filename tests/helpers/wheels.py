"""Small wheels made by hand, and a pip that hands them out without a network."""

from __future__ import annotations

import zipfile
from importlib import metadata
from itertools import pairwise
from pathlib import Path

CLI = """
import sys
if sys.argv[1:] == ["doctor"]:
    print("the doctor was run")
    sys.exit({code})
print("started with", *sys.argv[1:])
"""


def wheel(folder: Path, name: str, version: str = "1.0", files=None, *stated: str) -> Path:
    """Write a wheel of text files by name; `stated` are further lines about the package."""
    info = f"{name}-{version}.dist-info"
    held = {
        **(files or {f"{name}.py": "value = 1\n"}),
        f"{info}/METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name.replace('_', '-')}", f"Version: {version}",
             *stated, ""]
        ),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }  # fmt: skip
    held[f"{info}/RECORD"] = "".join(f"{each},,\n" for each in [*held, f"{info}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        for each, text in held.items():
            made.writestr(each, text)
    return path


def own(folder: Path, code: int = 0) -> Path:
    """Write a wheel that stands for this package; its doctor ends with an exit code."""
    files = {"cnn_widgets/__init__.py": "", "cnn_widgets/cli.py": CLI.format(code=code)}
    return wheel(folder, "cnn_widgets", "0.1.0", files, "Provides-Extra: cpu",
                 'Requires-Dist: needed>=1; extra == "cpu"')  # fmt: skip


def installed_pip(folder: Path) -> Path:
    """Write a wheel of the pip that is installed here."""
    found = metadata.distribution("pip")
    path = folder / f"pip-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as made:
        for each in found.files or ():
            if not each.as_posix().startswith("..") and each.suffix != ".pyc":
                made.write(each.locate(), each.as_posix())
    return path


class Pip:
    """A pip that makes the wheels it is asked for, and notes how it was asked."""

    def __init__(self, code: int = 0, fails: str = "") -> None:
        self.code, self.fails, self.asked = code, fails, list[list[str]]()

    def __call__(self, arguments, say) -> None:
        self.asked.append([*arguments])
        place = Path(next(after for before, after in pairwise(arguments)
                          if before in ("--wheel-dir", "--dest")))  # fmt: skip
        if self.fails and self.fails in arguments:
            raise OSError(f"pip failed: ERROR: {self.fails}")
        say("Collecting needed")
        if "--no-deps" in arguments:
            own(place, self.code)
        else:
            wheel(place, "needed", "1.0", None, "Requires-Python: >=3.8")
            installed_pip(place)
