"""Does a map depend on what the network has learned? The sanity check of Adebayo et al. 2018.

Weights are randomised from the top of the network downwards, on a private copy. A map that explains
the network must fall apart with it; one that stays shows the picture, not the network.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.probe import Progress, partial_progress
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample


@dataclass(frozen=True)
class SanityCheck:
    """How a map changes while the network forgets, from the top downwards.

    Attributes
    ----------
    stages : tuple of str
        ``"trained"``, then the lowest layer randomised so far.
    shares : ndarray, shape (n,)
        Share of the layers with weights that are randomised, 0 to 1.
    correlations : ndarray, shape (n,)
        Spearman's rank correlation of each stage's raw map with the trained network's, -1 to 1;
        0 where a map is the same everywhere.
    maps : tuple of Attribution
        The maps themselves; the first is the trained network's.
    """

    stages: tuple[str, ...]
    shares: Floats = field(repr=False)
    correlations: Floats
    maps: tuple[Attribution, ...] = field(repr=False)


def sanity_check(
    net: Network,
    sample: ImageSample,
    method: str = "grad-cam",
    class_index: int | str | None = None,
    layer: str | None = None,
    target: str = "logit",
    *,
    steps: int = 8,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> SanityCheck:
    """Return how a map falls apart while weights are randomised layer by layer from the top.

    The model is not touched: the weights of a private copy are. "Randomised" means that the values
    of each weight are shuffled: what was learned is lost, their distribution and so the scale of
    the activations is kept (the paper draws them anew, as at the start of training).

    Parameters
    ----------
    net, sample, method, class_index, layer, target, **options
        As for `attribute`. The class is fixed by the trained network.
    steps : int
        In how many steps the layers are randomised: first the topmost alone, then the others in
        parts of about the same size.
    seed : int
        Of the shuffling.
    progress : callable, optional
        As for `attribute`.

    Raises
    ------
    ValueError
        If there is nothing to randomise, or for what `attribute` refuses.

    References
    ----------
    Adebayo et al. 2018, arXiv 1810.03292, section 3: cascading randomisation.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> check = sanity_check(net, cat, "grad-cam", steps=2)
    >>> bool(check.correlations[-1] < check.correlations[0] == 1)
    True
    """
    if steps < 1:
        raise ValueError(f"Expected at least one step. Received: {steps}")
    first = attribute(
        net, sample, method, class_index, layer, target,
        progress=partial_progress(progress, 0, steps + 1), **options,
    )  # fmt: skip
    twin = net.private_copy()
    layers = _from_the_top(twin)
    if not layers:
        raise ValueError(f"Network {net.name!r} has no weights: there is nothing to randomise.")
    ends = sorted({round(float(end)) for end in np.linspace(1, len(layers), steps)})
    rng = np.random.default_rng(seed)
    maps, done = [first], 0
    for number, end in enumerate(ends, 1):
        for name in layers[done:end]:
            _shuffle(twin, name, rng)
        done = end
        twin.forget()
        shown = attribute(
            twin, sample, method, first.class_index, first.layer, target,
            progress=partial_progress(progress, number, len(ends) + 1), **options,
        )  # fmt: skip
        maps.append(shown)
    return SanityCheck(
        ("trained", *(layers[end - 1] for end in ends)),
        np.array([end / len(layers) for end in (0, *ends)], np.float32),
        np.array([rank_correlation(first.raw, each.raw) for each in maps], np.float32),
        tuple(maps),
    )


def rank_correlation(one: Floats, other: Floats) -> float:
    """Return Spearman's rank correlation of two maps; 0 where one is the same everywhere.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0]))
    1.0
    """
    a, b = (_ranks(values) for values in (one, other))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def _ranks(values: Floats) -> NDArray[np.float64]:
    """Return each value's rank less the mean rank; equal values share their mean rank."""
    _, inverse, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return np.asarray(ranks - ranks.mean())


def _from_the_top(twin: Network) -> list[str]:
    """Return the paths of the layers with weights, the last one first."""
    return list(dict.fromkeys(weight.layer for weight in reversed(twin.private_weights)))


def _shuffle(twin: Network, layer: str, rng: np.random.Generator) -> None:
    for weight in twin.private_weights:
        if weight.layer == layer:
            values = weight.read()
            weight.write(rng.permutation(values.reshape(-1)).reshape(values.shape))
