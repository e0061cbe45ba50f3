"""Experiments on a network: what changes in it, or in its answers, when something else is changed.

`concept` asks whether a class is sensitive to what a few pictures have in common, `parts` finds
what a class's photographs are made of; `compare_networks` tells what training changed in layers,
filters, answers and maps, and `training_film` keeps the maps of fixed photographs after each epoch.
Each experiment is seeded and says how sure its answer is.

>>> net, some = cw.load_network(), list(cw.gallery().values())[:4]
>>> compare_networks(net, net, some).turned
()
"""

from cnn_widgets.experiments.changes import (
    AnswerChange,
    LayerChange,
    NetworkChange,
    compare_networks,
)
from cnn_widgets.experiments.class_parts import Part, Parts, parts
from cnn_widgets.experiments.concepts import Concept, concept
from cnn_widgets.experiments.film import Film, Frame, training_film
from cnn_widgets.experiments.similarity import linear_cka

__all__ = [
    "AnswerChange",
    "Concept",
    "Film",
    "Frame",
    "LayerChange",
    "NetworkChange",
    "Part",
    "Parts",
    "compare_networks",
    "concept",
    "linear_cka",
    "parts",
    "training_film",
]
