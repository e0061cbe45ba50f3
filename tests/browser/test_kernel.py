"""In a real kernel: interrupts, cells run again, and page events from subshells in own threads."""

from __future__ import annotations

import os
import time

import pytest
from jupyter_client import KernelManager

pytestmark = pytest.mark.slow

LIMIT = 120
#: Cells that every test begins with: a tiny network, and a way to stop where an interrupt hits.
SETUP = """
import sys, threading
sys.path[:0] = {paths!r}
import keras, numpy as np, cnn_widgets as cw
from helpers.networks import tiny
from helpers.person import differences, pictures, seen

def here(*_, **__):
    print("here", flush=True)
    threading.Event().wait(100)
    raise AssertionError("not interrupted")

class at:
    "Inside, a function stops and waits for the interrupt."
    def __init__(self, owner, name): self.owner, self.name = owner, name
    def __enter__(self):
        self.kept = getattr(self.owner, self.name)
        setattr(self.owner, self.name, here)
    def __exit__(self, *_): setattr(self.owner, self.name, self.kept)

model = tiny(keras)
photos = dict(zip(("one", "two"), pictures(2)))
"""
BUILD = """
explorer = cw.CNNExplorer(model, photos, preprocess="none")
explorer
"""
WHOLE = """
assert explorer.last_error is None, explorer.last_error
explorer.state.alpha = 0.9 if explorer.state.alpha != 0.9 else 0.8
assert not differences(explorer), differences(explorer)
explorer.show(layer="conv2", filter=3, method="score-cam")
explorer.compute()
explorer.judge("curves")
assert "Score-CAM at conv2" in explorer._screen.pictures["overlay"].tooltip
assert explorer.scene.verdict is not None
assert not differences(explorer), differences(explorer)
print("whole")
"""


class Kernel:
    """A kernel and its client."""

    def __init__(self, home):
        env = os.environ | {
            "IPYTHONDIR": str(home), "JUPYTER_CONFIG_DIR": str(home), "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "",
        }  # fmt: skip
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env=env)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(LIMIT)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code, meanwhile=lambda: None):
        """Run a cell; return (text printed, name of the error or ""). `meanwhile`: once it says
        "here"."""
        asked = self.client.execute(code, allow_stdin=False)
        printed, error, deadline = "", "", time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            message = self.client.get_iopub_msg(timeout=LIMIT)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                printed += content["text"]
                if "here" in content["text"]:
                    meanwhile()
            elif kind == "error":
                error = content["ename"]
                printed += "\n".join(content["traceback"][-3:])
            elif kind == "status" and content["execution_state"] == "idle":
                return printed, error
        raise TimeoutError(f"A cell did not end:\n{code}")

    def good(self, code):
        printed, error = self.run(code)
        assert not error, printed
        return printed

    def interrupted(self, code):
        printed, error = self.run(code, self.manager.interrupt_kernel)
        assert error == "KeyboardInterrupt", printed

    def control(self, kind, content=None):
        """Ask on the control channel; return the answer."""
        message = self.client.session.msg(kind, content or {})
        self.client.control_channel.send(message)
        while True:
            answer = self.client.get_control_msg(timeout=LIMIT)
            if answer["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return answer["content"]

    def has_subshells(self):
        return "kernel subshells" in self.control("kernel_info_request").get(
            "supported_features", ()
        )

    def event(self, comm, state, subshell=None):
        """Move a widget as the page does."""
        data = {"method": "update", "state": state, "buffer_paths": []}
        message = self.client.session.msg("comm_msg", {"comm_id": comm, "data": data})
        if subshell:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    made = Kernel(tmp_path_factory.mktemp("home"))
    tests = os.path.dirname(os.path.dirname(__file__))
    made.good(SETUP.format(paths=[tests, os.path.dirname(tests)]))
    yield made
    made.close()


def test_an_interrupted_computation_changes_nothing_and_can_be_done_again(kernel):
    kernel.good(BUILD)
    kernel.good('explorer.show(method="rise")\nbefore = explorer.state.values(), seen(explorer)')
    kernel.interrupted(
        "from cnn_widgets.attribution import perturbation\n"
        'with at(perturbation, "_mask"):\n    explorer.compute()'
    )
    kernel.good("assert (explorer.state.values(), seen(explorer)) == before")
    assert "whole" in kernel.good(WHOLE)
    kernel.good("explorer.close()")


def test_an_interrupted_judgement_can_be_done_again(kernel):
    kernel.good(BUILD)
    for instrument in ("curves", "sanity"):
        owner, name = {
            "curves": ("cnn_widgets.evaluation.faithfulness", "curves"),
            "sanity": ("cnn_widgets.evaluation.randomization", "_shuffle"),
        }[instrument]
        kernel.interrupted(
            f"import importlib\nowner = importlib.import_module({owner!r})\n"
            "from cnn_widgets.evaluation import ranking\n"
            f'with at(ranking if {name!r} == "curves" else owner, {name!r}):\n'
            f"    explorer.judge({instrument!r})"
        )
        kernel.good(
            "assert not differences(explorer), differences(explorer)\n"
            "assert explorer.scene.verdict is None\n"
            'assert "Press Judge" in explorer._screen.views["trust"].value'
        )
    assert "whole" in kernel.good(WHOLE)
    kernel.good("explorer.close()")


def test_the_cell_that_builds_the_explorer_can_be_run_again_and_again(kernel):
    kernel.good("made = []")
    for _ in range(5):
        kernel.good(BUILD)
        kernel.good("made.append(explorer)")
    kernel.good(
        "for number, explorer in enumerate(made):\n"
        "    explorer.show(filter=number)\n"
        "assert [explorer.state.filter for explorer in made] == [0, 1, 2, 3, 4]\n"
        "assert not any(differences(explorer) for explorer in made)\n"
        "for explorer in made[:-1]:\n"
        "    explorer.close()\n"
        "    explorer._warmup.wait(60)\n"
        "explorer = made[-1]"
    )
    assert "whole" in kernel.good(WHOLE)
    kernel.good("explorer.close()\nexplorer._warmup.wait(60)")
    kernel.good(
        "names = [thread.name for thread in threading.enumerate()]\n"
        'assert not [name for name in names if name.startswith("cnn-widgets")], names'
    )


def test_an_explorer_interrupted_while_its_model_is_traced_can_be_built_again(kernel):
    kernel.good(
        "from helpers.networks import fingerprint\nbefore = fingerprint(model)\n"
        'dense = model.get_layer("dense")'
    )
    # in the midst of tracing: the last layer of the model waits for the interrupt
    kernel.interrupted(f'with at(type(dense), "call"):\n{BUILD.replace(chr(10), chr(10) + "    ")}')
    kernel.good("assert fingerprint(model) == before")
    kernel.good(BUILD)
    assert "whole" in kernel.good(WHOLE)
    kernel.good("explorer.close()")


@pytest.mark.parametrize("subshells", [0, 3])
def test_events_of_the_page_arrive_whole_with_and_without_subshells(kernel, subshells):
    if subshells and not kernel.has_subshells():
        pytest.skip("ipykernel 6 has no subshells")
    kernel.good(BUILD)
    shells = [kernel.control("create_subshell_request")["subshell_id"] for _ in range(subshells)]
    names = ("filter", "alpha", "layer", "method", "colormap", "class_index", "scale")
    comms = kernel.good(
        f"print([explorer.controls.widgets[name].comm.comm_id for name in {names!r}])"
    )
    comms = dict(zip(names, eval(comms), strict=True))
    for turn in range(30):
        name = names[turn % len(names)]
        value = {"filter": turn % 6, "alpha": turn % 10 / 10}.get(name, turn % 2)
        key = "value" if name in ("filter", "alpha") else "index"
        shell = shells[turn % subshells] if subshells else None
        kernel.event(comms[name], {key: value}, shell)
    kernel.good(
        'alphas = []\nexplorer.state.observe(lambda change: alphas.append(change.new), "alpha")'
    )
    for number, shell in enumerate(shells or [None]):
        # The last event through each door: once it has been seen, all before it are done
        kernel.event(comms["alpha"], {"value": 0.51 + number / 100}, shell)
        kernel.good(
            "import time\nend = time.monotonic() + 60\n"
            f"while {0.51 + number / 100} not in alphas and time.monotonic() < end:\n"
            "    time.sleep(0.01)\n"
            f"assert {0.51 + number / 100} in alphas, alphas"
        )
    for shell in shells:
        assert kernel.control("delete_subshell_request", {"subshell_id": shell})["status"] == "ok"
    assert "whole" in kernel.good(WHOLE)
    kernel.good("explorer.close()")
