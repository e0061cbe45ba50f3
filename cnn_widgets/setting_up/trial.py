"""A picture drawn for trial: another process opens the network, asks about the cat and draws.

The widgets are loaded there, too, but not shown: for that a page is needed.

TensorFlow can end a process at once, on a processor that is too old for it for instance, or hang.
In a process of its own this takes nothing else with it, and it is known how far it came.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cnn_widgets.setting_up.finding import Finding
from cnn_widgets.setting_up.machine import gigabytes
from cnn_widgets.setting_up.packages import how_to_install, how_to_mend
from cnn_widgets.setting_up.privacy import scrubbed

PART = "a picture, drawn"
EXPECTED = "Egyptian cat"
#: Seconds after which the trial is given up; an old laptop with a virus scanner needs one minute.
PATIENCE = 240
#: Seconds from which the trial is called slow.
SLOW = 90
_MARK = "cnn-widgets-trial:"
_STEPS = {
    "start": "starting Python",
    "widgets": "loading the widgets",
    "tensorflow": "loading TensorFlow",
    "network": "opening the bundled network",
    "answer": "asking it about the cat",
    "map": "drawing the evidence",
}


def drawn_picture(patience: float = PATIENCE) -> list[Finding]:
    """Return findings about a photograph that was really asked about and drawn."""
    if not sys.executable:
        remedy = "Run cnn-widgets doctor in a terminal."
        return [Finding(PART, "warning", "Not tried: Python's program is not known.", remedy)]
    package = str(Path(__file__).resolve().parents[2])
    code = (f"import sys; sys.path.append({package!r}); "
            "from cnn_widgets.setting_up.trial import main; main()")  # fmt: skip
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"}
    try:
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                              stdin=subprocess.DEVNULL, timeout=patience)  # fmt: skip
        ended, said, complained = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as stopped:
        ended, said, complained = None, stopped.stdout or b"", stopped.stderr or b""
    except OSError as error:
        remedy = "Show this page to your teacher."
        return [Finding(PART, "fault", f"Python cannot be started: {scrubbed(error)}", remedy)]
    last = complained.decode("utf-8", "replace").strip().splitlines()[-1:]
    return judged(reports(said.decode("utf-8", "replace")), ended, "".join(last))


def reports(said: str) -> list[dict[str, Any]]:
    """Return the reports of `main` in what its process printed; other lines are left out."""
    lines = [line.removeprefix(_MARK) for line in said.splitlines() if line.startswith(_MARK)]
    return [dict(json.loads(line)) for line in lines]


def judged(found: list[dict[str, Any]], ended: int | None, complained: str = "") -> list[Finding]:
    """Return findings about a trial.

    Parameters
    ----------
    found : list of dict
        The reports of `main`, in the order in which they came.
    ended : int or None
        The exit code of its process; None if it was given up.
    complained : str
        The last line that the process wrote to standard error.
    """
    told = {key: value for each in found for key, value in each.items()}
    device = [Finding("device", "ok", str(told["device"]))] if "device" in told else []
    if "no widgets" in told:
        words = f"The widgets cannot be loaded: {scrubbed(told['no widgets'])}"
        device.insert(0, Finding("widgets", "fault", words, how_to_mend(told["no widgets"])))
    if "seconds" in told:
        return [*device, _drawn(told)]
    step = _STEPS.get(str(told.get("step", "start")), "working")
    if "error" in told:
        return [*device, _failed(step, str(told["kind"]), str(told["error"]))]
    if ended is None:
        remedy = "Close other programs, run the doctor again; if it stays, restart the computer."
        return [*device, Finding(PART, "fault", f"Given up: {step} takes too long.", remedy)]
    return [*device, _died(step, ended, complained)]


def _drawn(told: dict[str, Any]) -> Finding:
    seconds, answer = float(told["seconds"]), str(told["answer"])
    words = (f"{answer} ({float(told['probability']):.0%}), evidence {told['size']}, in "
             f"{seconds:.0f} s, of which {float(told['loading']):.0f} s to load TensorFlow; "
             f"the next one takes {float(told['again']):.2f} s")  # fmt: skip
    if told.get("memory"):
        words += f"; {gigabytes(float(told['memory']))} of memory"
    if answer != EXPECTED:
        wrong = f"The cat was taken for something else: {words}."
        return Finding(PART, "fault", wrong, how_to_install('--force-reinstall "cnn-widgets[cpu]"'))
    if seconds > SLOW:
        remedy = "Close other programs. It works; be patient at the start of the notebook."
        return Finding(PART, "warning", f"Slow: {words}.", remedy)
    return Finding(PART, "ok", words)


def _failed(step: str, kind: str, error: str) -> Finding:
    """Return the finding about an error, with the remedy of the errors that are known."""
    remedy = how_to_mend(error)
    if "KERAS_BACKEND" in error:
        told = f"It failed at {step}: Keras is set to another library than TensorFlow."
        remedy = ("Take the setting KERAS_BACKEND away, and the line of the backend out of the "
                  "file .keras/keras.json; then restart the notebook or the terminal.")  # fmt: skip
        return Finding(PART, "fault", told, remedy)
    if kind == "MemoryError" or "OOM" in error or "allocat" in error:
        remedy = "Close other programs and notebooks, then run the doctor again."
    elif "TensorFlow is not installed" in error:
        remedy = how_to_install('"cnn-widgets[cpu]"')
    return Finding(PART, "fault", f"It failed at {step}: {kind}: {scrubbed(error)}", remedy)


def _died(step: str, ended: int, complained: str) -> Finding:
    """Return the finding about a process that ended without an error of Python."""
    told = f"Python ended by itself, {step} (code {ended})."
    old = {-getattr(signal, "SIGILL", 4), 132, 0xC000001D, 0xC000001D - 2**32}
    killed = {-getattr(signal, "SIGKILL", 9), 137}
    if ended in old:
        remedy = "This processor is too old for TensorFlow: use another computer or a server."
    elif ended in killed:
        remedy = "The memory did not suffice: close other programs, run the doctor again."
    else:
        told += f" It said: {scrubbed(complained)}" if complained else ""
        remedy = how_to_install('--force-reinstall "cnn-widgets[cpu]"')
    return Finding(PART, "fault", told, remedy)


def main() -> None:
    """Do the trial and print reports, each a line of JSON behind a mark."""
    began = time.perf_counter()
    try:
        for report in _steps(began):
            sys.stdout.write(f"{_MARK}{json.dumps(report)}\n")
            sys.stdout.flush()
    except Exception as error:  # whatever it is, it is told on the page
        report = {"kind": type(error).__name__, "error": str(error)}
        sys.stdout.write(f"{_MARK}{json.dumps(report)}\n")


def _steps(began: float) -> Iterable[dict[str, Any]]:
    yield {"step": "widgets"}
    try:
        import anywidget  # noqa: F401  # whether they can be loaded is all that is asked
        import ipywidgets  # noqa: F401
    except Exception as error:  # the network is asked all the same
        yield {"no widgets": f"{type(error).__name__}: {error}"}
    yield {"step": "tensorflow"}
    from cnn_widgets.environment import tensorflow

    before = time.perf_counter()
    tf = tensorflow()
    loading = time.perf_counter() - before
    graphics = [each.name for each in tf.config.list_physical_devices("GPU")]
    yield {"step": "network", "device": f"{len(graphics)} GPU" if graphics else "CPU"}
    from cnn_widgets.attribution import attribute
    from cnn_widgets.drawing import overlay
    from cnn_widgets.images import gallery
    from cnn_widgets.networks import load_network

    net, photographs = load_network(), gallery()
    yield {"step": "answer"}
    best = net.predict(photographs["cat"], top=1)[0]
    yield {"step": "map"}
    found = attribute(net, photographs["cat"])
    picture = overlay(photographs["cat"].pixels, found.heatmap)
    seconds = time.perf_counter() - began
    other = photographs["espresso"]
    overlay(other.pixels, attribute(net, other).heatmap)
    yield {
        "answer": best.name,
        "probability": best.probability,
        "size": f"{picture.shape[1]} x {picture.shape[0]} pixels",
        "seconds": seconds,
        "loading": loading,
        "again": time.perf_counter() - began - seconds,
        "memory": _peak(),
    }


def _peak() -> int:
    """Return the most memory in bytes that this process took; 0 where it is not known."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)
