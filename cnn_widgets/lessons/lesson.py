"""`Lesson`: the questions and exercises of one notebook, and the score over all of them.

They are kept in files ``lesson_1.toml`` and so on, so that a student who reads the notebook's cells
does not read the answers.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any

from cnn_widgets.classroom import Pin
from cnn_widgets.lessons.exercises import Exercise, value_of, view_of
from cnn_widgets.lessons.questions import Question
from cnn_widgets.rendering.saving import file_stem


class Lesson:
    """The questions and exercises of a notebook, each by its name.

    A question is made once: a cell that is run again shows it as it was, so the first guess counts.

    Parameters
    ----------
    content : mapping
        ``title``; ``questions`` by name, each with ``text``, ``choices``, ``answer`` and ``why``;
        ``exercises`` by name, each with ``text`` and ``hint``, and what is checked: ``view`` (as
        `assert_view` takes it), ``quantity`` (of `QUANTITIES`), both, or neither where the notebook
        gives the value; ``field = false`` where no text is asked for.

    Examples
    --------
    >>> lesson = Lesson({"title": "Try", "questions": {"sum": {
    ...     "text": "1 + 1?", "choices": ["2", "3"], "answer": "2", "why": "Count."}}})
    >>> lesson.ask("sum").guess("2")
    'You guessed: 2. That is right. Count.'
    >>> lesson.told
    'Try: 1 of 1 guessed right, 0 of 0 exercises solved'
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.title = str(content["title"])
        self._questions: Mapping[str, Any] = content.get("questions", {})
        self._exercises: Mapping[str, Any] = content.get("exercises", {})
        self._made: dict[str, Question | Exercise] = {}
        self._handed_in: Pin | None = None

    def ask(self, name: str) -> Question:
        """Return the question of a name."""
        given = _named(self._questions, name, "question")
        if name not in self._made:
            self._made[name] = Question(**given, told=self._score)
        return self._made[name]

    def exercise(self, name: str, explorer: Any = None, *, expected: Any = None) -> Exercise:
        """Return the exercise of a name.

        Parameters
        ----------
        name : str
        explorer : CNNExplorer, optional
            Where the exercise is about a view: the explorer that is to show it.
        expected : object, optional
            Where it asks for a value that the notebook computed: that value, or a callable that is
            given the answer as text and returns whether it is right.

        Raises
        ------
        ValueError
            If there is no such exercise, or its explorer or its value is missing.
        """
        given = _named(self._exercises, name, "exercise")
        view, quantity = given.get("view", {}), given.get("quantity", "")
        if (view or quantity) and explorer is None:
            raise ValueError(f"The exercise {name!r} needs the explorer.")
        if not (view or quantity) and expected is None:
            raise ValueError(f"The exercise {name!r} needs the value that is expected.")
        if name not in self._made:
            field = bool(given.get("field", quantity or not view))
            self._made[name] = Exercise(given["text"], lambda _: False, given.get("hint", ""),
                                        field=field, told=self._score)  # fmt: skip
        found = self._made[name]
        assert isinstance(found, Exercise)
        # Set anew each time: a cell that is run again may have made another explorer
        found.check = view_of(explorer, view, quantity) if view or quantity else _checked(expected)
        return found

    @property
    def score(self) -> tuple[int, int, int, int]:
        """Questions guessed right, questions guessed, exercises solved, exercises shown."""
        asked = [each for each in self._made.values() if isinstance(each, Question)]
        tasks = [each for each in self._made.values() if isinstance(each, Exercise)]
        guessed = [each for each in asked if each.guessed is not None]
        return (sum(bool(each.right) for each in guessed), len(guessed),
                sum(each.solved for each in tasks), len(tasks))  # fmt: skip

    @property
    def told(self) -> str:
        """The title and the score, in a line; for the note of a pinned view."""
        right, guessed, solved, tasks = self.score
        return (
            f"{self.title}: {right} of {guessed} guessed right, {solved} of {tasks} exercises "
            "solved"
        )

    def pin(self, explorer: Any, **claims: Any) -> Pin:
        """Pin what an explorer shows with the score as its note, and return the pin.

        A cell that is run again, perhaps with another claim, replaces the pin of the time before.

        Parameters
        ----------
        explorer : CNNExplorer
        **claims
            What is claimed of the view, as `CNNExplorer.pin` takes it.
        """
        made: Pin = explorer.pin(self.told, **claims)
        if self._handed_in is not None:
            explorer.unpin(self._handed_in)
        self._handed_in = made
        return made

    def page(self, name: str) -> str:
        """Return the name of the page that a student hands in, whatever the student is called.

        >>> open_lesson(1).page("Ada/Bob")
        'lesson_1 Ada-Bob.html'
        """
        return f"{file_stem(self.title, 'lesson').lower().replace('-', '_')} " + (
            f"{file_stem(name, 'hand-in')}.html"
        )

    def __repr__(self) -> str:
        return f"{self.told}."

    def _score(self) -> str:
        right, guessed, solved, tasks = self.score
        parts = [f"{right} of {guessed} guessed right"] if guessed else []
        parts += [f"{solved} of {tasks} exercises solved"] if tasks else []
        return f"So far: {', '.join(parts)}."


def open_lesson(number: int) -> Lesson:
    """Return a lesson of the course by its number; a ValueError says which there are.

    >>> open_lesson(1).title
    'Lesson 1'
    """
    folder = files("cnn_widgets.lessons")
    file = folder / f"lesson_{number}.toml"
    if not file.is_file():
        raise ValueError(f"Expected a lesson from 1 to 6. Received: {number!r}")
    return Lesson(tomllib.loads(file.read_text("utf-8")))


def _named(content: Mapping[str, Any], name: str, kind: str) -> Mapping[str, Any]:
    if name not in content:
        raise ValueError(f"Unknown {kind} {name!r}. Names: {', '.join(content)}.")
    found: Mapping[str, Any] = content[name]
    return found


def _checked(expected: Any) -> Callable[[str], bool]:
    return expected if callable(expected) else value_of(expected)
