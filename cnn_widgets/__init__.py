"""Look inside a convolutional network: activations, predictions and class evidence, live.

The nouns: a `Network` is a Keras model opened for looking inside; an `ImageSample` is a
photograph; a layer's *activations* are its output (h, w, K), one feature map per filter; an
`Attribution` says which pixels speak for a class, its *heatmap* is that map over the photograph.
`CNNExplorer` shows all of it in one notebook cell and lets you move through it.

>>> import cnn_widgets as cw
>>> cw.CNNExplorer()  # doctest: +SKIP

Importing this package is light: TensorFlow is imported when a network is first built.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cnn_widgets.attribution import METHODS, Attribution, attribute, load_attribution, stream
    from cnn_widgets.auditing import audit, load_audit
    from cnn_widgets.concepts import concept, parts
    from cnn_widgets.data_checks import doubted_labels, odd_ones_out
    from cnn_widgets.data_checks.duplicates import duplicates
    from cnn_widgets.datasets import open_images
    from cnn_widgets.drawing import mosaic, overlay
    from cnn_widgets.environment import configure
    from cnn_widgets.excitation import dream, excite
    from cnn_widgets.experiments import (
        ablate,
        occlude,
        patch_activations,
        shared_evidence,
        smallest_change,
        trace_cell,
        votes,
    )
    from cnn_widgets.explorer import CNNExplorer
    from cnn_widgets.filter_index import index_filters, load_filter_index
    from cnn_widgets.images import gallery, load_image
    from cnn_widgets.networks import Network, load_network
    from cnn_widgets.records import ImageSample, LayerInfo, Prediction
    from cnn_widgets.regression import check_against, keep_evidence
    from cnn_widgets.setting_up import doctor
    from cnn_widgets.shortcuts import find_shortcuts
    from cnn_widgets.training import compare_networks, training_film

_HOMES = {
    "METHODS": "attribution",
    "attribute": "attribution",
    "audit": "auditing",
    "load_audit": "auditing",
    "check_against": "regression",
    "keep_evidence": "regression",
    "configure": "environment",
    "doctor": "setting_up",
    "doubted_labels": "data_checks",
    "duplicates": "data_checks",
    "odd_ones_out": "data_checks",
    "ablate": "experiments",
    "occlude": "experiments",
    "patch_activations": "experiments",
    "shared_evidence": "experiments",
    "smallest_change": "experiments",
    "trace_cell": "experiments",
    "votes": "experiments",
    "dream": "excitation",
    "excite": "excitation",
    "compare_networks": "training",
    "concept": "concepts",
    "parts": "concepts",
    "training_film": "training",
    "CNNExplorer": "explorer",
    "find_shortcuts": "shortcuts",
    "open_images": "datasets",
    "mosaic": "drawing",
    "overlay": "drawing",
    "index_filters": "filter_index",
    "load_filter_index": "filter_index",
    "gallery": "images",
    "load_image": "images",
    "load_network": "networks",
    "Network": "networks",
    "Attribution": "attribution",
    "load_attribution": "attribution",
    "ImageSample": "records",
    "LayerInfo": "records",
    "Prediction": "records",
    "stream": "attribution",
}

__all__ = [
    "METHODS",
    "Attribution",
    "CNNExplorer",
    "ImageSample",
    "LayerInfo",
    "Network",
    "Prediction",
    "ablate",
    "attribute",
    "audit",
    "check_against",
    "compare_networks",
    "concept",
    "configure",
    "doctor",
    "doubted_labels",
    "dream",
    "duplicates",
    "excite",
    "find_shortcuts",
    "gallery",
    "index_filters",
    "keep_evidence",
    "load_attribution",
    "load_audit",
    "load_filter_index",
    "load_image",
    "load_network",
    "mosaic",
    "occlude",
    "odd_ones_out",
    "open_images",
    "overlay",
    "parts",
    "patch_activations",
    "shared_evidence",
    "smallest_change",
    "stream",
    "trace_cell",
    "training_film",
    "votes",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
