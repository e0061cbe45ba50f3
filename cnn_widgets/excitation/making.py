"""The picture that excites a filter, a group of filters or a class most, made by gradient ascent.

Activation maximisation as in Olah et al. 2017, "Feature Visualization" (Distill, doi
10.23915/distill.00007): ascent in the space of `Spectrum`, on pictures that are moved, scaled and
turned a little at every step, so that what is found does not depend on single pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.arguments import one_sample, seed_of, whole
from cnn_widgets.excitation.ascent import Ascent
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.reading import Counted, Progress
from cnn_widgets.records import Floats, ImageSample

#: What may be maximised: the mean over positions of the layer's output, or its largest value.
STATISTICS = ("mean", "peak")


@dataclass(frozen=True, eq=False)
class Excitation:
    """The picture made, and what the network says to it.

    Attributes
    ----------
    sample : ImageSample
        The picture, of the size of the network's input; it can be asked about as a photograph can.
    layer : str or None
        None for a class.
    filters : tuple of int
        The filters, or the class.
    of : {"mean", "peak"}
        Which statistic of the layer's output over positions was maximised.
    value : float
        What was maximised, as the network answers it for the final picture: that statistic,
        averaged over the filters; of a class, its score.
    mean, peak : float
        Both statistics for the final picture; of a class, its score.
    start : float
        The same as `value` for the random picture at the beginning.
    history : ndarray, shape (steps,)
        The optimiser's own value at each step, on the picture as it was moved then.
    notes : tuple of str
        What has to be known to read it.
    """

    sample: ImageSample = field(repr=False)
    layer: str | None
    filters: tuple[int, ...]
    of: str
    value: float
    mean: float
    peak: float
    start: float
    history: Floats = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def picture(self) -> NDArray[np.uint8]:
        """The picture, uint8 (H, W, C): 3 channels; those of the network if it has more."""
        data = self.sample.data
        return self.sample.pixels if data is None else np.asarray(data, np.uint8)


def excite(
    net: Network,
    layer: str | None = None,
    filters: int | Sequence[int] | None = None,
    *,
    class_index: int | str | None = None,
    of: str = "mean",
    steps: int = 96,
    seed: int = 0,
    progress: Progress | None = None,
) -> Excitation:
    """Return the picture, made from noise, that excites filters of a layer, or a class, most.

    What is maximised is the mean over positions of the filters' output, or its peak; for a class
    its score before the softmax. The number returned is measured again on the finished 8-bit
    picture, in the way photographs are. Compare it with `response` of a photograph, mean with mean
    or peak with peak: a picture made for one of them need not be the best one for the other.

    Parameters
    ----------
    net : Network
    layer : str, optional
        The layer of the filters. Left out for a class.
    filters : int or sequence of int
        One filter, from 0, or several that are excited together.
    class_index : int or str, optional
        A class by number or name, in place of layer and filters.
    of : {"mean", "peak"}
        ``"mean"`` fills the picture with what excites the filters; ``"peak"`` makes it once, for
        the cell in the middle of the map.
    steps : int
        Steps of the ascent, at least 1.
    seed : int
        Of the random beginning and of how the picture is moved.
    progress : callable, optional
        Called with (steps done, steps in all); returning False stops.

    Raises
    ------
    ValueError
        If there is no such layer, filter or class, both or neither of filters and class are given,
        no gradient leads to the input, or the preprocessing is not affine (see `pixel_map`).
    concurrent.futures.CancelledError
        If `progress` returned False.

    References
    ----------
    Olah, Mordvintsev and Schubert 2017, "Feature Visualization", doi 10.23915/distill.00007.

    Examples
    --------
    >>> net = cw.load_network()
    >>> made = excite(net, "stem", 3)
    >>> made.value > max(response(net, each, "stem", 3)[0] for each in cw.gallery().values())
    True
    """
    steps, seed = whole("steps", steps), seed_of(seed)
    if of not in STATISTICS:
        raise ValueError(f"Expected of to be one of {STATISTICS}. Received: {of!r}")
    chosen = wanted_filters(net, layer, filters, class_index)
    ascent = Ascent(net, layer, chosen, of, seed)
    history, counted = [], Counted(progress, steps, "steps")
    start = response(net, ascent.sample(_title(layer, chosen)), layer, chosen)[STATISTICS.index(of)]
    for step in range(steps):
        history.append(ascent.step(step, steps))
        counted.one()
    sample = ascent.sample(_title(layer, chosen))
    mean, peak = response(net, sample, layer, chosen)
    value, curve = (mean, peak)[STATISTICS.index(of)], np.array(history, np.float32)
    notes = _notes(net, value, start)
    return Excitation(sample, layer, chosen, of, value, mean, peak, start, curve, notes)


def response(
    net: Network, sample: ImageSample, layer: str | None, filters: int | Sequence[int]
) -> tuple[float, float]:
    """Return (mean, peak) over positions of filters' output for a picture, averaged over filters.

    Parameters
    ----------
    layer : str or None
        None means the scores: mean and peak are then both the mean score of the classes `filters`.
    filters : int or sequence of int

    Raises
    ------
    ValueError
        If there is no such layer, filter or class.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> mean, peak = response(net, cat, "stem", 3)
    >>> mean <= peak
    True
    """
    checked_network(net), one_sample(sample)
    if layer is None:
        given: Any = filters
        several = isinstance(given, Sequence | np.ndarray) and not isinstance(given, str)
        chosen = [net.class_index(each) for each in (given if several else [given])]
        if not chosen:
            raise ValueError("Expected at least one class. Received none.")
        score = float(net.scores([sample])[0][0][chosen].mean())
        return score, score
    chosen = list(wanted_filters(net, layer, filters))
    found = net.activations(sample, layer)[..., chosen].reshape(-1, len(chosen))
    return float(found.mean()), float(found.max(axis=0).mean())


def wanted_filters(
    net: Network,
    layer: str | None,
    filters: int | Sequence[int] | None,
    class_index: int | str | None = None,
) -> tuple[int, ...]:
    """Return the filters of a layer, or the class, as numbers; a ValueError for others."""
    checked_network(net)
    if (layer is None) == (class_index is None) or (layer is None) != (filters is None):
        raise ValueError(
            "Expected a layer and filters of it, or a class_index. "
            f"Received: layer={layer!r}, filters={filters!r}, class_index={class_index!r}"
        )
    if class_index is not None:
        return (net.class_index(class_index),)
    count = net.layer(str(layer)).filters
    try:
        given = np.atleast_1d(np.asarray(filters))
    except ValueError:  # rows of different lengths
        given = np.empty(0)
    numbers = given.dtype.kind in "iu" and given.ndim == 1 and given.size > 0
    if not numbers or given.min() < 0 or given.max() >= count:
        raise ValueError(
            f"Expected filters of layer {layer!r}, 0 to {count - 1}. Received: {filters!r:.80}"
        )
    return tuple(int(each) for each in dict.fromkeys(given.tolist()))


def _title(layer: str | None, filters: tuple[int, ...]) -> str:
    what = "class" if layer is None else f"{layer} filter"
    return f"made for {what} {', '.join(map(str, filters))}"


def _notes(net: Network, value: float, start: float) -> tuple[str, ...]:
    """Return what has to be known about a picture that was made."""
    notes = []
    if net.channels not in (1, 3):
        notes.append(
            f"The network takes {net.channels} channels in their own values; the picture was made "
            "of values from 0 to 255."
        )
    if not value > start:
        notes.append("The ascent found nothing that excites more than noise.")
    return tuple(notes)
