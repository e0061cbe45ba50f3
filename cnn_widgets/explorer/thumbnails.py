"""The photographs to choose from: one button each, a page at a time, with a search for many.

The pictures are CSS backgrounds, because an ipywidgets button cannot contain an image.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import escape

import ipywidgets as w

from cnn_widgets.rendering.stylesheet import THUMBNAIL, thumbnail_sheet
from cnn_widgets.scenes.photographs import PAGE, Fitted

_ORDERS = {"in their order": "set", "by name": "name", "by label": "label"}


class Thumbnails:
    """A page of buttons, one per photograph; what turns the page is seen where there are more.

    Parameters
    ----------
    choose : callable
        Called with the name of the photograph whose button is clicked.

    Attributes
    ----------
    box : VBox
        The row of buttons, and below it what turns the page.
    row : HBox
        The buttons.
    sheet : HTML widget
        The style element with the buttons' background pictures.
    """

    def __init__(self, choose: Callable[[str], None]) -> None:
        self._choose = choose
        self._samples: Fitted | None = None
        self._names: tuple[str, ...] = ()
        self._found: tuple[str, ...] = ()
        self._listed: tuple[object, ...] = ()
        self._start, self._chosen, self._lock = 0, "", threading.RLock()
        self._selected: tuple[str, ...] | None = None
        self._about: tuple[str, ...] = ()
        self.row, self.sheet, self.told = w.HBox(), w.HTML(), w.HTML()
        self.row.add_class("cnnw-thumbs")
        self.sheet.add_class("cnnw-sheet")
        self.search = w.Text(placeholder="search names and labels …", continuous_update=False,
                             description="search photographs", tooltip="Part of a name or a label",
                             layout=w.Layout(width="14.7em"))  # fmt: skip
        self.search.add_class("cnnw-nolabel")
        self.search.add_class("cnnw-control-photo_search")
        self.order = w.Dropdown(options=list(_ORDERS.items()), description="order of photographs",
                                tooltip="In which order the photographs stand",
                                layout=w.Layout(width="10em"))  # fmt: skip
        self.order.add_class("cnnw-nolabel")
        self.order.add_class("cnnw-control-photo_order")
        turns = [self._turn("◀", "earlier photographs", -PAGE), self._turn("▶", "later ones", PAGE)]
        self.notes = w.HTML()
        self.notes.add_class("cnnw-soft")
        self._turning = [turns[0], self.told, turns[1], self.search, self.order]
        self.pager = w.HBox([*self._turning, self.notes])
        self.pager.add_class("cnnw-row")
        self.box = w.VBox([self.row, self.pager])
        self.box.add_class("cnnw-shelf")
        for field in (self.search, self.order):
            field.observe(lambda _: self._turned(), "value")

    def sync(
        self,
        samples: Fitted,
        chosen: str,
        selected: tuple[str, ...] | None = None,
        told: tuple[str, ...] = (),
    ) -> None:
        """Show the page with the chosen photograph, and mark it.

        If some are `selected`, only those stand here; `told` says which they are, and the same
        without their order, for when they stand in another one.
        """
        with self._lock:
            moved = chosen != self._chosen or selected != self._selected
            self._samples, self._chosen = samples, chosen
            self._selected, self._about = selected, told
            self._look_up(samples)
            if moved and chosen in self._found:
                self._start = self._found.index(chosen) // PAGE * PAGE
            self._show(samples)

    def _look_up(self, samples: Fitted) -> None:
        """Find the photographs that the search names, in the order chosen."""
        table, query = samples.photographs, self.search.value.strip().lower()
        found = table.names if self._selected is None else self._selected
        wanted = (found, query, self.order.value)
        if wanted == self._listed:
            return
        self._listed = wanted
        if query:
            texts = ((name, f"{name}\n{table.label(name)}".lower()) for name in found)
            found = tuple(name for name, text in texts if query in text)
        if self.order.value == "name":
            found = tuple(sorted(found, key=str.lower))
        elif self.order.value == "label":
            found = tuple(sorted(found, key=lambda name: str(table.label(name))))
        self._found, self._start = found, 0

    def _show(self, samples: Fitted) -> None:
        table = samples.photographs
        names = self._found[self._start : self._start + PAGE]
        if names != self._names:
            prefix = f"cnnw-thumb-{self.row.model_id[:8]}"
            self.sheet.value = thumbnail_sheet(
                [table.thumbnail(name, THUMBNAIL[1]) for name in names], prefix
            )
            before = self.row.children
            self.row.children = [
                self._button(samples, name, f"{prefix}-{i}") for i, name in enumerate(names)
            ]
            for button in before:
                close(button)
            self._names = names
        for name, button in zip(names, self.row.children, strict=True):
            (button.add_class if name == self._chosen else button.remove_class)("cnnw-chosen")
        several = len(table) > PAGE or self._selected is not None
        for each in self._turning:
            each.layout.display = None if several else "none"
        last, found = min(self._start + PAGE, len(self._found)), len(self._found)
        every = found == len(table)
        of = f"of {found:,}" if every else f"of {found:,} found among {len(table):,}"
        none = f"none found among {len(table):,}"
        self.told.value = f"{self._start + 1}–{last} {of}" if found else none
        bad = len(table.unreadable)
        own, plain = self.order.value == "set", f", {self.order.label}"
        notes = [self._about[0] if own else self._about[1] + plain] if self._about else []
        notes += [*table.notes, *([f"{bad} so far cannot be read"] if bad else [])]
        self.notes.value = escape("; ".join(notes))
        self.pager.layout.display = None if notes or several else "none"

    def _turned(self, step: int = 0) -> None:
        """Show what is searched for, or another page; a redraw in another thread comes after it."""
        with self._lock:
            if self._samples is None:
                return
            self._look_up(self._samples)
            if 0 <= self._start + step < len(self._found):
                self._start += step
            self._show(self._samples)

    def _turn(self, sign: str, tooltip: str, step: int) -> w.Button:
        button = w.Button(description=sign, tooltip=tooltip)
        button.add_class("cnnw-arrow")

        button.on_click(lambda _: self._turned(step))
        return button

    def _button(self, samples: Fitted, name: str, style: str) -> w.Button:
        table = samples.photographs
        label, why = table.label(name), table.unreadable.get(name)
        about = f"photograph {name}{f', labelled {label}' * (label is not None)}"
        title = name.rsplit("/", 1)[-1] if label is not None else name
        button = w.Button(description=title, tooltip=why or about)
        button.add_class(style)
        if why:
            button.add_class("cnnw-unreadable")
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
