"""One number of a feature map followed back to the pixels, and taken apart."""

from __future__ import annotations

import re
from collections.abc import Hashable

import numpy as np

from cnn_widgets.attribution.probe import Progress
from cnn_widgets.experiments.cell_trace import CellTrace, trace_cell
from cnn_widgets.experiments.convolution import Products
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.telling import counted
from cnn_widgets.views import captions
from cnn_widgets.views.overlays import over_photograph
from cnn_widgets.views.view import Mark, View
from cnn_widgets.workbench.answers import SIDE
from cnn_widgets.workbench.experiment import Experiment

#: Products in the table: the largest ones; the others stand in one row.
_SHOWN = 9
_DECIMALS = 5  # of products and sums, so that they can be added up by hand


def _cell(scene: Scene) -> tuple[str, int, int, int]:
    """Return layer, row, column and filter: the newest pinned cell, or the filter's hottest one."""
    if scene.pins:
        layer, row, column = scene.pins[-1]
        if layer == scene.layer.name:
            return layer, row, column, scene.filter
        values = scene.network.activations(scene.sample, layer)[row, column]
        return layer, row, column, int(values.argmax())
    row, column = divmod(int(scene.feature_map.argmax()), scene.feature_map.shape[1])
    return scene.layer.name, row, column, scene.filter


def _asks(scene: Scene) -> Hashable:
    return _cell(scene)


def _traced(scene: Scene, progress: Progress | None) -> CellTrace:
    layer, row, column, number = _cell(scene)
    return trace_cell(scene.network, scene.sample, layer, row, column, number)


def _shown(scene: Scene, found: CellTrace) -> View:
    why = "" if scene.pins else " (no cell is pinned: the filter's largest value)"
    box = found.box
    line = (
        f"{found.layer}, row {found.row}, column {found.column}, filter {found.filter}{why}: "
        f"{captions.number(found.value)}. It sees {box.right - box.left:.0f}×"
        f"{box.bottom - box.top:.0f} pixels"
    )
    if found.silent and found.value == 0:
        line += "; no pixel changes it now, it is the 0 of a ReLU."
    elif found.silent:
        line += "; no pixel changes it now: an activation function there or before is at its limit."
    else:
        line += "."
    parts = [_over_photo(scene, found)]
    if found.products is not None:
        parts += [_steps(found), _products(found.products)]
    else:
        line += f" {found.refused}"
    return View(line, line, parts=tuple(parts))


def _over_photo(scene: Scene, found: CellTrace) -> View:
    photo, colors = over_photograph(scene, scene.sample, found.heatmap, False, SIDE)
    (height, width), box = scene.sample.size, found.box
    left, right = (min(max(each / width, 0.0), 1.0) for each in (box.left, box.right))
    top, bottom = (min(max(each / height, 0.0), 1.0) for each in (box.top, box.bottom))
    alt = (
        "The pixels that change the number, over the photograph; the box is what the cell could "
        f"see. Strongest at {captions.place_in_words(found.heatmap)}."
    )
    caption = "Bright: pixels that change the number · box: what it could see"
    marks = (Mark(left, top, right - left, bottom - top, "first"),)
    return View(alt, caption, colors, under=photo, alpha=0.6, marks=marks)


def _steps(found: CellTrace) -> View:
    rows = [
        (f"{each.layer}: {_readable(each.told)}", captions.fixed(each.value, _DECIMALS))
        for each in found.steps
    ]
    caption = "From the sum to the number"
    return View(f"{caption}.", caption, table=(("step", "value"), *rows))


def _readable(told: str) -> str:
    """Return a step with its numbers rounded, and without a sign after "less" and "plus".

    >>> _readable("less -0.00231357, times -1.21533, plus -5.19595")
    'plus 0.0023136, times −1.2153, less 5.1959'
    """
    opposite = {"less": "plus", "plus": "less"}

    def rounded(match: re.Match[str]) -> str:
        word, value = match[1], float(match[2])
        if value < 0 and word in opposite:
            word, value = opposite[word], -value
        return f"{word} {captions.number(value, 5)}"

    return re.sub(r"(less|times|plus) (-?\d+(?:\.\d+)?(?:e[+-]\d+)?)", rounded, told)


def _products(found: Products) -> View:
    """Return the largest products of the convolution in a table, and the sum of the others."""
    order = np.argsort(-np.abs(found.products), axis=None, kind="stable")
    rows = []
    for flat in order[:_SHOWN]:
        a, b, c = (int(each) for each in np.unravel_index(flat, found.products.shape))
        inside = bool(found.inside[a, b])
        place = f"{found.rows[a]}, {found.columns[b]}" if inside else "padding"
        rows.append((
            f"{place} · channel {found.channels[c]}",
            captions.fixed(float(found.patch[a, b, c]), 4),
            captions.fixed(float(found.kernel[a, b, c]), 4),
            captions.fixed(float(found.products[a, b, c]), _DECIMALS),
        ))  # fmt: skip
    rest = found.products.reshape(-1)[order[_SHOWN:]]
    if len(rest):
        rows.append((f"{len(rest):,} others", "", "", captions.fixed(float(rest.sum()), _DECIMALS)))
    rows.append(("bias", "", "", captions.fixed(found.bias, _DECIMALS)))
    rows.append(("sum", "", "", captions.fixed(found.total, _DECIMALS)))
    rows_, columns = found.products.shape[:2]
    caption = (
        f"What the convolution adds up there: {found.products.size:,} products "
        f"({rows_}×{columns} places, {counted(found.products.shape[2], 'channel')})"
    )
    head = ("place of its input (row, column)", "value", "weight", "product")
    return View(f"{caption}.", caption, table=(head, *rows))


TRACE = Experiment(
    "trace",
    "From one number back to the pixels",
    "One cell of the map of the filter: the pixels that change it, and the numbers that it is the "
    "sum of. Pin a cell by a click on the filter's map.",
    _asks,
    _traced,
    _shown,
)
