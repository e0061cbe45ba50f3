"""`ImageSet`: many pictures in an order, each with a name of its own, read when it is asked for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cnn_widgets.records import ImageSample
from cnn_widgets.spelling import composed

#: What a picture shows, as its owner says: the number or the name of a class; None if not said.
Label = int | str | None
#: Reads one picture, given `at_least`; see `load_image`.
Reader = Callable[[int | None], ImageSample]


class ImageSet:
    """Pictures in an order; none is read or kept by the set itself.

    Parameters
    ----------
    names : sequence of str
        One for each picture; of equal ones the later get a number; bytes of a file's name that are
        no text are escaped. Letters with accents are composed (NFC), whatever the file's name has.
    labels : sequence of int, str or None
        What each picture shows; empty if nothing is known. Letters are composed here, too.
    read : callable
        Returns the `ImageSample` of a number, from 0, given that number and `at_least`; raises
        what `load_image` raises.
    notes : sequence of str
        What was assumed about the source, in words, for the user to see.
    mark : callable, optional
        Returns, given a number, what tells the content of a picture from another: the size and
        time of its file, for instance.
    private : collection of int
        The numbers of pictures that were uploaded on a page.
    reader : callable, optional
        Returns, given a number, how that picture is read, as something that can be pickled: so
        that another process can read it.

    Attributes
    ----------
    names : tuple of str
    labels : tuple of int, str or None
        As long as `names`.
    notes : tuple of str
    private : frozenset of str
        The names of uploaded pictures, which are not to be saved unasked.
    start : int
        The number of the first picture in the set of which this one is the rest.
    repeatable : bool
        Whether the pictures can be gone through again, and read by their numbers.
    """

    repeatable = True
    #: Whether the source says that it has no end.
    endless = False

    def __init__(
        self,
        names: Sequence[str],
        labels: Sequence[Label],
        read: Callable[[int, int | None], ImageSample],
        notes: Sequence[str] = (),
        mark: Callable[[int], object] | None = None,
        private: Collection[int] = (),
        reader: Callable[[int], Reader] | None = None,
    ) -> None:
        self.names, self.notes = unique([plain(name) for name in names]), tuple(notes)
        self.labels: tuple[Label, ...] = tuple(
            plain(label) if isinstance(label, str) else label for label in labels
        ) or (None,) * len(self.names)
        self.private = frozenset(self.names[number] for number in private)
        self.start = 0
        self._read, self._mark, self._reader = read, mark, reader

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        kinds = len(set(self.labels) - {None})
        return f"ImageSet({len(self)} pictures{f', {kinds} labels' * bool(kinds)})"

    @property
    def labelled(self) -> bool:
        """Whether any picture has a label."""
        return any(label is not None for label in self.labels)

    def read(self, index: int, at_least: int | None = None) -> ImageSample:
        """Return the picture of a number, from 0; `at_least` is as for `load_image`.

        Raises
        ------
        ValueError, OSError, TypeError
            If it cannot be read; see `load_image`.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"Expected a picture from 0 to {len(self) - 1}. Received: {index}")
        return replace(self._read(index, at_least), name=self.names[index])

    def fingerprint(self) -> str:
        """Return a digest of names, labels and content: another one for other pictures."""
        found = hashlib.sha256()
        for number, (name, label) in enumerate(zip(self.names, self.labels, strict=True)):
            mark = None if self._mark is None else self._mark(number)
            found.update(repr((name, label, mark)).encode())
        return found.hexdigest()

    def rest(self, start: int) -> ImageSet:
        """Return the pictures from a number on; there must be one."""
        found = ImageSet(
            self.names[start:],
            self.labels[start:],
            lambda number, at_least: self.read(number + start, at_least),
        )
        found.start = self.start + start
        return found

    def part(self, start: int, stop: int, refused: Mapping[int, str] | None = None) -> ImageSet:
        """Return the pictures from one number to before another, as a set of their own.

        It can be pickled if its pictures can be read by another process: files and arrays can.
        `refused` says, by their numbers in this set, why some are not to be read.
        """
        told = refused or {}
        reader = self._reader or (lambda number: partial(self._read, number))
        readers = [_Refused(told[number]) if number in told else reader(number)
                   for number in range(start, stop)]  # fmt: skip
        each = _Readers(tuple(readers))
        found = ImageSet(self.names[start:stop], self.labels[start:stop], each, reader=each.of)
        found.start = self.start + start
        return found

    def walk(
        self, at_least: int | None = None
    ) -> Iterator[tuple[str, Label, Callable[[], ImageSample]]]:
        """Yield (name, label, how to read it) of each picture, in order."""
        for index, (name, label) in enumerate(zip(self.names, self.labels, strict=True)):
            yield name, label, partial(self.read, index, at_least)


@dataclass(frozen=True)
class _Readers:
    """How the pictures of a part are read."""

    each: tuple[Reader, ...]

    def __call__(self, number: int, at_least: int | None) -> ImageSample:
        return self.each[number](at_least)

    def of(self, number: int) -> Reader:
        return self.each[number]


@dataclass(frozen=True)
class _Refused:
    """In place of the reader of a picture that is not to be read."""

    reason: str

    def __call__(self, at_least: int | None) -> ImageSample:
        raise ValueError(self.reason)


def plain(text: str) -> str:
    """Return a text with its letters composed, and what is no character escaped.

    The latter as in a file's name in another encoding.
    """
    return composed(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def unique(names: Sequence[str]) -> tuple[str, ...]:
    """Return names in which those that came before get a number.

    >>> unique(["cat", "dog", "cat"])
    ('cat', 'dog', 'cat 2')
    """
    if len(set(names)) == len(names):
        return tuple(names)
    taken, found = set(names), []
    seen: dict[str, int] = {}
    for name in names:
        count = seen.get(name, 0) + 1
        free = name
        while count > 1 and free in taken:
            free = f"{name} {count}"
            count += 1
        seen[name] = max(count - 1, 1) if count > 1 else 1
        taken.add(free)
        found.append(free)
    return tuple(found)


def title(source: Any, index: int) -> str:
    """Return the name of a picture that is not read yet."""
    if isinstance(source, ImageSample):
        return source.name
    if isinstance(source, dict):
        return Path(str(source.get("name", "upload"))).stem
    if isinstance(source, str | os.PathLike):
        return Path(str(source).rstrip("/")).stem or str(source)
    named = getattr(source, "name", None) or getattr(source, "filename", None)
    return Path(named).stem if isinstance(named, str) and named else f"image {index}"
