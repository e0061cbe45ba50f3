"""The registry of attribution methods: each with its equation, paper, cost and caveat.

A new method is one function in `cam`, `gradient` or `perturbation`, and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cnn_widgets.attribution.cam import (
    eigen_cam,
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    layer_cam,
    xgrad_cam,
)
from cnn_widgets.attribution.gradient import (
    gradient_times_input,
    guided_backprop,
    guided_grad_cam,
    integrated_gradients,
    saliency,
    smooth_grad,
)
from cnn_widgets.attribution.perturbation import ablation_cam, occlusion, rise, score_cam
from cnn_widgets.attribution.probe import Probe
from cnn_widgets.networks import Network
from cnn_widgets.records import Floats

_UNSIGNED = "bright: what the layer found here speaks for the class"
_SIGNED = "red speaks for the class, blue against it, white is neutral"


@dataclass(frozen=True)
class Method:
    """One attribution method: its function, its properties and its description.

    Attributes
    ----------
    name, title : str
        The key in `METHODS`, and the name for display.
    map : callable
        The function that computes the map: (values, gradients) → map if `plain`, otherwise
        ``(probe, **options)`` → map.
    plain : bool
        Whether the method needs nothing but the values (activations of a layer, or the input) and
        their gradients. Such methods run in batches.
    at : {"layer", "input"}
        Whether the map is computed at a layer, which can be chosen, or at the network's input.
    signed : bool
        Whether the map has negative values that are evidence against the class.
    rectified : bool
        Whether the equation ends in a ReLU; `map` then accepts `relu=False`.
    slow : bool
        Whether the method takes so many passes that it reports progress and can be cancelled.
    equation, paper, reads, cost, caveat : str
        The description for display: equation, source, how to read the map, the number of passes,
        and a known weakness.
    averaged : bool
        Whether only the mean of the gradients over positions is used, which is cheaper to compute.
    ranged : bool
        Whether the map's values have no zero, so that it is shown relative to its own range.
    """

    name: str
    title: str
    map: Callable[..., Floats]
    plain: bool
    at: Literal["layer", "input"]
    signed: bool
    rectified: bool
    slow: bool
    equation: str
    paper: str
    reads: str
    cost: str
    caveat: str
    averaged: bool = False
    ranged: bool = False

    @property
    def fine(self) -> bool:
        """Whether the map has the resolution of the network's input."""
        return self.at == "input" or self.map is guided_grad_cam

    def explain(self, probe: Probe, **options: Any) -> Floats:
        """Return the map of one image, without the ReLU at the end of the equation."""
        if not self.plain:
            return self.of(probe, **options)
        return self.of(probe.activations, probe.gradients, **options)

    def of(self, *given: Any, **options: Any) -> Floats:
        """Return `map(*given, **options)` as float32, without the ReLU that ends the equation."""
        if self.rectified:
            options["relu"] = False
        return np.asarray(self.map(*given, **options), np.float32)


def _cam(name: str, title: str, function: Callable[..., Floats], equation: str, paper: str,
         caveat: str, signed: bool = False, averaged: bool = False) -> Method:  # fmt: skip
    """Return the entry of a CAM that needs one backward pass; unsigned ones end in a ReLU."""
    return Method(name, title, function, True, "layer", signed, not signed, False, equation, paper,
                  _SIGNED if signed else _UNSIGNED, "one pass through the end of the network",
                  caveat, averaged)  # fmt: skip


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        _cam("grad-cam", "Grad-CAM", grad_cam, "ReLU(Σₖ mean(∂Y/∂Aₖ) · Aₖ)",
             "Selvaraju et al. 2017, arXiv 1610.02391",
             "coarse; averaging the gradients can light up places the class does not use",
             averaged=True),
        _cam("grad-cam++", "Grad-CAM++", grad_cam_plus_plus,
             "ReLU(Σₖ wₖAₖ), wₖ = Σ α·ReLU(g), α = g² / (2g² + ΣA·g³)",
             "Chattopadhay et al. 2018, arXiv 1710.11063",
             "made to find all of several objects; only positive gradients count"),
        _cam("hirescam", "HiResCAM", hires_cam, "Σₖ ∂Y/∂Aₖ ⊙ Aₖ",
             "Draelos & Carin 2020, arXiv 2011.08891",
             "faithful where the rest of the network is linear; noisier in early layers", True),
        _cam("xgrad-cam", "XGrad-CAM", xgrad_cam, "ReLU(Σₖ wₖAₖ), wₖ = Σ g·A / ΣA",
             "Fu et al. 2020, arXiv 2008.02312",
             "weights explode where a filter's activations nearly cancel out"),
        _cam("layercam", "LayerCAM", layer_cam, "ReLU(Σₖ ReLU(g) ⊙ Aₖ)",
             "Jiang et al. 2021, IEEE TIP 30",
             "sharp in early layers; counter-evidence is left out"),
        Method("eigen-cam", "Eigen-CAM", eigen_cam, True, "layer", False, False, False,
               "A · v₁",
               "Muhammad & Yeasin 2020, arXiv 2008.00299",
               "bright: what dominates the layer, whatever the class; scaled from the map's "
               "smallest value to its largest",
               "a singular value decomposition",
               "the class plays no part; a projection has no zero and its sign is a convention",
               ranged=True),
        Method("score-cam", "Score-CAM", score_cam, False, "layer", False, True, True,
               "ReLU(Σₖ αₖAₖ), α = softmax of the rise in Y with filter k as a mask",
               "Wang et al. 2020, arXiv 1910.01279", _UNSIGNED, "one pass per filter",
               "the softmax often lets one filter decide"),
        Method("ablation-cam", "Ablation-CAM", ablation_cam, False, "layer", False,
               True, True, "ReLU(Σₖ wₖAₖ), wₖ = (Y − Y without k) / |Y|",
               "Ramaswamy & Desai 2020, WACV", _UNSIGNED,
               "one pass through the end of the network per filter",
               "filters are removed one at a time: what two do together is not seen"),
        Method("saliency", "Saliency", saliency, True, "input", False, False, False,
               "max over colours of |∂Y/∂x|", "Simonyan et al. 2013, arXiv 1312.6034",
               "bright: changing this pixel would change Y most, up or down",
               "one pass forward and back", "noisy; says where Y is sensitive, not what it uses"),
        Method("gradient-x-input", "Gradient × input", gradient_times_input, True,
               "input", True, False, False, "Σ over colours of x · ∂Y/∂x",
               "Shrikumar et al. 2016, arXiv 1605.01713", _SIGNED, "one pass forward and back",
               "black pixels of the preprocessed input can never count"),
        Method("smoothgrad", "SmoothGrad", smooth_grad, False, "input", False, False,
               True, "max over colours of |mean of ∂Y/∂x over noisy copies|",
               "Smilkov et al. 2017, arXiv 1706.03825",
               "bright: Y is sensitive here, on average over noise", "50 passes forward and back",
               "depends on the noise level"),
        Method("integrated-gradients", "Integrated Gradients", integrated_gradients,
               False, "input", True, False, True, "Σ over colours of (x − x′) · ∫ ∂Y/∂x",
               "Sundararajan et al. 2017, arXiv 1703.01365", _SIGNED, "100 passes forward and back",
               "measured from a black picture: what is black cannot count; with few steps the sum "
               "misses Y(x) − Y(x′)"),
        Method("guided-backprop", "Guided backprop", guided_backprop, False, "input",
               True, False, False, "Σ over colours of ∂Y/∂x with guided ReLUs",
               "Springenberg et al. 2014, arXiv 1412.6806", _SIGNED, "one pass forward and back",
               "sharp but hardly depends on class or weights: close to an edge detector"),
        Method("guided-grad-cam", "Guided Grad-CAM", guided_grad_cam, False, "layer",
               True, False, False, "Grad-CAM ⊙ guided backprop",
               "Selvaraju et al. 2017, arXiv 1610.02391", _SIGNED, "two passes",
               "inherits guided backprop's indifference to the class"),
        Method("occlusion", "Occlusion", occlusion, False, "input", True, False, True,
               "mean drop of Y over the grey patches that cover a pixel",
               "Zeiler & Fergus 2013, arXiv 1311.2901", _SIGNED, "some 150 passes",
               "the grey patch itself is unusual; its size sets the scale of what is found"),
        Method("rise", "RISE", rise, False, "input", True, False, True,
               "E[Y | pixel shown] − E[Y] over random masks",
               "Petsiuk et al. 2018, arXiv 1806.07421", _SIGNED, "1000 passes",
               "random: grainy with few masks"),
    )
}  # fmt: skip


#: Methods that take one or two passes: the default of every comparison of methods.
QUICK = tuple(name for name, method in METHODS.items() if not method.slow)


def applicable(net: Network, methods: Sequence[str]) -> tuple[str, ...]:
    """Return those of some methods that have a map for a network: guided ones need a ReLU."""
    rectified = not net.engine.graph.forward().operations.isdisjoint(("Relu", "Relu6"))
    return tuple(name for name in methods if rectified or not name.startswith("guided-"))


def chosen_methods(net: Network, names: Sequence[str] | None) -> list[Method]:
    """Return methods by name, each once; for None those of `QUICK` that a network has maps for."""
    wanted = applicable(net, QUICK) if names is None else names
    return [find_method(name) for name in dict.fromkeys(wanted)]


def find_method(name: str) -> Method:
    """Return a method by name; a ValueError lists the names if it is unknown."""
    if not isinstance(name, str) or name not in METHODS:
        raise ValueError(f"Unknown method {name!r}. Methods: {', '.join(METHODS)}.")
    return METHODS[name]
