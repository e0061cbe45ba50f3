"""The notebooks as a student gets them: clean, and every cell of them runs, without a network."""

from __future__ import annotations

import re
from pathlib import Path

import nbclient
import nbformat
import pytest

import cnn_widgets as cw
from cnn_widgets.explorer.fields import FOLDS
from cnn_widgets.panels.table import PANELS

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
EXPLORE = "01_explore.ipynb"
ACTIVATIONS = "02_intermediate_activations.ipynb"
HEATMAPS = "03_class_activation_heatmaps.ipynb"
TRUST = "04_can_the_map_be_trusted.ipynb"
SWITCH = 'NETWORK = None  # or "MobileNetV2" for who is online'

#: What each experiment states, and what its cells must print; {} is a number.
MEASURED = {
    ACTIVATIONS: (
        "the maps go from {} to {} rows",
        "{} activations in {} layers",
        "batch and one by one differ by {} of the largest value, nothing but rounding",
        "of the tiles are flat grey",
        "likeness to edges beyond chance: {} in the first third of the depth, {} in the last",
        "more than 0.5 like an edge picture of their own photograph, {} of the other",
        "without the control, the median filter of",
        "of the trained maps are more than 0.5 like an edge picture, and {} of the untrained",
        "share of zeros rises from {} (first third) to {} (last), as claimed",
        "light in the brightest tenth rises from {} (first third) to {} (last), as claimed",
        "agreement of cat and espresso falls from {} (first third) to {} (last), as claimed",
        "silent in the first third of the depth, {} in the last: more silence in depth",
        "on cat: {} of {} filters are silent",
        "are silent on cat, {} on all {} photographs; most of the silent ones were only waiting",
    ),
    HEATMAPS: (
        "cat: Egyptian cat at",
        "espresso: espresso at",
        "the hottest spot is painted red",
        "hiding the hot part lowers the score",
        "the two maps correlate by {}",
        "Egyptian cat ({}), by score: {} of the heat is on the left half, where it belongs",
        "espresso ({}), by score: {} of the heat is on the right half, where it belongs",
        "Egyptian cat ({}), by probability: {} of the heat is on the left half",
        "espresso ({}), by probability: {} of the heat is on the right half",
        "at the default layer, {}, the gap is {} points",
        "the widest gap is {} points",
        "our heat-map has 0 NaN and is zero everywhere",
        "9 maps in one call",
    ),
    TRUST: (
        "score {}, probability {}; the map goes from {} to {}, and the ReLU took {} of it",
        "insertion less deletion is {} for Grad-CAM and {} for the {}: better than a map",
        "different methods come first on 4 photographs",
        "beats both ignorant maps on {} of 4 photographs",
        "Grad-CAM notices that the scores are noise",
        "Guided backprop hardly notices that the scores are noise: correlation {}",
        "the surest pointer is {} (at least {} on the right half), the least sure {} ({})",
        "saved, loaded and computed again, the map is equal to the last bit",
    ),
}


def read(name):
    return nbformat.read(FOLDER / name, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def printed(notebook):
    """Return all text that the cells of an executed notebook wrote to standard output."""
    return "".join(
        output.text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout"
    )


@pytest.fixture(scope="module")
def execute(tmp_path_factory):
    """Return a function that executes a notebook in an empty folder, each notebook once."""
    done = {}

    def run(name):
        if name not in done:
            folder = tmp_path_factory.mktemp("notebook")
            notebook = read(name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("IPYTHONDIR", str(folder / "ipython"))
                patch.setenv("KERAS_HOME", str(folder / "keras"))
                for proxy in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
                    patch.setenv(proxy, "http://127.0.0.1:9")  # nobody listens: no download works
                for every in ("no_proxy", "NO_PROXY"):
                    patch.delenv(every, raising=False)
                patch.delenv("MPLBACKEND", raising=False)
                client = nbclient.NotebookClient(
                    notebook,
                    timeout=300,
                    kernel_name="python3",
                    resources={"metadata": {"path": str(folder)}},
                )
                client.execute()
            assert not list(folder.glob("keras/models/*"))
            done[name] = notebook
        return done[name]

    return run


def test_there_are_the_four_notebooks():
    assert NOTEBOOKS == [EXPLORE, ACTIVATIONS, HEATMAPS, TRUST]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_valid_and_its_cell_ids_are_words(name):
    notebook = read(name)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", each) for each in ids)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_without_outputs_and_widgets(name):
    notebook = read(name)
    for cell in code_cells(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
    assert "widgets" not in notebook.metadata
    assert not any(cell.metadata for cell in notebook.cells)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_says_which_kernel_it_wants(name):
    kernel = read(name).metadata.kernelspec
    assert kernel.name == "python3"
    assert kernel.language == "python"
    assert kernel.display_name


@pytest.mark.parametrize("name", [ACTIVATIONS, HEATMAPS, TRUST])
def test_an_experiment_begins_with_the_switch_and_names_no_layer_of_its_own(name, lite0):
    cells = code_cells(read(name))
    assert cells[0].source == SWITCH
    code = "\n".join(cell.source for cell in cells[1:])
    assert "load_network(NETWORK" in code
    assert "load_network()" not in code
    assert not [info.name for info in lite0.layers if f'"{info.name}"' in code]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_links_between_the_notebooks_lead_somewhere(name):
    text = prose(read(name))
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert targets
    assert all((FOLDER / target).is_file() for target in targets)


def test_the_first_notebook_is_one_cell():
    cells = code_cells(read(EXPLORE))
    assert [cell.source.splitlines() for cell in cells] == [
        ["import cnn_widgets as cw", "", "explorer = cw.CNNExplorer()", "explorer"]
    ]


def test_what_the_first_notebook_suggests_is_there_to_be_done(lite0):
    named = set(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", prose(read(EXPLORE))))
    explorer = cw.CNNExplorer(lite0)
    try:
        widgets = explorer.controls.widgets
        known = {panel.title for panel in PANELS.values()}
        known |= {widgets[fold].get_title(0) for fold in FOLDS}
        known |= set(explorer.scene.samples) | set(lite0.class_names)
        known |= {info.name for info in lite0.layers}
        for widget in widgets.values():
            known.add(getattr(widget, "description", "").removesuffix(" …"))
            known.add(getattr(widget, "placeholder", "").removesuffix(" …"))
            known |= {str(o[0]) for o in getattr(widget, "options", ()) if isinstance(o, tuple)}
        assert named
        assert named <= known

        explorer.show(image="cat")
        widgets["class_search"].value = "Rottweiler"
        assert explorer.scene.attribution.class_name == "Rottweiler"
        assert explorer.scene.attribution.empty
        assert not [name for name in lite0.class_names if "raccoon" in name.lower()]
        assert not [name for name in lite0.class_names if "astronaut" in name.lower()]
        widgets["kinds"].value = "all"
        widgets["layer"].value = "head_relu"
        assert explorer.scene.flat_filters > 100
        assert explorer.last_error is None
    finally:
        explorer.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_without_an_error(name, execute):
    for cell in code_cells(execute(name)):
        assert cell.execution_count
        assert not [output for output in cell.outputs if output.output_type == "error"]


@pytest.mark.slow
def test_the_explorer_has_a_picture_for_viewers_without_a_kernel(execute):
    *_, widget, still = [o for o in code_cells(execute(EXPLORE))[0].outputs if "data" in o]
    assert "application/vnd.jupyter.widget-view+json" in widget.data
    assert "image/png" not in widget.data
    assert {"image/png", "text/plain"} == set(still.data)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MEASURED))
def test_an_experiment_measures_what_it_says(name, execute):
    lines = [line for line in printed(execute(name)).splitlines() if line.startswith("measured: ")]
    for claim in MEASURED[name]:
        pattern = ".+".join(re.escape(part) for part in claim.split("{}"))
        assert any(re.search(pattern, line) for line in lines), claim
    assert not [line for line in lines if re.search(r"\bnan\b", line)]


@pytest.mark.slow
def test_the_heat_moves_with_the_class(execute):
    text = printed(execute(HEATMAPS))
    shares = re.findall(r"by score: (\d+)% of the heat is on the (left|right) half", text)
    assert [half for _, half in shares] == ["left", "right"]
    assert all(int(share) > 75 for share, _ in shares)


@pytest.mark.slow
@pytest.mark.parametrize("name", [ACTIVATIONS, HEATMAPS, TRUST])
def test_an_experiment_works_with_another_network_too(name, tmp_path):
    """Untrained, so that nothing is fetched: what is tested is that no cell depends on the one."""
    notebook = read(name)
    for cell in code_cells(notebook):
        for old, new in (
            (SWITCH, 'NETWORK = "MobileNetV2"'),
            ("load_network(NETWORK)", "load_network(NETWORK, weights=None)"),
            ('shown = ["cat", "espresso", "rocket", "officer"]', 'shown = ["cat"]'),  # one will do
            ("sanity_check(net, cat, name)", "sanity_check(net, cat, name, steps=2)"),
        ):
            cell.source = cell.source.replace(old, new)
    nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    assert "measured: " in printed(notebook)
