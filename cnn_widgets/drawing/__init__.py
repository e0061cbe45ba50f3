"""Arrays to pictures; nothing here knows of networks.

In come maps (h, w) and stacks of feature maps (h, w, K) as NumPy arrays; out go RGB pixels as
uint8 arrays (H, W, 3), or the bytes of a PNG or JPEG file. Colour maps are Matplotlib's. A scalar
map is always resized first and coloured last: colouring first would invent colours that stand for
no value.

>>> overlay(np.zeros((4, 4, 3), np.uint8), np.eye(4), alpha=1.0).shape
(4, 4, 3)
"""

from cnn_widgets.drawing.color import COLORMAPS, colorize, lookup_table, normalize, overlay, resize
from cnn_widgets.drawing.encode import encode_image
from cnn_widgets.drawing.mosaics import mosaic, scale_filters

__all__ = [
    "COLORMAPS",
    "colorize",
    "encode_image",
    "lookup_table",
    "mosaic",
    "normalize",
    "overlay",
    "resize",
    "scale_filters",
]
