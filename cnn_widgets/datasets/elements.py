"""What the elements of a data set are: pictures or batches, alone, with labels, or named parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from cnn_widgets.datasets.image_set import Label
from cnn_widgets.datasets.labels import label_of, labels_of
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
    """
    names = getattr(source, "class_names", None)
    named = list(names) if isinstance(names, list | tuple) else None

    def frames() -> Iterator[tuple[Any, Label]]:
        if _is_py_dataset(source):
            batches: Iterable[Any] = (source[index] for index in range(len(source)))
        else:
            batches = source
        for element in batches:
            yield from _taken_apart(element, channels, named)

    return frames


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


def _taken_apart(
    element: Any, channels: int | None, names: list[str] | None
) -> Iterator[tuple[Any, Label]]:
    """Yield the pictures of one element, alone or a batch, with or without labels."""
    if is_named(element):
        element = named_parts(element)
    pair = isinstance(element, tuple | list) and 2 <= len(element) <= 3
    given, label = (element[0], element[1]) if pair else (element, None)
    if is_picture(given) or not (isinstance(given, np.ndarray) or hasattr(given, "numpy")):
        yield given, label_of(label)
        return
    pixels = np.asarray(getattr(given, "numpy", lambda: given)())
    told = None if label is None else np.asarray(getattr(label, "numpy", lambda: label)())
    if not is_many(pixels.shape, channels):
        yield pixels, None if told is None else labels_of(told[None], names)[0]
        return
    labels = [None] * len(pixels) if told is None else labels_of(told, names)
    yield from zip(pixels, labels, strict=True)
