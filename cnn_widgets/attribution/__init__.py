"""Which pixels of a photograph speak for a class.

In come a `Network`, an `ImageSample`, the name of a method in `METHODS` and a class; out goes an
`Attribution`: the raw map (h, w) as the method's equation gives it, and the heat-map (H, W) over
the photograph in [0, 1] ([-1, 1] where the method is signed). Each method states its paper,
equation and caveat.

>>> net, cat = cw.load_network(), cw.gallery()["cat"]
>>> attribute(net, cat, "grad-cam", "Egyptian cat").raw.shape
(7, 7)
"""

from cnn_widgets.attribution.bundles import load_attribution
from cnn_widgets.attribution.depth_strip import film_strip
from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.methods import METHODS, QUICK, Method, find_method
from cnn_widgets.attribution.probe import Probe
from cnn_widgets.attribution.regions import Brush, region_mask
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.attribution.streaming import Explained, stream

__all__ = [
    "METHODS",
    "QUICK",
    "Attribution",
    "Brush",
    "Explained",
    "Method",
    "Probe",
    "attribute",
    "film_strip",
    "find_method",
    "load_attribution",
    "region_mask",
    "stream",
]
