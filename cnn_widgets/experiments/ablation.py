"""Switching filters off, and taking a layer's activations from another photograph.

Both change the output of one layer and run only the layers behind it. Taking activations from
another photograph is known as activation patching (Vig et al. 2020, arXiv 2004.12265).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.analysis.fields import MapField
from cnn_widgets.arguments import finite, one_sample
from cnn_widgets.attribution.methods import METHODS, find_method
from cnn_widgets.attribution.regions import Region
from cnn_widgets.experiments.patches import cells_in
from cnn_widgets.experiments.tail import Answers, Tail, chosen_class, chosen_filters, tail_of
from cnn_widgets.images.resizing import lay_on_photo
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample
from cnn_widgets.telling import in_short


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Ablation:
    """What a network answers with the output of one layer changed, beside what it answers without.

    Attributes
    ----------
    layer : str
    told : str
        What was changed, in words.
    class_index : int
        The class whose map is shown.
    answers : Answers
        Before and after.
    map_before, map_after : ndarray of float32, shape (h, w), or None
        The map of the class by `method` at the layer; None if no map was asked for. The second is
        made of the changed activations and the gradient that the tail has there.
    method : str or None
    """

    layer: str
    told: str
    class_index: int
    answers: Answers = field(repr=False)
    map_before: Floats | None = field(repr=False)
    map_after: Floats | None = field(repr=False)
    method: str | None
    _place: tuple[ImageSample, MapField, str] = field(repr=False)  # where the maps lie

    def heatmaps(self) -> tuple[Floats, Floats]:
        """Return both maps over the photograph, (H, W) each, divided by their common maximum.

        So their colours can be compared: in [0, 1], or [-1, 1] for a signed method. All zero where
        neither map holds evidence. A ValueError if no map was asked for.
        """
        if self.map_before is None or self.map_after is None or self.method is None:
            raise ValueError("No map was asked for (method=None).")
        sample, where, fit = self._place
        before, after = (lay_on_photo(each, where, sample, fit)
                         for each in (self.map_before, self.map_after))  # fmt: skip
        signed = METHODS[self.method].signed
        both = np.abs([before, after]) if signed else np.maximum([before, after], 0)
        top = float(both.max()) or 1.0
        low = -1.0 if signed else 0.0
        return np.clip(before / top, low, 1), np.clip(after / top, low, 1)


def ablate(
    net: Network,
    sample: ImageSample,
    layer: str | None,
    filters: int | Sequence[int],
    *,
    scale: float = 0.0,
    keep: bool = False,
    class_index: int | str | None = None,
    method: str | None = "grad-cam",
    target: str = "logit",
) -> Ablation:
    """Return what a network answers with filters of a layer silenced, scaled, or kept alone.

    Only the layers behind the layer are run: one pass through them for the answer, and with a map
    one more for each of the two maps. A filter set to 0 is one whose weights and bias are 0, if
    the layer has no activation function or one that keeps 0, and is called once. A layer that
    follows with a shift of its own (batch normalization) still shifts the 0.

    Parameters
    ----------
    net : Network
    sample : ImageSample
    layer : str or None
        A layer with a feature map; None means `net.default_layer`. Of a layer that the network
        calls more than once, ``"name"`` is the first call and ``"name:1"`` the next: one call is
        changed, the others stay.
    filters : int or sequence of int
        The filters, from 0; for instance ``votes(net, sample).top(5)``.
    scale : float
        What their activations are multiplied with: 0 silences them, 2 doubles them.
    keep : bool
        Whether these filters stay as they are and all others are multiplied.
    class_index : int or str, optional
        The class of the map; by default the most likely one of the photograph as it is.
    method : str or None
        A class activation map that needs only gradients, such as "grad-cam" or "hirescam". None
        leaves the maps out.
    target : {"logit", "probability"}
        Of which the map is made, see `attribute`.

    Raises
    ------
    ValueError
        If the layer, a filter, the class, the method or the target is unknown, `scale` is not
        finite, or the method is none of a layer's activations and gradients.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> found = cw.ablate(net, cat, None, cw.votes(net, cat).top(20))
    >>> found.answers.top_before(1)[0].name, bool(found.answers.differences[285] < -4)
    ('Egyptian cat', True)
    """
    scale = finite("scale", scale)
    tail = tail_of(net, sample, layer)
    chosen = chosen_filters(filters, tail.filters)
    factors = np.full(tail.filters, scale if keep else 1.0, np.float32)
    factors[list(chosen)] = 1.0 if keep else scale
    those = in_short(chosen)
    which = (f"all filters but {those}" if keep else f"filters {those}" if chosen[1:]
             else f"filter {those}")  # fmt: skip
    told = f"{which} of {tail.layer} {'silenced' if scale == 0 else f'multiplied with {scale:g}'}"
    return _answered(tail, tail.activations * factors, told, class_index, method, target)


def patch_activations(
    net: Network,
    sample: ImageSample,
    layer: str | None,
    source: ImageSample,
    *,
    region: Region | NDArray[np.bool_] | None = None,
    filters: int | Sequence[int] | None = None,
    class_index: int | str | None = None,
    method: str | None = "grad-cam",
    target: str = "logit",
) -> Ablation:
    """Return what a network answers with activations of a layer taken from another photograph.

    With neither region nor filters the layer's whole output is taken. The answer is then that to
    the other photograph, unless a connection leads around the layer.

    Parameters
    ----------
    net, sample, layer, class_index, method, target
        As for `ablate`.
    source : ImageSample
        The photograph that the activations come from.
    region : (left, top, right, bottom), Brush or bool array (h, w), optional
        The part of `sample`, in its pixels, inside which they are taken: the cells whose receptive
        field has its centre there. An array names the cells themselves.
    filters : int or sequence of int, optional
        The filters that are taken; by default all.

    Raises
    ------
    ValueError
        For the same reasons as `ablate`, or if the region holds the centre of no cell.

    References
    ----------
    Vig et al. 2020, arXiv 2004.12265; Meng et al. 2022, arXiv 2202.05262, section 2 ("restore").

    Examples
    --------
    >>> net, images = cw.load_network(), cw.gallery()
    >>> found = cw.patch_activations(net, images["cat"], "head", images["espresso"])
    >>> found.answers.top_after(1)[0].name
    'espresso'
    """
    tail = tail_of(net, sample, layer)
    taken = net.observe(one_sample(source), tail.layer).activations[tail.layer]
    count = tail.filters
    chosen = tuple(range(count)) if filters is None else chosen_filters(filters, count)
    cells = np.ones(tail.activations.shape[:2], bool)
    if region is not None:
        cells = cells_in(net, tail.layer, sample, region)
    where = np.zeros(tail.activations.shape, bool)
    where[..., list(chosen)] = cells[..., None]
    told = (
        f"{len(chosen)} of {count} filters of {tail.layer} taken from {source.name!r} at "
        f"{int(cells.sum())} of {cells.size} cells"
    )
    return _answered(
        tail, np.where(where, taken, tail.activations), told, class_index, method, target
    )


def _answered(
    tail: Tail,
    changed: Floats,
    told: str,
    class_index: int | str | None,
    method: str | None,
    target: str,
) -> Ablation:
    """Return the answer to changed activations (h, w, K) beside the one to those as they are."""
    net, sample, layer = tail.network, tail.sample, tail.layer
    net.engine.check(layer, target)
    index = chosen_class(net, tail.scores, class_index)
    maps = (None, None) if method is None else _maps(tail, changed, index, method, target)
    scores, probabilities = tail.run(changed[None])
    answers = Answers(tail.scores, scores[0], tail.probabilities, probabilities[0], net.class_names)
    place = (sample, net.field(layer), net.fit)
    return Ablation(layer, told, index, answers, maps[0], maps[1], method, place)


def _maps(
    tail: Tail, changed: Floats, index: int, method: str, target: str
) -> tuple[Floats, Floats]:
    """Return the map (h, w) of a class as it is, and that of changed activations."""
    chosen = find_method(method)
    if not chosen.plain or chosen.at != "layer" or chosen.ranged:
        fitting = [n for n, m in METHODS.items() if m.plain and m.at == "layer" and not m.ranged]
        raise ValueError(
            f"Expected a map made of a layer's activations and gradients: {', '.join(fitting)}, or "
            f"None. Received: {method!r}"
        )
    net, weights = tail.network, tail.network.score_weights([index])[0]
    before = net.gradients(tail.sample, tail.layer, weights, target, chosen.averaged)[1]
    after = tail.gradient(weights, target, changed, chosen.averaged)
    first = np.asarray(chosen.map(tail.activations, before), np.float32)
    return first, np.asarray(chosen.map(changed, after), np.float32)
