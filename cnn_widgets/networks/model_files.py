"""A model file from anywhere → a Keras model, or one line that says why not. No code in it is run.

The order is the safe one: what kind of file it is, how much it would unpack to, whether it names
code; only then Keras opens it, in its safe mode.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py

from cnn_widgets.environment import tensorflow
from cnn_widgets.networks.applications import ModelSource

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
WEIGHTS = "model.weights.h5"

#: What a model file may unpack to without further question, and else how many times its own size:
#: Keras stores weights as they are, and packed once more they shrink by a tenth.
PLAIN_BYTES, EXPANSION = 64 * 2**20, 20


_OUTSIDE = re.compile(r"^[/\\]|^\w:|(^|[/\\])\.\.([/\\]|$)")

#: Layers that hold code or run a program from elsewhere.
_CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


def model_file(path: str | Path) -> ModelSource:
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
    return ModelSource(model, path.stem)


def _described(path: Path) -> tuple[Any, str]:
    """Return a model file's configuration and the Keras version that wrote it.

    Nothing is built yet: sizes are looked at before anything is unpacked.
    """
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
                    _refuse_bomb(_declared(weights), limit)
        if path.suffix != ".keras":
            raise ValueError("It is a .keras file: rename it.")
        return config, str(about.get("keras_version", ""))
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as stored:
            _refuse_bomb(_declared(stored), limit)
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


def _declared(stored: Any) -> int:
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
