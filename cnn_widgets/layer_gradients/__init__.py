"""Gradients of what a layer puts out, with respect to the network's input.

The `Engine` tells how scores depend on layers; here it is asked how a cell or a filter of a layer
depends on the pixels (`cell_gradient`, `layer_slopes`), and what comes into a layer. The functions
are extracted from the engine's traced graph on first use, and run only the network up to the layer.

>>> net, cat = cw.load_network(), cw.gallery()["cat"]
>>> layer_before(net.engine, "block1_project_bn")
'block1_project'
"""

from cnn_widgets.layer_gradients.cells import (
    cell_gradient,
    layer_before,
    layer_input,
    layer_object,
)
from cnn_widgets.layer_gradients.slopes import layer_slopes

__all__ = ["cell_gradient", "layer_before", "layer_input", "layer_object", "layer_slopes"]
