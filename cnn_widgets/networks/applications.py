"""Networks loaded by name: the bundled one, and the classifiers of `keras.applications`.

Each is returned as a `ModelSource`: a Keras model with its preprocessing and class names.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_widgets.environment import tensorflow
from cnn_widgets.images.network_input import Preprocess
from cnn_widgets.model_files.sources import ModelSource
from cnn_widgets.networks import efficientnet_lite
from cnn_widgets.networks.class_names import ClassTable, imagenet_names

if TYPE_CHECKING:
    pass


Progress = Callable[[str], None]
CONNECT_TIMEOUT = 15.0


@dataclass(frozen=True)
class Application:
    """One classifier of `keras.applications`: its constructor and its preprocess_input."""

    build: Callable[..., Any]
    preprocess: Preprocess


@lru_cache(maxsize=1)
def applications() -> dict[str, Application]:
    """Return every classifier of `keras.applications` by its name."""
    tensorflow()
    import keras

    found = {}
    for name, build in inspect.getmembers(keras.applications, inspect.isfunction):
        module = getattr(keras.applications, build.__module__.rpartition(".")[2], None)
        preprocess = getattr(module, "preprocess_input", None)
        if name[0].isupper() and preprocess:
            last = partial(preprocess, data_format="channels_last")  # whatever Keras is set to
            found[name] = Application(build, last)
    return dict(sorted(found.items()))


def application_family(model_name: str) -> str | None:
    """Return the `keras.applications` classifier that a model's name starts with, or None.

    >>> application_family("mobilenetv2_1.00_224")
    'MobileNetV2'
    """
    plain = model_name.lower().replace("_", "")
    fitting = [name for name in applications() if plain.startswith(name.lower())]
    return max(fitting, key=len, default=None)


def weights_here() -> set[str]:
    """Return the classifiers whose trained weights Keras has downloaded to this machine before."""
    files = _weights_folder().glob("*.h5")
    whole = [file.name for file in files if "notop" not in file.name.replace("_", "")]
    found = {application_family(name.removeprefix("weights_").replace("-", "")) for name in whole}
    return {name for name in found if name}


def _weights_folder() -> Path:
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"  # the order in which Keras looks
    return Path(home) / "models"


def bundled_network(weights: str | None = "imagenet") -> ModelSource:
    """Return the bundled EfficientNet-Lite0, trained ("imagenet") or with random weights (None)."""
    tensorflow()
    return ModelSource(
        efficientnet_lite.build(weights),
        efficientnet_lite.NAME,
        efficientnet_lite.preprocess,
        imagenet_names(),
    )


def application_network(
    name: str, weights: str | None = "imagenet", progress: Progress | None = None
) -> ModelSource:
    """Return a classifier of `keras.applications` by name.

    Parameters
    ----------
    name : str
        Such as ``"MobileNetV2"``.
    weights : "imagenet" or None
        Trained weights, downloaded once by Keras into ``KERAS_HOME/models``, or random weights.
    progress : callable, optional
        Called with a line of text during the download.

    Raises
    ------
    ValueError
        If there is no such classifier, or `weights` is another value.
    ConnectionError
        If the weights are not on this machine and cannot be downloaded. The message says which
        file to fetch and where to put it.
    """
    known = applications()
    if name not in known:
        raise ValueError(
            f"Unknown network {name!r}. Known: {efficientnet_lite.NAME!r} (bundled), a .keras or "
            f".h5 file, or a classifier of keras.applications: {', '.join(known)}."
        )
    if weights not in ("imagenet", None):
        raise ValueError(f"Expected weights to be 'imagenet' or None. Received: {weights!r}")
    try:
        with _download_progress(progress, name), _channels_last():
            model = known[name].build(weights=weights)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        address = re.search(r"URL fetch failure on (\S+):", str(error))
        if not address and not isinstance(error, OSError):
            raise
        raise ConnectionError(_download_instructions(name, address and address[1])) from error
    return ModelSource(model, name, known[name].preprocess, imagenet_names())


def _download_instructions(name: str, address: str | None) -> str:
    """Return the error message for weights that cannot be downloaded."""
    folder = _weights_folder()
    what = f"the file {address} and put it" if address else "its weights file and put it"
    return (
        f"The weights of {name} are not on this machine and cannot be downloaded. On a machine "
        f"that is online, fetch {what} into {folder}. The bundled network "
        f"({efficientnet_lite.NAME}) needs no download."
    )


@contextlib.contextmanager
def _channels_last() -> Iterator[None]:
    """Let Keras build models with channels last inside the block, whatever it is set to."""
    import keras

    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        keras.config.set_image_data_format(before)


@contextlib.contextmanager
def _download_progress(progress: Progress | None, name: str) -> Iterator[None]:
    """Report Keras' progress bar as lines of text, and limit the time to connect."""
    before = socket.getdefaulttimeout()  # Keras passes no timeout to urllib
    socket.setdefaulttimeout(CONNECT_TIMEOUT)
    try:
        if progress is None:
            yield
        else:
            progress(f"Loading {name} …")
            with contextlib.redirect_stdout(_Lines(progress, name)):
                yield
    finally:
        socket.setdefaulttimeout(before)


class _Lines(io.TextIOBase):
    """A text stream that parses Keras' progress bar ("12345/67890 …") and reports percentages."""

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name, self._last = progress, name, -1

    def write(self, text: str) -> int:
        counted = re.search(r"(\d{4,})\s*/\s*(\d{4,})", re.sub(r"\x1b\[[0-9;]*m", "", text))
        if counted:
            done, total = int(counted[1]), int(counted[2])
            if (percent := 100 * done // total) != self._last:
                self._last = percent
                size = f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
                self._progress(f"Downloading {self._name}: {percent} % ({size})")
        return len(text)


def class_table(
    count: int, names: Sequence[str] | None, published: bool
) -> tuple[ClassTable, tuple[str, ...]]:
    """Return the class table of a model with `count` classes, and notes on what was guessed.

    `published` tells that the model is a published classifier, trained on ImageNet as a rule.
    """
    if names is None and count == 1000 and published:
        note = "Class names are ImageNet's, a guess (class_names= changes it)."
        return ClassTable(count, imagenet_names()), (note,)
    return ClassTable(count, names), ()
