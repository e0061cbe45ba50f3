"""Filters switched off, scaled or kept alone; activations taken from another photograph."""

from __future__ import annotations

from collections.abc import Hashable

from cnn_widgets.attribution.probe import Progress
from cnn_widgets.experiments.ablation import Ablation, ablate, patch_activations
from cnn_widgets.scenes.choices import SWITCHINGS
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views.view import View
from cnn_widgets.workbench.answers import answer_table, in_short, maps, sentence
from cnn_widgets.workbench.experiment import (
    Experiment,
    cam_method,
    filters_of,
    second_image,
    second_key,
)


def _asks(scene: Scene) -> Hashable:
    bench = scene.bench
    return (
        scene.layer.name, bench.switched or scene.filter, bench.switching, scene.versus,
        scene.chosen.class_index, cam_method(scene), scene.target,
    )  # fmt: skip


def _taken(scene: Scene) -> Hashable:
    """Return what decides what is taken: without a list of filters, no filter."""
    return (
        scene.layer.name, scene.bench.switched, scene.versus if scene.bench.switched else None,
        scene.chosen.class_index, cam_method(scene), scene.target, scene.region, second_key(scene),
    )  # fmt: skip


def _silenced(scene: Scene, progress: Progress | None) -> Ablation:
    how = scene.bench.switching
    return ablate(
        scene.network, scene.sample, scene.layer.name, filters_of(scene),
        scale=SWITCHINGS[how], keep=how == "kept alone", class_index=scene.chosen.class_index,
        method=cam_method(scene), target=scene.target,
    )  # fmt: skip


def _transplanted(scene: Scene, progress: Progress | None) -> Ablation:
    chosen = filters_of(scene) if scene.bench.switched else None
    return patch_activations(
        scene.network, scene.sample, scene.layer.name, second_image(scene), region=scene.region,
        filters=chosen, class_index=scene.chosen.class_index, method=cam_method(scene),
        target=scene.target,
    )  # fmt: skip


def _shown(scene: Scene, found: Ablation) -> View:
    """Return what was changed, the answer before and after, and both maps."""
    name = scene.network.class_names[found.class_index]
    line = sentence(f"{found.told}: {in_short(found.answers)}.")
    falls = [(name, fall) for name, fall in found.answers.most_lowered(3) if round(fall, 2) > 0]
    lowered = ", ".join(f"{name} −{fall:.2f}" for name, fall in falls) or "none"
    table = answer_table(found.answers)
    both = maps(scene, found.heatmaps(), found.method or "", found.layer, name)
    return View(f"{line} Most lowered: {lowered}.", line, parts=(table, both))


SILENCE = Experiment(
    "silence",
    "Switch filters off",
    "Filters of the layer are silenced, scaled or kept alone, and only the layers behind are run "
    "again. Choose them by Shift-click in the mosaic, by number, or the first of a ranking.",
    _asks,
    _silenced,
    _shown,
    ("switched", "switching"),
)
TRANSPLANT = Experiment(
    "transplant",
    "Take activations from another photograph",
    "The layer's output is taken from another photograph: whole, inside the region drawn, or only "
    "that of the filters listed. What changes the answer is carried by what was taken.",
    _taken,
    _transplanted,
    _shown,
    ("switched", "other_image"),
)
