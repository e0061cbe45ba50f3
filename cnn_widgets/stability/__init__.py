"""How much photographs may change until a network answers otherwise, or for another reason.

In come a `Network` and photographs; each of `CHANGES` (moved, turned, darker, blurred, covered …)
is applied at four levels. Out goes a `Curve` of each change: how many answers stay, how many are
right, how well the evidence agrees, and at which level each photograph's answer turns.

>>> curve = robustness(cw.load_network(), [cw.gallery()["cat"]], changes=["darker"])[0]
>>> curve.title
'brightness, share of what it was'
"""

from cnn_widgets.stability.changes import CHANGES, Change
from cnn_widgets.stability.page import robustness_section
from cnn_widgets.stability.robustness import Curve, robustness

__all__ = ["CHANGES", "Change", "Curve", "robustness", "robustness_section"]
