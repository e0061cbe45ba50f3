"""Pointing at the pictures: the mouse, the keys, files, and those who do not see or have no script.

The tests of the first page share it; each begins by putting what it needs in place.
"""

import base64
import json
import re

import pytest
from helpers.lab import CHROMIUM, Explorer, jupyterlab, notebook, run_all
from helpers.pointing import Hand, watched
from PIL import Image
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

LAYER = "block4_project"  # its map has 28×28 cells
PINNED = [(5, 20), (14, 9)]
CELL = f"""import json, cnn_widgets as cw
explorer = cw.CNNExplorer()
explorer.show(image="cat", layer="{LAYER}", cam_layer="follow")
explorer"""
FIELDS = f"""import io, ipywidgets, PIL.Image
sent = ipywidgets.HTML()
sent.add_class("sent")
def note(_, content, buffers):
    if buffers:
        width, height = PIL.Image.open(io.BytesIO(buffers[0])).size
        sent.value = f"{{content['name']}} {{width}} {{height}}"
explorer._touch.pointer.on_msg(note)
display(sent)
def share(row, column):
    sample = explorer.scene.sample
    box = explorer.network.receptive_field("{LAYER}", row, column, sample)
    height, width = sample.size
    return [box.left / width, box.top / height, box.right / width, box.bottom / height]
print("fields", json.dumps([share(*cell) for cell in {PINNED}]))"""
#: Names everything in the tree of the page that has to have a name.
NAMED = re.compile(
    r"- '?(button|combobox|textbox|slider|spinbutton|searchbox|listbox|checkbox|img|table|grid"
    r"|gridcell|application|group)\b(?: \"(.*?)\")?"
)
MARK = """([root, kind]) => {
    const photo = root.querySelector('.cnnw-touch-photo .cnnw-panel-original').getBoundingClientRect();
    const mark = root.querySelector(`.cnnw-touch-photo .cnnw-${kind}`)?.getBoundingClientRect();
    return mark && [(mark.left - photo.left) / photo.width, (mark.top - photo.top) / photo.height,
                    (mark.right - photo.left) / photo.width, (mark.bottom - photo.top) / photo.height];
}"""  # noqa: E501


@pytest.fixture(scope="module")
def lab(folder, tmp_path_factory):
    with jupyterlab(folder, tmp_path_factory.mktemp("home")) as address:
        yield address


@pytest.fixture(scope="module")
def session(browser, lab, folder):
    """A hand at one explorer, and the errors in the console of its page."""
    notebook(folder / "point.ipynb", CELL, FIELDS)
    page, errors = watched(browser, 1280, 800)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    run_all(page, lab, "point.ipynb")
    page.locator("pre", has_text="fields").wait_for(timeout=90_000)
    page.wait_for_selector(".cnnw-touch-mosaic[role=grid]")
    yield Hand(Explorer(page)), errors
    page.close()


@pytest.fixture
def hand(session):
    hand, errors = session
    yield hand
    assert errors == []


@pytest.fixture
def clear(hand):
    """Nothing pinned, no region, nothing magnified."""
    for key in ("Escape", "0"):
        hand.box("photo").press(key)
    settled(hand, "=== 1")
    hand.wait_value("pins", "")
    hand.wait_value("region", "")
    return hand


@pytest.fixture
def stem(hand):
    """The first layer, with 32 filters of which 24 are shown, at its first filter."""
    hand.explorer.control("layer", "select").select_option(label="stem · Conv2D · 112×112×32")
    hand.explorer.wait_alt("mosaic", "Filters of stem")
    hand.box("mosaic").press("Home")
    hand.wait_value("filter_number", 0)
    yield hand
    layer = "block4_project · Conv2D · 28×28×40"
    hand.explorer.control("layer", "select").select_option(label=layer)
    hand.explorer.wait_alt("mosaic", f"Filters of {LAYER}")


def mark(hand, kind):
    """Return the sides of a mark over the photograph, as shares of the photograph."""
    found = hand.wait(f"({MARK})([root, arg])", kind)  # marks are drawn anew at every change
    return found.json_value()


def folds(hand):
    """Return the names of all sections that can be folded."""
    names = hand.explorer.root.locator(".jupyter-widget-Collapse-header").all_inner_texts()
    assert len(names) >= 6
    return [name.strip() for name in names]


def columns_of(hand):
    return int(hand.box("mosaic").get_attribute("aria-colcount"))


def tile(hand, place):
    """Return the middle of the tile at a place of the mosaic, from 0."""
    columns, rows = columns_of(hand), int(hand.box("mosaic").get_attribute("aria-rowcount"))
    return (place % columns + 0.5) / columns, (place // columns + 0.5) / rows


def cells(hand):
    return hand.page.locator(".jp-Cell").count()


# --- the mosaic ---------------------------------------------------------------------------------


def test_pointing_at_a_tile_names_it_and_its_maximum_and_a_click_chooses_it(stem):
    most = stem.words("mosaic", *tile(stem, 13), r"^filter 13 · maximum (\S+)$")[1]
    stem.click("mosaic", *tile(stem, 13))
    stem.wait_value("filter_number", 13)
    stem.explorer.wait_alt("filter", f"max {most}")


def test_the_keys_walk_the_tiles_and_the_last_page_is_reached(stem):
    mosaic, columns = stem.box("mosaic"), columns_of(stem)
    keys = {"ArrowRight": 1, "ArrowDown": columns + 1, "ArrowLeft": columns, "ArrowUp": 0,
            "PageDown": 24, "PageUp": 0, "End": 31, "Home": 0}  # fmt: skip
    for key, filter_ in keys.items():
        mosaic.press(key)
        stem.wait_value("filter_number", filter_)
    mosaic.press("End")
    stem.explorer.wait_alt("filter", "Filter 31 of stem")


def test_many_keys_at_once_are_all_counted(stem):
    stem.box("mosaic").focus()
    for _ in range(20):
        stem.page.keyboard.press("ArrowRight")
    stem.wait_value("filter_number", 20)


def test_letters_over_a_picture_are_no_commands_to_the_notebook(hand):
    before = cells(hand)
    hand.click("mosaic", *tile(hand, 2))
    for key in ("a", "b", "x", "m", "Enter", "d", "d"):
        hand.page.keyboard.press(key)
    thumbnail = hand.explorer.root.get_by_role("button", name="cat", exact=True)
    thumbnail.press("b")
    hand.box("mosaic").press("Home")
    hand.wait_value("filter_number", 0)
    assert cells(hand) == before
    expect(hand.page.locator(".jp-MarkdownCell")).to_have_count(0)


def test_the_notebook_is_still_saved_by_its_keys(hand):
    hand.page.locator(".jp-CodeCell .cm-content").last.press("End")
    hand.page.keyboard.type(" #")
    hand.page.wait_for_selector(".lm-TabBar-tab.jp-mod-dirty", state="attached")
    hand.box("mosaic").press("Control+s")
    hand.page.wait_for_selector(".lm-TabBar-tab.jp-mod-dirty", state="detached")


# --- the photograph -----------------------------------------------------------------------------


def test_a_click_on_the_photograph_pins_a_cell_a_second_compares_and_escape_clears(clear):
    hand = clear
    told = hand.page.locator("pre", has_text="fields").inner_text()
    fields = json.loads(told.removeprefix("fields"))
    for (row, column), kind, field in zip(PINNED, ("first", "second"), fields, strict=True):
        hand.click("photo", (column + 0.5) / 28, (row + 0.5) / 28)
        clipped = [min(max(each, 0), 1) for each in field]
        assert mark(hand, kind) == pytest.approx(clipped, abs=0.003)
    hand.wait_value("pins", "; ".join(f"{LAYER} {row} {column}" for row, column in PINNED))
    hand.explorer.open_fold("display")
    pinned = hand.explorer.panel("pinned").locator("tbody tr")
    pinned.nth(1).wait_for()
    assert [each.split()[0] for each in pinned.all_inner_texts()] == ["A", "B"]
    expect(hand.explorer.panel("cells").locator(".cnnw-mark")).to_have_count(2)
    hand.box("photo").press("Escape")
    hand.wait_value("pins", "")
    hand.explorer.root.locator(".cnnw-first").first.wait_for(state="detached")


def test_the_arrows_move_a_pinned_cell_over_the_filters_map(clear):
    clear.click("filter", 3.5 / 28, 4.5 / 28)
    clear.wait_value("pins", f"{LAYER} 4 3")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        clear.box("filter").press(key)
    clear.wait_value("pins", f"{LAYER} 6 4")
    clear.box("filter").press("Escape")
    clear.wait_value("pins", "")


@pytest.mark.parametrize("magnified", [False, True])
def test_dragging_over_the_photograph_marks_the_region_dragged(clear, magnified):
    if magnified:
        magnify(clear, 0.4, 0.4)
    left, top, right, bottom = clear.drag("photo", (0.38, 0.3), (0.52, 0.55))
    photo = clear.explorer.panel("original").locator("img").bounding_box()
    scale = 451 / photo["width"]
    wanted = [(left - photo["x"]) * scale, (top - photo["y"]) * scale,
              (right - photo["x"]) * scale, (bottom - photo["y"]) * scale]  # fmt: skip
    sides = mark(clear, "region")
    region = [float(each) for each in clear.value("region").split()]
    assert region == pytest.approx(wanted, abs=2)
    height = photo["height"] * scale
    drawn = [side * length for side, length in zip(sides, (451, height) * 2, strict=True)]
    assert drawn == pytest.approx(wanted, abs=2)
    assert clear.value("pins") == ""
    expect(clear.page.locator(".cnnw-band")).to_have_count(0)
    unmagnify(clear)
    clear.box("photo").press("Escape")
    clear.wait_value("region", "")


@pytest.mark.parametrize("magnified", [False, True])
def test_dragging_with_shift_paints_the_region(clear, magnified):
    """The lines lie where the pointer was; the next stroke is added, and Escape clears."""
    if magnified:
        magnify(clear, 0.4, 0.4)
    for start, end in (((0.38, 0.3), (0.52, 0.55)), ((0.5, 0.35), (0.42, 0.5))):
        clear.page.keyboard.down("Shift")
        ends = clear.drag("photo", start, end)
        clear.page.keyboard.up("Shift")
        clear.wait("root.querySelector('.cnnw-control-region input').value.includes(arg)",
                   "brush" if start[0] < 0.4 else ";")  # fmt: skip
    photo = clear.explorer.panel("original").locator("img").bounding_box()
    scale = 451 / photo["width"]
    radius, first, second = re.fullmatch(r"brush (\S+): (.+); (.+)", clear.value("region")).groups()
    assert float(radius) == pytest.approx(14 * scale, abs=0.2)
    told = [float(each) for each in re.split("[ ,]+", second)]
    wanted = [(each - photo["xy"[turn % 2]]) * scale for turn, each in enumerate(ends)]
    assert [*told[:2], *told[-2:]] == pytest.approx(wanted, abs=2)
    assert len(first.split(",")) >= 3
    # Its line is drawn over the photograph, a little after its places stand in the field
    clear.wait("(root.querySelector('.cnnw-touch-photo .cnnw-painted svg path')"
               "?.getBoundingClientRect().x ?? -1) >= arg", photo["x"])  # fmt: skip
    expect(clear.page.locator(".cnnw-band")).to_have_count(0)
    assert clear.value("pins") == ""
    unmagnify(clear)
    clear.box("photo").press("Escape")
    clear.wait_value("region", "")


def test_two_fingers_magnify_the_photograph_and_mark_nothing(clear):
    """The place between the fingers stays where it is; three times as far apart is 3 times."""
    middle = clear.place("photo", 0.5, 0.5)
    devtools = clear.page.context.new_cdp_session(clear.page)

    def touch(kind, *across):
        points = [{"x": middle[0] + each, "y": middle[1], "id": n} for n, each in enumerate(across)]
        devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -30)
    touch("touchStart", -30, 30)
    for apart in range(35, 95, 5):
        touch("touchMove", -apart, apart)
    touch("touchEnd")
    settled(clear, "> 2.9")
    assert clear.place("photo", 0.5, 0.5) == pytest.approx(middle, abs=3)
    assert clear.value("region") == clear.value("pins") == ""
    expect(clear.page.locator(".cnnw-band")).to_have_count(0)
    unmagnify(clear)


def test_a_drag_that_becomes_a_scroll_leaves_nothing_behind(clear):
    clear.page.mouse.move(*clear.place("photo", 0.3, 0.3))
    clear.page.mouse.down()
    clear.page.mouse.move(*clear.place("photo", 0.5, 0.5), steps=3)
    clear.page.locator(".cnnw-band").wait_for()
    clear.page.evaluate("window.dispatchEvent(new PointerEvent('pointercancel'))")
    clear.page.mouse.up()
    clear.words("photo", 0.6, 0.5, "^pixel")
    expect(clear.page.locator(".cnnw-band")).to_have_count(0)
    assert clear.value("region") == clear.value("pins") == ""


def test_the_hottest_region_has_a_key(clear):
    places = clear.explorer.control("cam_layer", "select")
    places.select_option(label="head_relu (the last map)")
    clear.explorer.wait_alt("overlay", "at head_relu")
    clear.box("photo").press("r")
    mark(clear, "region")
    places.select_option(label="the layer browsed")
    clear.explorer.wait_alt("overlay", f"at {LAYER}")
    clear.box("photo").press("Escape")
    clear.wait_value("region", "")


@pytest.mark.parametrize(
    ("face", "words"),
    [
        ("Evidence", r"^pixel 22[56], 1(49|50)\nevidence for Egyptian cat: \S+ % of the maximum\n"
                     rf"cell 1[34], 1[34] of {LAYER}: \S+$"),
        ("Photograph", r"^pixel 22[56], 1(49|50)\nred \d+, green \d+, blue \d+$"),
        ("What the network sees", r"^pixel 22[56], 1(49|50)\nthe network is given \S+, \S+, \S+$"),
    ],
)  # fmt: skip
def test_pointing_at_each_face_of_the_photograph_says_place_and_value(clear, face, words):
    clear.explorer.root.get_by_role("button", name=face, exact=True).click()
    try:
        clear.words("photo", 0.5, 0.5, words)
    finally:
        clear.explorer.root.get_by_role("button", name="Evidence", exact=True).click()


def test_under_a_pointer_that_rests_the_words_change_with_the_face(clear):
    clear.words("photo", 0.5, 0.5, "evidence for Egyptian cat")
    tip = clear.page.locator(".cnnw-tip:visible")
    for face, words in (("Photograph", "red"), ("Evidence", "evidence")):
        clear.explorer.root.get_by_role("button", name=face, exact=True).press("Enter")
        expect(tip).to_contain_text(words)


def test_pointing_at_the_filters_map_says_place_value_and_what_the_cell_sees(hand):
    words = r"^cell 7, 21: \S+\nsees columns \d+ to \d+, rows \d+ to \d+ of the photograph$"
    hand.words("filter", 21.5 / 28, 7.5 / 28, words)


def test_a_click_on_the_depth_chart_goes_to_the_layer_it_names(hand):
    name = hand.words("depth", 0.7, 0.5, r"^(\S+): \S+ % of the filters are silent$")[1]
    hand.click("depth", 0.7, 0.5)
    hand.wait_choice("layer", f"{name} ·")
    hand.box("depth").press("Home")
    hand.wait_choice("layer", "stem ·")


def test_a_click_on_the_film_strip_goes_to_the_layer_it_names(hand):
    hand.explorer.open_fold("strip")
    hand.explorer.wait_alt("strip", "", timeout=60_000)
    box = hand.box("strip")
    hand.page.wait_for_function("each => each.ariaColCount", arg=box.element_handle())
    columns, rows = (int(box.get_attribute(f"aria-{each}count")) for each in ("col", "row"))
    x, y = 4.5 / columns, (min(2, rows) - 0.5) / rows
    name = hand.words("strip", x, y, r"^\S+$")[0]
    hand.click("strip", x, y)
    hand.wait_choice("layer", f"{name} ·")
    hand.explorer.control("strip", ".jupyter-widget-Collapse-header").click()


def test_shift_and_a_click_on_a_class_compares_with_it(hand):
    row = hand.explorer.root.get_by_role("button", name="explain tabby")
    row.click(modifiers=["Shift"])
    hand.wait_choice("versus", "tabby")
    assert "most likely" in hand.choice("class_index")
    row.click(modifiers=["Shift"])
    hand.wait_choice("versus", "no other class")


def rects(hand):
    """Return where the photograph, the evidence and the marks lie on the page."""
    return hand.explorer.root.evaluate(
        """root => ['original img', 'overlay img', 'input img', 'marks'].map(name => {
            const each = root.querySelector('.cnnw-touch-photo .cnnw-panel-' + name);
            const {x, y, width, height} = each.getBoundingClientRect();
            return [x, y, width, height]; })"""
    )


def magnify(hand, x, y):
    """Turn the wheel over the photograph until the kernel's own style has the magnification."""
    hand.page.mouse.move(*hand.place("photo", x, y))
    for _ in range(3):
        hand.page.mouse.wheel(0, -60)
    settled(hand, "> 1.5")


def unmagnify(hand):
    hand.page.mouse.dblclick(*hand.place("photo", 0.5, 0.5))
    settled(hand, "=== 1")


def settled(hand, condition):
    hand.wait(
        "(box => !box.style.getPropertyValue('--zoom') && "
        f"Number(getComputedStyle(box).getPropertyValue('--zoom')) {condition})"
        "(root.querySelector('.cnnw-touch-photo'))"
    )


def test_the_wheel_magnifies_all_layers_of_the_photograph_alike_and_two_clicks_undo_it(clear):
    hand = clear
    hand.box("photo")
    before, scrolled = rects(hand), hand.explorer.root.bounding_box()
    point = hand.place("photo", 0.7, 0.3)
    photo = before[0]
    share = (point[0] - photo[0]) / photo[2], (point[1] - photo[1]) / photo[3]
    magnify(hand, 0.7, 0.3)
    photo, *others = rects(hand)
    assert photo[2] > 1.5 * before[0][2]
    assert others == [pytest.approx(photo, abs=0.01)] * 3
    # What was under the pointer still is, and the notebook has not scrolled
    now = photo[0] + share[0] * photo[2], photo[1] + share[1] * photo[3]
    assert now == pytest.approx(point, abs=0.5)
    assert hand.explorer.root.bounding_box() == scrolled
    unmagnify(hand)
    assert rects(hand) == [pytest.approx(each, abs=0.01) for each in before]
    assert hand.value("pins") == ""


def test_holding_b_blinks_between_the_faces(hand):
    hand.box("photo").focus()
    hand.page.keyboard.down("b")
    for face in ("photograph", "evidence", "input"):
        hand.wait("root.dataset.blink === arg", face)
    visible = (
        hand.explorer.panel("input")
        .locator("img")
        .evaluate("each => getComputedStyle(each).visibility")
    )
    assert visible == "visible"
    hand.page.keyboard.up("b")
    hand.wait("root.dataset.blink === undefined")
    assert not hand.explorer.panel("input").locator("img").is_visible()


# --- without eyes, without a mouse --------------------------------------------------------------


def test_every_control_picture_and_fold_has_a_name(hand):
    for name in folds(hand):
        fold = hand.explorer.root.get_by_role("button", name=name)
        if fold.get_attribute("aria-expanded") == "false":
            fold.click()
    hand.page.wait_for_selector(".cnnw-panel-pairs figure", timeout=60_000)
    hand.explorer.wait_alt("strip", "", timeout=60_000)
    found = NAMED.findall(hand.explorer.root.aria_snapshot())
    roles = {role for role, _ in found}
    assert {"button", "combobox", "textbox", "slider", "img", "grid", "application"} <= roles
    assert len(found) > 60
    unnamed = [each for each in found if not re.search(r"[A-Za-z]{2}", each[1])]
    assert unnamed == []
    assert [name for _, name in found if re.search(r"[\ue000-\uf8ff]", name)] == []
    for fold in hand.explorer.root.get_by_role("button", expanded=True).all()[::-1]:
        fold.click()
    shut = hand.explorer.root.get_by_role("button", expanded=False)
    expect(shut).to_have_count(len(folds(hand)))


def test_the_mosaic_is_a_grid_whose_active_cell_names_the_filter(hand):
    mosaic = hand.explorer.root.get_by_role("grid", name="Filters of the layer")
    mosaic.press("Home")
    mosaic.press("ArrowRight")
    hand.wait_value("filter_number", 1)
    cell = mosaic.get_by_role("gridcell", selected=True)
    cell.get_by_text(re.compile(r"^filter 1 · maximum")).wait_for()
    expect(mosaic).to_have_attribute("aria-activedescendant", cell.get_attribute("id"))
    expect(cell).to_have_attribute("aria-colindex", "2")
    said = hand.explorer.root.get_by_role("status").filter(has_text="filter 1 · maximum")
    said.wait_for(state="attached")


def test_what_is_pressed_is_told(hand):
    pressed = hand.explorer.root.get_by_role("button", pressed=True)
    expect(pressed).to_have_text(["cat", "Evidence"])
    faces = hand.explorer.root.get_by_role("group", name="what is shown")
    faces.get_by_role("button", name="Photograph").press("Enter")
    faces.get_by_role("button", name="Photograph", pressed=True).wait_for()
    faces.get_by_role("button", name="Evidence").press("Enter")
    faces.get_by_role("button", name="Evidence", pressed=True).wait_for()


def test_tab_reaches_everything_and_the_folds_open_by_keys(hand):
    root = hand.explorer.root
    wanted = root.evaluate(
        """root => {
            const each = [...root.querySelectorAll(
                'button, select, input, [tabindex="0"], [contenteditable=true]')];
            const seen = each.filter(e => e.checkVisibility({checkVisibilityCSS: true})
                && !e.disabled && e.type !== 'file');
            seen.forEach((e, index) => { e.dataset.stop = index; });
            seen[0].focus();
            return seen.length; }"""
    )
    reached = set()
    while stop := hand.page.evaluate("document.activeElement.dataset.stop || ''"):
        reached.add(int(stop))
        hand.page.keyboard.press("Tab")
        if len(reached) > wanted:
            break
    assert reached == set(range(wanted))
    for name in folds(hand):
        fold = root.get_by_role("button", name=name, expanded=False)
        fold.press("Enter")
        root.get_by_role("button", name=name, expanded=True).press(" ")
        root.get_by_role("button", name=name, expanded=False).wait_for()


# --- pictures in --------------------------------------------------------------------------------


def picture(path, size, colors=("red", "blue"), turned=False):
    """Write a photograph, its upper half red, its lower half blue; `turned`: by its EXIF only."""
    image = Image.new("RGB", size, colors[1])
    image.paste(Image.new("RGB", (size[0], size[1] // 2), colors[0]), (0, 0))
    exif = Image.Exif()
    if turned:
        image = image.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6  # "turn me by 90° clockwise"
    image.save(path, exif=exif)
    return path


def upper_color(hand):
    """Return the colour near the upper edge of the photograph that is shown."""
    return (
        hand.explorer.panel("original")
        .locator("img")
        .evaluate(
            """async image => {
            await image.decode();
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const context = canvas.getContext('2d');
            context.drawImage(image, 0, 0);
            return [...context.getImageData(canvas.width / 2, canvas.height / 8, 1, 1).data]
                .slice(0, 3); }"""
        )
    )


def choose(hand, *paths):
    with hand.page.expect_file_chooser() as chooser:
        hand.explorer.control("upload").click()
    chooser.value.set_files(paths)


def test_a_photograph_of_48_megapixels_is_scaled_by_the_page_and_stands_upright(hand, tmp_path):
    sent = hand.page.locator(".sent")
    choose(hand, picture(tmp_path / "large.jpg", (8000, 6000)))
    sent.get_by_text("large.jpg 2048 1536").wait_for(timeout=60_000)
    hand.explorer.wait_alt("original", "photograph large")
    choose(hand, picture(tmp_path / "tall.jpg", (6000, 8000), turned=True))
    sent.get_by_text("tall.jpg 1536 2048").wait_for(timeout=60_000)
    hand.explorer.wait_alt("original", "photograph tall")
    assert upper_color(hand) == pytest.approx([255, 0, 0], abs=12)


def test_a_small_photograph_turned_by_its_exif_stands_upright(hand, tmp_path):
    choose(hand, picture(tmp_path / "portrait.jpg", (300, 400), turned=True))
    hand.explorer.wait_alt("original", "portrait, 300 by 400 pixels")
    assert upper_color(hand) == pytest.approx([255, 0, 0], abs=12)


SEND = """(root, [kind, name, data]) => {
    const bytes = Uint8Array.from(atob(data), each => each.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], name, {type: 'image/png'}));
    const options = {bubbles: true, cancelable: true};
    root.querySelector('.cnnw-touch-photo').dispatchEvent(kind === 'paste'
        ? new ClipboardEvent(kind, {...options, clipboardData: transfer})
        : new DragEvent(kind, {...options, dataTransfer: transfer}));
}"""


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_file_is_dropped_or_pasted(hand, tmp_path, way):
    data = picture(tmp_path / "p.png", (60, 40)).read_bytes()
    hand.explorer.root.evaluate(SEND, [way, f"{way}ped.png", base64.b64encode(data).decode()])
    hand.explorer.wait_alt("original", f"{way}ped, 60 by 40 pixels")


def test_a_picture_of_the_clipboard_is_pasted_by_the_keys(hand, tmp_path):
    before = cells(hand)
    button = hand.explorer.root.get_by_role("button", name="cat", exact=True)
    for where, width in ((hand.box("photo"), 50), (button, 51)):
        data = picture(tmp_path / "p.png", (width, 70)).read_bytes()
        where.focus()
        hand.page.evaluate(
            """data => navigator.clipboard.write([new ClipboardItem({'image/png':
                new Blob([Uint8Array.from(atob(data), each => each.charCodeAt(0))],
                         {type: 'image/png'})})])""",
            base64.b64encode(data).decode(),
        )
        hand.page.keyboard.press("Control+v")
        hand.explorer.wait_alt("original", f"{width} by 70 pixels")
    assert cells(hand) == before


def test_the_pictures_of_a_folder_are_dropped(hand, tmp_path):
    (tmp_path / "holiday" / "day").mkdir(parents=True)
    picture(tmp_path / "holiday" / "sea.png", (40, 30))
    picture(tmp_path / "holiday" / "day" / "sun.png", (40, 30))
    (tmp_path / "holiday" / "notes.txt").write_text("no picture")
    drag = {"items": [], "files": [str(tmp_path / "holiday")], "dragOperationsMask": 1}
    x, y = hand.place("photo", 0.5, 0.5)
    tools = hand.page.context.new_cdp_session(hand.page)
    for kind in ("dragEnter", "dragOver", "drop"):
        tools.send("Input.dispatchDragEvent", {"type": kind, "x": x, "y": y, "data": drag})
    for name in ("sea", "sun"):
        hand.explorer.root.get_by_role("button", name=name, exact=True).wait_for()
    expect(hand.explorer.root.get_by_role("button", name="notes")).to_have_count(0)
    expect(hand.explorer.root.locator(".cnnw-dropping")).to_have_count(0)


# --- where the module cannot load ---------------------------------------------------------------


def test_without_the_module_all_pictures_show_and_every_control_works(
    browser, lab, folder, tmp_path
):
    notebook(folder / "blocked.ipynb", "import cnn_widgets as cw\ncw.CNNExplorer()")
    page, errors = watched(browser, 1280, 800)
    page.route("**/lab/extensions/anywidget/**", lambda route: route.abort())
    run_all(page, lab, "blocked.ipynb")
    explorer = Explorer(page)
    explorer.wait_alt("depth", "silent", timeout=90_000)
    told = len(errors)  # JupyterLab itself complains while it opens
    for name in ("original", "overlay", "filter", "mosaic", "depth"):
        explorer.wait_alt(name, "cat")
        assert explorer.panel(name).locator("img").is_visible()
    explorer.control("layer", "select").select_option(label="block3_expand · Conv2D · 56×56×144")
    explorer.wait_alt("mosaic", "block3_expand")
    explorer.control("filter_number", "input").fill("7")
    page.keyboard.press("Enter")
    explorer.wait_alt("filter", "Filter 7 of block3_expand")
    explorer.root.get_by_role("button", name="explain tiger cat").click()
    explorer.wait_alt("overlay", "tiger cat: score")
    explorer.root.get_by_role("button", name="What the network sees").click()
    explorer.panel("input").locator("img").wait_for()
    assert page.locator(".cnnw-touch-mosaic[role=grid]").count() == 0  # it is blocked indeed
    choose(Hand(explorer), picture(tmp_path / "red.png", (60, 40)))
    explorer.wait_alt("original", "red, 60 by 40 pixels")
    assert page.locator(".jupyter-widgets-error-widget:visible").count() == 0
    assert (
        page.locator(".cnnw-error:visible, .jp-RenderedText[data-mime-type*=stderr]").count() == 0
    )
    assert errors[told:] == []
    page.close()
