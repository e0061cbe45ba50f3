"""The panels: each is a function from a `Scene` to a `View`, and one line in `PANELS`.

A panel names the traits it `reads`; the explorer draws it again when one of them changes. `html`
turns a `View` into HTML for the page, `figure` draws it on Matplotlib axes. The
opacity of the heat-maps is a CSS rule of the page, so moving its slider redraws none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.panels.audit_panels import (
    audit_words,
    chosen_evidence,
    confusion,
    first_chosen,
)
from cnn_widgets.panels.comparison import side_by_side
from cnn_widgets.panels.evaluation_panels import evaluation
from cnn_widgets.panels.filters import depth, feature_map, mosaic, strip
from cnn_widgets.panels.marks import cells, frame, here, labels, marks, pinned
from cnn_widgets.panels.photograph import (
    beside,
    network_input,
    original,
    overlay,
    paired,
    pairs,
    predictions,
)
from cnn_widgets.panels.survey import survey
from cnn_widgets.scenes.comparison import compared_with
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions
from cnn_widgets.views.view import View
from cnn_widgets.workbench.table import question as asked
from cnn_widgets.workbench.table import view_of


@dataclass(frozen=True)
class Panel:
    """One panel: its name, its title, the traits it reads, and the function that makes its view.

    `follows`: it also reads the trait `layer` while `cam_layer` is "follow".
    `opened_by`: the Bool trait of the fold it is in, or ""; in a closed fold it is not drawn.
    `besides`: what else it depends on, made from the traits; it is drawn again if that changes.
    `pictured`: it shows one picture, which travels to the page as a file of its own.
    """

    name: str
    title: str
    reads: frozenset[str]
    view: Callable[[Scene], View]
    follows: bool = False
    opened_by: str = ""
    besides: Callable[[Scene], Hashable] | None = None
    pictured: bool = False


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
_COMPARE_TRAITS = _MAP_TRAITS | {"compare", "compare_by", "compare_with", "pictures"}
_FILTER_TRAITS = _INPUT_TRAITS | {"layer", "scale", "filter_colormap"}
_PINNED_TRAITS = _INPUT_TRAITS | {"display", "layer", "filter", "pins"}
_AUDIT_TRAITS = frozenset({"network", "fit", "audit", "audit_kind", "audit_label", "audit_answer"})
_SURVEY_TRAITS = frozenset({"network", "fit", "layer", "filter", "survey"})
_FRAME_TRAITS = frozenset(
    {"network", "layer", "filter", "experiments", "experiment", "switched", "excited"}
)
# The rest of what an experiment depends on is in its question.
_BENCH_TRAITS = _INPUT_TRAITS | {
    "experiments", "experiment", "measure", "method", "colormap", "scale", "filter_colormap",
    "pins", "covered",
}  # fmt: skip
_STRIP_TRAITS = _MAP_TRAITS | {"alpha", "strip", "strip_of", "kinds", "filter_colormap"}


def title_of(name: str, scene: Scene) -> str:
    """Return the title of a panel for this scene; that of the evidence names the class."""
    if name != "overlay":
        return PANELS[name].title
    asked = captions.question(scene)
    return f"{asked[:1].upper()}{asked[1:]}"


def _page(scene: Scene) -> Hashable:
    """Return which filters the mosaic shows, and what is told of their order."""
    return scene.filter_choice.shown.tobytes(), scene.filter_choice.told


PANELS: dict[str, Panel] = {
    panel.name: panel
    for panel in (
        Panel("original", "Photograph", frozenset({"image", "network"}), original, pictured=True),
        Panel("overlay", "Evidence for the class", _MAP_TRAITS, overlay, True, pictured=True),
        Panel("input", "What the network sees", _INPUT_TRAITS, network_input, pictured=True),
        Panel("marks", "", _INPUT_TRAITS | {"pins", "region", "face"}, marks),
        Panel("beside", "", frozenset({"image", "network"}), beside),
        Panel("predictions", "What the network says", _INPUT_TRAITS | {"class_index"}, predictions),
        Panel("filter", "One filter", _FILTER_TRAITS | {"filter"}, feature_map, pictured=True),
        Panel("cells", "", frozenset({"network", "layer", "pins"}), cells),
        Panel("pinned", "Pinned cells", _PINNED_TRAITS, pinned, False, "display"),
        Panel("mosaic", "Filters of the layer", _FILTER_TRAITS, mosaic, False, "", _page, True),
        Panel("frame", "", _FRAME_TRAITS, frame, besides=_page),
        Panel("depth", "Silent filters by depth", _INPUT_TRAITS | {"layer"}, depth, pictured=True),
        Panel("here", "", frozenset({"network", "layer"}), here),
        Panel("strip", "Layer by layer", _STRIP_TRAITS, strip, False, "strip", None, True),
        Panel("labels", "", _STRIP_TRAITS | {"layer"}, labels, False, "strip"),
        Panel("card", "About the method", frozenset({"method", "target", "network"}), card),
        Panel(
            "compare", "Side by side", _COMPARE_TRAITS, side_by_side, True, "compare", compared_with
        ),
        Panel("trust", "Can this map be trusted?", _TRUST_TRAITS, evaluation, True, "trust"),
        Panel(
            "audit", "Where is it wrong?", _AUDIT_TRAITS, audit_words, False, "audit", first_chosen
        ),
        Panel("confusion", "What is taken for what", _AUDIT_TRAITS, confusion, False, "audit"),
        Panel(
            "chosen",
            "Evidence for the answer and for the label",
            _PAIRS_TRAITS | _AUDIT_TRAITS,
            chosen_evidence,
            True,
            "audit",
            first_chosen,
        ),
        Panel("survey", "What excites this filter most", _SURVEY_TRAITS, survey, False, "survey"),
        Panel("experiment", "What happens if", _BENCH_TRAITS, view_of, False, "experiments", asked),
        Panel("pairs", "All photographs", _PAIRS_TRAITS, pairs, True, "pairs", paired),
    )
}
#: The panels that the page has a place for; one that is added to `PANELS` later stands at its end.
PLACED = frozenset(PANELS)
#: The panels whose marks are shown over the picture of another, by the other's name.
COVERS = {
    "original": "marks",
    "overlay": "marks",
    "filter": "cells",
    "mosaic": "frame",
    "depth": "here",
    "strip": "labels",
}
