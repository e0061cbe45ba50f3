"""The panels: each is a function from a `Scene` to a `View`, and one line in `PANELS`.

A panel names the traits it `reads`; the explorer draws it again when one of them changes. `html`
turns a `View` into HTML for the page, `figure` draws it on Matplotlib axes. The
opacity of the heat-maps is a CSS rule of the page, so moving its slider redraws none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.drawing import mosaics
from cnn_widgets.drawing.color import colorize, diverging_colormap, resize, stretched
from cnn_widgets.drawing.mosaics import CONSTANT_COLOR, grid_shape, tile_size
from cnn_widgets.explorer import captions
from cnn_widgets.explorer.evaluation_panels import evaluation, style_axes
from cnn_widgets.explorer.scene import Scene
from cnn_widgets.explorer.view import View
from cnn_widgets.images.resizing import cached_thumbnail
from cnn_widgets.records import Floats, Pixels

if TYPE_CHECKING:
    from matplotlib.axes import Axes


#: Longer side of the photographs and heat-maps sent to the page, in pixels.
PICTURE = 448
#: Space that the mosaic fills, in pixels.
_MOSAIC_WIDTH, _MOSAIC_HEIGHT = 832, 320


@dataclass(frozen=True)
class Panel:
    """One panel: its name, its title, the traits it reads, and the function that makes its view.

    `follows`: it also reads the trait `layer` while `cam_layer` is "follow".
    `opened_by`: the Bool trait of the fold it is in, or ""; in a closed fold it is not drawn.
    """

    name: str
    title: str
    reads: frozenset[str]
    view: Callable[[Scene], View]
    follows: bool = False
    opened_by: str = ""


def original(scene: Scene) -> View:
    """Return the photograph as it was given, with other pictures that go in beside it."""
    height, width = scene.sample.size
    alt = f"The photograph {scene.image}, {width} by {height} pixels."
    caption = f"{scene.image} · {width}×{height}"
    beside = scene.network.pictures_beside(scene.sample)
    if not beside:
        return View(alt, caption, cached_thumbnail(scene.sample, PICTURE))
    own, listed = scene.network.model_input.name, ", ".join(beside)
    row = mosaics.side_by_side(
        [cached_thumbnail(each, PICTURE) for each in (scene.sample, *beside.values())]
    )
    alt = f"{alt} It goes into {own}; beside it {listed}."
    return View(alt, f"{own} (explained), {listed}", row)


def network_input(scene: Scene) -> View:
    """Return the preprocessed input, its range stretched from black to white."""
    x = scene.input_tensor
    bands, many = list(scene.sample.bands), x.shape[2] not in (1, 3)
    # bands of different kinds have no range in common
    picture = stretched(x[..., bands], each=True) if many else stretched(x)
    low, high = float(x.min()), float(x.max())
    caption = (
        f"{x.shape[1]}×{x.shape[0]}×{x.shape[2]} · min {captions.number(low)} · "
        f"mean {captions.number(float(x.mean()))} · max {captions.number(high)}"
    ) + (f" · channels {', '.join(map(str, bands))} shown" if many else "")
    return View(f"What the network sees of {scene.image}: {caption}.", caption, picture)


def overlay(scene: Scene) -> View:
    """Return the heat-map of the class explained over the photograph."""
    found, method = scene.attribution, METHODS[scene.method]
    if found is None:
        line = f"{method.title} takes {method.cost}: press Compute."
        return View(
            f"The photograph {scene.image}. {line}", line, cached_thumbnail(scene.sample, PICTURE)
        )
    under = cached_thumbnail(scene.sample, PICTURE)
    picture = _colors_over(under, scene, found.heatmap, found.signed)
    where = f"at {found.layer}" if found.layer else "at the input"
    alt = f"{method.title} {where} over {scene.image}. {captions.evidence(found)}"
    low, high = ("against", "for") if found.signed else ("little", "much")
    colors = diverging_colormap(scene.colormap) if found.signed else scene.colormap
    legend = (colors, low, method.reads, high)
    line = captions.short_evidence(found)
    return View(alt, line, picture, under=under, alpha=scene.alpha, legend=legend)


def ground(scene: Scene) -> View:
    """Return the photograph shown under the heat-map."""
    return View("", picture=cached_thumbnail(scene.sample, PICTURE))


def predictions(scene: Scene) -> View:
    """Return the list of the five most likely classes."""
    chosen = scene.chosen.class_index
    listed = "; ".join(captions.with_probability(p) for p in scene.predictions)
    rows = tuple(
        (p.name, p.probability, p.score, p.class_index == chosen) for p in scene.predictions
    )
    caption = ""
    if chosen not in [p.class_index for p in scene.predictions]:
        score = captions.number(scene.chosen.score)
        caption = f"explained: {captions.with_probability(scene.chosen)}, score {score}"
    return View(f"The most likely classes of {scene.image}: {listed}.", caption, rows=rows)


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


def pairs(scene: Scene) -> View:
    """Return every photograph with its heat-map, each for its own most likely class."""
    if not scene.pairs:
        return View("The gallery of all photographs is closed.")
    if METHODS[scene.method].slow:
        return View(f"{METHODS[scene.method].title} is computed for one photograph at a time.")
    found = []
    for name, sample in scene.samples.items():
        attribution = scene.attribution_of(sample, None)
        photo = cached_thumbnail(sample, 224)
        shown = _colors_over(photo, scene, attribution.heatmap, attribution.signed)
        line = f"{name}: {attribution.class_name} ({captions.percent(attribution.probability)})"
        found.append((line, photo, shown, f"{name}. {captions.evidence(attribution)}"))
    alt = f"Original and heat-map of {len(found)} photographs."
    return View(alt, pairs=tuple(found), alpha=scene.alpha)


def card(scene: Scene) -> View:
    """Return what the method computes, how to read its map, and its caveat."""
    method = METHODS[scene.method]
    terms = (
        ("method", method.title),
        ("map", method.equation),
        ("where", f"Y is the class's {_Y_TEXT[scene.target]}, A the layer, x the input"),
        ("read it so", method.reads),
        ("cost", method.cost),
        ("beware", method.caveat),
        ("paper", method.paper),
    )
    return View(f"{method.title}: {method.equation}. {method.reads}.", terms=terms)


_Y_TEXT = {"logit": "score before the softmax", "probability": "probability, after the softmax"}
# Traits that panels read. `alpha` is read only where the opacity is drawn into the pictures.
_INPUT_TRAITS = frozenset({"image", "network", "fit"})
_CLASS_TRAITS = {"class_index", "versus", "counter", "method", "target", "cam_layer"}
_MAP_TRAITS = _INPUT_TRAITS | _CLASS_TRAITS | {"colormap"}
_PAIRS_TRAITS = _MAP_TRAITS - {"image", "class_index", "versus", "counter"} | {"pairs", "pictures"}
_TRUST_TRAITS = _MAP_TRAITS | {"alpha", "trust", "instrument", "baseline", "ranked"}
_FILTER_TRAITS = _INPUT_TRAITS | {"layer", "scale", "filter_colormap"}
PANELS: dict[str, Panel] = {
    panel.name: panel
    for panel in (
        Panel("original", "Photograph", frozenset({"image", "network"}), original),
        Panel("ground", "", frozenset({"image"}), ground),
        Panel("overlay", "Evidence for the class", _MAP_TRAITS, overlay, follows=True),
        Panel("predictions", "What the network says", _INPUT_TRAITS | {"class_index"}, predictions),
        Panel("input", "What the network sees", _INPUT_TRAITS, network_input),
        Panel("filter", "The selected filter", _FILTER_TRAITS | {"filter"}, feature_map),
        Panel("mosaic", "All filters of the layer", _FILTER_TRAITS, mosaic),
        Panel("frame", "", frozenset({"image", "network", "layer", "filter"}), frame),
        Panel("depth", "Silent filters by depth", _INPUT_TRAITS | {"layer"}, depth),
        Panel("card", "About the method", frozenset({"method", "target", "network"}), card),
        Panel("trust", "Can this map be trusted?", _TRUST_TRAITS, evaluation, True, "trust"),
        Panel("pairs", "All photographs", _PAIRS_TRAITS, pairs, True, "pairs"),
    )
}


def _colors_over(photo: Pixels, scene: Scene, heat: Floats, signed: bool) -> Pixels:
    """Return a heat-map (h, w) as colours (H, W, 3), in the size of the photograph under it."""
    values = resize(heat, (photo.shape[0], photo.shape[1]))
    name = diverging_colormap(scene.colormap) if signed else scene.colormap
    return colorize(values, name, signed)


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
