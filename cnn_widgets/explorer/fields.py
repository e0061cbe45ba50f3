"""The widgets whose value is that of a trait, and the buttons of the long computations.

Places are typed as text: the functions below say how it is read, and how they are written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as w

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.attribution.regions import Brush, Region
from cnn_widgets.explorer.options import FIXED, LABELS, SAVES, TOOLTIPS, UNLABELLED, WIDTHS
from cnn_widgets.scenes.choices import MAX_ZOOM
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.workbench.table import refused

#: The sections that can be folded; each name is a Bool trait of the state: True means open.
FOLDS = (
    "strip", "compare", "experiments", "trust", "audit", "survey", "pairs", "handing_in", "display",
)  # fmt: skip

#: The kinds of long computations, and the label of each one's button.
TASKS = {
    "compute": "Compute",
    "judge": "Judge",
    "audit": "Ask about all",
    "survey": "Look through all",
    "experiment": "Try it",
}


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


def _text(placeholder: str, width: str) -> w.Text:
    return w.Text(placeholder=placeholder, continuous_update=False, layout=w.Layout(width=width))


#: How those of the fields are made that are neither lists of `WIDTHS` nor folds.
_MADE: dict[str, Callable[[], w.Widget]] = {
    "face": lambda: w.ToggleButtons(options=FIXED["face"], style={"button_width": "auto"}),
    "alpha": lambda: w.FloatSlider(min=0, max=1, step=0.05, readout_format=".2f"),
    "zoom": lambda: w.FloatSlider(min=1, max=MAX_ZOOM, step=0.05, readout_format=".2f"),
    "filter": lambda: w.IntSlider(min=0, max=0, readout=False, layout=w.Layout(width="18.5em")),
    "filter_number": lambda: w.BoundedIntText(min=0, max=0, layout=w.Layout(width="5.6em")),
    "ranked": lambda: w.SelectMultiple(
        options=[(method.title, name) for name, method in METHODS.items()],
        rows=10,
        layout=w.Layout(width="18.1em"),
    ),
    "upload": lambda: w.FileUpload(accept="image/*", multiple=True, description="Open pictures …"),
    "save": lambda: w.Dropdown(options=SAVES, value="", layout=w.Layout(width="7.7em")),
    "location": lambda: _text("path or address …", "13.1em"),
    "fault": lambda: w.Dropdown(options=[("", "")], layout=w.Layout(width="25.4em")),
    "class_search": lambda: w.Combobox(placeholder="search classes …", continuous_update=False),
    "pins": lambda: _text("layer row column; layer row column", "25.4em"),
    "region": lambda: _text("left top right bottom", "20em"),
    "switched": lambda: _text("3 7 12, or top 20 by weight", "20.8em"),
    "concept": lambda: w.SelectMultiple(rows=6, layout=w.Layout(width="37em")),
    "lead": lambda: w.Select(rows=10, layout=w.Layout(width="20em")),
}
#: The names of all controls that can be locked.
LOCKABLE = (
    *TASKS, "camera", "remove", "hottest", *WIDTHS, *_MADE, *FOLDS, "image", "share",
)  # fmt: skip


def fields() -> dict[str, w.Widget]:
    """Return a new widget for each name: the traits, ``filter_number``, and what takes text."""
    found: dict[str, w.Widget] = {
        name: w.Dropdown(options=FIXED.get(name, [("", "")]), layout=w.Layout(width=width))
        for name, width in WIDTHS.items()
    }
    found |= {name: make() for name, make in _MADE.items()}
    found |= {name: w.Accordion(selected_index=None) for name in FOLDS}
    return {name: named(name, widget) for name, widget in found.items()}


def pins_of(text: str) -> list[Any]:
    """Return the pinned cells that a text names, each "layer row column", with ; between them.

    What cannot be read is returned as it is; the state refuses it.

    >>> pins_of("conv 3 4; relu 0 0")
    [['conv', 3, 4], ['relu', 0, 0]]
    """
    pins = [part.strip().rsplit(None, 2) for part in text.split(";") if part.strip()]
    return [
        [name, *(int(each) if each.isdecimal() else each for each in cell)] for name, *cell in pins
    ]


def pins_text(pins: tuple[tuple[str, int, int], ...]) -> str:
    """Return pinned cells as the text that `pins_of` reads."""
    return "; ".join(f"{layer} {row} {column}" for layer, row, column in pins)


def region_of(text: str) -> list[float] | list[str] | Brush | None:
    """Return the region that a text names, for the state to check; None for an empty one.

    It is four numbers, or "brush", its radius, and places "x y" with , between them and ; between
    two strokes.

    >>> region_of("10, 20, 30, 40")
    [10.0, 20.0, 30.0, 40.0]
    >>> region_of("brush 5: 10 20, 30 40; 50 60").strokes
    (((10.0, 20.0), (30.0, 40.0)), ((50.0, 60.0),))
    """
    head, _, drawn = text.partition(":")
    try:
        name, radius = head.split()
        strokes = [[each.split() for each in part.split(",")] for part in drawn.split(";")]
        places = tuple(tuple((float(x), float(y)) for x, y in stroke) for stroke in strokes)
        if name == "brush":
            return Brush(float(radius), places)
    except ValueError:  # it is not of that form
        pass
    words = text.replace(",", " ").split()
    try:
        return [float(each) for each in words] or None
    except ValueError:
        return words


def region_text(region: Region | None) -> str:
    """Return a region as the text that `region_of` reads."""
    if isinstance(region, Brush):
        strokes = (", ".join(f"{x:.0f} {y:.0f}" for x, y in each) for each in region.strokes)
        return f"brush {region.radius:.1f}: {'; '.join(strokes)}"
    return "" if region is None else " ".join(f"{each:.0f}" for each in region)


def set_usable(
    widgets: Mapping[str, w.Widget], buttons: Mapping[str, w.Button], scene: Scene
) -> None:
    """Disable the controls that have no effect now, and hide *Compute* where nothing is slow."""
    method = METHODS[scene.method]
    widgets["colormap"].disabled = method.signed
    widgets["cam_layer"].disabled = method.at == "input"
    for name in ("other_image", "other_network", "fault"):  # lists of which all may be missing
        widgets[name].disabled = len(widgets[name].options) < 2
    buttons["compute"].layout.display = None if method.slow else "none"
    buttons["experiment"].disabled = bool(refused(scene))


class TaskButtons:
    """The buttons of the long computations, each with its progress bar.

    Parameters
    ----------
    press : callable
        Called with a key of `TASKS`.

    Attributes
    ----------
    buttons, bars : dict
        By the key of `TASKS`.
    """

    def __init__(self, press: Callable[[str], object]) -> None:
        self._labels = dict(TASKS)
        self.buttons: dict[str, w.Button] = {}
        self.bars: dict[str, w.IntProgress] = {}
        for kind, label in TASKS.items():
            button = w.Button(description=label, layout=w.Layout(width="auto"))
            button.add_class(f"cnnw-control-{kind}")
            button.on_click(lambda _, kind=kind: press(kind))
            bar = w.IntProgress(min=0, max=1000, layout=w.Layout(width="98%"))
            bar.add_class("cnnw-progress")
            self.buttons[kind], self.bars[kind] = button, bar

    def rename(self, kind: str, label: str) -> None:
        """Give a button another label; "" hides it."""
        self.buttons[kind].layout.display = None if label else "none"
        label = label or TASKS[kind]
        if self.buttons[kind].description == self._labels[kind]:  # not while it says Cancel
            self.buttons[kind].description = label
        self._labels[kind] = label

    def show(self, share: float | None, kind: str = "") -> None:
        """Show the progress (0 to 1) of the computation `kind`, or None if none is running."""
        for name, label in self._labels.items():
            runs = share is not None and name == kind
            self.bars[name].layout.visibility = "visible" if runs else "hidden"
            self.bars[name].value = round(1000 * (share or 0)) if runs else 0
            self.buttons[name].description = "Cancel" if runs else label


def taken(upload: w.FileUpload) -> list[Any]:
    """Return the files that an upload holds, and empty it: a notebook would store them.

    Each is a dict with ``name``, ``type`` and ``content``, as ipywidgets 8 has it; ipywidgets 7,
    which Google Colab brings, has a dict of them by name.
    """
    held = upload.value
    if not isinstance(held, dict):
        upload.value = ()
        return list(held)
    upload.metadata, upload.data = [], []
    upload._counter = 0  # it makes the value anew
    return [
        {"name": name, "type": each["metadata"].get("type", ""), "content": each["content"]}
        for name, each in held.items()
    ]


def checked_lock(names: Any, predict_first: Any = False) -> tuple[str, ...]:
    """Return the names of controls to lock; this needs no widget.

    Raises
    ------
    ValueError
        If a name is none of `LOCKABLE`.
    TypeError
        If these are no names, or `predict_first` is neither True nor False.
    """
    if not isinstance(predict_first, bool):
        raise TypeError(f"Expected predict_first to be True or False. Received: {predict_first!r}")
    try:
        given = (names,) if isinstance(names, str) else tuple(names)
    except TypeError:
        raise TypeError(f"Expected lock to be names of controls. Received: {names!r}") from None
    for name in given:
        if not isinstance(name, str) or name not in LOCKABLE:
            listed = ", ".join(LOCKABLE)
            raise ValueError(f"Unknown control {name!r} in lock. Controls: {listed}.")
    return given


#: What is locked with another control: it would do the same in another way.
_LOCKED_WITH = {"layer": ("kinds",), "upload": ("camera",)}


class Lock:
    """Hides controls for good, and keeps what they choose from being changed on the page.

    Parameters
    ----------
    names : sequence of str
        Of `LOCKABLE`, see `checked_lock`.
    controls : mapping of str to widget
        All controls that can be hidden, by name.
    """

    def __init__(self, names: Sequence[str], controls: Mapping[str, w.Widget]) -> None:
        given = checked_lock(names)
        further = (other for name in given for other in _LOCKED_WITH.get(name, ()))
        self._names = frozenset((*given, *further))
        for name in self._names:
            controls[name].add_class("cnnw-locked")

    def left(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the changes, if none of them is locked; otherwise a ValueError.

        Another photograph is shown also where the class is locked that it would reset.
        """
        reset = {"class_index"} if "image" in changes else set()
        kept = {n: value for n, value in changes.items() if n not in self._names & reset}
        if locked := self._names & set(kept):
            if "upload" in locked:
                raise ValueError("In this explorer pictures of your own cannot be opened.")
            told = ", ".join(LABELS.get(name, name) for name in sorted(locked))
            raise ValueError(f"In this explorer {told} cannot be changed.")
        return kept
