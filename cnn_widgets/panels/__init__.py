"""What is shown: each panel is a function from a `Scene` to a `View`. No widgets.

In comes a `Scene`; out goes a `View` of each panel in `PANELS`: pictures, a caption, and the same
in words. How a view becomes HTML, axes of a figure or a file is told in `cnn_widgets.rendering`.

>>> explorer = cw.CNNExplorer()
>>> PANELS["original"].view(explorer.scene).caption
'cat · 451×300'
"""

from cnn_widgets.panels.table import PANELS, Panel
from cnn_widgets.views.view import View

__all__ = ["PANELS", "Panel", "View"]
