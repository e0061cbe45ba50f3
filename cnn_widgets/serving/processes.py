"""Starts the visitors' processes: on Linux by fork from one that has everything imported.

That one makes no network and asks none: TensorFlow starts its threads on first use, and a process
with threads of TensorFlow's must not be forked.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from typing import Any

import numpy as np
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

#: Elsewhere than on Linux, libraries that TensorFlow uses do not bear a fork.
FORKS = sys.platform == "linux"
_CONTEXT: Any = get_context("forkserver" if FORKS else "spawn")
#: What a visitor's process needs, and shares with the others.
_SHARED = [
    "tensorflow",
    "keras",
    "cv2",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "cnn_widgets.serving.visit",
    "cnn_widgets.serving.frozen",
]
if FORKS:
    _CONTEXT.set_forkserver_preload(_SHARED)


def process(target: Any, *arguments: Any) -> Any:
    """Return a process that has been started, a `multiprocessing.Process`.

    Parameters
    ----------
    target : callable
        A function of a module, called with the arguments.
    """
    made = _CONTEXT.Process(target=_fresh, args=(target, *arguments), daemon=True)
    made.start()
    return made


def _fresh(target: Any, *arguments: Any) -> None:
    """Call a function in a new process, which has random numbers of its own."""
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    random.seed()
    np.random.seed()
    target(*arguments)


def _end_with_the_server() -> None:
    """Wait for the end of the process that asked for this one, and end, too."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
    os._exit(1)


def pipe() -> Any:
    """Return (receiver, sender) between this process and one that `process` starts."""
    return _CONTEXT.Pipe(duplex=False)


class _Popen:
    """What a provisioner needs of `subprocess.Popen`, of a forked process."""

    stdin = stdout = stderr = None

    def __init__(self, made: Any) -> None:
        self._made, self.pid = made, made.pid

    def poll(self) -> int | None:
        """Return the exit code, or None while the process runs."""
        code: int | None = self._made.exitcode
        return code

    def wait(self) -> int | None:
        """Wait until the process has ended, and return its exit code."""
        self._made.join()
        return self.poll()

    def send_signal(self, number: int) -> None:
        """Send a signal, if the process still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self._made.terminate()

    def kill(self) -> None:
        """End the process."""
        self._made.kill()


class ForkedProvisioner(LocalProvisioner):  # type: ignore[misc]  # it has no types
    """Starts a kernel as a fork of a process that has TensorFlow imported.

    Elsewhere than on Linux it starts kernels as Jupyter does.
    """

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start the kernel that a command line stands for, and return how to connect to it."""
        if not FORKS:
            return await super().launch_kernel(cmd, **kwargs)
        options = cmd[cmd.index("ipykernel_launcher") + 1 :]
        # Some of the names are an enumeration of Voilà's, which the kernel would have to import
        environment = {str.__str__(name): value for name, value in kwargs["env"].items()}
        made = process(_run_kernel, options, environment, kwargs.get("cwd"))
        self.process, self.pid, self.pgid = _Popen(made), made.pid, None
        return self.connection_info


def _run_kernel(options: list[str], environment: dict[str, str], folder: str | None) -> None:
    """Be a kernel: run in the forked process."""
    from ipykernel.kernelapp import launch_new_instance

    os.setsid()  # Ctrl-C in the server's terminal is for the server
    os.environ.clear()
    os.environ.update(environment)
    if folder:
        os.chdir(folder)
    # A port of this computer that only who has the connection file can use is nothing to warn of
    options += [
        f"--IPKernelApp.parent_handle={os.getppid()}",
        "--log-level=ERROR",
        "--HistoryManager.enabled=False",  # nothing is typed; and all would write into one file
    ]
    sys.argv = ["ipykernel_launcher", *options]
    launch_new_instance(argv=options)
