"""What an experiment consists of, and what several of them read from a scene."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.attribution.probe import Progress
from cnn_widgets.datasets import ImageSet
from cnn_widgets.experiments.voting import Votes, votes
from cnn_widgets.records import ImageSample
from cnn_widgets.scenes.choices import read_filters
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views.view import View

#: Something that a result leads to: how it is listed, and the traits that show it.
Lead = tuple[str, dict[str, Any]]


def _at_once(scene: Scene) -> bool:
    return True


def _nowhere(scene: Scene, found: Any) -> list[Lead]:
    return []


@dataclass(frozen=True)
class Experiment:
    """One experiment: its description, what it depends on, its computation and its view.

    Attributes
    ----------
    name, title, tells : str
        The key in `TABLE`, the name in the list, and what it tells, in one or two sentences.
    asks : callable
        scene → everything its result depends on besides network, photograph and its own name.
    compute : callable
        (scene, progress) → the result. It raises a ValueError that says why there is none.
    show : callable
        (scene, result) → `View`.
    controls : tuple of str
        The traits that say what is done in it: their widgets are shown with it.
    button : str
        What the button says that starts it; "" if it has none.
    at_once : callable
        scene → whether it is so quick that it is computed without the button.
    leads : callable
        (scene, result) → what can be shown next: filters, layers or photographs.
    about : {"photograph", "all", "nothing"}
        What it is about: the photograph shown, all on the table, or nothing on the page.
    """

    name: str
    title: str
    tells: str
    asks: Callable[[Scene], Hashable]
    compute: Callable[[Scene, Progress | None], Any]
    show: Callable[[Scene, Any], View]
    controls: tuple[str, ...] = ()
    button: str = ""
    at_once: Callable[[Scene], bool] = _at_once
    leads: Callable[[Scene, Any], list[Lead]] = _nowhere
    about: str = "photograph"


def waits(scene: Scene) -> bool:
    """Return False: an experiment that always waits for its button."""
    return False


def measured_votes(scene: Scene, progress: Progress | None = None, effects: bool = True) -> Votes:
    """Return the votes of the filters of the layer browsed for the class explained."""
    return votes(
        scene.network, scene.sample, scene.layer.name, scene.chosen.class_index,
        versus=scene.versus, effects=effects, progress=progress,
    )  # fmt: skip


def asked_of_votes(scene: Scene) -> Hashable:
    """Return what the votes depend on."""
    return scene.layer.name, scene.chosen.class_index, scene.versus


def filters_of(scene: Scene) -> tuple[int, ...]:
    """Return the filters that are switched: those listed, the first of a ranking, or the one shown.

    A ValueError if the ranking takes so many passes that it has to be asked for first.
    """
    text = scene.bench.switched
    if not text:
        return (scene.filter,)
    listed, count, measure = read_filters(text)
    if listed:
        return listed
    if measure == "effect" and not effects_are_quick(scene):
        raise ValueError(
            "The true effect of every filter of this layer takes one pass each: take another "
            'measure here ("top 20 by contribution"), or choose a layer near the end.'
        )
    return measured_votes(scene, effects=measure == "effect").top(count, measure)


def effects_are_quick(scene: Scene) -> bool:
    """Return whether one gradient tells the true effects of all filters of the layer browsed."""
    engine = scene.network.engine_for(scene.sample)
    return engine.graph.curve(scene.layer.name) is None


def lists_filters(scene: Scene) -> bool:
    """Return whether the filters listed take part in the chosen experiment."""
    name = scene.bench.experiment
    return name in ("silence", "transplant", "dream") or (
        name == "excite" and scene.bench.excited == "filters"
    )


def second_image(scene: Scene) -> ImageSample:
    """Return the second photograph; a ValueError if there is none."""
    wanted = scene.bench.other_image
    named = wanted and wanted in scene.samples and wanted != scene.image
    for name in (wanted,) if named else scene.samples:
        if name != scene.image:
            try:
                return replace(scene.samples[name], name=name)
            except ValueError:  # it cannot be read
                if named:
                    raise
    raise ValueError("There is no other photograph on the table: add one.")


def second_key(scene: Scene) -> Hashable:
    """Return what decides which second photograph it is, and what it is called."""
    found = second_image(scene)
    return found.name, found.key


def filler(scene: Scene) -> str | ImageSample:
    """Return what covers a place, as `occlude` takes it."""
    fill = scene.bench.covered_by
    return second_image(scene) if fill == "photograph" else fill


def filler_key(scene: Scene) -> Hashable:
    """Return what decides what covers a place."""
    fill = scene.bench.covered_by
    return fill, second_key(scene) if fill == "photograph" else None


def photographs(scene: Scene, names: tuple[str, ...]) -> ImageSet:
    """Return some of the photographs on the table, each read when it is asked for."""
    return ImageSet(names, (), lambda number, _: scene.samples[names[number]])


def cam_method(scene: Scene) -> str:
    """Return the method of the evidence on screen, or Grad-CAM if changed activations have none."""
    method = METHODS[scene.method]
    plain = method.plain and method.at == "layer" and not method.ranged
    return scene.method if plain else "grad-cam"
