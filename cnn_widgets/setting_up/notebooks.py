"""The notebooks that come with the package: where they are, and how they get into a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

FIRST = "01_explore.ipynb"


def shipped_notebooks() -> Path:
    """Return the notebooks' folder in the installed package or in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / FIRST).exists():
            return folder
    raise FileNotFoundError("The notebooks are missing from this installation; reinstall it.")


def notebooks_folder(wanted: Path | None = None) -> Path:
    """Return a folder that holds the notebooks, after copying those that are missing there.

    An existing notebook is never overwritten. In a checkout of the repository, and with no folder
    given, nothing is copied: the result is the checkout's own folder.
    """
    source = shipped_notebooks()
    if wanted is None and (source.parent / "pyproject.toml").exists():
        return source  # a checkout: its notebooks are edited in place
    folder = (wanted or Path("cnn_widgets_notebooks")).expanduser().absolute()
    folder.mkdir(parents=True, exist_ok=True)
    for notebook in sorted(source.glob("*.ipynb")):
        if not (folder / notebook.name).exists():
            shutil.copy(notebook, folder / notebook.name)
    return folder


def chosen_notebooks(given: Iterable[Path] | None) -> dict[str, Path]:
    """Return files by the path that each gets in a bundle's folder of notebooks.

    Parameters
    ----------
    given : iterable of Path or None
        Files, and folders that are taken whole (hidden files and folders excepted). None stands for
        the notebooks that come with the package.

    Raises
    ------
    FileNotFoundError
        If a file or folder does not exist.
    ValueError
        If two files would get the same path, or there is no notebook among them.
    """
    if given is None:
        source = shipped_notebooks()
        return {path.name: path for path in sorted(source.glob("*.ipynb"))}
    found: dict[str, Path] = {}
    for start in given:
        if not start.exists():
            raise FileNotFoundError(f"There is no file or folder {str(start)!r}.")
        paths = sorted(start.rglob("*")) if start.is_dir() else [start]
        for path in paths:
            inner = path.relative_to(start if start.is_dir() else start.parent)
            if path.is_dir() or any(part.startswith(".") for part in inner.parts):
                continue
            if inner.as_posix() in found:
                raise ValueError(f"Two files are called {inner.as_posix()!r}; rename one of them.")
            found[inner.as_posix()] = path
    if not any(name.endswith(".ipynb") for name in found):
        raise ValueError("There is no notebook (.ipynb) in what --notebooks names.")
    return found
