"""What each filter of a network does over a set of photographs, and which filters do nothing.

In come a `Network` and photographs as `open_images` takes them; out goes a `FilterIndex`: for every
filter of every layer how often it is active, the photographs and *patches* (receptive fields) that
excite it most, and its class selectivity; and its faults: *dead*, *almost dead*, *saturated*,
*constant*, or a *near-duplicate* of another filter of its layer, by stated `Limits`.

>>> found = index_filters(cw.load_network(), cw.gallery(), layers="stem", top=3)
>>> len(found), found.count, len(found.top_photographs("stem", 3))
(32, 9, 3)
"""

from cnn_widgets.filter_index.faults import FAULTS, Limits
from cnn_widgets.filter_index.index import FilterIndex
from cnn_widgets.filter_index.layer_filters import LayerFilters
from cnn_widgets.filter_index.page import filters_section
from cnn_widgets.filter_index.running import index_filters
from cnn_widgets.filter_index.saved import load_filter_index

__all__ = [
    "FAULTS", "FilterIndex", "LayerFilters", "Limits", "filters_section", "index_filters",
    "load_filter_index",
]  # fmt: skip
