"""Makes the README's picture: `python tests/screenshot.py [light|dark] [width] [height]`."""

import sys
import tempfile
from pathlib import Path

from helpers.lab import ARGS, CHROMIUM, Explorer, jupyterlab, notebook, run_all
from playwright.sync_api import sync_playwright

CELL = """import cnn_widgets as cw
explorer = cw.CNNExplorer()
explorer.show(image="cat and espresso", class_index="espresso", layer="block3_expand", filter=40)
explorer"""
TARGET = Path(__file__).parent.parent / "notebooks" / "images" / "explorer.png"


def main(theme: str = "light", width: str = "1280", height: str = "900") -> None:
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        root, home = Path(place, "root"), Path(place, "home")
        root.mkdir()
        notebook(root / "explore.ipynb", CELL)
        with jupyterlab(root, home) as address:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            page = browser.new_page(viewport={"width": int(width), "height": int(height)})
            run_all(page, address, "explore.ipynb")
            explorer = Explorer(page)
            explorer.wait_alt("depth", "silent", timeout=90_000)
            if theme == "dark":
                page.get_by_role("menuitem", name="Settings", exact=True).click()
                page.get_by_text("Theme", exact=True).hover()
                page.get_by_text("JupyterLab Dark", exact=True).click()
                page.wait_for_selector("body[data-jp-theme-light=false]", state="attached")
            news = page.get_by_role("button", name="No", exact=True)
            if news.count():
                news.click()
                page.get_by_text("official Jupyter news").wait_for(state="hidden")
            explorer.root.evaluate("element => element.scrollIntoView()")
            TARGET.parent.mkdir(exist_ok=True)
            if theme == "light" and width == "1280":
                explorer.root.screenshot(path=TARGET)
            page.screenshot(path=Path(tempfile.gettempdir()) / f"explorer-{theme}-{width}.png")
            browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
