"""The controls: one ipywidget per trait of the state, synchronized with it in both directions.

A change of a widget becomes a request to change the state, which accepts or refuses it. `sync` then
sets every widget from the state: that of a refused request returns to its old value. Text stays.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as w

from cnn_widgets.classroom.desk import GuessBox, PinBoard
from cnn_widgets.evaluation.instruments import INSTRUMENTS
from cnn_widgets.explorer import bench
from cnn_widgets.explorer.bench import BenchControls
from cnn_widgets.explorer.display import hint_bar
from cnn_widgets.explorer.fields import (
    FOLDS,
    Lock,
    TaskButtons,
    fields,
    named,
    pins_of,
    pins_text,
    region_of,
    region_text,
    set_usable,
    taken,
)
from cnn_widgets.explorer.options import (
    LABELLED,
    NO_CLASS,
    TOOLTIPS,
    WIDTHS,
    Options,
    chosen_option,
    fault_options,
    options,
)
from cnn_widgets.explorer.thumbnails import Thumbnails
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.selection import about_selection, selected
from cnn_widgets.scenes.state import State

Request = Callable[..., bool]


class Controls:
    """All controls of one explorer.

    Parameters
    ----------
    request : callable
        Called with the wanted trait values, as keywords, when the user changes a widget.
    open_image, search_class, press : callable
        Called with an upload, a path or an address; with the text of the class search; with a
        key of `TASKS`, "hottest", "remove", "save …", "guess …" or one of `PRESSED`. The first
        two, called with "" when their field is emptied, return False if the input was refused.
    hints, lock : bool, sequence of str
        Whether the page explains itself in three hints; see `Lock`.
    """

    def __init__(
        self,
        request: Request,
        open_image: Callable[[Any], bool],
        search_class: Callable[[str], bool],
        press: Callable[[str], bool],
        hints: bool = True,
        lock: Sequence[str] = (),
    ) -> None:
        self._request, self._open, self._search = request, open_image, search_class
        self._press = press
        self._syncing = threading.local()
        self._listed: dict[str, Any] = {}
        self.mosaic_box: w.Box | None = None
        self.hints = [hint_bar(self._dismiss)] if hints else []
        self.thumbs = Thumbnails(self._choose_photo)
        self.board = PinBoard(self._press)
        own = {"image": named("image", self.thumbs.box), "share": self.board.shared}
        self.widgets = {**fields(), **own}
        self.filter_number = self.widgets["filter_number"]
        self._bench = BenchControls(self.widgets, self._select)
        self.guess = GuessBox(lambda text: self._press(f"guess {text}"))
        self._buttons()
        further = {"camera": self.camera, "remove": self.remove, "hottest": self.hottest}
        # A fold and its button may have one name: then the fold, with the button in it, is hidden
        self.lock = Lock(lock, {**self.buttons, **further, **self.widgets})
        self._listen()

    def _buttons(self) -> None:
        self.previous = w.Button(description="◀", tooltip="previous layer")
        self.next = w.Button(description="▶", tooltip="next layer")
        for button, step in ((self.previous, -1), (self.next, 1)):
            button.add_class("cnnw-arrow")
            button.on_click(lambda _, step=step: self._step(step))
        self.hottest = w.Button(description="Hottest region", tooltip=TOOLTIPS["hottest"])
        self.hottest.on_click(lambda _: self._press("hottest"))
        self.camera = w.Button(description="Camera", tooltip=TOOLTIPS["camera"])
        self.camera.add_class("cnnw-control-camera")  # `pointer.js` opens it
        self.remove = w.Button(description="Remove", tooltip=TOOLTIPS["remove"])
        self.remove.add_class("cnnw-control-remove")
        self.remove.on_click(lambda _: self._press("remove"))
        self.choosers = [w.Button(description="") for _ in range(5)]
        for rank, button in enumerate(self.choosers):
            button.on_click(lambda _, rank=rank: self._choose(rank))
        self.tasks = TaskButtons(self._press)
        self.buttons, self.bars = self.tasks.buttons, self.tasks.bars

    def _dismiss(self) -> None:
        for bar in self.hints:
            bar.layout.display = "none"

    # --- from the widgets to the state --------------------------------------------------------

    def _listen(self) -> None:
        for name in (*WIDTHS, "face", "alpha", "zoom", "filter", "ranked", "concept"):
            self.widgets[name].observe(self._on_value(name), "value")
        # Not linked to the slider: a link fails if another thread moves one of the two meanwhile
        self.filter_number.observe(self._on_value("filter"), "value")
        for name, read in (("pins", pins_of), ("region", region_of), ("switched", str.strip)):
            self.widgets[name].observe(self._on_place(name, read), "value")
        for name, action in (("location", self._open), ("class_search", self._search)):
            self.widgets[name].observe(self._on_text(name, action), "value")
        self.widgets["save"].observe(self._on_save, "value")
        self.widgets["fault"].observe(self._on_fault, "value")
        self.widgets["lead"].observe(self._on_lead, "value")
        self.widgets["upload"].observe(self._on_upload, "value")
        for name in FOLDS:
            self.widgets[name].observe(self._on_fold(name), "selected_index")

    def _on_value(self, name: str) -> Callable[[Any], None]:
        def changed(change: Any) -> None:
            if not self._is_syncing() and change.new is not None:
                of_class = name in ("class_index", "versus")
                value = NO_CLASS.get(change.new, change.new) if of_class else change.new
                self._request(**{name: value})

        return changed

    def _on_text(self, name: str, action: Callable[[str], bool]) -> Callable[[Any], None]:
        def entered(change: Any) -> None:
            if not self._is_syncing() and action(change.new.strip()):
                self._without_requests(lambda: setattr(self.widgets[name], "value", ""))

        return entered

    def _on_save(self, change: Any) -> None:
        if not self._is_syncing() and change.new:
            self._press(f"save {change.new}")
            self._without_requests(lambda: setattr(self.widgets["save"], "value", ""))

    def _on_fault(self, change: Any) -> None:
        if not self._is_syncing() and change.new:
            layer, number = change.new
            self._request(layer=layer, filter=number)

    def _on_lead(self, change: Any) -> None:
        if not self._is_syncing() and change.new is not None:
            self._request(**self._bench.changes(change.new))

    def _on_upload(self, change: Any) -> None:
        found = list[Any]()
        if not self._is_syncing() and change.new:
            self._without_requests(lambda: found.extend(taken(self.widgets["upload"])))
        for upload in found:
            self._open(upload)

    def _on_place(self, name: str, read: Callable[[str], Any]) -> Callable[[Any], None]:
        def entered(change: Any) -> None:
            if not self._is_syncing() and not self._request(**{name: read(change.new)}):
                self._without_requests(lambda: setattr(self.widgets[name], "value", change.new))

        return entered

    def _on_fold(self, name: str) -> Callable[[Any], None]:
        def folded(change: Any) -> None:
            if not self._is_syncing():
                self._request(**{name: change.new is not None})

        return folded

    def _step(self, step: int) -> None:
        names, here = self._listed["layers"]  # read once: another thread may replace the list
        self._request(layer=names[min(max(names.index(here) + step, 0), len(names) - 1)])

    def _choose_photo(self, name: str) -> None:
        """Show a photograph, and what speaks for its own answer, or label if that is asked for."""
        kept = self.widgets["class_index"].value == LABELLED
        self._request(image=name, class_index=NO_CLASS[LABELLED] if kept else None)

    def _choose(self, rank: int) -> None:
        ranked = self._listed.get("ranked", ())
        if rank < len(ranked):
            self._request(class_index=ranked[rank])

    # --- from the state to the widgets --------------------------------------------------------

    def sync(self, scene: Scene, state: State, networks: Sequence[tuple[str, str]]) -> None:
        """Bring every widget in line with the state."""

        def show() -> None:
            chosen = selected(scene)
            told = () if chosen is None else (about_selection(scene), about_selection(scene, False))
            if chosen is not None and not scene.audits.asked_about(scene.image):  # opened since
                chosen = (scene.image, *chosen)
            self.thumbs.sync(scene.samples, scene.image, chosen, told)
            self._sync_ranks(scene)
            for name in WIDTHS:
                found = options(name, scene, state, networks)
                self._select(name, found, chosen_option(name, scene, state))
                if name == "layer":
                    self._listed["layers"] = [value for _, value in found], scene.layer.name
            self._sync_filter(scene)
            faults, here = fault_options(scene), (scene.layer.name, scene.filter)
            self._select("fault", faults, here if here in [each for _, each in faults] else "")
            self.remove.layout.display = None if scene.added else "none"
            set_usable(self.widgets, self.buttons, scene)
            for name in ("alpha", "zoom", "face"):
                self.widgets[name].value = getattr(state, name)
            self.widgets["pins"].value = pins_text(state.pins)
            self.widgets["region"].value = region_text(state.region)
            self._sync_mosaic(scene)
            self._sync_instruments(scene, state)
            self._sync_bench(scene)
            self.board.share(state)
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

    def _sync_mosaic(self, scene: Scene) -> None:
        """Let a mosaic that is too long for its place be scrolled."""
        if self.mosaic_box is not None:
            long = scene.filter_count == "all"
            (self.mosaic_box.add_class if long else self.mosaic_box.remove_class)("cnnw-long")

    def _sync_instruments(self, scene: Scene, state: State) -> None:
        asks = INSTRUMENTS[scene.instrument].asks
        for name in ("baseline", "ranked"):
            self.widgets[name].layout.display = None if name in asks else "none"
        self.widgets["ranked"].value = tuple(state.ranked)

    def _sync_bench(self, scene: Scene) -> None:
        self._bench.sync(scene)
        self.tasks.rename("experiment", bench.button(scene))

    def sync_leads(self, scene: Scene) -> None:
        """List what the result of the experiment leads to, once it has been drawn."""
        with contextlib.suppress(ValueError):  # its panel shows the same error
            self._without_requests(lambda: self._bench.sync_leads(scene))

    def _select(self, name: str, found: Options, value: Any) -> None:
        widget = self.widgets[name]
        if self._listed.get(name) != found:
            widget.options = found
            self._listed[name] = found  # set last, so that an interrupt here repeats it next time
        widget.value = value

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
