"""The README does what it says: its snippets run, its commands are those of CI."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import matplotlib
import pytest
from PIL import Image

from cnn_widgets import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.S)


def blocks(kind):
    return [text for found, text in BLOCKS if found == kind]


@pytest.mark.slow
def test_every_python_snippet_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(matplotlib, "use", lambda *_: None)
    names = {}
    for snippet in blocks("python"):
        exec(compile(snippet, "README.md", "exec"), names)
    assert (tmp_path / "view.png").stat().st_size > 20_000
    assert "Egyptian cat    0.771" in capsys.readouterr().out
    assert names["maps"].shape == (56, 56, 144)
    assert names["picture"].shape == (300, 451, 3)
    names["explorer"].close()


@pytest.mark.slow
def test_the_report_command_runs_as_written(tmp_path, monkeypatch, gallery):
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "other.png"):
        Image.fromarray(gallery["cat"].pixels).save(name)
    command = next(text for text in blocks("bash") if "report" in text)
    assert cli.main(shlex.split(command)[1:]) == 0
    assert (tmp_path / "out" / "photo_overlay.png").exists()


def test_the_two_commands_are_one_line_each_and_name_real_extras():
    commands = [text for text in blocks("bash") if "-m venv" in text]
    assert [text.count("\n") for text in commands] == [1, 1]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = set(",".join(re.findall(r'"\.\[(.*?)\]"', "".join(commands))).split(","))
    assert named <= set(extras["optional-dependencies"])
    assert "cnn-widgets" in extras["scripts"]
    assert commands[0].rstrip().endswith(".venv/bin/cnn-widgets")


def test_ci_runs_the_readme_s_test_command():
    script = (ROOT / ".ci" / "run").read_text()
    pattern = re.search(r"grep '(.*?)' README.md", script)[1]
    found = subprocess.run(
        ["grep", pattern, "README.md"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(found) == 1
    assert found[0].endswith('pytest -m "not sweep"')
    subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, check=True)


def test_the_pictures_and_files_it_names_are_there():
    for target in re.findall(r"\]\((?!http)(.*?)\)", README):
        assert (ROOT / target).exists(), target
    for name in re.findall(r"`(cnn_widgets/\S+?)`", README):
        assert (ROOT / name).exists(), name
