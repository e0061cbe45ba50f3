"""A folder of photographs in a real JupyterLab: pages, a search, one that cannot be read."""

import json

import pytest
from helpers.contrast import contrast
from helpers.lab import CHROMIUM, Explorer, jupyterlab, notebook, run_all
from helpers.pointing import watched
from PIL import Image
from playwright.sync_api import expect

import cnn_widgets as cw

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

COUNT = 45
CLASSES = {"cat": ["Egyptian cat", "tabby", "tiger cat"], "rocket": ["missile", "projectile"]}

#: The colour of an element's words, its own background and those of all boxes around it.
COLORS = """each => {
    const found = [getComputedStyle(each).color];
    for (let box = each; box; box = box.parentElement) {
        found.push(getComputedStyle(box).backgroundColor);
    }
    return found;
}"""


@pytest.fixture(scope="module")
def session(browser, folder, gallery, tmp_path_factory):
    photos = tmp_path_factory.mktemp("photos")
    names = ("cat", "espresso", "rocket")
    for number in range(COUNT):
        kind = photos / names[number % 3]
        kind.mkdir(exist_ok=True)
        pixels = gallery[names[number % 3]].pixels
        Image.fromarray(pixels).resize((90 + number, 70)).save(kind / f"{number:02}.jpg")
    (photos / "cat" / "03.jpg").write_bytes(b"broken")
    given = f"images={json.dumps(str(photos))}, classes={json.dumps(CLASSES)}"
    cell = f"import cnn_widgets as cw\nexplorer = cw.CNNExplorer({given})"
    notebook(folder / "folder.ipynb", f"{cell}\nexplorer")
    with jupyterlab(folder, tmp_path_factory.mktemp("home")) as address:
        page, errors = watched(browser, 1280, 800)
        run_all(page, address, "folder.ipynb")
        explorer = Explorer(page)
        explorer.wait_alt("depth", "silent", timeout=90_000)
        explorer.photos = photos
        yield explorer, errors
        page.close()


@pytest.fixture
def explorer(session):
    found, errors = session
    yield found
    assert errors == []


def told(explorer, text):
    explorer.root.locator(".cnnw-shelf").get_by_text(text, exact=True).wait_for()


def thumbs(explorer):
    return explorer.root.locator(".cnnw-thumbs .jupyter-button")


def test_the_photographs_stand_by_the_page(explorer):
    told(explorer, f"1–18 of {COUNT}")
    expect(thumbs(explorer)).to_have_count(18)
    explorer.root.locator(".cnnw-shelf .cnnw-arrow").last.click()
    told(explorer, f"19–36 of {COUNT}")
    explorer.root.locator(".cnnw-shelf .cnnw-arrow").first.click()
    told(explorer, f"1–18 of {COUNT}")
    row, shelf = (explorer.root.locator(each).bounding_box() for each in
                  (".cnnw-thumbs", ".cnnw-top"))  # fmt: skip
    assert row["height"] < 130  # two rows: the evidence stays in sight
    assert shelf["width"] <= 1280


def test_names_and_labels_are_searched_and_a_click_shows_the_photograph(explorer):
    search = explorer.root.locator(".cnnw-control-photo_search input")
    search.fill("espresso/")
    search.press("Enter")
    told(explorer, f"1–15 of 15 found among {COUNT}")
    thumbs(explorer).nth(2).click()
    explorer.wait_alt("overlay", "espresso/07.jpg")
    explorer.panel("predictions").get_by_text("labelled espresso").wait_for()
    search.fill("")
    search.press("Enter")
    told(explorer, f"1–18 of {COUNT}")


def test_one_that_cannot_be_read_is_marked_and_says_why(explorer):
    broken = explorer.root.locator(".cnnw-thumbs .cnnw-unreadable")
    expect(broken).to_have_count(1)
    before = explorer.panel("overlay").locator("img").get_attribute("alt")
    broken.click()
    explorer.root.locator(".cnnw-error", has_text="cannot be read").wait_for()
    assert explorer.panel("overlay").locator("img").get_attribute("alt") == before


def test_high_contrast_shows_what_is_chosen_and_hides_what_is_hidden(explorer):
    """The system's colours replace backgrounds: lines must say what these said."""
    page = explorer.page
    page.emulate_media(forced_colors="active")
    looks = explorer.root.evaluate(
        """root => {
            const look = selector => getComputedStyle(root.querySelector(selector));
            return {
                hidden: look('.cnnw-choosers .jupyter-button').color,
                button: look('.cnnw-control-upload').borderTopStyle,
                slider: look('.noUi-target').borderTopStyle,
                chosen: look('.cnnw-control-face .mod-active').backgroundColor,
                other: look('.cnnw-control-face .jupyter-button:not(.mod-active)').backgroundColor,
                bar: look('.cnnw-fill').backgroundColor,
                legend: look('.cnnw-legend i').backgroundImage,
            };
        }"""
    )
    page.emulate_media(forced_colors="none")
    assert looks["hidden"] == "rgba(0, 0, 0, 0)"
    assert looks["button"] == looks["slider"] == "solid"
    assert looks["chosen"] != looks["other"]
    assert looks["bar"] != "rgba(0, 0, 0, 0)"
    assert "gradient" in looks["legend"]


def test_a_click_into_the_table_of_mistakes_opens_those_photographs(explorer, lite0):
    expected = cw.audit(lite0, explorer.photos, classes=CLASSES)
    page = explorer.page
    explorer.root.get_by_text("Where is it wrong?").click()
    explorer.root.locator(".cnnw-control-audit.jupyter-button").click()
    matrix = explorer.root.locator(".cnnw-matrix")
    matrix.wait_for(timeout=90_000)
    cells = matrix.locator("[role=cell]")
    counts = [int(each or 0) for each in cells.all_inner_texts()]
    assert counts == expected.confusion.ravel().tolist()
    wrong = len(expected.mistakes())
    told(explorer, shown(wrong))
    row, column = divmod(int(expected.confusion.argmax()), 4)
    own = cells.nth(4 * row + column)
    own.scroll_into_view_if_needed()
    box = own.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    told(explorer, shown(int(expected.confusion[row, column])))
    picked = matrix.locator("[role=cell].cnnw-picked")
    picked.wait_for()
    expect(picked).to_have_text(own.inner_text())
    explorer.wait_alt("overlay", f"{expected.label_names[row]}/")
    explorer.root.locator(".cnnw-touch-confusion").press("Escape")
    told(explorer, shown(wrong))
    kinds = explorer.root.locator(".cnnw-control-audit_kind select")
    kinds.select_option(label="all photographs, in their order")
    told(explorer, shown(COUNT - 1))  # one cannot be read
    for theme in ("Dark", "Light"):
        in_theme(page, theme)
        for cell in cells.all():
            if cell.inner_text().strip():
                assert contrast(*cell.evaluate(COLORS)) >= 4.5, (theme, cell.get_attribute("class"))
    page.set_viewport_size({"width": 600, "height": 800})
    page.wait_for_function("document.querySelector('.cnnw-explorer').clientWidth < 600")
    assert all(across > 8 and abs(down) < 3 for across, down in names_and_values(explorer))
    page.set_viewport_size({"width": 1280, "height": 800})
    explorer.root.get_by_text("Where is it wrong?").click()
    told(explorer, f"1–18 of {COUNT}")


def in_theme(page, theme):
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text(f"JupyterLab {theme}", exact=True).click()
    light = "true" if theme == "Light" else "false"
    page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")


def names_and_values(explorer):
    """Return from the end of each name to its value: pixels across, and down."""
    found = explorer.panel("audit").evaluate(
        """panel => [...panel.querySelectorAll('dt')].map(name => {
            const words = document.createRange();
            words.selectNodeContents(name);
            const value = name.nextElementSibling.getBoundingClientRect();
            return [value.left - words.getBoundingClientRect().right,
                    value.top - words.getBoundingClientRect().top];
        })"""
    )
    assert len(found) == 4
    return found


def shown(found):
    return (
        f"1–{min(18, found)} of {found} found among {COUNT}"
        if found
        else f"none found among {COUNT}"
    )
