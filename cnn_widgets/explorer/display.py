"""The widgets an explorer draws on: one HTML box per panel, and the status line."""

from __future__ import annotations

import logging
from html import escape

import ipywidgets as w

from cnn_widgets.panels.html import error_html, to_html
from cnn_widgets.panels.table import PANELS
from cnn_widgets.scenes.scene import Scene

log = logging.getLogger(__name__)


class Display:
    """The widgets that show the panels, and the status line.

    Attributes
    ----------
    views : dict of str to HTML widget
        One widget per panel, by the panel's name in `PANELS`.
    frames : dict of str to int
        How often each panel was drawn.
    status : HTML widget
        The status line.
    last_error : Exception or None
        The most recent error of a request or of drawing.
    """

    def __init__(self) -> None:
        self.last_error: Exception | None = None
        self.status = w.HTML()
        self.status.add_class("cnnw-status")
        self.frames = dict.fromkeys(PANELS, 0)
        self.views = {panel: w.HTML() for panel in PANELS}
        for panel, html in self.views.items():
            html.add_class(f"cnnw-panel-{panel}")

    def draw(self, name: str, scene: Scene) -> None:
        """Draw one panel; if that fails, show the error in its place and in the status line."""
        panel = PANELS[name]
        self.frames[name] += 1
        try:
            html = to_html(panel.view(scene), self.frames[name])
        except Exception as error:
            self.failed(panel.title, error)
            html = error_html(panel.title, error, self.frames[name])
        self.views[name].value = html

    def draw_changed(self, scene: Scene, changed: frozenset[str]) -> None:
        """Draw the panels that read one of the changed traits, except those in a closed fold."""
        for name, panel in PANELS.items():
            follows = panel.follows and scene.cam_layer == "follow"
            fold = panel.opened_by
            closed = fold and not getattr(scene, fold) and fold not in changed
            if not closed and (panel.reads | ({"layer"} if follows else set())) & changed:
                self.draw(name, scene)

    def say(self, text: str, failed: bool = False) -> None:
        """Show a line of plain text in the status line, as an error if `failed`."""
        role, style = ("alert", "cnnw-error") if failed else ("status", "cnnw-note")
        self.status.value = f'<div role="{role}" class="{style}">{escape(text)}</div>'

    def refused(self, error: Exception) -> None:
        """Show and keep the error of a request that could not be carried out."""
        log.info("A request could not be carried out", exc_info=error)
        self.last_error = error
        self.say(str(error), failed=True)

    def failed(self, what: str, error: Exception) -> None:
        """Show and keep an error raised while `what` was drawn or computed."""
        log.info("%s could not be drawn", what, exc_info=error)
        self.last_error = error
        self.say(f"{what}: {error}", failed=True)
