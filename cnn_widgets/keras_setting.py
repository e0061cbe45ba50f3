"""Which library Keras is set to run on, read without importing Keras.

Keras imports that library as it is imported itself, and fails where it is missing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def backend() -> str:
    """Return the library that Keras runs on; where it is not imported yet, that it is set to.

    The environment variable KERAS_BACKEND counts before Keras' file of settings.
    """
    if "keras" in sys.modules:
        keras: Any = sys.modules["keras"]
        if hasattr(keras, "backend"):
            return str(keras.backend.backend())
    return os.environ.get("KERAS_BACKEND") or _backend_in_file()


def check_backend() -> None:
    """Raise an ImportError if Keras runs on another library than TensorFlow, or is set to one."""
    if backend() != "tensorflow":
        raise ImportError(
            f"Keras runs on {backend()!r} here; cnn_widgets needs TensorFlow. "
            "Set the environment variable KERAS_BACKEND=tensorflow before Keras is imported."
        )


def _backend_in_file() -> str:
    """Return the library that the file `keras.json` names; TensorFlow where it names none."""
    home = os.path.expanduser("~")
    base = home if os.access(home, os.W_OK) else "/tmp"  # as Keras does
    folder = os.environ.get("KERAS_HOME") or os.path.join(base, ".keras")
    try:
        stated = json.loads(Path(folder, "keras.json").expanduser().read_text("utf-8"))
    except (OSError, ValueError):  # there is none, or Keras cannot read it either
        return "tensorflow"
    return str(stated.get("backend", "tensorflow")) if isinstance(stated, dict) else "tensorflow"
