"""What repo2docker would do with `binder/`, step by step, without docker."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

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
