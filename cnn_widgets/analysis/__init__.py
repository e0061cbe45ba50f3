"""What a traced TensorFlow graph says about itself, before a single number is computed.

In comes a graph that was traced from a Keras model, with its input tensor. Out comes where each
cell of a tensor lies on the model's input (a `MapField`), which tensors all of a score passes
through, and where a gradient's path ends.

>>> field = whole_input((7, 7), (224, 224))
>>> field.box(0, 6)
Box(top=0.0, left=192.0, bottom=32.0, right=224.0)
"""

from cnn_widgets.analysis.fields import AxisField, Box, MapField, field_from_json, whole_input
from cnn_widgets.analysis.paths import passed_by_all, where_gradients_end
from cnn_widgets.analysis.positions import PositionFinder, input_positions, map_field

__all__ = [
    "AxisField",
    "Box",
    "MapField",
    "PositionFinder",
    "field_from_json",
    "input_positions",
    "map_field",
    "passed_by_all",
    "where_gradients_end",
    "whole_input",
]
