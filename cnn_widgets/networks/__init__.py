"""A model from anywhere, as a `Network`.

In comes nothing (the bundled EfficientNet-Lite0), the name of a `keras.applications` classifier, a
model file, or a Keras model; out goes a `Network`, which answers questions about `ImageSample`s
with NumPy arrays: predictions, scores, activations, gradients. Preprocessing and class names
belong to it; what had to be guessed is said in `Network.notes`.

>>> net = cw.load_network()
>>> net.activations(cw.gallery()["cat"], "stem").shape
(112, 112, 32)
"""

from cnn_widgets.networks.class_names import ClassTable, imagenet_names
from cnn_widgets.networks.loading import load_network
from cnn_widgets.networks.network import Network

__all__ = ["ClassTable", "Network", "imagenet_names", "load_network"]
