"""What is shown: each panel is a function from a `Scene` to a `View`. No widgets.

In comes a `Scene`; out goes a `View` of each panel in `PANELS`: pictures, a caption, and the same
in words. A view becomes HTML (`to_page`), or axes of a Matplotlib figure (`to_figure`); a whole
scene becomes a file.

>>> explorer = cw.CNNExplorer()
>>> PANELS["original"].view(explorer.scene).caption
'cat · 451×300'
"""

from cnn_widgets.panels.figure import to_figure
from cnn_widgets.panels.html import to_page
from cnn_widgets.panels.table import PANELS, Panel
from cnn_widgets.panels.view import View

__all__ = ["PANELS", "Panel", "View", "to_figure", "to_page"]
