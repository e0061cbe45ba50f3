"""From the state, which changes, to the scene of one moment, which does not."""

from __future__ import annotations

from dataclasses import fields

from cnn_widgets.scenes.catalog import Catalog
from cnn_widgets.scenes.choices import ITS_LABEL
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State
from cnn_widgets.scenes.traits import Bench

#: The traits of `State` that a scene takes as they are.
_COPIED = (
    "counter", "method", "target", "cam_layer", "alpha", "colormap", "scale", "filter_colormap",
    "pairs", "trust", "instrument", "baseline", "ranked", "face", "zoom", "center", "region",
    "pins", "filter_count", "filter_order", "strip", "strip_of", "display", "compare",
    "compare_by", "compare_with", "audit", "audit_kind", "survey", "experiments",
)  # fmt: skip

#: Those that say what is done in the experiments.
_BENCH = tuple(each.name for each in fields(Bench) if each.name != "results")


def resolve(state: State, catalogue: Catalog) -> Scene:
    """Return the scene of a state as it is now; the photographs come from the catalog."""
    with state.lock, state.open_network().weights_checked():  # once, not at every access
        network = state.open_network()
        info = network.layer(state.layer)
        fitted = catalogue.fitted(state.fit)
        sample, label = fitted[state.image], catalogue.samples.label(state.image)
        audits = catalogue.audits
        found = audits.get((network, network.revision, state.fit))
        meant = audits.label_class(network, sample, label)
        wanted = {
            trait: meant if value == ITS_LABEL else value
            for trait, value in (("class", state.class_index), ("versus", state.versus))
        }
        return Scene(
            network=network,
            revision=network.revision,
            image=state.image,
            sample=sample,
            full_size=catalogue.samples.sizes.get(state.image, sample.size),
            added=state.image in catalogue.uploads,
            samples=fitted,
            label=label,
            label_class=meant,
            layer=info,
            layers=state.layers(),
            filter=min(state.filter, info.filters - 1),
            wanted_class=wanted["class"],
            wanted_versus=wanted["versus"],
            **{name: getattr(state, name) for name in _COPIED},
            bench=Bench(
                **{name: getattr(state, name) for name in _BENCH}, results=catalogue.experiments
            ),
            audit_label=state.audit_label if audits.has_label(found, state.audit_label) else "",
            audit_answer=state.audit_answer if audits.has_label(found, state.audit_answer) else "",
            network_name=state.network,
            at_hand=catalogue.at_hand,
            open_network=catalogue.network,
            results=catalogue.results,
            audits=audits,
        )
