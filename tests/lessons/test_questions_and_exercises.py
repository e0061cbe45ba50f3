"""Questions tell nothing before a guess, exercises check at once, a lesson keeps the score."""

import tomllib
from importlib.resources import files

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.classroom import QUANTITIES
from cnn_widgets.lessons import Exercise, Lesson, Question, open_lesson

CONTENT = {
    "title": "Try",
    "questions": {
        "sum": {"text": "1 + 1?", "choices": ["2", "3"], "answer": "2", "why": "Count <them>."},
        "size": {"text": "Large?", "choices": ["yes", "no"], "answer": "no", "why": "Look."},
    },
    "exercises": {
        "show": {"text": "Show two.", "view": {"image": "two"}, "hint": "Click it."},
        "count": {
            "text": "How many filters?",
            "view": {"image": "two", "layer": "conv2"},
            "quantity": "filters",
            "hint": "Below the layer.",
        },
        "value": {"text": "What is it?", "hint": "Small."},
        "done": {"text": "Do it.", "field": False},
    },
}


def all_text(box):
    """Return everything that the widgets of a box say."""
    found = [str(getattr(box, name, "")) for name in ("value", "description", "options")]
    return " ".join(found + [all_text(each) for each in getattr(box, "children", ())])


@pytest.fixture
def explorer(keras):
    net = cw.Network(tiny(keras), preprocess="none", class_names=["ape", "bee", "cow", "dog"])
    rng = np.random.default_rng(1)
    made = cw.CNNExplorer(
        net, {name: rng.integers(0, 256, (24, 30, 3), np.uint8) for name in ("one", "two")}
    )
    yield made
    made.close()


# --- questions ----------------------------------------------------------------------------------


def test_the_answer_and_its_reason_are_told_only_after_a_guess():
    asked = Question("Which?", ["red", "blue"], "blue", "Because of the sky.")
    assert "sky" not in all_text(asked) + repr(asked)
    assert asked.right is None
    assert asked.button.disabled
    asked.radio.value = "red"
    assert not asked.button.disabled
    assert "sky" not in all_text(asked) + repr(asked)
    asked.button.click()
    assert "The answer is: blue." in all_text(asked)
    assert "Because of the sky." in all_text(asked)
    assert "Because of the sky." in repr(asked)
    assert (asked.guessed, asked.right) == ("red", False)
    assert asked.radio.disabled


def test_the_first_guess_counts():
    asked = Question("Which?", ["red", "blue"], "blue", "Sky.")
    first = asked.guess("red")
    assert asked.guess("blue") == first
    assert (asked.guessed, asked.right, asked.radio.value) == ("red", False, "red")


def test_a_question_works_without_a_page():
    asked = Question("Which?", ["red", "blue"], "blue", "Sky.")
    assert repr(asked).splitlines()[:3] == ["Question: Which?", "  1. red", "  2. blue"]
    assert asked.guess(2) == "You guessed: blue. That is right. Sky."
    assert asked._repr_mimebundle_()["text/plain"].startswith("Question: Which?")


def test_what_is_written_is_no_html():
    asked = Question("Is 1 < 2?", ["<b>yes</b>", "no"], "no", "<script>")
    asked.guess("no")
    assert "<script>" not in asked.words.value
    assert "&lt;script&gt;" in asked.words.value
    assert "1 &lt; 2" in asked.children[0].value


@pytest.mark.parametrize(
    ("choices", "answer"), [(["one"], "one"), (["a", "a"], "a"), (["a", "b"], "c"), ([], "")]
)
def test_a_question_that_cannot_be_answered_is_refused(choices, answer):
    with pytest.raises(ValueError, match="the answer among them"):
        Question("?", choices, answer, "")


@pytest.mark.parametrize(
    "choice", ["green", 0, 3, None, True, 1.0, np.array(["red", "blue"]), ["red"]]
)
def test_a_guess_that_is_no_choice_is_refused_and_costs_nothing(choice):
    asked = Question("Which?", ["red", "blue"], "blue", "Sky.")
    with pytest.raises(ValueError, match="Choices: 'red', 'blue'"):
        asked.guess(choice)
    assert asked.guessed is None
    assert asked.guess(np.int64(1)).startswith("You guessed: red.")


# --- exercises ----------------------------------------------------------------------------------


def test_an_exercise_says_not_yet_with_a_hint_and_then_right():
    task = Exercise("2 + 2?", lambda said: said == "4", "More than 3.")
    assert "More than 3." not in all_text(task) + repr(task)
    task.field.value = "5"
    task.button.click()
    assert "Not yet." in all_text(task)
    assert "More than 3." in all_text(task)
    assert not task.solved
    task.field.value = " 4 "
    task.button.click()
    assert "That is right." in all_text(task)
    assert "Not yet" not in all_text(task)
    assert (task.solved, task.tries) == (True, 2)
    task.answer("5")
    assert task.solved  # what was solved stays solved


def test_an_exercise_tells_what_its_check_misses():
    def check(said):
        raise ValueError(f"{said!r} is no number.")

    assert Exercise("?", check).answer("x") == "Not yet. 'x' is no number."


# --- a lesson -----------------------------------------------------------------------------------


def test_a_lesson_keeps_the_score_and_a_cell_that_runs_again_the_guess():
    lesson = Lesson(CONTENT)
    first, second = lesson.ask("sum"), lesson.ask("size")
    first.guess("2")
    second.guess("yes")
    assert lesson.ask("sum") is first
    assert lesson.score == (1, 2, 0, 0)
    assert "1 of 2 guessed right" in second.words.value
    task = lesson.exercise("value", expected=0.5)
    assert lesson.exercise("value", expected=0.25).answer("25 %") == "That is right."
    assert lesson.exercise("value", expected=0.25) is task
    assert lesson.told == "Try: 1 of 2 guessed right, 1 of 1 exercises solved"
    assert repr(lesson) == f"{lesson.told}."


def test_an_exercise_about_a_view_asks_the_explorer(explorer):
    lesson = Lesson(CONTENT)
    task = lesson.exercise("show", explorer)
    assert task.field.layout.display == "none"
    assert task.answer() == "Not yet. Hint: Click it."
    explorer.show(image="two")
    assert task.answer() == "That is right."


def test_an_exercise_about_a_quantity_wants_the_view_and_the_value(explorer):
    task = Lesson(CONTENT).exercise("count", explorer)
    count = explorer.network.layer("conv2").filters
    explorer.show(image="one", layer="conv2")
    assert "Expected image to be 'two'" in task.answer(count)
    explorer.show(image="two")
    assert task.answer(count + 1) == "Not yet. Hint: Below the layer."
    assert task.answer(count) == "That is right."


def test_an_exercise_may_be_checked_by_the_notebook():
    done = []
    task = Lesson(CONTENT).exercise("done", expected=lambda _: bool(done))
    assert task.field.layout.display == "none"
    assert task.answer() == "Not yet."
    done.append(1)
    assert task.answer() == "That is right."


def test_what_is_missing_is_named():
    lesson = Lesson(CONTENT)
    with pytest.raises(ValueError, match=r"Unknown question 'nothing'\. Names: sum, size"):
        lesson.ask("nothing")
    with pytest.raises(ValueError, match=r"Unknown exercise 'sum'\. Names: show, count"):
        lesson.exercise("sum")
    with pytest.raises(ValueError, match="'show' needs the explorer"):
        lesson.exercise("show")
    with pytest.raises(ValueError, match="'value' needs the value"):
        lesson.exercise("value")
    with pytest.raises(ValueError, match=r"from 1 to 6\. Received: 7"):
        open_lesson(7)


def test_the_last_cell_run_again_replaces_its_claim(explorer):
    lesson = Lesson(CONTENT)
    explorer.pin("Mine.")
    lesson.pin(explorer, filters="?")
    lesson.ask("sum").guess("2")
    made = lesson.pin(explorer, filters=6)
    assert [each.answers for each in explorer.pins] == [{}, {"filters": 6}]
    assert explorer.pins[1] is made
    assert made.note == "Try: 1 of 1 guessed right, 0 of 0 exercises solved"
    with pytest.raises(ValueError, match="Unknown quantity"):
        lesson.pin(explorer, size=6)
    assert explorer.pins[1] is made


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("Ada", "lesson_3 Ada.html"), ("Ada/Bob", "lesson_3 Ada-Bob.html"),
        ("../../x", "lesson_3 x.html"), ("", "lesson_3 hand-in.html"),
        ("Łukasz Ø", "lesson_3 Łukasz-Ø.html"),
    ],
)  # fmt: skip
def test_the_page_of_a_hand_in_stays_in_its_folder(name, page):
    assert open_lesson(3).page(name) == page


# --- the lessons of the course ------------------------------------------------------------------


@pytest.mark.parametrize("number", range(1, 7))
def test_every_question_of_the_course_can_be_asked(number):
    lesson = open_lesson(number)
    assert lesson.title == f"Lesson {number}"
    file = files("cnn_widgets.lessons") / f"lesson_{number}.toml"
    content = tomllib.loads(file.read_text("utf-8"))
    for name, given in content["questions"].items():
        asked = lesson.ask(name)
        assert len(asked.why.split()) > 5
        assert max(map(len, asked.choices_given)) <= 60
        assert asked.guess(given["answer"]).endswith(asked.why)
    assert lesson.score[:2] == (len(content["questions"]),) * 2
    for name, given in content["exercises"].items():
        assert given["hint"]
        assert given.get("quantity", "filters") in QUANTITIES
        about_view = "view" in given or "quantity" in given
        more = {"explorer": object()} if about_view else {"expected": 1}
        assert isinstance(lesson.exercise(name, **more), Exercise)


def test_answers_do_not_always_stand_at_the_same_place():
    places = [
        asked["choices"].index(asked["answer"])
        for number in range(1, 7)
        for asked in tomllib.loads(
            (files("cnn_widgets.lessons") / f"lesson_{number}.toml").read_text("utf-8")
        )["questions"].values()
    ]
    assert max(places.count(each) for each in set(places)) < 0.6 * len(places)
