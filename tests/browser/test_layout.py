"""Where things lie on the page in a real JupyterLab, from a wide screen to a narrow window.

All tests share one page; a lesson that asks for a guess is on it, too.
"""

import io

import pytest
from helpers.contrast import contrast
from helpers.lab import CHROMIUM, Explorer, jupyterlab, notebook, run_all
from helpers.pointing import Hand, watched
from PIL import Image
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

CELL = """import cnn_widgets as cw
explorer = cw.CNNExplorer(hints=False, predict_first=True)
explorer.show(layer="head_relu", filter=3)
explorer"""
WIDTHS = (1920, 1280, 1024, 600)
#: Photographs that nobody has guessed, one for each test in a lesson.
UNGUESSED = iter(("rocket", "espresso", "officer"))
#: Returns the sides of what is seen of the first element of each selector, under its name.
BOXES = """(root, selectors) => Object.fromEntries(Object.entries(selectors).map(([name, each]) => {
    const {left, top, right, bottom, width, height}
        = root.querySelector(each).getBoundingClientRect();
    return [name, {left, top, right, bottom, width, height}];
}))"""
#: Returns what reaches beyond a box that cuts it off; what can be scrolled to is not cut off.
CUT = """(root, selector) => [...root.querySelectorAll(selector)].filter(each => {
    let own = each.getBoundingClientRect();
    if (!each.checkVisibility({checkVisibilityCSS: true}) || !own.width) return false;
    for (let box = each.parentElement; box !== root.parentElement; box = box.parentElement) {
        const around = box.getBoundingClientRect(), style = getComputedStyle(box).overflowX;
        if (['auto', 'scroll'].includes(style)) own = around;
        else if (style !== 'visible' && own.right > around.right + 1) return true;
    }
    return false;
}).map(each => `${each.className || each.tagName}: ${each.textContent.slice(0, 40)}`)"""

#: Returns the lists of which the chosen text is wider than the list.
CLIPPED = """root => [...root.querySelectorAll('select')].filter(each => {
    if (!each.checkVisibility() || each.size > 1 || each.selectedIndex < 0) return false;
    const style = getComputedStyle(each), pen = document.createElement('canvas').getContext('2d');
    pen.font = style.font;
    const room = each.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    return pen.measureText(each.selectedOptions[0].text).width > room + 1;
}).map(each => each.selectedOptions[0].text)"""
#: Returns what is left of words that have no space, in captions of narrow pictures too.
TOO_WIDE = """(root, words) => [...root.querySelectorAll(words)].filter(each => {
    const before = each.innerHTML, picture = each.parentElement.querySelectorAll('img');
    each.textContent = 'x'.repeat(90);
    picture.forEach(one => one.style.width = '9px');
    const {width} = each.getBoundingClientRect(), narrow = width < 100 || each.scrollWidth > width;
    each.innerHTML = before;
    picture.forEach(one => one.style.width = '');
    return each.checkVisibility() && narrow;
}).map(each => each.textContent)"""

#: What the keys are on: its kind, how wide its outline is, and the colours of that and of itself.
FOCUSED = """() => {
    const style = getComputedStyle(document.activeElement);
    return [document.activeElement.tagName,
            style.outlineStyle === 'solid' ? parseFloat(style.outlineWidth) : 0,
            style.outlineColor,
            style.boxShadow.includes('inset') ? style.boxShadow : style.backgroundColor];
}"""


@pytest.fixture(scope="module")
def session(browser, folder, tmp_path_factory):
    notebook(folder / "layout.ipynb", CELL)
    with jupyterlab(folder, tmp_path_factory.mktemp("home")) as address:
        page, errors = watched(browser, 1280, 800)
        run_all(page, address, "layout.ipynb")
        hand = Hand(Explorer(page))
        page.wait_for_selector(".cnnw-touch-mosaic[role=grid]", timeout=90_000)
        yield hand, errors
        page.close()


@pytest.fixture
def lesson(session):
    """A page whose photograph nobody has guessed yet."""
    hand, errors = session
    name = next(UNGUESSED)
    hand.explorer.root.get_by_role("button", name=name, exact=True).click()
    hand.wait("root.matches('.cnnw-guessing')")
    yield hand
    assert errors == []


@pytest.fixture
def hand(session):
    """A page whose photograph was guessed: everything is seen."""
    hand, errors = session
    hand.explorer.root.get_by_role("button", name="cat", exact=True).click()
    field = hand.explorer.control("guess", "input")
    if field.is_visible():
        field.fill("tabby")
        field.press("Enter")
    hand.explorer.wait_alt("overlay", "over cat")
    yield hand
    assert errors == []


def widen(hand, width):
    """Give the window a width, and wait until the explorer has taken it up."""
    hand.page.set_viewport_size({"width": width, "height": 800})
    hand.wait("innerWidth === arg && root.getBoundingClientRect().right <= arg"
              " && root.getBoundingClientRect().right > arg - 120", width)  # fmt: skip


def boxes(hand, **selectors):
    return hand.explorer.root.evaluate(BOXES, selectors)


def show_as(hand, size):
    hand.explorer.open_fold("display")
    hand.explorer.control("size", "select").select_option(label=size)
    hand.wait("root.matches('.cnnw-projector') === arg", size == "projector")


@pytest.mark.parametrize("size", ["projector", "laptop"])
def test_the_first_view_holds_together_at_every_width(hand, size):
    show_as(hand, size)
    for width in WIDTHS:
        widen(hand, width)
        seen = boxes(
            hand, title=".cnnw-area-answer > .widget-html", rows=".cnnw-area-answer > .cnnw-stack",
            why=".cnnw-why", faces=".cnnw-control-face", photo=".cnnw-touch-photo",
            filter=".cnnw-touch-filter", depth=".cnnw-touch-depth",
            chosen=".cnnw-control-filter_count", order=".cnnw-control-filter_order",
        )  # fmt: skip
        # The answer stands under its title, the controls beside or below it
        assert 0 <= seen["rows"]["top"] - seen["title"]["bottom"] < 12, width
        assert abs(seen["rows"]["left"] - seen["title"]["left"]) < 2, width
        beside = seen["why"]["left"] > seen["rows"]["right"]
        above = seen["title"] if beside else seen["rows"]
        assert 0 <= seen["why"]["top"] - above["bottom"] < 12, width
        # Nothing stands between the photograph and its faces, and two lists stand in one row
        assert 0 <= seen["photo"]["top"] - seen["faces"]["bottom"] < 12, width
        assert seen["order"]["top"] == seen["chosen"]["top"], width
        # A chart is no larger than the picture beside it
        assert seen["depth"]["height"] < 1.25 * seen["filter"]["height"], width
        inside = ".cnnw-inside .cnnw-touch, .cnnw-inside .cnnw-bar, .cnnw-inside .cnnw-bar span"
        assert hand.explorer.root.evaluate(CUT, f"{inside}, .cnnw-inside .cnnw-caption") == []


def test_for_a_projector_nothing_is_smaller_and_no_list_is_cut(hand):
    explorer, folds = hand.explorer, ("experiments", "trust", "audit", "strip", "pairs")
    for fold in folds:
        explorer.open_fold(fold)
    explorer.root.locator(".cnnw-panel-pairs figcaption").first.wait_for()
    pictures = {name: f".cnnw-touch-{name}" for name in ("photo", "mosaic", "filter", "depth")}
    seen, words = {}, "each => parseFloat(getComputedStyle(each).fontSize)"
    for size in ("laptop", "projector"):
        show_as(hand, size)
        explorer.root.locator(".cnnw-touch-strip img").wait_for()
        for width in WIDTHS:
            widen(hand, width)
            seen[size, width] = boxes(hand, **pictures)
            assert explorer.root.evaluate(CLIPPED) == [], (size, width)
        captions = explorer.root.locator(".cnnw-caption:visible, figcaption:visible").all()
        seen[size] = min(each.evaluate(words) for each in captions)
    for width in WIDTHS:
        for name, large in seen["projector", width].items():
            small = seen["laptop", width][name]
            for side in ("width", "height"):
                assert large[side] > small[side] - 1, (name, width)
    assert seen["projector"] >= 14 > seen["laptop"]
    show_as(hand, "laptop")
    for fold in folds:
        explorer.control(fold).locator(".jupyter-widget-Collapse-header").first.click()
    widen(hand, 1280)


def test_a_word_without_a_space_stays_beside_its_picture(hand):
    hand.explorer.open_fold("pairs")
    caption = ".cnnw-panel-pairs figcaption"
    hand.explorer.root.locator(caption).first.wait_for()
    found = hand.explorer.root.evaluate(TOO_WIDE, f"{caption}, .cnnw-inside .cnnw-caption")
    assert found == []
    hand.explorer.control("pairs").locator(".jupyter-widget-Collapse-header").first.click()


def test_in_a_narrow_window_sentences_and_pictures_fit_and_tables_are_scrolled(hand):
    explorer = hand.explorer
    widen(hand, 600)
    for fold, panel in (("compare", "compare"), ("trust", "trust"), ("experiments", "experiment")):
        explorer.open_fold(fold)
        if fold == "trust":
            explorer.control("instrument", "select").select_option(label="Ranking of methods")
            explorer.root.locator("button.cnnw-control-judge").click()
        shown = explorer.panel(panel)
        shown.locator(".cnnw-table").first.wait_for(timeout=60_000)
        edge = explorer.root.bounding_box()["x"] + explorer.root.bounding_box()["width"]
        for part in shown.locator(".cnnw-caption, img").all():
            box = part.bounding_box()
            assert box["x"] + box["width"] <= edge, fold
        assert explorer.root.evaluate(CUT, f".cnnw-panel-{panel} .cnnw-table") == [], fold
        explorer.control(fold).locator(".jupyter-widget-Collapse-header").first.click()
    widen(hand, 1280)


def test_words_beside_the_pointer_go_when_their_picture_is_scrolled_away(hand):
    hand.words("depth", 0.97, 0.5, "silent")
    before = hand.explorer.root.bounding_box()
    hand.page.mouse.wheel(0, 240)  # the pointer is over a fold then, still in the explorer
    hand.page.locator(".cnnw-tip:visible").wait_for(state="detached")
    after = hand.explorer.root.bounding_box()
    assert after["y"] < before["y"] < after["y"] + after["height"]


def test_what_the_keys_are_on_is_seen(hand):
    hand.explorer.root.get_by_role("button", name="cat", exact=True).focus()
    kinds = set()
    for _ in range(24):
        hand.page.keyboard.press("Tab")
        kind, width, line, ground = hand.page.evaluate(FOCUSED)
        if kind in ("BUTTON", "SELECT", "INPUT"):
            kinds.add(kind)
            assert width >= 2, kind
            assert contrast(line, ground) >= 3, (kind, line, ground)
    assert kinds == {"BUTTON", "SELECT", "INPUT"}


def test_a_name_is_legible_on_a_white_thumbnail_too(hand):
    thumb = hand.explorer.root.get_by_role("button", name="raccoon", exact=True)
    thumb.evaluate("""each => each.style.cssText = 'background: #fff !important; '
        + 'color: transparent; text-shadow: none !important'""")  # the ground of the name alone
    seen = Image.open(io.BytesIO(thumb.screenshot())).convert("RGB")
    thumb.evaluate("each => each.style.cssText = ''")
    ground = seen.getpixel((seen.width // 2, round(0.84 * seen.height)))
    assert contrast("rgb(255, 255, 255)", f"rgb{ground}") >= 3
    assert seen.getpixel((seen.width // 2, round(0.4 * seen.height))) == (255, 255, 255)


def test_nothing_hidden_keeps_a_place_in_a_lesson(lesson):
    for width in WIDTHS:
        widen(lesson, width)
        seen = boxes(lesson, stage=".cnnw-area-stage", photo=".cnnw-touch-photo")
        assert seen["photo"]["top"] - seen["stage"]["top"] < 6, width
    widen(lesson, 1280)


def test_a_guess_is_made_with_enter_and_its_button_looks_like_one(lesson):
    box = lesson.explorer.root.locator(".cnnw-guess")
    label = box.get_by_text("your guess", exact=True)
    assert label.evaluate("each => each.scrollWidth <= each.clientWidth")
    around = "each => getComputedStyle(each).backgroundColor"
    assert box.locator("button").evaluate(around) != box.evaluate(around)
    field = lesson.explorer.control("guess", "input")
    field.fill("unicorn")
    field.press("Enter")
    lesson.explorer.wait_status("Unknown class 'unicorn'")
    assert field.input_value() == "unicorn"
    field.fill("missile")
    field.press("Enter")
    lesson.wait("!root.matches('.cnnw-guessing')")
    expect(box).to_contain_text("missile")
