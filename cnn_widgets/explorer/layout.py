"""The layout of the page: what does it say, why, and where inside; the rest in folds below."""

from __future__ import annotations

import ipywidgets as w

from cnn_widgets.explorer.controls import Controls
from cnn_widgets.explorer.display import Display
from cnn_widgets.explorer.fields import FOLDS
from cnn_widgets.panels.glossary import glossary
from cnn_widgets.panels.table import PANELS, PLACED
from cnn_widgets.rendering.html import to_html
from cnn_widgets.rendering.stylesheet import sheet


def build(controls: Controls, screen: Display, pointer: w.Widget) -> tuple[w.Widget, ...]:
    """Return the explorer's children, from top to bottom."""
    use = controls.widgets
    style = w.HTML(sheet())
    style.add_class("cnnw-sheet")
    sources = w.VBox(
        [
            _box("cnnw-row", use["network"], use["save"]),
            _box("cnnw-row", use["upload"], controls.camera, use["location"], controls.remove),
        ]
    )
    page = _box(
        "cnnw-page",
        _area("stage", _stage(controls, screen)),
        _area("answer", _answer(controls, screen)),
        _area("inside", _inside(controls, screen)),
    )
    return (
        style,
        controls.thumbs.sheet,
        screen.live,
        _box("cnnw-sheet", pointer),
        *controls.hints,
        _box("cnnw-top", use["image"], sources),
        screen.status,
        page,
        *_folds(controls, screen),
        *(_own(screen, name) for name in PANELS if name not in PLACED),
    )


def _stage(controls: Controls, screen: Display) -> list[w.Widget]:
    """Return the photograph with its three faces: the evidence, itself, the network's input."""
    use = controls.widgets
    names = ("original", "overlay", "input")
    photo = _touch("photo", *(_picture(screen, name) for name in names), screen.views["marks"])
    words = w.VBox([screen.views[name] for name in names])
    words.add_class("cnnw-faces")
    return [
        _box("cnnw-head", use["face"], controls.buttons["compute"]),
        _box("cnnw-stagebox", photo),
        controls.bars["compute"],
        words,
        screen.views["beside"],
    ]


def _answer(controls: Controls, screen: Display) -> list[w.Widget]:
    use = controls.widgets
    stack = _box("cnnw-stack", screen.views["predictions"], _rows(controls.choosers))
    why = ("counter", "class_index", "class_search", "versus", "method", "cam_layer", "alpha")
    return [
        controls.guess.box,
        _title("predictions"),
        stack,
        _box("cnnw-why", *(use[name] for name in why)),
    ]


def _inside(controls: Controls, screen: Display) -> list[w.Widget]:
    use = controls.widgets
    layers = _box(
        "cnnw-row cnnw-section",
        *(controls.previous, use["layer"], controls.next, use["filter"], controls.filter_number),
    )
    scroll = _box(
        "cnnw-scroll", _touch("mosaic", _picture(screen, "mosaic"), screen.views["frame"])
    )
    controls.mosaic_box = scroll
    one = _touch("filter", _picture(screen, "filter"), screen.views["cells"])
    one.add_class("cnnw-exactly")
    lists = _box("cnnw-lists", use["filter_count"], use["filter_order"])
    columns = _box(
        "cnnw-inside",
        _column(
            _box("cnnw-head", _title("mosaic"), lists),
            scroll,
            screen.views["mosaic"],
        ),
        _column(_title("filter"), _box("cnnw-filterbox", one, screen.views["filter"])),
        _column(
            _title("depth"),
            _touch("depth", _picture(screen, "depth"), screen.views["here"]),
            screen.views["depth"],
        ),
    )
    return [layers, columns]


def _folds(controls: Controls, screen: Display) -> list[w.Widget]:
    """Return the sections that can be folded, in their order."""
    use, views = controls.widgets, screen.views
    compared = w.VBox([_box("cnnw-row", use["compare_by"], use["compare_with"]), views["compare"]])
    _fold(use["strip"], "Layer by layer: the evidence at every depth", _strip(controls, screen))
    _fold(use["compare"], "Side by side: compare with another …", compared)
    _fold(use["experiments"], "What happens if …? Experiments on the network",
          _experiments(controls, screen))  # fmt: skip
    _fold(use["trust"], "Can this map be trusted? Put it to the test", _trust(controls, screen))
    _fold(use["audit"], "Where is it wrong? Ask the network about all photographs",
          _audit(controls, screen))  # fmt: skip
    _fold(use["survey"], "What excites this filter most? Look through all photographs",
          _survey(controls, screen))  # fmt: skip
    _fold(use["pairs"], "All photographs, each with the evidence for its most likely class",
          views["pairs"])  # fmt: skip
    _fold(use["handing_in"], "Hand in: pin views with a note, share a view", _board(controls))
    _fold(use["display"], "Display, places and rare settings", _rare(controls, screen))
    return [*(use[name] for name in FOLDS), _about(screen)]


def _strip(controls: Controls, screen: Display) -> w.Widget:
    return w.VBox([
        _box("cnnw-row", controls.widgets["strip_of"]),
        screen.views["strip"],
        _touch("strip", _picture(screen, "strip"), screen.views["labels"]),
    ])  # fmt: skip


def _experiments(controls: Controls, screen: Display) -> w.Widget:
    use = controls.widgets
    choices = ("switched", "switching", "measure", "covered", "covered_by", "excited",
               "other_image", "other_network")  # fmt: skip
    return w.VBox([
        _box("cnnw-row", use["experiment"], *(use[name] for name in choices),
             controls.buttons["experiment"]),
        use["concept"],
        controls.bars["experiment"],
        screen.notes["experiment"],
        _box("cnnw-bench", screen.views["experiment"], use["lead"]),
    ])  # fmt: skip


def _trust(controls: Controls, screen: Display) -> w.Widget:
    use = controls.widgets
    return w.VBox([
        _box("cnnw-row", use["instrument"], use["baseline"], controls.buttons["judge"]),
        controls.bars["judge"],
        screen.notes["judge"],
        _box("cnnw-bench", use["ranked"], screen.views["trust"]),
    ])  # fmt: skip


def _audit(controls: Controls, screen: Display) -> w.Widget:
    use, views = controls.widgets, screen.views
    choices = ("audit_kind", "audit_label", "audit_answer")
    return w.VBox([
        _box("cnnw-row", controls.buttons["audit"], *(use[name] for name in choices)),
        controls.bars["audit"],
        screen.notes["audit"],
        views["audit"],
        _box("cnnw-wide", _touch("confusion", views["confusion"])),
        views["chosen"],
    ])  # fmt: skip


def _survey(controls: Controls, screen: Display) -> w.Widget:
    return w.VBox([
        _box("cnnw-row", controls.buttons["survey"], controls.widgets["fault"]),
        controls.bars["survey"],
        screen.notes["survey"],
        screen.views["survey"],
    ])  # fmt: skip


def _board(controls: Controls) -> w.Widget:
    copy = w.Button(description="Copy", tooltip="Copy the share string")
    copy.add_class("cnnw-control-copy")  # `pictures.js` copies
    return w.VBox([controls.board.box, _box("cnnw-row", controls.widgets["share"], copy)])


def _rare(controls: Controls, screen: Display) -> w.Widget:
    use = controls.widgets
    rare = ("fit", "size", "kinds", "target", "colormap", "filter_colormap", "scale", "zoom")
    places = _box("cnnw-row", use["pins"], use["region"], controls.hottest)
    settings = _box("cnnw-row", *(use[name] for name in rare))
    return w.VBox([settings, places, screen.views["pinned"]])


def _about(screen: Display) -> w.Widget:
    about = w.Accordion([screen.views["card"], w.HTML(to_html(glossary()))], selected_index=None)
    about.set_title(0, "About the method: what it computes, how to read it, what to beware of")
    about.set_title(1, "Words used here")
    about.add_class("cnnw-about")
    return about


def _own(screen: Display, panel: str) -> w.Widget:
    """Return a panel of the user's own with its title; it stands below the folds."""
    picture = [_picture(screen, panel)] if panel in screen.pictures else []
    return _column(_title(panel), *picture, screen.views[panel])


def _fold(accordion: w.Accordion, title: str, child: w.Widget) -> None:
    accordion.children = (child,)
    accordion.set_title(0, title)


def _box(style: str, *children: w.Widget) -> w.Box:
    box = w.HBox(children)
    for name in style.split():
        box.add_class(name)
    return box


def _rows(buttons: list[w.Button]) -> w.VBox:
    box = w.VBox(buttons)
    box.add_class("cnnw-choosers")
    return box


def _area(name: str, children: list[w.Widget]) -> w.VBox:
    box = w.VBox(children)
    box.add_class("cnnw-area")
    box.add_class(f"cnnw-area-{name}")
    return box


def _column(*children: w.Widget) -> w.VBox:
    column = w.VBox(children)
    column.add_class("cnnw-column")
    return column


def _title(panel: str) -> w.HTML:
    return w.HTML(f'<div class="cnnw-title">{PANELS[panel].title}</div>')


def _picture(screen: Display, panel: str) -> w.Box:
    return _box(f"cnnw-panel-{panel}", screen.pictures[panel])


def _touch(name: str, *layers: w.Widget) -> w.Box:
    """Return a box whose children lie over each other, and which `pointer.js` listens to."""
    return _box(f"cnnw-touch cnnw-touch-{name}", *layers)
