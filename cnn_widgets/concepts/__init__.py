"""Concepts: what a class is made of, and whether it is sensitive to what a few pictures share.

In come a `Network`, photographs of a class, and for `concept` pictures that have something in
common beside others that have not; out goes how much the class's score changes with it, and how
often random pictures do the same. `parts` finds what the photographs of a class consist of, without
being told, with its importance for the class and the places where it lies.

>>> net, some = cw.load_network(), list(cw.gallery().values())
>>> concept(net, some[:1], some[1:], some, "espresso")
Traceback (most recent call last):
    ...
ValueError: Expected at least 3 pictures of the concept that can be read. Received: 1
"""

from cnn_widgets.concepts.class_parts import Part, Parts, parts
from cnn_widgets.concepts.sensitivity import Concept, concept

__all__ = ["Concept", "Part", "Parts", "concept", "parts"]
