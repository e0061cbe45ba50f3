"""The controls: one ipywidget per trait of the state, synchronized with it in both directions.

A change of a widget becomes a request to change the state, which accepts or refuses it. `sync` then
sets every widget from the state, so the widget of a refused request returns to its old value.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.evaluation.instruments import INSTRUMENTS
from cnn_widgets.explorer.options import (
    FIXED,
    LABELS,
    MOST_LIKELY,
    WIDTHS,
    Options,
    chosen_option,
    options,
)
from cnn_widgets.explorer.stylesheet import opacity_sheet
from cnn_widgets.explorer.thumbnails import Thumbnails
from cnn_widgets.scenes.catalog import UPLOAD_MB
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State

Request = Callable[..., None]

#: The kinds of long computations, and the label of each one's button.
TASKS = {"compute": "Compute", "judge": "Judge"}

#: The sections that can be folded; each name is a Bool trait of the state: True means open.
FOLDS = ("trust", "pairs")


class Controls:
    """All controls of one explorer.

    Parameters
    ----------
    request : callable
        Called with the wanted trait values, as keywords, when the user changes a widget.
    open_image, search_class, press : callable
        Called with an upload, a path or an address; with the text of the class search; with a
        key of `TASKS`. The first two return False if the input was refused.
    """

    def __init__(
        self,
        request: Request,
        open_image: Callable[[Any], bool],
        search_class: Callable[[str], bool],
        press: Callable[[str], bool],
    ) -> None:
        self._request, self._open, self._search = request, open_image, search_class
        self._press = press
        self._syncing = threading.local()
        self._listed: dict[str, Any] = {}
        self.opacity = w.HTML()  # a CSS rule: moving the slider redraws no panel
        self.opacity.add_class("cnnw-sheet")
        self.opacity.add_class("cnnw-opacity")
        self.scope = f"cnnw-{self.opacity.model_id[:8]}"
        self.widgets: dict[str, w.Widget] = {}
        for name in WIDTHS:
            self._dropdown(name)
        self._sliders()
        self._image_controls()
        self._buttons()
        self._listen()

    # --- building ---------------------------------------------------------------------------

    def _dropdown(self, name: str) -> None:
        first = FIXED.get(name, [("", "")])
        self._add(name, w.Dropdown(options=first, layout=w.Layout(width=WIDTHS[name])))

    def _sliders(self) -> None:
        self._add(
            "alpha",
            w.FloatSlider(
                min=0, max=1, step=0.05, readout_format=".2f", layout=w.Layout(width="188px")
            ),
        )
        self._add(
            "filter", w.IntSlider(min=0, max=0, readout=False, layout=w.Layout(width="260px"))
        )
        number = w.BoundedIntText(min=0, max=0, layout=w.Layout(width="70px"))
        self.filter_number = self._add("filter_number", number, label="")

    def _image_controls(self) -> None:
        self.thumbs = Thumbnails(lambda name: self._request(image=name, class_index=None))
        self._add("image", self.thumbs.box, label=None)
        self._add(
            "upload",
            w.FileUpload(
                accept="image/*",
                multiple=False,
                description="Upload",
                tooltip=f"A picture from your disk, up to {UPLOAD_MB} MB",
                layout=w.Layout(width="98px"),
            ),
            label=None,
        )
        self._add(
            "location",
            w.Text(
                placeholder="path or address …",
                continuous_update=False,
                layout=w.Layout(width="145px"),
            ),
            label="",
        )
        self._add(
            "class_search",
            w.Combobox(
                placeholder="search classes …",
                continuous_update=False,
                ensure_option=False,
                layout=w.Layout(width="132px"),
            ),
            label="",
        )
        for name in FOLDS:
            self._add(name, w.Accordion(selected_index=None), label=None)
        methods = [(method.title, name) for name, method in METHODS.items()]
        ranked = w.SelectMultiple(
            options=methods, rows=10, layout=w.Layout(width="235px"),
            tooltip="Hold Ctrl or Shift to choose several",
        )  # fmt: skip
        self._add("ranked", ranked)

    def _buttons(self) -> None:
        self.previous = w.Button(description="◀", tooltip="previous layer")
        self.next = w.Button(description="▶", tooltip="next layer")
        for button, step in ((self.previous, -1), (self.next, 1)):
            button.add_class("cnnw-arrow")
            button.on_click(lambda _, step=step: self._step(step))
        self.choosers = [w.Button(description="") for _ in range(5)]
        for rank, button in enumerate(self.choosers):
            button.on_click(lambda _, rank=rank: self._choose(rank))
        self.buttons: dict[str, w.Button] = {}
        self.bars: dict[str, w.IntProgress] = {}
        for kind, label in TASKS.items():
            button = w.Button(description=label, layout=w.Layout(width="86px"))
            button.add_class(f"cnnw-control-{kind}")
            button.on_click(lambda _, kind=kind: self._press(kind))
            bar = w.IntProgress(min=0, max=1000, layout=w.Layout(width="98%"))
            bar.add_class("cnnw-progress")
            self.buttons[kind], self.bars[kind] = button, bar

    def _add(self, name: str, widget: w.Widget, label: str | None = "?") -> w.Widget:
        if label is not None:
            widget.description = LABELS.get(name, name) if label == "?" else label
            widget.style.description_width = "initial"
        widget.add_class(f"cnnw-control-{name}")
        self.widgets[name] = widget
        return widget

    # --- from the widgets to the state --------------------------------------------------------

    def _listen(self) -> None:
        for name in (*WIDTHS, "alpha", "filter", "ranked"):
            self.widgets[name].observe(self._on_value(name), "value")
        # Not linked to the slider: a link fails if another thread moves one of the two meanwhile
        self.filter_number.observe(self._on_value("filter"), "value")
        for name, action in (("location", self._open), ("class_search", self._search)):
            self.widgets[name].observe(self._on_text(name, action), "value")
        self.widgets["upload"].observe(self._on_upload, "value")
        for name in FOLDS:
            self.widgets[name].observe(self._on_fold(name), "selected_index")

    def _on_value(self, name: str) -> Callable[[Any], None]:
        def changed(change: Any) -> None:
            if not self._is_syncing() and change.new is not None:
                value = (
                    None
                    if change.new == MOST_LIKELY and name in ("class_index", "versus")
                    else change.new
                )
                self._request(**{name: value})

        return changed

    def _on_text(self, name: str, action: Callable[[str], bool]) -> Callable[[Any], None]:
        def entered(change: Any) -> None:
            if self._is_syncing() or not change.new.strip():
                return
            if action(change.new.strip()):  # a refused text stays, so that it can be corrected
                self._without_requests(lambda: setattr(self.widgets[name], "value", ""))

        return entered

    def _on_upload(self, change: Any) -> None:
        if self._is_syncing() or not change.new:
            return
        upload = change.new[0]  # ipywidgets 8: a tuple of dicts, content a memoryview
        self._without_requests(lambda: setattr(self.widgets["upload"], "value", ()))
        self._open(upload)

    def _on_fold(self, name: str) -> Callable[[Any], None]:
        def folded(change: Any) -> None:
            if not self._is_syncing():
                self._request(**{name: change.new is not None})

        return folded

    def _step(self, step: int) -> None:
        names, here = self._listed["layers"]  # read once: another thread may replace the list
        self._request(layer=names[min(max(names.index(here) + step, 0), len(names) - 1)])

    def _choose(self, rank: int) -> None:
        ranked = self._listed.get("ranked", ())
        if rank < len(ranked):
            self._request(class_index=ranked[rank])

    # --- from the state to the widgets --------------------------------------------------------

    def sync(self, scene: Scene, state: State, networks: Sequence[str]) -> None:
        """Bring every widget in line with the state."""

        def show() -> None:
            self.thumbs.sync(scene.samples, scene.image)
            self._sync_ranks(scene)
            for name in WIDTHS:
                found = options(name, scene, state, tuple(networks))
                self._select(name, found, chosen_option(name, scene, state))
                if name == "layer":
                    self._listed["layers"] = [value for _, value in found], scene.layer.name
            self._sync_filter(scene)
            self.widgets["colormap"].disabled = METHODS[scene.method].signed
            slow = METHODS[scene.method].slow
            self.buttons["compute"].layout.visibility = "visible" if slow else "hidden"
            self.widgets["alpha"].value = state.alpha
            self.opacity.value = opacity_sheet(self.scope, state.alpha)
            self._sync_instruments(scene, state)
            for fold in FOLDS:
                self.widgets[fold].selected_index = 0 if getattr(state, fold) else None

        self._without_requests(show)

    def _sync_ranks(self, scene: Scene) -> None:
        ranked = scene.predictions
        self._listed["ranked"] = tuple(p.class_index for p in ranked)
        for rank, button in enumerate(self.choosers):
            shown = rank < len(ranked)
            button.description = f"explain {ranked[rank].name}" if shown else ""
            button.tooltip = button.description
            button.layout.visibility = "visible" if shown else "hidden"
        if self._listed.get("names") is not scene.network.class_names:
            self.widgets["class_search"].options = scene.network.class_names
            self._listed["names"] = scene.network.class_names

    def _sync_filter(self, scene: Scene) -> None:
        top = max(0, scene.layer.filters - 1)
        for widget in (self.widgets["filter"], self.filter_number):
            if widget.max != top:
                widget.value = min(widget.value, top)
                widget.max = top
            widget.value = scene.filter

    def _sync_instruments(self, scene: Scene, state: State) -> None:
        asks = INSTRUMENTS[scene.instrument].asks
        for name in ("baseline", "ranked"):
            self.widgets[name].layout.display = None if name in asks else "none"
        self.widgets["ranked"].value = tuple(state.ranked)

    def _select(self, name: str, found: Options, value: Any) -> None:
        widget = self.widgets[name]
        if self._listed.get(name) != found:
            widget.options = found
            self._listed[name] = found  # set last, so that an interrupt here repeats it next time
        widget.value = value

    def show_progress(self, share: float | None, kind: str = "") -> None:
        """Show the progress (0 to 1) of the computation `kind`, or None if none is running."""
        for name, label in TASKS.items():
            runs = share is not None and name == kind
            self.bars[name].layout.visibility = "visible" if runs else "hidden"
            self.bars[name].value = round(1000 * (share or 0)) if runs else 0
            self.buttons[name].description = "Cancel" if runs else label

    def _without_requests(self, action: Callable[[], None]) -> None:
        """Change widgets without sending a request for each change.

        Events in other threads still send requests: the user may move a slider meanwhile.
        """
        before, self._syncing.on = self._is_syncing(), True
        try:
            action()
        finally:
            self._syncing.on = before

    def _is_syncing(self) -> bool:
        return bool(getattr(self._syncing, "on", False))
