"""Connects the gestures of the page with the state: the pointer's words, and the changes wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from cnn_widgets.panels.audit_panels import about_cell
from cnn_widgets.panels.places import grid, shown_confusion, strip_grid
from cnn_widgets.pointing.gestures import number, wanted
from cnn_widgets.pointing.pointer import Pointer
from cnn_widgets.pointing.readouts import about_filter, describe
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.selection import audited


class Touch:
    """The pointing widget of one explorer, and what its gestures do.

    Parameters
    ----------
    guarded : callable
        Runs a function; an error in it is shown on the page.
    scene : callable
        Returns the scene on screen.
    request : callable
        Changes the state: trait values as keywords.
    open_picture : callable
        Opens a picture that was dropped, pasted or chosen: a dict with ``name`` and ``content``.
    shown : callable
        Called when a page has begun to show the explorer, alone or within other widgets.
    press : callable
        Does what a button would: "guess …", when Enter is pressed in the field of the guess.
    """

    def __init__(
        self,
        guarded: Callable[[Callable[[], None]], bool],
        scene: Callable[[], Scene],
        request: Callable[..., None],
        open_picture: Callable[[Any], bool],
        shown: Callable[[], None],
        press: Callable[[str], None],
    ) -> None:
        self._guarded, self._scene, self._request, self._press = guarded, scene, request, press
        self._shown: Scene | None = None
        self._told: Mapping[str, Any] = {}  # the place under the pointer, if there are words for it
        self._open, self._on_shown, self._serials = open_picture, shown, count(1)
        self.pointer = Pointer(self._on_gesture)
        self.pointer.observe(lambda change: self._on_hover(change.new), "hover")

    def sync(self, scene: Scene) -> None:
        """Tell the page where the selected tiles are, for screen readers and for scrolling.

        The scene is kept for hovering: what it has computed once is not computed at every move.
        """
        self._shown = scene
        rows, columns, _ = grid(scene)
        row, column = divmod(scene.filter_choice.place(scene.filter), columns)
        text = about_filter(scene, scene.filter)
        places = {"mosaic": _place(rows, columns, row, column, text)}
        with contextlib.suppress(ValueError):  # no strip: its panel says why
            if scene.strip:
                rows, columns, names = strip_grid(scene)
                place = divmod(names.index(scene.layer.name), columns)
                places["strip"] = _place(rows, columns, *place, scene.layer.name)
        found = audited(scene)
        if found is not None and found.judged.any():
            label, answer = scene.audit_label, scene.audit_answer
            labels, answers, _ = shown_confusion(found)
            row = labels.index(label) + 1 if label in labels else 0
            column = answers.index(answer) + 1 if answer in answers else 0
            text = about_cell(found, label, answer)
            places["confusion"] = _place(len(labels) + 1, len(answers) + 1, row, column, text)
        self.pointer.places = places

    def forget(self) -> None:
        """Let go of the scene kept for hovering."""
        self._shown = None

    def tell_again(self) -> None:
        """Say what is at the place under a pointer that rests while the picture changes."""
        self._on_hover(self._told)

    def _on_hover(self, place: Mapping[str, Any]) -> None:
        def say() -> None:
            picture = str(place.get("picture"))
            scene = self._shown or self._scene()
            text = describe(scene, picture, number(place, "x"), number(place, "y"))
            self._answer(picture=picture, text=text)
            self._told = place

        self._told = {}
        if place:  # else the pointer has left the pictures
            self._guarded(say)

    def _on_gesture(self, gesture: Mapping[str, Any]) -> None:
        kind = gesture.get("kind")
        if kind == "file":
            self._open(_file(gesture))
        elif kind == "shown":
            self._guarded(self._on_shown)
        elif kind == "guess":
            self._guarded(lambda: self._press(f"guess {str(gesture.get('text')).strip()}"))
        elif kind == "left out":
            self._guarded(lambda: _left_out(gesture))
        elif kind == "keys":
            keys = gesture.get("keys")
            for key in keys[:100] if isinstance(keys, list) else ():
                self._act({"kind": "key", "picture": gesture.get("picture"), "key": key})
            self._say(str(gesture.get("picture")))
        else:
            self._act(gesture)
            if kind == "zoom":
                self.pointer.send({"kind": "zoomed"})

    def _act(self, gesture: Mapping[str, Any]) -> None:
        def act() -> None:
            changes = wanted(self._scene(), gesture)
            if changes:
                self._request(**changes)

        self._guarded(act)

    def _say(self, picture: str) -> None:
        """Read out what a key has chosen, to those who do not see the picture."""
        places = self.pointer.places
        if picture in places:
            self._answer(picture="", text=places[picture]["text"], say=True)

    def _answer(self, **words: Any) -> None:
        """Send words to the page, with a number, so that the same words can be said again."""
        self.pointer.readout = {**words, "serial": next(self._serials)}


def _place(rows: int, columns: int, row: int, column: int, text: str) -> dict[str, Any]:
    return {"rows": rows, "columns": columns, "row": row, "column": column, "text": text}


def _file(gesture: Mapping[str, Any]) -> dict[str, Any]:
    """Return a picture that the page sent, with its size before the page shrank it."""
    found = {"name": str(gesture.get("name")), "content": gesture.get("content", b"")}
    if isinstance(gesture.get("bytes"), int):
        found["bytes"] = gesture["bytes"]
    size = gesture.get("height"), gesture.get("width")
    if all(isinstance(side, int) and side > 0 for side in size):
        found["full_size"] = size
    return found


def _left_out(gesture: Mapping[str, Any]) -> None:
    """Raise a ValueError that says how many pictures of a folder were not taken."""
    taken, count = gesture.get("taken"), gesture.get("count")
    raise ValueError(
        f"{count} pictures came at once; the first {taken} were taken. CNNExplorer(images=[…]) "
        "takes any number."
    )
