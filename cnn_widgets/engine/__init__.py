"""Runs a Keras model: compiled functions of arrays.

A model is traced once, with *taps* on its layers that note what each puts out. In come batches of
model input (N, H, W, C), float32, and score weights (N, C); out go scores, probabilities,
activations (N, h, w, K) and gradients of the same shapes. Scores are taken before the softmax. The
model itself is never changed. The classes here are used through `cnn_widgets.networks.Network`.

>>> net = cw.load_network()
>>> isinstance(net.engine, Engine), net.engine.head.kind
(True, 'softmax')
"""

from cnn_widgets.engine.batches import BATCH_SIZE, BatchRunner
from cnn_widgets.engine.build import PrivateEngine, build_engine, settled
from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.graph import TARGETS
from cnn_widgets.engine.layers import FEATURE_KINDS, LayerTable
from cnn_widgets.engine.model_inputs import read_model_input
from cnn_widgets.engine.taps import tapped
from cnn_widgets.engine.weights import WeightWatcher
from cnn_widgets.heads import HEAD_KINDS, Head
from cnn_widgets.images.network_input import ModelInput, Preprocess

__all__ = [
    "BATCH_SIZE",
    "FEATURE_KINDS",
    "HEAD_KINDS",
    "TARGETS",
    "BatchRunner",
    "ByteCache",
    "Engine",
    "Head",
    "LayerTable",
    "ModelInput",
    "Preprocess",
    "PrivateEngine",
    "WeightWatcher",
    "build_engine",
    "read_model_input",
    "settled",
    "tapped",
]
