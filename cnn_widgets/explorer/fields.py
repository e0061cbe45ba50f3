"""The widgets whose value is that of a trait, each with its label, tooltip and CSS class."""

from __future__ import annotations

import ipywidgets as w

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.explorer.options import FIXED, LABELS, SAVES, TOOLTIPS, UNLABELLED, WIDTHS
from cnn_widgets.scenes.choices import MAX_ZOOM

#: The sections that can be folded; each name is a Bool trait of the state: True means open.
FOLDS = ("strip", "compare", "trust", "pairs", "display")


def named(name: str, widget: w.Widget) -> w.Widget:
    """Return a widget, given its label, its tooltip and the class of a control's name."""
    if name in LABELS:
        widget.description = LABELS[name]
        widget.style.description_width = "initial"
        if name in UNLABELLED:
            widget.add_class("cnnw-nolabel")
    if name in TOOLTIPS:
        widget.tooltip = TOOLTIPS[name]
    widget.add_class(f"cnnw-control-{name}")
    return widget


def fields() -> dict[str, w.Widget]:
    """Return a new widget for each name: the traits, ``filter_number``, and what takes text."""
    found: dict[str, w.Widget] = {
        name: w.Dropdown(options=FIXED.get(name, [("", "")]), layout=w.Layout(width=width))
        for name, width in WIDTHS.items()
    }
    methods = [(method.title, name) for name, method in METHODS.items()]
    found |= {
        "face": w.ToggleButtons(options=FIXED["face"], style={"button_width": "auto"}),
        "alpha": w.FloatSlider(min=0, max=1, step=0.05, readout_format=".2f"),
        "zoom": w.FloatSlider(min=1, max=MAX_ZOOM, step=0.05, readout_format=".2f"),
        "filter": w.IntSlider(min=0, max=0, readout=False, layout=w.Layout(width="240px")),
        "filter_number": w.BoundedIntText(min=0, max=0, layout=w.Layout(width="72px")),
        "ranked": w.SelectMultiple(options=methods, rows=10, layout=w.Layout(width="235px")),
        "upload": w.FileUpload(accept="image/*", multiple=True, description="Open pictures …"),
        "save": w.Dropdown(options=SAVES, value="", layout=w.Layout(width="100px")),
        "location": _text("path or address …", "170px"),
        "class_search": w.Combobox(placeholder="search classes …", continuous_update=False),
        "pins": _text("layer row column; layer row column", "330px"),
        "region": _text("left top right bottom", "260px"),
    }
    found |= {name: w.Accordion(selected_index=None) for name in FOLDS}
    return {name: named(name, widget) for name, widget in found.items()}


def _text(placeholder: str, width: str) -> w.Text:
    return w.Text(placeholder=placeholder, continuous_update=False, layout=w.Layout(width=width))
