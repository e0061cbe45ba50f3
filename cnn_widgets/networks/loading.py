"""One door to every network: the bundled one, a classifier by name, a model file, your model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnn_widgets.networks import efficientnet_lite
from cnn_widgets.networks.applications import (
    ModelSource,
    Progress,
    application_network,
    bundled_network,
)
from cnn_widgets.networks.model_files import MODEL_SUFFIXES, model_file
from cnn_widgets.networks.network import Network


def load_network(
    source: Any = None,
    *,
    weights: str | None = "imagenet",
    progress: Progress | None = None,
    **options: Any,
) -> Network:
    """Return a network opened for looking inside.

    Parameters
    ----------
    source : str, Path, keras.Model, Network or None
        None or ``"EfficientNet-Lite0"``: the bundled network, no download. The name of a
        `keras.applications` classifier, such as ``"MobileNetV2"``. A ``.keras`` or ``.h5`` file,
        loaded safely. A Keras model. A `Network` is returned as it is.
    weights : "imagenet" or None
        Trained or random, for networks known by name.
    progress : callable, optional
        Is called with a line of text while weights come in.
    **options
        `preprocess`, `class_names`, `input_size`, `output`, `head`, … as `Network` takes them.

    Raises
    ------
    ValueError, FileNotFoundError, ConnectionError
        See `models.application` and `model_files.model_file`.

    Examples
    --------
    >>> load_network(weights=None).input_size
    (224, 224)
    """
    if isinstance(source, Network):
        if options:
            raise TypeError(
                f"{', '.join(options)} belong to Network(model, …); a finished Network was given."
            )
        return source
    if source is None or source == efficientnet_lite.NAME:
        found = bundled_network(weights)
    elif isinstance(source, Path) or (
        isinstance(source, str) and source.lower().endswith(MODEL_SUFFIXES)
    ):
        found = model_file(source)
    elif isinstance(source, str):
        found = application_network(source, weights, progress)
    else:
        found = ModelSource(source, getattr(source, "name", ""))
    given = {
        "preprocess": found.preprocess,
        "class_names": found.class_names,
        "name": found.name or None,
    }
    return Network(found.model, **(given | options))
