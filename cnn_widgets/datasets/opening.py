"""Opens many pictures, whatever they are given as."""

from __future__ import annotations

import glob
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets.datasets.batches import StreamSet, array_set
from cnn_widgets.datasets.elements import frames_of, is_batch, is_many, parted, taken_apart
from cnn_widgets.datasets.files import file_mark, folder_set, pattern_set
from cnn_widgets.datasets.image_set import ImageSet, Label, Reader, title
from cnn_widgets.datasets.labels import label_of, labels_of
from cnn_widgets.datasets.ranges import Ranges, reader
from cnn_widgets.datasets.stores import store_set
from cnn_widgets.datasets.tables import csv_set
from cnn_widgets.datasets.zips import zip_set
from cnn_widgets.images.arrays import usual_numbers
from cnn_widgets.images.loading import is_picture, load_image, read_limited
from cnn_widgets.records import ImageSample
from cnn_widgets.storage import is_store


def open_images(
    source: Any,
    labels: Any = None,
    *,
    channels: int | None = None,
    bands: Sequence[int] | None = None,
    allow_private: bool = False,
) -> ImageSet:
    """Return many pictures as an `ImageSet`; none of a folder's or of a list's is read yet.

    Parameters
    ----------
    source : object
        A folder, with all folders in it (the names of its own folders are the labels, if there
        are several and nothing lies beside them); a pattern such as ``photos/**/*.jpg``; a zip; a
        CSV of path and label, whose first row may name its columns; the address of a folder, a
        pattern, a CSV or a picture in a store, ``s3://bucket/photos`` (see
        `cnn_widgets.storage`); a list of anything that `load_image`
        takes, or of (picture, label), or of batches; a mapping from names to such; an array
        (N, H, W), (N, H, W, 1) or (N, H, W, C), or a pair of such an array and its labels, as
        `load_data` of Keras gives it; a `tf.data.Dataset`, a Keras `PyDataset` or any other
        iterable, of pictures or batches, with or without labels; or a single picture. Elements of
        a list or a data set may be mappings with an ``image`` and a ``label``, as those of
        `tensorflow_datasets`.
    labels : sequence, optional
        One for each picture, in order: numbers of classes, their names, or one-hot rows, also in
        tensors. The labels of a list take the same forms.
    channels : int, optional
        The channels of the network: an array (H, W, C) of so many is a single picture.
    bands : sequence of int, optional
        See `load_image`: arrays are given to the network in their own values.
    allow_private : bool
        Whether addresses inside the local network may be fetched.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder, or nothing matches the pattern.
    ValueError
        If there is no picture (in a data set of unknown size and in an iterator, when it is gone
        through), the numbers of an array are in no usual range, or the labels are not one for each
        picture.
    TypeError
        If the labels do not come one after the other.

    Examples
    --------
    >>> set_ = open_images([np.zeros((4, 4), np.uint8), (np.ones((4, 4), np.uint8), "white")])
    >>> set_.names, set_.labels
    (('image 0', 'image 1'), (None, 'white'))
    """
    found = source if isinstance(source, ImageSet) else None
    if found is None:
        source = _plain(source)
        pair = _arrays_and_labels(source, channels)
        if pair is not None:
            source, labels = pair[0], pair[1] if labels is None else labels
        found = _opened(source, channels, bands, allow_private)
    if labels is None:
        return found
    if not found.repeatable:
        raise ValueError(
            "labels= is for pictures whose number is known. Let a data set or a generator yield "
            "(picture, label)."
        )
    # A generator of labels may be endless
    known = islice(labels, len(found) + 1) if isinstance(labels, Iterator) else labels
    listed = labels_of(known)
    if len(listed) != len(found):
        raise ValueError(f"Expected {len(found)} labels. Received: {len(listed)}")
    numbers = [number for number, name in enumerate(found.names) if name in found.private]
    return ImageSet(
        found.names, listed, found.read, found.notes, found._mark, numbers, found._reader
    )


def _opened(source: Any, channels: int | None, bands: Any, allow_private: bool) -> ImageSet:
    if is_store(source):
        return store_set(str(source))
    if isinstance(source, str | os.PathLike) and "://" not in str(source):
        return _on_disk(os.fspath(source))
    if isinstance(source, np.ndarray) and source.ndim not in (2, 3, 4):
        raise ValueError(
            "Expected an array (N, H, W) or (N, H, W, C) of pictures, or one picture. "
            f"Received shape: {source.shape}"
        )
    if isinstance(source, np.ndarray) and is_many(source.shape, channels):
        return array_set(source, bands=bands)
    if isinstance(source, np.ndarray) or is_picture(source) or _is_upload(source):
        return _listed([source], [None], bands, allow_private)
    if isinstance(source, Mapping | list | tuple):
        if not source:
            name = "mapping" if isinstance(source, Mapping) else "list"
            raise ValueError(f"Expected at least one image. Received an empty {name}.")
        if isinstance(source, Mapping):
            return _mapped(source, bands, allow_private)
        many = partial(is_batch, channels=channels)
        pairs = [pair for each in source for pair in taken_apart(each, many)]
        given, told = [each for each, _ in pairs], [label for _, label in pairs]
        return _listed(given, told, bands, allow_private)
    sequence = isinstance(source, Iterable) or hasattr(source, "__getitem__")
    if not sequence or isinstance(source, np.generic):
        return _listed([source], [None], bands, allow_private)
    size = int(source.cardinality()) if hasattr(source, "cardinality") else None
    if size == 0:
        raise ValueError("Expected at least one image. Received an empty data set.")
    return StreamSet(frames_of(source, channels), bands, endless=size == -1)


def _mapped(source: Mapping[Any, Any], bands: Any, allow_private: bool) -> ImageSet:
    """Return the pictures of a mapping, whose keys are their names."""
    pairs = [parted(each) for each in source.values()]
    given = [each for each, _ in pairs]
    found = _listed(given, [label_of(label) for _, label in pairs], bands, allow_private)
    names = [str(name) for name in source]
    numbers = [n for n, each in enumerate(given) if _is_upload(each)]
    return ImageSet(
        names, found.labels, found.read, found.notes, found._mark, numbers, found._reader
    )


def _plain(source: Any) -> Any:
    """Return a tensor of pictures as an array, and an array of paths as a list."""
    if hasattr(source, "numpy") and hasattr(source, "__array__"):  # TensorFlow, PyTorch
        source = np.asarray(source)
    source = usual_numbers(source) if isinstance(source, np.ndarray) else source
    texts = isinstance(source, np.ndarray) and source.dtype.kind in "OUS"
    return source.tolist() if texts and source.ndim in (1, 2) else source


def _arrays_and_labels(source: Any, channels: int | None) -> tuple[Any, Any] | None:
    """Return (pictures, labels) given as a pair of arrays, as `load_data` of Keras gives them."""
    if not isinstance(source, tuple | list) or len(source) != 2:
        return None
    pictures, labels = (_plain(each) for each in source)
    if not isinstance(pictures, np.ndarray) or not is_many(pictures.shape, channels):
        return None
    flat = isinstance(labels, list) or (hasattr(labels, "__array__") and np.ndim(labels) in (1, 2))
    if not flat or (pictures.ndim == 3 and len(labels) != len(pictures)):
        return None
    return pictures, labels


def _on_disk(path: str) -> ImageSet:
    if not path:
        raise ValueError("Expected a file or a folder. Received an empty path.")
    place = Path(path).expanduser()
    if place.is_dir():
        return folder_set(place)
    if place.is_file():
        kind = place.suffix.lower()
        if kind in (".csv", ".tsv"):
            return csv_set(place)
        return zip_set(place) if kind == ".zip" else _listed([place], [None], None, False)
    if glob.has_magic(path):
        return pattern_set(str(place))
    raise FileNotFoundError(f"There is no file or folder {path[:200]!r}.")


def _listed(
    given: Sequence[Any], labels: Sequence[Label], bands: Any, allow_private: bool
) -> ImageSet:
    """Return a list of pictures, each read when it is asked for."""
    as_picture, notes = reader(given, bands)
    names = [title(each, index) for index, each in enumerate(given)]
    given = [_OpenFile(each) if hasattr(each, "read") else each for each in given]

    def reader_of(index: int) -> Reader:
        one = given[index]
        if isinstance(one, _OpenFile):
            one = one.named()  # a file that is open stays where it is
        if isinstance(one, str | os.PathLike) and "://" not in str(one):
            one = Path(one).expanduser().absolute()  # a worker may run in another folder
        return partial(_read_one, one, as_picture, allow_private)

    uploads = [index for index, each in enumerate(given) if _is_upload(each)]
    return ImageSet(
        names,
        labels,
        lambda index, at_least: _read_one(given[index], as_picture, allow_private, at_least),
        notes,
        lambda index: _mark(given[index]),
        uploads,
        reader_of,
    )


def _read_one(
    one: Any,
    as_picture: Ranges,
    allow_private: bool,
    at_least: int | None,
) -> ImageSample:
    """Return a picture of a list; `as_picture` reads arrays."""
    if isinstance(one, _OpenFile):
        return replace(load_image(one.named(), at_least=at_least), source=one.name)
    if isinstance(one, np.ndarray):
        return as_picture(one)
    return load_image(one, allow_private=allow_private, at_least=at_least)


class _OpenFile:
    """An open binary file, read again from where it stood whenever it is asked for."""

    def __init__(self, file: Any) -> None:
        self.name = Path(str(getattr(file, "name", "file"))).name
        self._file, self._lock, self._read = file, threading.Lock(), False
        again = getattr(file, "seekable", None)
        self._start = file.tell() if again is not None and again() else None

    def named(self) -> dict[str, Any]:
        """Return name and content, as `load_image` takes them."""
        return {"name": self.name, "content": self.content()}

    def content(self) -> bytes:
        """Return the content; a ValueError if it came only once and has been read."""
        with self._lock:
            if self._start is not None:
                self._file.seek(self._start)
            elif self._read:
                raise ValueError(f"{self.name} can be read only once. Pass its bytes: file.read().")
            self._read = True
            return read_limited(self._file)

    def mark(self) -> str | None:
        """Return a digest of the content; None if that can be read only once."""
        return None if self._start is None else hashlib.sha256(self.content()).hexdigest()


def _is_upload(source: Any) -> bool:
    return isinstance(source, dict) and "content" in source


def _mark(source: Any) -> object:
    """Return what tells a picture from another with the same name.

    Of what cannot be read, it is the reason.
    """
    try:
        return _mark_of(source)
    except (OSError, ValueError, TypeError, SyntaxError) as error:  # those of Pillow among them
        return f"{type(error).__name__}: {error}"


def _mark_of(source: Any) -> object:
    if isinstance(source, ImageSample):
        return source.key
    if isinstance(source, str | os.PathLike):
        return str(source) if "://" in str(source) else file_mark(os.fspath(source))
    if isinstance(source, dict):
        source = source.get("content", b"")
    if isinstance(source, bytes | bytearray | memoryview):
        return hashlib.sha256(source).hexdigest()
    if isinstance(source, _OpenFile):
        return source.mark()
    array = np.ascontiguousarray(source)
    if array.dtype.kind == "O":
        raise TypeError(f"no picture: {type(source).__name__}")
    return hashlib.sha256(array.tobytes()).hexdigest()
