"""What repo2docker would do with `binder/`, step by step, without docker."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[2]
BINDER = ROOT / "binder"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SCRIPTS = ("postBuild", "start")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Binder's scripts are for bash")


def requirements():
    lines = (
        line.partition("#")[0].strip()
        for line in (BINDER / "requirements.txt").read_text("utf-8").splitlines()
    )
    return [line for line in lines if line]


def environment(**more):
    """Return this process's environment, with this interpreter as `python` and without TF's."""
    env = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL", "MPLBACKEND")}
    env["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), env.get("PATH", "")))
    return env | more


def test_the_runtime_is_a_python_that_the_package_allows():
    line = (BINDER / "runtime.txt").read_text("utf-8").strip()
    version = re.fullmatch(r"python-(\d+\.\d+)", line)
    assert version
    assert version[1] in SpecifierSet(PROJECT["requires-python"])
    assert version[1] in SpecifierSet(">=3.11")


def test_the_requirements_are_the_package_itself_with_an_extra_it_has():
    (own,) = [line for line in requirements() if line.startswith(".")]
    match = re.fullmatch(r"\.\[([\w,-]+)\]", own)
    assert match
    extras = match[1].split(",")
    assert "cpu" in extras
    assert set(extras) <= set(PROJECT["optional-dependencies"])


def test_the_other_requirements_parse_and_keep_the_broken_kernel_out():
    others = [Requirement(line) for line in requirements() if not line.startswith(".")]
    (kernel,) = [each for each in others if each.name == "ipykernel"]
    assert not kernel.url
    assert [v for v in ("6.29.5", "7.0.0", "7.0.1", "7.1.0") if v in kernel.specifier] == [
        "6.29.5",
        "7.1.0",
    ]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_bash_that_can_be_executed(name):
    path = BINDER / name
    assert path.read_bytes().startswith(b"#!/bin/bash\n")
    assert b"\r" not in path.read_bytes()
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_the_build_stops_at_the_first_error():
    lines = (BINDER / "postBuild").read_text("utf-8").splitlines()
    first = next(line for line in lines if line and not line.startswith("#"))
    assert first == "set -euo pipefail"


def test_nothing_is_fetched():
    text = "\n".join((BINDER / name).read_text("utf-8") for name in SCRIPTS)
    assert not re.search(r"https?:|\bcurl\b|\bwget\b|\bgit\b|\bpip\b|applications", text)
    assert re.findall(r"load_network\((.*?)\)", text) == [""]  # the bundled one


def test_start_becomes_the_server_and_keeps_tensorflow_quiet():
    assert (BINDER / "start").read_text("utf-8").rstrip().splitlines()[-1] == 'exec "$@"'
    command = [
        str(BINDER / "start"),
        "bash",
        "-c",
        'echo "$$ $TF_CPP_MIN_LOG_LEVEL $1"',
        "server",
        "an argument with spaces",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as run:
        said, _ = run.communicate(timeout=60)
    assert run.returncode == 0
    assert said == f"{run.pid} 2 an argument with spaces\n"  # the same process: it was exec'ed


def test_start_hands_the_exit_code_on():
    assert subprocess.run([str(BINDER / "start"), "bash", "-c", "exit 7"]).returncode == 7


def test_start_respects_a_level_that_is_set():
    run = subprocess.run(
        [str(BINDER / "start"), "env"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(TF_CPP_MIN_LOG_LEVEL="0"),
    )
    assert "TF_CPP_MIN_LOG_LEVEL=0" in run.stdout.splitlines()


@pytest.mark.slow
def test_the_build_step_succeeds_where_nothing_can_be_fetched(tmp_path):
    proxies = dict.fromkeys(
        ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"
    )  # nobody listens there
    env = environment(
        HOME=str(tmp_path),
        KERAS_HOME=str(tmp_path / "keras"),
        MPLCONFIGDIR=str(tmp_path / "mpl"),
        no_proxy="",
        NO_PROXY="",
        **proxies,
    )
    run = subprocess.run(
        [str(BINDER / "postBuild")], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert "Egyptian cat" in run.stdout
    assert list((tmp_path / "mpl").glob("fontlist-*.json"))
    assert not list((tmp_path / "keras").glob("models/*"))


@pytest.fixture(scope="module")
def replay():
    """The module that replays Binder by hand, without running it."""
    spec = importlib.util.spec_from_file_location("replay", ROOT / ".ci" / "binder.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [*sys.path])
        spec.loader.exec_module(module)
    return module


def test_the_replay_takes_the_python_that_is_named_or_says_that_it_is_not_here(
    replay, monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    python, told = replay.python_named("python-3.12")
    assert python == sys.executable
    assert "3.12, which binder/runtime.txt names, is not here" in told
    there = tmp_path / "python3.12"
    there.write_text("#!/bin/sh\nexit 0\n")
    there.chmod(0o755)
    assert replay.python_named("python-3.12")[0] == str(there)
    there.write_text("#!/bin/sh\nexit 127\n")  # a shim of pyenv for a version that is not chosen
    assert replay.python_named("python-3.12")[0] == sys.executable


def test_the_replay_fails_where_a_cell_failed_or_did_not_run(replay, tmp_path):
    path = tmp_path / "some.ipynb"
    new = nbformat.v4
    cell = new.new_code_cell("1 + 1", execution_count=1)
    nbformat.write(new.new_notebook(cells=[cell]), path)
    assert replay.cells(path).startswith("1 of 1 code cells of some.ipynb ran")
    nbformat.write(new.new_notebook(cells=[cell, new.new_code_cell("2")]), path)
    with pytest.raises(SystemExit, match="0 errors, 1 of 2 cells not run"):
        replay.cells(path)
    cell.outputs = [new.new_output("error", ename="E", evalue="", traceback=[])]
    nbformat.write(new.new_notebook(cells=[cell]), path)
    with pytest.raises(SystemExit, match="1 errors"):
        replay.cells(path)


def test_the_replay_opens_the_notebook_that_a_visitor_opens_first(replay):
    assert (ROOT / replay.NOTEBOOK).is_file()
    assert replay.LIMIT == 2000
