"""What is at a place of a picture, in words.

A place is given as shares (x, y) of a picture's sides, each in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable

from cnn_widgets.images.resizing import visible_window
from cnn_widgets.panels.audit_panels import about_cell
from cnn_widgets.panels.places import confusion_cell, depth_layer, grid, strip_grid
from cnn_widgets.scenes.filter_choice import peaks
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.selection import audited
from cnn_widgets.views import captions


def describe(scene: Scene, picture: str, x: float, y: float) -> str:
    """Return in words what is at a place of a picture; "" where there is nothing.

    Parameters
    ----------
    scene : Scene
    picture : {"photo", "filter", "mosaic", "depth", "strip", "confusion"}
    x, y : float
    """
    if not (0 <= x <= 1 and 0 <= y <= 1) or picture not in _DESCRIBE:
        return ""
    return _DESCRIBE[picture](scene, x, y)


def pixel_at(scene: Scene, x: float, y: float) -> tuple[float, float]:
    """Return a place on the face that is shown in pixels (across, down) of the photograph."""
    height, width = scene.sample.size
    top, left = 0, 0
    if scene.face == "input":
        fit = scene.sample.fit or scene.network.fit
        top, left, height, width = visible_window(scene.sample.size, scene.network.input_size, fit)
    return left + x * width, top + y * height


def _photo(scene: Scene, x: float, y: float) -> str:
    across, down = pixel_at(scene, x, y)
    height, width = scene.sample.size
    if not (0 <= across <= width and 0 <= down <= height):
        return "beside the photograph"
    column, row = min(int(across), width - 1), min(int(down), height - 1)
    line = f"pixel {column}, {row}"
    if scene.face == "input":
        tall, wide = scene.input_tensor.shape[:2]
        values = scene.input_tensor[min(int(y * tall), tall - 1), min(int(x * wide), wide - 1)]
        listed = ", ".join(captions.number(float(each)) for each in values[:4])
        return f"{line}\nthe network is given {listed}{' …' * (len(values) > 4)}"
    found = scene.attribution
    if scene.face == "photograph" or found is None:
        red, green, blue = scene.sample.pixels[row, column]
        return f"{line}\nred {red}, green {green}, blue {blue}"
    share = captions.percent(abs(float(found.heatmap[row, column])))
    side = "against" if found.heatmap[row, column] < 0 else "for"
    whole = "its range" if found.ranged else "the maximum"
    line += f"\nevidence {side} {found.class_name}: {share} of {whole}"
    if found.layer:
        cell = scene.network.cell_at(found.layer, across, down, scene.sample)
        line += f"\ncell {cell[0]}, {cell[1]} of {found.layer}: "
        line += captions.number(float(found.raw[cell]))
    return line


def cell_at(scene: Scene, x: float, y: float) -> tuple[int, int]:
    """Return the cell (row, column) of the filter's map at a place of its picture."""
    rows, columns = scene.activations.shape[:2]
    return min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)


def _filter(scene: Scene, x: float, y: float) -> str:
    row, column = cell_at(scene, x, y)
    box = scene.network.receptive_field(scene.layer.name, row, column, scene.sample)
    value = captions.number(float(scene.feature_map[row, column]))
    return (
        f"cell {row}, {column}: {value}\nsees columns {box.left:.0f} to {box.right:.0f}, rows "
        f"{box.top:.0f} to {box.bottom:.0f} of the photograph"
    )


def tile_at(scene: Scene, x: float, y: float) -> int | None:
    """Return the filter whose tile is at a place of the mosaic, or None beside the last tile."""
    rows, columns, _ = grid(scene)
    place = min(int(y * rows), rows - 1) * columns + min(int(x * columns), columns - 1)
    shown = scene.filter_choice.shown
    return int(shown[place]) if place < len(shown) else None


def about_filter(scene: Scene, index: int) -> str:
    """Return a filter's number, its largest value, and what it adds to the evidence, if known.

    That is known while the filters are ordered by their weight for the class.
    """
    line = f"filter {index} · maximum {captions.number(float(peaks(scene.activations)[index]))}"
    if scene.filter_order == "weight" and not isinstance(scene.filter_weights, str):
        of = "" if scene.target == "logit" else " of the probability"
        line += f" · {captions.question(scene)}{of}: "
        line += captions.number(float(scene.filter_weights[index]))
    return line


def _mosaic(scene: Scene, x: float, y: float) -> str:
    index = tile_at(scene, x, y)
    return "" if index is None else about_filter(scene, index)


def _depth(scene: Scene, x: float, y: float) -> str:
    name = depth_layer(scene, x)
    share = next(share for layer, _, share in scene.silent_shares if layer == name)
    if share is None:
        return f"{name}: no activation function, so no filter can be silent"
    return f"{name}: {captions.percent(share)} of the filters are silent"


def strip_layer(scene: Scene, x: float, y: float) -> str | None:
    """Return the layer whose picture is at a place of the film-strip, or None beside the last."""
    rows, columns, names = strip_grid(scene)
    place = min(int(y * rows), rows - 1) * columns + min(int(x * columns), columns - 1)
    return names[place] if place < len(names) else None


def _confusion(scene: Scene, x: float, y: float) -> str:
    found = audited(scene)
    return "" if found is None else about_cell(found, *confusion_cell(found, x, y))


_DESCRIBE: dict[str, Callable[[Scene, float, float], str]] = {
    "photo": _photo,
    "filter": _filter,
    "mosaic": _mosaic,
    "depth": _depth,
    "strip": lambda scene, x, y: strip_layer(scene, x, y) or "",
    "confusion": _confusion,
}
