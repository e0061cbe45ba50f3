"""What may be chosen: the allowed values of the traits of `State`, and the checks of places.

A place is a region of the photograph, or a pinned cell of a layer's map. No check changes anything:
each returns the accepted value, or raises a ValueError that names what came and what is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from math import isfinite
from operator import index
from typing import Any, NamedTuple

import numpy as np

from cnn_widgets.attribution.methods import find_method
from cnn_widgets.attribution.regions import Brush, Region, checked_brush, region_mask
from cnn_widgets.auditing.selecting import SELECTIONS
from cnn_widgets.drawing.color import lookup_table
from cnn_widgets.engine.graph import TARGETS
from cnn_widgets.evaluation.faithfulness import BASELINES
from cnn_widgets.evaluation.instruments import find_instrument
from cnn_widgets.experiments.places import PLACES
from cnn_widgets.experiments.voting import MEASURES
from cnn_widgets.networks.network import Network
from cnn_widgets.records import FITS, LayerInfo

#: Layer of the class activation maps: the network's default layer, or the layer browsed.
CAM_PLACES = ("default", "follow")
#: Which layers can be browsed: convolutions and pools, or every layer with a spatial map.
KINDS = ("article", "all")
#: What the large picture shows: the evidence over the photograph, the photograph alone, or the
#: network's input.
FACES = ("evidence", "photograph", "input")
#: How many filters the mosaic shows at once.
FILTER_COUNTS = ("24", "96", "all")
#: In which order: by number, by their largest value on this photograph, or by their weight for the
#: class explained.
FILTER_ORDERS = ("index", "strength", "weight")
#: What the film-strip shows at every layer.
STRIPS = ("evidence", "activation")
#: In what the evidence shown beside the one on screen differs from it.
COMPARED = ("method", "class", "layer", "photograph", "network")
#: The experiments of the explorer: see `cnn_widgets.workbench`.
EXPERIMENTS = (
    "silence", "transplant", "votes", "turn filters", "turn region", "cover", "trace", "excite",
    "dream", "concept", "parts", "training", "film",
)  # fmt: skip
#: What is done to filters, and what their activations are then multiplied with.
SWITCHINGS = {"silenced": 0.0, "kept alone": 0.0, "halved": 0.5, "doubled": 2.0}
#: What is covered: the region drawn (the hottest place if none is), or a place named by the map.
COVERED = ("region", *PLACES)
#: What covers it.
COVERS = ("mean", "blur", "noise", "photograph")
#: For what a picture is made: the filter shown, those switched together, or the class explained.
EXCITED = ("filter", "filters", "class")
#: The class that stands for the photograph's own label, whichever that is.
ITS_LABEL = "its label"
#: The largest magnification of the photograph.
MAX_ZOOM = 8.0
#: Places that the strokes of a painted region may have in all.
MAX_PLACES = 20_000
#: The allowed values of the traits that take one of a few strings.
CHOICES: dict[str, tuple[str, ...]] = {
    "target": TARGETS,
    "kinds": KINDS,
    "scale": ("filter", "layer"),
    "fit": FITS,
    "size": ("laptop", "projector"),
    "baseline": BASELINES,
    "face": FACES,
    "filter_count": FILTER_COUNTS,
    "filter_order": FILTER_ORDERS,
    "strip_of": STRIPS,
    "compare_by": COMPARED,
    "audit_kind": tuple(SELECTIONS),
    "experiment": EXPERIMENTS,
    "switching": tuple(SWITCHINGS),
    "measure": tuple(MEASURES),
    "covered": COVERED,
    "covered_by": COVERS,
    "excited": EXCITED,
}


def check_choice(name: str, value: str) -> str:
    """Return the value of a trait in `CHOICES`, if it is allowed."""
    allowed = CHOICES[name]
    if value not in allowed:
        raise ValueError(f"Expected {name} to be one of {allowed}. Received: {value!r}")
    return value


def check_named(name: str, value: Any) -> Any:
    """Return the full value of a trait that names methods, an instrument or a colour map."""
    if name == "method":
        return find_method(value).name
    if name == "instrument":
        return find_instrument(value).name
    if name == "ranked":
        return tuple(dict.fromkeys(find_method(each).name for each in value))
    lookup_table(value)
    return value


def check_share(name: str, value: float, low: float, high: float) -> float:
    """Return a number, if it is between two limits."""
    if not low <= value <= high:
        raise ValueError(f"Expected {name} between {low:g} and {high:g}. Received: {value}")
    return value


def check_region(region: Any, size: tuple[int, int]) -> Region | None:
    """Return a region, a rectangle or painted, in pixels of a photograph (H, W), or None.

    What lies beside the photograph is cut off from a rectangle.
    """
    if region is None or (isinstance(region, tuple | list) and not region):
        return None
    if isinstance(region, Brush):
        return _check_brush(region, size)
    numbers = _numbers(region, 4)
    if numbers is None:
        raise ValueError(
            "Expected region to be (left, top, right, bottom) in pixels of the photograph, a "
            f"Brush, or None. Received: {region!r}"
        )
    height, width = size
    left, right = (min(max(each, 0.0), float(width)) for each in numbers[0::2])
    top, bottom = (min(max(each, 0.0), float(height)) for each in numbers[1::2])
    if right <= left or bottom <= top:
        raise ValueError(
            f"The region (left, top, right, bottom) holds no pixel of the photograph of {width}×"
            f"{height}. Received: {tuple(region)}"
        )
    return left, top, right, bottom


def _check_brush(brush: Brush, size: tuple[int, int]) -> Brush:
    """Return a painted region, with plain numbers, if it touches a pixel of a photograph (H, W)."""
    brush = checked_brush(brush)
    places = sum(map(len, brush.strokes))
    if places > MAX_PLACES:
        raise ValueError(
            f"Expected at most {MAX_PLACES} places in a Brush's strokes. Received: {places}"
        )
    limit = 4.0 * max(size)  # farther beyond the edges a line is only drawn to there
    kept = [[(_within(x, limit), _within(y, limit)) for x, y in each] for each in brush.strokes]
    found = Brush(min(brush.radius, limit), tuple(map(tuple, kept)))
    if not region_mask(found, size).any():
        raise ValueError(f"The Brush touches no pixel of the photograph of {size[1]}×{size[0]}.")
    return found


def _within(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


def check_pins(pins: Sequence[Any], network: Network) -> tuple[tuple[str, int, int], ...]:
    """Return pinned cells, (layer, row, column) each, if the network has them; at most two."""
    found = []
    for pin in pins:
        if not isinstance(pin, Sequence) or len(pin) != 3 or isinstance(pin, str):
            raise ValueError(f"Expected a pin to be (layer, row, column). Received: {pin!r}")
        try:
            layer, row, column = str(pin[0]), *(_whole(each) for each in pin[1:])
        except TypeError:
            raise ValueError(
                f"Expected a pin's row and column to be whole numbers. Received: {pin!r}"
            ) from None
        network.receptive_field(layer, row, column)  # a clear error for what the network lacks
        found.append((layer, row, column))
    if len(found) > 2:
        raise ValueError(f"Expected at most two pins. Received: {len(found)}")
    return tuple(dict.fromkeys(found))


def _whole(value: Any) -> int:
    """Return a whole number; a TypeError for anything else, True and False among it."""
    if isinstance(value, bool):
        raise TypeError(value)
    return index(value)


class Filters(NamedTuple):
    """Filters of a layer: those `listed`, or the `first` so many by a measure (0: none)."""

    listed: tuple[int, ...] = ()
    first: int = 0
    measure: str = "contribution"


def read_filters(text: str) -> Filters:
    """Return the filters that a text names; a ValueError says what can be written.

    >>> read_filters("3, 7 12").listed, read_filters("top 20")[1:], read_filters("top 5 by weight")
    ((3, 7, 12), (20, 'contribution'), Filters(listed=(), first=5, measure='weight'))
    """
    words = text.replace(",", " ").split()
    numbers = [int(each) if each.isdecimal() else -1 for each in words]
    if words[:1] == ["top"] and len(words) in (2, 4) and numbers[1] > 0:
        if len(words) == 2:
            return Filters(first=numbers[1])
        if words[2] == "by" and words[3] in MEASURES:
            return Filters(first=numbers[1], measure=words[3])
    elif -1 not in numbers:
        return Filters(tuple(dict.fromkeys(numbers)))
    raise ValueError(
        'Expected filters as "3 7 12", "top 20" or "top 20 by weight" (or '
        f"{', '.join(name for name in MEASURES if name != 'weight')}). Received: {text!r}"
    )


def check_filters(text: str, count: int) -> str:
    """Return a text that names filters, if a layer of `count` filters has them."""
    found = read_filters(text)
    if found.first > count:
        raise ValueError(f"The layer has {count} filters. Received: {text!r}")
    if max(found.listed, default=0) >= count:
        raise ValueError(f"The layer has filters 0 to {count - 1}. Received: {text!r}")
    return text.strip()


def check_center(center: Any) -> tuple[float, float]:
    """Return the place (x, y) that is magnified, as shares of the photograph's sides."""
    numbers = _numbers(center, 2)
    if numbers is None:
        raise ValueError(f"Expected center to be two numbers from 0 to 1. Received: {center!r}")
    across, down = (check_share("center", each, 0, 1) for each in numbers)
    return across, down


def browsable(network: Network, kinds: str) -> tuple[LayerInfo, ...]:
    """Return the layers to browse; raises a ValueError if the network has none."""
    layers = network.feature_layers if kinds == "article" else network.layers_of(None)
    if not layers:
        raise ValueError(
            f"Network {network.name!r} has no layer with a spatial map (h, w, K) "
            "larger than 1×1: there is nothing to look into."
        )
    return layers


#: What `float` takes and no place or size is meant by.
_NO_NUMBERS = (str, bytes, bool, np.bool_)


def _numbers(values: Any, count: int) -> list[float] | None:
    """Return so many finite numbers, or None if these are others, text, or in no order."""
    if isinstance(values, str | bytes | Set | Mapping):
        return None
    try:
        found = [float(each) for each in values if not isinstance(each, _NO_NUMBERS)]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if len(found) == count and all(map(isfinite, found)) else None
