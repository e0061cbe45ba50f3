"""Models as Teachable Machine exports them: `keras_model.h5`, and `labels.txt` beside it.

Its web page crops the picture to a square and scales pixels to -1…1; the exported model expects
the same.
"""

from __future__ import annotations

import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnn_widgets.model_files.name_lists import read_class_names
from cnn_widgets.model_files.sources import ModelSource

MODEL, LABELS = "keras_model.h5", "labels.txt"
#: More than the models that Teachable Machine exports take, in bytes.
_MOST = 200 * 2**20


def scaled(pixels: Any) -> Any:
    """Return pixels 0…255 scaled to -1…1."""
    return pixels / 127.5 - 1.0


def with_labels(found: ModelSource, path: Path, written_by: str) -> ModelSource:
    """Return a model from a file with the class names that lie beside it, if there are any.

    A `labels.txt` whose lines begin with 0, 1, 2 … beside an HDF5 file, or the file name
    `keras_model.h5` of a model saved by Keras 2, is taken for Teachable Machine's.
    """
    if path.suffix.lower() not in (".h5", ".hdf5"):
        return found
    labels = path.with_name(LABELS)
    names = read_class_names(labels) if labels.is_file() else None
    numbered = labels.is_file() and _is_numbered(labels)
    known = path.name == MODEL and not written_by.startswith("3")
    if not (numbered or known):
        return found
    if names is not None and len(names) != int(found.model.output_shape[-1] or 0):
        names = None
    told = f", class names come from {LABELS}" if names else ""
    note = (
        "Taken for a model of Teachable Machine: pixels are scaled to −1…1, photographs cropped to "
        f"the centre{told} (preprocess=, fit= and class_names= change it)."
    )
    return replace(
        found, preprocess=scaled, class_names=names, fit="crop", notes=(*found.notes, note)
    )


def _is_numbered(labels: Path) -> bool:
    """Whether every line of a file begins with its number, from 0 on."""
    lines = [line for line in labels.read_text("utf-8-sig", "replace").splitlines() if line.strip()]
    found = [re.match(r"(\d+)\s+\S", line.strip()) for line in lines]
    return bool(lines) and [each and int(each[1]) for each in found] == list(range(len(lines)))


@contextmanager
def unpacked_export(path: Path) -> Iterator[Path]:
    """Yield the path of the model in an archive that Teachable Machine exported, unpacked.

    Raises
    ------
    ValueError
        If the archive holds no such model, or would unpack to more than any such model takes.
    """
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path.name} cannot be loaded as a Keras model: it is no ZIP archive.")
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        members = {Path(info.filename).name: info for info in archive.infolist()}
        if MODEL not in members:
            raise ValueError(
                f"{path.name} cannot be loaded as a Keras model: it is a ZIP archive without "
                f"{MODEL}. Unpack it and give the model file in it."
            )
        for name in (MODEL, LABELS):
            if name not in members:
                continue
            if members[name].file_size > _MOST:
                size = members[name].file_size / 1e6
                raise ValueError(f"{path.name}: {name} would unpack to {size:.0f} MB.")
            with archive.open(members[name]) as packed:
                (Path(folder) / name).write_bytes(packed.read(_MOST))
        yield Path(folder) / MODEL
