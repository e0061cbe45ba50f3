"""From key press to decoded pixels, in a real JupyterLab and Chromium, beside a bare echoing label.

The page's own clock measures: from the key's event to the moment when the panel's new picture is
decoded (or the label's text is there). Label and panel are pressed in turns.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from timing import Row, ms

sys.path.insert(0, str(Path(__file__).parent.parent))

CELL = """import base64, cv2, numpy as np
import ipywidgets as w
import cnn_widgets as cw

slider, label = w.IntSlider(max=100, readout=False), w.HTML("0")
slider.add_class("echo-slider")
label.add_class("echo-label")
slider.observe(lambda change: setattr(label, "value", str(change.new)), "value")

# two pictures made beforehand, as a filter's: PNG of 112×112 (noise: 37 kB, a filter's some 23)
noise = np.random.default_rng(0).integers(0, 256, (2, 112, 112), np.uint8)
maps = [cv2.applyColorMap(each, cv2.COLORMAP_VIRIDIS) for each in noise]
ready = ["data:image/png;base64," + base64.b64encode(cv2.imencode(".png", each)[1]).decode()
         for each in maps]
other, picture = w.IntSlider(max=100, readout=False), w.HTML(f"<img src='{ready[0]}'>")
other.add_class("picture-slider")
picture.add_class("echo-picture")
other.observe(lambda change: setattr(picture, "value", f"<img src='{ready[change.new % 2]}'>"),
              "value")
explorer = cw.CNNExplorer()
w.VBox([w.HBox([slider, label, other, picture]), explorer])"""

#: Waits for one answer: told by a change inside the element, once its picture is decoded.
WATCH = """selector => {
    const place = document.querySelector(`.jp-OutputArea ${selector}`);
    window.answer = new Promise(done => {
        let began = null;
        const press = () => { began = began ?? performance.now(); };
        for (const kind of ['keydown', 'input', 'pointerup'])
            document.addEventListener(kind, press, {capture: true, once: true});
        const watch = new MutationObserver(async () => {
            if (began === null) return;
            watch.disconnect();
            for (const picture of place.querySelectorAll('img')) await picture.decode();
            await new Promise(requestAnimationFrame);
            done(performance.now() - began);
        });
        watch.observe(place, {childList: true, subtree: true, characterData: true,
                              attributeFilter: ['src']});
    });
}"""
HANDLE = ".noUi-handle"
#: The style that gives the heat-map its opacity: moving it draws no picture anew.
OPACITY = ".cnnw-live"
#: What is moved, the element that takes the keys, the panel that answers, its target.
MOVES = (
    ("a ready picture, no explorer", f".picture-slider {HANDLE}", ".echo-picture", None),
    ("filter", f".cnnw-control-filter {HANDLE}", ".cnnw-panel-filter", 1.25),
    ("alpha", f".cnnw-control-alpha {HANDLE}", OPACITY, 1.25),
    ("class", ".cnnw-control-class_index select", ".cnnw-panel-overlay", 1.25),
    ("layer", ".cnnw-control-layer select", ".cnnw-panel-mosaic", 1.6),
    ("a click on a filter", ".cnnw-touch-mosaic", ".cnnw-panel-filter", 1.15),
    ("an arrow key on the filters", ".cnnw-touch-mosaic", ".cnnw-panel-filter", 1.15),
)


def rows(presses: int = 24) -> Iterator[Row]:
    """Yield the rows that need a browser; none where there is no Chromium."""
    from helpers.lab import ARGS, CHROMIUM, Explorer, jupyterlab, notebook, run_all
    from playwright.sync_api import sync_playwright

    if not Path(CHROMIUM or "").exists():
        yield Row("key press to pixels", "–", "no Chromium here", "–", "≤ 1.25×")
        return
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        root, home = Path(place, "root"), Path(place, "home")
        root.mkdir()
        notebook(root / "speed.ipynb", CELL)
        with jupyterlab(root, home) as address:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            run_all(page, address, "speed.ipynb")
            explorer = Explorer(page)
            explorer.wait_alt("depth", "silent", timeout=90_000)
            for name, control, panel, most in MOVES:
                yield _compared(page, name, control, panel, most, presses)
            yield from _floods(page)
            browser.close()


def _compared(page, name, control, panel, most, presses) -> Row:
    ours, echo = [], []
    for number in range(presses + 4):
        key = ["ArrowRight", "ArrowLeft"][number % 2]
        pair = [(f".echo-slider {HANDLE}", ".echo-label", key)]
        turn = 2 + number % 3 if control.endswith("select") else key
        pair.append((control, panel, (0.3 + 0.25 * (number % 3), 0.2) if "click" in name else turn))
        spent = [_press(page, *each) for each in pair]
        if number >= 4:  # the first ones compile and decode what is new
            echo.append(spent[0])
            ours.append(spent[1])
    one, other = statistics.median(ours) / 1000, statistics.median(echo) / 1000
    return Row(f"key press to decoded pixels in Chromium: {name}", ms(one),
               f"bare echoing label: {ms(other)}", f"{one / other:.2f}×",
               f"≤ {most:g}×" if most else "–", one <= most * other if most else None)  # fmt: skip


def _press(page, control: str, panel: str, key: str | int | tuple[float, float]) -> float:
    """Press a key, choose a line of a list (Lab keeps the arrow keys from lists), or click."""
    place = page.locator(f".jp-OutputArea {control}").first
    place.focus()
    page.evaluate(WATCH, panel)
    if isinstance(key, tuple):
        box = place.bounding_box()
        place.click(position={"x": key[0] * box["width"], "y": key[1] * box["height"]})
    elif isinstance(key, int):
        place.select_option(index=key)
    else:
        page.keyboard.press(key)
    return float(
        page.evaluate(
            "Promise.race([window.answer, "
            "new Promise((_, no) => setTimeout(no, 20000, 'no answer'))])"
        )
    )


#: Notes what a slider's answer says, each time that the page shows another one.
NOTE = """selector => {
    const place = document.querySelector(`.jp-OutputArea ${selector}`);
    window.answers_seen = []; window.last_change = performance.now();
    new MutationObserver(() => {
        const picture = place.querySelector('img');
        const words = picture ? picture.alt || picture.title : place.textContent;
        const told = words.match(/(?:Filter|opacity:) ([\\d.]+)/);
        if (!told) return;
        window.answers_seen.push(Number(told[1]));
        window.last_change = performance.now();
    }).observe(place, {childList: true, subtree: true, characterData: true,
                       attributeFilter: ['src', 'alt']});
}"""


def _floods(page, presses: int = 200) -> Iterator[Row]:
    """Press 200 keys at 30 per second on each slider."""
    cases = (("filter", f".cnnw-control-filter {HANDLE}", ".cnnw-panel-filter"),
             ("alpha", f".cnnw-control-alpha {HANDLE}", OPACITY))  # fmt: skip
    for name, control, answer in cases:
        handle = page.locator(f".jp-OutputArea {control}").first
        handle.focus()
        page.evaluate(NOTE, answer)
        keys = ["ArrowRight"] * 10 + ["ArrowLeft"] * 10
        began, values = page.evaluate("performance.now()"), []
        for number in range(presses):
            due = began + number * 1000 / 30
            wait = due - page.evaluate("performance.now()")
            if wait > 0:
                page.wait_for_timeout(wait)
            page.keyboard.press(keys[number % 20])
            values.append(float(handle.get_attribute("aria-valuetext")))
        last = page.evaluate("performance.now()")
        page.wait_for_timeout(1500)
        settled = page.evaluate("window.last_change") - last
        shown = page.evaluate("window.answers_seen")
        ordered, right = follows(shown, values), shown and abs(shown[-1] - values[-1]) < 0.006
        told = f"{len(shown)} answers, {'in order' if ordered else 'out of order'}"
        yield Row(f"{presses} keys at 30 per second, {name}: settled after the last",
                  ms(max(settled, 0) / 1000), told + ("" if right else ", WRONG value"), "–",
                  "≤ 500 ms", bool(settled <= 500 and ordered and right))  # fmt: skip


def follows(shown: list[float], values: list[float]) -> bool:
    """Tell whether what was shown are some of the slider's values, in their order."""
    waiting = iter(values)
    return all(any(abs(value - each) < 0.006 for value in waiting) for each in shown)
