"""A test process that dies, or hangs, ends the run within a minute and names its test."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

SETTINGS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
OPTIONS = SETTINGS["tool"]["pytest"]["ini_options"]
DYING = """import ctypes, os, signal, time

def test_before():
    pass

def test_that_dies():
    if os.environ["DIES_BY"] == "signal":
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ["DIES_BY"] == "sleeping":
        time.sleep(300)
    ctypes.PyDLL(None).sleep(300)  # as a library that hangs with Python's lock in its hand
"""
OTHERS = """import time
import pytest

@pytest.mark.parametrize("number", range(20))
def test_number(number):
    time.sleep(0.02)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="it ends processes by a signal")
@pytest.mark.parametrize("dies_by", ["signal", "sleeping", "hanging"])
def test_a_run_ends_and_names_the_test_whose_process_died(tmp_path, dies_by):
    (tmp_path / "test_dying.py").write_text(DYING, "utf-8")
    for number in range(4):  # some are still waiting when the process dies
        (tmp_path / f"test_others_{number}.py").write_text(OTHERS, "utf-8")
    options = OPTIONS["addopts"][:5]
    assert options == ["-n", "2", "--dist", "loadfile", "--max-worker-restart=0"]
    assert OPTIONS["faulthandler_exit_on_timeout"] is True
    limits = ["-o", "faulthandler_timeout=3", "-o", "faulthandler_exit_on_timeout=true"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *limits],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        | {"DIES_BY": dies_by},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "crashed while running" in done.stdout
    assert "test_dying.py::test_that_dies" in done.stdout


def test_the_limit_of_each_test_is_stated():
    assert 60 <= OPTIONS["faulthandler_timeout"] <= 600
