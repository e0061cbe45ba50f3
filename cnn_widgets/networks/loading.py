"""`load_network`: opens the bundled network, a named classifier, a model file or a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnn_widgets.model_files.foreign_files import looks_like_path
from cnn_widgets.model_files.opening import model_file
from cnn_widgets.model_files.sources import ModelSource
from cnn_widgets.networks import efficientnet_lite
from cnn_widgets.networks.applications import (
    Progress,
    application_network,
    bundled_network,
)
from cnn_widgets.networks.description import no_network
from cnn_widgets.networks.network import Network


def load_network(
    source: Any = None,
    *,
    weights: str | None = "imagenet",
    progress: Progress | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    trust: bool = False,
    **options: Any,
) -> Network:
    """Return a `Network`, from a name, a file or a Keras model.

    Parameters
    ----------
    source : str, Path, keras.Model, Network or None
        None or ``"EfficientNet-Lite0"`` is the bundled network, which needs no download. Other
        strings are the name of a `keras.applications` classifier, such as ``"MobileNetV2"``, or
        the path of a ``.keras``, ``.h5`` or ``.hdf5`` file, or of a ``.zip`` exported by Teachable
        Machine, which is loaded without running code in it. A Keras model is used as it is; a
        `Network` is returned unchanged.
    weights : "imagenet" or None
        Trained or random weights, for networks loaded by name.
    progress : callable, optional
        Called with a line of text while weights are downloaded.
    custom_objects, trust
        Your own classes that a model file needs, and whether you trust it to run code: see
        `cnn_widgets.model_files.model_file`.
    **options
        `preprocess`, `class_names`, `input_size`, `output`, `head` and so on, see `Network`.

    Raises
    ------
    ValueError, FileNotFoundError, ConnectionError
        See `applications.application_network` and `cnn_widgets.model_files.model_file`.
    TypeError
        If options are given together with a `Network`, or the source is no model.

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
    if source is None or (isinstance(source, str) and source == efficientnet_lite.NAME):
        found = bundled_network(weights)
    elif isinstance(source, Path) or (isinstance(source, str) and looks_like_path(source)):
        found = model_file(source, custom_objects, trust)
    elif isinstance(source, str):
        found = application_network(source, weights, progress)
    else:
        found = ModelSource(source, getattr(source, "name", ""))
    given = {
        "preprocess": found.preprocess,
        "class_names": found.class_names,
        "name": found.name or None,
        "fit": found.fit,
        "notes": found.notes,
    }
    return Network(found.model, **(given | options))


def checked_network(given: Any) -> Network:
    """Return a network as it is; a TypeError for anything else, a Keras model above all."""
    if not isinstance(given, Network):
        raise no_network(given)
    return given
