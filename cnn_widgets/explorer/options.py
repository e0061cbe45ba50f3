"""What the dropdown lists offer: labels, options, widths."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.auditing.result import ANOTHER
from cnn_widgets.auditing.selecting import SELECTIONS
from cnn_widgets.drawing.color import COLORMAPS
from cnn_widgets.evaluation.instruments import INSTRUMENTS
from cnn_widgets.explorer import bench
from cnn_widgets.scenes.choices import COMPARED, ITS_LABEL
from cnn_widgets.scenes.comparison import alternatives, chosen_other
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.selection import audited, indexed, kind_shown, unlabelled
from cnn_widgets.scenes.state import State
from cnn_widgets.telling import counted
from cnn_widgets.views import captions

Options = list[tuple[str, Any]]

#: Option values in the class lists that are no class. ipywidgets takes None for no selection.
MOST_LIKELY, LABELLED = -1, -2
#: What they stand for in the state.
NO_CLASS = {MOST_LIKELY: None, LABELLED: ITS_LABEL}
#: Label of each control, by trait.
LABELS = {
    "network": "network",
    "location": "path or address of a picture",
    "save": "save",
    "counter": "evidence for or against",
    "class_index": "class explained",
    "class_search": "search classes",
    "versus": "rather than",
    "method": "method",
    "cam_layer": "at layer",
    "target": "explain",
    "alpha": "opacity",
    "face": "what is shown",
    "colormap": "colours of the evidence",
    "layer": "layer",
    "kinds": "layers",
    "filter": "filter",
    "filter_number": "number of the filter",
    "filter_count": "filters shown",
    "filter_order": "order of the filters",
    "scale": "brightness",
    "filter_colormap": "colours of the filters",
    "fit": "picture is",
    "size": "size",
    "zoom": "magnified",
    "pins": "pinned cells",
    "region": "region",
    "strip_of": "shown at every layer",
    "compare_by": "compare with another",
    "compare_with": "which one",
    "instrument": "test",
    "baseline": "pixels taken away are",
    "ranked": "methods",
    "audit_kind": "photographs shown",
    "audit_label": "label",
    "audit_answer": "answered by",
    "fault": "go to a filter with a fault",
    **bench.LABELS,
}
#: Controls whose label is only read aloud: what they are is seen from their value.
UNLABELLED = {
    "location", "save", "counter", "class_index", "class_search", "face", "filter_number",
    "filter_count", "filter_order", "instrument", "strip_of", "compare_with", "fault",
    *bench.UNLABELLED,
}  # fmt: skip
#: One line about each control, shown when the pointer rests on it.
TOOLTIPS = {
    "network": "The network that is looked into; others are opened when they are chosen",
    "upload": "Pictures from your disk; they can also be dropped on the page or pasted",
    "save": "Write what is shown into the folder of the notebook",
    "camera": "Take a photograph with the camera of this computer",
    "remove": "Take this photograph off the table",
    "location": "A file on the machine of the kernel, or an address on the web",
    "counter": "Which pixels raise the score of the class, or which lower it",
    "class_index": "The class whose evidence is shown",
    "class_search": "Any class of the network, by a part of its name",
    "versus": "Compare: what speaks for the class more than for this one",
    "method": "How the evidence is computed; see About the method below",
    "cam_layer": "The layer whose map is laid over the photograph",
    "target": "The score is what the network adds up before it is turned into percentages",
    "alpha": "How strongly the evidence covers the photograph",
    "face": "Evidence over the photograph, the photograph alone, or what the network is given",
    "colormap": "The colours from little to much evidence",
    "layer": "The layer whose filters are shown: its kind, and height × width × filters of its map",
    "kinds": "Only convolutions and pools, or everything that has a map",
    "filter": "The filter shown large",
    "filter_number": "The number of the filter shown large, from 0",
    "filter_count": "How many filters are shown at once",
    "filter_order": "Which filters come first",
    "scale": "Each filter from its own darkest to its brightest, or all on one scale",
    "filter_colormap": "The colours from the smallest to the largest value",
    "fit": "How a photograph of another shape is made into the network's square",
    "size": "Larger words and pictures for a projector",
    "zoom": "How much the photograph is magnified; also by the wheel over it",
    "pins": "Cells of a map: layer, row and column; two of them with a semicolon between",
    "region": "A part of the photograph: left, top, right, bottom in pixels; also by dragging, or "
    "painting with Shift",
    "hottest": "Make the hottest part of the evidence the region",
    "strip_of": "The evidence for the class, or the mean of all filters",
    "compare_by": "In what B differs from the evidence on screen, A; all else stays the same",
    "compare_with": "What B is",
    "instrument": "How the map is put to the test",
    "baseline": "What stands in place of a pixel that is taken away",
    "ranked": "Hold Ctrl or Shift to choose several",
    "audit_kind": "Which photographs the row at the top shows, and in which order",
    "audit_label": "Only photographs with this label",
    "audit_answer": "Only photographs that the network takes for this",
    "fault": "Filters that do nothing, or the same as another one, on these photographs",
    **bench.TOOLTIPS,
}
#: The options of lists that never change.
FIXED: dict[str, Options] = {
    "counter": [("evidence for", False), ("evidence against", True)],
    "target": [("the score", "logit"), ("the probability", "probability")],
    "kinds": [("convolutions and pools", "article"), ("every layer", "all")],
    "scale": [("each filter by itself", "filter"), ("one scale for the layer", "layer")],
    "fit": [
        ("stretched to the square", "squash"),
        ("cut to its middle", "crop"),
        ("kept whole, with bars", "letterbox"),
    ],
    "size": [("laptop", "laptop"), ("projector", "projector")],
    "face": [
        ("Evidence", "evidence"),
        ("Photograph", "photograph"),
        ("What the network sees", "input"),
    ],
    "filter_count": [("24 at a time", "24"), ("96 at a time", "96"), ("all filters", "all")],
    "filter_order": [
        ("in the layer's order", "index"),
        ("strongest here first", "strength"),
        ("by weight for the class", "weight"),
    ],
    "strip_of": [("evidence for the class", "evidence"), ("mean activation", "activation")],
    "compare_by": [(each, each) for each in COMPARED],
    "instrument": [(each.title, name) for name, each in INSTRUMENTS.items()],
    "baseline": [("blurred", "blur"), ("mean colour", "mean")],
    "audit_kind": [(told, kind) for kind, told in SELECTIONS.items()],
    **bench.FIXED,
}
#: So many filters with a fault are listed.
FAULTS_LISTED = 300
#: What is saved at one choice; the first entry is what the list shows at rest.
SAVES: Options = [
    ("Save …", ""),
    ("the view as a picture", "picture"),
    ("the view as a page (HTML)", "page"),
    ("the evidence with its numbers", "evidence"),
    ("the layer's first 24 filters", "filters"),
]
#: CSS width of each dropdown list, by trait.
WIDTHS = {
    "network": "20.8em",
    "counter": "auto",
    "class_index": "auto",
    "versus": "auto",
    "method": "auto",
    "cam_layer": "auto",
    "target": "13.9em",
    "colormap": "18.9em",
    "layer": "25.4em",
    "kinds": "17.7em",
    "filter_count": "9.1em",
    "filter_order": "14.3em",
    "scale": "19.7em",
    "filter_colormap": "18.1em",
    "fit": "18.5em",
    "size": "10.8em",
    "strip_of": "14.7em",
    "compare_by": "25em",
    "compare_with": "25.4em",
    "instrument": "18.5em",
    "baseline": "19.7em",
    "audit_kind": "29.7em",
    "audit_label": "22.4em",
    "audit_answer": "18.9em",
    **bench.WIDTHS,
}


def options(name: str, scene: Scene, state: State, networks: Sequence[tuple[str, str]]) -> Options:
    """Return the (label, value) pairs that the dropdown list of a trait offers now."""
    if name == "audit_kind" and unlabelled(scene):
        return [(SELECTIONS["all"], "all")]  # no label says what is a mistake
    if name in FIXED:
        return FIXED[name]
    if name == "method":  # read anew each time: users add methods of their own
        return [(method.title, key) for key, method in METHODS.items()]
    if name == "network":
        return list(networks)
    if name == "layer":
        every = dict.fromkeys((*scene.layers, scene.layer))  # one set from code is of another kind
        return [(str(info), info.name) for info in every]
    if name == "class_index":
        return [*_classes(scene, scene.wanted_class), *_its_label(scene, state.class_index)]
    if name == "versus":
        found = [("– (no other class)", MOST_LIKELY), *_classes(scene, scene.wanted_versus)[1:]]
        return [*found, *_its_label(scene, state.versus)]
    if name in ("audit_label", "audit_answer"):
        return _with(getattr(scene, name), _audited(name, scene))
    if name in bench.OTHERS:
        return bench.others(name, scene)
    if name == "cam_layer":
        default = scene.network.default_layer or "none"
        return _with(
            state.cam_layer,
            [(f"{default} (the last map)", "default"), ("the layer browsed", "follow")],
        )
    if name == "compare_with":
        found = [(_title(scene, each), each) for each in alternatives(scene)]
        return _with(chosen_other(scene), found, "– (nothing else)")
    return _with(getattr(state, name), [(each, each) for each in COLORMAPS])


def fault_options(scene: Scene) -> Options:
    """Return the filters that have a fault over all photographs, the worst first."""
    index = indexed(scene)
    if index is None:
        return [("filters with a fault: not looked for yet", "")]
    found = index.faults()
    told = [
        (f"{each['layer']} {each['filter']}: {each['fault']}", (each["layer"], each["filter"]))
        for each in found[:FAULTS_LISTED]
    ]
    of = "" if len(found) <= FAULTS_LISTED else f", the first {FAULTS_LISTED} of them"
    return [(f"{counted(len(found), 'filter')} with a fault{of} …", ""), *told]


def chosen_option(name: str, scene: Scene, state: State) -> Any:
    """Return the option value that the dropdown list of a trait selects."""
    if name == "compare_with":
        return chosen_other(scene)
    if name in bench.OTHERS:
        return bench.chosen_other_one(name, scene)
    if name == "audit_kind":
        return kind_shown(scene)
    value = getattr(scene if name in ("audit_label", "audit_answer") else state, name)
    if name in ("class_index", "versus"):
        return next((option for option, each in NO_CLASS.items() if each == value), value)
    return value


def _with(value: Any, found: Options, empty: str = "") -> Options:
    """Return the options, with the value appended if it was set from code and is missing."""
    if value in [each for _, each in found]:
        return found
    return [*found, (str(value) or empty, value)]


def _title(scene: Scene, other: str) -> str:
    """Return how something to compare with is listed."""
    if scene.compare_by == "method":
        return METHODS[other].title
    if scene.compare_by == "class":
        return captions.with_probability(scene.considered(scene.network.class_index(other)))
    return str(scene.network.layer(other)) if scene.compare_by == "layer" else other


def _classes(scene: Scene, wanted: int | None) -> Options:
    ranked = scene.predictions
    first = "most likely" if isfinite(ranked[0].probability) else "largest"  # of a regression
    found: Options = [(f"{first}: {captions.with_probability(ranked[0])}", MOST_LIKELY)]
    found += [
        (f"{rank}. {captions.with_probability(p)}", p.class_index)
        for rank, p in enumerate(ranked, 1)
    ]
    if wanted is not None and wanted not in [value for _, value in found]:
        found.append((captions.with_probability(scene.considered(wanted)), wanted))
    return found


def _its_label(scene: Scene, wanted: Any) -> Options:
    """Return the option for the class of the photograph's own label, if it has one."""
    if scene.label_class is not None:
        name = captions.with_probability(scene.considered(scene.label_class))
        return [(f"its label: {name}", LABELLED)]
    return [("its label (none is known here)", LABELLED)] if wanted == ITS_LABEL else []


def _audited(name: str, scene: Scene) -> Options:
    """Return the labels of the audit, those least often recognised first; and its answers."""
    found = audited(scene)
    rows = () if found is None else found.per_label
    if name == "audit_answer":
        other = [] if found is None or found.labels_cover or not rows else [ANOTHER]
        answers = [*(row.label for row in rows), *other]
        return [("every answer", ""), *((each, each) for each in answers)]
    worst = sorted(rows, key=lambda row: row.recall.value)
    told = ((f"{row.label} ({captions.percent(row.recall.value)} of {row.recall.count:,} right)",
             row.label) for row in worst)  # fmt: skip
    return [("every label", ""), *told]
