"""Serves the explorer of an `App` with Voilà, to no more visitors than there are places."""

from __future__ import annotations

import json
import os
import re
import tempfile
import webbrowser
from collections.abc import AsyncIterator
from pathlib import Path
from string import Template
from typing import Any

from traitlets.config import Config
from voila.app import Voila
from voila.tornado.handler import TornadoVoilaHandler

from cnn_widgets.serving.kernels import VisitorKernels
from cnn_widgets.serving.places import Places
from cnn_widgets.serving.settings import App

_HERE = Path(__file__).parent
#: The name of the template, and of the kernel, in the folder `jupyter` beside this file.
_TEMPLATE, _KERNEL = "cnn_widgets", "cnn-widgets-visit"
#: What of JupyterLab's extensions the page needs.
_EXTENSIONS = [
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
]
#: Seconds between two looks of a page that waits for a place.
_AGAIN = 10
#: Seconds, as good as never.
_NEVER = 10 * 365 * 24 * 3600
#: Seconds that an explorer may take to open.
_PATIENCE = 300
#: Milliseconds between two signs of life that are asked of a page, and after which it is gone.
_PULSE = 15_000


class _Visit(TornadoVoilaHandler):  # type: ignore[misc]  # Voilà has no types
    """Answers a visitor: with an explorer, or with the words that all places are taken."""

    async def get_generator(self, path: str | None = None) -> AsyncIterator[str]:
        """Yield the parts of the answer; who is here may come in."""
        places: Places = self.kernel_manager.places
        if path or places.ask():  # a path is no visit: Voilà answers it
            try:
                async for part in super().get_generator(path):
                    yield part
            finally:  # also if the visitor has gone meanwhile
                if not path:
                    places.answered()
            return
        self.set_status(503)
        self.set_header("Retry-After", str(_AGAIN))
        self.set_header("Cache-Control", "no-store")
        several = f"{places.limit} visitors are" if places.limit > 1 else "One visitor is"
        page = Template((_HERE / "full.html").read_text("utf-8"))
        yield page.substitute(
            seconds=_AGAIN,
            words=f"{several} looking around, and this computer has room for no more.",
        )


class VisitorServer(Voila):  # type: ignore[misc]  # Voilà has no types
    """Voilà, with a limit of visitors."""

    app_settings: App
    wanted_browser = False

    def init_settings(self) -> Any:
        """Give the kernel manager its places."""
        settings = super().init_settings()
        self.kernel_manager.places = Places(self.app_settings.visitors or 1)
        self.kernel_manager.away = self.app_settings.away
        return settings

    def init_handlers(self) -> Any:
        """Answer visitors ourselves."""
        handlers = super().init_handlers()
        return [
            (each[0], _Visit, *each[2:]) if each[1] is TornadoVoilaHandler else each
            for each in handlers
        ]

    def launch_browser(self) -> None:
        """Say where the page is, once the port is taken; open it if that is wanted."""
        print(f"The explorer is at {self.display_url}. Ctrl-C ends it.", flush=True)
        if self.ip not in ("127.0.0.1", "localhost", "::1"):
            who = "Everybody who has the token" if self.token else "Everybody in this network"
            print(f"{who} can open it, by this computer's name or number.", flush=True)
        if self.wanted_browser:
            webbrowser.open(self.connection_url + (f"?token={self.token}" if self.token else ""))


def serve(app: App, *, ip: str, port: int, browser: bool, token: str = "") -> None:
    """Serve the explorer of an app until Ctrl-C or SIGTERM.

    Parameters
    ----------
    app : App
        With a number of visitors.
    ip, port : str, int
        Where it listens; of a port that is taken, one of the next.
    browser : bool
        Whether the page is opened in a browser of this computer.
    token : str
        Without it, in the address or typed, nobody comes in; "": everybody does.
    """
    paths = [str(_HERE / "jupyter"), os.environ.get("JUPYTER_PATH", "")]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(filter(None, paths))
    with tempfile.TemporaryDirectory(prefix="cnn-widgets-app-") as folder:
        page = _notebook(app, Path(folder))
        server = VisitorServer(config=_configured(app, ip, port, token))
        server.app_settings, server.wanted_browser = app, browser
        server.initialize([str(page), "--no-browser"])
        # Each visit would say that the notebook written above is not trusted
        server.log.addFilter(lambda record: "is not trusted" not in record.getMessage())
        server.open_browser = True  # it calls `launch_browser`
        server.start()


def _notebook(app: App, folder: Path) -> Path:
    """Write the notebook of one cell that Voilà shows, and return its path."""
    cell = f"from cnn_widgets.serving.visit import page_of\npage_of({app.to_json()!r})"
    made = {
        "cells": [{"cell_type": "code", "source": cell, "metadata": {}, "outputs": [],
                   "execution_count": None}],
        "metadata": {
            "kernelspec": {"name": _KERNEL, "display_name": _KERNEL, "language": "python"}
        },
        "nbformat": 4,
        "nbformat_minor": 4,
    }  # fmt: skip
    name = re.sub(r"[^\w -]+", " ", app.title).strip() or "cnn_widgets"
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps(made), "utf-8")
    return path


def _configured(app: App, ip: str, port: int, token: str) -> Config:
    made = Config()
    made.Voila.ip, made.Voila.port, made.Voila.token = ip, port, token
    made.Voila.log_level = "WARN"
    made.Voila.tornado_settings = {"ws_ping_interval": _PULSE, "ws_ping_timeout": 3 * _PULSE}
    pages = made.VoilaConfiguration
    pages.template, pages.allow_template_override = _TEMPLATE, "NO"
    pages.file_allowlist, pages.extension_allowlist = [], _EXTENSIONS
    pages.multi_kernel_manager_class = VisitorKernels
    pages.preheat_kernel, pages.default_pool_size = app.ready > 0, app.ready
    # On a busy computer what a cell shows comes seconds after its end; Voilà would go on without it
    made.VoilaExecutor.iopub_timeout = made.VoilaExecutor.timeout = _PATIENCE
    kernels = made.MappingKernelManager
    kernels.cull_idle_timeout = int(60 * app.idle) or _NEVER
    kernels.cull_connected, kernels.cull_interval = True, max(1, int(min(5, app.away / 4)))
    # A process that died is not started again, for it would have no explorer; its page is told
    made.KernelRestarter.restart_limit = 0
    return made
