"""What training changes: two networks over the same photographs, and the film of a training.

`compare_networks` tells which layers, filters, answers and maps moved between two checkpoints, most
changed first. `training_film` is a Keras callback that keeps the maps of fixed photographs after
each epoch, and leaves the training exactly as it is without it.

>>> net, some = cw.load_network(), list(cw.gallery().values())[:4]
>>> compare_networks(net, net, some).turned
()
"""

from cnn_widgets.training.changes import AnswerChange, LayerChange, NetworkChange, compare_networks
from cnn_widgets.training.film import Film, Frame, training_film
from cnn_widgets.training.similarity import unbiased_cka

__all__ = [
    "AnswerChange",
    "Film",
    "Frame",
    "LayerChange",
    "NetworkChange",
    "compare_networks",
    "training_film",
    "unbiased_cka",
]  # fmt: skip
