"""Which filters of a layer speak for the class, by four measures, in a table and in bars."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_widgets.drawing.charts import HERE, INK, OTHERS, style_axes
from cnn_widgets.drawing.mosaics import mosaic
from cnn_widgets.experiments.voting import MEASURES, Votes
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions
from cnn_widgets.views.view import View
from cnn_widgets.workbench.experiment import (
    Experiment,
    Lead,
    asked_of_votes,
    effects_are_quick,
    measured_votes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: What the measures are called.
NAMES = {
    "effect": "true effect",
    "weight": "Grad-CAM weight",
    "contribution": "weight × activation",
    "activation": "mean activation",
}
_SHOWN = 10  # filters in the table and the chart
_LISTED = 100  # filters that can be chosen from the list
_TILE = 96  # longer side of a filter's map, in pixels


def _shown(scene: Scene, found: Votes) -> View:
    """Return the filters with the largest values of the chosen measure."""
    by = scene.bench.measure
    ranking = [int(k) for k in found.ranking(by)]
    against = int((np.asarray(getattr(found, by)) < 0).sum())
    asked = found.class_name
    if found.versus is not None:
        asked += f" rather than {scene.network.class_names[found.versus]}"
    cost = f"measured in {found.passes:,} passes" if found.passes else "exact, from one gradient"
    line = (
        f"{found.layer} votes for {asked}: most by filter {ranking[0]} ({NAMES[by]} "
        f"{captions.number(float(getattr(found, by)[ranking[0]]))})"
        f"{f', {against} of {len(ranking)} filters against it' if by != 'activation' else ''}. "
        f"The true effects are {cost}."
    )
    first = ranking[:_SHOWN]
    listed = "filters" if len(first) > 1 else "filter"
    records = {each["filter"]: each for each in found.records(by)}
    columns = [captions.column([records[k][name] for k in first]) for name in MEASURES]
    rows = list(zip(map(str, first), *columns, strict=True))
    table = View(
        f"The {len(first)} {listed} with the largest {NAMES[by]}.",
        f"The {len(first)} {listed} with the largest {NAMES[by]}",
        table=(("filter", *(NAMES[name] for name in MEASURES)), *rows),
    )
    values = [(k, float(getattr(found, by)[k])) for k in (*first, *ranking[-3:])]
    bars = View(
        f"Bars of the {NAMES[by]} of filters {', '.join(map(str, first))}, and of the last three.",
        f"{NAMES[by]}: the first {len(first)} and the last 3",
        chart=lambda axes: _draw_bars(axes, values, len(first), NAMES[by]),
        key=("votes", by, tuple(values)),
    )
    size = min(len(first), 5)
    tiles = mosaic(scene.activations, scene.scale, scene.filter_colormap, size, _TILE,
                   shown=np.array(first))  # fmt: skip
    alt = f"The maps of filters {', '.join(map(str, first))}, in this order."
    maps = View(alt, "Their maps on this photograph, in that order", tiles)
    return View(f"{line} {_agreement(found)}", f"{line} {_agreement(found)}",
                parts=(table, bars, maps))  # fmt: skip


def _agreement(found: Votes) -> str:
    """Return how well the other measures rank the filters as their true effects do."""
    row = found.agreement[tuple(MEASURES).index("effect")]
    told = [
        f"{NAMES[name]} {captions.fixed(float(value), 2)}"
        for name, value in zip(MEASURES, row, strict=True)
        if name != "effect" and value == value
    ]
    return f"Rank correlation with the true effects: {', '.join(told)}." if told else ""


def _draw_bars(axes: Axes, values: list[tuple[int, float]], first: int, name: str) -> None:
    places = [*range(first), *(first + 0.6 + n for n in range(len(values) - first))]
    colors = [HERE if n < first else OTHERS[0] for n in range(len(values))]
    axes.barh(places, [value for _, value in values], color=colors)
    axes.set_yticks(places, [str(k) for k, _ in values])
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.invert_yaxis()
    style_axes(axes, f"number of the filter, and its {name}")


def _leads(scene: Scene, found: Votes) -> list[Lead]:
    by = scene.bench.measure
    values = getattr(found, by)
    return [
        (f"{rank}. filter {k}: {captions.number(float(values[k]))}", {"filter": int(k)})
        for rank, k in enumerate(found.ranking(by)[:_LISTED], 1)
    ]


VOTES = Experiment(
    "votes",
    "Who votes for the class",
    "Every filter of the layer by its true effect (what silencing it costs the class), by its "
    "Grad-CAM weight, by weight × activation, and by its activation. Choosing one shows it above.",
    asked_of_votes,
    measured_votes,
    _shown,
    ("measure",),
    "Silence each filter",
    effects_are_quick,
    _leads,
)
