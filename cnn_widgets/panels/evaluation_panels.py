"""The results of the evaluation instruments as views: charts, tables, a film-strip."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.drawing.charts import HERE, INK, OTHERS, style_axes
from cnn_widgets.evaluation.faithfulness import Curve
from cnn_widgets.evaluation.instruments import INSTRUMENTS
from cnn_widgets.evaluation.localization import SUBJECTS, Pointing
from cnn_widgets.evaluation.randomization import SanityCheck
from cnn_widgets.evaluation.ranking import RankedMap
from cnn_widgets.networks.input_check import InputCheck
from cnn_widgets.records import Pixels
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.telling import counted
from cnn_widgets.views import captions
from cnn_widgets.views.overlays import blended
from cnn_widgets.views.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Size of a chart, (width, height) in inches.
_CHART_SIZE = (4.6, 2.3)
#: Longer side of a picture in a film-strip, in pixels.
_STRIP_PIXELS = 132


def evaluation(scene: Scene) -> View:
    """Return what the chosen instrument found for the map on screen.

    If it has not been run yet, the view says what it tells and asks for the Judge button.
    """
    if not scene.trust:
        return View("The instruments are closed.")
    instrument = INSTRUMENTS[scene.instrument]
    found = scene.verdict
    if found is None:
        return View(f"{instrument.tells} Press Judge.")
    return _VIEW_FUNCTIONS[scene.instrument](scene, found)


def _curves(scene: Scene, standings: tuple[RankedMap, ...]) -> View:
    """Return deletion and insertion curves of the map (first) and of the maps to compare with."""
    own = standings[0]
    pixels = "blurred" if scene.baseline == "blur" else "of the mean colour"
    asked = f"{own.title} {'against' if scene.counter else 'for'} {scene.chosen.name}"
    line = (
        f"{asked}: deletion {own.deletion.area:.3f}, insertion {own.insertion.area:.3f}; "
        f"{_verdict(standings, scene.counter)}. Pixels taken away are {pixels}."
    )
    parts = [_curve_chart(kind, standings, scene.counter) for kind in _KINDS]
    return View(line, line, parts=(*parts, _area_table(standings)))


def _verdict(standings: tuple[RankedMap, ...], counter: bool) -> str:
    """Return in words whether the first map does better than the best of the others.

    It is told by the difference of the two areas; where one of the two charts shows the opposite,
    the words say that, too.
    """
    own, *others = standings
    # Without the evidence against a class its probability must rise: the order is reversed
    sign = -1 if counter else 1
    best = max(others, key=lambda each: sign * each.gain)
    ahead = {
        "deletion": sign * (best.deletion.area - own.deletion.area),
        "insertion": sign * (own.insertion.area - best.insertion.area),
    }
    better = sum(ahead.values()) > 0
    contrary = [kind for kind in _KINDS if ahead[kind] and (ahead[kind] > 0) != better]
    line = f"{'better' if better else 'no better'} than the {best.title}"
    areas = f"({best.deletion.area:.3f}, {best.insertion.area:.3f})"
    if not contrary:
        return f"{line} {areas}"
    return f"{line} overall {areas}, but {'worse' if better else 'better'} at {contrary[0]}"


def _curve_chart(kind: str, standings: tuple[RankedMap, ...], counter: bool) -> View:
    """Return the chart of one kind of curve, "deletion" or "insertion", for all maps."""
    curves: list[tuple[str, Curve]] = [(s.title, getattr(s, kind)) for s in standings]
    summary = "; ".join(f"{title} {curve.area:.3f}" for title, curve in curves)
    direction = "lower" if (kind == "deletion") != counter else "higher"
    title = f"{kind} ({direction} is better)"

    def draw(axes: Axes) -> None:
        for (name, curve), color in zip(curves, (HERE, *OTHERS), strict=True):
            axes.plot(curve.shares, curve.probabilities, color=color, linewidth=1.8, label=name)
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0)
        axes.set_xticks([0, 0.5, 1], ["0", f"share of pixels {_PIXEL_ACTIONS[kind]}", "100 %"])
        axes.legend(fontsize=8, frameon=False, labelcolor=INK)
        style_axes(axes, title)

    return View(f"Curve of {title}. Area under it: {summary}.", chart=draw, inches=_CHART_SIZE)


_KINDS = ("deletion", "insertion")
_PIXEL_ACTIONS = {"deletion": "taken away", "insertion": "given back"}


def _area_table(standings: tuple[RankedMap, ...]) -> View:
    """Return a table of the areas under the curves, one row per map."""
    timed = any(each.seconds for each in standings)
    head = ("map", "deletion ↓", "insertion ↑", "difference ↑", *(["first time"] if timed else []))
    rows = tuple(
        (
            each.title,
            captions.fixed(each.deletion.area),
            captions.fixed(each.insertion.area),
            captions.fixed(each.gain),
            *([f"{1000 * each.seconds:.0f} ms" if each.seconds else "–"] if timed else []),
        )
        for each in standings
    )
    summary = "; ".join(f"{row[0]} {row[1]}, {row[2]}" for row in rows)
    return View(f"Areas under deletion and insertion: {summary}.", table=(head, *rows))


def _ranking(scene: Scene, standings: tuple[RankedMap, ...]) -> View:
    """Return the methods in order of their areas, with the maps that ignore the network."""
    own = [each for each in standings if each.method is not None]
    chance = max(each.gain for each in standings if each.method is None)
    beaten = [each.title for each in own if each.gain <= chance]
    line = f"For {scene.chosen.name} on {scene.image}: "
    if not own:
        return View(line, f"{line}no method is selected.", table=_area_table(standings).table)
    line += f"{own[0].title} comes first of {len(own)} methods. "
    line += (
        f"No better than a random map or an edge detector: {', '.join(beaten)}."
        if beaten
        else "All do better than a random map and an edge detector."
    )
    return View(line, line, table=_area_table(standings).table)


def _sanity(scene: Scene, check: SanityCheck) -> View:
    """Return the maps after randomising more and more layers, and their rank correlations."""
    title = METHODS[scene.method].title
    first, last = float(check.correlations[1]), float(check.correlations[-1])
    line = (
        f"{title}: rank correlation with the trained network's map {captions.fixed(first, 2)} once "
        f"the topmost layer is randomised, {captions.fixed(last, 2)} once all are. 1 would mean: "
        "it does not depend on what was learned."
    )
    pictures = []
    for stage, correlation, shown in zip(check.stages, check.correlations, check.maps, strict=True):
        label = "trained" if stage == check.stages[0] else f"down to {stage}"
        pictures.append(_strip_picture(scene, shown, f"{label}\n{captions.fixed(correlation, 2)}"))

    def draw(axes: Axes) -> None:
        axes.plot(check.shares, check.correlations, "o-", color=HERE, markersize=4)
        axes.axhline(0, color=INK, linewidth=0.6)
        axes.set_xlim(0, 1)
        axes.set_ylim(min(-0.2, float(check.correlations.min()) - 0.05), 1.05)
        axes.set_xticks([0, 0.5, 1], ["0", "share of layers randomised", "100 %"])
        style_axes(axes, "rank correlation with the trained map")

    summary = "; ".join(
        f"{stage} {captions.fixed(value, 2)}"
        for stage, value in zip(check.stages, check.correlations, strict=True)
    )
    chart = View(
        f"Rank correlation by layers randomised: {summary}.", chart=draw, inches=_CHART_SIZE
    )
    return View(line, line, parts=(View("Film-strip of maps.", strip=tuple(pictures)), chart))


def _strip_picture(scene: Scene, shown: Attribution, label: str) -> tuple[str, Pixels, str]:
    """Return one picture of a film-strip: label, overlay (H, W, 3), text alternative."""
    picture = blended(scene, shown, _STRIP_PIXELS)
    summary = (
        "no evidence"
        if not shown.heatmap.any()
        else f"strongest at {captions.place_in_words(np.abs(shown.heatmap))}"
    )
    title = METHODS[shown.method].title
    return label, picture, f"{title}, {label.replace(chr(10), ': ')}; {summary}"


def _depths(scene: Scene, found: tuple[Attribution, ...]) -> View:
    """Return the maps of one class taken at several layers as a film-strip."""
    title = METHODS[found[0].method].title
    layers = counted(len(found), "layer")
    line = f"{title} for {scene.chosen.name} at {layers}, from the input to the scores."
    line += captions.empty_layers(found)
    pictures = tuple(
        _strip_picture(scene, shown, f"{shown.layer}\n{_map_size(shown)}") for shown in found
    )
    return View(line, line, strip=pictures)


def _map_size(shown: Attribution) -> str:
    if not shown.heatmap.any():
        return "no evidence"
    height, width = shown.raw.shape
    return f"{width}×{height}"


def _pointing(scene: Scene, found: tuple[Pointing, ...]) -> View:
    """Return a table of how much of each method's map lies on the subject it is for."""
    sides = [
        (name, side) for pair in SUBJECTS.values() for name, side in zip(pair, _SIDES, strict=True)
    ]
    head = ("method", *(f"{name}: on the {side}" for name, side in sides), "mean")
    by_method: dict[str, list[float]] = {}
    for each in found:
        by_method.setdefault(each.method, []).extend(each.shares)
    order = sorted(by_method, key=lambda name: -float(np.nan_to_num(np.mean(by_method[name]))))
    rows = tuple(
        (
            METHODS[name].title,
            *(captions.percent(share) for share in by_method[name]),
            captions.percent(float(np.mean(by_method[name]))),
        )
        for name in order
    )
    line = "Share of the heat on the subject's own half of a photograph of two; 50 % is chance."
    summary = "; ".join(f"{row[0]} {row[-1]}" for row in rows)
    return View(f"{line} {summary}.", line, table=(head, *rows))


def _input(scene: Scene, found: InputCheck) -> View:
    """Return a table of what the network says under each way to prepare the photograph."""
    names = scene.network.class_names
    told = any(each.misfit is not None for each in found.trials)
    head = ("input", "first class", "probability", "entropy", "range", *(["misfit"] * told))
    rows = tuple(
        (
            each.name,
            names[each.tops[0]],
            captions.percent(each.probability),
            f"{each.entropy:.1f} bits",
            f"{captions.fixed(each.low, 2)} … {captions.fixed(each.high, 2)}",
            *(["–" if each.misfit is None else captions.fixed(each.misfit, 2)] * told),
        )
        for each in found.trials
    )
    return View(f"{found.advice} {len(rows)} ways tried.", found.advice, table=(head, *rows))


_SIDES = ("left", "right")
_VIEW_FUNCTIONS: dict[str, Callable[[Scene, Any], View]] = {
    "curves": _curves,
    "ranking": _ranking,
    "sanity": _sanity,
    "depths": _depths,
    "pointing": _pointing,
    "input": _input,
}
