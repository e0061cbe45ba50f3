"""Visitors of `cnn-widgets app`: the memory that each takes, and how soon the page is there.

Beside them the same page from Voilà alone, where each visitor's process imports everything itself.
A visit here is a request for the page; it is answered once the explorer is there.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
from timing import Row

sys.path.insert(0, str(Path(__file__).parent.parent))

VISITORS = 5
MB = 1e6


def rows() -> Iterator[Row]:
    """Yield the rows of visitors."""
    from helpers.app import running
    from helpers.front_ends import front_end
    from helpers.lab import notebook

    with tempfile.TemporaryDirectory() as place:
        with running(Path(place, "app"), f"--visitors={VISITORS}", "--ready=1") as app:
            kernels = [each.pid for each in app.wait_kernels(1)]
            _settled(app.server.pid, kernels)
            first = _visit(app.address)
            times = [_visit(app.address) for _ in range(VISITORS - 1)]
            pids = [each.pid for each in app.wait_kernels(VISITORS + 1)]
            _settled(app.server.pid, pids)
            ours = _memory(pids) | {"ready": first, "opened": statistics.median(times)}
            ours["all"] = _share(app.server.pid)
        root = Path(place, "voila")
        root.mkdir()
        notebook(root / "page.ipynb", "import cnn_widgets as cw\ncw.CNNExplorer()")
        with front_end("voila", root, Path(place, "home")) as address:
            (server,) = [
                each for each in psutil.Process().children() if "voila" in " ".join(each.cmdline())
            ]
            times = [_visit(f"{address}/voila/render/page.ipynb") for _ in range(VISITORS)]
            pids = [each.pid for each in server.children()]
            _settled(server.pid, pids)
            theirs = _memory(pids) | {"opened": statistics.median(times)}
            theirs["all"] = _share(server.pid)
    yield _row("memory of its own, of one visitor's process", "private", ours, theirs, 0.6)
    yield _row("the same, with its share of what all read", "share", ours, theirs, 0.6)
    told = f"all of it with {VISITORS} visitors (ours: one more waits)"
    yield _row(told, "all", ours, theirs, 0.85)
    yield Row("until a page is there, explorers waiting", f"{ours['ready']:.2f} s",
              f"Voilà alone: {theirs['opened']:.1f} s", _times(ours["ready"], theirs["opened"]),
              "–")  # fmt: skip
    yield Row("until a page is there, one after the other", f"{ours['opened']:.1f} s",
              f"Voilà alone: {theirs['opened']:.1f} s", _times(ours["opened"], theirs["opened"]),
              "–")  # fmt: skip


def _times(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}×"


def _row(what: str, name: str, ours: dict, theirs: dict, most: float) -> Row:
    ratio = ours[name] / theirs[name]
    return Row(what, f"{ours[name]:.0f} MB", f"Voilà alone: {theirs[name]:.0f} MB",
               f"{ratio:.2f}×", f"≤ {most}×", ratio <= most)  # fmt: skip


def _visit(address: str) -> float:
    """Return the seconds until a page is there whole."""
    began = time.perf_counter()
    with urllib.request.urlopen(address, timeout=300) as page:
        assert b"application/vnd.jupyter.widget-view+json" in page.read()
    return time.perf_counter() - began


def _settled(server: int, pids: list[int]) -> None:
    """Wait until the processes have worked off what they do in the background."""
    everyone = [psutil.Process(each) for each in (server, *pids)]
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        before = sum(sum(each.cpu_times()[:2]) for each in everyone)
        time.sleep(3)
        if sum(sum(each.cpu_times()[:2]) for each in everyone) - before < 0.15:
            return


def _memory(pids: list[int]) -> dict[str, float]:
    """Return the medians of the processes' private memory, and of their share, in MB."""
    found = [psutil.Process(each).memory_full_info() for each in pids]
    return {
        "private": statistics.median(each.uss for each in found) / MB,
        "share": statistics.median(each.pss for each in found) / MB,
    }


def _share(server: int) -> float:
    """Return what a server and all its processes take together, in MB."""
    everyone = [psutil.Process(server), *psutil.Process(server).children(recursive=True)]
    total = 0.0
    for each in everyone:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += each.memory_full_info().pss
    return total / MB


if __name__ == "__main__":
    print(json.dumps([row.plain() for row in rows()], indent=1))
