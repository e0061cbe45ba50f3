"""Pictures in arrays: one array of many, or a stream of batches, as `tf.data` and Keras have."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.datasets.image_set import ImageSet, Label, plain, title
from cnn_widgets.datasets.ranges import kind_of, needs_others, reader
from cnn_widgets.images.bands import looks_channels_first
from cnn_widgets.images.loading import load_image
from cnn_widgets.records import ImageSample

#: Of a stream, so many pictures are kept, and at most so many bytes, where one chooses among them.
KEPT, KEPT_BYTES = 500, 256 * 2**20
_NUMBERED = re.compile(r"image \d+")  # what arrays are called
_LOOKED_AT = 16  # pictures of a stream by which the range of its numbers is decided


def array_set(
    array: NDArray[Any], labels: Sequence[Label] = (), bands: Sequence[int] | None = None
) -> ImageSet:
    """Return the pictures of an array (N, H, W) or (N, H, W, C).

    Raises
    ------
    ValueError
        If the array is empty, its channels come first, or its values are in none of the usual
        ranges.
    """
    if not array.size:
        raise ValueError(f"Expected at least one picture. Received an array of shape {array.shape}")
    if array.ndim == 4 and looks_channels_first(array.shape[1:]):
        raise ValueError(
            "Expected an array of shape (N, H, W) or (N, H, W, C). Received shape: "
            f"{array.shape}. It looks channels-first: pass array.transpose(0, 2, 3, 1)."
        )
    pieces = (array[start : start + 256] for start in range(0, len(array), 256))
    as_picture, notes = reader(pieces, bands, array[0])
    if bands is None and kind_of(array[0]) and not as_picture.meanings:
        raise ValueError("The pictures hold NaN or infinite values.")
    names = [f"image {index}" for index in range(len(array))]

    def mark(index: int) -> str:
        return hashlib.sha256(np.ascontiguousarray(array[index]).tobytes()).hexdigest()

    return ImageSet(
        names,
        labels,
        lambda index, _: as_picture(array[index]),
        notes,
        mark,
        reader=lambda index: partial(_picture_of, array[index], as_picture),
    )


def _picture_of(
    one: NDArray[Any], as_picture: Callable[[NDArray[Any]], ImageSample], at_least: int | None
) -> ImageSample:
    return as_picture(one)


class StreamSet(ImageSet):
    """Pictures that come one after the other, each `walk` from the first on; an iterator only once.

    `names`, `labels`, `len` and `read` are of the first ones, which are read and kept when one of
    these is first asked for: `KEPT` pictures, or what `KEPT_BYTES` hold.

    Attributes
    ----------
    endless : bool
        Whether the source says that it has no end.
    """

    repeatable = False

    def __init__(
        self, frames: Callable[[], Iterator[tuple[Any, Label]]], bands: Any, endless: bool = False
    ) -> None:
        self._frames, self._bands, self.endless, self.start = frames, bands, endless, 0
        self._kept: list[tuple[str, Label, ImageSample | Exception]] | None = None
        self._notes: list[str] = []
        self._cut: tuple[str, ...] = ()
        self._begun = False

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for each picture that is kept."""
        return tuple(name for name, _, _ in self._first())

    @property
    def labels(self) -> tuple[Label, ...]:  # type: ignore[override]
        """What each picture that is kept shows."""
        return tuple(label for _, label, _ in self._first())

    @property
    def private(self) -> frozenset[str]:  # type: ignore[override]
        """The names of uploaded pictures."""
        return frozenset(name for name, _, one in self._first() if _is_upload(one))

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """What was assumed; after the first pictures were read, whether there are more."""
        if not self._begun:
            self._first()
        return (*self._notes, *self._cut)

    def read(self, index: int, at_least: int | None = None) -> ImageSample:
        """Return one of the pictures that are kept."""
        found = self._first()[index][2]
        if isinstance(found, Exception):
            raise found
        return found

    def walk(
        self, at_least: int | None = None
    ) -> Iterator[tuple[str, Label, Callable[[], ImageSample]]]:
        """Yield (name, label, how to read it) of every picture, from the first on.

        Raises
        ------
        ValueError
            If there is none, or if an iterator has been gone through already.
        """
        frames = self._frames()
        first = deque(islice(frames, 1))
        if not first:
            raise ValueError(
                "The pictures have been gone through already, and come only once. Make the "
                "iterator anew, or pass a list."
                if self._begun
                else "Expected at least one image. Received an empty data set or iterator."
            )
        self._begun = True
        if needs_others(first[0][0]):
            first.extend(islice(frames, _LOOKED_AT - 1))
        as_picture, self._notes = reader([each for each, _ in first], self._bands)
        taken, numbered = set[str](), False
        for index in count():
            if not first:
                first.extend(islice(frames, 1))
            if not first:
                return
            given, label = first.popleft()
            array, name = isinstance(given, np.ndarray), plain(title(given, index))
            while name in taken or (numbered and not array and _NUMBERED.fullmatch(name)):
                name = f"{name} {index}"
            if array:  # its name has a number already: millions of them need not be kept
                numbered = True
            else:
                taken.add(name)
            yield name, label, partial(_named, given, name, as_picture, at_least)

    def _first(self) -> list[tuple[str, Label, ImageSample | Exception]]:
        if self._kept is None:
            kept: list[tuple[str, Label, ImageSample | Exception]] = []
            size = 0
            for name, label, read in self.walk():
                if len(kept) == KEPT or size > KEPT_BYTES:
                    self._cut = (
                        f"The first {len(kept)} pictures are shown; stream() reads all of them",
                    )
                    break
                try:
                    sample = read()
                except (ValueError, TypeError, OSError) as error:
                    kept.append((name, label, ValueError(f"{name}: {error}")))
                    continue
                size += sample.pixels.nbytes + (0 if sample.data is None else sample.data.nbytes)
                kept.append((name, label, sample))
            self._kept = kept
        return self._kept


def _named(
    given: Any, name: str, as_picture: Callable[[NDArray[Any]], ImageSample], at_least: int | None
) -> ImageSample:
    if isinstance(given, np.ndarray):
        return replace(as_picture(given), name=name)
    return load_image(given, name=name, at_least=at_least)


def _is_upload(one: ImageSample | Exception) -> bool:
    return isinstance(one, ImageSample) and one.source.startswith("upload ")
