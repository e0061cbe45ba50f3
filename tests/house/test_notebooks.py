"""The notebooks as a student gets them: clean, and every cell of them runs, without a network."""

from __future__ import annotations

import re
import signal
import tomllib
from importlib.resources import files
from pathlib import Path

import nbclient
import nbformat
import pytest

import cnn_widgets as cw
from cnn_widgets.classroom import check_hand_ins
from cnn_widgets.explorer.fields import FOLDS
from cnn_widgets.panels.table import PANELS

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.name for path in FOLDER.glob("*.ipynb"))
EXPLORE = "01_explore.ipynb"
ACTIVATIONS = "02_intermediate_activations.ipynb"
HEATMAPS = "03_class_activation_heatmaps.ipynb"
TRUST = "04_can_the_map_be_trusted.ipynb"
#: The course: after each question that is guessed, a cell measures what is so.
LESSONS = (
    "lesson_1_what_a_filter_sees.ipynb",
    "lesson_2_from_edges_to_objects.ipynb",
    "lesson_3_which_pixels_speak.ipynb",
    "lesson_4_can_you_trust_the_map.ipynb",
    "lesson_5_a_network_that_learned_a_shortcut.ipynb",
    "lesson_6_your_own_model.ipynb",
)
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
    LESSONS[0]: (
        "2 of 6 columns are not 0, and they lie at the border; the largest value is 3",
        "the map of the turned filter is 0 everywhere",
        "the layer stem has 32 maps of 112×112",
        "is the strongest on {} of 9 photographs: nearly always the same one",
        "of 32 filters are 0 on the whole photograph: a few",
        "one number of stem depends on 3×3 pixels",
        "one number of head_relu depends on 224×224 pixels, the whole picture",
    ),
    LESSONS[1]: (
        "stem has 32 maps of 112×112",
        "head has 1280 maps of 7×7: more filters, smaller maps",
        "in the first third of the layers, {} in the last: more often in deep layers",
        "of 1280 filters of head_relu are silent on the cat: more than half",
        "of them are silent on all 9 photographs: nearly all only wait",
        "without 200 random filters it says espresso",
        "without the 200 strongest it says {}: another answer",
    ),
    LESSONS[2]: (
        "of the evidence for Egyptian cat is on the left half: on its own side",
        "of the evidence for espresso is on the right half: on its own side",
        "the map for Rottweiler is empty",
        "on the cat, Egyptian cat has {}%, and the brightest place of its map is 1.00",
        "on the cat, espresso has 0.002%, and the brightest place of its map is 1.00",
        "the brightest place costs {}, a random place {} on average: more, by far",
    ),
    LESSONS[3]: (
        "the map of Grad-CAM changes: correlation",
        "the map of Guided backprop hardly changes: correlation",
        "on espresso, Grad-CAM is better than the edge detector",
        "on rocket, Grad-CAM is no better than the edge detector",
        "of its map for Egyptian cat on the left half, less than half",
        "Grad-CAM has 8{}% there",
    ),
    LESSONS[4]: (
        "with the mark, {}% of 300 are right: more than nine of ten",
        "without the mark, {} of 100 squares are right: fewer than 20",
        "with HiResCAM, {} of 100 brightest places are in the corner with the mark: nearly all",
        "with Grad-CAM, {} of 100 brightest places are in the corner with the mark: fewer than "
        "half",
        "the corner costs {}, a random place {}: far more",
        "of 100 discs with the mark, {} are called square: most are called square",
        "of the picture is enough, in the corner with the mark",
        "suspicions held, and the strongest is the corner with the mark",
        "without the mark, it gets 9{}% right: before,",
        "of 100 discs with the mark, it calls {} disc: most stay discs",
    ),
    LESSONS[5]: (
        "weights are trained: fewer than 1 of 100",
        "right by strangers, {}% by acquainted: better where it knows the hands",
        "sure of its right answers on average, and {} of its {} mistakes: less sure",
        "the model from the file gives the same answer",
    ),
}

#: How each exercise of a lesson is done: what is run, then the ways to answer it, as code.
SOLVED = {
    LESSONS[0]: {
        "by_hand": ("", "3"),
        "strongest": ("", "int(peaks['cat'].argmax())"),
        "silent": ("explorer.show(image='cat', kinds='all', layer='stem_relu')", "silent"),
        "view": (
            "explorer.show(image='rocket', kinds='article', layer='block3_expand',"
            " filter_order='strength')",
            "''",
        ),
    },
    LESSONS[1]: {
        "seven": ("", "'block11_project'"),
        "espresso": (
            "explorer.show(image='espresso', kinds='all', layer='head_relu')",
            "int((peaks[1] == 0).sum())",
        ),
        "fewest": (
            "",
            "next(n for n in range(1, 101) if answer_without(n).name != 'espresso')",
        ),
    },
    LESSONS[2]: {
        "hottest": (
            "explorer.show(image='cat and espresso', class_index='espresso')",
            "'the middle right'",
        ),
        "score": ("explorer.show(image='cat', class_index='tabby')", "8.16"),
        "harmless": (
            "place = (0, 0, 100, 100); mine = cw.occlude(net, cup, place, 'blur', controls=20)",
            "''",
        ),
    },
    LESSONS[3]: {
        "deaf": ("", "'1.00'"),
        "sum": ("", "'100 %'", "100.0", "'100,0'"),
        "compare": ("explorer.show(class_index='espresso', method='saliency')", "''"),
    },
    LESSONS[4]: {
        "taken": ("", "'disc'"),
        "place": ("explorer.show(class_index='square')", "'the lower right'"),
        "found": ("", "'bottom right corner'"),
        "other": (
            "explorer.show(network='trained without the mark', class_index='square')",
            "''",
        ),
    },
    LESSONS[5]: {
        "hardest": ("", "hardest[0]", "float(hardest[0])", "f' {hardest[0]},0'"),
        "mistake": ("explorer.show(image=surest)", "''"),
        "its_label": ("explorer.show(class_index='its label')", "''"),
    },
}

#: What is claimed in the last cell of a lesson, as code. Nobody but its student has the networks of
#: the last two.
CLAIMED = {
    LESSONS[0]: "'112 x 112'",
    LESSONS[1]: "int((peaks[1] == 0).sum())",
    LESSONS[2]: "'middle left'",
    LESSONS[3]: "f'{explorer.scene.chosen.probability:.1%}'",
    LESSONS[4]: "trained.predict(explorer.scene.sample)[0].name",
    LESSONS[5]: "explorer.scene.predictions[0].name",
}


def read(name):
    return nbformat.read(FOLDER / name, as_version=4)


def content_of(lesson):
    """Return the questions and exercises of a lesson, as they are written down."""
    file = files("cnn_widgets.lessons") / f"{lesson[:8]}.toml"
    return tomllib.loads(file.read_text("utf-8"))


def solution(lesson):
    """Return a cell that does all exercises of a lesson, first wrongly, and prints what is told."""
    lines = []
    for name, (done, *answers) in SOLVED[lesson].items():
        lines += [f"task = lesson._made[{name!r}]", "before = task.answer('?')", done]
        told = ", ".join(f"task.answer({answer})" for answer in answers)
        lines.append(f"print('solved:', {name!r}, before[:7], '|', *sorted({{{told}}}))")
    return nbformat.v4.new_code_cell("\n".join(lines))


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


@pytest.fixture(autouse=True)
def _interrupts_as_before():
    """Take back the answer to an interrupt that nbclient's event loop leaves behind."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def execute(tmp_path_factory):
    """Return a function that executes a notebook in an empty folder, each notebook once."""
    done = {}

    def run(name):
        if name not in done:
            folder = tmp_path_factory.mktemp("notebook")
            notebook = read(name)
            if name in LESSONS:
                last = code_cells(notebook)[-1]
                assert 'claim = "?"\n' in last.source
                last.source = last.source.replace('"?"', CLAIMED[name])
                notebook.cells.append(solution(name))
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
            done[name], run.folders[name] = notebook, folder
        return done[name]

    run.folders = {}
    return run


def test_there_are_the_four_notebooks_and_the_course():
    assert tuple(NOTEBOOKS) == (EXPLORE, ACTIVATIONS, HEATMAPS, TRUST, *LESSONS)


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
            ("beside_chance(net, found)", "beside_chance(net, found, steps=4)"),
            ("rank(net, photos[name], asked, steps=16)", "rank(net, photos[name], asked, steps=4)"),
        ):
            cell.source = cell.source.replace(old, new)
    nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
    assert "measured: " in printed(notebook)


# --- the course ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_asks_all_its_questions_once_and_measures_after_each(name):
    content, code = content_of(name), [cell.source for cell in code_cells(read(name))]
    asked = re.findall(r"lesson\.ask\(\"(\w+)\"\)", "\n".join(code))
    assert sorted(asked) == sorted(content["questions"])
    done = re.findall(r"lesson\.exercise\(\s*\"(\w+)\"", "\n".join(code))
    assert sorted(done) == sorted(content["exercises"])
    for number, cell in enumerate(code):
        if "lesson.ask(" in cell:
            rest = "\n".join(code[number + 1 :])
            assert "measured: " in cell + rest, cell


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_tells_no_answer_in_its_cells(name):
    text = "\n".join(cell.source for cell in read(name).cells)
    for question in content_of(name)["questions"].values():
        assert question["why"] not in text
        assert "answer=" not in text


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_says_its_aims_first_and_ends_with_a_hand_in_and_the_way_on(name):
    first, *_, last = read(name).cells
    assert re.match(rf"# Lesson {name[7]}: ", first.source)
    assert re.search(r"About \d\d minutes\. Afterwards you can\n\n- ", first.source)
    assert "Guess first" in first.source
    assert "explorer.report(" in code_cells(read(name))[-1].source
    assert re.search(r"\]\([a-z0-9_]+\.ipynb\)", last.source)


@pytest.mark.parametrize("name", LESSONS)
def test_the_teachers_notes_speak_of_every_lesson_and_every_question(name):
    notes = (FOLDER / "teachers_notes.md").read_text("utf-8")
    assert f"({name})" in notes
    part = notes.partition(f"## Lesson {name[7]}")[2].partition("\n## ")[0]
    for words in ("minutes", "Misconception"):
        assert words in part


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_the_exercises_of_a_lesson_refuse_a_wrong_answer_and_accept_the_right_one(name, execute):
    told = [line for line in printed(execute(name)).splitlines() if line.startswith("solved: ")]
    assert told == [f"solved: {each} Not yet | That is right." for each in SOLVED[name]]
    assert set(SOLVED[name]) == set(content_of(name)["exercises"])


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_writes_a_hand_in_that_checks(name, execute):
    text = printed(execute(name))
    assert re.search(rf"Written: lesson_{name[7]}.*\.html", text)
    (work,) = check_hand_ins(execute.folders[name])
    assert work.verdict == ("right" if name in LESSONS[:4] else "cannot be checked"), work
    assert [each.answers for each in work.pins] == [1]
