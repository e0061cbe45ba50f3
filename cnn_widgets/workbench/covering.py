"""A place of the photograph covered by hand, beside random places of the same shape."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from cnn_widgets.attribution.probe import Progress
from cnn_widgets.attribution.regions import Region
from cnn_widgets.drawing.color import stretched
from cnn_widgets.experiments.occlusion import Controls, Occlusion, occlude
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions
from cnn_widgets.views.view import View
from cnn_widgets.workbench.answers import answer_table, draw_among, in_short
from cnn_widgets.workbench.experiment import Experiment, filler, filler_key, second_image

_CONTROLS = 200
_NAMED = {
    "hottest": "hottest place",
    "coldest": "coldest place",
    "all but the hottest": "photograph but for its hottest place",
}
#: Of a map that holds no region drawn: the place above this share of its maximum is covered.
_LEVEL = 0.8


def _place(scene: Scene) -> Region | str:
    """Return the region drawn, or the place that the map on screen names."""
    if scene.bench.covered == "region":
        return "hottest" if scene.region is None else scene.region
    return scene.bench.covered


def _asks(scene: Scene) -> Hashable:
    place = _place(scene)
    named = isinstance(place, str)
    known: Controls | None = scene.bench.results.get(_known(scene))
    return (
        place, scene.question if named else None, scene.chosen.class_index, scene.target,
        filler_key(scene), None if known is None else known.key[4:],
    )  # fmt: skip


def _known(scene: Scene) -> tuple[Any, ...]:
    """Return the key under which the random places of a photograph are kept."""
    return "random places", scene.network, scene.revision, scene.sample.key, filler_key(scene)


def _covered(scene: Scene, progress: Progress | None) -> Occlusion:
    """Return what covering does; only with `progress` are random places covered that were not."""
    place, evidence = _place(scene), None
    if isinstance(place, str):
        evidence = scene.attribution
        if evidence is None:
            raise ValueError("The map on screen has not been computed yet: press Compute above.")
    known: Controls | None = scene.bench.results.get(_known(scene))
    found = occlude(
        scene.network, scene.sample, place, filler(scene),
        class_index=scene.chosen.class_index, target=scene.target, evidence=evidence, level=_LEVEL,
        controls=None if progress is None else _CONTROLS, known=known, progress=progress,
    )  # fmt: skip
    if len(found.controls.places):
        kept = found.controls
        scene.bench.results.put(_known(scene), kept, (kept.places, kept.scores, kept.probabilities))
    return found


def _shown(scene: Scene, found: Occlusion) -> View:
    name = scene.network.class_names[found.class_index]
    place = _place(scene)
    what = _NAMED[place] if isinstance(place, str) else "region drawn"
    if scene.bench.covered == "region" and scene.region is None:
        what = "hottest place (no region is drawn: drag over the photograph)"
    line = (
        f"The {what} covered{_by(scene)}, {captions.percent(found.share)} of the photograph: "
        f"{in_short(found.answers)}. "
    )
    if count := len(found.controls_effects):
        line += found.told
        if left_out := len(found.controls.places) - count:
            line += f" {left_out} more are left out: they overlap it by more than half."
    else:
        line += (
            f"It costs {name} {captions.number(found.effect)}; whether the place matters is "
            "seen beside random places."
        )
    picture = stretched(found.filled) if found.filled.shape[2] in (1, 3) else None
    parts = [answer_table(found.answers)]
    if picture is not None:
        parts.append(View(f"What the network was given: the {what} covered.",
                          "What the network was given", picture))  # fmt: skip
    if len(found.controls_effects):
        parts.append(_beside_random(found, name))
    return View(line, line, parts=tuple(parts))


def _by(scene: Scene) -> str:
    """Return which photograph covers the place, if one does."""
    if scene.bench.covered_by != "photograph":
        return ""
    return f" by {second_image(scene).name}"


def _beside_random(found: Occlusion, name: str) -> View:
    values, effect = found.controls_effects, found.effect
    caption = f"What covering costs {name}: this place (line) and {len(values)} random ones"
    return View(
        f"{caption}. {found.told}", caption,
        chart=lambda axes: draw_among(
            axes, values, effect, "number of places, by what covering them costs"
        ),
        key=("random places", values.tobytes(), effect),
    )  # fmt: skip


COVER = Experiment(
    "cover",
    "Cover a place",
    "The region drawn on the photograph, or a place that the map names, is covered, and the "
    "network asked again. Beside random places of the same shape one sees whether the place "
    "matters at all.",
    _asks,
    _covered,
    _shown,
    ("covered", "covered_by", "other_image"),
    "Beside random places",
)
