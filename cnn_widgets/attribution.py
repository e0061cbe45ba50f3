"""Attribution methods: pure functions from what a network reports to a map of evidence.

Y is the class's score before the softmax (or its probability, where that is asked for),
A = (h, w, K) a layer's activations, g = dY/dA their gradients, x the preprocessed input.
A new method is one function here and one line in `METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np

from cnn_widgets import heatmap
from cnn_widgets.network import Network
from cnn_widgets.records import Attribution, Floats, ImageSample


def grad_cam(activations: Floats, gradients: Floats) -> Floats:
    """Return ReLU(Σ_k mean_ij(g_k) · A_k), the Grad-CAM map.

    Parameters
    ----------
    activations, gradients : ndarray, shape (h, w, K)
        A layer's output and dY/dA there.

    Returns
    -------
    ndarray of float32, shape (h, w)
        Never negative. All zero if nothing in the layer speaks for the class.

    References
    ----------
    Selvaraju et al. 2017, arXiv 1610.02391, equations 1 and 2.
    """
    weights = gradients.mean(axis=(0, 1))
    return np.asarray(np.maximum(activations @ weights, 0), np.float32)


def hires_cam(activations: Floats, gradients: Floats) -> Floats:
    """Return Σ_k g_k ⊙ A_k, the HiResCAM map (h, w): signed, the gradients are not averaged.

    References
    ----------
    Draelos & Carin 2020, arXiv 2011.08891, equation 4.
    """
    return np.asarray((activations * gradients).sum(axis=-1), np.float32)


def saliency(inputs: Floats, gradients: Floats) -> Floats:
    """Return max_c |dY/dx_c|, the vanilla saliency map (H, W) at the network's input.

    Says where a change of the input would change Y most, for or against alike; never negative.

    References
    ----------
    Simonyan et al. 2013, arXiv 1312.6034, section 3.1.
    """
    return np.asarray(np.abs(gradients).max(axis=-1), np.float32)


@dataclass(frozen=True)
class Method:
    """One way to attribute a class to pixels.

    Attributes
    ----------
    map : callable
        (values, gradients) → map; values are activations, or the input where `at` is "input".
    at : {"layer", "input"}
        Where it looks.
    signed : bool
        Whether negative values speak against the class.
    """

    name: str
    title: str
    map: Callable[[Floats, Floats], Floats]
    at: Literal["layer", "input"]
    signed: bool
    equation: str
    paper: str
    reads: str


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method(
            "grad-cam",
            "Grad-CAM",
            grad_cam,
            "layer",
            False,
            "ReLU(Σₖ mean(∂Y/∂Aₖ) · Aₖ)",
            "Selvaraju et al. 2017, arXiv 1610.02391",
            "bright: the layer's features here speak for the class",
        ),
        Method(
            "hirescam",
            "HiResCAM",
            hires_cam,
            "layer",
            True,
            "Σₖ ∂Y/∂Aₖ ⊙ Aₖ",
            "Draelos & Carin 2020, arXiv 2011.08891",
            "red speaks for the class, blue against it",
        ),
        Method(
            "saliency",
            "Saliency",
            saliency,
            "input",
            False,
            "max over colours of |∂Y/∂x|",
            "Simonyan et al. 2013, arXiv 1312.6034",
            "bright: changing this pixel would change the score most, up or down",
        ),
    )
}


@overload
def attribute(
    net: Network,
    sample: ImageSample,
    method: str = ...,
    class_index: int | str | None = ...,
    layer: str | None = ...,
    target: str = ...,
) -> Attribution: ...
@overload
def attribute(
    net: Network,
    sample: Sequence[ImageSample],
    method: str = ...,
    class_index: int | str | Sequence[int] | None = ...,
    layer: str | None = ...,
    target: str = ...,
) -> list[Attribution]: ...
def attribute(
    net: Network,
    sample: Any,
    method: str = "grad-cam",
    class_index: Any = None,
    layer: str | None = None,
    target: str = "logit",
) -> Any:
    """Return which pixels speak for a class.

    Parameters
    ----------
    net : Network
    sample : ImageSample or sequence of ImageSample
        A sequence runs as a batch and gives a list.
    method : str
        A name in `METHODS`.
    class_index : int or str, optional
        The class, by index or name; by default the most likely one of each image. For a sequence
        also one index per image.
    layer : str, optional
        Where class activation maps look; by default `net.default_layer`.
    target : {"logit", "probability"}
        Y: the score before the softmax, or the probability after it.

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

    Examples
    --------
    >>> net, images = cw.load_network(), cw.gallery()
    >>> cw.attribute(net, images["cat"], class_index="Egyptian cat").raw.shape
    (7, 7)
    """
    chosen = find_method(method)
    samples = sample if isinstance(sample, Sequence) else [sample]
    where = None if chosen.at == "input" else layer_for(net, layer)
    scores, probabilities = net.scores(sample)
    scores, probabilities = np.atleast_2d(scores), np.atleast_2d(probabilities)
    classes = _classes(net, class_index, scores)
    values, gradients = net.gradients(
        sample, where, classes if sample is samples else classes[0], target
    )
    if sample is not samples:
        values, gradients = values[None], gradients[None]
    found = [
        _attribution(
            net,
            each,
            chosen,
            where,
            target,
            index,
            np.asarray(chosen.map(value, gradient), np.float32),
            float(score[index]),
            float(share[index]),
        )
        for each, index, value, gradient, score, share in zip(
            samples, classes, values, gradients, scores, probabilities, strict=True
        )
    ]
    return found if sample is samples else found[0]


def find_method(name: str) -> Method:
    """Return a method by name; a ValueError names those there are."""
    if name not in METHODS:
        raise ValueError(f"Unknown method {name!r}. Methods: {', '.join(METHODS)}.")
    return METHODS[name]


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
    net: Network,
    sample: ImageSample,
    method: Method,
    layer: str | None,
    target: str,
    index: int,
    raw: Floats,
    score: float,
    probability: float,
) -> Attribution:
    placed = heatmap.place(raw, sample.size, net.input_size, sample.fit)
    return Attribution(
        raw=raw,
        heatmap=heatmap.normalize(placed, method.signed),
        method=method.name,
        class_index=index,
        class_name=net.class_names[index],
        layer=layer,
        target=target,
        signed=method.signed,
        score=score,
        probability=probability,
    )
