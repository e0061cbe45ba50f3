"""Where things stand in a picture of many: tiles in a mosaic or film-strip, layers in a chart."""

from __future__ import annotations

import math
from typing import Any

from numpy.typing import NDArray

from cnn_widgets.auditing import Audit
from cnn_widgets.auditing.selecting import most_confused
from cnn_widgets.drawing.charts import AXES_BOX
from cnn_widgets.drawing.mosaics import grid_shape, tile_size
from cnn_widgets.scenes.scene import Scene

#: Space that the mosaic fills, in pixels; it grows downwards if its tiles would be too small.
_WIDTH, _HEIGHT = 832, 320
#: Least longer side of a tile, in pixels.
LEAST_TILE = 24
#: Width and height of the heads of the confusion table, and of a cell, in widths of a letter.
MATRIX_HEADS, MATRIX_CELL = (14.0, 8.0), (3.2, 1.9)
#: Up to so many labels it shows all of them.
MOST_LABELS = 16
#: Pictures of the film-strip in one row.
_STRIP_COLUMNS = 9


def grid(scene: Scene) -> tuple[int, int, int]:
    """Return rows, columns and the longer side of a tile, in pixels, of the mosaic."""
    shape = int(scene.layer.shape[0] or 1), int(scene.layer.shape[1] or 1)
    height, width = (max(side, max(shape) / 8) for side in shape)  # as `tile_size` draws them
    count = len(scene.filter_choice.shown)
    rows, columns = grid_shape(count, _WIDTH / _HEIGHT * height / width)
    cell = int(min(_WIDTH / columns / width, _HEIGHT / rows / height) * max(height, width)) - 1
    if cell >= LEAST_TILE:
        return rows, columns, cell
    columns = min(count, (_WIDTH + 1) // (tile_size(shape, LEAST_TILE)[1] + 1))
    return math.ceil(count / columns), columns, LEAST_TILE


def shown_confusion(found: Audit) -> tuple[tuple[str, ...], tuple[str, ...], NDArray[Any]]:
    """Return the labels, the answers and the counts of the confusion table that is shown."""
    return most_confused(found, MOST_LABELS)


def confusion_cell(found: Audit, x: float, y: float) -> tuple[str, str]:
    """Return the label and the answer at a place of the confusion table; "" in its heads."""
    labels, answers, _ = shown_confusion(found)
    row, column = (
        math.floor((share * (head + cell * count) - head) / cell)
        for share, head, cell, count in (
            (y, MATRIX_HEADS[1], MATRIX_CELL[1], len(labels)),
            (x, MATRIX_HEADS[0], MATRIX_CELL[0], len(answers)),
        )
    )
    return (
        labels[min(row, len(labels) - 1)] if row >= 0 else "",
        answers[min(column, len(answers) - 1)] if column >= 0 else "",
    )


def strip_grid(scene: Scene) -> tuple[int, int, tuple[str, ...]]:
    """Return rows, columns and the layers, in the order they run, of the film-strip."""
    if scene.strip_of == "evidence" and scene.has_strip:
        names = tuple(str(each.layer) for each in scene.film_strip)
    else:
        names = tuple(info.name for info in scene.layers)
    columns = min(_STRIP_COLUMNS, len(names))
    return math.ceil(len(names) / columns), columns, names


def depth_place(scene: Scene) -> float | None:
    """Return where the layer browsed stands in the chart of silent filters.

    A share of the chart's width; None if the chart does not have the layer.
    """
    names = [name for name, _, _ in scene.silent_shares]
    if scene.layer.name not in names:
        return None
    share = (names.index(scene.layer.name) + 1) / (len(names) + 1)
    return AXES_BOX[0] + share * AXES_BOX[2]


def depth_layer(scene: Scene, x: float) -> str:
    """Return the layer at a place of the chart of silent filters, a share of its width."""
    names = [name for name, _, _ in scene.silent_shares]
    place = (x - AXES_BOX[0]) / AXES_BOX[2] * (len(names) + 1) - 1
    return names[min(max(round(place), 0), len(names) - 1)]
