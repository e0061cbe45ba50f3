"""Which filters are dead, constant, saturated, near-duplicates or almost dead on some photographs.

None of it is a property of the network alone: a filter for zebras is dead on pictures of cars.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.filter_index.layer_filters import LayerFilters

#: The faults, the worst first.
FAULTS = ("dead", "constant", "saturated", "duplicate", "almost dead")


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


def fault_masks(layer: LayerFilters, count: int, limits: Limits) -> dict[str, NDArray[np.bool_]]:
    """Return which filters of a layer have which fault, (K,) each, by the names in `FAULTS`.

    A filter has at most one of these faults: dead (never above 0 behind a function that rests at
    0; behind another, 0 in every cell), saturated, constant, almost dead. It may be a
    near-duplicate as well. The first filter of a group of near-duplicates is not counted: the
    number of those counted is how many could be removed.

    Parameters
    ----------
    layer : LayerFilters
    count : int
        The number of photographs.
    limits : Limits
    """
    silent = layer.active == 0 if layer.rests else (layer.peak == 0) & (layer.trough == 0)
    largest = np.maximum(np.abs(layer.peak), np.abs(layer.trough))
    at_end = layer.bounded & (np.nan_to_num(layer.at_end) >= limits.saturated)
    flat = layer.peak - layer.trough <= limits.constant * largest
    rare = layer.rests & (layer.active < limits.almost_dead * count)
    alike = layer.group != np.arange(len(layer))
    found = {
        "dead": silent,
        "saturated": at_end & ~silent,
        "constant": flat & ~silent & ~at_end,
        "duplicate": alike,
        "almost dead": rare & ~silent & ~at_end & ~flat,
    }
    return {name: np.asarray(found[name], bool) for name in FAULTS}


def fault_table(layers: Iterable[LayerFilters], count: int, limits: Limits) -> list[dict[str, Any]]:
    """Return a dict for each fault of each filter, the worst first; see `FilterIndex.faults`."""
    found = []
    for place, layer in enumerate(layers):
        for rank, (fault, mask) in enumerate(fault_masks(layer, count, limits).items()):
            for index in np.flatnonzero(mask).tolist():
                told, badness = _told(layer, index, fault, count)
                row = {"layer": layer.name, "filter": index, "fault": fault, "told": told}
                found.append(((rank, -badness, place, index), row))
    return [row for _, row in sorted(found, key=lambda each: each[0])]


def _told(layer: LayerFilters, index: int, fault: str, count: int) -> tuple[str, float]:
    """Return a fault in words, and how bad it is among those of its kind."""
    many = f"{count:,} photograph{'s' * (count != 1)}"
    if fault == "dead":
        return f"{'never above 0' if layer.rests else 'always 0'} on {many}", 0.0
    if fault == "constant":
        return f"the same value, {layer.mean[index]:.4g}, everywhere on {many}", 0.0
    if fault == "saturated":
        share = float(layer.at_end[index])
        ends = [f"{end:g}" for end in (layer.low, layer.high)
                if np.isfinite(end) and not (end == layer.low and layer.rests)]  # fmt: skip
        return f"{100 * share:.1f} % of its cells at {' or '.join(ends)} on {many}", share
    if fault == "duplicate":
        alike = float(layer.twin_correlation[index])
        return f"like filter {layer.twin[index]}, correlation {alike:.4f}", alike
    active = int(layer.active[index])
    return f"above 0 on {active:,} of {many}", -active / count


def most_share(count: int) -> float:
    """Return the largest share on which a filter may be active that was active on none of `count`.

    The upper end of the 95 % interval for none of `count`: 1 - 0.05^(1/count), about 3/count.

    >>> round(most_share(9), 2), round(most_share(1000), 4)
    (0.28, 0.003)
    """
    return float(1 - 0.05 ** (1 / count)) if count else 1.0


def cautions(layers: Iterable[LayerFilters], count: int, limits: Limits) -> tuple[str, ...]:
    """Return what the number of photographs does not allow to be said, in sentences."""
    every = list(layers)
    many = f"{count:,} photograph{'s' * (count != 1)}"
    found = [
        f"Dead, constant and saturated mean: on {'this' if count == 1 else 'these'} "
        f"{many}. A filter that was active on none of them may be active on up to "
        f"{100 * most_share(count):.2g} % of all such photographs (95 % interval)."
    ]
    if limits.almost_dead and limits.almost_dead * count <= 1:
        found.append(
            f"No filter can be called almost dead: active on less than "
            f"{100 * limits.almost_dead:g} % is active on none of {many}."
        )
    left_out = sum(int((~each.compared).sum()) for each in every)
    if left_out:
        found.append(
            f"{left_out:,} of {sum(map(len, every)):,} filters are not looked at as duplicates: "
            f"they are above 0 in fewer than {limits.least_cells} cells, or on fewer than "
            f"{limits.least_photographs} photographs, or have one value only."
        )
    unbounded = [each.name for each in every if not each.bounded]
    if unbounded:
        found.append(
            "Without a known upper bound no filter is saturated: "
            f"{', '.join(unbounded[:6])}{f' and {len(unbounded) - 6} more' * (len(unbounded) > 6)}."
        )
    return tuple(found)
