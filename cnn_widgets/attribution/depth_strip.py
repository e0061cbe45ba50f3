"""Class activation maps of one image and class at every feature layer of a network."""

from __future__ import annotations

from typing import Any

from cnn_widgets.attribution.explain import at_layers
from cnn_widgets.attribution.methods import METHODS, find_method
from cnn_widgets.attribution.probe import Progress
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample


def film_strip(
    net: Network,
    sample: ImageSample,
    method: str = "grad-cam",
    class_index: int | str | None = None,
    target: str = "logit",
    *,
    progress: Progress | None = None,
    **options: Any,
) -> tuple[Attribution, ...]:
    """Return a class activation map at every feature layer, from the input to the scores.

    Layers from which no path leads to the score are left out. The gradients at all layers come from
    one backward pass. `net.default_layer` is the last layer.

    Parameters
    ----------
    net, sample, class_index, target, **options
        As for `attribute`.
    method : str
        A name in `METHODS` whose `at` is ``"layer"``.
    progress : callable, optional
        As for `attribute`.

    Returns
    -------
    tuple of Attribution
        One per layer, in the order the layers run; each `.raw` has its layer's size (h, w).

    Raises
    ------
    ValueError
        If the method works on the input, or for the same reasons as `attribute`.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> strip = film_strip(net, cat, "layercam")
    >>> strip[0].layer, strip[0].raw.shape, strip[-1].layer, strip[-1].raw.shape
    ('stem', (112, 112), 'head_relu', (7, 7))
    """
    checked_network(net)
    if find_method(method).at == "input":
        cams = [name for name, each in METHODS.items() if each.at == "layer"]
        raise ValueError(f"{method!r} looks at the input, not at a layer. These do: {cams}.")
    layers = net.engine.explained_layers(target)
    if not layers:
        raise ValueError(f"No path leads back from the score of {net.name!r} to any layer's map.")
    return tuple(
        at_layers(net, sample, layers, method, class_index, target, progress=progress, **options)
    )
