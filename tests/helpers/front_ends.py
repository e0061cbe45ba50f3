"""Notebook 7 and Voilà as servers of their own, for the browser tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from helpers.lab import end, free_port

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
    home.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", name, "--no-browser", f"--port={port}"]
    command += [option.format(root=root) for option in options]
    if name == "voila":
        command.append(str(root))
    environment = os.environ | {
        "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"), "IPYTHONDIR": str(home / "ipython"),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }  # fmt: skip
    address, log = f"http://127.0.0.1:{port}", (home / "server.log").open("w")
    server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while True:
            if server.poll() is not None or time.monotonic() > deadline:
                told = (home / "server.log").read_text()
                raise RuntimeError(f"{name} did not start:\n{told}")
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/{ready}", timeout=2).close()
                break
            time.sleep(0.2)
        yield address
    finally:
        end(server)
        log.close()
