"""Notebook 7 and Voilà as servers of their own, for the browser tests."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from pathlib import Path

from helpers.servers import answers, free_port, serving

#: The options of each front end, and an address that answers when it is ready.
FRONT_ENDS = {
    "notebook": (
        ["--ServerApp.token=", "--ServerApp.password=", "--ServerApp.port_retries=0",
         "--JupyterNotebookApp.news_url=None", "--allow-root", "--ServerApp.root_dir={root}"],
        "api/status",
    ),
    "voila": (["--Voila.ip=127.0.0.1", "--Voila.root_dir={root}"], ""),
}  # fmt: skip


@contextlib.contextmanager
def front_end(name: str, root: Path, home: Path):
    """Run a front end on loopback in a folder, with a home of its own; yield its address."""
    port, (options, ready) = free_port(), FRONT_ENDS[name]
    command = [sys.executable, "-m", name, "--no-browser", f"--port={port}"]
    command += [option.format(root=root) for option in options]
    if name == "voila":
        command.append(str(root))
    address = f"http://127.0.0.1:{port}"
    with serving(command, home, partial(answers, f"{address}/{ready}")):
        yield address


def run_in_notebook_7(page, address: str, name: str) -> None:
    """Open a notebook in Notebook 7 and run all its cells."""
    # Before the kernel's session is up, it drops the command
    with page.expect_websocket(lambda socket: "/channels" in socket.url):
        page.goto(f"{address}/notebooks/{name}")
    page.get_by_role("button", name="Python 3 (ipykernel)").wait_for()
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(".lm-Menu").get_by_text("Run All Cells", exact=True).click()
