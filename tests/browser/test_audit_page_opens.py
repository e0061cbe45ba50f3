"""An audit's page with thousands of pictures opens at once: only those on screen are decoded."""

import numpy as np
import pytest
from helpers.lab import CHROMIUM

import cnn_widgets as cw
from cnn_widgets.auditing.sections import photograph, row, section, write_document

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
COUNT = 2000
DECODED = "() => [...document.images].filter(each => each.complete && each.naturalWidth).length"
LAST = "() => [...document.images].at(-1).naturalWidth > 0"


def test_two_thousand_pictures(browser, tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (20, 120, 176, 3), np.uint8)
    unlike = [np.roll(pictures[number % 20], number, axis=1) for number in range(COUNT)]
    images = cw.open_images(unlike)  # a browser decodes equal ones only once
    cards = (photograph(images, number, f"photograph {number}") for number in range(COUNT))
    page = write_document(tmp_path / "page.html", "Many", [section("All", "", row(cards))])
    assert page.stat().st_size > 20e6
    tab, asked = browser.new_page(viewport={"width": 1280, "height": 900}), []
    tab.on("request", lambda request: asked.append(request.url[:20]))
    tab.goto(page.as_uri(), timeout=120_000)
    assert tab.evaluate("() => document.images.length") == COUNT
    # how far ahead of the screen it decodes is the browser's choice
    tab.wait_for_function(f"() => ({DECODED})() > 10")
    assert tab.evaluate(DECODED) < COUNT / 2
    assert not tab.evaluate(LAST)
    tab.evaluate("() => window.scrollTo(0, document.body.scrollHeight)")
    tab.wait_for_function(LAST)
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}
    tab.close()
