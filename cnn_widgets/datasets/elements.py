"""What the elements of a data set are: pictures or batches, alone, with labels, or named parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cnn_widgets.datasets.image_set import Label
from cnn_widgets.datasets.labels import label_of, labels_of
from cnn_widgets.images.arrays import usual_numbers
from cnn_widgets.images.loading import is_picture

#: Names of the parts of an element that is a mapping.
_PICTURES = ("image", "images", "img", "picture", "photo", "pixel_values", "pixels")
_LABELS = ("label", "labels", "class", "class_id", "target")


def is_many(shape: tuple[int, ...], channels: int | None) -> bool:
    """Return whether an array of a shape holds many pictures: (N, H, W, C), or (N, H, W).

    Of three axes the last one is that of the channels if it is at most 4 long, or as long as the
    network's.
    """
    return len(shape) == 4 or (len(shape) == 3 and shape[2] > 4 and shape[2] != channels)


def frames_of(source: Any, channels: int | None) -> Callable[[], Iterator[tuple[Any, Label]]]:
    """Return how to go through a `tf.data.Dataset`, a Keras `PyDataset` or any other iterable.

    Yielded are pictures, each with its label or None; batches are taken apart, and so are elements
    with names (`named_parts`). `class_names` of a data set name the labels.

    Raises
    ------
    ValueError
        While it is gone through: if TensorFlow cannot make an element, a file is broken for
        example; or if a batch has not one label for each picture.
    """
    names = getattr(source, "class_names", None)
    named = list(names) if isinstance(names, list | tuple) else None

    def frames() -> Iterator[tuple[Any, Label]]:
        if _is_py_dataset(source):
            batches: Iterable[Any] = (source[index] for index in range(len(source)))
        else:
            batches = source
        for element in batches:
            yield from taken_apart(element, lambda shape, _: is_many(shape, channels), named)

    return lambda: _told_in_words(frames())


def _told_in_words(pictures: Iterator[tuple[Any, Label]]) -> Iterator[tuple[Any, Label]]:
    """Yield pictures; an error inside TensorFlow, many lines about its graph, is a ValueError.

    What else is raised comes from the user's own code, and passes through.
    """
    given = 0
    try:
        for each in pictures:
            yield each
            given += 1
    except Exception as error:
        if not type(error).__module__.startswith("tensorflow"):
            raise
        raise ValueError(
            f"The data set failed after {given} pictures: {_reason(error)}. If it reads files, "
            "give their folder itself: broken ones are named and skipped."
        ) from error


def _reason(error: Exception) -> str:
    """Return what an error of TensorFlow says, without the places in its graph."""
    told = re.sub(r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*", " ", str(error), flags=re.DOTALL)
    told = re.sub(r"^.*? with iterator: [^ ]+: ", "", " ".join(told.split()))
    return told.rstrip(" .:") or type(error).__name__


def _is_py_dataset(source: Any) -> bool:
    return any(
        kind.__name__ in ("PyDataset", "Sequence") and kind.__module__.startswith("keras")
        for kind in type(source).__mro__
    )


def named_parts(element: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return (picture, label) of an element with names, as tensorflow_datasets gives them.

    The label is None if there is none.

    Raises
    ------
    ValueError
        If no name, or more than one, says that it is the picture's or the label's.

    >>> named_parts({"image": "cat.png", "label": 3, "id": "a7"})
    ('cat.png', 3)
    """
    pictures, labels = ([key for key in each if key in element] for each in (_PICTURES, _LABELS))
    if len(pictures) != 1 or len(labels) > 1:
        raise ValueError(
            f"Expected elements with one picture, named as one of {_PICTURES}, and at most one "
            f"label, as one of {_LABELS}. Received: {[str(key) for key in element]}. Choose: "
            "data.map(lambda each: (each['my image'], each['my label']))"
        )
    return element[pictures[0]], element[labels[0]] if labels else None


def is_named(element: Any) -> bool:
    """Return whether an element has names, and is not the upload of a page."""
    return isinstance(element, Mapping) and "content" not in element


def is_batch(shape: tuple[int, ...], label: Any, channels: int | None = None) -> bool:
    """Return whether an array in a list holds many pictures.

    With three axes it is one picture, unless it comes with as many labels as there can be pictures.
    """
    counted = (len(label),) if isinstance(label, list | tuple) else getattr(label, "shape", ())
    return len(shape) == 4 or (is_many(shape, channels) and tuple(counted)[:1] == shape[:1])


def taken_apart(
    element: Any,
    many: Callable[[tuple[int, ...], Any], bool],
    names: list[str] | None = None,
) -> Iterator[tuple[Any, Label]]:
    """Yield the pictures of one element, alone or a batch, with or without labels.

    Pictures in tensors come as arrays, paths in them as texts. `many` says, of the shape of an
    array and what comes as its label, whether it holds many pictures.

    Raises
    ------
    ValueError
        If a batch has not one label for each picture, or a label is no class.
    """
    given, label = parted(element)
    pictures = _pictures_of(given, lambda shape: many(shape, label))
    if pictures is None:
        yield given, label_of(label, names)
        return
    labels = [None] * len(pictures) if label is None else labels_of(label, names)
    if len(labels) != len(pictures):
        raise ValueError(
            f"Expected a label for each of the {len(pictures)} pictures of a batch. "
            f"Received: {len(labels)} labels"
        )
    yield from zip(pictures, labels, strict=True)


def _pictures_of(given: Any, many: Callable[[tuple[int, ...]], bool]) -> Sequence[Any] | None:
    """Return the pictures of a batch; None if it is one picture."""
    if hasattr(given, "ragged_rank"):  # pictures of different sizes, as TensorFlow has them
        rows = [given[index] for index in range(int(given.nrows()))]
        whole = [row.to_tensor() if hasattr(row, "ragged_rank") else row for row in rows]
        return [plain_picture(row) for row in whole]
    if not isinstance(given, np.ndarray):
        return None
    if given.ndim == 1 and given.dtype.kind in "OUS":  # paths, or the content of files
        return [plain_picture(np.array(each, object)) for each in given]
    return list(given) if many(given.shape) else None


def parted(element: Any) -> tuple[Any, Any]:
    """Return (picture or pictures, label or labels) of an element of a list or of a data set.

    A third part, the weight that Keras gives a picture, is left out.
    """
    given, label = element, None
    if _is_pair(element):
        given, label = element[0], element[1] if len(element) > 1 else None
    if is_named(given):
        given, own = named_parts(given)
        label = own if label is None else label
    return plain_picture(given), label


def _is_pair(element: Any) -> bool:
    """Return whether an element is (picture, label), or one of such tuples as Keras takes.

    Lists of numbers, and of rows of numbers, are not.
    """
    if not isinstance(element, tuple | list) or not 1 <= len(element) <= 3:
        return False
    first, listed = element[0], isinstance(element, list)
    if listed and (len(element) == 1 or (hasattr(first, "__array__") and np.ndim(first) == 1)):
        return False
    return not isinstance(first, list | tuple | int | float | np.number)


def plain_picture(given: Any) -> Any:
    r"""Return a tensor as an array, and a single text in an array or a tensor as that text.

    >>> plain_picture(np.array(b"cats/a.png")), plain_picture(np.array(b"GIF89a\x07"))
    ('cats/a.png', b'GIF89a\x07')
    """
    if isinstance(given, np.ndarray | np.generic):
        single = given.ndim == 0 and given.dtype.kind in "OUS"
        array = given.item() if single else usual_numbers(np.asanyarray(given))
    elif is_picture(given) or not hasattr(given, "__array__"):
        return given
    else:  # a text in TensorFlow is bytes, whose last zeros an array would cut off
        array = given.numpy() if hasattr(given, "numpy") else np.asarray(given)
        array = usual_numbers(array) if isinstance(array, np.ndarray) else array
    return _path_or_content(array) if isinstance(array, bytes) else array


def _path_or_content(data: bytes) -> str | bytes:
    """Return bytes of TensorFlow as a path if they are one line of text; else a file is in them."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return data
    return text if text.isprintable() else data
