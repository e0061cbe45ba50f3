"""Goes through a set of photographs once, and makes the index of a network's filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnn_widgets.auditing.identity import input_digest
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.filter_index.faults import Limits
from cnn_widgets.filter_index.index import FilterIndex
from cnn_widgets.filter_index.passes import Progress, Run
from cnn_widgets.filter_index.totals import Totals
from cnn_widgets.filter_index.twins import RandomSums
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import LayerInfo, check_fit


def index_filters(
    net: Network,
    images: Any,
    labels: Any = None,
    *,
    layers: str | Sequence[str] | None = None,
    top: int = 9,
    limits: Limits | None = None,
    fit: str | None = None,
    progress: Progress | None = None,
) -> FilterIndex:
    """Return what each filter of a network does over a set of photographs.

    All layers are looked at in the same forward passes, one for each photograph. The maps are
    reduced to a few numbers per filter at once, so memory does not grow with the number of
    photographs (it does with that of labels: 8 bytes for each filter and label). Filters that seem
    to be near-duplicates are compared exactly in a second pass, if there are any.

    Parameters
    ----------
    net : Network
    images : object
        Photographs as `open_images` takes them. Those of a data set or a generator are gone
        through once: near-duplicates are then estimated, and no patches can be cut out.
    labels : sequence, optional
        One for each photograph, where `images` does not say so. Different spellings of a label
        are one label, as for `audit`: see `match_labels`.
    layers : str or sequence of str, optional
        Any layers with maps. By default all convolutions with an activation function; if there
        are none, all feature layers. A convolution is seen after its activation function, as by
        `Network.peaks`, another layer as it puts out. Pooling layers have no filters of their own
        and are left out by default.
    top : int
        How many of the photographs that excite a filter most are kept.
    limits : Limits, optional
        From when on a filter is called almost dead, saturated, constant or a near-duplicate.
    fit : {"squash", "crop", "letterbox"}, optional
        See `load_image`.
    progress : callable, optional
        Called with (photographs done, photographs in all, or 0 of a data set or a generator);
        returning False stops the run. If there is a second pass it counts from 1 again.

    Returns
    -------
    FilterIndex

    Raises
    ------
    ValueError
        If there is no photograph that can be read, a layer is unknown or puts out no map, or the
        network computes NaN or infinite values.
    concurrent.futures.CancelledError
        If `progress` returned False.

    Notes
    -----
    Near-duplicates are filters of a layer whose values over all cells and photographs correlate
    (Pearson, positive). Class selectivity is (m - r) / (m + r), where m is the highest mean of a
    label's photographs and r the mean over the other labels (arXiv 1803.06959, eq. 1). As in that
    paper, a photograph counts with the mean of its map.

    Examples
    --------
    >>> net = cw.load_network()
    >>> found = cw.index_filters(net, cw.gallery(), layers=["stem", "head"])
    >>> found
    FilterIndex('EfficientNet-Lite0', 1,312 filters of 2 layers, 9 photographs)
    >>> found.top_photographs("head", 0)[0]["name"] in cw.gallery()
    True
    """
    if not isinstance(top, int) or top < 1:
        raise ValueError(f"Expected top to be a whole number of at least 1. Received: {top!r}")
    checked_network(net)
    check_fit(fit)
    found, limits = open_images(images, labels, channels=net.channels), limits or Limits()
    if found.endless:
        raise ValueError("The data set never ends: index_filters(net, data.take(1000)), say.")
    infos = _layers(net, layers)
    about = _about(net, found, fit)
    run = Run(net, found, infos, fit, progress)
    totals, sums = Totals(run.cells(), run.rests(), top), RandomSums(run.size)
    names, errors = run.first_pass(totals, sums)
    if not totals.count:
        why = next(iter(errors.items()), ("there is none", ""))
        raise ValueError(f"No photograph can be read. The first: {': '.join(filter(None, why))}")
    compared = run.compared(totals, limits)
    alike = run.twins(totals, sums, compared, limits)
    about["image_notes"] += run.spellings.notes
    return FilterIndex(
        {**about, "exact": found.repeatable},
        run.layer_filters(totals, alike, compared, limits),
        tuple(names),
        errors,
        tuple(totals.labels),
        tuple(totals.label_counts[each] for each in totals.labels),
        limits,
    )


def _layers(net: Network, layers: str | Sequence[str] | None) -> list[LayerInfo]:
    """Return the layers to look at, in the order in which they run."""
    table = net.engine.layer_table
    if layers is None:
        activated = net.engine.graph.activated
        chosen = [i for i in table.spatial if i.name in activated and "Conv" in i.kind]
        chosen = chosen or list(table.features)
        if not chosen:
            raise ValueError(f"{net.name!r} has no layer with a map larger than 1x1.")
        return chosen
    named = {table.map_of(name).name for name in ([layers] if isinstance(layers, str) else layers)}
    if not named:
        raise ValueError("Expected at least one layer. Received none.")
    return [info for info in table.layers if info.name in named]


def _about(net: Network, images: ImageSet, fit: str | None) -> dict[str, Any]:
    """Return what the index depends on, as plain values."""
    return {
        "network": net.name,
        "weights": weights_digest(net.model),
        "preprocessing": input_digest(net),
        "images": images.fingerprint() if images.repeatable else "a stream",
        "fit": fit,
        "notes": list(net.notes),
        "image_notes": list(images.notes) if images.repeatable else [],
    }
