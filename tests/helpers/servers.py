"""Servers of the browser tests: on loopback, with a home of their own, stopped by the test."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(server: subprocess.Popen) -> None:
    """End a server that a test started; one that does not listen is killed."""
    server.terminate()
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()


def answers(address: str) -> bool:
    """Return whether a server has begun to answer."""
    with contextlib.suppress(OSError):
        urllib.request.urlopen(address, timeout=2).close()
        return True
    return False


@contextlib.contextmanager
def serving(command: list[str], home: Path, ready: Callable[[], bool], **environment: str):
    """Run a server until the end of the block; yield it, once it is ready, and its log's path."""
    home.mkdir(parents=True, exist_ok=True)
    own = {
        "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"), "IPYTHONDIR": str(home / "ipython"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }  # fmt: skip
    path = home / "server.log"
    with path.open("w") as log:
        server = subprocess.Popen(
            command, env=os.environ | own | environment, stdout=log, stderr=log
        )
        try:
            deadline = time.monotonic() + 120
            while not ready():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{' '.join(command)} did not start:\n{path.read_text()}")
                time.sleep(0.2)
            yield server, path
        finally:
            end(server)
