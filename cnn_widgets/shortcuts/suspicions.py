"""What may be a shortcut, gathered from photographs and maps; nothing is tried here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Pixels
from cnn_widgets.shortcuts import common
from cnn_widgets.shortcuts.clusters import Cluster
from cnn_widgets.shortcuts.interventions import (
    Intervention,
    Region,
    ground,
    overlay,
    tint,
    where_strong,
)
from cnn_widgets.shortcuts.places import (
    Box,
    Mask,
    box_share,
    evidence_shares,
    inside,
    name_of,
    ring,
    zones,
)

Array = NDArray[Any]
#: What a suspicion may be of.
KINDS = ("region", "tint", "overlay", "background")
#: Suspicions about a label that are tried at most.
MOST = 8
_EXCESS = 1.5  # times its share of the area that a zone's share of the evidence is suspicious
_LARGEST = 0.25  # of the area; where the evidence is nearly everywhere, it is at no place
_HOT = 0.5  # of a map's maximum
_SAME_REGION = 0.5  # intersection over union
_SUBJECT = 0.6  # share of a region away from the edges, above which it may be the subject
_FEW = 6  # photographs of a cluster that have something in common


@dataclass(frozen=True, eq=False)
class Suspicion:
    """Something that may decide about a class without being its subject.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    place : str
        Where it is, in words.
    why : str
        Why it is suspected.
    mask : ndarray of bool, shape (H, W)
    change : Intervention
        How it is taken away and put in.
    members : tuple of int
        The photographs of the class, by number, that it is suspected in.
    central : bool
        Whether it lies where subjects are, so that it may be the subject itself.
    """

    kind: str
    place: str
    why: str
    mask: Mask
    change: Intervention
    members: tuple[int, ...]
    central: bool = False


def suspicions(
    own: Pixels, others: Pixels, clusters: Sequence[Cluster], average: Array, seed: int = 0
) -> list[Suspicion]:
    """Return what is suspected about a class, at most `MOST`.

    Parameters
    ----------
    own, others : ndarray of uint8, shape (n, H, W, 3)
        Photographs of the class, and of others.
    clusters : sequence of Cluster
        Of the maps of `own`.
    average : ndarray, shape (h, w)
        The mean map of `own`.
    seed : int
    """
    everyone = tuple(range(len(own)))
    whole = np.ones(own.shape[1:3], bool)
    found = []
    cast = common.color_cast(own, others)
    if cast is not None:
        found.append(Suspicion("tint", f"{_color(cast)} cast over the whole photograph",
                               "the photographs have this colour more than others",
                               whole, tint(cast), everyone))  # fmt: skip
    fixed = common.fixed_regions(own, others, cast)
    found += _regions(own, others, cast, fixed, clusters, average)
    pattern = common.overlay(own, others)
    if pattern is not None and not _explained(pattern, fixed):
        strong = where_strong(pattern)
        place = f"pattern: {name_of(strong)}"
        central = inside((pattern**2).sum(axis=-1)) > _SUBJECT
        found.append(Suspicion("overlay", place, "both halves of the photographs show it",
                               strong, overlay(pattern, others), everyone, central))  # fmt: skip
    frame = ring(own.shape[1], own.shape[2], 1 / 4)
    found.append(Suspicion("background", "texture of the ground", "tried in every class", frame,
                           ground(own, others, seed), everyone))  # fmt: skip
    return found[: MOST - 1] + found[-1:] if len(found) > MOST else found


def _color(cast: Array) -> str:
    """Return what a cast of colour is called.

    >>> _color(np.array([30.0, -10, -10]))
    'red'
    """
    level = float(cast.mean())
    if np.abs(cast - level).max() < max(abs(level) / 2, 1):
        return "bright" if level > 0 else "dark"
    names = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 0): "yellow",
             (1, 0, 1): "magenta", (0, 1, 1): "cyan"}  # fmt: skip
    middle = (cast.max() + cast.min()) / 2
    return names[tuple(int(each > middle) for each in cast)]  # type: ignore[index]


def _regions(
    own: Pixels,
    others: Pixels,
    cast: Array | None,
    fixed: Sequence[Mask],
    clusters: Sequence[Cluster],
    average: Array,
) -> list[Suspicion]:
    """Return the regions: those that are the same everywhere first, then those with evidence."""
    size = own.shape[1], own.shape[2]
    everyone = tuple(range(len(own)))
    wanted = [
        (mask, "the same in most photographs of the class, not in others", everyone)
        for mask in fixed
    ]
    for name, (share, area) in evidence_shares(average).items():
        if name != "centre" and share > _EXCESS * area:
            why = f"{100 * share:.0f} % of the evidence on {100 * area:.0f} % of the area"
            wanted.append((zones(*size)[name], why, everyone))
    for number, cluster in enumerate(clusters, 1):
        if len(cluster.members) < min(_FEW, len(own)) or not cluster.average.any():
            continue
        spot = hot_spot(cluster.average, size)
        if spot.mean() <= _LARGEST:
            why = f"most evidence in {len(cluster.members)} photographs (cluster {number})"
            wanted.append((spot, why, cluster.members))
    theirs = common.consensus(others)
    shift = 0 if cast is None else cast
    found: list[Suspicion] = []
    for mask, why, members in wanted:
        if all(_overlap(mask, each.mask) < _SAME_REGION for each in found):
            content = common.consensus(own[list(members)]) - shift
            change = Region(mask, content, theirs)
            central = inside(mask) > _SUBJECT
            found.append(Suspicion("region", name_of(mask), why, mask, change, members, central))
    return found


def where_subjects_are(suspicion: Suspicion, subjects: Sequence[Box | None]) -> bool:
    """Return whether a suspicion lies where subjects are.

    Where their rectangles are known, in shares of the network's input, these decide instead of the
    middle of the photograph. A cast and the texture of the ground are never where subjects are.
    """
    known = [box for box in subjects if box is not None]
    if not known or suspicion.kind not in ("region", "overlay"):
        return suspicion.central
    shares = np.mean([box_share(suspicion.mask.shape, box) for box in known], axis=0)
    return bool(shares[suspicion.mask].mean() > _SUBJECT)


def hot_spot(average: Array, size: tuple[int, int]) -> Mask:
    """Return the rectangle (H, W) around the largest spot of a map (h, w)."""
    marked = (average >= _HOT * average.max()).astype(np.uint8)
    count, parts, figures, _ = cv2.connectedComponentsWithStats(marked, connectivity=4)
    heat = [float(average[parts == k].sum()) for k in range(1, count)]
    left, top, wide, tall = (int(each) for each in figures[1 + int(np.argmax(heat))][:4])
    down, across = size[0] / average.shape[0], size[1] / average.shape[1]
    first, start = round(top * down), round(left * across)
    last, end = round((top + tall) * down), round((left + wide) * across)
    mask = np.zeros(size, bool)
    mask[first : max(last, first + 1), start : max(end, start + 1)] = True
    return mask


def _overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def _explained(pattern: Array, masks: Sequence[Mask]) -> bool:
    """Whether most of a pattern's energy lies in regions that are the same everywhere."""
    energy = (pattern**2).sum(axis=-1)
    inside_them = np.any(masks, axis=0) if len(masks) else np.zeros(energy.shape, bool)
    return bool(energy[inside_them].sum() > 0.6 * energy.sum())
