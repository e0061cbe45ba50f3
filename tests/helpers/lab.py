"""A real JupyterLab and a real Chromium for the browser tests."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from functools import partial
from pathlib import Path

import nbformat

import cnn_widgets
from helpers.servers import answers, free_port, serving

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells."""
    made = nbformat.v4.new_notebook(metadata=KERNEL)
    made.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(made, path)
    return path


@contextlib.contextmanager
def jupyterlab(root: Path, home: Path, *options: str):
    """Run JupyterLab on loopback in a folder, with a home of its own; yield its address."""
    port = free_port()
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--ip=127.0.0.1",
        "--ServerApp.token=", "--ServerApp.password=", "--ServerApp.port_retries=0",
        "--LabApp.news_url=None", f"--ServerApp.root_dir={root}", "--allow-root", *options,
    ]  # fmt: skip
    settings = str(Path(cnn_widgets.__file__).parent / "lab_settings")
    address = f"http://127.0.0.1:{port}"
    ready = partial(answers, f"{address}/api/status")
    with serving(command, home, ready, JUPYTER_CONFIG_PATH=settings):
        yield address


def run_all(page, address: str, name: str) -> None:
    """Open a notebook and run all its cells."""
    page.goto(f"{address}/doc/tree/{name}?reset")
    # Before the kernel's session is up, Lab drops the command or asks for a kernel
    page.get_by_text(re.compile(r"\| Idle$")).first.wait_for(timeout=60_000)
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]", timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.locator(".lm-Menu").get_by_text("Run All Cells", exact=True).click()


class Explorer:
    """The explorer on the page, for reading and moving."""

    def __init__(self, page):
        self.page = page
        self.root = page.locator(".jp-OutputArea .cnnw-explorer").first

    def panel(self, name):
        return self.root.locator(f".cnnw-panel-{name}")

    def control(self, name, inside=""):
        return self.root.locator(f".cnnw-control-{name} {inside}".strip())

    def frame(self, name) -> int:
        return int(self.panel(name).locator(".cnnw-view").first.get_attribute("data-frame"))

    def alt(self, name) -> str:
        image = self.panel(name).locator("img").first
        return image.get_attribute("alt") or image.get_attribute("title")

    def wait_alt(self, name, text, timeout=15_000):
        """Wait until a panel's picture says `text` and its pixels are decoded."""
        self.page.wait_for_function(
            """([panel, text]) => {
                const img = document.querySelector(`.jp-OutputArea .cnnw-panel-${panel} img`);
                return img && (img.alt || img.title).includes(text) && img.complete
                    && img.naturalWidth > 1;
            }""",
            arg=[name, text], timeout=timeout,
        )  # fmt: skip

    def wait_new_frame(self, name, before, timeout=15_000):
        """Wait until a panel has been drawn again."""
        self.page.wait_for_function(
            """([panel, before]) => {
                const view = document.querySelector(
                    `.jp-OutputArea .cnnw-panel-${panel} .cnnw-view`);
                return view && Number(view.dataset.frame) > before;
            }""",
            arg=[name, before], timeout=timeout,
        )  # fmt: skip

    def wait_over(self, name, other, timeout=15_000):
        """Wait until the picture of a panel lies exactly over that of another."""
        self.page.wait_for_function(
            """names => {
                const [one, two] = names.map(name => document.querySelector(
                    `.jp-OutputArea .cnnw-panel-${name} img`)?.getBoundingClientRect());
                return one?.width > 1 && two && ['x', 'y', 'width', 'height'].every(
                    each => one[each] === two[each]);
            }""",
            arg=[name, other], timeout=timeout,
        )  # fmt: skip

    def wait_opacity(self, opacity, timeout=15_000):
        """Wait until the evidence lies over its photograph with an opacity."""
        self.page.wait_for_function(
            "opacity => getComputedStyle(document.querySelector("
            "'.jp-OutputArea .cnnw-panel-overlay .cnnw-heat')).opacity === opacity",
            arg=opacity, timeout=timeout,
        )  # fmt: skip

    def open_fold(self, name):
        """Open a section that is folded."""
        fold = self.control(name)
        if not fold.locator(".jupyter-widget-Collapse-open").count():
            fold.locator(".jupyter-widget-Collapse-header").first.click()
            fold.locator(".jupyter-widget-Collapse-open").first.wait_for()

    def wait_status(self, text, timeout=15_000):
        self.page.wait_for_function(
            "text => document.querySelector('.jp-OutputArea .cnnw-status')"
            "?.textContent.includes(text)",
            arg=text, timeout=timeout,
        )  # fmt: skip
