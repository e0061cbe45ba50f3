"""The words used on the page, each explained in a sentence."""

from __future__ import annotations

from cnn_widgets.views.view import View

#: The field's terms in plain words.
GLOSSARY = (
    ("network", "A convolutional network: layers of filters, one after the other, that turn the "
                "pixels of a photograph into one score for each class."),
    ("layer", "One step of the network. Early layers keep fine places and see little; late ones "
              "see much of the photograph at once."),
    ("filter", "One detector of a layer. It looks for the same pattern everywhere."),
    ("feature map, activation", "What a filter answers at each place: high where its pattern is."),
    ("silent filter", "A filter that answers nowhere on this photograph."),
    ("score", "What the network adds up for a class before it is turned into percentages."),
    ("probability", "The scores turned into shares of 100 %. A class can gain only what others "
                    "lose, so it may rise although nothing speaks for it."),
    ("evidence", "How much each place of the photograph raises the score of the class explained."),
    ("rather than", "Evidence for one class that is not evidence for another one as well."),
    ("rank correlation", "How alike two maps rank the places of a photograph, from least to most "
                         "evidence. 1: in the same order, 0: nothing in common, −1: in the "
                         "opposite order."),
    ("cell", "One value of a map. It stands for a piece of the photograph."),
    ("receptive field", "The part of the photograph that one cell can see."),
    ("opacity", "How strongly the colours of the evidence cover the photograph."),
)  # fmt: skip


def glossary() -> View:
    """Return the words and their meanings as a definition list."""
    return View("Words used here.", terms=GLOSSARY)
