"""The model randomization test, or sanity check, of Adebayo et al. 2018 (arXiv 1810.03292).

Weights are randomised layer by layer from the scores down to the input, on a private copy of the
network. A map that depends on what the network has learned must change; a map that stays the same
depends on the photograph alone.
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
    """How a map changes while the network is randomised layer by layer.

    Attributes
    ----------
    stages : tuple of str
        ``"trained"``, then for each stage the layer nearest to the input that is randomised.
    shares : ndarray, shape (n,)
        Share of the layers with weights that are randomised, 0 to 1.
    correlations : ndarray, shape (n,)
        Spearman's rank correlation of each stage's raw map with the trained network's raw map,
        -1 to 1; 0 for a constant map.
    maps : tuple of Attribution
        The map of each stage; the first is the trained network's.
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
    """Return how a map changes while weights are randomised layer by layer from the scores down.

    The model is not changed: a private copy has weights of its own. Deviation: the paper draws
    new weights from the initializer. Here the values of each weight array are shuffled, which keeps
    their distribution and so the scale of the activations.

    Parameters
    ----------
    net, sample, method, class_index, layer, target, **options
        As for `attribute`. By default the class is the trained network's most likely one, and it
        stays the same at every stage.
    steps : int
        The number of stages after the trained one, at least 1; fewer if the network has fewer
        layers with weights. The first stage randomises the last layer alone, each other stage an
        equal part of the remaining layers.
    seed : int
        Seed of the shuffling.
    progress : callable, optional
        As for `attribute`.

    Raises
    ------
    ValueError
        If `steps` is below 1, the network has no weights, or for the same reasons as `attribute`.

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
    private = net.private_copy()
    layers = _layers_from_top(private)
    if not layers:
        raise ValueError(f"Network {net.name!r} has no weights: there is nothing to randomise.")
    ends = sorted({round(float(end)) for end in np.linspace(1, len(layers), steps)})
    rng = np.random.default_rng(seed)
    maps, done = [first], 0
    for number, end in enumerate(ends, 1):
        for name in layers[done:end]:
            _shuffle(private, name, rng)
        done = end
        private.forget()
        shown = attribute(
            private, sample, method, first.class_index, first.layer, target,
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
    """Return Spearman's rank correlation of two maps, -1 to 1; 0 if one of them is constant.

    >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0]))
    1.0
    """
    # not SciPy's spearmanr: no dependency; NaN and a warning for a constant map (0 is wanted)
    a, b = (_ranks(values) for values in (one, other))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 0 else 0.0


def _ranks(values: Floats) -> NDArray[np.float64]:
    """Return each value's rank minus the mean rank; equal values share their mean rank."""
    _, inverse, counts = np.unique(values.ravel(), return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return np.asarray(ranks - ranks.mean())


def _layers_from_top(private: Network) -> list[str]:
    """Return the paths of the layers with weights, from the scores to the input."""
    return list(dict.fromkeys(weight.layer for weight in reversed(private.private_weights)))


def _shuffle(private: Network, layer: str, rng: np.random.Generator) -> None:
    """Shuffle the values of each of the layer's weight arrays."""
    for weight in private.private_weights:
        if weight.layer == layer:
            values = weight.read()
            weight.write(rng.permutation(values.reshape(-1)).reshape(values.shape))
