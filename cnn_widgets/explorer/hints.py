"""Three hints above a new explorer, shown one after the other until they are dismissed."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as w

HINTS = (
    "Click a filter, point at any picture: the place under the pointer is told in words.",
    "Click the photograph to see how much of it one cell sees. Drag over it to mark a region.",
    "Click a class in the list to see what speaks for it; with Shift, rather than what.",
)


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
