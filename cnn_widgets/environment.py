"""The process environment: TensorFlow and pandas on demand, memory, seeds, writing atomically."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import os
import platform
import random
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cnn_widgets.keras_setting import check_backend


class Worker(Protocol):
    """What has a thread of its own."""

    def stop(self) -> None:
        """Ask the thread to end after its present step."""

    def wait(self, timeout: float) -> None:
        """Wait until the thread has ended."""


_WORKERS: weakref.WeakSet[Worker] = weakref.WeakSet()
_EXIT_PATIENCE = 20.0  # seconds; a step is one batch, or one function compiled


def stopped_at_exit(worker: Worker) -> None:
    """Have a worker's thread end before Python does.

    Python ends daemon threads where they stand; one inside TensorFlow then aborts the process.
    """
    _WORKERS.add(worker)


@atexit.register
def _stop_workers() -> None:
    workers = list(_WORKERS)
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.wait(_EXIT_PATIENCE)


def tensorflow() -> Any:
    """Return the module `tensorflow`, imported on first use, after checking the Keras backend.

    Raises
    ------
    ImportError
        If TensorFlow is missing (the message names the extras that install it), or Keras is
        configured to use another backend.
    FileNotFoundError
        If no folder for temporary files is writable: importing TensorFlow needs one.
    """
    check_backend()  # Keras that is set to a library that is missing cannot even be imported
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
    import_module("keras")
    check_backend()  # only now it is known on what it really runs
    return tf


def give_back_memory() -> None:
    """Give memory that lies unused inside this process back to the system.

    The C library of Linux (glibc) keeps what was freed; where it is another, nothing happens.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Discard what is written to standard error inside the block; write it out if the block fails.

    TensorFlow 2.21 prints notices during its import that no setting turns off; a notebook shows
    them in red above the first result. They come from C++ code, so file descriptor 2 is redirected
    to a temporary file. If the process has no descriptor 2, or no temporary file can be created,
    nothing is redirected.
    """
    with contextlib.ExitStack() as opened:
        try:
            buffer = opened.enter_context(tempfile.TemporaryFile())
            stderr_copy = os.dup(2)
        except OSError:  # no writable temporary folder, or no descriptor 2
            yield
            return
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(buffer.fileno(), 2)
        try:
            yield
        except BaseException:
            buffer.seek(0)
            os.write(stderr_copy, buffer.read())
            raise
        finally:
            os.dup2(stderr_copy, 2)
            os.close(stderr_copy)


@contextlib.contextmanager
def atomic_files(folder: Path, *names: str) -> Iterator[Path]:
    """Yield a temporary folder whose files are moved to `folder` once all of them are complete.

    Parameters
    ----------
    folder : Path
        The final folder of the files; it must exist.
    names : str
        The names of the files that the block writes, in the order in which they are moved.

    Raises
    ------
    OSError
        If a file cannot be written, for instance on a full disk. The message names the file. None
        of the files remains, and earlier files of these names are as they were.
    """
    at = names[0]
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".saving-") as made:
            place = Path(made)
            try:
                yield place
            except OSError as error:  # an error without a file name: assume the last file begun
                there = [name for name in names if (place / name).exists()]
                named = Path(str(error.filename)).name
                at = named if named in names else [*names[:1], *there][-1]
                raise
            with contextlib.ExitStack() as back:
                for number, at in enumerate(names):
                    if at != names[-1]:  # the last one is moved, or is not
                        back.callback(_way_back(folder / at, place / f".earlier-{number}"))
                    os.replace(place / at, folder / at)
                back.pop_all()
    except OSError as error:
        raise cannot_write(error, folder / at) from error


def cannot_write(error: OSError, file: Path) -> OSError:
    """Return an error of writing that names the file."""
    reason = f"Cannot write: {error.strerror or error}"
    if error.errno is None:  # NumPy reports a full disk by message only
        return OSError(f"{reason}: {str(file)!r}")
    return OSError(error.errno, reason, str(file))


def _way_back(file: Path, aside: Path) -> Callable[[], object]:
    """Keep a file aside, and return what puts it back; or takes away what was not there."""
    if file.is_dir() or not os.path.lexists(file):
        return lambda: None if file.is_dir() else file.unlink(missing_ok=True)
    try:
        os.link(file, aside, follow_symlinks=False)
    except (OSError, NotImplementedError):  # a file system without links
        shutil.copy2(file, aside, follow_symlinks=False)
    return lambda: os.replace(aside, file)


@dataclass(frozen=True, repr=False)
class Environment:
    """The settings that `configure` made and the device and versions that it found.

    Attributes
    ----------
    seed : int
        The seed set for Python's `random`, NumPy and TensorFlow.
    device : str
        The description of the CPU or GPU in use.
    deterministic : bool
        Whether TensorFlow's deterministic operations are switched on.
    versions : dict of str to str
        Versions of Python and of the installed libraries, by package name.
    """

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
    """Set seeds and GPU memory growth as the source article does, and return the environment.

    Parameters
    ----------
    seed : int
        The seed for Python's `random`, NumPy and TensorFlow.
    deterministic : bool
        Whether TensorFlow must give bit-identical results in every run, which is slower.

    Returns
    -------
    Environment
        Device, seed and versions; a notebook displays it as the last line of a cell.

    Notes
    -----
    TensorFlow accepts GPU settings only before it first uses the device, so call this function
    before any other that computes.

    Examples
    --------
    >>> cw.configure(seed=7).seed
    7
    """
    tf = tensorflow()
    random.seed(seed)
    np.random.seed(seed)
    tf.random.set_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return Environment(seed, _device(tf), deterministic, versions())


def _device(tf: Any) -> str:
    """Return the device's description, after hiding every GPU but the first from TensorFlow."""
    found = tf.config.list_physical_devices("GPU")
    if not found:
        return f"CPU ({os.cpu_count()} cores)"
    try:
        tf.config.set_visible_devices(found[0], "GPU")
        tf.config.experimental.set_memory_growth(found[0], True)
        memory = "memory grows as needed"
    except RuntimeError:  # the device is initialised already: its settings are fixed
        memory = "already in use, memory settings unchanged"
    details = tf.config.experimental.get_device_details(found[0])
    return f"GPU {details.get('device_name', found[0].name)} ({memory})"


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed libraries that results depend on."""
    found = {"Python": platform.python_version()}
    names = ("cnn-widgets", "tensorflow", "tensorflow-cpu", "keras", "numpy",
             "opencv-python-headless", "pillow", "ipywidgets", "jupyterlab")  # fmt: skip
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def frame(records: Iterable[dict[str, Any]], columns: Sequence[str]) -> Any:
    """Return records as a pandas DataFrame; an ImportError says if pandas is missing."""
    try:
        pandas: Any = import_module("pandas")
    except ImportError:
        raise ImportError(
            "Tables need pandas: pip install 'cnn-widgets[tables]' (in a checkout: '.[tables]')."
        ) from None
    return pandas.DataFrame(list(records), columns=list(columns))
