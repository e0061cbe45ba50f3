"""The ground everything stands on: TensorFlow is there, seeds are set, files are written whole."""

from __future__ import annotations

import contextlib
import os
import platform
import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np


def tensorflow() -> Any:
    """Return the module `tensorflow`, imported on first use, with Keras on top of it.

    Raises
    ------
    ImportError
        If TensorFlow is missing (the message names the extras that bring it), or Keras was told
        to use another backend.
    FileNotFoundError
        If there is no folder for temporary files: importing TensorFlow needs one.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # must be set before the import
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        raise FileNotFoundError(
            "TensorFlow needs a folder for temporary files, and none of the usual ones can be "
            "written to. Set the environment variable TMPDIR to one that can."
        ) from error
    try:
        with _quiet() if "tensorflow" not in sys.modules else contextlib.nullcontext():
            tf = import_module("tensorflow")
    except ModuleNotFoundError as error:
        raise ImportError(
            "TensorFlow is not installed. Install it with the package's extra: "
            "pip install 'cnn-widgets[cpu]' (in a checkout: '.[cpu]'), or 'cnn-widgets[gpu]' for "
            "an NVIDIA card."
        ) from error
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"Keras runs on {keras.backend.backend()!r} here; cnn_widgets needs TensorFlow. "
            "Set the environment variable KERAS_BACKEND=tensorflow before Keras is imported."
        )
    return tf


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what is written to standard error meanwhile; hand it on if something fails.

    TensorFlow 2.21 prints notices while it is imported that no setting silences; in a notebook
    they stand in red above the first result. Where there is no standard error, or no place to
    hold it back in, nothing is held back.
    """
    with contextlib.ExitStack() as opened:
        try:
            held = opened.enter_context(tempfile.TemporaryFile())
            kept = os.dup(2)
        except OSError:  # no writable folder for temporary files; a process without descriptor 2
            yield
            return
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def atomic_files(folder: Path, *names: str) -> Iterator[Path]:
    """Yield a place to write files in; they come into the folder when all of them are complete.

    Parameters
    ----------
    folder : Path
        Where they belong; it must be there.
    names : str
        What is written, in the order in which it is put in place.

    Raises
    ------
    OSError
        If a file cannot be written, on a full disk for instance; the message names it, no part
        of it stays, and a file of that name from before is as it was.
    """
    at = names[0]
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as made:
            place = Path(made)
            try:
                yield place
            except OSError as error:  # it may name the file; else it was the last that is there
                there = [name for name in names if (place / name).exists()]
                named = Path(str(error.filename)).name
                at = named if named in names else [*names[:1], *there][-1]
                raise
            for at in names:
                os.replace(place / at, folder / at)
    except OSError as error:
        file, reason = str(folder / at), f"Cannot write: {error.strerror or error}"
        if error.errno is None:  # NumPy's own message for a full disk
            raise OSError(f"{reason}: {file!r}") from error
        raise OSError(error.errno, reason, file) from error


@dataclass(frozen=True, repr=False)
class Environment:
    """What `configure` found and set."""

    seed: int
    device: str
    deterministic: bool
    versions: dict[str, str]

    def __str__(self) -> str:
        listed = " · ".join(f"{name} {number}" for name, number in self.versions.items())
        order = "deterministic operations" if self.deterministic else "fast operations"
        return f"device: {self.device}\nseed {self.seed} · {order}\n{listed}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<pre>{self}</pre>"


def configure(seed: int = 42, deterministic: bool = False) -> Environment:
    """Set the article's environment: seeds, one GPU with growing memory; say what was found.

    Parameters
    ----------
    seed : int
        For Python's `random`, NumPy and TensorFlow.
    deterministic : bool
        Whether TensorFlow must give the same bits every time, at some cost in speed.

    Returns
    -------
    Environment
        Device, seed and versions; a notebook shows it when it is the cell's last line.

    Notes
    -----
    GPU settings can only be made before TensorFlow first uses the device, so call this first.
    """
    tf = tensorflow()
    random.seed(seed)
    np.random.seed(seed)
    tf.random.set_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return Environment(seed, _device(tf), deterministic, versions())


def _device(tf: Any) -> str:
    """Return the device's description; of several GPUs only the first stays visible."""
    found = tf.config.list_physical_devices("GPU")
    if not found:
        return f"CPU ({os.cpu_count()} cores)"
    try:
        tf.config.set_visible_devices(found[0], "GPU")
        tf.config.experimental.set_memory_growth(found[0], True)
        memory = "memory grows as needed"
    except RuntimeError:  # TensorFlow has started already: its settings are fixed
        memory = "already in use, memory settings unchanged"
    details = tf.config.experimental.get_device_details(found[0])
    return f"GPU {details.get('device_name', found[0].name)} ({memory})"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that make the numbers."""
    found = {"Python": platform.python_version()}
    names = (
        "cnn-widgets",
        "tensorflow",
        "tensorflow-cpu",
        "keras",
        "numpy",
        "opencv-python-headless",
        "pillow",
        "ipywidgets",
        "jupyterlab",
    )
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
