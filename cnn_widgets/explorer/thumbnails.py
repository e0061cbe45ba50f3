"""The row of thumbnails: one button per photograph.

The pictures are CSS backgrounds, because an ipywidgets button cannot contain an image.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import ipywidgets as w

from cnn_widgets.explorer.stylesheet import thumbnail_sheet
from cnn_widgets.records import ImageSample


class Thumbnails:
    """A row of buttons, one per photograph.

    Parameters
    ----------
    choose : callable
        Called with the name of the photograph whose button is clicked.

    Attributes
    ----------
    box : HBox
        The row of buttons.
    sheet : HTML widget
        The style element with the buttons' background pictures.
    """

    def __init__(self, choose: Callable[[str], None]) -> None:
        self._choose = choose
        self._names: tuple[str, ...] = ()
        self.box, self.sheet = w.HBox(), w.HTML()
        self.box.add_class("cnnw-thumbs")
        self.sheet.add_class("cnnw-sheet")

    def sync(self, samples: Mapping[str, ImageSample], chosen: str) -> None:
        """Show these photographs, and mark the chosen one; buttons change only if the names do."""
        names = tuple(samples)
        if names != self._names:
            prefix = f"cnnw-thumb-{self.box.model_id[:8]}"
            self.sheet.value = thumbnail_sheet(samples, prefix)
            before = self.box.children
            self.box.children = [
                self._button(name, f"{prefix}-{i}") for i, name in enumerate(names)
            ]
            for button in before:
                close(button)
            self._names = names
        for name, button in zip(names, self.box.children, strict=True):
            (button.add_class if name == chosen else button.remove_class)("cnnw-chosen")

    def _button(self, name: str, style: str) -> w.Button:
        button = w.Button(description=name, tooltip=f"photograph {name}")
        button.add_class(style)
        button.on_click(lambda _: self._choose(name))
        return button


def close(widget: w.Widget) -> None:
    """Close a widget together with its layout and style, which are widgets too."""
    for part in (widget.layout, getattr(widget, "style", None), widget):
        if part is not None:
            part.close()


def close_tree(*widgets: w.Widget) -> None:
    """Close widgets and all their descendants."""
    for widget in widgets:
        close_tree(*getattr(widget, "children", ()))
        close(widget)
