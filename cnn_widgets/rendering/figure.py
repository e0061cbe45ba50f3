"""The present view as one Matplotlib figure, made without pyplot and its global state."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cnn_widgets.attribution.regions import Brush, region_mask
from cnn_widgets.panels.table import COVERS, PANELS, title_of
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions
from cnn_widgets.views.view import Mark, View

_LAYOUT = [["original", "overlay", "predictions", "input"], ["filter", "mosaic", "mosaic", "depth"]]
_PAIRS_PER_ROW = 4
_MARK_COLORS = {"first": "#00b7c7", "second": "#d55ee0", "region": "#ffd23f"}


def to_figure(scene: Scene, width: float = 14.0) -> Figure:
    """Return the panels of the page as a figure, with all photographs below if that fold is open.

    Parameters
    ----------
    scene : Scene
    width : float
        Width of the figure in inches; the height follows.
    """
    pairs = PANELS["pairs"].view(scene).flat().pairs
    rows = math.ceil(len(pairs) / _PAIRS_PER_ROW)
    height = width * 0.55
    figure = Figure(figsize=(width, height + rows * width * 0.14), layout="constrained")
    if pairs:
        parts: Any = figure.subfigures(2, 1, height_ratios=[height, rows * width * 0.14])
        upper: Any = parts[0]
        _draw_pairs(parts[1], pairs, rows)
    else:
        upper = figure
    for name, axes in upper.subplot_mosaic(_LAYOUT).items():
        panel = PANELS[name]
        marked = PANELS[COVERS[name]].view(scene).marks if name in COVERS else ()
        layers = [each for each, _, _ in scene.silent_shares]
        here = layers.index(scene.layer.name) if scene.layer.name in layers else None
        _draw(axes, panel.view(scene).flat(), marked, here)
        axes.set_title(title_of(name, scene), fontsize=10, parse_math=False)
    figure.suptitle(_wrapped(captions.subject(scene), 150), fontsize=11, parse_math=False)
    return figure


def _draw_pairs(figure: Any, pairs: tuple[Any, ...], rows: int) -> None:
    places = figure.subplots(rows, 2 * _PAIRS_PER_ROW, squeeze=False).ravel()
    for axes in places:
        axes.set_axis_off()
    for index, (title, left, ((right, _), *_)) in enumerate(pairs):
        places[2 * index].imshow(left)
        places[2 * index + 1].imshow(right)
        places[2 * index].set_title(_wrapped(title, 34), fontsize=7, loc="left", parse_math=False)


def _draw(axes: Axes, view: View, marked: tuple[Mark, ...], here: int | None) -> None:
    if view.rows:
        _draw_rows(axes, view)
    elif view.chart is not None:
        view.chart(axes)
        if here is not None:
            axes.axvline(here, color="#e8743b", linestyle=":")
    elif view.picture is not None:
        axes.imshow(view.picture, interpolation="nearest" if view.exact else "antialiased")
        axes.set_xticks([])
        axes.set_yticks([])
        if view.legend:
            colormap, low, _, high = view.legend
            colors = ScalarMappable(Normalize(0, 1), colormap)
            bar = axes.figure.colorbar(colors, ax=axes, orientation="horizontal", fraction=0.04,
                                       pad=0.02, ticks=[0, 1])  # fmt: skip
            bar.ax.set_xticklabels([low, high], fontsize=7)
        if view.bar:
            colors = ScalarMappable(Normalize(view.bar[1], view.bar[2]), view.bar[0])
            axes.figure.colorbar(colors, ax=axes, fraction=0.046)
        height, width = view.picture.shape[:2]
        for mark in marked:
            if mark.painted:
                _draw_strokes(axes, *mark.painted, width, height)
                continue
            corner = (mark.left * width - 0.5, mark.top * height - 0.5)
            color = _MARK_COLORS.get(mark.kind, "#ff3b30")
            size = (mark.width * width, mark.height * height)
            axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=color, linewidth=1.5))
    axes.set_xlabel(_wrapped(view.caption), fontsize=7, parse_math=False)


def _draw_strokes(
    axes: Axes, radius: float, aspect: float, strokes: Any, width: int, height: int
) -> None:
    """Draw the edge of what was painted over a picture of this size."""
    scaled = [[(x * width, y * height) for x, y in stroke] for stroke in strokes]
    brush = Brush(radius * width, tuple(tuple(stroke) for stroke in scaled))
    painted = region_mask(brush, (height, width))
    if painted.any() and not painted.all():
        axes.contour(painted, [0.5], colors=_MARK_COLORS["region"], linewidths=1.5)


def _wrapped(text: str, width: int = 60) -> str:
    lines = [""]
    for word in text.split(" "):
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _draw_rows(axes: Axes, view: View) -> None:
    shares = [row[1] if np.isfinite(row[1]) else 0.0 for row in view.rows]
    colors = ["#e8743b" if row[3] else "#5b9bd5" for row in view.rows]
    axes.barh(range(len(shares)), shares, color=colors)
    for line, (name, probability, score, _) in enumerate(view.rows):
        text = f"{name}  {captions.percent(probability)}  (score {captions.number(score)})"
        axes.text(0.01, line - 0.52, text, fontsize=8, va="center", parse_math=False)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(shares) - 0.4, -0.8)
    axes.set_yticks([])
