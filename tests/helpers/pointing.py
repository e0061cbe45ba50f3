"""A hand on the page: points at places of pictures, given as shares of their sides."""

from __future__ import annotations

import re

#: A picture as it lies on the page; of the photograph's three, one that is seen.
_SHOWN = """box => {
    const images = [...box.querySelectorAll('img')];
    const shown = images.find(each => getComputedStyle(each).visibility === 'visible');
    const {x, y, width, height} = shown.getBoundingClientRect();
    return {x, y, width, height};
}"""


def watched(browser, width: int, height: int):
    """Return a new page, and the list of the errors in its console."""
    page = browser.new_page(viewport={"width": width, "height": height})
    errors: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    return page, errors


class Hand:
    """Moves the mouse over the pictures of an `Explorer`; a picture has its name in `touch`."""

    def __init__(self, explorer) -> None:
        self.explorer, self.page = explorer, explorer.page

    def box(self, picture):
        """Return what is pointed at: the box of a picture, scrolled into sight."""
        box = self.explorer.root.locator(f".cnnw-touch-{picture}")
        box.scroll_into_view_if_needed()
        return box

    def place(self, picture, x, y) -> tuple[float, float]:
        """Return a place of a picture in whole pixels of the page, as the browser reports them."""
        rect = self.box(picture).evaluate(_SHOWN)
        return round(rect["x"] + x * rect["width"]), round(rect["y"] + y * rect["height"])

    def click(self, picture, x, y) -> None:
        self.page.mouse.click(*self.place(picture, x, y))

    def words(self, picture, x, y, pattern) -> re.Match[str]:
        """Point at a place; return the words beside the pointer, once they match a pattern."""
        self.page.mouse.move(*self.place(picture, x, y))
        tip = self.page.locator(".cnnw-tip:visible").filter(has_text=re.compile(pattern))
        tip.wait_for()
        found = re.search(pattern, tip.inner_text())
        assert found
        return found

    def drag(self, picture, start, end) -> tuple[float, ...]:
        """Drag from a place to another; return left, top, right, bottom in pixels of the page."""
        (left, top), (right, bottom) = self.place(picture, *start), self.place(picture, *end)
        self.page.mouse.move(left, top)
        self.page.mouse.down()
        self.page.mouse.move(right, bottom, steps=4)
        self.page.mouse.up()
        return left, top, right, bottom

    def wait(self, script, arg=None, timeout=15_000):
        """Wait for a condition of the explorer's root, `root`, and of an argument."""
        return self.page.wait_for_function(
            "arg => { const root = document.querySelector('.cnnw-explorer'); return "
            + script + " }",
            arg=arg, timeout=timeout,
        )  # fmt: skip

    def wait_value(self, control, value) -> None:
        """Wait until a text or number field has a value."""
        self.wait(
            "root.querySelector(`.cnnw-control-${arg[0]} input`).value === arg[1]",
            [control, str(value)],
        )

    def wait_choice(self, control, text) -> None:
        """Wait until the label that a list has selected contains a text."""
        self.wait(
            "(each => each.options[each.selectedIndex]?.text.replaceAll('\\u00a0', ' ')"
            ".includes(arg[1]))(root.querySelector(`.cnnw-control-${arg[0]} select`))",
            [control, text],
        )

    def value(self, control) -> str:
        return self.explorer.control(control, "input").input_value()

    def choice(self, control) -> str:
        return self.explorer.control(control, "select").evaluate(
            "each => each.options[each.selectedIndex].text.replaceAll('\\u00a0', ' ')"
        )
