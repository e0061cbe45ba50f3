"""The page of a hand-in in a real Chromium: whatever was written, the window holds it."""

import numpy as np
import pytest
from helpers.lab import CHROMIUM
from helpers.networks import tiny

import cnn_widgets as cw

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]


def test_a_long_word_does_not_make_the_page_wide(browser, keras, tmp_path):
    pixels = np.zeros((24, 30, 3), np.uint8)
    explorer = cw.CNNExplorer(cw.Network(tiny(keras), preprocess="none"), {"x" * 2000: pixels})
    explorer.pin("w" * 20_000, top_class="y" * 5000)
    path = explorer.report(tmp_path / "Ada.html", "A" * 5000)
    explorer.close()
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.goto(path.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 1000
    assert page.locator(".cnnw-note").bounding_box()["width"] > 700  # and it uses its room
    assert page.locator("td").first.bounding_box()["width"] > 300
    page.close()
