"""`cnn-widgets app` as a server of its own, for the tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from helpers.servers import free_port, serving


class Running:
    """A running app: where it is, what it printed, and its processes."""

    def __init__(self, address: str, server: subprocess.Popen, log: Path):
        self.address, self.server, self._log = address, server, log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def kernels(self) -> list[psutil.Process]:
        """The visitors' processes, those that wait included: forked, each in a group of its own."""
        return [
            each
            for each in psutil.Process(self.server.pid).children(recursive=True)
            if os.getpgid(each.pid) == each.pid
        ]

    def wait_kernels(self, number: int, timeout: float = 60) -> list[psutil.Process]:
        """Wait until so many of the visitors' processes run, and return them."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                if len(found := self.kernels()) == number:
                    return found
            time.sleep(0.2)
        raise AssertionError(f"{len(self.kernels())} kernels, not {number}:\n{self.log}")


@contextlib.contextmanager
def running(home: Path, *options: str):
    """Run the app on loopback, with a home of its own, and yield it once it answers."""
    port = free_port()
    command = [sys.executable, "-m", "cnn_widgets.cli", "app", "--no-browser", f"--port={port}"]
    address, path = f"http://127.0.0.1:{port}", home / "server.log"

    def ready() -> bool:
        return f"The explorer is at {address}" in path.read_text()

    with serving([*command, *options], home, ready) as (server, log):
        yield Running(address, server, log)
