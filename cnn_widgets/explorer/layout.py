"""The layout of the page: the explorer's rows and columns."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as w

from cnn_widgets.explorer.controls import Controls
from cnn_widgets.explorer.stylesheet import sheet
from cnn_widgets.panels.table import PANELS


def build(controls: Controls, views: Mapping[str, w.HTML], status: w.HTML) -> tuple[w.Widget, ...]:
    """Return the explorer's children, from top to bottom.

    Parameters
    ----------
    controls : Controls
    views : mapping of str to HTML widget
        The widget of each panel, by the name of the panel.
    status : HTML widget
        The status line.
    """
    use = controls.widgets
    style = w.HTML(sheet())
    style.add_class("cnnw-sheet")
    rows = _stack(views["predictions"], _box("cnnw-choosers", *controls.choosers))
    about = w.Accordion([views["card"]], selected_index=None)
    about.set_title(0, "About the method: what it computes, how to read it, what to beware of")
    about.add_class("cnnw-about")
    _fold(use["pairs"], "All photographs: original | evidence for each one's most likely class",
          views["pairs"])  # fmt: skip
    instruments = w.VBox(
        [
            _row(use["instrument"], use["baseline"], controls.buttons["judge"]),
            controls.bars["judge"],
            w.HBox([use["ranked"], views["trust"]]),
        ]
    )
    _fold(use["trust"], "Can this map be trusted? Put it to the test", instruments)
    sources = w.VBox(
        [_row(use["network"], use["size"]), _row(use["upload"], use["location"], use["fit"])]
    )
    return (
        style,
        controls.thumbs.sheet,
        controls.opacity,
        _box("cnnw-top", use["image"], sources),
        status,
        _row(
            use["counter"],
            use["class_index"],
            use["method"],
            use["cam_layer"],
            use["alpha"],
            use["colormap"],
            style="cnnw-section",
        ),
        _panels(
            _column("cnnw-square", "original", views["original"]),
            _column(
                "cnnw-square",
                "overlay",
                w.VBox([_layers(views["ground"], views["overlay"]), controls.bars["compute"]]),
                controls.buttons["compute"],
            ),
            _column(
                "cnnw-list",
                "predictions",
                w.VBox([rows, _row(use["class_search"], use["versus"])]),
                use["target"],
            ),
            _column("cnnw-square", "input", views["input"]),
        ),
        _row(
            controls.previous,
            use["layer"],
            controls.next,
            use["kinds"],
            use["filter"],
            controls.filter_number,
            style="cnnw-section",
        ),
        _panels(
            _column("cnnw-filterbox", "filter", views["filter"]),
            _column(
                "cnnw-wide",
                "mosaic",
                _mosaic(views["mosaic"], views["frame"]),
                use["scale"],
                use["filter_colormap"],
            ),
            _column("cnnw-chartbox", "depth", views["depth"]),
        ),
        use["trust"],
        use["pairs"],
        about,
    )


def _fold(accordion: w.Accordion, title: str, child: w.Widget) -> None:
    accordion.children = (child,)
    accordion.set_title(0, title)


def _row(*children: w.Widget, style: str = "") -> w.Box:
    return _box(f"cnnw-row {style}", *children)


def _panels(*children: w.Widget) -> w.Box:
    return _box("cnnw-panels", *children)


def _box(style: str, *children: w.Widget) -> w.Box:
    box = w.VBox(children) if "choosers" in style else w.HBox(children)
    for name in style.split():
        box.add_class(name)
    return box


def _column(style: str, panel: str, child: w.Widget, *beside: w.Widget) -> w.VBox:
    """Return a panel under its title; its own controls are beside the title."""
    title = w.HTML(f'<div class="cnnw-title">{PANELS[panel].title}</div>')
    column = w.VBox([_box("cnnw-head", title, *beside), child])
    for name in ("cnnw-column", *style.split()):
        column.add_class(name)
    return column


def _stack(below: w.Widget, above: w.Widget) -> w.Box:
    """Return a box that shows `above` over `below`, in the same place."""
    box = w.Box([below, above])
    box.add_class("cnnw-stack")
    return box


def _layers(below: w.HTML, above: w.HTML) -> w.Box:
    """Return a box that shows the heat-map over its photograph."""
    box = w.Box([below, above])
    box.add_class("cnnw-layers")
    return box


def _mosaic(picture: w.HTML, frame: w.HTML) -> w.Box:
    frame.add_class("cnnw-overlayer")
    stack = _stack(picture, frame)
    stack.add_class("cnnw-mosaicbox")
    return stack
