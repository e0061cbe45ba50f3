"""What an explorer puts into a cell beside itself: a card while it loads, and a still picture.

The picture is an output of its own: a notebook that is opened without its kernel can show no
widget, but it shows that picture. While the widget lives, its style sheet hides the picture.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterator, Set
from html import escape
from typing import Any

from cnn_widgets.rendering.export import is_private, preview_png
from cnn_widgets.scenes.scene import Scene

log = logging.getLogger(__name__)

_CARD = (
    '<div style="padding:10px 14px;border-left:3px solid #e8743b;font:14px sans-serif">{}'
    '<div style="opacity:.7;font-size:12px">The first time this takes from ten seconds to a '
    "minute: TensorFlow is loaded, and the network is built.</div></div>"
)
#: Front ends whose page the style sheet cannot reach: there the picture goes into one output with
#: the widget, instead of standing below it.
_ONE_OUTPUT = ("VSCODE_PID", "VSCODE_CWD", "COLAB_RELEASE_TAG")


@contextlib.contextmanager
def loading_card(line: str) -> Iterator[None]:
    """Return a context that shows a line in the cell while its body runs; outside a kernel nothing.

    >>> with loading_card("Opening the network …"):
    ...     pass
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is None:
        yield
        return
    ipython: Any = importlib.import_module("IPython.display")
    card = ipython.display(ipython.HTML(_CARD.format(escape(line))), display_id=True)
    try:
        yield
    finally:
        card.update(ipython.HTML("<span></span>"))


def bundle_of(made: Callable[..., Any] | None, widget: Any, options: Any) -> Any:
    """Return what a front end shows of a widget: a dict by MIME type, or that and its metadata.

    Parameters
    ----------
    made : callable or None
        `_repr_mimebundle_` of ipywidgets 8, called with `options`. Before, widgets had none.
    widget : Widget
    """
    if made is not None:
        return made(**options)
    view = {"version_major": 2, "version_minor": 0, "model_id": widget.model_id}
    return {"application/vnd.jupyter.widget-view+json": view}


def add_still(bundle: Any, text: str, scene: Scene, uploads: Set[str]) -> Exception | None:
    """Add a PNG and a line of text to a widget's output.

    The widget itself must still be displayed, so an error is returned, not raised.

    Parameters
    ----------
    bundle : dict, or (dict, dict)
        What ipywidgets' `_repr_mimebundle_` returned.
    text : str
    scene : Scene
    uploads : set of str
        The names of uploaded photographs: a scene that shows one gets no picture.
    """
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    data["text/plain"] = text
    try:
        if not is_private(scene, uploads):
            data["image/png"] = preview_png(scene)
    except Exception as error:
        log.info("The preview picture could not be drawn", exc_info=error)
        return error
    return None


def show_outputs(bundle: Any, text: str) -> None:
    """Show a widget in the cell, and its still picture as a second output.

    `bundle` is what `add_still` filled, `text` stands for the picture where none can be shown.
    """
    display: Any = importlib.import_module("IPython.display").display
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {"text/plain": text}, {})
    picture = None
    if not any(name in os.environ for name in _ONE_OUTPUT):
        picture = data.pop("image/png", None)
    display(data, metadata=metadata, raw=True)
    if picture is not None:
        display({"image/png": picture, "text/plain": text}, raw=True)
