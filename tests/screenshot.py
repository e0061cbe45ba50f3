"""Makes the README's pictures: `python tests/screenshot.py`; or one look at the page, into the
folder for temporary files: `python tests/screenshot.py [light|dark] [width] [height]`."""

import io
import sys
import tempfile
from pathlib import Path

from helpers.lab import ARGS, CHROMIUM, Explorer, jupyterlab, notebook, run_all
from PIL import Image
from playwright.sync_api import sync_playwright

CELL = """import cnn_widgets as cw
explorer = cw.CNNExplorer(hints=False)
explorer.show(image="cat and espresso", class_index="espresso", layer="block3_expand", filter=20)
explorer"""
FOLDER = Path(__file__).parent.parent / "notebooks" / "images"
TOUR_WIDTH = 760  # pixels of the screencast


def theme_chosen(page, theme):
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Theme", exact=True).hover()
    page.get_by_text(f"JupyterLab {theme}", exact=True).click()
    light = "true" if theme == "Light" else "false"
    page.wait_for_selector(f"body[data-jp-theme-light={light}]", state="attached")
    page.wait_for_selector("#jupyterlab-splash", state="detached")


class Tour:
    """The frames of a screencast, each with how long it stands, in milliseconds."""

    def __init__(self, page, explorer):
        self.page, self.explorer = page, explorer
        self.frames, self.times = [], []

    def frame(self, milliseconds):
        picture = Image.open(io.BytesIO(self.explorer.root.screenshot())).convert("RGB")
        height = round(TOUR_WIDTH * picture.height / picture.width)
        self.frames.append(picture.resize((TOUR_WIDTH, height), Image.Resampling.LANCZOS))
        self.times.append(milliseconds)

    def place(self, picture, x, y):
        box = self.explorer.root.locator(f".cnnw-touch-{picture}").bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def run(self):
        """Point at things, as the README tells."""
        page, explorer = self.page, self.explorer
        self.frame(1500)
        explorer.root.get_by_role("button", name="explain Egyptian cat").click()
        explorer.wait_alt("overlay", "Egyptian cat")
        self.frame(1500)
        page.mouse.move(*self.place("photo", 0.22, 0.45))
        page.wait_for_selector(".cnnw-tip:not([hidden])")
        self.frame(1300)
        page.mouse.click(*self.place("photo", 0.22, 0.45))
        explorer.panel("marks").locator(".cnnw-first").wait_for()
        self.frame(1300)
        page.keyboard.press("Escape")
        for x in (0.2, 0.45, 0.7):
            before = explorer.frame("filter")
            page.mouse.click(*self.place("mosaic", x, 0.2))
            explorer.wait_new_frame("filter", before)
            self.frame(900)
        explorer.control("filter_order", "select").select_option(label="by weight for the class")
        explorer.wait_alt("mosaic", "add most to the evidence")
        self.frame(1500)
        page.mouse.click(*self.place("depth", 0.9, 0.5))
        page.wait_for_timeout(1200)
        self.frame(1500)

    def save(self, path):
        first, *others = self.frames
        first.save(path, save_all=True, append_images=others, duration=self.times, loop=0,
                   quality=70, method=6)  # fmt: skip
        print(path, f"{path.stat().st_size / 2**20:.2f} MB")


def opened(page, address):
    run_all(page, address, "explore.ipynb")
    explorer = Explorer(page)
    explorer.wait_alt("depth", "silent", timeout=90_000)
    explorer.root.evaluate("element => element.scrollIntoView()")
    page.wait_for_timeout(1500)
    return explorer


def main(theme: str = "", width: str = "1280", height: str = "1500") -> None:
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        root, home = Path(place, "root"), Path(place, "home")
        root.mkdir()
        notebook(root / "explore.ipynb", CELL)
        with jupyterlab(root, home) as address:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            page = browser.new_page(viewport={"width": int(width), "height": int(height)})
            explorer = opened(page, address)
            if theme:
                if theme == "dark":
                    theme_chosen(page, "Dark")
                explorer.root.evaluate("element => element.scrollIntoView()")
                page.screenshot(path=Path(tempfile.gettempdir()) / f"explorer-{theme}-{width}.png")
            else:
                FOLDER.mkdir(exist_ok=True)
                explorer.root.screenshot(path=FOLDER / "explorer.png")
                theme_chosen(page, "Dark")
                explorer.root.screenshot(path=FOLDER / "explorer-dark.png")
                theme_chosen(page, "Light")
                tour = Tour(page, explorer)
                tour.run()
                tour.save(FOLDER / "tour.webp")
            browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
