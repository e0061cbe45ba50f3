"""The widget: a network, photographs and the engine in one notebook cell.

In come the user's choices, by controls or by pointing; they become traits of `State`, are resolved
into one `Scene`, from which each panel draws a `View` that is shown on the page. One direction
only: widget → state → scene → panel → page.

>>> explorer = CNNExplorer(cw.load_network())
>>> explorer.show(layer="block3_expand", filter=12)
>>> explorer.close()
"""

from cnn_widgets.explorer.explorer import CNNExplorer
from cnn_widgets.panels.table import PANELS
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State

__all__ = ["PANELS", "CNNExplorer", "Scene", "State"]
