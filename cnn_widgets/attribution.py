"""Which pixels speak for a class: one door to every method, for one image or many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from cnn_widgets import heatmap
from cnn_widgets.evidence import Attribution, Origin
from cnn_widgets.methods import Method, find_method
from cnn_widgets.network import Network
from cnn_widgets.probe import Probe, Progress
from cnn_widgets.records import Floats, ImageSample


@overload
def attribute(
    net: Network,
    sample: ImageSample,
    method: str = ...,
    class_index: int | str | None = ...,
    layer: str | None = ...,
    target: str = ...,
    **options: Any,
) -> Attribution: ...
@overload
def attribute(
    net: Network,
    sample: Sequence[ImageSample],
    method: str = ...,
    class_index: int | str | Sequence[int] | None = ...,
    layer: str | None = ...,
    target: str = ...,
    **options: Any,
) -> list[Attribution]: ...
def attribute(
    net: Network,
    sample: Any,
    method: str = "grad-cam",
    class_index: Any = None,
    layer: str | None = None,
    target: str = "logit",
    *,
    versus: int | str | None = None,
    counter: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Any:
    """Return which pixels speak for a class.

    Parameters
    ----------
    net : Network
    sample : ImageSample or sequence of ImageSample
        A sequence gives a list; fast methods run it as a batch.
    method : str
        A name in `METHODS`.
    class_index : int or str, optional
        The class, by index or name; by default the most likely one of each image. For a sequence
        also one index per image.
    layer : str, optional
        Where class activation maps look; by default `net.default_layer`. Methods that look at the
        input take none.
    target : {"logit", "probability"}
        Y: the score before the softmax, or the probability after it.
    versus : int or str, optional
        Another class: Y is then the difference of the two, and the map says what speaks for the
        one rather than the other.
    counter : bool
        Whether to explain -Y: what speaks against the class.
    progress : callable, optional
        Called with (steps done, steps in all) by methods that take many passes; returning False
        cancels, with a `concurrent.futures.CancelledError`.
    **options
        What the method itself takes, such as `steps`, `samples`, `masks`, `seed`.

    Returns
    -------
    Attribution
        `.raw` (h, w) float32 as the equation gives it; `.heatmap` (H, W): raw resized bilinearly
        to the photograph, then divided by its maximum ([0, 1]) or, if signed, its largest
        absolute value ([-1, 1]). A map without evidence is all zero.

    Raises
    ------
    ValueError
        If method, class, layer or target is unknown, or the layer has no spatial map.
    TypeError
        If the method takes no such option.

    Examples
    --------
    >>> net, images = cw.load_network(), cw.gallery()
    >>> cw.attribute(net, images["cat"], class_index="Egyptian cat").raw.shape
    (7, 7)
    """
    with net.steady():
        return _attribute(
            net, sample, find_method(method), class_index, layer, target, versus, counter,
            progress, options,
        )  # fmt: skip


def _attribute(
    net: Network,
    sample: Any,
    chosen: Method,
    class_index: Any,
    layer: str | None,
    target: str,
    versus: int | str | None,
    counter: bool,
    progress: Progress | None,
    options: dict[str, Any],
) -> Any:
    many = isinstance(sample, Sequence)
    samples = sample if many else [sample]
    where = None if chosen.at == "input" else layer_for(net, layer)
    scores, probabilities = net.scores(sample)
    scores, probabilities = np.atleast_2d(scores), np.atleast_2d(probabilities)
    classes = _classes(net, class_index, scores)
    weights = net.weights_of(classes, versus, counter)
    probes = [
        Probe(net, each, row, where, target, progress)
        for each, row in zip(samples, weights, strict=True)
    ]
    if chosen.plain and many:
        values, gradients = net.gradients(samples, where, weights, target)
        maps = [chosen.of(v, g, **options) for v, g in zip(values, gradients, strict=True)]
    else:
        maps = [chosen.explain(probe, **options) for probe in probes]
    found = [
        _attribution(probe, chosen, index, raw, float(score[index]), float(share[index]),
                     versus, counter, options)
        for probe, index, raw, score, share in zip(
            probes, classes, maps, scores, probabilities, strict=True
        )
    ]  # fmt: skip
    return found if many else found[0]


def layer_for(net: Network, layer: str | None) -> str:
    """Return the layer a class activation map looks at, checked to have a map."""
    if layer is None:
        if net.default_layer is None:
            raise ValueError(
                f"Network {net.name!r} has no layer with a spatial map (h, w, K) "
                "larger than 1×1, so there is no class activation map. "
                "method='saliency' needs none."
            )
        return net.default_layer
    if not net.layer(layer).spatial:
        raise ValueError(
            f"Layer {layer!r} puts out shape {net.layer(layer).shape}, no spatial "
            f"map (h, w, K). The default is {net.default_layer!r}."
        )
    return layer


def _classes(net: Network, wanted: Any, scores: Floats) -> list[int]:
    if wanted is None:
        return [int(index) for index in scores.argmax(axis=1)]
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        if len(wanted) != len(scores):
            raise ValueError(
                f"Expected one class per image, {len(scores)}. Received: {len(wanted)}"
            )
        return [net.class_index(index) for index in wanted]
    return [net.class_index(wanted)] * len(scores)


def _attribution(
    probe: Probe,
    method: Method,
    index: int,
    summed: Floats,
    score: float,
    probability: float,
    versus: int | str | None,
    counter: bool,
    options: dict[str, Any],
) -> Attribution:
    net, sample = probe.network, probe.sample
    raw = np.maximum(summed, 0) if method.rectified else summed
    placed = heatmap.place(raw, sample.size, net.input_size, sample.fit)
    other = None if versus is None else net.class_index(versus)
    card = {"title": method.title, "equation": method.equation, "paper": method.paper}
    return Attribution(
        raw=raw,
        heatmap=heatmap.normalize(placed, method.signed),
        method=method.name,
        class_index=index,
        class_name=net.class_names[index],
        layer=probe.layer,
        target=probe.target,
        signed=method.signed,
        score=score,
        probability=probability,
        versus=None if other is None else net.class_names[other],
        versus_index=other,
        counter=counter,
        removed=_removed(summed) if method.rectified else 0.0,
        origin=Origin(sample, card, dict(options), net, net.weights_seen),
    )


def _removed(summed: Floats) -> float:
    """Return the share of a map's absolute sum that is below zero."""
    whole = float(np.abs(summed).sum(dtype=np.float64))
    return float(-np.minimum(summed, 0).sum(dtype=np.float64)) / whole if whole > 0 else 0.0
