"""Pointing at pictures: what is at a place, and what a gesture asks for.

In come a `Scene` and a gesture: the name of a picture, a place in it as shares (x, y) of its sides,
a key. Out go words about the place (`describe`) and the changes of state that are wanted
(`wanted`). `Pointer` is the widget, a small JavaScript module, that sends the gestures of a page.

>>> explorer = cw.CNNExplorer()
>>> wanted(explorer.scene, {"kind": "click", "picture": "mosaic", "x": 0.99, "y": 0.01})
{'filter': 7}
"""

from cnn_widgets.pointing.gestures import hottest, wanted
from cnn_widgets.pointing.pointer import Pointer
from cnn_widgets.pointing.readouts import describe

__all__ = ["Pointer", "describe", "hottest", "wanted"]
