"""The widget that sends the gestures of a page to the kernel, on anywidget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anywidget
from traitlets import Dict, Int

from cnn_widgets.scenes.catalog import UPLOAD_MB

#: Longest side, in pixels, to which the page scales a photograph before it is sent.
SENT_PIXELS = 2048
#: The parts of the module; the last one uses the others, and is where it begins.
_SOURCES = ("names.js", "magnifier.js", "pictures.js", "camera.js", "presence.js", "pointer.js")


class Pointer(anywidget.AnyWidget):  # type: ignore[misc]  # anywidget's base class has no types
    """Listens to the pointer and the keys over an explorer's pictures; it shows nothing itself.

    Where the page cannot load the module nothing listens, and everything else works on.

    Parameters
    ----------
    on_gesture : callable
        Called with a gesture, see `gestures.wanted`, or ``{"kind": "file", "name": …, "content":
        bytes}`` for a picture that was dropped, pasted or chosen.

    Attributes
    ----------
    hover : dict
        The place under the pointer, from the page; the newest one only, {} over no picture.
    readout : dict
        What is at that place, in words, to the page.
    places : dict
        Of each picture that is a grid: rows, columns, the selected one's row, column and words.
    """

    # As text: anywidget takes one module, and would watch a file, which keeps closed pointers alive
    _esm = "\n".join(Path(__file__).with_name(name).read_text("utf-8") for name in _SOURCES)
    hover = Dict().tag(sync=True, echo_update=False)
    readout = Dict().tag(sync=True)
    places = Dict().tag(sync=True)
    sent_pixels = Int(SENT_PIXELS).tag(sync=True)
    sent_bytes = Int(UPLOAD_MB * 2**20).tag(sync=True)

    def __init__(self, on_gesture: Callable[[Mapping[str, Any]], None]) -> None:
        super().__init__()
        self._on_gesture = on_gesture
        self.on_msg(self._on_message)

    def _on_message(self, _: Any, content: Any, buffers: list[memoryview]) -> None:
        if not isinstance(content, dict):
            return
        if content.get("kind") == "file":
            content = {**content, "content": bytes(buffers[0]) if buffers else b""}
        self._on_gesture(content)
