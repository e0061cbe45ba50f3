"""What the filter on screen does over all photographs, and the places that excite it most."""

from __future__ import annotations

from cnn_widgets.filter_index import FilterIndex
from cnn_widgets.images.resizing import shrink
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.selection import audit_question, indexed
from cnn_widgets.telling import counted
from cnn_widgets.views import captions
from cnn_widgets.views.view import View

#: Longer side of a patch, in pixels.
_SIDE = 208


def survey(scene: Scene) -> View:
    """Return the places that excite the filter most, each as large as its receptive field."""
    if not scene.survey:
        return View("The filters over all photographs are closed.")
    index = indexed(scene)
    if index is None:
        return View(
            f"Press the button, and all filters of {scene.network_name} are watched over all "
            "photographs it was opened with: what excites each one most, which are dead on them, "
            "and which do the same as another one."
        )
    layer, number = scene.layer.name, scene.filter
    if layer not in index.layers:
        return View(
            f"{layer} has no filters of its own: the index holds the convolutions, "
            f"{counted(len(index.layers), 'layer')}. Choose one of them above."
        )
    strip = tuple(
        (
            f"{name}\n{captions.number(value)}",
            shrink(pixels, _SIDE),
            f"What filter {number} of {layer} sees of {name}: {captions.number(value)}.",
        )
        for name, value, pixels in scene.audits.patches(audit_question(scene), layer, number)
    )
    line = _told(index, layer, number)
    if not strip:
        return View(line)
    return View(line, line, strip=strip)


def _told(index: FilterIndex, layer: str, number: int) -> str:
    """Return in a sentence what the filter does over all photographs."""
    record = index.record(layer, number)
    line = (
        f"After its activation, filter {number} of {layer} is active on {record['active']:,} of "
        f"{counted(index.count, 'photograph')}"
    )
    line += "." if record["peak"] is None else f", at most {captions.number(record['peak'])}."
    for fault in index.faults() if record["faults"] else ():
        if (fault["layer"], fault["filter"]) == (layer, number):
            line += f" {fault['fault'].capitalize()}: {fault['told']}."
    labels = index.label_peaks(layer, number)
    if labels and record["selectivity"] is not None:
        best = next(iter(labels))
        line += f" Strongest for {best} (selectivity {record['selectivity']:.2f})."
    return line
