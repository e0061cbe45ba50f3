"""Tells what the output of a Keras model is: which one, scores or probabilities, how many classes.

It reads the graph of a model that is being traced: the tensor of its output, and the operations
that tensor is made of.

>>> net = cw.load_network()
>>> net.engine.head
Head(kind='softmax', units=1000, binary=False, found=True, within_one=False)
"""

from cnn_widgets.heads.bounds import bounds
from cnn_widgets.heads.choosing import OutputChoice, chosen_output, named_outputs
from cnn_widgets.heads.head import HEAD_KINDS, Head, find_head, head_notes

__all__ = [
    "HEAD_KINDS",
    "Head",
    "OutputChoice",
    "bounds",
    "chosen_output",
    "find_head",
    "head_notes",
    "named_outputs",
]
