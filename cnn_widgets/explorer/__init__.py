"""The widget: a network, photographs and the engine in one notebook cell.

In come the user's choices (traits of `State`); they are resolved into one frozen `Scene`, from
which each panel draws a `View`; views become HTML on the page, or axes of a Matplotlib figure. One
direction only: widget → state → scene → panel → page.

>>> explorer = CNNExplorer(cw.load_network())
>>> explorer.show(layer="block3_expand", filter=12)
>>> explorer.close()
"""

from cnn_widgets.explorer.explorer import CNNExplorer
from cnn_widgets.explorer.panels import PANELS
from cnn_widgets.explorer.scene import Scene
from cnn_widgets.explorer.state import State

__all__ = ["PANELS", "CNNExplorer", "Scene", "State"]
