"""The README and the how-to pages do what they say: snippets run, commands are those of CI."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import matplotlib
import pytest
from PIL import Image

import cnn_widgets as cw
from cnn_widgets import cli
from cnn_widgets.panels import PANELS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = {
    path.relative_to(ROOT / "notebooks").as_posix(): path.read_text("utf-8")
    for path in sorted((ROOT / "notebooks").rglob("*.md"))
    if path.name != "from_laptop_to_cluster.md"  # needs a cluster; tests/executing/test_page.py
}


#: What the snippets of a page add to the tables of methods and panels, and the files they write.
ADDED = {"howto/own_method.md": {"abs-cam"}, "howto/own_panel.md": {"mean"}}
LEFT = {
    "howto/data.md": ["audit.html"],
    "howto/own_panel.md": ["mine.html"],
    "howto/trust.md": ["evidence/overlay.png"],
}


def blocks(kind, text=README):
    return [block for found, block in re.findall(r"^```(\w+)\n(.*?)^```", text, re.S | re.M)
            if found == kind]  # fmt: skip


#: The pages with snippets that do not stand in the README.
OWN_SNIPPETS = [
    page for page, text in PAGES.items() if set(blocks("python", text)) - set(blocks("python"))
]


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
@pytest.mark.parametrize("page", OWN_SNIPPETS)
def test_the_snippets_of_a_page_run_one_after_the_other(page, lite0, tmp_path, monkeypatch):
    load = cw.load_network
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(matplotlib, "use", lambda *_: None)
    monkeypatch.setattr(cw, "load_network", lambda *given, **o: load(*given or [lite0], **o),
                        raising=False)  # fmt: skip
    names, known = {}, set(cw.METHODS) | set(PANELS)
    try:
        for snippet in blocks("python", PAGES[page]):
            exec(compile(snippet, page, "exec"), names)
    finally:
        added = (set(cw.METHODS) | set(PANELS)) - known
        for name in added:  # other tests find the tables as they were
            cw.METHODS.pop(name, None)
            PANELS.pop(name, None)
    if "explorer" in names:
        assert names["explorer"].last_error is None
        names["explorer"].close()
    assert added == ADDED.get(page, set())
    for file in LEFT.get(page, ()):
        assert (tmp_path / file).stat().st_size > 5_000, file


@pytest.mark.slow
def test_the_report_command_runs_as_written(tmp_path, monkeypatch, gallery):
    monkeypatch.chdir(tmp_path)
    for name in ("photo.jpg", "other.png"):
        Image.fromarray(gallery["cat"].pixels).save(name)
    (command,) = (text for text in blocks("bash", PAGES["howto/script.md"]) if "report" in text)
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
        assert (ROOT / target.partition("#")[0]).exists(), target
    for name in re.findall(r"`((?:cnn_widgets|tests)/\S+?)`", README + "".join(PAGES.values())):
        assert (ROOT / name).exists(), name


def test_it_is_read_in_three_minutes_and_leads_to_every_how_to_page():
    prose = re.sub(r"^```.*?^```", "", README, flags=re.S | re.M)
    assert len(prose.split()) < 900
    linked = set(re.findall(r"\]\(notebooks/(.*?)(?:#.*?)?\)", README))
    assert {page for page in PAGES if page.startswith("howto/")} - linked == set()
