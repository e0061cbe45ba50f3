"""`Exercise`: a task whose answer is checked at once, as often as one likes, with a hint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as w

from cnn_widgets.classroom.quantities import agrees, assert_view, measure
from cnn_widgets.lessons.questions import asked_in_html, framed, reply_in_html

#: What is told of an answer that is right.
RIGHT = "That is right."


class Exercise(w.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A task with a button that says "right" or "not yet", and a hint after the first miss.

    Parameters
    ----------
    text : str
    check : callable
        Called with the answer, a text (empty where none is asked for). Returns whether it is
        right; may raise a ValueError or an AssertionError that says what is missing.
    hint : str
        Told when an answer is not right.
    field : bool
        Whether a text is asked for; otherwise the button alone checks what was done.
    told : callable, optional
        Returns a line to show below, such as the score so far.

    Attributes
    ----------
    tries : int
        How often it was checked.
    solved : bool

    Examples
    --------
    >>> task = Exercise("How many colours has a pixel?", lambda said: agrees(said, 3), "Red, …")
    >>> task.answer("2")
    'Not yet. Hint: Red, …'
    >>> task.answer("3"), task.tries
    ('That is right.', 2)
    """

    def __init__(
        self,
        text: str,
        check: Callable[[str], bool],
        hint: str = "",
        *,
        field: bool = True,
        told: Callable[[], str] | None = None,
    ) -> None:
        self.text, self.hint, self.tries, self.solved = text, hint, 0, False
        self.reply = ""
        self.check, self._told, self._asks = check, told, field
        self.field = w.Text(placeholder="your answer", layout=w.Layout(width="220px"))
        self.field.layout.display = None if field else "none"
        self.button = w.Button(description="Check", layout=w.Layout(width="auto"))
        self.words = w.HTML()
        self.button.on_click(lambda _: self.answer(self.field.value))
        super().__init__([w.HTML(asked_in_html("Exercise", text)),
                          w.HBox([self.field, self.button]), self.words],
                         layout=framed())  # fmt: skip
        self.add_class("cnnw-exercise")

    def answer(self, said: object = "") -> str:
        """Check an answer and return what is told: that it is right, or not yet and a hint."""
        text = str(said).strip()
        self.tries += 1
        missing = ""
        try:
            right = self.check(text)
        except (ValueError, AssertionError) as error:
            right, missing = False, f" {error}"
        hint = f" Hint: {self.hint}" if self.hint else ""
        self.solved = self.solved or right
        self.reply = RIGHT if right else f"Not yet.{missing}{hint}"
        self.refresh()
        return self.reply

    def refresh(self) -> None:
        """Show the reply, and the line of `told` as it is now."""
        if self.reply:
            good = self.reply == RIGHT
            head, _, rest = self.reply.partition(".")
            below = self._told() if self._told else ""
            self.words.value = reply_in_html(good, f"{head}.", rest.strip(), below)

    def __repr__(self) -> str:
        how = 'Check with .answer("…").' if self._asks else "Check with .answer()."
        return f"Exercise: {self.text}\n{self.reply or how}"


def value_of(expected: Any) -> Callable[[str], bool]:
    """Return a check that an answer is a value, as `agrees` compares.

    >>> value_of(0.7709)("77 %"), value_of("espresso")("Espresso"), value_of(3)("three")
    (True, True, False)
    """
    return lambda said: agrees(said, expected)


def view_of(explorer: Any, claims: Mapping[str, Any], quantity: str = "") -> Callable[[str], bool]:
    """Return a check of what an explorer shows.

    Parameters
    ----------
    explorer : CNNExplorer
    claims : mapping
        What must be shown, as `assert_view` takes it.
    quantity : str
        A quantity of `QUANTITIES` that the answer must state; "": no answer is asked for.
    """

    def check(said: str) -> bool:
        if not quantity:
            return shows(explorer, claims)
        assert_view(explorer, **claims)
        return agrees(said, measure(explorer.scene, quantity))

    return check


def shows(explorer: Any, claims: Mapping[str, Any]) -> bool:
    """Return whether an explorer shows what is claimed, without a word of what it is."""
    try:
        assert_view(explorer, **claims)
    except AssertionError:
        return False
    return True
