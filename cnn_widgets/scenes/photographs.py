"""The photographs on the table, by name: a few that are kept, or many that are read when seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cnn_widgets.datasets import ImageSet, Label
from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.images.loading import load_image
from cnn_widgets.images.resizing import shrink, shrink_sample
from cnn_widgets.records import ImageSample, Pixels

#: So many photographs are shown together.
PAGE = 18
#: Longest side of a photograph that is kept, in pixels; a larger one is shrunk.
LONGEST = 1024
#: Of a set that is read when it is seen, so many bytes of pixels are kept.
KEPT_BYTES = 96 * 2**20
#: And so many of thumbnails.
THUMBNAIL_BYTES = 16 * 2**20

#: Gives a photograph, with its number, what the network takes beside it.
Joined = Callable[[ImageSample, int], ImageSample]


class Photographs(Mapping[str, ImageSample]):
    """Photographs by name: those of a set, in its order, then those that were added.

    Parameters
    ----------
    images : ImageSet
    joined : callable
        Gives a photograph of the set, with its number, what the network takes beside it.
    at_once : bool
        Whether all are read now and kept, so that one that cannot be read raises its error here.
        Otherwise each is read when it is asked for, and raises a ValueError then.

    Attributes
    ----------
    sizes : dict of str to (H, W)
        The sizes of those that were read, before they were shrunk.
    notes : tuple of str
        What was assumed about the set.
    unreadable : dict of str to str
        Why a photograph could not be read, by name.
    revision : int
        Another one whenever a photograph is added or removed.
    """

    def __init__(self, images: ImageSet, joined: Joined, at_once: bool) -> None:
        self._images, self._joined = images, joined
        self._numbers: dict[str, int | None] = {}
        self._kept: dict[str, ImageSample] = {}
        self._names: tuple[str, ...] | None = None
        self._cache: ByteCache[ImageSample] = ByteCache(KEPT_BYTES)
        self._small: ByteCache[Pixels] = ByteCache(THUMBNAIL_BYTES)
        self._fitted: dict[str, Fitted] = {}
        self.sizes: dict[str, tuple[int, int]] = {}
        self.unreadable: dict[str, str] = {}
        self.revision = self._changes = 0
        if at_once:
            for index in range(len(images)):
                self._keep_own(index)
        else:
            self._numbers = dict(zip(images.names, range(len(images)), strict=True))
        self.notes = images.notes

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, name: object) -> bool:
        return name in self._numbers

    def __getitem__(self, name: str) -> ImageSample:
        number = self._numbers[name]
        if name in self._kept or number is None:
            return self._kept[name]
        found = self._cache.get(name)
        if found is None:
            found = self._cached(name, self._read(name, number))
        return found

    def add(self, sample: ImageSample) -> str:
        """Keep a photograph, shrunk to `LONGEST`; return its name, made unique by a number.

        The same photograph under the same name is kept once.
        """
        small = shrink_sample(sample, LONGEST)
        known = self._kept.get(small.name)
        if known is not None and known.key == small.key:
            return small.name
        unique, count = small.name, 2
        while unique in self._numbers:
            known = self._kept.get(unique)
            if known is not None and (known.key, known.name) == (small.key, small.name):
                return unique
            unique, count = f"{small.name} {count}", count + 1
        self._numbers[unique], self._kept[unique], self._names = None, small, None
        self.revision = self._changes = self._changes + 1
        self.sizes[unique] = sample.size
        return unique

    def remove(self, name: str) -> None:
        """Remove a photograph; an unknown name is ignored."""
        self._numbers.pop(name, None)
        self._kept.pop(name, None)
        self._names = None
        self.revision = self._changes = self._changes + 1
        self.sizes.pop(name, None)
        self._fitted.clear()

    def clear(self) -> None:
        """Let go of every photograph."""
        self._numbers.clear()
        self._names = None
        self._kept.clear()
        self._cache.clear()
        self._small.clear()
        self._fitted.clear()
        self._images = ImageSet((), (), closed)

    @property
    def few(self) -> bool:
        """Whether there are several, all on one page."""
        return 1 < len(self) <= PAGE

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in order; the same object until one is added or removed."""
        if self._names is None:
            self._names = tuple(self._numbers)
        return self._names

    def page(self, name: str, size: int) -> tuple[str, ...]:
        """Return the names on the page, of so many photographs, on which one stands."""
        start = self.names.index(name) // size * size
        return self.names[start : start + size]

    @property
    def images(self) -> ImageSet:
        """The set, without what was added; of a data set or a generator, what is kept of it."""
        found = self._images
        return found if found.repeatable else ImageSet(found.names, found.labels, found.read)

    def label(self, name: str) -> Label:
        """Return what a photograph shows, if its owner said so."""
        number = self._numbers.get(name)
        return None if number is None else self._images.labels[number]

    def fitted(self, fit: str) -> Fitted:
        """Return all photographs, each with a `fit`; every other is as here."""
        return self._fitted.setdefault(fit, Fitted(self, fit))

    def thumbnail(self, name: str, side: int) -> Pixels | None:
        """Return a photograph small, about `side` pixels or more; None if it cannot be read.

        It is read for this alone, where that is quicker.
        """
        number = self._numbers.get(name)
        if name in self._kept or number is None or self._cache.get(name) is not None:
            return self[name].pixels
        small = self._small.get(name)
        if small is None:
            try:
                small = shrink(self._images.read(number, side).pixels, 2 * side)
            except Exception as error:  # whatever a source or a decoder raises
                self.unreadable[name] = str(error) or type(error).__name__
                return None
            self._small.put(name, small, [small])
        return small

    def _keep_own(self, index: int) -> None:
        name = self._images.names[index]
        sample = self._images.read(index)
        self._kept[name] = self._joined(shrink_sample(sample, LONGEST), index)
        self._numbers[name], self.sizes[name] = index, sample.size

    def _read(self, name: str, number: int) -> ImageSample:
        """Read a photograph of the set; a ValueError names it if that fails."""
        try:
            sample = self._images.read(number)
            joined = self._joined(shrink_sample(sample, LONGEST), number)
        except Exception as error:  # whatever a source or a decoder raises
            self.unreadable[name] = str(error) or type(error).__name__
            told = self.unreadable[name]
            raise ValueError(f"The photograph {name!r} cannot be read: {told}") from error
        self.unreadable.pop(name, None)
        self.sizes[name] = sample.size
        return joined

    def _cached(self, key: Any, sample: ImageSample) -> ImageSample:
        data = () if sample.data is None else (sample.data,)
        return self._cache.put(key, sample, (sample.pixels, *data))


def closed(number: int, at_least: int | None) -> ImageSample:
    """Stand in for the set of an explorer that is closed, so that the set itself is freed."""
    raise ValueError("The explorer is closed.")


class Fitted(Mapping[str, ImageSample]):
    """The photographs of a `Photographs`, each resized to the input in one way."""

    def __init__(self, photographs: Photographs, fit: str) -> None:
        self.photographs, self._fit = photographs, fit
        self._made: ByteCache[tuple[ImageSample, ImageSample]] = ByteCache(KEPT_BYTES)

    def __iter__(self) -> Iterator[str]:
        return iter(self.photographs)

    def __len__(self) -> int:
        return len(self.photographs)

    def __contains__(self, name: object) -> bool:
        return name in self.photographs

    def __getitem__(self, name: str) -> ImageSample:
        plain = self.photographs[name]
        known = self._made.get(name)
        if known is None or known[0] is not plain:
            data = () if plain.data is None else (plain.data,)
            made = plain, load_image(plain, fit=self._fit)
            known = self._made.put(name, made, (plain.pixels, *data))
        return known[1]
