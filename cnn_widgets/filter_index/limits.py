"""From when on a filter is called almost dead, saturated, constant or a duplicate."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Limits:
    """The thresholds of an index of filters.

    Attributes
    ----------
    almost_dead : float
        A filter is almost dead if it is active, but on less than this share of the photographs.
    saturated : float
        A filter is saturated if at least this share of its cells is at an end of the range of its
        activation function (within 1 % of the range).
    constant : float
        A filter is constant if its smallest and its largest value differ by at most this share of
        the larger of them.
    duplicate : float
        Two filters of a layer are near-duplicates if the correlation of their values over all
        cells and photographs is at least this. A multiple of another filter has correlation 1.
    least_cells, least_photographs : int
        Filters above 0 in fewer cells, or on fewer photographs, are not compared: a few values
        agree by chance.
    per_label : int
        Labels with fewer photographs do not count for class selectivity, which the largest of
        many poorly known means would make too high.

    Raises
    ------
    ValueError
        If a threshold is out of its range.

    Examples
    --------
    >>> Limits(almost_dead=0.05).saturated
    0.95
    """

    almost_dead: float = 0.01
    saturated: float = 0.95
    constant: float = 1e-3
    duplicate: float = 0.99
    least_cells: int = 30
    least_photographs: int = 3
    per_label: int = 5

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in ("least_cells", "least_photographs", "per_label"):
                told, good = "a whole number of at least 1", isinstance(value, int) and value >= 1
            elif each.name == "duplicate":
                told, good = "from 0.5 to 0.9999", 0.5 <= value <= 0.9999
            else:
                told, good = "from 0 to 1", 0 <= value <= 1
            if not good:
                raise ValueError(f"Expected {each.name} to be {told}. Received: {value!r}")
