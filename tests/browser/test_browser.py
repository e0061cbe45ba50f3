"""The explorer as a person meets it: a real JupyterLab in a real Chromium."""

import base64
import contextlib

import nbformat
import pytest
from helpers.lab import CHROMIUM, Explorer, jupyterlab, notebook, run_all
from PIL import Image
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

CELL = "import cnn_widgets as cw\nexplorer = cw.CNNExplorer()\nexplorer"
EVERY = ("original", "overlay", "input", "filter", "mosaic", "depth")


#: Pages of their own, on which what a message did is not the question: opened once, not twice.
ONCE = {
    "test_inside_other_widgets_it_switches_networks_and_prepares_for_clicks",
    "test_names_made_of_code_are_shown_and_not_run",
    "test_state_set_from_a_cell_shows_on_the_page",
    "test_a_saved_notebook_shows_a_picture_where_there_is_no_kernel",
    "test_it_is_legible_in_the_dark_theme",
}


def pytest_generate_tests(metafunc):
    if "lab" in metafunc.fixturenames:
        ways = ["subshells", "main shell"]
        once = metafunc.function.__name__ in ONCE
        metafunc.parametrize("lab", ways[:1] if once else ways, indirect=True, scope="module")


@pytest.fixture(scope="module")
def lab(request, folder, tmp_path_factory):
    """JupyterLab with widget messages over kernel subshells (its default) and without."""
    home = tmp_path_factory.mktemp("home")
    settings = home / "config" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    policy = "perCommTarget" if request.param == "subshells" else "disabled"
    kernel = settings / "kernels-settings.jupyterlab-settings"
    kernel.write_text(f'{{"commsOverSubshells": "{policy}"}}')
    with jupyterlab(folder, home) as address:
        yield address


def opened(browser, lab, folder, name, *cells, size=(1280, 800)):
    """Return a page with a notebook run, and the list of its console errors."""
    notebook(folder / name, *cells)
    page = browser.new_page(viewport={"width": size[0], "height": size[1]})
    errors = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    run_all(page, lab, name)
    try:
        page.wait_for_selector(".jp-OutputArea .cnnw-panel-depth img", timeout=90_000)
    except Exception as error:
        shown = page.inner_text("body")[-2000:]
        raise AssertionError(f"No explorer on the page: {errors}\n{shown}") from error
    return page, errors


@pytest.fixture(scope="module")
def session(browser, lab, folder):
    """One explorer for the tests of this module; they leave it alive."""
    page, errors = opened(browser, lab, folder, "explore.ipynb", CELL, "explorer.last_error")
    yield Explorer(page), errors
    page.close()


@pytest.fixture
def explorer(session):
    return session[0]


@pytest.fixture
def unfolded(explorer):
    """The fold of the rare settings, opened."""
    explorer.open_fold("display")


def test_the_first_screen_answers_what_why_and_where(explorer):
    for name in EVERY:
        assert explorer.panel(name).locator("img").is_visible() == (name != "input")
        assert len(explorer.alt(name)) > 20
    assert "Egyptian cat" in explorer.panel("predictions").inner_text()
    box = explorer.root.bounding_box()
    assert box["width"] <= 1280
    assert explorer.panel("overlay").locator("img").bounding_box()["width"] >= 340
    tiles = explorer.panel("mosaic").locator("img").bounding_box()
    below = tiles["y"] + tiles["height"] / 3 - box["y"]
    assert below < 680  # the first row of filters, too, fits under the notebook's bars
    assert explorer.page.locator(".jp-OutputArea-output[data-mime-type*=error]").count() == 0


def test_a_thumbnail_changes_every_panel(explorer):
    explorer.root.get_by_role("button", name="espresso", exact=True).click()
    for name in EVERY:
        explorer.wait_alt(name, "espresso")
    explorer.page.wait_for_function(
        "document.querySelector('.cnnw-panel-predictions').textContent.includes('90 %')"
    )
    explorer.root.get_by_role("button", name="cat", exact=True).click()
    explorer.wait_alt("overlay", "Egyptian cat")


@pytest.mark.parametrize(
    ("control", "label", "panel", "text"),
    [
        ("layer", "block3_expand · Conv2D · 56×56×144", "mosaic", "block3_expand"),
        ("class_index", "2. tiger cat (10 %)", "overlay", "tiger cat: score"),
        ("method", "HiResCAM", "overlay", "HiResCAM"),
        ("method", "Saliency", "overlay", "Saliency at the input"),
        ("method", "Grad-CAM", "overlay", "Grad-CAM"),
        ("cam_layer", "the layer browsed", "overlay", "at block3_expand"),
        ("cam_layer", "head_relu (the last map)", "overlay", "at head_relu"),
        ("scale", "one scale for the layer", "mosaic", "one scale for all"),
        ("class_index", "most likely: Egyptian cat (77 %)", "overlay", "Egyptian cat: score"),
    ],
)
def test_each_list_changes_its_panel(explorer, unfolded, control, label, panel, text):
    explorer.control(control, "select").select_option(label=label)
    explorer.wait_alt(panel, text)


@pytest.mark.parametrize(
    ("control", "label", "panel"),
    [
        ("target", "the probability", "overlay"),
        ("target", "the score", "overlay"),
        ("colormap", "jet", "overlay"),
        ("colormap", "inferno", "overlay"),
        ("filter_colormap", "magma", "mosaic"),
        ("filter_colormap", "viridis", "filter"),
        ("fit", "kept whole, with bars", "input"),
        ("fit", "stretched to the square", "input"),
    ],
)
def test_each_choice_draws_its_panel_again(explorer, unfolded, control, label, panel):
    before = explorer.frame(panel)
    explorer.control(control, "select").select_option(label=label)
    explorer.wait_new_frame(panel, before)


def test_the_filter_slider_moves_the_filter_the_frame_and_the_number(explorer):
    before = explorer.panel("frame").locator(".cnnw-frame").bounding_box()
    explorer.control("filter", ".noUi-handle").focus()
    for _ in range(3):
        explorer.page.keyboard.press("ArrowRight")
    explorer.wait_alt("filter", "Filter 3 of")
    expect(explorer.control("filter_number", "input")).to_have_value("3")
    explorer.page.wait_for_function(
        "x => document.querySelector('.cnnw-panel-frame .cnnw-frame')"
        "?.getBoundingClientRect().x > x", arg=before["x"])  # fmt: skip
    explorer.control("filter_number", "input").fill("7")
    explorer.page.keyboard.press("Enter")
    explorer.wait_alt("filter", "Filter 7 of")


def test_a_flood_of_keys_settles_on_the_last_value(explorer):
    explorer.control("filter", ".noUi-handle").focus()
    for _ in range(60):
        explorer.page.keyboard.press("ArrowRight", delay=0)
    explorer.wait_alt("filter", "Filter 67 of")
    expect(explorer.control("filter_number", "input")).to_have_value("67")


def test_the_evidence_lies_exactly_over_its_photograph(explorer):
    for name in ("cat", "photographer"):  # one of them is square
        explorer.root.get_by_role("button", name=name, exact=True).click()
        explorer.wait_alt("overlay", f"over {name}")
        explorer.wait_over("overlay", "original")
    explorer.root.get_by_role("button", name="cat", exact=True).click()
    explorer.wait_alt("overlay", "over cat")


def test_the_opacity_slider_changes_the_opacity_and_sends_no_picture(explorer):
    before = explorer.frame("overlay")
    explorer.control("alpha", ".noUi-handle").focus()
    explorer.page.keyboard.press("ArrowLeft")
    explorer.wait_opacity("0.55")
    explorer.page.keyboard.press("ArrowRight")
    explorer.wait_opacity("0.6")
    assert explorer.frame("overlay") == before


def test_the_arrows_walk_the_layers(explorer):
    explorer.root.get_by_role("button", name="▶").click()
    explorer.wait_alt("mosaic", "block3_project")
    explorer.root.get_by_role("button", name="◀").click()
    explorer.wait_alt("mosaic", "block3_expand")


def test_a_click_on_a_row_of_the_top_five_chooses_the_class(explorer):
    explorer.root.get_by_role("button", name="explain tabby").click()
    explorer.wait_alt("overlay", "tabby: score")


def test_searching_finds_a_class_and_says_when_it_does_not(explorer):
    box = explorer.control("class_search", "input")
    box.fill("zebra")
    box.press("Enter")
    explorer.wait_alt("overlay", "zebra: score")
    box.fill("unicorn")
    box.press("Enter")
    explorer.wait_status("Unknown class 'unicorn'")
    assert "zebra" in explorer.alt("overlay")


def test_a_file_is_uploaded_and_shown(explorer, tmp_path):
    Image.new("RGB", (40, 30), (200, 30, 30)).save(tmp_path / "red square.png")
    with explorer.page.expect_file_chooser() as chooser:
        explorer.control("upload").click()
    chooser.value.set_files(tmp_path / "red square.png")
    explorer.wait_alt("original", "red square")
    explorer.wait_alt("depth", "red square")  # the last one drawn of those the next test reads


def test_what_is_no_picture_is_refused_in_words_and_the_view_stays(explorer, tmp_path):
    (tmp_path / "notes.png").write_text("not a picture at all")
    before = explorer.frame("overlay")
    with explorer.page.expect_file_chooser() as chooser:
        explorer.control("upload").click()
    chooser.value.set_files(tmp_path / "notes.png")
    explorer.wait_status("notes.png is")
    assert "red square" in explorer.alt("original")
    assert explorer.frame("overlay") == before
    box = explorer.control("location", "input")
    box.fill("/no/such/picture.jpg")
    box.press("Enter")
    explorer.wait_status("There is no file")


def test_the_gallery_of_pairs_opens_on_request(explorer):
    explorer.page.get_by_text("All photographs, each with").click()
    explorer.page.wait_for_selector(".cnnw-panel-pairs figure", timeout=60_000)
    expect(explorer.page.locator(".cnnw-panel-pairs figure")).to_have_count(10)
    explorer.page.get_by_text("All photographs, each with").click()


def test_the_map_is_put_to_the_test(explorer):
    explorer.root.get_by_text("Can this map be trusted?").click()
    trust = explorer.panel("trust")
    trust.get_by_text("Press Judge").wait_for()
    explorer.control("judge").click()
    trust.locator(".cnnw-table").wait_for(timeout=60_000)
    charts = trust.locator("img")
    told = [charts.nth(i).get_attribute("alt").split(" (")[0] for i in range(2)]
    assert told == ["Curve of deletion", "Curve of insertion"]
    explorer.control("instrument", "select").select_option(label="Sanity check")
    trust.get_by_text("Press Judge").wait_for()
    explorer.control("judge").click()
    trust.locator("figure").nth(8).wait_for(timeout=60_000)
    box, place = trust.bounding_box(), explorer.root.bounding_box()
    assert box["x"] + box["width"] <= place["x"] + place["width"] + 1
    explorer.control("method", "select").select_option(label="HiResCAM")  # another map
    trust.get_by_text("Press Judge").wait_for()
    explorer.control("method", "select").select_option(label="Grad-CAM")
    explorer.wait_alt("overlay", "Grad-CAM")
    explorer.root.get_by_text("Can this map be trusted?").click()


def test_inside_other_widgets_it_switches_networks_and_prepares_for_clicks(browser, lab, folder):
    cell = (
        "import ipywidgets, keras, cnn_widgets as cw\n"
        "small = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(6, 3, "
        "activation='relu', name='mine'), keras.layers.GlobalAveragePooling2D(), "
        "keras.layers.Dense(3, activation='softmax')], name='small')\n"
        "explorer = cw.CNNExplorer(models={'small': small})\n"
        "import threading, time\n"
        "label = ipywidgets.Label('not yet')\n"
        "def watch():\n"
        "    while explorer._warmup.network is None: time.sleep(0.1)\n"
        "    label.value = 'prepares for ' + explorer._warmup.network.name\n"
        "threading.Thread(target=watch, daemon=True).start()\n"
        "ipywidgets.VBox([label, ipywidgets.Tab([explorer])])"
    )
    # (of two cells JupyterLab may take the first from the page, when it goes to the second)
    page, errors = opened(browser, lab, folder, "switch.ipynb", cell)
    explorer = Explorer(page)
    page.wait_for_selector("text=prepares for EfficientNet-Lite0")
    explorer.root.get_by_role("button", name="rocket", exact=True).click()
    explorer.wait_alt("original", "rocket")
    explorer.control("network", "select").select_option(label="small")
    explorer.wait_alt("mosaic", "mine")
    explorer.wait_status("divided by 255")
    assert "rocket" in explorer.alt("original")
    explorer.control("network", "select").select_option(label="EfficientNet-Lite0")
    explorer.wait_alt("mosaic", "stem")
    assert errors == []
    page.close()


def test_names_made_of_code_are_shown_and_not_run(browser, lab, folder):
    evil = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
    cell = (
        "import keras, numpy as np, cnn_widgets as cw\n"
        f"evil = {evil!r}\n"
        "model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Conv2D(6, 3, "
        "activation='relu', name='mine'), keras.layers.GlobalAveragePooling2D(), "
        "keras.layers.Dense(3, activation='softmax')])\n"
        "net = cw.Network(model, 'none', [evil + str(n) for n in range(3)], name='net ' + evil)\n"
        "explorer = cw.CNNExplorer(net, {evil: np.zeros((9, 9, 3), 'u1'), 'b': np.ones((9, 9))})\n"
        "explorer.show(trust=True)\nexplorer"
    )
    page, errors = opened(browser, lab, folder, "code names.ipynb", cell)
    explorer = Explorer(page)
    explorer.root.get_by_role("button", name="explain").nth(1).click()
    explorer.wait_alt("overlay", "<script>")
    box = explorer.control("location", "input")
    box.fill(f"/tmp/{evil}.png")
    box.press("Enter")
    explorer.wait_status("There is no file")
    with page.expect_file_chooser() as chooser:
        explorer.control("upload").click()
    upload = {"name": f"{evil[:30]}.png", "mimeType": "image/png", "buffer": b"no picture"}
    chooser.value.set_files(upload)
    explorer.wait_status("not a picture")
    assert page.evaluate("window.hacked") is None
    assert errors == []
    page.close()


def test_widget_messages_come_the_way_that_is_being_tested(browser, lab, folder, request):
    cell = (  # (of two cells JupyterLab may take the first from the page)
        "import threading, ipywidgets, cnn_widgets as cw\n"
        "explorer = cw.CNNExplorer()\n"
        "where = ipywidgets.Label()\n"
        "def note(change): where.value += threading.current_thread().name + ' '\n"
        "explorer.controls.widgets['alpha'].observe(note, 'value')\ndisplay(explorer, where)"
    )
    page, _ = opened(browser, lab, folder, "threads.ipynb", cell)
    explorer = Explorer(page)
    explorer.control("alpha", ".noUi-handle").focus()
    label = page.locator(".jp-OutputArea .widget-label").last
    for opacity in ("0.55", "0.5", "0.45", "0.4"):
        page.keyboard.press("ArrowLeft")
        explorer.wait_opacity(opacity)
    page.wait_for_function(
        """n => [...document.querySelectorAll('.widget-label')].some(
        e => (e.textContent.match(/Thread|shell/g) || []).length >= n)""",
        arg=4,
    )
    if "subshells" in request.node.name:
        assert "subshell" in label.inner_text()
    else:
        assert "subshell" not in label.inner_text()
    page.close()


@pytest.fixture(scope="module")
def scripted(browser, lab, folder):
    """A notebook whose second cell moves the explorer of the first."""
    cells = (
        CELL,
        "explorer.show(image='officer', layer='block1_expand', filter=4)",
        "explorer.state.image, explorer.state.layer, explorer.state.filter",
    )
    page, errors = opened(browser, lab, folder, "scripted.ipynb", *cells)
    yield page, errors
    page.close()


def test_state_set_from_a_cell_shows_on_the_page(scripted):
    page, errors = scripted
    Explorer(page).wait_alt("filter", "Filter 4 of block1_expand on officer")
    page.wait_for_selector("text=('officer', 'block1_expand', 4)")
    assert errors == []


def test_a_saved_notebook_shows_a_picture_where_there_is_no_kernel(scripted, folder):
    page, _ = scripted
    page.keyboard.press("Control+s")
    path = folder / "scripted.ipynb"
    page.wait_for_selector(".jp-DocumentTitle, .jp-NotebookPanel")
    page.wait_for_function("!document.querySelector('.jp-mod-dirty')")
    for _ in range(100):
        with contextlib.suppress(nbformat.reader.NotJSONError):  # while it is being written
            outputs = nbformat.read(path, 4).cells[0].get("outputs", [])
            data = outputs[-1].get("data", {}) if outputs else {}
            if "image/png" in data:
                break
        page.wait_for_timeout(100)
    assert base64.b64decode(data["image/png"])[:4] == b"\x89PNG"
    assert len(data["text/plain"]) < 200


def test_it_is_legible_in_the_dark_theme(scripted):
    page, errors = scripted
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Dark", exact=True).click()
    page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
    contrast = page.evaluate("""() => {
        const lum = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
            .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
            return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
        const ground = lum(getComputedStyle(document.querySelector('.jp-Notebook'))
            .backgroundColor);
        return ['.cnnw-title', '.cnnw-caption', '.cnnw-rows td'].map(s => {
            const ink = lum(getComputedStyle(document.querySelector('.cnnw-explorer ' + s)).color);
            return (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05); });
    }""")
    assert min(contrast) > 4.5
    assert errors == []
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text("JupyterLab Light", exact=True).click()


def test_nothing_complained_in_the_console(session):
    explorer, errors = session
    assert errors == []
    assert explorer.page.locator(".jp-OutputArea-output[data-mime-type*=stderr]").count() == 0
