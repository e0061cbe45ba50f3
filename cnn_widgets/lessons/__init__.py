"""For the lessons in `notebooks/`: questions to guess first, exercises, and small data sets.

A `Question` tells its answer only after a guess, an `Exercise` checks an answer and gives a hint,
and a `Lesson` holds those of one notebook with the score. All are plain widgets, and work from code
where a page shows no widgets. `shapes` draws pictures to train a network on, `stamped` puts a
shortcut into them, and `digits` are real handwritten ones.

>>> question = Question("Which is larger?", ["7×7", "112×112"], "112×112", "It has more places.")
>>> question.guess(2)
'You guessed: 112×112. That is right. It has more places.'
"""

from cnn_widgets.lessons.digits import digits
from cnn_widgets.lessons.exercises import Exercise
from cnn_widgets.lessons.lesson import Lesson, open_lesson
from cnn_widgets.lessons.questions import Question
from cnn_widgets.lessons.shapes import SHAPES, shapes, stamped

__all__ = [
    "SHAPES",
    "Exercise",
    "Lesson",
    "Question",
    "digits",
    "open_lesson",
    "shapes",
    "stamped",
]
