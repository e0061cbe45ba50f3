"""Loads a Keras model from a file of unknown origin, without running code in it.

The checks come in the order of increasing risk: the kind of file, the size it unpacks to, and
layers that hold code. Only then does Keras open the file, in its safe mode.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py

from cnn_widgets.environment import tensorflow
from cnn_widgets.model_files.foreign_files import what_it_is
from cnn_widgets.model_files.sources import ModelSource
from cnn_widgets.model_files.stored_models import load_stored, open_upgraded
from cnn_widgets.model_files.teachable_machine import unpacked_export, with_labels

MODEL_SUFFIXES = (".keras", ".h5", ".hdf5")
WEIGHTS = "model.weights.h5"

#: A model file may unpack to PLAIN_BYTES, or to EXPANSION times its own size if that is more. Keras
#: stores weights uncompressed, and compression shrinks trained weights by a tenth only.
PLAIN_BYTES, EXPANSION = 64 * 2**20, 20

#: Archive members with an absolute path or with ``..`` in it.
_OUTSIDE_PATH = re.compile(r"^[/\\]|^\w:|(^|[/\\])\.\.([/\\]|$)")

#: Class names of layers that hold code or run a program stored elsewhere.
_CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


def model_file(
    path: str | Path, custom_objects: Mapping[str, Any] | None = None, trust: bool = False
) -> ModelSource:
    """Return the model of a ``.keras`` or ``.h5`` file, without running code in it.

    `keras.config.enable_unsafe_deserialization` has no effect here.

    Parameters
    ----------
    path : str or Path
        Files of Keras 2 open, too. Of a ``.zip`` that Teachable Machine exported, or of its
        `keras_model.h5`, the class names in the `labels.txt` beside the model are read.
    custom_objects : mapping of str to class or function, optional
        Your own classes that the file names. They run as code, so `trust` must be given as well.
    trust : bool
        Whether you trust the file: code in it (`Lambda` layers) then runs with all your rights.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is no Keras model, is damaged, unpacks to far more than its size, or needs
        code (such as a `Lambda` layer) or classes that Keras does not know.
    """
    tensorflow()
    import keras
    from keras.src.saving.serialization_lib import SafeModeScope  # overrides the global setting

    path = Path(path).expanduser()
    if custom_objects and not trust:
        raise ValueError(
            "custom_objects run as code when the model is loaded: if you trust the file, say "
            "trust=True."
        )
    if not path.exists():
        raise FileNotFoundError(f"There is no model file {str(path)!r}.")
    if (foreign := what_it_is(path)) is not None:
        raise ValueError(f"{path.name} cannot be loaded as a Keras model: {foreign}")
    if path.suffix.lower() == ".zip":
        with unpacked_export(path) as exported:
            return replace(model_file(exported, custom_objects, trust), name=path.stem)
    written_by = ""
    try:
        config, written_by = _read_config(path)
        if not trust:
            _refuse_code(config)
        with SafeModeScope(not trust), open_upgraded(path, config) as stored:
            model = load_stored(stored, custom_objects, safe_mode=not trust)
    except Exception as error:  # ZIP, HDF5, JSON and Keras raise errors of many types
        reason = _reason(error)
        if written_by and written_by.split(".")[:2] != keras.__version__.split(".")[:2]:
            reason += f" It was saved with Keras {written_by}; this is Keras {keras.__version__}."
        raise ValueError(
            f"{path.name} cannot be loaded as a Keras model: {reason} If you trust it, and it "
            "needs your own code or classes: trust=True, custom_objects={'Name': Class}, or load "
            "it yourself and pass the model: CNNExplorer(model)."
        ) from error
    if not isinstance(model, keras.Model):
        raise ValueError(f"{path.name} holds a {type(model).__name__}, not a Keras model.")
    return with_labels(ModelSource(model, path.stem), path, written_by)


def _read_config(path: Path) -> tuple[Any, str]:
    """Return a model file's configuration (JSON) and the Keras version that wrote it.

    Sizes are checked before anything is unpacked, and no layer is built.
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
            if outside := [name for name in names if _OUTSIDE_PATH.search(name)]:
                raise ValueError(f"Its member {outside[0]!r} would be written outside its place.")
            _refuse_bomb(archive.getinfo("config.json").file_size, PLAIN_BYTES)
            config = json.loads(archive.read("config.json"))
            about = json.loads(archive.read("metadata.json")) if "metadata.json" in names else {}
            if WEIGHTS in names:
                with h5py.File(io.BytesIO(archive.read(WEIGHTS)), "r") as weights:
                    _refuse_bomb(_unpacked_size(weights), limit)
        if path.suffix != ".keras":
            raise ValueError("It is a .keras file: rename it.")
        return config, str(about.get("keras_version", ""))
    if h5py.is_hdf5(path):
        with h5py.File(path, "r") as stored:
            _refuse_bomb(_unpacked_size(stored), limit)
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


def _unpacked_size(stored: Any) -> int:
    """Return the size in bytes of all arrays in an HDF5 file; refuse links to other files."""
    sizes = [0]

    def look(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"Its array {name!r} is a link to another file.")
            sizes.append(int(item.size or 0) * item.dtype.itemsize)

    stored.visititems(look)
    return sum(sizes)


def _refuse_bomb(size: int, limit: int) -> None:
    """Refuse a decompression bomb: a ValueError if `size` is above `limit`, in bytes."""
    if size > limit:
        raise ValueError(
            f"It would unpack to {size / 1e6:.0f} MB, which a file of its size does not hold."
        )


def _refuse_code(config: Any) -> None:
    """Refuse a configuration with layers that hold or run code, before Keras reads it."""
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
    """Return an error as one line of text, without the configuration that Keras appends."""
    text = " ".join(str(error).split()) or type(error).__name__
    missing = re.search(r"Could not (?:locate \w+|deserialize) '([^']{1,80})'", text)
    if missing:
        return f"It needs {missing[1]!r}, which Keras does not know."
    text = text.rpartition("Exception encountered: ")[2]
    text = re.split(r"\s*(?:Full object config|Full config|config=)", text)[0][:300]
    return text if text.endswith((".", "!", "?")) else f"{text}."
