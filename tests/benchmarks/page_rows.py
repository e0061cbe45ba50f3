"""What the explorer takes: Python work and bytes per move, start, memory, growth; and the browser.

Rows on start and memory run in processes of their own, for nothing else may be in memory.
"""

from __future__ import annotations

import ctypes
import gc
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from timing import Row, ms, within

HERE = Path(__file__).parent
MOVES = ("filter", "alpha", "colormap", "class_index", "layer", "image")


def rows() -> Iterator[Row]:
    """Yield the rows of the explorer on the bundled network."""
    yield from _moves()
    yield from _start()
    yield from _first_uses()
    yield from _memory()
    yield from _small_machine()


# --- Python work and bytes per move -------------------------------------------------------------


def _moves() -> Iterator[Row]:
    import ipywidgets

    import cnn_widgets as cw

    explorer = cw.CNNExplorer()
    sent: list[int] = []
    send = ipywidgets.Widget._send

    def counted(self, msg, buffers=None):
        sent.append(len(json.dumps(msg)) + sum(memoryview(b).nbytes for b in buffers or ()))
        return send(self, msg, buffers)

    ipywidgets.Widget._send = counted
    try:
        every: list[int] = []
        for trait, least in {"filter": 10.0, "alpha": 10.0, "colormap": 10.0,
                             "class_index": None, "layer": None}.items():  # fmt: skip
            spent, weight = _tour(explorer, trait, sent)
            every += weight
            limit = f"≤ {least:g} ms" if least else "–"
            met = spent * 1000 <= least if least else None
            told = f"{statistics.median(weight) / 1000:.0f} kB sent"
            what = f"{trait} move: Python work from state change to bytes"
            yield Row(what, ms(spent), told, "–", limit, met)
        middle = statistics.median(every)
        told = f"largest {max(every) / 1000:.0f} kB"
        what = "bytes sent per move, median over these moves"
        yield Row(what, f"{middle / 1000:.0f} kB", told, "–", "≤ 60 kB", middle <= 60_000)
    finally:
        ipywidgets.Widget._send = send
        explorer.close()


def _tour(explorer, trait: str, sent: list[int]) -> tuple[float, list[int]]:
    values = {
        "filter": list(range(32)),
        "alpha": [round(0.05 * i, 2) for i in range(21)],
        "colormap": ["viridis", "magma", "inferno", "jet"],
        "class_index": [p.class_index for p in explorer.scene.predictions],
        "layer": [info.name for info in explorer.network.feature_layers],
    }[trait]
    spent, weights = [], []
    for turn in range(2):  # the first walk compiles and decodes what is new
        for value in values * (1 if len(values) > 10 else 4):
            if value == getattr(explorer.state, trait):
                continue
            sent.clear()
            began = time.perf_counter()
            setattr(explorer.state, trait, value)
            if turn:
                spent.append(time.perf_counter() - began)
                weights.append(sum(sent))
    return statistics.median(spent), weights


# --- start --------------------------------------------------------------------------------------


def child(name: str) -> dict[str, float]:
    """Run one of the functions in `CHILDREN` in a process of its own; return what it measured."""
    done = subprocess.run(
        [sys.executable, __file__, name], capture_output=True, text=True, cwd=HERE, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{name} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _start() -> Iterator[Row]:
    light = [child("importing") for _ in range(3)]
    spent = statistics.median(each["seconds"] for each in light)
    loaded = any(each["tensorflow"] for each in light)
    yield Row("import cnn_widgets", ms(spent), "TensorFlow imported" if loaded else
              "TensorFlow not imported", "–", "≤ 300 ms", spent <= 0.3 and not loaded)  # fmt: skip
    ours, bare = [], []
    for _ in range(3):
        bare.append(child("bare_start")["seconds"])
        ours.append(child("explorer_start")["seconds"])
    yield within("CNNExplorer() to the first full picture", statistics.median(ours),
                 "import TensorFlow, load the model, one prediction",
                 statistics.median(bare), 1.5)  # fmt: skip


def importing() -> dict[str, float]:
    began = time.perf_counter()
    import cnn_widgets

    spent = time.perf_counter() - began
    assert cnn_widgets.__version__
    return {"seconds": spent, "tensorflow": "tensorflow" in sys.modules}


def bare_start() -> dict[str, float]:
    began = time.perf_counter()
    from cnn_widgets.environment import tensorflow
    from cnn_widgets.networks import efficientnet_lite

    tensorflow()
    model = efficientnet_lite.build()
    model.predict(np.zeros((1, 224, 224, 3), np.float32), verbose=0)
    return {"seconds": time.perf_counter() - began}


def explorer_start() -> dict[str, float]:
    began = time.perf_counter()
    import cnn_widgets as cw

    explorer = cw.CNNExplorer()
    spent = time.perf_counter() - began
    assert all(view.value for view in explorer._screen.views.values())
    return {"seconds": spent}


# --- memory -------------------------------------------------------------------------------------


def resident() -> float:
    """Return this process's resident memory in MB, free pages given back to the system."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what was freed
    if trim is not None:
        trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def _memory() -> Iterator[Row]:
    bare, toured = child("imported")["mb"], child("toured")
    more = toured["mb"] - bare
    yield Row("kernel memory after every layer of ten images", f"{toured['mb']:.0f} MB",
              f"after import tensorflow: {bare:.0f} MB", f"+{more:.0f} MB", "≤ +300 MB",
              more <= 300)  # fmt: skip
    grown = child("wandered")
    same = all(grown[name] == 0 for name in ("traces", "threads", "figures", "widgets"))
    yield Row("growth over 2,000 random moves", f"{grown['mb']:.1f} MB",
              ", ".join(f"{name} +{grown[name]:.0f}" for name in
                        ("traces", "threads", "figures", "widgets")), "–", "≤ 10 MB, no new ones",
              grown["mb"] <= 10 and same)  # fmt: skip


def imported() -> dict[str, float]:
    import tensorflow as tf

    assert tf.__version__
    return {"mb": resident()}


def peak() -> float:
    """Return the most memory this process ever had resident, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6


def displayed(explorer) -> None:
    """Do what showing it in a notebook does, and wait for what goes on in the background."""
    explorer._repr_mimebundle_()
    explorer._warmup.wait()


def toured() -> dict[str, float]:
    import cnn_widgets as cw

    photos = list(cw.gallery().values())
    turned = cw.load_image(photos[0].pixels[:, ::-1].copy(), name="mirrored")
    explorer = cw.CNNExplorer(images=[*photos, turned])
    explorer.state.pairs = False
    displayed(explorer)
    for name in list(explorer.scene.samples):
        explorer.state.image = name
        for info in explorer.network.feature_layers:
            explorer.state.layer = info.name
    return {"mb": resident()}


def wandered(moves: int = 2000) -> dict[str, float]:
    import ipywidgets

    import cnn_widgets as cw

    explorer = cw.CNNExplorer()
    rng = np.random.default_rng(0)
    choices: dict[str, Callable[[], object]] = {
        "image": lambda: str(rng.choice(list(explorer.scene.samples))),
        "layer": lambda: str(rng.choice([i.name for i in explorer.network.feature_layers])),
        "filter": lambda: int(rng.integers(explorer.scene.layer.filters)),
        "class_index": lambda: int(rng.integers(1000)),
        "alpha": lambda: float(rng.random()),
        "method": lambda: str(rng.choice(["grad-cam", "layercam", "hirescam", "saliency"])),
        "cam_layer": lambda: str(rng.choice(["default", "follow"])),
        "scale": lambda: str(rng.choice(["filter", "layer"])),
        "colormap": lambda: str(rng.choice(["inferno", "jet"])),
    }

    def move(count):
        for _ in range(count):
            name = str(rng.choice(list(choices)))
            setattr(explorer.state, name, choices[name]())

    def counted():
        return {
            "traces": explorer.network.engine.traces,
            "threads": threading.active_count(),
            "figures": len(sys.modules["matplotlib.pyplot"].get_fignums())
            if "matplotlib.pyplot" in sys.modules
            else 0,
            "widgets": len(ipywidgets.widgets.widget._instances),
        }

    def level():
        """Return the usual memory: what is cached and freed moves one reading by many MB."""
        readings = []
        for _ in range(9):
            move(25)
            readings.append(resident())
        return statistics.median(readings)

    move(2000)  # until every trace is made and the cache is full
    before, count = level(), counted()
    move(moves)
    grown, after = level() - before, counted()
    assert explorer.last_error is None, explorer.last_error
    return {"mb": grown} | {name: after[name] - count[name] for name in count}


# --- a small machine ----------------------------------------------------------------------------


def _small_machine() -> Iterator[Row]:
    """Everything on one core: does it fit a small hub, and does it still answer?"""
    found = child("one_core")
    what = "one core: resident at most, after every quick method, layer and instrument"
    yield Row(what, f"{found['mb']:.0f} MB", "hub: 2 GB for kernel and server", "–", "≤ 1,500 MB",
              found["mb"] <= 1500)  # fmt: skip
    yield Row("one core: slowest of 300 clicks, first uses among them", ms(found["slowest"]),
              f"median {ms(found['median'])}", "–", "–")  # fmt: skip


def one_core() -> dict[str, float]:
    import os

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    import cnn_widgets as cw
    from cnn_widgets.attribution.methods import QUICK

    explorer = cw.CNNExplorer()
    displayed(explorer)
    explorer.show(kinds="all")
    explorer._warmup.wait()
    for method in (*QUICK, "grad-cam"):
        for place in ("default", "follow"):
            explorer.show(method=method, cam_layer=place)
    rng, spent = np.random.default_rng(0), []
    names = [info.name for info in explorer.network.layers_of(None)]
    for _ in range(100):
        for trait, value in (("image", str(rng.choice(list(explorer.scene.samples)))),
                             ("layer", str(rng.choice(names))),
                             ("class_index", int(rng.integers(1000)))):  # fmt: skip
            began = time.perf_counter()
            setattr(explorer.state, trait, value)
            spent.append(time.perf_counter() - began)
    for instrument in ("curves", "ranking", "pointing"):
        explorer.judge(instrument)
    assert explorer.last_error is None, explorer.last_error
    return {"mb": peak(), "slowest": max(spent), "median": statistics.median(spent)}


def _first_uses() -> Iterator[Row]:
    """What somebody waits for who asks a thing for the first time."""
    for name, spent in child("first_uses").items():
        yield Row(f"first use: {name}", ms(spent), "–", "–", "–")


def first_uses() -> dict[str, float]:
    import cnn_widgets as cw

    explorer, found = cw.CNNExplorer(), {}
    displayed(explorer)
    changes = {
        "a layer": {"layer": "block3_expand"},
        "the evidence at the layer browsed": {"cam_layer": "follow"},
        "HiResCAM there": {"method": "hirescam"},
        "saliency": {"method": "saliency"},
        "guided backprop": {"method": "guided-backprop"},
        "the probability": {"method": "grad-cam", "cam_layer": "default", "target": "probability"},
        "another photograph": {"image": "rocket"},
    }
    for name, change in changes.items():
        began = time.perf_counter()
        explorer.show(**change)
        found[name] = time.perf_counter() - began
    assert explorer.last_error is None, explorer.last_error
    return found


CHILDREN = {each.__name__: each for each in (
    importing, bare_start, explorer_start, imported, toured, wandered, one_core,
    first_uses)}  # fmt: skip

if __name__ == "__main__":
    print(json.dumps(CHILDREN[sys.argv[1]]()))
