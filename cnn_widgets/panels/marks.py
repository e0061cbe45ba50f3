"""What is marked in the pictures: pinned cells, the region, the selected filter, the layer."""

from __future__ import annotations

from cnn_widgets.attribution.regions import Brush
from cnn_widgets.images.resizing import visible_window
from cnn_widgets.panels.places import depth_place, grid, strip_grid
from cnn_widgets.scenes.choices import read_filters
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions
from cnn_widgets.views.view import Mark, View
from cnn_widgets.workbench.experiment import lists_filters

#: The kinds of the two pins, and their names.
PINS = (("first", "A"), ("second", "B"))


def marks(scene: Scene) -> View:
    """Return the region and the receptive fields of the pinned cells, over the photograph."""
    found, told = [], []
    if scene.region is not None:
        if isinstance(scene.region, Brush):
            found.append(_painted(scene, scene.region))
            told.append(f"The region is painted over {_sides(*scene.region.bounds)}.")
        else:
            found.append(_box(scene, *scene.region, "region", ""))
            told.append(f"The region is {_sides(*scene.region)}.")
    for (kind, name), (layer, row, column) in zip(PINS, scene.pins, strict=False):
        field = scene.network.receptive_field(layer, row, column, scene.sample)
        found.append(_box(scene, field.left, field.top, field.right, field.bottom, kind, name))
        sides = _sides(field.left, field.top, field.right, field.bottom)
        told.append(f"{name}: the cell in row {row}, column {column} of {layer} sees {sides}.")
    return View(" ".join(told), marks=tuple(found), covers=True)


def cells(scene: Scene) -> View:
    """Return the pinned cells that are cells of the layer browsed, over the filter's map."""
    rows, columns = scene.activations.shape[:2]
    found = tuple(
        Mark(column / columns, row / rows, 1 / columns, 1 / rows, kind, name)
        for (kind, name), (layer, row, column) in zip(PINS, scene.pins, strict=False)
        if layer == scene.layer.name
    )
    return View("", marks=found, covers=True)


def frame(scene: Scene) -> View:
    """Return the frame around the selected filter, over the mosaic, and around those switched."""
    rows, columns, _ = grid(scene)
    choice, size = scene.filter_choice, (1 / columns, 1 / rows)
    shown = scene.experiments and lists_filters(scene)
    switched = read_filters(scene.bench.switched).listed if shown else ()
    places = {k: divmod(choice.place(k), columns) for k in choice.shown.tolist()}
    found = [
        Mark(places[k][1] / columns, places[k][0] / rows, *size, "second")
        for k in switched
        if k in places
    ]
    row, column = places[scene.filter]
    told = f"Filter {scene.filter} is in row {row + 1}, column {column + 1}."
    if found:
        told += f" Switched: {', '.join(map(str, switched))}."
    mark = Mark(column / columns, row / rows, *size)
    return View(told, marks=(*found, mark), covers=True)


def here(scene: Scene) -> View:
    """Return the place of the layer browsed, over the chart of silent filters."""
    place = depth_place(scene)
    found = () if place is None else (Mark(place, 0.11, 0.0, 0.76, "line"),)
    return View("", marks=found, covers=True)


def labels(scene: Scene) -> View:
    """Return the names of the layers, over the film-strip, and a frame around the one browsed.

    A layer whose map holds no evidence is named so.
    """
    if not scene.strip:
        return View("", covers=True)
    rows, columns, names = strip_grid(scene)
    maps = scene.film_strip if scene.strip_of == "evidence" and scene.has_strip else ()
    told = {each.layer: captions.if_empty(each.heatmap) for each in maps}
    found = []
    for index, name in enumerate(names):
        row, column = divmod(index, columns)
        place = (column / columns, row / rows, 1 / columns, 1 / rows)
        if name == scene.layer.name:
            found.append(Mark(*place))
        found.append(Mark(*place, "label", f"{name}{told.get(name, '')}"))
    return View("", marks=tuple(found), covers=True)


def pinned(scene: Scene) -> View:
    """Return what the pinned cells say, each in a line, and how they differ."""
    lines = []
    for (_, name), (layer, row, column) in zip(PINS, scene.pins, strict=False):
        field = scene.network.receptive_field(layer, row, column, scene.sample)
        values = scene.network.activations(scene.sample, layer)[row, column]
        strongest = int(values.argmax())
        lines.append(
            (
                name,
                f"cell {row}, {column} of {layer}",
                f"{field.right - field.left:.0f}×{field.bottom - field.top:.0f} pixels",
                captions.number(float(values[scene.filter])) if layer == scene.layer.name else "–",
                f"filter {strongest} ({captions.number(float(values[strongest]))})",
            )
        )
    if not lines:
        return View("No cell is pinned. Click into the photograph or the filter's map to pin one.")
    head = ("pin", "cell (row, column)", "sees", f"filter {scene.filter}", "strongest filter")
    return View("The pinned cells.", table=(head, *lines))


def _box(
    scene: Scene, left: float, top: float, right: float, bottom: float, kind: str, text: str
) -> Mark:
    """Return a box in pixels of the photograph as a mark on the face that is shown."""
    y, x, height, width = _window(scene)
    edges = ((left - x) / width, (top - y) / height, (right - x) / width, (bottom - y) / height)
    left, top, right, bottom = (min(max(each, 0.0), 1.0) for each in edges)
    return Mark(left, top, right - left, bottom - top, kind, text)


def _painted(scene: Scene, brush: Brush) -> Mark:
    """Return what was painted as a mark on the face that is shown."""
    y, x, height, width = _window(scene)
    strokes = tuple(
        tuple(((across - x) / width, (down - y) / height) for across, down in stroke)
        for stroke in brush.strokes
    )
    return Mark(0.0, 0.0, 1.0, 1.0, "painted", "", (brush.radius / width, width / height, strokes))


def _window(scene: Scene) -> tuple[float, float, float, float]:
    """Return the part (top, left, height, width) of the photograph that the face shows."""
    if scene.face != "input":
        return 0, 0, *scene.sample.size
    fit = scene.sample.fit or scene.network.fit
    return visible_window(scene.sample.size, scene.network.input_size, fit)


def _sides(left: float, top: float, right: float, bottom: float) -> str:
    return f"columns {left:.0f} to {right:.0f}, rows {top:.0f} to {bottom:.0f} of the photograph"
