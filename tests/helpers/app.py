"""`cnn-widgets app` as a server of its own, for the tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from helpers.lab import end, free_port


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
    home.mkdir(parents=True, exist_ok=True)
    port, path = free_port(), home / "app.log"
    command = [sys.executable, "-m", "cnn_widgets.cli", "app", "--no-browser", f"--port={port}"]
    environment = os.environ | {
        "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"), "IPYTHONDIR": str(home / "ipython"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }  # fmt: skip
    with path.open("w") as log:
        server = subprocess.Popen([*command, *options], env=environment, stdout=log, stderr=log)
        made = Running(f"http://127.0.0.1:{port}", server, path)
        try:
            deadline = time.monotonic() + 120
            while f"The explorer is at {made.address}" not in made.log:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"The app did not start:\n{made.log}")
                time.sleep(0.2)
            yield made
        finally:
            end(server)
