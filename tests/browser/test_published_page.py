"""A published page in a real Chromium: from a file, without a kernel, fetching nothing."""

import re

import numpy as np
import pytest
from helpers.lab import CHROMIUM
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.publishing import publish

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def page(browser, lite0, gallery, tmp_path_factory):
    path = tmp_path_factory.mktemp("published") / "page.html"
    samples = [gallery["cat"], gallery["espresso"]]
    publish(lite0, samples, path, layers=["stem", "block3_expand"], filters=8)
    found = browser.new_page(viewport={"width": 1280, "height": 900})
    found.troubles = []
    found.on("pageerror", lambda error: found.troubles.append(str(error)))
    found.on("request", lambda each: found.troubles.append(each.url)
             if not each.url.startswith(("data:", "file:")) else None)  # fmt: skip
    found.goto(path.as_uri())
    yield found
    found.close()


def test_a_class_is_chosen_and_the_pixels_for_it_are_told(page, lite0, gallery):
    page.get_by_role("button", name="espresso", exact=True).click()
    assert page.locator("#asked").inner_text() == "Evidence for espresso"
    page.locator("#answers button").nth(1).click()
    second = lite0.predict(gallery["espresso"], top=2)[1]
    assert page.locator("#asked").inner_text() == f"Evidence for {second.name}"
    heat = cw.attribute(lite0, gallery["espresso"], class_index=second.class_index).heatmap
    box = page.locator("#photo").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.4 * box["height"])
    page.wait_for_function("document.getElementById('readout').textContent.includes('evidence')")
    told = int(re.search(r": (-?\d+) %", page.locator("#readout").inner_text())[1])
    rows, columns = heat.shape
    assert told == pytest.approx(100 * heat[int(0.4 * rows), columns // 2], abs=6)
    assert page.troubles == []


def test_a_filter_is_chosen_by_key_and_its_value_is_told(page, lite0, gallery):
    page.get_by_role("button", name="cat", exact=True).click()
    page.locator("#layer").select_option(index=1)
    page.locator("#mosaic button").nth(5).focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('one').textContent === 'Filter 5'")
    box = page.locator("#filter").bounding_box()
    page.mouse.move(box["x"] + 0.51 * box["width"], box["y"] + 0.26 * box["height"])
    page.wait_for_function("document.getElementById('readout').textContent.includes('row')")
    found = re.search(
        r"row (\d+), column (\d+): about (\S+)", page.locator("#readout").inner_text()
    )
    row, column, told = int(found[1]), int(found[2]), float(found[3].replace("−", "-"))
    values = lite0.activations(gallery["cat"], "block3_expand")[..., 5]
    assert told == pytest.approx(
        float(values[row, column]), abs=float(values.max() - values.min()) / 100
    )
    assert page.troubles == []


@pytest.mark.parametrize("size", [(32, 32), (3, 40), (24, 9)])
def test_small_photographs_and_few_filters_are_shown_large_and_undistorted(
    browser, keras, tmp_path, size
):
    net = cw.Network(tiny(keras), preprocess="none")
    rng = np.random.default_rng(0)
    sample = cw.load_image(rng.integers(0, 256, (*size, 3), np.uint8), name="small")
    made = publish(net, sample, tmp_path, layers="conv1", filters=4)
    found = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        found.goto(made.path.as_uri())
        found.wait_for_function("document.querySelectorAll('#mosaic canvas').length === 4")
        box = found.locator("#photo img").bounding_box()
        assert max(box["width"], box["height"]) == pytest.approx(560, abs=1)
        assert box["width"] / box["height"] == pytest.approx(size[1] / size[0], rel=0.05)
        rows, columns = net.activations(sample, "conv1").shape[:2]
        tile = found.locator("#mosaic button").first.bounding_box()
        edge = 4  # its frame, on both sides
        assert (tile["width"] - edge) / (tile["height"] - edge) == pytest.approx(
            columns / rows, rel=0.06
        )
        found.set_viewport_size({"width": 420, "height": 800})
        assert found.evaluate("document.documentElement.scrollWidth") <= 421
    finally:
        found.close()


def test_it_fits_small_screens(page):
    page.set_viewport_size({"width": 420, "height": 800})
    wide = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    assert wide <= 421
