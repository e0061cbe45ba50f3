"""What would change the network's mind: the smallest set of filters, or the smallest region."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from cnn_widgets.attribution.probe import Progress
from cnn_widgets.experiments.shared import SharedEvidence, shared_evidence
from cnn_widgets.experiments.turning import Turning, smallest_change
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions
from cnn_widgets.views.overlays import over_photograph
from cnn_widgets.views.view import View
from cnn_widgets.workbench.answers import SIDE, answer_table, in_short
from cnn_widgets.workbench.experiment import Experiment, Lead, filler, filler_key, waits


def _rival(scene: Scene) -> int | None:
    """Return the class compared with, if it has not won already; None: the second most likely."""
    return scene.versus if scene.versus != scene.predictions[0].class_index else None


def _asks(scene: Scene) -> Hashable:
    return scene.layer.name, _rival(scene)


def _by_filters(scene: Scene, progress: Progress | None) -> tuple[Turning, SharedEvidence]:
    layer = scene.layer.name
    turned = smallest_change(
        scene.network, scene.sample, layer=layer, rival=_rival(scene), progress=progress
    )
    return turned, shared_evidence(scene.network, scene.sample, layer, turned.winner, among=5)


def _by_region(scene: Scene, progress: Progress | None) -> Turning:
    return smallest_change(
        scene.network, scene.sample, "region", rival=_rival(scene),
        fill=filler(scene), progress=progress,
    )  # fmt: skip


def _filters_shown(scene: Scene, found: tuple[Turning, SharedEvidence]) -> View:
    turned, shared = found
    line = f"{turned.told} ({turned.passes:,} passes.) {in_short(turned.answers)}."
    rows = [
        (str(each["name"]), captions.fixed(each["cosine"], 2), captions.fixed(each["drop"], 2))
        for each in shared.records()
    ]
    told = f"Classes that rest on the same filters as {shared.class_name}"
    count = len(shared.removed)
    evidence = View(
        f"{told}.",
        f"{told} (1: all the same), and how far each falls without the {count} filters that make "
        f"up half of what adds to {shared.class_name}",
        table=(("class", "same filters", f"falls without those {count}"), *rows),
    )
    return View(line, line, parts=(answer_table(turned.answers), evidence))


def _region_shown(scene: Scene, found: Turning) -> View:
    line = (
        f"{found.told} That is {captions.percent(found.share)} of what the network is given of "
        f"the photograph. ({found.passes:,} passes.)"
    )
    parts = [answer_table(found.answers)]
    if found.mask is not None:
        heat = np.asarray(found.mask, np.float32)
        photo, colors = over_photograph(scene, scene.sample, heat, False, SIDE)
        alt = f"The cells that were taken away, {captions.percent(found.share)} of the photograph."
        parts.append(View(alt, "Bright: what was taken away", colors, under=photo, alpha=0.6))
    return View(line, line, parts=tuple(parts))


def _leads(scene: Scene, found: tuple[Turning, SharedEvidence]) -> list[Lead]:
    return [(f"filter {k}", {"filter": int(k)}) for k in found[0].removed]


BY_FILTERS = Experiment(
    "turn filters",
    "What would change its mind: filters",
    "The smallest set of filters of the layer without which the runner-up wins (or the class "
    "chosen in “rather than”), what of that is proven, and which classes rest on the same filters.",
    _asks,
    _by_filters,
    _filters_shown,
    (),
    "Search",
    waits,
    _leads,
)
BY_REGION = Experiment(
    "turn region",
    "What would change its mind: a region",
    "The smallest part of the photograph, of 7×7 cells, without which the runner-up wins (or the "
    "class chosen in “rather than”).",
    lambda scene: (_rival(scene), filler_key(scene)),
    _by_region,
    _region_shown,
    ("covered_by", "other_image"),
    "Search",
    waits,
)
