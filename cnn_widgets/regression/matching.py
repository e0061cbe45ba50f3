"""Which photograph is which of those that were kept, whatever its name, order or file format."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from cnn_widgets.records import ImageSample
from cnn_widgets.regression.photographs import Photograph, content_of, thumb_of
from cnn_widgets.regression.result import Case

#: Mean difference of two thumbnails, in levels of 0 to 255, up to which it is the same photograph.
_SAME_PICTURE = 4.0


class Matching:
    """The photographs kept, of which each is found once.

    Parameters
    ----------
    kept : sequence of Photograph
    """

    def __init__(self, kept: Sequence[Photograph]) -> None:
        self._kept = tuple(kept)
        self._by_content: dict[str, list[int]] = defaultdict(list)
        for number, each in enumerate(kept):
            self._by_content[each.content].append(number)
        self._by_name = {each.name: number for number, each in enumerate(kept)}
        self._left = set(range(len(self._kept)))
        self._new: list[str] = []
        self._unreadable: dict[str, str] = {}

    def find(self, sample: ImageSample) -> int | None:
        """Return the number of the photograph that a sample is; None if it was not kept.

        That is one of the same pixels, whose name decides if there are several; or one of the same
        name, if the pixels differ as little as another decoder makes them.
        """
        by_name = self._by_name.get(sample.name, -1)
        same = [n for n in self._by_content.get(content_of(sample), ()) if n in self._left]
        found = by_name if by_name in same else same[0] if same else None
        if found is None and by_name in self._left and not self._kept[by_name].error:
            gap = np.abs(self._kept[by_name].thumb.astype(float) - thumb_of(sample)).mean()
            found = by_name if gap <= _SAME_PICTURE else None
        if found is None:
            self._new.append(sample.name)
        else:
            self._left.discard(found)
        return found

    def unreadable(self, name: str, why: str) -> None:
        """Note a photograph that cannot be read."""
        self._unreadable[name] = why

    def rest(self, missing: float) -> list[Case]:
        """Return a case for each photograph that is on one side only, or cannot be read now.

        If more than a share of those kept is `missing`, each of these is a failure.
        """
        found = []
        for name in self._new:
            words = "It is not among those kept: not compared."
            found.append(Case("photograph", name, "skipped", (), words))
        for name, why in self._unreadable.items():
            number = self._by_name.get(name, -1)
            if number in self._left and not self._kept[number].error:
                words = f"It could be read, and now it cannot: {why}"
                found.append(Case("photograph", name, "failed", ("unreadable",), words, 1.0))
            else:
                words = f"It cannot be read: {why}"
                found.append(Case("photograph", name, "skipped", (), words))
            self._left.discard(number)
        some = [each for number, each in enumerate(self._kept) if number in self._left]
        lost = [each for each in some if not each.error]
        many = len(lost) > missing * sum(not each.error for each in self._kept)
        words = "It is not here, or is another photograph now: not compared."
        for each in some:
            changed = ("missing",) if many and not each.error else ()
            status = "failed" if changed else "skipped"
            found.append(Case("photograph", each.name, status, changed, words, 1.0))
        return found
