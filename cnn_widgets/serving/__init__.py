"""The explorer as a page for visitors, who need no notebook and see no code: `cnn-widgets app`.

In comes an `App` (which network, which photographs, how many visitors); `serve` answers until it is
stopped. Each visitor has a process of the explorer; on Linux all are forked from one that has
TensorFlow loaded, and share its memory. Voilà (https://voila.readthedocs.io) serves the pages.

>>> App(visitors=30).visitors
30
"""

from cnn_widgets.serving.settings import App

__all__ = ["App"]
