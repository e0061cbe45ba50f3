"""One number of a feature map followed back: the pixels behind it, and what it is the sum of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from cnn_widgets.analysis.fields import Box
from cnn_widgets.arguments import one_sample, whole
from cnn_widgets.drawing.color import normalize
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.experiments.convolution import Products, not_plain, products_of
from cnn_widgets.experiments.tail import chosen_filters
from cnn_widgets.images.resizing import lay_on_photo
from cnn_widgets.layer_gradients.cells import cell_gradient, layer_before, layer_input, layer_object
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

#: Layers that change each value by itself; one with weights per place (PReLU) is none of them.
_ACTIVATIONS = ("Activation", "ReLU", "LeakyReLU", "ELU")


@dataclass(frozen=True)
class Step:
    """One step of the computation of a value: the layer, what it does, and what comes out."""

    layer: str
    told: str
    value: float


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class CellTrace:
    """Where one number of a feature map comes from.

    Attributes
    ----------
    layer, row, column, filter
    value : float
        The number: the layer's output there.
    box : Box
        The theoretical receptive field, in pixels of the photograph.
    gradient : ndarray of float32, shape (H, W, C)
        The change of the number with each value of the network's input. All 0 where an activation
        function is at its limit: at the 0 of a ReLU, the 6 of a ReLU6.
    heatmap : ndarray of float32, shape (H, W)
        The effective receptive field over the photograph, in [0, 1]: the largest absolute gradient
        over colours, divided by its maximum.
    products : Products or None
        What the convolution there adds up, if there is a plain one at the layer, or before its
        batch normalization and activation.
    steps : tuple of Step
        From the sum to the number, in order; the last value is the number's. Empty without.
    refused : str
        Why the number is not taken apart, in words; "" if it is.
    """

    layer: str
    row: int
    column: int
    filter: int
    value: float
    box: Box
    gradient: Floats = field(repr=False)
    heatmap: Floats = field(repr=False)
    products: Products | None = field(repr=False, default=None)
    steps: tuple[Step, ...] = ()
    refused: str = ""

    @property
    def silent(self) -> bool:
        """Whether no pixel changes the number: the effective receptive field is empty."""
        return not bool(self.gradient.any())


def trace_cell(
    net: Network, sample: ImageSample, layer: str, row: int, column: int, filter: int
) -> CellTrace:
    """Return where one number of a feature map comes from, back to the pixels.

    Where the layer is a plain convolution, or the batch normalization or activation of one, the
    number is taken apart: kernel, patch, products, bias, sum and what follows. Each step is checked
    against what the network itself computes; where they differ by more than 1e-5 of the sum of the
    absolute products (1e-2 in float16, 5e-2 in bfloat16) nothing is taken apart, and
    `CellTrace.refused` says so.

    Parameters
    ----------
    net, sample
    layer : str
        A layer with a feature map (h, w, K).
    row, column, filter : int
        The cell and the filter, from 0.

    Raises
    ------
    ValueError
        If there is no such layer, cell or filter, or no gradient leads back to the input.

    References
    ----------
    Luo et al. 2016, arXiv 1701.04128 (effective receptive field); Araujo et al. 2019, Distill
    (theoretical).

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> found = cw.trace_cell(net, cat, "stem", 20, 30, 4)
    >>> found.products.kernel.shape, abs(found.steps[-1].value - found.value) < 1e-5
    ((3, 3, 3), True)
    """
    checked_network(net), one_sample(sample)
    row, column = whole("row", row, None), whole("column", column, None)
    info = net.engine.layer_table.map_of(layer)
    where = net.field(layer)
    box = net.receptive_field(layer, row, column, sample)
    (k,) = chosen_filters(whole("filter", filter, None), info.filters)
    engine, x = net.engine_for(sample), net.input_tensor(sample)[None]
    value = float(net.activations(sample, layer)[row, column, k])
    gradient = cell_gradient(engine, layer, x, row, column, k)[1]
    reach = np.abs(gradient).max(axis=-1)
    heat = normalize(lay_on_photo(reach, net.field(None), sample, net.fit), False)
    found = CellTrace(layer, row, column, k, value, box, gradient, heat)
    if where.tokens:
        return replace(found, refused=f"{layer!r} puts out tokens, not the sums of a convolution.")
    if net.private_weights:
        return replace(found, refused="This network is a private copy with weights of its own.")
    return _taken_apart(net, engine, x, found, sample)


def _taken_apart(
    net: Network, engine: Engine, x: Floats, found: CellTrace, sample: ImageSample
) -> CellTrace:
    """Return a trace with the number taken apart, or with the reason why it is not."""
    chain, why = _chain(engine, found.layer)
    if why:
        return replace(found, refused=why)
    conv, *after = chain
    given = layer_input(engine, conv, x)
    if given is None:
        return replace(found, refused=f"{conv!r} is called with more than one tensor.")
    place = found.row, found.column, found.filter
    layer = layer_object(engine, conv)
    parts = products_of(layer, given[0], *place)
    size = float(np.abs(parts.products).sum()) + abs(parts.bias)
    steps = [Step(conv, "sum of the products", float(parts.products.sum()))]
    if layer.bias is not None:
        steps.append(Step(conv, "plus the bias", parts.total))
    for name in (conv, *after):
        try:
            if name != conv:
                made = layer_object(engine, name)
                steps.append(_step(name, made, steps[-1].value, found.filter))
            elif getattr(layer.activation, "__name__", "") != "linear":
                steps.append(_activated(conv, layer.activation, steps[-1].value))
        except ValueError as why:
            return replace(found, refused=f"{name!r} is not taken apart: {why}.")
        own = float(net.activations(sample, name)[place])
        if not abs(steps[-1].value - own) <= _slack(layer, max(size, abs(own))):
            return replace(
                found,
                refused=f"The numbers add up to {steps[-1].value:g} at {name!r}, and the network "
                f"has {own:g} there: it computes something else than the layer says.",
            )
    return replace(found, products=parts, steps=tuple(steps))


def _chain(engine: Engine, layer: str) -> tuple[list[str], str]:
    """Return the layers from a plain convolution to a layer, or why there is no such chain."""
    chain: list[str] = []
    name: str | None = layer
    while name is not None:
        made = layer_object(engine, name)
        chain.insert(0, name)
        kind = type(made).__name__
        if kind != "BatchNormalization" and kind not in _ACTIVATIONS:
            break
        name = layer_before(engine, name)
    if name is None:
        return [], f"What {chain[0]!r} is called with is not the output of one layer."
    why = not_plain(layer_object(engine, name))
    return (chain, "") if why is None else ([], f"{name!r} is not taken apart: {why}.")


def _step(name: str, layer: Any, value: float, k: int) -> Step:
    """Return what a batch normalization or an activation makes of one value of filter k.

    A ValueError says why that cannot be told from the value alone.
    """
    if type(layer).__name__ != "BatchNormalization":
        return _activated(name, layer.call, value)
    if layer.axis not in (-1, 3):
        raise ValueError("it normalizes another axis than that of the filters")
    mean, variance = (float(np.asarray(each)[k])
                      for each in (layer.moving_mean, layer.moving_variance))  # fmt: skip
    gamma = 1.0 if layer.gamma is None else float(np.asarray(layer.gamma)[k])
    beta = 0.0 if layer.beta is None else float(np.asarray(layer.beta)[k])
    scale = gamma / float(np.sqrt(variance + layer.epsilon))
    told = f"less {mean:g}, times {scale:g}, plus {beta:g} (batch normalization)"
    return Step(name, told, (value - mean) * scale + beta)


def _activated(name: str, function: Any, value: float) -> Step:
    """Return what an activation function makes of one value, as an array of one cell and filter."""
    try:
        found = np.asarray(function(np.full((1, 1, 1, 1), value, np.float32)))
    except Exception as error:  # whatever a function of the user's raises
        raise ValueError("its activation function does not take one value alone") from error
    if found.size != 1:
        raise ValueError("its activation function makes several values of one")
    title = getattr(function, "__name__", "activation")
    return Step(name, "activation" if title == "call" else title, float(found.reshape(-1)[0]))


def _slack(layer: Any, size: float) -> float:
    """Return how far a sum of numbers of some size may be off, in the layer's precision."""
    rough = {"float16": 1e-2, "bfloat16": 5e-2}.get(str(layer.compute_dtype), 1e-5)
    return rough * max(1.0, size)
