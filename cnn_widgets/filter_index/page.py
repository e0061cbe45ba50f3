"""A section about filters for the page of an audit: faults per layer, and exciting patches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from cnn_widgets.auditing.sections import SIDE, image, section, table
from cnn_widgets.datasets import ImageSet
from cnn_widgets.filter_index.faults import FAULTS
from cnn_widgets.filter_index.index import FilterIndex
from cnn_widgets.images.resizing import shrink
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network

#: How many patches of a filter are shown, and how many faults are listed.
PATCHES, LISTED = 4, 30


def filters_section(
    index: FilterIndex,
    net: Network,
    images: ImageSet,
    filters: Iterable[tuple[str, int]] | None = None,
    count: int = 8,
) -> str:
    """Return a section of HTML about a network's filters, for `write_page(…, sections=[…])`.

    Parameters
    ----------
    index : FilterIndex
    net : Network
        The network that was indexed.
    images : ImageSet
        The photographs that were indexed.
    filters : iterable of (str, int), optional
        The filters whose most exciting patches are shown, by layer and number. By default `count`
        filters spread over the layers, of each the one with the highest class selectivity, or the
        one active on the most photographs where there is none.
    count : int

    Raises
    ------
    ValueError
        If photographs or network are others than those of the index, or the photographs come as a
        data set or a generator; or there is no such filter.

    Examples
    --------
    >>> from cnn_widgets.datasets import open_images
    >>> net, images = cw.load_network(), open_images(cw.gallery())
    >>> found = cw.index_filters(net, images, layers="stem")
    >>> filters_section(found, net, images, [("stem", 3)])[:13]
    '<section><h2>'
    """
    checked_network(net)
    if not images.repeatable:
        raise ValueError(
            "The patches of a data set or a generator cannot be shown: its photographs cannot be "
            "read again. Index a folder, a zip, a CSV, a list or an array."
        )
    chosen = _spread(index, count) if filters is None else list(filters)
    rows = "".join(_row(index, net, images, layer, number) for layer, number in chosen)
    listed = _listed(index)
    cautions = "".join(f"<li>{escape(each)}</li>" for each in index.cautions())
    patches = f"<h3>What excites some filters most</h3>{rows}" if rows else ""
    return section(
        "Filters",
        f"{len(index):,} filters of {len(index.layers):,} layers over {index.count:,} "
        "photographs, after their activation functions. Duplicate: a filter of which the layer has "
        "another one that does the same.",
        f"{_counts(index)}{listed}<ul>{cautions}</ul>{patches}",
    )


def _counts(index: FilterIndex) -> str:
    """Return a table of the faults of each layer, of layers with faults only, and of all."""
    found = index.fault_counts()
    every = {fault: sum(each[fault] for each in found.values()) for fault in FAULTS}
    rows = [("all layers", f"{len(index):,}", *(f"{every[fault]:,}" for fault in FAULTS))]
    for name, counts in found.items():
        if any(counts.values()):
            told = (f"{counts[fault]:,}" if counts[fault] else "–" for fault in FAULTS)
            rows.append((name, f"{len(index.layers[name]):,}", *told))
    return table(("layer", "filters", *FAULTS), rows)


def _listed(index: FilterIndex) -> str:
    """Return the worst faults in words."""
    faults = index.faults()
    rows = [(f"{each['layer']}, filter {each['filter']}", each["fault"], each["told"])
            for each in faults[:LISTED]]  # fmt: skip
    more = len(faults) - len(rows)
    after = f"<p>and {more:,} more</p>" if more else ""
    return table(("filter", "fault", "how"), rows) + after


def _spread(index: FilterIndex, count: int) -> Sequence[tuple[str, int]]:
    """Return filters of layers that are spread evenly over the network."""
    names = list(index.layers)
    places = np.unique(np.linspace(0, len(names) - 1, min(count, len(names))).round().astype(int))
    found = []
    for name in (names[place] for place in places):
        layer = index.layers[name]
        worth = layer.active if np.isnan(layer.selectivity).all() else layer.selectivity
        best = int(np.nanargmax(worth))
        if index.top_photographs(name, best):
            found.append((name, best))
    return found


def _row(index: FilterIndex, net: Network, images: ImageSet, layer: str, number: int) -> str:
    """Return a filter's most exciting patches in a row, with words."""
    figures = ""
    for rank, each in enumerate(index.top_photographs(layer, number)[:PATCHES]):
        told = f"{each['name']}: {each['value']:.3g}"
        try:
            pixels = index.patch(net, images, layer, number, rank)
            shown = image(shrink(pixels, SIDE), f"{layer}, filter {number}, {told}")
        except OSError as error:  # gone since it was indexed
            shown, told = "", f"{told}. {error}"
        figures += f"<figure>{shown}<figcaption>{escape(told)}</figcaption></figure>"
    kept = index.record(layer, number)
    about = f"{layer}, filter {number}: active on {kept['active']:,} of {index.count:,}"
    if kept["selectivity"] is not None:
        about += f"; class selectivity {kept['selectivity']:.2f}, for {kept['best_label']}"
    if kept["faults"]:
        about += f"; {kept['faults']}"
    return f"<p>{escape(about)}</p><div class='row'>{figures}</div>" if figures else ""
