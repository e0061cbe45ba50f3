"""The panels: each is a function from a `Scene` to a `View`, and one line in `PANELS`.

A panel names the traits it `reads`; the explorer draws it again when one of them changes. `html`
turns a `View` into HTML for the page, `figure` draws it on Matplotlib axes. The
opacity of the heat-maps is a CSS rule of the page, so moving its slider redraws none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.panels.evaluation_panels import evaluation
from cnn_widgets.panels.filters import depth, feature_map, frame, mosaic
from cnn_widgets.panels.photograph import (
    ground,
    network_input,
    original,
    overlay,
    pairs,
    predictions,
)
from cnn_widgets.panels.view import View
from cnn_widgets.scenes.scene import Scene


@dataclass(frozen=True)
class Panel:
    """One panel: its name, its title, the traits it reads, and the function that makes its view.

    `follows`: it also reads the trait `layer` while `cam_layer` is "follow".
    `opened_by`: the Bool trait of the fold it is in, or ""; in a closed fold it is not drawn.
    """

    name: str
    title: str
    reads: frozenset[str]
    view: Callable[[Scene], View]
    follows: bool = False
    opened_by: str = ""


def card(scene: Scene) -> View:
    """Return what the method computes, how to read its map, and its caveat."""
    method = METHODS[scene.method]
    terms = (
        ("method", method.title),
        ("map", method.equation),
        ("where", f"Y is the class's {_Y_TEXT[scene.target]}, A the layer, x the input"),
        ("read it so", method.reads),
        ("cost", method.cost),
        ("beware", method.caveat),
        ("paper", method.paper),
    )
    return View(f"{method.title}: {method.equation}. {method.reads}.", terms=terms)


_Y_TEXT = {"logit": "score before the softmax", "probability": "probability, after the softmax"}
# Traits that panels read. `alpha` is read only where the opacity is drawn into the pictures.
_INPUT_TRAITS = frozenset({"image", "network", "fit"})
_CLASS_TRAITS = {"class_index", "versus", "counter", "method", "target", "cam_layer"}
_MAP_TRAITS = _INPUT_TRAITS | _CLASS_TRAITS | {"colormap"}
_PAIRS_TRAITS = _MAP_TRAITS - {"image", "class_index", "versus", "counter"} | {"pairs", "pictures"}
_TRUST_TRAITS = _MAP_TRAITS | {"alpha", "trust", "instrument", "baseline", "ranked"}
_FILTER_TRAITS = _INPUT_TRAITS | {"layer", "scale", "filter_colormap"}
PANELS: dict[str, Panel] = {
    panel.name: panel
    for panel in (
        Panel("original", "Photograph", frozenset({"image", "network"}), original),
        Panel("ground", "", frozenset({"image"}), ground),
        Panel("overlay", "Evidence for the class", _MAP_TRAITS, overlay, follows=True),
        Panel("predictions", "What the network says", _INPUT_TRAITS | {"class_index"}, predictions),
        Panel("input", "What the network sees", _INPUT_TRAITS, network_input),
        Panel("filter", "The selected filter", _FILTER_TRAITS | {"filter"}, feature_map),
        Panel("mosaic", "All filters of the layer", _FILTER_TRAITS, mosaic),
        Panel("frame", "", frozenset({"image", "network", "layer", "filter"}), frame),
        Panel("depth", "Silent filters by depth", _INPUT_TRAITS | {"layer"}, depth),
        Panel("card", "About the method", frozenset({"method", "target", "network"}), card),
        Panel("trust", "Can this map be trusted?", _TRUST_TRAITS, evaluation, True, "trust"),
        Panel("pairs", "All photographs", _PAIRS_TRAITS, pairs, True, "pairs"),
    )
}
