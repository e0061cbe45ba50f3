"""Evaluation of localization on photographs with two subjects side by side.

For each subject's class, the share of the map's evidence that lies on that subject's half of the
photograph is measured. A map that does not depend on the class gives 50 % on average. The gallery
holds two such photographs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.methods import chosen_methods
from cnn_widgets.attribution.probe import Progress, partial_progress
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.images.sample_gallery import gallery
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network

#: Photograph → ImageNet class names of its left and its right subject. ImageNet has no raccoon
#: class; the bundled network classifies the raccoon as a badger.
SUBJECTS = {
    "cat and espresso": ("Egyptian cat", "espresso"),
    "raccoon and rocket": ("badger", "missile"),
}


@dataclass(frozen=True)
class Pointing:
    """How well one method localizes the two subjects of one photograph.

    Attributes
    ----------
    method, photograph : str
    classes : (str, str)
        The class names of the left and of the right subject.
    shares : (float, float)
        For the map of each class, the share of the evidence on that subject's half, 0 to 1; NaN
        for a map without evidence.
    """

    method: str
    photograph: str
    classes: tuple[str, str]
    shares: tuple[float, float]


def pointing(
    net: Network,
    methods: Sequence[str] | None = None,
    layer: str | None = None,
    target: str = "logit",
    *,
    progress: Progress | None = None,
) -> tuple[Pointing, ...]:
    """Return how well methods localize the subjects of the gallery's two-subject photographs.

    Parameters
    ----------
    net : Network
        A network with ImageNet's class names.
    methods : sequence of str, optional
        Names in `METHODS`; by default `QUICK`, the methods that take one or two passes, without
        those that need a ReLU where the network has none.
    layer, target, progress
        As for `attribute`.

    Returns
    -------
    tuple of Pointing
        One per method and photograph.

    Raises
    ------
    ValueError
        If the network lacks one of the classes, or for the same reasons as `attribute`.

    Examples
    --------
    >>> first = pointing(cw.load_network(), ["grad-cam"])[0]
    >>> min(first.shares) > 0.8
    True
    """
    checked_network(net)
    wanted = [name for pair in SUBJECTS.values() for name in pair]
    missing = [name for name in wanted if name not in net.class_names]
    if missing:
        raise ValueError(
            f"Pointing asks about the classes {', '.join(wanted)}; network {net.name!r} has no "
            f"{', '.join(missing)}."
        )
    chosen = chosen_methods(net, methods)
    photographs, found = gallery(), []
    count, number = len(chosen) * len(wanted), 0
    for method in chosen:
        for photograph, classes in SUBJECTS.items():
            shares = []
            for side, name in enumerate(classes):
                shown = attribute(
                    net, photographs[photograph], method.name, name,
                    layer if method.at == "layer" else None, target,
                    progress=partial_progress(progress, number, count),
                )  # fmt: skip
                shares.append(right_share(shown) if side else 1 - right_share(shown))
                number += 1
            found.append(Pointing(method.name, photograph, classes, (shares[0], shares[1])))
    return tuple(found)


def right_share(found: Attribution) -> float:
    """Return the share, 0 to 1, of a map's evidence that lies on the photograph's right half.

    Negative values of a signed map do not count. NaN if there is no positive value.
    """
    heat = np.maximum(found.heatmap, 0).sum(axis=0, dtype=np.float64)
    whole = float(heat.sum())
    half = len(heat) // 2
    middle = float(heat[half]) / 2 if len(heat) % 2 else 0.0
    return (float(heat[-half:].sum()) + middle) / whole if whole > 0 else float("nan")
