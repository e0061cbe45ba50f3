"""What Binder does with `binder/`, replayed: a fresh environment, one core, and 2 GB.

    .venv/bin/python .ci/binder.py                 some minutes; wants Linux and Chromium
    .venv/bin/python .ci/binder.py --python PATH   another Python than that of `binder/runtime.txt`

As repo2docker does it: a clone of the repository (so what is not committed is left out), an
environment with the packages of Binder's own image, `binder/requirements.txt`, `postBuild`, and
the server through `start`. A browser then opens the first notebook, runs all its cells and moves
through three layers. Each step is told with its seconds and with the most memory that its
processes took together (the sum of their shares, looked at ten times a second). All of them run
on one core; the browser, which is the visitor's, does not count. Exit code 1: a step failed, a
cell has an error, or the server with its kernel took more than 2 GB.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "benchmarks")]

LIMIT = 2000  # MB
#: What repo2docker puts into every environment (its `environment.py-3.12.yml` of 2025), by pip.
BASE = (
    "ipywidgets==8.*", "jupyter-offlinenotebook==0.3.*", "jupyter-resource-usage==1.*",
    "jupyter_server==2.*", "jupyterhub==5.*", "jupyterlab==4.*", "notebook==7.*",
)  # fmt: skip
NOTEBOOK = "notebooks/01_explore.ipynb"
CORE = 0


def python_named(stated: str) -> tuple[str, str]:
    """Return a Python for a line such as "python-3.12", and what is to be said about it."""
    version = stated.removeprefix("python-")
    path = shutil.which(f"python{version}")
    if path and subprocess.run([path, "-V"], capture_output=True).returncode == 0:
        return path, f"Python {version}, as binder/runtime.txt says"
    own = ".".join(map(str, sys.version_info[:2]))
    return sys.executable, f"Python {own}: {version}, which binder/runtime.txt names, is not here"


def tree(process: subprocess.Popen) -> list[int]:
    """Return the ids of a process and of all that it started."""
    import psutil

    try:
        first = psutil.Process(process.pid)
        return [first.pid, *(each.pid for each in first.children(recursive=True))]
    except psutil.NoSuchProcess:
        return []


@contextlib.contextmanager
def step(name: str, command: list[str], cwd: Path, env: dict[str, str], log: Path):
    """Run a command on one core; tell its seconds and its peak when the block is left.

    Yields the process and what looks at its memory.
    """
    from kernel_rows import Peak

    began = time.monotonic()
    with log.open("w") as out:
        process = subprocess.Popen(
            ["taskset", "-c", str(CORE), *command], cwd=cwd, env=env, stdout=out, stderr=out
        )
        try:
            with Peak(lambda: tree(process), every=0.1) as peak:
                yield process, peak
        finally:
            process.terminate()
            process.wait(30)
    print(f"| {name} | {time.monotonic() - began:.0f} s | {peak.mb:.0f} MB |", flush=True)


def done(name: str, command: list[str], cwd: Path, env: dict[str, str], log: Path) -> None:
    """Run a command until it ends."""
    with step(name, command, cwd, env, log) as (process, _):
        failed = process.wait(1800)
    if failed:
        sys.exit(f"{name} failed:\n{log.read_text()[-3000:]}")


def visit(address: str) -> None:
    """Open the first notebook as a visitor does, run it, move through layers, and store it."""
    from helpers.lab import ARGS, CHROMIUM, Explorer, run_all
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.monotonic()
        run_all(page, address, NOTEBOOK)
        loaded = time.monotonic() - began
        explorer = Explorer(page)
        explorer.wait_alt("depth", "silent", timeout=180_000)
        shown = time.monotonic() - began - loaded
        layers = explorer.control("layer", "select")
        count = layers.locator("option").count()
        for place in (1, 2, 3):
            before = explorer.frame("mosaic")
            layers.select_option(index=place * count // 4)
            explorer.wait_new_frame("mosaic", before, timeout=60_000)
        page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status=idle]")
        page.get_by_role("menuitem", name="File", exact=True).click()
        page.locator(".lm-Menu").get_by_text("Save Notebook", exact=True).click()
        page.wait_for_timeout(3000)
        browser.close()
    print(f"| … of these until the notebook was there | {loaded:.0f} s | |")
    print(f"| … of these from *Run* to the explorer | {shown:.0f} s | |")


def cells(path: Path) -> str:
    """Return what is to be said of a notebook that was run; end with an error if a cell failed."""
    import nbformat

    code = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
    wrong = [o for cell in code for o in cell.outputs if o.output_type == "error"]
    missing = sum(cell.execution_count is None for cell in code)
    if wrong or missing or not code:
        sys.exit(f"{path.name}: {len(wrong)} errors, {missing} of {len(code)} cells not run")
    return f"{len(code)} of {len(code)} code cells of {path.name} ran without an error"


def wait_for(address: str, log: Path) -> None:
    """Wait until a server answers."""
    import urllib.request

    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{address}/api/status", timeout=2).close()
            return
        time.sleep(0.2)
    sys.exit(f"the server did not start:\n{log.read_text()[-3000:]}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", help="which Python; by default that of binder/runtime.txt")
    given = parser.parse_args()
    from helpers.servers import free_port

    stated = (ROOT / "binder" / "runtime.txt").read_text().strip()
    python, told = python_named(stated)
    if given.python:
        python = given.python
        told = subprocess.check_output([python, "-V"], text=True).strip()
    print(f"{told}\n\n| step | time | most memory |\n|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as place:
        top = Path(place)
        repository, venv, home, log = (top / each for each in ("repo", "venv", "home", "log"))
        home.mkdir()
        subprocess.run(["git", "clone", "-q", f"file://{ROOT}", repository], check=True)
        own = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
        own["PATH"] = f"{venv}/bin{os.pathsep}{own['PATH']}"
        pip = [f"{venv}/bin/python", "-m", "pip", "install", "-q", "--no-cache-dir"]
        done("an environment", [python, "-m", "venv", str(venv)], top, own, log)
        done("the packages of Binder's image", [*pip, *BASE], top, own, log)
        wanted = ["-r", "binder/requirements.txt"]
        done("`binder/requirements.txt`", [*pip, *wanted], repository, own, log)
        # A visitor's home is empty; what pip needed to find its index stays out of it
        own |= {"HOME": str(home), "JUPYTER_CONFIG_DIR": f"{home}/config",
                "JUPYTER_DATA_DIR": f"{home}/data", "IPYTHONDIR": f"{home}/ipython"}  # fmt: skip
        done("`postBuild`", ["binder/postBuild"], repository, own, log)
        port = free_port()
        server = ["binder/start", "jupyter", "lab", "--ip=127.0.0.1", f"--port={port}"]
        server += ["--no-browser", "--ServerApp.token=", "--ServerApp.port_retries=0"]
        server += ["--LabApp.news_url=None", "--allow-root"]
        with step("the server and the notebook", server, repository, own, log) as (_, peak):
            address = f"http://127.0.0.1:{port}"
            wait_for(address, log)
            visit(address)
        print(f"\n{cells(repository / NOTEBOOK)}; at most {peak.mb:.0f} MB of {LIMIT} MB")
    return int(peak.mb > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
