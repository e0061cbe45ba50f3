"""What runs in a visitor's process: the explorer of an `App`."""

from __future__ import annotations

import sys
from html import escape
from typing import Any

import ipywidgets as w

from cnn_widgets.explorer.explorer import CNNExplorer
from cnn_widgets.serving.settings import App

#: Controls that no visitor has unless the app allows it: this computer would open what is typed.
TYPED = ("location",)
_CLOSED = (
    "This page was closed, because nothing happened on it for some time or because the server was "
    "stopped. Reload it to look around again."
)


def explorer_of(text: str) -> CNNExplorer:
    """Return the explorer that a visitor sees.

    Parameters
    ----------
    text : str
        The `App`, as `App.to_json` wrote it.

    Raises
    ------
    ValueError, OSError
        If network, photographs, share string or lock cannot be used.
    """
    app = App.from_json(text)
    options: dict[str, Any] = {
        "lock": [*dict.fromkeys((*app.lock, *(() if app.addresses else TYPED)))],
        "predict_first": app.predict_first,
        "downloads": True,
    }
    if app.link is None:
        return CNNExplorer(app.model, app.images, **options)
    made: CNNExplorer = CNNExplorer.from_link(app.link, app.model, app.images, **options)
    return made


def page_of(text: str) -> CNNExplorer:
    """Return the visitor's page: the explorer, with words in its place once the process ends."""
    w.register_comm_target()  # ipywidgets does so where it is imported, here before the fork
    page = explorer_of(text)
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        _say_at_the_end(kernel, page)
    return page


def _say_at_the_end(kernel: Any, page: CNNExplorer) -> None:
    """Let a kernel that is told to shut down put words in the place of the explorer first."""
    shut_down = kernel.do_shutdown

    def last(restart: bool) -> Any:
        words = f'<p role="alert" style="font-size:16px">{escape(_CLOSED)}</p>'
        page.children = (w.HTML(words),)
        return shut_down(restart)

    kernel.do_shutdown = last
