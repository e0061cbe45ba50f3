"""What a student takes on a hub: ten kernels at once, the server beside each, the largest lesson.

Every student of a hub has a server and a kernel of their own, and all of them read the same files.
So four figures are told, of which each answers another question:

- *resident*: all that a process has in memory, with the files that others read, too. The limit of
  a container must hold it, for a page of a file is charged to the container that read it first.
- *private*: what no other process has. It is what one student more adds to a machine.
- *share* (PSS): a page that ten processes read counts a tenth for each. The shares of all processes
  add up to what they take of the machine together.
- *most*: the most that a process ever had resident, by the system's own account.

Beside them: the seconds that a processor works for one student. For a class that begins at the
same moment they add up.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from timing import Row

sys.path.insert(0, str(Path(__file__).parent.parent))

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
MB = 1e6
#: What each student does first; what the first clicks need is compiled in the background.
OPEN = """import cnn_widgets as cw

explorer = cw.CNNExplorer()
explorer"""
WARM = "explorer._warmup.wait()"
#: What all students do at the same time.
MOVE = """explorer.show(image="espresso")
layers = explorer.network.feature_layers
for place in (1, 2, 3):
    explorer.show(layer=layers[place * len(layers) // 4].name)
explorer._warmup.wait()
assert explorer.last_error is None, explorer.last_error"""
#: MB that are private to a student's server on a real hub: JupyterHub's own, with nbgitpuller, and
#: with a page open. It was measured by hand (notebooks/howto/hub.md), for it takes a hub.
HUB_SERVER = 140.0
#: Classes, of which it is said what they take on one machine.
CLASSES = (30, 100, 300)


@dataclass(frozen=True)
class Memory:
    """The memory of one process, or the sum of several, in MB of a million bytes."""

    resident: float
    share: float
    private: float


def memory(pid: int) -> Memory:
    """Return what a process has in memory now."""
    found = dict.fromkeys(("Rss", "Pss", "Private_Clean", "Private_Dirty"), 0.0)
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0]) * 1024 / MB
    return Memory(found["Rss"], found["Pss"], found["Private_Clean"] + found["Private_Dirty"])


def most_resident(pid: int) -> float:
    """Return the most MB that a process ever had resident."""
    told = Path(f"/proc/{pid}/status").read_text()
    return int(told.partition("VmHWM:")[2].split()[0]) * 1024 / MB


def worked(pid: int) -> float:
    """Return the seconds that processors worked for a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def share_of(pids: Sequence[int]) -> float:
    """Return the MB that processes take of the machine together; one that has ended takes none."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            total += memory(pid).share
    return total


def needed(students: int, shared: float, each: float) -> float:
    """Return the MB that so many students take: what all share once, and each one's own."""
    return shared + students * each


class Peak:
    """A context that looks, again and again, at what processes take together; `.mb` is the most.

    ``pids`` says which they are, each time anew: processes begin and end.
    """

    def __init__(self, pids: Callable[[], Sequence[int]], every: float = 0.3):
        self.pids, self.every, self.mb = pids, every, 0.0
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look)

    def _look(self):
        while not self._over.is_set():
            self.mb = max(self.mb, share_of(self.pids()))
            self._over.wait(self.every)

    def __enter__(self):
        self._looking.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._looking.join()
        self.mb = max(self.mb, share_of(self.pids()))


class Kernels:
    """A context with so many kernels, each a process of its own, started one after another."""

    def __init__(self, count: int):
        self.count, self.pids = count, []
        self._managers, self._clients = [], []

    def __enter__(self):
        from jupyter_client.manager import start_new_kernel

        try:
            for _ in range(self.count):
                manager, client = start_new_kernel(kernel_name="python3")
                self._managers.append(manager)
                self._clients.append(client)
                self.pids.append(manager.provisioner.pid)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for client in self._clients:
            client.stop_channels()
        for manager in self._managers:
            manager.shutdown_kernel(now=True)

    def one_by_one(self, *cells: str) -> list[list[float]]:
        """Run cells in each kernel; the next kernel begins when the one before has ended.

        Return for each kernel the seconds that processors worked for each cell.
        """
        spent: list[list[float]] = []
        for client, pid in zip(self._clients, self.pids, strict=True):
            told = [worked(pid)]
            for code in cells:
                self._answered(client, client.execute(code))
                told.append(worked(pid))
            spent.append([after - before for before, after in itertools.pairwise(told)])
        return spent

    def at_once(self, code: str) -> None:
        """Run code in all kernels at the same time."""
        asked = [(client, client.execute(code)) for client in self._clients]
        for client, message in asked:
            self._answered(client, message)

    def _answered(self, client, message: str) -> None:
        while True:
            reply = client.get_shell_msg(timeout=300)
            if reply["parent_header"].get("msg_id") == message:
                break
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(reply["content"]["traceback"]))


def rows(count: int = 10) -> Iterator[Row]:
    """Yield the rows of so many kernels at once."""
    if not Path("/proc/self/smaps_rollup").exists():
        yield Row("memory of a student on a hub", "–", "only Linux tells it", "–", "≤ 2,000 MB")
        return
    server = _server()
    yield Row("JupyterLab's server, its page asked for, one bare kernel started",
              f"private {server.private:.0f} MB", f"resident {server.resident:.0f} MB", "–",
              "–")  # fmt: skip
    with Kernels(count) as kernels:
        bare = [memory(pid) for pid in kernels.pids]
        with Peak(lambda: kernels.pids) as opening:
            spent = kernels.one_by_one(OPEN, WARM)
        opened = [memory(pid) for pid in kernels.pids]
        with Peak(lambda: kernels.pids) as moving:
            kernels.at_once(MOVE)
        time.sleep(2)
        rest = [memory(pid) for pid in kernels.pids]
        most = [most_resident(pid) for pid in kernels.pids]
    yield from _each(count, bare, opened, rest, most, server)
    shown, warm = (statistics.median(each) for each in zip(*spent, strict=True))
    yield Row("processor time of a kernel from import to the explorer", f"{shown:.1f} s",
              f"then in the background: {warm:.1f} s", "–", "–")  # fmt: skip
    together = sum(each.share for each in rest)
    # not by the shares: others on this machine may read the same files, and take a part of them
    shared = max(each.resident - each.private for each in rest)
    peak = max(opening.mb, moving.mb)
    yield Row(f"{count} kernels together, at rest", f"{together:.0f} MB",
              f"of a kernel shared with the others: {shared:.0f} MB", "–", "–")  # fmt: skip
    yield Row(f"{count} kernels together, at most", f"{peak:.0f} MB",
              f"while opened: {opening.mb:.0f} MB, all working: {moving.mb:.0f} MB",
              f"{peak / together:.2f}× of rest", "–")  # fmt: skip
    each = max(kernel.private for kernel in rest) + HUB_SERVER
    for students in CLASSES:
        yield Row(f"{students} students with the explorer on one machine",
                  f"{needed(students, shared, each) / 1000:.1f} GB",
                  f"{shared:.0f} MB + {students} × {each:.0f} MB", "–", "–")  # fmt: skip
    yield from _lessons()


def _each(count, bare, opened, rest, most, server) -> Iterator[Row]:
    for what, kernels in (("kernel alone", bare), ("explorer shown", opened),
                          ("another photograph and three layers", rest)):  # fmt: skip
        for name in ("private", "share", "resident"):
            yield Row(f"one kernel of {count}, {what}: {name}", *_spread(kernels, name), "–", "–")
    largest = max(most)
    fits = largest + max(server.resident, HUB_SERVER)
    yield Row(f"one kernel of {count}: most ever resident",
              f"median {statistics.median(most):.0f} MB", f"largest {largest:.0f} MB",
              f"with its server {fits:.0f} MB", "≤ 2,000 MB", fits <= 2000)  # fmt: skip


def _spread(kernels: Sequence[Memory], name: str) -> tuple[str, str]:
    values = [getattr(each, name) for each in kernels]
    return f"median {statistics.median(values):.0f} MB", f"largest {max(values):.0f} MB"


def _server() -> Memory:
    """Return the memory of a JupyterLab server whose page was loaded, with one bare kernel."""
    import psutil
    from helpers.lab import jupyterlab

    before = {each.pid for each in psutil.Process().children()}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place, "root")
        root.mkdir()
        option = "--ServerApp.disable_check_xsrf=True"  # a kernel is asked for without a page
        with jupyterlab(root, Path(place, "home"), option) as address:
            (pid,) = {each.pid for each in psutil.Process().children()} - before
            for page in ("lab", "lab/api/settings", "api/contents", "api/kernelspecs"):
                urllib.request.urlopen(f"{address}/{page}", timeout=60).close()
            kernel = urllib.request.Request(f"{address}/api/kernels", data=b"{}", method="POST")
            urllib.request.urlopen(kernel, timeout=60).close()
            time.sleep(2)
            return memory(pid)


def _lessons() -> Iterator[Row]:
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        command = [sys.executable, __file__, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{path.name} failed:\n{done.stderr[-2000:]}")
        most, private = json.loads(done.stdout.splitlines()[-1])
        yield Row(f"kernel of {path.stem}, all cells run: most ever resident", f"{most:.0f} MB",
                  f"private at its end {private:.0f} MB", "–", "≤ 2,000 MB",
                  most <= 2000)  # fmt: skip


def executed(path: Path) -> tuple[float, float]:
    """Run a notebook; return the most MB that its kernel had resident, and the private at the end.

    Private is what is not read from files, as if other kernels ran beside it.
    """
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    told = "print(open('/proc/self/status').read())"
    notebook.cells.append(nbformat.v4.new_code_cell(told))
    with tempfile.TemporaryDirectory() as place:
        nbclient.NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": place}}
        ).execute()
    status = notebook.cells[-1].outputs[0].text
    fields = (int(status.partition(f"{name}:")[2].split()[0]) for name in ("VmHWM", "RssAnon"))
    most, private = (field * 1024 / MB for field in fields)
    return most, private


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(json.dumps(executed(Path(sys.argv[1]))))
