"""Photographs that are there twice: the same pixels, or pictures that look alike.

A picture that is both in the training set and in the test set makes a network look better than it
is. Candidates are named by a perceptual hash (pHash: the signs of the 8×8 lowest frequencies of
the grey picture at 32×32, against their median; Zauner 2010), which stays nearly the same when a
picture is scaled, compressed or brightened, and by their colours; then they are laid over each
other, see `alike`.
"""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from itertools import chain
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.data_checks.alike import SIDE, look_alike, small_picture
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.environment import frame
from cnn_widgets.records import Pixels
from cnn_widgets.telling import counted, stopped

#: Pictures whose hashes of 64 bits differ in at most so many are looked at.
DISTANCE = 6
_COLUMNS = ("kind", "group", "name")
_LOW, _COLORS = 8, 8  # sides of the frequencies and of the colours
_FLAT = 3.0  # a picture with less contrast (standard deviation) has no frequencies to compare
_COLOR_LIMIT, _FLAT_LIMIT = 40.0, 4.0  # mean difference of colours: of a copy, of flat pictures


@dataclass(frozen=True)
class Duplicates:
    """Groups of photographs that look alike, by name.

    Attributes
    ----------
    exact : tuple of tuple of str
        Groups with the very same pixels.
    near : tuple of tuple of str
        Groups that look like one picture saved otherwise; two drawings of nearly the same outline
        do, too. Those of `exact` are in one together.
    across : tuple of (str, str)
        Pairs of a photograph and one of the other set that look alike, if there was one.
    unreadable : dict of str to str
        Why a photograph could not be read, by name; of two of one name, that of the other set has
        "(other)" behind it.
    compared : tuple of (int, int)
        Of each set, how many photographs could be read, and how many there are.
    """

    exact: tuple[tuple[str, ...], ...]
    near: tuple[tuple[str, ...], ...]
    across: tuple[tuple[str, str], ...]
    unreadable: dict[str, str]
    compared: tuple[tuple[int, int], ...]

    @property
    def left_out(self) -> str:
        """What was not compared because it could not be read, as a sentence; "" if nothing."""
        several = len(self.compared) > 1
        told = [
            f"{'none' if not read else f'{total - read:,}'} of {counted(total, 'photograph')}"
            f"{f' of the {place} set' * several}"
            f"{' could be read: nothing was compared' if not read else ' could not be read'}"
            for place, (read, total) in zip(("first", "second"), self.compared, strict=False)
            if read < total
        ]
        line = ", and ".join(told)
        return f"{line[0].upper()}{line[1:]}." if told else ""

    def records(self) -> list[dict[str, Any]]:
        """Return a dict per photograph that has a copy: kind, number of its group, and name.

        The kind is "exact", "near" or "across", a group of which has the first set's name first.
        """
        kinds = {"exact": self.exact, "near": self.near, "across": self.across}
        return [
            dict(zip(_COLUMNS, (kind, number, name), strict=True))
            for kind, groups in kinds.items()
            for number, group in enumerate(groups)
            for name in group
        ]

    def to_pandas(self) -> Any:
        """Return `records` as a pandas DataFrame; an ImportError says if pandas is missing."""
        return frame(self.records(), _COLUMNS)


def duplicates(
    images: Any,
    other: Any = None,
    distance: int = DISTANCE,
    progress: Callable[[int, int], Any] | None = None,
) -> Duplicates:
    """Return the photographs that are there twice in a set, or in two.

    Found are copies that were scaled, compressed, brightened, or cropped by a few per cent.

    Parameters
    ----------
    images, other : object
        Photographs as `open_images` takes them; `other` is a second set.
    distance : int
        Bits of 64 in which the hashes of two copies may differ, from 0 to 7.
    progress : callable, optional
        Called with (photographs done, photographs in all); returning False stops.

    Raises
    ------
    ValueError
        If there is no photograph, `distance` is out of range, or photographs cannot be read again.
    concurrent.futures.CancelledError
        If `progress` returned False.

    Examples
    --------
    >>> cat = cw.gallery()["cat"]
    >>> duplicates([cat, cw.gallery()["rocket"], (cat.pixels * 0.9).astype(np.uint8)]).near
    (('cat', 'image 2'),)
    """
    if not 0 <= distance <= 7:
        raise ValueError(f"Expected distance from 0 to 7. Received: {distance}")
    sets = [open_images(images)] + ([] if other is None else [open_images(other)])
    if not all(each.repeatable for each in sets):
        raise ValueError(
            "Photographs are read again to be compared, and those of a data set or a generator "
            "come only once. Give a folder, a zip, a CSV, a list or an array."
        )
    total = sum(map(len, sets))
    found, bad, bad_other = list[_Print](), dict[str, str](), dict[str, str]()
    each_of_both = chain.from_iterable(
        _prints(some, n, (bad, bad_other)[n]) for n, some in enumerate(sets)
    )
    for done, each in enumerate(each_of_both, 1):
        found += [] if each is None else [each]
        if stopped(progress, done, total):
            raise CancelledError(f"Stopped after {done} of {total}.")
    first = set(sets[0].names)
    bad |= {f"{name} (other)" if name in first else name: why for name, why in bad_other.items()}
    pairs = list(_pairs(found, distance))
    within = [(a, b) for a, b in pairs if found[a].place == found[b].place == 0]
    across = [
        (found[a].name, found[b].name) if found[a].place == 0 else (found[b].name, found[a].name)
        for a, b in pairs
        if found[a].place != found[b].place
    ]
    near = [tuple(found[n].name for n in group) for group in _groups(within)]
    exact = _exact(sets[0], [[found[n].number for n in group] for group in _groups(within)])
    read = [sum(each.place == place for each in found) for place in range(len(sets))]
    compared = tuple(zip(read, map(len, sets), strict=True))
    return Duplicates(exact, tuple(sorted(near)), tuple(sorted(across)), bad, compared)


@dataclass(frozen=True)
class _Print:
    """What is compared of one photograph."""

    place: int
    number: int
    name: str
    bits: int
    flat: bool
    colors: NDArray[np.float32]
    small: Pixels


def _prints(images: ImageSet, place: int, bad: dict[str, str]) -> Iterator[_Print | None]:
    """Yield what is compared of each photograph; None of an unreadable one, noted in `bad`."""
    for number, (name, _, read) in enumerate(images.walk(4 * SIDE)):
        try:
            pixels = read().pixels
        except (ValueError, TypeError, OSError) as error:
            bad[name] = str(error) or type(error).__name__
            yield None
            continue
        bits, flat = perceptual_hash(pixels)
        colors = cv2.resize(pixels, (_COLORS, _COLORS), interpolation=cv2.INTER_AREA)
        yield _Print(
            place, number, name, bits, flat, np.asarray(colors, np.float32), small_picture(pixels)
        )


def perceptual_hash(pixels: Pixels) -> tuple[int, bool]:
    """Return the hash of a picture, 64 bits, and whether the picture is too flat to have one."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:_LOW, :_LOW].ravel()
    low[0] = 0  # the mean brightness
    signs = low > np.median(low[1:])
    return int(np.packbits(signs).view(">u8")[0]), bool(small.std() < _FLAT)


def _pairs(found: list[_Print], distance: int) -> Iterator[tuple[int, int]]:
    """Yield the pairs of photographs that look alike.

    Of those that look exactly alike only the first is compared with others, and of each set the
    first stands for them: thousands of copies of one picture cost no more than their number.
    """
    same: dict[object, list[int]] = defaultdict(list)
    for index, each in enumerate(found):
        same[each.small.tobytes()].append(index)
    groups = list(same.values())
    if not groups:
        return
    for group in groups:
        yield from _joined(found, group, group)
    firsts = [found[group[0]] for group in groups]
    for a, b in _alike(firsts, distance):
        if look_alike(firsts[a].small, firsts[b].small, firsts[a].flat):
            yield from _joined(found, groups[a], groups[b])


def _joined(found: list[_Print], one: list[int], other: list[int]) -> Iterator[tuple[int, int]]:
    """Yield pairs that join two groups of photographs, or one in itself, within and across sets."""
    first, second = (
        [[index for index in group if found[index].place == place] for place in (0, 1)]
        for group in (one, other)
    )
    if one is not other and first[0] and second[0]:
        yield first[0][0], second[0][0]
    if one is other:
        yield from ((first[0][0], index) for index in first[0][1:])
    for near, far in ((first, second), (second, first))[: 1 if one is other else 2]:
        if near[0] and far[1]:
            yield from ((near[0][0], index) for index in far[1])
            yield from ((index, far[1][0]) for index in near[0][1:])


def _alike(found: list[_Print], distance: int) -> Iterator[tuple[int, int]]:
    """Yield the pairs that may look alike, (smaller, larger) number, each once.

    Hashes that differ in at most 7 bits have one of their 8 bytes in common, so only those that
    share a byte are compared.
    """
    buckets: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, each in enumerate(found):
        if each.flat:
            buckets[-1, 0].append(index)
        else:
            for byte in range(8):
                buckets[byte, each.bits >> (8 * byte) & 255].append(index)
    bits = np.array([each.bits for each in found], np.uint64)
    colors = np.array([each.colors for each in found]).reshape(len(found), -1)
    seen: set[tuple[int, int]] = set()
    for (byte, _), members in buckets.items():
        numbers = np.array(members)
        for start, index in enumerate(members[:-1]):
            rest = numbers[start + 1 :]
            if byte >= 0:
                rest = rest[_count_bits(bits[rest] ^ bits[index]) <= distance]
            limit = _COLOR_LIMIT if byte >= 0 else _FLAT_LIMIT
            rest = rest[np.abs(colors[rest] - colors[index]).mean(axis=1) <= limit]
            for other in rest.tolist():
                if (index, other) not in seen:
                    seen.add((index, other))
                    yield index, other


def _count_bits(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    bits = np.unpackbits(values.view(np.uint8).reshape(-1, 8), axis=1)
    return np.asarray(bits.sum(axis=1), np.int64)


def _groups(pairs: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the groups in which each member is linked to another, sorted."""
    head: dict[int, int] = {}

    def first(index: int) -> int:
        while head.setdefault(index, index) != index:
            head[index] = head[head[index]]
            index = head[index]
        return index

    for one, other in pairs:
        low, high = sorted((first(one), first(other)))
        head[high] = low
    groups: dict[int, list[int]] = defaultdict(list)
    for index in sorted(head):
        groups[first(index)].append(index)
    return list(groups.values())


def _exact(images: ImageSet, groups: list[list[int]]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of the very same pixels among photographs that look alike."""
    found = []
    for group in groups:
        same: dict[str, list[str]] = defaultdict(list)
        for number in group:
            with contextlib.suppress(ValueError, TypeError, OSError):  # gone since it was compared
                sample = images.read(number)
                same[f"{sample.digest}{sample.size}"].append(images.names[number])
        found += [tuple(names) for names in same.values() if len(names) > 1]
    return tuple(sorted(found))
