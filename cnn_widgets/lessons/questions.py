"""`Question`: asks for a guess, and tells the answer and its reason only after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as w

from cnn_widgets.classroom.quantities import plain_number


class Question(w.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """A question with choices; the answer is shown once one of them was guessed.

    Parameters
    ----------
    text : str
    choices : sequence of str
        At least two.
    answer : str
        The choice that is right.
    why : str
        The reason, told after the guess.
    told : callable, optional
        Returns a line to show below the reason, such as the score so far.

    Attributes
    ----------
    guessed : str or None
        The first guess; None before it.

    Raises
    ------
    ValueError
        If there are fewer than two choices, one comes twice, or the answer is none of them.

    Examples
    --------
    >>> asked = Question("Is a photograph of 224×224 larger than a map of 7×7?", ["yes", "no"],
    ...                  answer="yes", why="It has 1024 times as many places.")
    >>> asked
    Question: Is a photograph of 224×224 larger than a map of 7×7?
      1. yes
      2. no
    Guess with .guess(1), .guess(2) …
    >>> asked.guess("no")
    'You guessed: no. The answer is: yes. It has 1024 times as many places.'
    """

    def __init__(
        self,
        text: str,
        choices: Sequence[str],
        answer: str,
        why: str,
        told: Callable[[], str] | None = None,
    ) -> None:
        given = tuple(map(str, choices))
        if len(given) < 2 or len(set(given)) < len(given) or answer not in given:
            raise ValueError(
                "Expected at least two different choices, the answer among them. "
                f"Received: {given}, answer {answer!r}"
            )
        self.text, self.choices_given, self.answer, self.why = text, given, answer, why
        self.guessed: str | None = None
        self._told = told
        self.radio = w.RadioButtons(
            options=given, value=None, layout=w.Layout(width="auto", margin="0 0 0 8px")
        )
        self.button = w.Button(
            description="That is my guess",
            disabled=True,
            layout=w.Layout(width="auto", align_self="flex-start"),
        )
        self.words = w.HTML()
        self.radio.observe(self._on_choice, "value")
        self.button.on_click(lambda _: self.guess(self.radio.value))
        super().__init__([w.HTML(asked_in_html("Guess first", text)), self.radio, self.button,
                          self.words], layout=framed())  # fmt: skip
        self.add_class("cnnw-question")

    @property
    def right(self) -> bool | None:
        """Whether the first guess was right; None before it."""
        return None if self.guessed is None else self.guessed == self.answer

    @property
    def reply(self) -> str:
        """What is told after the guess; empty before it."""
        if self.guessed is None:
            return ""
        line = "That is right." if self.right else f"The answer is: {self.answer}."
        return f"You guessed: {self.guessed}. {line} {self.why}"

    def guess(self, choice: str | int) -> str:
        """Take a guess, a choice or its number from 1, and return the reply.

        Only the first guess counts; a later one returns the reply to the first. A ValueError says
        if there is no such choice.
        """
        if self.guessed is None:
            self.guessed = self._choice(choice)
            self.radio.value = self.guessed
            self.radio.disabled = self.button.disabled = True
            self.button.layout.display = "none"
            self.refresh()
        return self.reply

    def refresh(self) -> None:
        """Show the reply, and the line of `told` as it is now."""
        if self.guessed is not None:
            head = "Right." if self.right else f"The answer is: {self.answer}."
            below = self._told() if self._told else ""
            self.words.value = reply_in_html(bool(self.right), head, self.why, below)

    def _choice(self, choice: Any) -> str:
        choice = plain_number(choice)
        if (
            isinstance(choice, int)
            and not isinstance(choice, bool)
            and 1 <= choice <= len(self.choices_given)
        ):
            return self.choices_given[choice - 1]
        if not isinstance(choice, str) or choice not in self.choices_given:
            listed = ", ".join(map(repr, self.choices_given))
            raise ValueError(f"Unknown choice {choice!r}. Choices: {listed}.")
        return choice

    def _on_choice(self, change: Any) -> None:
        self.button.disabled = self.guessed is not None or change["new"] is None

    def __repr__(self) -> str:
        lines = [f"Question: {self.text}"]
        lines += [f"  {number}. {each}" for number, each in enumerate(self.choices_given, 1)]
        return "\n".join([*lines, self.reply or "Guess with .guess(1), .guess(2) …"])


def framed() -> Any:
    """Return the layout of a question's or an exercise's box."""
    return w.Layout(
        border="1px solid #b8b8c8", padding="8px 12px", margin="4px 0", max_width="820px"
    )


def asked_in_html(kind: str, text: str) -> str:
    """Return what is asked, below a small heading, as HTML."""
    return (
        f'<div style="line-height: 1.4"><b style="color: #5b5bd6">{escape(kind)}</b><br>'
        f"{escape(text)}</div>"
    )


def reply_in_html(good: bool, head: str, text: str, below: str = "") -> str:
    """Return a reply as HTML: a coloured heading, the text, and a small line below."""
    sign, color = ("✓", "#1a7f37") if good else ("✗", "#b35900")
    small = f'<div style="opacity: 0.7">{escape(below)}</div>' if below else ""
    return (
        f'<div role="status" style="line-height: 1.4"><b style="color: {color}">{sign} '
        f"{escape(head)}</b> {escape(text)}{small}</div>"
    )
