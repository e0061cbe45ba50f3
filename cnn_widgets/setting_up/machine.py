"""The computer: Python, system, cores, memory, and room on the disk."""

from __future__ import annotations

import math
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from cnn_widgets.setting_up.finding import Finding

GB = 1e9
OLDEST_PYTHON = (3, 11)
#: What a notebook with the bundled network takes, and what is comfortable beside a browser.
LEAST_MEMORY, GOOD_MEMORY = 1.0 * GB, 2.0 * GB
LEAST_ROOM, GOOD_ROOM = 0.1 * GB, 1.0 * GB
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def python() -> list[Finding]:
    """Return a finding about Python: its version, and whether it has 64 bits."""
    told = f"{platform.python_implementation()} {platform.python_version()}"
    bits = 64 if sys.maxsize > 2**32 else 32
    remedy = "Install Python 3.11 or newer, for 64 bits, and install cnn-widgets with it."
    if sys.version_info[:2] < OLDEST_PYTHON:
        return [Finding("Python", "fault", f"{told} is too old; 3.11 is needed.", remedy)]
    if bits == 32:
        return [Finding("Python", "fault", f"{told} has 32 bits; TensorFlow needs 64.", remedy)]
    return [Finding("Python", "ok", f"{told}, {bits} bits")]


def system() -> list[Finding]:
    """Return a finding that names the operating system, the processor and the number of cores."""
    name = {"Darwin": "macOS"}.get(platform.system(), platform.system())
    number = platform.mac_ver()[0] if name == "macOS" else platform.release()
    told = f"{name} {number if name in ('macOS', 'Windows') else ''}".strip()
    number_of = cores()
    counted = f"{number_of} core{'' if number_of == 1 else 's'}"
    return [Finding("computer", "ok", f"{told}, {platform.machine()}, {counted}")]


def cores() -> int:
    """Return the number of cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def memory() -> list[Finding]:
    """Return a finding about the memory that there is, and that is free now."""
    import psutil

    seen = psutil.virtual_memory()
    total = min(float(seen.total), memory_limit())
    free = min(float(seen.available), total)
    told = f"{gigabytes(total)}, of which {gigabytes(free)} are free"
    if total < LEAST_MEMORY:
        remedy = "Use another computer, or the class's server: one notebook takes about 1 GB."
        return [Finding("memory", "fault", f"{told}. That is too little.", remedy)]
    if free < LEAST_MEMORY:
        remedy = "Close other programs and other notebooks (Kernel, Shut Down All Kernels)."
        return [Finding("memory", "warning", f"{told}. A notebook takes about 1 GB.", remedy)]
    if total < GOOD_MEMORY:
        remedy = "Keep only one notebook open at a time."
        return [Finding("memory", "warning", f"{told}. One notebook fits, not two.", remedy)]
    return [Finding("memory", "ok", told)]


def memory_limit() -> float:
    """Return the most memory in bytes that a container allows; infinity where none is set."""
    for place in _LIMITS:
        try:
            said = Path(place).read_text("ascii").strip()
        except OSError:  # not Linux, or the other kind of container
            continue
        if said.isdigit():
            return float(said)
    return math.inf


def room() -> list[Finding]:
    """Return findings about the folder that is worked in, and about the one for temporary files."""
    return [
        _room("room on the disk", lambda: str(Path.cwd()), "the folder you work in"),
        _room("temporary files", tempfile.gettempdir, "the computer's folder for temporary files"),
    ]


def _room(part: str, place: Any, words: str) -> Finding:
    try:
        folder = place()
        free = shutil.disk_usage(folder).free
        with tempfile.TemporaryFile(dir=folder):
            writable = True
    except FileNotFoundError:  # the folder was deleted, or there is none for temporary files
        remedy = "Open a folder that exists, and start again from there."
        return Finding(part, "fault", f"Not found: {words}.", remedy)
    except OSError:
        free, writable = shutil.disk_usage(folder).free, False
    told = f"{gigabytes(free)} free in {words}"
    remedy = "Delete what is not needed (downloads, the waste bin), then run the doctor again."
    if free < LEAST_ROOM:
        return Finding(part, "fault", f"Only {told}.", remedy)
    if not writable:
        remedy = "Work in a folder of your own, under your documents."
        return Finding(part, "warning", f"Nothing can be written to {words}.", remedy)
    if free < GOOD_ROOM:
        return Finding(part, "warning", f"Only {told}.", remedy)
    return Finding(part, "ok", told)


def gigabytes(count: float) -> str:
    """Return a number of bytes in words, in steps of thousand as a stick's label counts.

    >>> gigabytes(1.6e9), gigabytes(471e6)
    ('1.6 GB', '471 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
