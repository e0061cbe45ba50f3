"""Panels of the layer browsed: one filter's map, all maps as a mosaic, silent filters by depth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.drawing import mosaics
from cnn_widgets.drawing.charts import style_axes
from cnn_widgets.drawing.color import colorize, resize
from cnn_widgets.drawing.mosaics import CONSTANT_COLOR, tile_pictures
from cnn_widgets.images.resizing import cached_thumbnail, visible_window
from cnn_widgets.panels.places import grid, strip_grid
from cnn_widgets.records import Floats, Pixels
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.telling import counted
from cnn_widgets.views import captions
from cnn_widgets.views.overlays import blended
from cnn_widgets.views.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Longer side of a picture of the film-strip, and height of the line under it, in pixels; of a
#: photograph that is smaller, both are.
STRIP_TILE, LABEL = 112, 18
#: In the chart of so many layers each stands far from the chart's sides.
_FEW = 6


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
    """Return the maps of the filters shown in one picture; the panel `frame` marks the selected."""
    _, columns, cell = grid(scene)
    choice = scene.filter_choice
    picture = mosaics.mosaic(
        scene.activations, scene.scale, scene.filter_colormap, columns, cell, shown=choice.shown
    )
    count, flat = scene.layer.filters, scene.flat_filters
    all_of_them = f"all {count} filters" if count > 1 else "the only filter"
    part = len(choice.shown) < count
    many = f"{len(choice.shown)} of {count} filters" if part else all_of_them
    verb = "is" if flat == 1 else "are"
    dead = f"{flat} of {count} {verb} one value everywhere (grey)" if flat else "none is flat"
    ranged = "each scaled by itself" if scene.scale == "filter" else "one scale for all"
    silent = next((s for name, _, s in scene.silent_shares if name == scene.layer.name), None)
    after = "" if silent is None else f"; {captions.percent(silent)} silent after the activation"
    caption = (
        f"{many} of {scene.layer.shape[1]}×{scene.layer.shape[0]}, {choice.told}; "
        f"{ranged}; {dead}{after}"
    )
    return View(f"Filters of {scene.layer.name} on {scene.image}: {caption}.", caption, picture)


def depth(scene: Scene) -> View:
    """Return a chart of the share of filters silent on this photograph, layer by layer."""
    known = [(i, s) for i, (_, _, s) in enumerate(scene.silent_shares) if s is not None]
    names = [name for name, _, _ in scene.silent_shares]
    if not known:
        line = "No layer here has an activation that could silence a filter."
        return View(line, line, chart=lambda axes: axes.set_axis_off())
    line = f"silent filters: {_silent_in_words(scene, [(names[i], s) for i, s in known])}"
    return View(
        f"Share of silent filters by depth on {scene.image}: {line}.",
        line,
        chart=lambda axes: _draw_depth(axes, known, len(names)),
        key=("depth", len(names), tuple(known)),
    )


def _silent_in_words(scene: Scene, known: list[tuple[str, float]]) -> str:
    """Return the silent shares of some layers; of three or more, of the first and last third."""
    third = len(known) // 3
    if not third:
        return ", ".join(f"{name} {captions.percent(share)}" for name, share in known)
    early, late = (float(np.mean([s for _, s in part])) for part in (known[:third], known[-third:]))
    line = (
        f"{captions.percent(early)} in the first third of the depth, {captions.percent(late)} in "
        "the last"
    )
    here = dict(known).get(scene.layer.name)
    return line if here is None else f"{line}; {scene.layer.name} {captions.percent(here)}"


def strip(scene: Scene) -> View:
    """Return the map at every layer in one picture, from the input to the scores."""
    if not scene.strip:
        return View("The film-strip is closed.")
    rows, columns, names = strip_grid(scene)
    photo = cached_thumbnail(scene.sample, STRIP_TILE)
    pictures = [photo] * len(names)
    if scene.strip_of == "activation":
        pictures = [
            colorize(scaled_map(_on_photograph(scene, name, photo.shape)), scene.filter_colormap)
            for name in names
        ]
        line = f"Mean activation at {counted(len(names), 'layer')}, from the input to the scores."
    elif not scene.has_strip:
        method = METHODS[scene.method]
        slow = "takes too long for every layer: choose a quick class activation map."
        other = "looks at the input, not at a layer: choose a class activation map."
        line = f"{method.title} {slow if method.at == 'layer' else other}"
    else:
        pictures = [blended(scene, each, STRIP_TILE) for each in scene.film_strip]
        line = (
            f"{METHODS[scene.method].title} for {scene.chosen.name} at "
            f"{counted(len(names), 'layer')}, from the input to the scores."
            f"{captions.empty_layers(scene.film_strip)}"
        )
    below = max(1, round(LABEL * max(photo.shape[:2]) / STRIP_TILE))  # a small one is enlarged
    return View(line, line, tile_pictures(pictures, rows, columns, below))


def _on_photograph(scene: Scene, layer: str, shape: tuple[int, ...]) -> Floats:
    """Return a layer's mean activation as a map in the size of a small photograph (H, W, 3)."""
    mean = scene.network.activations(scene.sample, layer).mean(axis=-1)
    field, size = scene.network.field(layer), scene.sample.size
    window = visible_window(size, field.size, scene.sample.fit or scene.network.fit)
    return resize(field.lay(mean, size, window), (shape[0], shape[1]))


def scaled_map(values: Floats) -> Floats:
    """Return a map scaled linearly to [0, 1]; zero if it is one value everywhere."""
    low, high = float(values.min()), float(values.max())
    return np.asarray((values - low) / ((high - low) or 1.0), np.float32)


def _range(scene: Scene, values: Floats) -> tuple[float, float]:
    """Return the values at the two ends of the colour bar, according to `Scene.scale`."""
    shown = scene.activations if scene.scale == "layer" else values
    return float(shown.min()), float(shown.max())


def _colored(values: Floats, low: float, high: float, colormap: str) -> Pixels:
    span = high - low if high > low else 1.0
    return colorize((values - low) / span, colormap)


def _draw_depth(axes: Axes, known: list[tuple[int, float]], count: int) -> None:
    """Draw the bars of `depth` on Matplotlib axes; `known` has (layer number, share) pairs."""
    places = [i for i, _ in known]
    axes.bar(places, [100 * share for _, share in known], color="#5b9bd5", width=0.8)
    axes.set_xlim(-1, count)
    axes.set_ylim(0, 100)
    axes.set_yticks([0, 50, 100], ["0", "50", "100 %"])
    axes.set_xticks(*_ends(count))
    style_axes(axes)
    if count <= _FEW:  # there is room on both sides, and little between them
        for label in axes.get_xticklabels():
            label.set_horizontalalignment("center")


def _ends(count: int) -> tuple[list[int], list[str]]:
    """Return where the chart of so many layers has words below it, and which."""
    if count == 1:
        return [0], ["the only layer"]
    return [0, count - 1], ["first layer", "last layer"]
