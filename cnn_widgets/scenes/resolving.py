"""From the state, which changes, to the scene of one moment, which does not."""

from __future__ import annotations

from cnn_widgets.scenes.catalog import Catalog
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State

#: The traits of `State` that a scene takes as they are.
_COPIED = (
    "counter", "method", "target", "cam_layer", "alpha", "colormap", "scale", "filter_colormap",
    "pairs", "trust", "instrument", "baseline", "ranked", "face", "zoom", "center", "region",
    "pins", "filter_count", "filter_order", "strip", "strip_of", "display", "compare",
    "compare_by", "compare_with",
)  # fmt: skip


def resolve(state: State, catalogue: Catalog) -> Scene:
    """Return the scene of a state as it is now; the photographs come from the catalog."""
    with state.lock, state.open_network().weights_checked():  # once, not at every access
        network = state.open_network()
        info = network.layer(state.layer)
        fitted = catalogue.fitted(state.fit)
        return Scene(
            network=network,
            revision=network.revision,
            image=state.image,
            sample=fitted[state.image],
            full_size=catalogue.samples.sizes.get(state.image, fitted[state.image].size),
            added=state.image in catalogue.uploads,
            samples=fitted,
            label=catalogue.samples.label(state.image),
            layer=info,
            layers=state.layers(),
            filter=min(state.filter, info.filters - 1),
            wanted_class=state.class_index,
            wanted_versus=state.versus,
            **{name: getattr(state, name) for name in _COPIED},
            network_name=state.network,
            at_hand=catalogue.at_hand,
            open_network=catalogue.network,
            results=catalogue.results,
        )
