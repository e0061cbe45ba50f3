"""How many are right: shares with their intervals, by label, and which is taken for which."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

#: Standard deviations of the normal distribution that hold 95 %.
_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Share:
    """So many of so many, as a share with its 95 % interval (Wilson 1927)."""

    right: int
    count: int

    @property
    def value(self) -> float:
        """The share, in [0, 1]; NaN of none."""
        return self.right / self.count if self.count else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """The lower and the upper end; (0, 1) of none."""
        n, z = self.count, _NORMAL_95
        if not n:
            return 0.0, 1.0
        share, spread = self.right / n, z * z / n
        middle = (share + spread / 2) / (1 + spread)
        half = z * sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        if not self.count:
            return "none of none"
        low, high = self.interval
        return (
            f"{100 * self.value:.1f} % ({self.right:,} of {self.count:,}; 95 % interval "
            f"{100 * low:.1f} to {100 * high:.1f} %)"
        )


@dataclass(frozen=True)
class LabelRow:
    """What became of the photographs of one label.

    Attributes
    ----------
    label : str
    recall : Share
        Of the photographs with this label, those that the network gives a class of it.
    precision : Share
        Of the photographs that the network gives a class of this label, those that have it.
    taken_for : str
        The answer that was given instead most often; "" if there was none.
    """

    label: str
    recall: Share
    precision: Share
    taken_for: str


def confusion(
    truth: NDArray[np.intp], answer: NDArray[np.intp], labels: int, answers: int
) -> NDArray[np.int64]:
    """Return how often a label (rows) was given an answer (columns), int (labels, answers)."""
    found = np.zeros((labels, answers), np.int64)
    np.add.at(found, (truth, answer), 1)
    return found
