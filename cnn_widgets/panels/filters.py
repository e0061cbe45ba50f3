"""Panels of the layer browsed: one filter's map, all maps as a mosaic, silent filters by depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_widgets.drawing import mosaics
from cnn_widgets.drawing.color import colorize
from cnn_widgets.drawing.mosaics import CONSTANT_COLOR, grid_shape, tile_size
from cnn_widgets.panels import captions
from cnn_widgets.panels.evaluation_panels import style_axes
from cnn_widgets.panels.view import View
from cnn_widgets.records import Floats, Pixels
from cnn_widgets.scenes.scene import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Space that the mosaic fills, in pixels.
_MOSAIC_WIDTH, _MOSAIC_HEIGHT = 832, 320


def feature_map(scene: Scene) -> View:
    """Return the map of the selected filter in its own resolution, with colour bar and numbers."""
    values = scene.feature_map
    low, high = _range(scene, values)
    dead = bool(values.max() == values.min())
    picture = _colored(values, low, high, scene.filter_colormap)
    if dead:
        picture = np.full_like(picture, CONSTANT_COLOR)
    state = "silent: one value everywhere · " if dead else ""
    caption = f"{state}{captions.numbers(values)}"
    where = "" if dead else f" Strongest at {captions.place_in_words(values)}."
    alt = f"Filter {scene.filter} of {scene.layer.name} on {scene.image}: {caption}.{where}"
    return View(alt, caption, picture, exact=True, bar=(scene.filter_colormap, low, high))


def mosaic(scene: Scene) -> View:
    """Return the maps of all filters of the layer in one picture; `frame` marks the selected."""
    _, columns, cell = _grid(scene)
    picture = mosaics.mosaic(
        scene.activations, scene.scale, scene.filter_colormap, columns=columns, cell=cell, gap=1
    )
    count, flat = scene.layer.filters, scene.flat_filters
    dead = f"{flat} are one value everywhere (grey)" if flat else "none is flat"
    ranged = "each scaled by itself" if scene.scale == "filter" else "one scale for all"
    silent = next((s for name, _, s in scene.silent_shares if name == scene.layer.name), None)
    after = "" if silent is None else f"; {captions.percent(silent)} silent after the activation"
    caption = (
        f"{count} filters of {scene.layer.shape[1]}×{scene.layer.shape[0]}, {ranged}; {dead}{after}"
    )
    return View(
        f"All filters of {scene.layer.name} on {scene.image}: {caption}.",
        caption,
        picture,
        aspect=_aspect(scene),
    )


def frame(scene: Scene) -> View:
    """Return the frame around the selected filter, shown over the mosaic."""
    rows, columns, _ = _grid(scene)
    row, column = divmod(scene.filter, columns)
    return View(
        f"Filter {scene.filter} is in row {row + 1}, column {column + 1}.",
        frame=(column / columns, row / rows, 1 / columns, 1 / rows),
        aspect=_aspect(scene),
    )


def depth(scene: Scene) -> View:
    """Return a chart of the share of filters silent on this photograph, layer by layer."""
    known = [(i, s) for i, (_, _, s) in enumerate(scene.silent_shares) if s is not None]
    names = [name for name, _, _ in scene.silent_shares]
    here = names.index(scene.layer.name) if scene.layer.name in names else None
    if not known:
        line = "No layer here has an activation that could silence a filter."
        return View(line, line, chart=lambda axes: axes.set_axis_off())
    third = max(1, len(known) // 3)
    early, late = (float(np.mean([s for _, s in part])) for part in (known[:third], known[-third:]))
    line = (
        f"silent filters: {captions.percent(early)} in the first third of the depth, "
        f"{captions.percent(late)} in the last"
    )
    marked = dict(known).get(here) if here is not None else None
    if marked is not None:
        line += f"; {scene.layer.name} {captions.percent(marked)}"
    return View(
        f"Share of silent filters by depth on {scene.image}: {line}.",
        line,
        chart=lambda axes: _draw_depth(axes, known, len(names)),
        key=("depth", len(names), tuple(known)),
        marker=None if here is None else (here + 1) / (len(names) + 1),
    )


def _range(scene: Scene, values: Floats) -> tuple[float, float]:
    """Return the values at the two ends of the colour bar, according to `Scene.scale`."""
    shown = scene.activations if scene.scale == "layer" else values
    return float(shown.min()), float(shown.max())


def _colored(values: Floats, low: float, high: float, colormap: str) -> Pixels:
    span = high - low if high > low else 1.0
    return colorize((values - low) / span, colormap)


def _grid(scene: Scene) -> tuple[int, int, int]:
    """Return rows, columns and the longer side of a tile, in pixels, that fill the mosaic."""
    height, width, count = (int(n or 1) for n in scene.layer.shape)
    aspect = _MOSAIC_WIDTH / _MOSAIC_HEIGHT * height / width
    rows, columns = grid_shape(count, aspect)
    per_tile = min(_MOSAIC_WIDTH / columns / width, _MOSAIC_HEIGHT / rows / height)
    return rows, columns, max(4, int(per_tile * max(height, width)) - 1)


def _aspect(scene: Scene) -> float:
    """Return the width of the mosaic divided by its height."""
    rows, columns, cell = _grid(scene)
    height, width = scene.activations.shape[:2]
    tile = tile_size((height, width), cell)
    return (columns * (tile[1] + 1) - 1) / (rows * (tile[0] + 1) - 1)


def _draw_depth(axes: Axes, known: list[tuple[int, float]], count: int) -> None:
    """Draw the bars of `depth` on Matplotlib axes; `known` has (layer number, share) pairs."""
    places = [i for i, _ in known]
    axes.bar(places, [100 * share for _, share in known], color="#5b9bd5", width=0.8)
    axes.set_xlim(-1, count)
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 50, 100], ["0", "50", "100 %"])
    axes.set_xticks([0, count - 1], ["first layer", "last layer"])
    first, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")  # centred labels would be cut off at the edges
    last.set_horizontalalignment("right")
    style_axes(axes)
