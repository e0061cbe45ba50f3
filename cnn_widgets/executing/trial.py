"""Finds the photographs that make a process die, by trying each in a process that may die."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

from cnn_widgets.executing.packing import unpack

_BEGINS, _DONE = "photograph", "photographs done"
_COMMAND = "from cnn_widgets.executing.trial import main; main()"


def deadly(task: bytes, count: int, network: bool) -> dict[int, str]:
    """Return the photographs of a shard over which a process dies, by number, and how it died.

    Parameters
    ----------
    task : bytes
        The pickled `Task`.
    count : int
        How many photographs it has.
    network : bool
        Whether the network is asked about each, too: that takes seconds more to begin with.

    Raises
    ------
    RuntimeError
        If the process dies or fails before it comes to a photograph: no photograph is to blame.
    """
    found: dict[int, str] = {}
    start = 0
    while start < count:
        last = _tried(task, start, network)
        if last is None:
            break
        number, how = last
        found[number] = (
            f"A process died over this photograph ({how}), first a worker and then one that tried "
            "it alone. It is left out."
        )
        start = number + 1
    return found


def _tried(task: bytes, start: int, network: bool) -> tuple[int, str] | None:
    """Try the photographs from a number on; return that over which the process died, and how."""
    paths = os.pathsep.join(each for each in sys.path if each)
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(task)
        given.seek(0)
        command = [sys.executable, "-c", _COMMAND, str(start), str(int(network))]
        done = subprocess.run(
            command, stdin=given, stdout=subprocess.PIPE, stderr=said, check=False,
            env={**os.environ, "PYTHONPATH": paths},
        )  # fmt: skip
        said.seek(0)
        words = said.read().decode("utf-8", "replace").strip()[-500:]
    lines = [line for line in done.stdout.decode().splitlines() if line.startswith(_BEGINS)]
    if done.returncode == 0 and lines[-1:] == [_DONE]:
        return None
    if not lines or done.returncode == 1:  # Python ended by an error, which no photograph causes
        raise RuntimeError(f"Photographs could not be tried one by one: {words}")
    return int(lines[-1].split()[1]), _how(done.returncode)


def _how(code: int) -> str:
    """Return in words how a process ended."""
    if code < 0:
        try:
            return signal.Signals(-code).name
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"


def _each(task: bytes, start: int, network: bool) -> Iterator[str]:
    """Read each photograph, or do the work for it; yield a line before each, and at the end."""
    found = pickle.loads(task)
    net = unpack(found.network) if network else None
    for number in range(start, len(found.images)):
        yield f"{_BEGINS} {number}"
        if net is not None:
            found.work(net, found.images.part(number, number + 1))
            continue
        with contextlib.suppress(ValueError, TypeError, OSError):  # an unreadable one does no harm
            found.images.read(number, found.at_least)
    yield _DONE


def main() -> None:
    """Run the trial in this process: a task comes in, a line before each photograph goes out."""
    start, network = map(int, sys.argv[1:])
    for line in _each(sys.stdin.buffer.read(), start, bool(network)):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
