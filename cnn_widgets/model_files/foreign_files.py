"""Names what a file or an object is that was given as a network and is none, and what to do."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".avif")
_SUFFIXES = (
    *(".keras", ".h5", ".hdf5", ".tflite", ".lite", ".pt", ".pth", ".torchscript", ".ckpt"),
    *(".index", ".onnx", ".pb", ".safetensors", ".json", ".zip", ".npz", ".bin", ".pkl"),
    *(".pickle", ".joblib", ".mlmodel"),
)
_AS_KERAS = (
    "Load it with its own library and save it from Keras as one file: model.save('NAME.keras')."
)
_CONVERT = (
    "Its layers cannot be looked into; open the Keras model it was made from (.keras or .h5)."
)


def looks_like_path(given: str) -> bool:
    """Whether a text is the path of a file or folder rather than the name of a network."""
    if re.search(r"[/\\]|^~|^\.", given) or Path(given).suffix.lower() in (*_SUFFIXES, *PICTURES):
        return True
    return Path(given).exists()


def what_it_is(path: Path) -> str | None:
    """Return in words what a file or folder is that is no Keras model, with what to do; or None."""
    if path.is_dir():
        return _what_folder(path)
    with path.open("rb") as file:
        start = file.read(64)
    suffix, name = path.suffix.lower(), path.name.lower()
    if start[4:8] == b"TFL3" or suffix in (".tflite", ".lite"):
        return f"it is a TensorFlow Lite file. {_CONVERT}"
    if suffix in (".pt", ".pth", ".torchscript") or _is_torch_archive(path, start):
        return (
            "it is a PyTorch file. Rebuild the model in Keras, and pass that: CNNExplorer(model)."
        )
    if suffix == ".onnx":
        return f"it is an ONNX file. {_CONVERT}"
    if suffix == ".safetensors":
        return f"it holds weights only (safetensors). {_build()}"
    if suffix == ".pb":
        return "it is a part of a SavedModel. " + _saved_model()
    if suffix in (".ckpt", ".index") or ".data-0" in name or name == "checkpoint":
        return f"it is a TensorFlow checkpoint, which holds weights only. {_build()}"
    if suffix in PICTURES:
        return "it is a picture. Pictures are given as images=[…]; the network comes first."
    if suffix == ".json":
        kind = "TensorFlow.js model" if name == "model.json" else "JSON file"
        return f"it is a {kind} without weights that Keras reads. {_AS_KERAS}"
    if suffix in (".pkl", ".pickle", ".joblib"):
        return "it is a Python pickle; such a file can run code and is never opened."
    return None


def _what_folder(path: Path) -> str:
    """Return in words what a folder is."""
    names = sorted(each.name for each in path.iterdir())
    if "saved_model.pb" in names or "saved_model.pbtxt" in names:
        return "it is a SavedModel folder. " + _saved_model()
    if "model.json" in names:
        return f"it is a folder of a TensorFlow.js model. {_AS_KERAS}"
    models = [name for name in names if name.lower().endswith((".keras", ".h5", ".hdf5"))]
    if models:
        return f"it is a folder. Give the file in it: {str(path / models[0])!r}."
    if _pictures_below(path):
        return (
            "it is a folder of pictures. Those are given as images=…; the network comes first, "
            "None for the bundled one."
        )
    return "it is a folder. " + _saved_model()


def _pictures_below(path: Path) -> bool:
    """Whether pictures lie in a folder or in folders in it."""
    folders = [path, *(each for each in path.iterdir() if each.is_dir())][:50]
    return any(each.suffix.lower() in PICTURES for folder in folders for each in folder.iterdir())


def _saved_model() -> str:
    return (
        "Save the model as one file, model.save('NAME.keras'), or load it yourself and pass it: "
        "CNNExplorer(model)."
    )


def _build() -> str:
    return "Build the model in Python, load the weights into it, and pass it: CNNExplorer(model)."


def _is_torch_archive(path: Path, start: bytes) -> bool:
    if not start.startswith(b"PK") or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/data.pkl") for name in archive.namelist())


def what_object(given: Any) -> str | None:
    """Return in words what an object is that is no Keras 3 model, with what to do; or None."""
    if isinstance(given, type):
        return f"the class {given.__name__}, not a model made of it. Call it: {given.__name__}(…)."
    modules = {each.__module__.partition(".")[0] for each in type(given).__mro__}
    full = {each.__module__ for each in type(given).__mro__}
    if "tf_keras" in modules or any(name.startswith("tensorflow.python.keras") for name in full):
        return (
            "a model of tf_keras (Keras 2). Save it, model.save('NAME.h5'), and open that file: "
            "load_network('NAME.h5')."
        )
    if "tensorflow_hub" in modules:
        return "a layer of TensorFlow Hub, whose inside is hidden. Use a keras.applications model."
    if any("saved_model" in name for name in full):
        return "a loaded SavedModel, whose layers are hidden. Pass the Keras model it came from."
    if "torch" in modules:
        return "a PyTorch module. Rebuild it in Keras, or save and open it as a Keras model."
    if "sklearn" in modules:
        return "an estimator of scikit-learn, which has no layers to look into."
    if isinstance(given, list | tuple):
        return "a list. Make a model of its layers: keras.Sequential([…])."
    if "keras" in modules and hasattr(given, "get_config"):
        return "a single layer. Make a model of it: keras.Sequential([keras.Input(…), layer])."
    return None
