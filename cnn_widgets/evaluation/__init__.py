"""Tells whether a map can be trusted.

In come a `Network`, a photograph and an `Attribution` (or the name of a method); out go measured
answers: deletion and insertion curves, a ranking of methods beside a random map and an edge
detector, the randomization check (`sanity_check`), and the pointing game (`pointing`). Whether the
network gets the input it was trained with is told by `check_input`.

>>> net, cat = cw.load_network(), cw.gallery()["cat"]
>>> [each.title for each in beside_chance(net, cw.attribute(net, cat), steps=4)]
['Grad-CAM', 'random map', 'edge detector']
"""

from cnn_widgets.evaluation.faithfulness import Curve, curves
from cnn_widgets.evaluation.instruments import INSTRUMENTS
from cnn_widgets.evaluation.localization import Pointing, pointing
from cnn_widgets.evaluation.randomization import SanityCheck, rank_correlation, sanity_check
from cnn_widgets.evaluation.ranking import RankedMap, beside_chance, rank
from cnn_widgets.networks.input_check import InputCheck, check_input

__all__ = [
    "INSTRUMENTS",
    "Curve",
    "InputCheck",
    "Pointing",
    "RankedMap",
    "SanityCheck",
    "beside_chance",
    "check_input",
    "curves",
    "pointing",
    "rank",
    "rank_correlation",
    "sanity_check",
]
