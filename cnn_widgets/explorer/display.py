"""The widgets an explorer draws on: pictures, words, the live style sheet, status line, hints."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from html import escape

import ipywidgets as w
from traitlets import Unicode

from cnn_widgets.panels.table import PANELS, Panel
from cnn_widgets.rendering.html import error_html, picture_file, to_html
from cnn_widgets.rendering.saving import Download
from cnn_widgets.rendering.stylesheet import live_sheet
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views.view import View

log = logging.getLogger(__name__)
#: What a new explorer says about itself, one after the other.
HINTS = (
    "Click a filter, point at any picture: the place under the pointer is told in words.",
    "Click the photograph to see how much of it one cell sees. Drag over it to mark a region.",
    "Click a class in the list to see what speaks for it; with Shift, rather than what.",
)

#: The folds whose errors are shown in them, too, by the task of their button; and what else is
#: asked for there.
NOTED = {
    "judge": ("ranked",),
    "audit": (),
    "survey": (),
    "experiment": ("switched", "concept", "lead"),
}


class Picture(w.Image):  # type: ignore[misc]  # ipywidgets has no types
    """A picture with its text alternative as its tooltip.

    ipywidgets' own front end fails on a tooltip where the model has no description.
    """

    description = Unicode("").tag(sync=True)


class Display:
    """The widgets that show the panels, and the status line.

    Attributes
    ----------
    views : dict of str to HTML widget
        The words of each panel, and all of a panel without a picture, by its name in `PANELS`.
    pictures : dict of str to Picture
        The picture of each panel that has one, as a file; its tooltip is the text alternative.
    frames : dict of str to int
        How often each panel was drawn.
    live : HTML widget
        A style element: what changes without a new picture, see `live_sheet`.
    scope : str
        A CSS class of this explorer alone, for `live`.
    status : HTML widget
        The status line.
    notes : dict of str to HTML widget
        What the status line says of a fold that something is wrong with, by its key in `NOTED`.
    last_error : Exception or None
        The most recent error of a request or of drawing.
    refusal : str
        What the refused request asked for whose error is in the status line; otherwise "".
    """

    def __init__(self) -> None:
        self.last_error: Exception | None = None
        self.refusal = ""
        self.status, self.live = w.HTML(), w.HTML()
        self.status.add_class("cnnw-status")
        for name in ("cnnw-sheet", "cnnw-live"):
            self.live.add_class(name)
        self.scope = f"cnnw-{self.live.model_id[:8]}"
        self.frames = dict.fromkeys(PANELS, 0)
        self.notes = {task: w.HTML(layout=w.Layout(display="none")) for task in NOTED}
        self.views = {name: w.HTML() for name in PANELS}
        self.pictures = {name: Picture() for name, panel in PANELS.items() if panel.pictured}
        for name, html in self.views.items():
            html.add_class(f"cnnw-panel-{name}")
        self.pictures["overlay"].add_class("cnnw-heat")
        self._aspects: dict[str, float] = {}
        self._besides: dict[str, Hashable] = {}

    def draw(self, name: str, scene: Scene) -> None:
        """Draw one panel; if that fails, show the error in its place and in the status line."""
        panel = PANELS[name]
        self.frames[name] += 1
        try:
            view = panel.view(scene)
            file = picture_file(view) if panel.pictured else None
            html = to_html(view, self.frames[name], panel.pictured)
        except Exception as error:
            self.failed(panel.title, error)
            view, file = View(f"{panel.title} could not be drawn."), None
            html = error_html(panel.title, error, self.frames[name])
        self.views[name].value = html  # before its picture: whoever sees this one has the words
        if panel.pictured:
            self._shape(name, view, scene)
            self._show_picture(name, view, file)

    def _show_picture(self, name: str, view: View, file: tuple[bytes, str] | None) -> None:
        picture = self.pictures[name]
        with picture.hold_sync():  # the text goes with its pixels, in one message
            picture.tooltip = view.alt
            if file is not None:
                picture.value, picture.format = file
        picture.layout.visibility = None if file is not None else "hidden"

    def _shape(self, name: str, view: View, scene: Scene) -> None:
        """Give a picture's box its shape before the picture comes, so that nothing jumps after."""
        if view.picture is None:
            return
        height, width = view.picture.shape[:2]
        if self._aspects.get(name) != width / height:
            self._aspects[name] = width / height
            self.live.value = live_sheet(self.scope, scene, self._aspects)

    def draw_changed(self, scene: Scene, changed: frozenset[str]) -> None:
        """Draw the panels that read one of the changed traits, except those in a closed fold."""
        for name, panel in PANELS.items():
            fold = panel.opened_by
            if fold and not getattr(scene, fold) and fold not in changed:
                continue
            if self._is_outdated(panel, scene, changed):
                self.draw(name, scene)
                # Kept once it is drawn: if that is interrupted, the next change repeats it
                self._besides[name] = self._besides_of(panel, scene)
        self.live.value = live_sheet(self.scope, scene, self._aspects)

    def _is_outdated(self, panel: Panel, scene: Scene, changed: frozenset[str]) -> bool:
        """Return whether a panel shows something else after a change."""
        if self._besides_of(panel, scene) != self._besides.get(panel.name):
            return True
        follows = panel.follows and scene.cam_layer == "follow"
        return bool((panel.reads | ({"layer"} if follows else set())) & changed)

    def _besides_of(self, panel: Panel, scene: Scene) -> Hashable:
        """Return what else a panel depends on, see `Panel.besides`."""
        if panel.besides is None:
            return None
        try:
            return panel.besides(scene)
        except Exception:  # drawing the panel raises and shows the same error
            return None

    def say(self, text: str | Download, failed: bool = False, asked: str = "") -> None:
        """Show a line of text, or a link to a file, in the status line; failed: as an error.

        An error is shown in the fold, too, in which it was asked for: by a task or by a trait.
        """
        self.refusal = ""
        role, style = ("alert", "cnnw-error") if failed else ("status", "cnnw-note")
        told = text.html() if isinstance(text, Download) else escape(text)
        self.status.value = f'<div role="{role}" class="{style}">{told}</div>'
        for task, note in self.notes.items():
            here = failed and asked in (task, *NOTED[task])
            note.value = f'<div class="cnnw-refused">{told}</div>' if here else ""
            note.layout.display = None if here else "none"

    def refused(self, error: Exception, asked: str = "") -> None:
        """Show and keep the error of a request that could not be carried out; see `say`."""
        log.info("A request could not be carried out", exc_info=error)
        self.last_error = error
        self.say(str(error), failed=True, asked=asked)
        self.refusal = asked

    def failed(self, what: str, error: Exception, asked: str = "") -> None:
        """Show and keep an error raised while `what` was drawn or computed; see `say`."""
        log.info("%s could not be drawn", what, exc_info=error)
        self.last_error = error
        mark = "" if what.endswith("?") else ":"
        self.say(f"{what}{mark} {error}", failed=True, asked=asked)


def hint_bar(dismissed: Callable[[], None]) -> w.HBox:
    """Return a bar with the first hint; its button goes on, and calls `dismissed` at the end."""
    text, button = w.HTML(), w.Button(description="Next", layout=w.Layout(width="auto"))
    close = w.Button(description="No more hints", layout=w.Layout(width="auto"))
    bar = w.HBox([text, button, close])
    bar.add_class("cnnw-hint")
    left = list(HINTS)

    def following(_: object = None) -> None:
        if not left:
            dismissed()
            return
        text.value = f"{len(HINTS) - len(left) + 1} of {len(HINTS)} · {left.pop(0)}"
        button.description = "Next" if left else "Got it"

    button.on_click(following)
    close.on_click(lambda _: dismissed())
    following()
    return bar
