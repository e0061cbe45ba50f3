"""A page for a whole class that needs no kernel: what was chosen is computed beforehand.

In come a `Network`, photographs and what may be chosen on the page; out goes one HTML file with the
evidence for several classes and the maps of several layers, which a small script in the page shows
and tells under the pointer. Nothing is fetched by it.

>>> net, cat = cw.load_network(), cw.gallery()["cat"]
>>> page = publish(net, [cat], layers=["stem"], classes=1, filters=2)
>>> page.photographs, page.classes, page.megabytes < 1
(1, 1, True)
"""

from cnn_widgets.publishing.page import Published, publish

__all__ = ["Published", "publish"]
