"""A photograph taken on the page, with the browser's own false camera."""

import pytest
from helpers.lab import ARGS, CHROMIUM, Explorer, jupyterlab, notebook, run_all
from playwright.sync_api import expect, sync_playwright

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
CELL = "import cnn_widgets as cw\nexplorer = cw.CNNExplorer()\nexplorer"
FALSE_CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]


def test_a_photograph_is_taken_and_shown_and_the_camera_is_let_go(folder, tmp_path):
    notebook(folder / "camera.ipynb", CELL)
    with jupyterlab(folder, tmp_path) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGS, *FALSE_CAMERA])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        run_all(page, address, "camera.ipynb")
        explorer = Explorer(page)
        explorer.wait_alt("depth", "silent", timeout=90_000)
        explorer.control("camera").click()
        take = page.get_by_role("button", name="Take the picture")
        page.wait_for_function("document.querySelector('.cnnw-viewfinder video')?.videoWidth > 100")
        track = page.evaluate_handle(
            "document.querySelector('.cnnw-viewfinder video').srcObject.getTracks()[0]"
        )
        take.click()
        explorer.wait_alt("original", "The photograph camera")
        page.wait_for_function("track => track.readyState === 'ended'", arg=track)
        expect(page.locator(".cnnw-viewfinder")).to_have_count(0)
        browser.close()
