"""Progress is told in one way, and numbers of things are words."""

import re
from pathlib import Path

import numpy as np
import pytest

import cnn_widgets
from cnn_widgets.telling import counted, in_short, stopped


@pytest.mark.parametrize(
    ("answer", "stops"),
    [(False, True), (np.False_, True), (None, False), (0, False), (True, False), (np.True_, False)],
)
def test_false_of_any_kind_stops_and_nothing_else_does(answer, stops):
    told = []
    assert stopped(lambda *steps: told.append(steps) or answer, 2, 5) is stops
    assert told == [(2, 5)]


def test_no_progress_never_stops_and_what_is_no_function_is_refused():
    assert stopped(None, 1, 2) is False
    with pytest.raises(TypeError, match=r"Expected progress to be a function of .* Received: 3"):
        stopped(3, 1, 2)


def test_every_progress_is_told_by_one_function():
    """A comparison with False alone would not stop at NumPy's."""
    package = Path(cnn_widgets.__file__).parent
    texts = {path: path.read_text("utf-8") for path in package.rglob("*.py")}
    assert [path for path, text in texts.items() if re.search(r"progress\(.*is False", text)] == []


def test_one_thing_is_no_plural():
    assert [counted(n, "layer") for n in (0, 1, 2, 1000)] == [
        "0 layers", "1 layer", "2 layers", "1,000 layers",
    ]  # fmt: skip


def test_a_list_ends_in_dots_only_where_something_is_left_out():
    assert in_short(range(3), 3) == "0, 1, 2"
    assert in_short(range(4), 3) == "0, 1, 2, …"
    assert in_short([]) == ""


def test_no_list_says_always_that_there_is_more():
    package = Path(cnn_widgets.__file__).parent
    texts = {path: path.read_text("utf-8") for path in package.rglob("*.py")}
    assert [path for path, text in texts.items() if re.search(r"\}, …[\"']", text)] == []
