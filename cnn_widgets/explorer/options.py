"""What the dropdown lists offer: labels, options, widths."""

from __future__ import annotations

from typing import Any

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.drawing.color import COLORMAPS
from cnn_widgets.evaluation.instruments import INSTRUMENTS
from cnn_widgets.panels import captions
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State

Options = list[tuple[str, Any]]

#: Option value for `None` in the class lists: ipywidgets takes a value of None for no selection.
MOST_LIKELY = -1
#: Label before each control, by trait.
LABELS = {
    "network": "network",
    "counter": "",
    "class_index": "",
    "versus": "rather than",
    "method": "method",
    "cam_layer": "at layer",
    "target": "of the",
    "alpha": "opacity",
    "colormap": "colours",
    "layer": "layer",
    "kinds": "show",
    "filter": "filter",
    "scale": "scale",
    "filter_colormap": "colours",
    "fit": "fit",
    "size": "size",
    "instrument": "instrument",
    "baseline": "pixels taken away are",
    "ranked": "methods",
}
#: The options of lists that never change.
FIXED: dict[str, Options] = {
    "method": [(method.title, name) for name, method in METHODS.items()],
    "counter": [("evidence for", False), ("evidence against", True)],
    "target": [("score", "logit"), ("probability", "probability")],
    "kinds": [("convolutions and pools", "article"), ("every layer", "all")],
    "scale": [("each filter", "filter"), ("whole layer", "layer")],
    "fit": [("squash", "squash"), ("centre crop", "crop"), ("letterbox", "letterbox")],
    "size": [("laptop", "laptop"), ("projector", "projector")],
    "instrument": [(each.title, name) for name, each in INSTRUMENTS.items()],
    "baseline": [("blurred", "blur"), ("mean colour", "mean")],
}
#: CSS width of each dropdown list, by trait.
WIDTHS = {
    "network": "245px",
    "counter": "135px",
    "class_index": "200px",
    "versus": "198px",
    "method": "165px",
    "cam_layer": "210px",
    "target": "150px",
    "colormap": "125px",
    "layer": "350px",
    "kinds": "220px",
    "scale": "175px",
    "filter_colormap": "125px",
    "fit": "115px",
    "size": "125px",
    "instrument": "260px",
    "baseline": "255px",
}


def options(name: str, scene: Scene, state: State, networks: tuple[str, ...]) -> Options:
    """Return the (label, value) pairs that the dropdown list of a trait offers now."""
    if name in FIXED:
        return FIXED[name]
    if name == "network":
        return [(each, each) for each in networks]
    if name == "layer":
        return _with(scene.layer.name, [(str(info), info.name) for info in scene.layers])
    if name == "class_index":
        return _classes(scene, scene.wanted_class)
    if name == "versus":
        found = [("nothing else", MOST_LIKELY), *_classes(scene, scene.wanted_versus)[1:]]
        return found
    if name == "cam_layer":
        default = scene.network.default_layer or "none"
        return _with(
            state.cam_layer,
            [(f"{default} (last map)", "default"), ("the layer chosen below", "follow")],
        )
    return _with(getattr(state, name), [(each, each) for each in COLORMAPS])


def chosen_option(name: str, scene: Scene, state: State) -> Any:
    """Return the option value that the dropdown list of a trait selects."""
    value = getattr(state, name)
    return MOST_LIKELY if name in ("class_index", "versus") and value is None else value


def _with(value: Any, found: Options) -> Options:
    """Return the options, with the value appended if it was set from code and is missing."""
    return found if value in [each for _, each in found] else [*found, (str(value), value)]


def _classes(scene: Scene, wanted: int | None) -> Options:
    ranked = scene.predictions
    found: Options = [(f"most likely: {captions.with_probability(ranked[0])}", MOST_LIKELY)]
    found += [
        (f"{rank}. {captions.with_probability(p)}", p.class_index)
        for rank, p in enumerate(ranked, 1)
    ]
    if wanted is not None and wanted not in [value for _, value in found]:
        found.append((captions.with_probability(scene.considered(wanted)), wanted))
    return found
