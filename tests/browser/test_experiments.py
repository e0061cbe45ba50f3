"""The experiments in a real JupyterLab: filters switched by Shift-click, a place covered, votes."""

import re

import pytest
from helpers.lab import CHROMIUM, Explorer, jupyterlab, notebook, run_all
from helpers.pointing import Hand, watched
from playwright.sync_api import expect

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

CELL = """import cnn_widgets as cw
explorer = cw.CNNExplorer(hints=False)
explorer.show(image="cat", layer="head_relu", filter=3)
explorer"""


@pytest.fixture(scope="module")
def session(browser, folder, tmp_path_factory):
    notebook(folder / "experiments.ipynb", CELL)
    with jupyterlab(folder, tmp_path_factory.mktemp("home")) as address:
        page, errors = watched(browser, 1280, 800)
        run_all(page, address, "experiments.ipynb")
        explorer = Explorer(page)
        explorer.wait_alt("depth", "silent", timeout=90_000)
        page.wait_for_selector(".cnnw-touch-mosaic[role=grid]")
        yield Hand(explorer), errors
        page.close()


@pytest.fixture
def hand(session):
    found, errors = session
    yield found
    assert errors == []


def told(hand, text, timeout=15_000):
    hand.explorer.panel("experiment").get_by_text(text).first.wait_for(timeout=timeout)


def chosen(hand, title):
    hand.explorer.open_fold("experiments")
    hand.explorer.control("experiment", "select").first.select_option(label=title)


def button(hand):
    return hand.explorer.root.locator("button.cnnw-control-experiment")


def test_shift_click_on_the_mosaic_switches_filters_and_tells_the_answer(hand):
    page, explorer = hand.explorer.page, hand.explorer
    assert not explorer.control("experiments", ".jupyter-widget-Collapse-open").count()
    page.keyboard.down("Shift")
    hand.click("mosaic", 0.02, 0.1)
    page.keyboard.up("Shift")
    told(hand, "Filter 0 of head_relu silenced")
    expect(explorer.control("switched", "input")).to_have_value("0")
    expect(explorer.panel("frame").locator(".cnnw-second")).to_have_count(1)
    assert hand.value("filter_number") == "3"  # the filter shown stays
    explorer.control("switched", "input").fill("top 200")
    explorer.control("switched", "input").press("Enter")
    told(hand, "the answer is another one")
    explorer.control("switched", "input").fill("top of the pops")
    explorer.control("switched", "input").press("Enter")
    explorer.root.locator(".cnnw-error", has_text="top 20 by weight").wait_for()
    field = explorer.control("switched", "input")
    assert field.input_value() == "top of the pops"  # it stays, so that it can be corrected
    said = explorer.control("experiments", ".cnnw-refused")
    said.get_by_text("top 20 by weight").wait_for()
    assert 0 < said.bounding_box()["y"] - field.bounding_box()["y"] < 120  # in sight of the field
    field.fill("top 20")
    field.press("Enter")
    said.wait_for(state="detached")


def test_choosing_a_line_of_the_votes_shows_that_filter(hand):
    chosen(hand, "Who votes for the class")
    told(hand, "exact, from one gradient")
    listed = hand.explorer.control("lead", "select")
    listed.locator("option", has_text="3. filter").first.wait_for(state="attached")
    text = listed.locator("option").nth(2).text_content()
    listed.select_option(index=2)
    number = re.search(r"filter\s(\d+)", text).group(1)
    hand.wait_value("filter_number", number)


def test_a_region_drawn_is_covered_beside_random_places_and_followed(hand):
    chosen(hand, "Cover a place")
    told(hand, "no region is drawn")
    hand.drag("photo", (0.3, 0.3), (0.6, 0.6))
    told(hand, "The region drawn covered")
    button(hand).click()
    told(hand, "random places of the same shape", timeout=60_000)
    before = hand.explorer.frame("experiment")
    hand.drag("photo", (0.4, 0.35), (0.7, 0.65))
    hand.explorer.wait_new_frame("experiment", before)
    told(hand, "The region drawn covered")


def test_a_long_experiment_can_be_cancelled_on_the_page(hand):
    chosen(hand, "The picture that excites it")
    told(hand, "Press “Make it”")
    button(hand).click()
    hand.explorer.wait_status("steps", timeout=60_000)
    expect(button(hand)).to_have_text("Cancel")
    button(hand).click()
    hand.explorer.wait_status("Cancelled")
    expect(button(hand)).to_have_text("Make it")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_is_cut_off_at_1280_pixels(hand, theme):
    page, explorer = hand.explorer.page, hand.explorer
    page.evaluate("light => { document.body.dataset.jpThemeLight = light; }",
                  "true" if theme == "light" else "false")  # fmt: skip
    for title, words in {
        "Switch filters off": "of head_relu silenced",
        "Who votes for the class": "Rank correlation",
        "Cover a place": "The region drawn covered",
        "From one number back to the pixels": "pixels",
    }.items():
        chosen(hand, title)
        told(hand, words)
        wide, seen = explorer.root.bounding_box(), 0
        for part in explorer.panel("experiment").locator(".cnnw-part, .cnnw-caption").all():
            box = part.bounding_box()
            if box is not None:
                seen += 1
                assert box["x"] + box["width"] <= wide["x"] + wide["width"] + 1, title
        assert seen > 2, title
    explorer.page.evaluate("document.body.dataset.jpThemeLight = 'true'")
