"""Pictures in arrays: one array of many, or a stream of batches, as `tf.data` and Keras have them.

Whether numbers are in [0, 1] or in [0, 255] is decided for all pictures at once: a single dark
picture of 0 to 255 may hold nothing above 1.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.datasets.image_set import ImageSet, Label, plain, title, unique
from cnn_widgets.images.bands import looks_channels_first
from cnn_widgets.images.loading import load_image
from cnn_widgets.records import ImageSample

#: Of a stream, so many pictures are kept, and at most so many bytes, where one chooses among them.
KEPT, KEPT_BYTES = 500, 256 * 2**20
_LOOKED_AT = 16  # pictures of a stream by which the range of its numbers is decided
_ROUNDING = 1e-3  # beyond the ends of a range


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
    as_picture, note = reader(array[0], pieces, bands)
    names = [f"image {index}" for index in range(len(array))]

    def mark(index: int) -> str:
        return hashlib.sha256(np.ascontiguousarray(array[index]).tobytes()).hexdigest()

    return ImageSet(
        names,
        labels,
        lambda index, _: as_picture(array[index]),
        note,
        mark,
        reader=lambda index: partial(_picture_of, array[index], as_picture),
    )


def _picture_of(
    one: NDArray[Any], as_picture: Callable[[NDArray[Any]], ImageSample], at_least: int | None
) -> ImageSample:
    return as_picture(one)


def has_range(one: Any) -> bool:
    """Return whether the range of a picture's numbers is to be found out: grey or RGB, no bytes."""
    if not isinstance(one, np.ndarray) or one.dtype.kind not in "fi":
        return False
    return one.ndim == 2 or (one.ndim == 3 and one.shape[-1] in (1, 3))


def reader(
    one: NDArray[Any], pieces: Iterable[NDArray[Any]], bands: Sequence[int] | None
) -> tuple[Callable[[NDArray[Any]], ImageSample], list[str]]:
    """Return how pictures such as `one` are read, and what is to be said of their range.

    The range is that of all `pieces` together: pictures, or arrays of many.
    """
    if bands is not None or not has_range(one):
        return lambda picture: load_image(picture, bands=bands), []
    low, high = _range_of(pieces)
    if one.dtype.kind == "f" and low >= -_ROUNDING and high <= 1 + _ROUNDING:
        factor, most, told = 255, 1.0, "shares of full brightness"
    elif low >= -_ROUNDING and high <= 255 + _ROUNDING:
        factor, most, told = 1, 255.0, "brightness from 0 to 255"
    else:
        every = tuple(range(one.shape[-1])) if one.ndim == 3 else (0,)
        raise ValueError(
            "Expected values in [0, 255], or floats in [0, 1]. Received "
            f"{one.dtype} from {low:g} to {high:g}. Are the pictures preprocessed already? "
            f"bands={every} gives their values to the network as they are."
        )

    def read(picture: NDArray[Any]) -> ImageSample:
        values = np.asarray(picture, np.float64)
        if not (values.min() >= -_ROUNDING and values.max() <= most + _ROUNDING):  # also NaN
            raise ValueError(
                f"The picture holds values from {values.min():g} to {values.max():g}, the others "
                f"from 0 to {most:g}."
            )
        return load_image(np.round(values.clip(0, most) * factor).astype(np.uint8))

    if one.dtype.kind == "i":
        return read, []
    return read, [f"Values from {low:.3g} to {high:.3g} are taken as {told}"]


def _range_of(pieces: Iterable[NDArray[Any]]) -> tuple[float, float]:
    """Return the smallest and the largest value; the arrays may lie on the disk."""
    ends = [(float(piece.min()), float(piece.max())) for piece in pieces if piece.size]
    if not np.isfinite(ends).all():
        raise ValueError("The pictures hold NaN or infinite values.")
    return min(low for low, _ in ends), max(high for _, high in ends)


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
        self._kept: list[tuple[Label, ImageSample | Exception]] | None = None
        self._notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """One for each picture that is kept."""
        kept = enumerate(each for _, each in self._first())
        return unique([e.name if isinstance(e, ImageSample) else title(None, i) for i, e in kept])

    @property
    def labels(self) -> tuple[Label, ...]:  # type: ignore[override]
        """What each picture that is kept shows."""
        return tuple(label for label, _ in self._first())

    @property
    def private(self) -> frozenset[str]:  # type: ignore[override]
        """The names of uploaded pictures."""
        kept = zip(self.names, self._first(), strict=True)
        return frozenset(name for name, (_, one) in kept if _is_upload(one))

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """What was assumed; after the first pictures were read, whether there are more."""
        self._first()
        return self._notes

    def read(self, index: int, at_least: int | None = None) -> ImageSample:
        """Return one of the pictures that are kept."""
        found = self._first()[index][1]
        if isinstance(found, Exception):
            raise found
        return replace(found, name=self.names[index])

    def walk(
        self, at_least: int | None = None
    ) -> Iterator[tuple[str, Label, Callable[[], ImageSample]]]:
        """Yield (name, label, how to read it) of every picture, from the first on.

        Raises
        ------
        ValueError
            If there is none.
        """
        frames = self._frames()
        first = deque(islice(frames, 1))
        if not first:
            raise ValueError("Expected at least one image. Received an empty data set or iterator.")
        as_picture: Callable[[Any], ImageSample] = partial(load_image, bands=self._bands)
        if first and has_range(first[0][0]):
            first.extend(islice(frames, _LOOKED_AT - 1))
            arrays = [each for each, _ in first if has_range(each)]
            as_picture, note = reader(arrays[0], arrays, self._bands)
            self._notes = tuple(note)
            del arrays
        taken: set[str] = set()
        for index in count():
            if not first:
                first.extend(islice(frames, 1))
            if not first:
                return
            given, label = first.popleft()
            name = plain(title(given, index))
            if not isinstance(given, np.ndarray):  # those of arrays have a number already
                name = f"{name} {index}" if name in taken else name
                taken.add(name)
            yield name, label, partial(_named, given, name, as_picture, at_least)

    def _first(self) -> list[tuple[Label, ImageSample | Exception]]:
        if self._kept is None:
            kept: list[tuple[Label, ImageSample | Exception]] = []
            size = 0
            for name, label, read in self.walk():
                if len(kept) == KEPT or size > KEPT_BYTES:
                    self._notes += (
                        f"The first {len(kept)} pictures are shown; stream() reads all of them",
                    )
                    break
                try:
                    sample = read()
                except (ValueError, TypeError, OSError) as error:
                    kept.append((label, ValueError(f"{name}: {error}")))
                    continue
                size += sample.pixels.nbytes + (0 if sample.data is None else sample.data.nbytes)
                kept.append((label, sample))
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
