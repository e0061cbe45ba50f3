"""Lets Keras read a stored model, after an old configuration was translated for it."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py

from cnn_widgets.model_files.keras2_config import upgraded


@contextmanager
def open_upgraded(path: Path, config: Any) -> Iterator[Path | h5py.File]:
    """Yield a model file for Keras: an HDF5 file with its configuration as Keras 3 writes it.

    The file itself is not changed; the translation is done on a copy in memory.
    """
    if not h5py.is_hdf5(path):
        yield path
        return
    with h5py.File(io.BytesIO(path.read_bytes()), "r+") as copy:
        copy.attrs["model_config"] = json.dumps(upgraded(config))
        yield copy


def load_stored(
    stored: Path | h5py.File, custom_objects: Mapping[str, Any] | None, safe_mode: bool
) -> Any:
    """Return the model that Keras reads from a file."""
    import keras
    from keras.src.legacy.saving.legacy_h5_format import load_model_from_hdf5

    own = dict(custom_objects or {})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*(legacy|input_shape).*")
        if isinstance(stored, h5py.File):
            return load_model_from_hdf5(stored, own, compile=False, safe_mode=safe_mode)
        return keras.models.load_model(stored, own, compile=False, safe_mode=safe_mode)
