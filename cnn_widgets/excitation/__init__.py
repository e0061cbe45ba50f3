"""What excites a filter, a group of filters or a class: pictures made for it, and real ones.

In come a `Network`, a layer and filters, or a class; out goes an `Excitation`: a picture made from
noise by gradient ascent, and what the network answers to it. `exciting_patches` finds the places of
real photographs that excite a filter most; `dream` changes a photograph so that a layer
responds more strongly to what it already finds in it.

>>> net = cw.load_network()
>>> made = excite(net, "stem", 3, steps=12)
>>> made.picture.shape, made.value > made.start
((224, 224, 3), True)
"""

from cnn_widgets.excitation.dreams import Dream, dream
from cnn_widgets.excitation.making import STATISTICS, Excitation, excite, response
from cnn_widgets.excitation.patches import Patch, Patches, exciting_patches
from cnn_widgets.excitation.pixel_space import PixelMap, Spectrum, pixel_map

__all__ = [
    "STATISTICS",
    "Dream",
    "Excitation",
    "Patch",
    "Patches",
    "PixelMap",
    "Spectrum",
    "dream",
    "excite",
    "exciting_patches",
    "pixel_map",
    "response",
]
