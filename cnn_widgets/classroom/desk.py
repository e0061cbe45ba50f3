"""The widgets of teaching: the guess before the answer, the pinned views, the share string."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as w

from cnn_widgets.classroom.guesses import Guesses
from cnn_widgets.classroom.pins import Pin
from cnn_widgets.classroom.quantities import QUANTITIES
from cnn_widgets.classroom.sharing import link_of
from cnn_widgets.rendering.saving import Download, file_stem, save
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State

#: What the buttons of the pinned views ask for.
PRESSED = ("pin", "unpin", "hand in")


class GuessBox:
    """A field for the guess of a class, with its button and the score.

    Parameters
    ----------
    guess : callable
        Called with the text that was entered.
    """

    def __init__(self, guess: Callable[[str], object]) -> None:
        self.field = w.Combobox(
            placeholder="a class …", description="your guess", continuous_update=False
        )
        self.field.style.description_width = "initial"
        self.button = w.Button(description="That is my guess", button_style="primary",
                               layout=w.Layout(width="auto"))  # fmt: skip
        self.words = w.HTML()
        self.field.add_class("cnnw-control-guess")
        self.button.on_click(lambda _: guess(self.field.value.strip()))
        row = w.HBox([self.field, self.button])
        row.add_class("cnnw-row")
        self.box = w.VBox([self.words, row])
        self.box.add_class("cnnw-guess")
        self._row = row

    def sync(self, scene: Scene, guesses: Guesses, asked: bool) -> None:
        """Show the field if a guess is asked for; and the score if any guess was made."""
        open_ = guesses.hides(scene, asked)
        asked = asked and scene.network.classes > 1
        self.box.layout.display = None if asked else "none"
        self._row.layout.display = None if open_ else "none"
        self.words.value = f"<div>{escape(guesses.told(scene))}</div>" if asked else ""
        if tuple(self.field.options) != tuple(scene.network.class_names):
            self.field.options = scene.network.class_names
        if not open_ and self.field.value:
            self.field.value = ""


class PinBoard:
    """Pins the view with a note and a claim, lists the pinned views and writes the hand-in.

    Parameters
    ----------
    press : callable
        Called with "pin", "unpin" or "hand in".
    """

    def __init__(self, press: Callable[[str], object]) -> None:
        self.note = w.Textarea(placeholder="What do you see, and what does it show? …", rows=3,
                               description="note", layout=w.Layout(width="98%"))  # fmt: skip
        offered = [(f"{name}: {what}", name) for name, (what, _) in QUANTITIES.items()]
        offered.insert(0, ("nothing, only the note", ""))
        self.quantity = w.Dropdown(options=offered, description="I claim",
                                   layout=w.Layout(width="32.4em"))  # fmt: skip
        self.value = w.Text(placeholder="its value", description="is",
                            layout=w.Layout(width="18.5em"))  # fmt: skip
        self.name = w.Text(placeholder="your name", description="name",
                           layout=w.Layout(width="23.1em"))  # fmt: skip
        self.listed = w.HTML()
        self.shared = w.Text(description="share string of this view",
                             tooltip="CNNExplorer.from_link opens the same view elsewhere",
                             layout=w.Layout(width="40em"))  # fmt: skip
        self.shared.style.description_width = "initial"
        self.shared.add_class("cnnw-control-share")
        self.note.add_class("cnnw-control-note")
        self.name.add_class("cnnw-control-name")
        self.quantity.add_class("cnnw-control-quantity")
        self.value.add_class("cnnw-control-value")
        buttons = []
        for kind, label in (("pin", "Pin this view"), ("unpin", "Take the last one off"),
                            ("hand in", "Write the hand-in")):  # fmt: skip
            button = w.Button(description=label, layout=w.Layout(width="auto"))
            button.add_class(f"cnnw-control-{kind.replace(' ', '_')}")
            button.on_click(lambda _, kind=kind: press(kind))
            buttons.append(button)
        rows = (w.HBox([self.quantity, self.value]), w.HBox(buttons[:2]),
                w.HBox([self.name, buttons[2]]))  # fmt: skip
        for row in rows:
            row.add_class("cnnw-row")
        self.box = w.VBox([self.note, rows[0], rows[1], self.listed, rows[2]])
        self.sync(())

    def share(self, state: State) -> None:
        """Show the share string of a state, while the fold is open in which it stands."""
        try:
            self.shared.value = link_of(state.to_dict()) if state.handing_in else ""
        except ValueError as error:  # it would be too long
            self.shared.value = str(error)

    def sync(self, pins: Sequence[Pin]) -> None:
        """List what is pinned."""
        items = "".join(f"<li>{'<br>'.join(_lines(each))}</li>" for each in pins)
        self.listed.value = f"<ol>{items}</ol>" if items else "<div>Nothing is pinned yet.</div>"

    def pressed(self, kind: str, explorer: Any) -> str | Download:
        """Do what a button asks for, and return what to say about it."""
        if kind == "pin":
            explorer.pin(self.note.value, **self._claim())
            self.note.value = self.quantity.value = self.value.value = ""
            return f"Pinned: {len(explorer.pins)} so far."
        if kind == "unpin":
            explorer.unpin()
            return f"{len(explorer.pins)} pinned."
        name = self.name.value.strip()
        stem = file_stem(name, "hand-in")
        return save(
            lambda folder: explorer.report(folder / f"{stem}.html", name),
            "Written",
            explorer.downloads,
        )

    def _claim(self) -> dict[str, str]:
        """Return what is claimed, by its quantity; a ValueError if half of it is missing."""
        quantity, value = self.quantity.value, self.value.value.strip()
        if bool(quantity) != bool(value):
            raise ValueError(
                "Expected what you claim and its value, or neither. Received: "
                + (f"{quantity} without a value" if quantity else f"{value!r} alone")
            )
        return {quantity: value} if quantity else {}


def _lines(pinned: Pin) -> list[str]:
    """Return what the list of pinned views says of one, as lines of HTML."""
    note = [f"<i>{escape(pinned.note)}</i>"] if pinned.note else []
    claims = [escape(f"{name}: {value}") for name, value in pinned.answers.items()]
    return [escape(pinned.title), *note, *claims]
