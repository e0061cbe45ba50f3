"""How a `View` becomes something that is seen: HTML, axes of a Matplotlib figure, a file.

In comes the `View` of a panel, or a whole `Scene` with all its panels; out goes a fragment of HTML
for the explorer, one page that holds its pictures (`to_page`), a figure (`to_figure`), or a file.

>>> explorer = cw.CNNExplorer()
>>> to_page(explorer.scene)[:15]
'<!doctype html>'
"""

from cnn_widgets.rendering.figure import to_figure
from cnn_widgets.rendering.html import to_page

__all__ = ["to_figure", "to_page"]
