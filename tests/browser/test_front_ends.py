"""The explorer in Notebook 7 and in Voilà, on a screen as narrow as a phone's, too."""

import re

import pytest
from helpers.front_ends import front_end, run_in_notebook_7
from helpers.lab import CHROMIUM, Explorer, notebook
from helpers.pointing import Hand, watched
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

CELL = "import cnn_widgets as cw\ncw.CNNExplorer()"
#: What each front end itself complains of while it opens, without any widget.
OWN = {"notebook": "reading 'schema'", "voila": "@jupyter-notebook/lab-extension"}
#: Controls, titles and pictures that reach beyond what is seen of the boxes around them, captions
#: whose end is cut off, and pairs that lie over each other. The buttons over the rows of classes
#: are meant to.
CROWDED = """root => {
    const items = [...root.querySelectorAll('button, select, input, .cnnw-title, .cnnw-caption, '
        + '.cnnw-touch, .widget-label, .cnnw-rows')].filter(each => !each.matches(
        '.cnnw-touch *, .cnnw-choosers *, .cnnw-nolabel > .widget-label, [type=file]')
        && each.checkVisibility({checkVisibilityCSS: true}) && each.getBoundingClientRect().width);
    const name = each => `${each.tagName} ${each.className || ''} ${each.textContent.slice(0, 30)}`;
    const found = [];
    for (const each of items) {
        const own = each.getBoundingClientRect();
        if (own.left < 0 || own.right > innerWidth) found.push(`outside: ${name(each)}`);
        for (let box = each.parentElement; box !== root.parentElement; box = box.parentElement) {
            const around = box.getBoundingClientRect();
            if (getComputedStyle(box).overflowX !== 'visible'
                && (own.right > around.right + 1 || own.left < around.left - 1)) {
                found.push(`cut: ${name(each)}`);
            }
        }
        if (each.matches('.cnnw-caption') && each.scrollHeight > each.clientHeight + 2) {
            found.push(`cut: ${name(each)}`);
        }
        for (const other of items) {
            if (other === each || other.contains(each) || each.contains(other)) continue;
            const rect = other.getBoundingClientRect();
            const across = Math.min(own.right, rect.right) - Math.max(own.left, rect.left);
            const down = Math.min(own.bottom, rect.bottom) - Math.max(own.top, rect.top);
            if (across > 2 && down > 2) found.push(`overlap: ${name(each)} | ${name(other)}`);
        }
    }
    return found;
}"""


@pytest.fixture(scope="module", params=["notebook", "voila"])
def session(request, browser, folder, tmp_path_factory):
    """A hand at an explorer in a front end, the errors in the console, and the front end."""
    notebook(folder / "explore.ipynb", CELL)
    home = tmp_path_factory.mktemp(request.param)
    with front_end(request.param, folder, home) as address:
        page, errors = watched(browser, 1280, 800)
        beyond = []
        page.route(
            re.compile(r"^https?://(?!127\.0\.0\.1)"),  # Voilà's own page asks for a font of icons
            lambda route: (beyond.append(route.request.url), route.fulfill(body="")),
        )
        if request.param == "notebook":
            run_in_notebook_7(page, address, "explore.ipynb")
        else:
            page.goto(f"{address}/voila/render/explore.ipynb", timeout=90_000)
        page.wait_for_selector(".cnnw-touch-mosaic[role=grid]", timeout=60_000)
        yield Hand(Explorer(page)), errors, request.param
        assert [each for each in beyond if "fontawesome" not in each] == []
        page.close()


@pytest.fixture
def hand(session):
    hand, errors, name = session
    yield hand
    assert [each for each in errors if OWN[name] not in each] == []


def test_the_pictures_show(hand):
    for name in ("original", "overlay", "filter", "mosaic", "depth"):
        hand.explorer.wait_alt(name, "cat")
        assert hand.explorer.panel(name).locator("img").is_visible()
    expect(hand.explorer.panel("predictions")).to_contain_text("Egyptian cat")
    # The explorer has its style: the evidence lies over the photograph
    hand.explorer.wait_over("overlay", "original")
    assert hand.explorer.panel("overlay").locator("img").bounding_box()["width"] >= 340


def test_a_click_on_a_tile_chooses_its_filter_and_the_keys_walk_on(hand):
    cells = hand.page.locator(".jp-Cell").count()
    mosaic = hand.box("mosaic")
    columns, rows = (int(mosaic.get_attribute(f"aria-{each}count")) for each in ("col", "row"))
    x, y = 3.5 / columns, 1.5 / rows
    hand.words("mosaic", x, y, rf"^filter {columns + 3} · maximum")
    hand.click("mosaic", x, y)
    hand.wait_value("filter_number", columns + 3)
    mosaic.press("ArrowRight")
    mosaic.press("b")
    mosaic.press("a")
    hand.explorer.wait_alt("filter", f"Filter {columns + 4} of stem")
    assert hand.page.locator(".jp-Cell").count() == cells


def test_a_click_on_the_photograph_pins_a_cell_and_escape_clears(hand):
    hand.click("photo", 0.5, 0.5)
    hand.explorer.root.locator(".cnnw-touch-photo .cnnw-first").wait_for()
    hand.box("photo").press("Escape")
    hand.wait_value("pins", "")


def test_the_controls_work(hand):
    hand.explorer.root.get_by_role("button", name="espresso", exact=True).click()
    hand.explorer.wait_alt("overlay", "espresso")
    hand.explorer.control("method", "select").select_option(label="HiResCAM")
    hand.explorer.wait_alt("overlay", "HiResCAM")
    layers = hand.explorer.control("layer", "select")
    layers.press("ArrowDown")
    hand.explorer.wait_alt("mosaic", "block0_project")
    layers.press("ArrowUp")
    hand.explorer.wait_alt("mosaic", "stem")
    hand.explorer.root.get_by_role("button", name="Display, places").press("Enter")
    hand.explorer.control("colormap", "select").wait_for()
    hand.explorer.root.get_by_role("button", name="Display, places").press("Enter")
    hand.explorer.control("colormap", "select").wait_for(state="hidden")


@pytest.mark.parametrize("session", ["voila"], indirect=True, scope="module")
def test_on_a_narrow_page_nothing_overlaps_or_is_cut(hand):
    """In Voilà, as on a telephone; a notebook keeps its own margins."""
    hand.page.set_viewport_size({"width": 390, "height": 844})
    hand.page.wait_for_function(
        "document.querySelector('.cnnw-touch-photo').getBoundingClientRect().right <= 390"
    )
    root = hand.explorer.root
    assert root.evaluate("root => root.scrollWidth <= root.clientWidth")
    assert hand.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert root.evaluate(CROWDED) == []
    hand.explorer.open_fold("display")
    hand.explorer.open_fold("strip")
    hand.explorer.wait_alt("strip", "", timeout=60_000)
    assert root.evaluate("root => root.scrollWidth <= root.clientWidth")
    assert root.evaluate(CROWDED) == []
    hand.click("mosaic", 0.01, 0.01)
    hand.wait_value("filter_number", 0)
