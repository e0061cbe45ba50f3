"""The notebook's front end: which one hosts this kernel, and whether it finds the widgets."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_widgets.setting_up.finding import Finding
from cnn_widgets.setting_up.packages import how_to_install, installed

MANAGER = "@jupyter-widgets/jupyterlab-manager"
#: The package that brings each front-end module.
MODULES = {MANAGER: "jupyterlab-widgets", "anywidget": "anywidget"}
#: The widget manager's major version that belongs to ipywidgets of a major version.
_MANAGERS = {"8": "5"}
#: Programs that start kernels, by the name of the program or of its Python module.
_SERVERS = {
    "jupyter-lab": ("JupyterLab", "jupyterlab"),
    "jupyterlab": ("JupyterLab", "jupyterlab"),
    "jupyter-notebook": ("Notebook", "notebook"),
    "notebook": ("Notebook", "notebook"),
    "voila": ("Voila", "voila"),
    "jupyterhub-singleuser": ("a server of JupyterHub", ""),
    "jupyter-labhub": ("a server of JupyterHub", ""),
    "jupyter-server": ("a Jupyter server", ""),
}


@dataclass(frozen=True)
class Host:
    """What shows the notebook that this kernel belongs to.

    Attributes
    ----------
    name : str
        In words; empty if there is a notebook, and it is not known what shows it.
    own_widgets : bool
        Whether it brings the widgets' front-end modules itself and does not look for them here.
    elsewhere : bool
        Whether its server runs from another environment than this kernel.
    """

    name: str
    own_widgets: bool = False
    elsewhere: bool = False


def host() -> Host:
    """Return what shows the notebook, as far as the kernel can know it."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return Host("none (run from a terminal or script)")
    if "google.colab" in sys.modules:
        return Host("Colab", own_widgets=True)
    if "__vsc_ipynb_file__" in shell.user_ns:
        return Host("VS Code", own_widgets=True)
    words = parent_command()
    elsewhere = _elsewhere(words)
    if any(name.startswith("VOILA_") for name in os.environ):
        number = "" if elsewhere else f" {installed('voila') or ''}"
        return Host(f"Voila{number}".strip(), elsewhere=elsewhere)
    for word in words[:4]:
        stem = re.sub(r"(-script)?(\.pyw?|\.exe)?$", "", re.split(r"[\\/]", word)[-1].lower())
        if stem in _SERVERS:
            name, package = _SERVERS[stem]
            number = "" if elsewhere or not package else f" {installed(package) or ''}"
            return Host(f"{name}{number}".strip(), elsewhere=elsewhere)
    return Host("", elsewhere=elsewhere)


def parent_command() -> list[str]:
    """Return the command line of the process that started this one; empty if not known."""
    try:
        import psutil
    except ImportError:
        return []
    try:
        parent = psutil.Process().parent()
        return [] if parent is None else [str(word) for word in parent.cmdline()]
    except psutil.Error:  # the process is of another user, or has ended
        return []


def _elsewhere(words: list[str]) -> bool:
    """Return whether a command line names a Python of another environment."""
    program = Path(words[0]) if words else Path()
    if not program.is_absolute() or not program.name.lower().startswith("python"):
        return False
    return os.path.normcase(program.parent) != os.path.normcase(Path(sys.executable).parent)


def front_end() -> list[Finding]:
    """Return a finding that names the front end of the notebook."""
    found = host()
    if not found.name:
        told = "A notebook; it is not known what shows it."
        return [Finding("front end", "ok", told)]
    return [Finding("front end", "ok", found.name)]


def widget_modules() -> list[Finding]:
    """Return a finding for each module that widgets need in the page."""
    shown_in = host()
    if shown_in.own_widgets:
        return [Finding("widgets in the page", "ok", f"{shown_in.name} brings its own")]
    if shown_in.elsewhere:
        told = "The notebook's server runs from another environment, which was not looked at."
        remedy = ("If no widgets appear, ask the teacher to install jupyterlab-widgets and "
                  "anywidget where the server runs.")  # fmt: skip
        return [Finding("widgets in the page", "warning", told, remedy)]
    disabled = disabled_modules()
    return [_module(name, disabled) for name in MODULES]


def _module(name: str, disabled: set[str]) -> Finding:
    part, package = f"front-end module {name}", MODULES[name]
    status = "fault" if name == MANAGER else "warning"
    lost = "No widget appears without it." if name == MANAGER else (
        "Without it pictures cannot be pointed at; the controls work."
    )  # fmt: skip
    again = how_to_install(f"--force-reinstall --no-deps {package}")
    about = description(name)
    if about is None:
        return Finding(part, status, f"It is not where JupyterLab looks. {lost}", again)
    number = str(about.get("version", ""))
    if name in disabled:
        remedy = (
            f"Type jupyter labextension enable {name} in the terminal, then load the page anew."
        )
        return Finding(part, status, f"{number} is there, but switched off. {lost}", remedy)
    wrong = _unfit(name, number, about)
    if wrong:
        remedy = how_to_install(f"--upgrade ipywidgets jupyterlab {package}")
        return Finding(part, status, f"{wrong} {lost}", f"{remedy} Then load the page anew.")
    return Finding(part, "ok", f"{number}, fits")


def _unfit(name: str, number: str, about: dict[str, Any]) -> str:
    """Return why a front-end module does not fit the installed packages, or an empty text."""
    if name != MANAGER:
        package = installed(name)
        if package and _release(package, 2) != _release(number, 2):
            return f"It is {number}, but the package is {package}."
        return ""
    widgets, lab = installed("ipywidgets"), installed("jupyterlab")
    belongs = _MANAGERS.get(_release(widgets or "", 1), "")
    if belongs and _release(number, 1) != belongs:
        return f"It is {number}, but ipywidgets {widgets} needs {belongs}."
    made_for = re.sub(r"^\D*", "", str(about.get("dependencies", {}).get(
        "@jupyterlab/application", "")))  # fmt: skip
    if lab and made_for and _release(made_for, 1) != _release(lab, 1):
        return f"It is made for JupyterLab {_release(made_for, 1)}, but {lab} is installed."
    return ""


def _release(number: str, parts: int) -> str:
    """Return the first parts of a version: of ``"5.0.16"`` two are ``"5.0"``."""
    return ".".join(number.split(".")[:parts])


def description(name: str) -> dict[str, Any] | None:
    """Return what is stated by the front-end module that JupyterLab would load, or None."""
    from jupyter_core.paths import jupyter_path

    for folder in jupyter_path("labextensions"):
        file = Path(folder, *name.split("/"), "package.json")
        if file.is_file():
            return dict(json.loads(file.read_text("utf-8")))
    return None


def disabled_modules() -> set[str]:
    """Return the names of front-end modules that settings of JupyterLab switch off.

    Where several levels of settings name one, the highest counts, as in JupyterLab.
    """
    merged: dict[str, bool] = {}
    for place in reversed(list(_page_settings())):
        if place.is_file():
            stated = json.loads(place.read_text("utf-8")).get("disabledExtensions", {})
            each = stated if isinstance(stated, dict) else dict.fromkeys(stated, True)
            merged |= {str(name): bool(off) for name, off in each.items()}
    return {name for name, off in merged.items() if off}


def _page_settings() -> Iterator[Path]:
    """Yield the files of settings, the highest level first."""
    from jupyter_core.paths import jupyter_config_path

    for folder in jupyter_config_path():
        yield Path(folder, "labconfig", "page_config.json")
    yield Path(sys.prefix, "share", "jupyter", "lab", "settings", "page_config.json")
