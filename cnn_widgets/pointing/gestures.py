"""The change of state that a gesture asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

import numpy as np

from cnn_widgets.attribution.regions import Brush, hottest_region
from cnn_widgets.panels.places import confusion_cell, depth_layer, grid, shown_confusion
from cnn_widgets.pointing.readouts import cell_at, pixel_at, strip_layer, tile_at
from cnn_widgets.scenes.choices import FACES, MAX_ZOOM, read_filters
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.selection import audited
from cnn_widgets.workbench.experiment import lists_filters

Changes = dict[str, Any]

_STEPS = {"ArrowLeft": (0, -1), "ArrowRight": (0, 1), "ArrowUp": (-1, 0), "ArrowDown": (1, 0)}
_ZOOMS = {"+": 1.25, "=": 1.25, "-": 0.8, "0": 0.0}


def wanted(scene: Scene, gesture: Mapping[str, Any]) -> Changes:
    """Return the changes of state that a gesture asks for: values by trait.

    Parameters
    ----------
    scene : Scene
    gesture : mapping
        Its ``"kind"`` is ``"click"`` (with ``picture``, ``x``, ``y``, and whether it was with the
        ``shift`` key), ``"drag"`` (over the
        photograph, with ``x``, ``y`` and ``x2``, ``y2``), ``"paint"`` (over it, with ``points``,
        a list of [x, y], and ``radius``, a share of the picture's width), ``"key"`` (with
        ``picture`` and the browser's name of the ``key``), ``"zoom"`` (with ``zoom``, ``x``,
        ``y``), or ``"versus"`` (with ``rank``, the row of the list of classes, from 0). Any other
        asks for nothing.

    Raises
    ------
    ValueError
        If a number is missing or is none, or if there is no hottest region for the key R.
    """
    kind, picture = gesture.get("kind"), str(gesture.get("picture"))
    if kind == "click" and picture == "mosaic" and gesture.get("shift"):
        return _switched(scene, tile_at(scene, _share(gesture, "x"), _share(gesture, "y")))
    if kind == "click" and picture in _CLICKS:
        return _CLICKS[picture](scene, _share(gesture, "x"), _share(gesture, "y"))
    if kind == "key" and picture in _KEYS:
        return _KEYS[picture](scene, str(gesture.get("key")))
    if kind == "drag":
        left, right = sorted((_share(gesture, "x"), _share(gesture, "x2")))
        top, bottom = sorted((_share(gesture, "y"), _share(gesture, "y2")))
        return {"region": (*pixel_at(scene, left, top), *pixel_at(scene, right, bottom))}
    if kind == "paint":
        return {"region": _painted(scene, gesture)}
    if kind == "zoom":
        zoom = min(max(number(gesture, "zoom"), 1.0), MAX_ZOOM)
        return {"zoom": zoom, "center": (_share(gesture, "x"), _share(gesture, "y"))}
    if kind == "versus" and 0 <= (rank := number(gesture, "rank")) < len(scene.predictions):
        index = scene.predictions[int(rank)].class_index
        return {"versus": None if index == scene.versus else index}
    return {}


def number(gesture: Mapping[str, Any], name: str) -> float:
    """Return a finite number of a gesture; a ValueError names what came instead."""
    value = gesture.get(name)
    if isinstance(value, int | float) and -inf < value < inf:
        return value
    raise ValueError(f"Expected {name} of a gesture to be a number. Received: {value!r}")


def _share(gesture: Mapping[str, Any], name: str) -> float:
    return float(min(max(number(gesture, name), 0.0), 1.0))


def _painted(scene: Scene, gesture: Mapping[str, Any]) -> Brush:
    """Return what was painted before and the new stroke, both with the new brush."""
    points = gesture.get("points")
    if not isinstance(points, list) or not points:
        raise ValueError(f"Expected a stroke to be a list of places. Received: {points!r:.80}")
    stroke = tuple(
        pixel_at(scene, *(_share({"x": x, "y": y}, name) for name in "xy"))
        for x, y in (each if isinstance(each, list) and len(each) == 2 else (each, None)
                     for each in points)
    )  # fmt: skip
    left, right = (pixel_at(scene, x, 0)[0] for x in (0.0, _share(gesture, "radius")))
    before = scene.region.strokes if isinstance(scene.region, Brush) else ()
    return Brush(right - left, (*before, stroke))


def hottest(scene: Scene) -> Changes:
    """Return the region around the hottest part of the evidence; a ValueError if there is none."""
    found = scene.attribution
    region = None if found is None else hottest_region(found.heatmap)
    if region is None:
        raise ValueError("There is no evidence on the photograph, so no part of it is the hottest.")
    return {"region": region}


def _pinned_layer(scene: Scene) -> str:
    """Return the layer whose cells are pinned on the photograph."""
    return scene.looked_at or scene.layer.name


def _toggled(scene: Scene, pin: tuple[str, int, int]) -> Changes:
    """Return the pins with one taken away if it is there, or else added; the oldest gives way."""
    if pin in scene.pins:
        return {"pins": tuple(each for each in scene.pins if each != pin)}
    return {"pins": (*scene.pins[-1:], pin)}


def _click_photo(scene: Scene, x: float, y: float) -> Changes:
    layer = _pinned_layer(scene)
    row, column = scene.network.cell_at(layer, *pixel_at(scene, x, y), scene.sample)
    return _toggled(scene, (layer, row, column))


def _key_photo(scene: Scene, key: str) -> Changes:
    if key == "Escape":
        return {"region": None, "pins": ()}
    if key in ("r", "R"):
        return hottest(scene)
    if key in ("f", "F"):
        return {"face": FACES[(FACES.index(scene.face) + 1) % len(FACES)]}
    if key in _ZOOMS:
        return {"zoom": min(max(scene.zoom * _ZOOMS[key], 1.0), MAX_ZOOM)}
    layer, found = _pinned_layer(scene), scene.attribution
    shape = scene.network.field(layer).shape
    values = np.zeros(shape) if found is None or found.layer != layer else found.raw
    return _moved_pin(scene, layer, values, key)


def _click_filter(scene: Scene, x: float, y: float) -> Changes:
    return _toggled(scene, (scene.layer.name, *cell_at(scene, x, y)))


def _key_filter(scene: Scene, key: str) -> Changes:
    if key == "Escape":
        return {"pins": ()}
    return _moved_pin(scene, scene.layer.name, scene.feature_map, key)


def _moved_pin(scene: Scene, layer: str, values: Any, key: str) -> Changes:
    """Return the pins after a key: arrows move the newest, Enter keeps it and pins another.

    The first pin of a layer is put where `values`, of the shape of its map, are largest.
    """
    if key not in _STEPS and key not in ("Enter", " "):
        return {}
    mine = [pin for pin in scene.pins if pin[0] == layer]
    rows, columns = values.shape
    if not mine:
        hottest_cell = divmod(int(np.argmax(values)), columns)
        return {"pins": (*scene.pins[-1:], (layer, *hottest_cell))}
    _, row, column = newest = mine[-1]
    if key not in _STEPS:
        beside = column + 1 if column + 1 < columns else max(column - 1, 0)
        return {"pins": (newest, (layer, row, beside))}
    down, right = _STEPS[key]
    moved = (layer, min(max(row + down, 0), rows - 1), min(max(column + right, 0), columns - 1))
    return {"pins": (*(pin for pin in scene.pins if pin != newest), moved)}


def _click_mosaic(scene: Scene, x: float, y: float) -> Changes:
    index = tile_at(scene, x, y)
    return {} if index is None else {"filter": index}


def _switched(scene: Scene, index: int | None) -> Changes:
    """Return the filters that are switched off in the experiment, with one more or one fewer."""
    if index is None:
        return {}
    before = read_filters(scene.bench.switched).listed
    chosen = [k for k in before if k != index] if index in before else [*before, index]
    opened = {} if lists_filters(scene) else {"experiment": "silence"}
    return {"experiments": True, **opened, "switched": " ".join(map(str, chosen))}


def _key_mosaic(scene: Scene, key: str) -> Changes:
    if key in ("x", "X"):
        return _switched(scene, scene.filter)
    rows, columns, _ = grid(scene)
    choice = scene.filter_choice
    if key in ("Home", "End"):
        return {"filter": int(choice.order[0 if key == "Home" else -1])}
    down, right = _STEPS.get(key, (0, 0))
    paged = len(choice.order) > len(choice.shown)
    page = int(scene.filter_count) if paged else columns * max(1, rows // 4)
    step = down * columns + right + page * {"PageUp": -1, "PageDown": 1}.get(key, 0)
    return {"filter": choice.moved(scene.filter, step)} if step else {}


def _click_strip(scene: Scene, x: float, y: float) -> Changes:
    name = strip_layer(scene, x, y)
    return {} if name is None else {"layer": name}


def _key_layers(scene: Scene, key: str) -> Changes:
    names = [info.name for info in scene.layers]
    here = names.index(scene.layer.name) if scene.layer.name in names else 0
    places = {"Home": 0, "End": len(names) - 1, "ArrowLeft": here - 1, "ArrowRight": here + 1}
    if key not in places:
        return {}
    return {"layer": names[min(max(places[key], 0), len(names) - 1)]}


def _click_confusion(scene: Scene, x: float, y: float) -> Changes:
    found = audited(scene)
    if found is None:
        return {}
    label, answer = confusion_cell(found, x, y)
    changes = _chosen_cell(scene, label, answer)
    if (label or answer) and not scene.audits.selected(found, *changes.values()):
        return {}  # it would take every photograph off the table
    return changes


def _key_confusion(scene: Scene, key: str) -> Changes:
    found = audited(scene)
    if found is None or (key not in _STEPS and key != "Escape"):
        return {}
    labels, answers, _ = shown_confusion(found)
    if key == "Escape":
        return _chosen_cell(scene, "", "")
    (down, right), (rows, columns) = _STEPS[key], (("", *labels), ("", *answers))
    row, column = (
        names.index(name) if name in names else 0
        for names, name in ((rows, scene.audit_label), (columns, scene.audit_answer))
    )
    label = rows[min(max(row + down, 0), len(rows) - 1)]
    return _chosen_cell(scene, label, columns[min(max(column + right, 0), len(columns) - 1)])


def _chosen_cell(scene: Scene, label: str, answer: str) -> Changes:
    """Return the choice of a cell: of the right ones those that are narrowly right."""
    right = bool(label) and label == answer
    mistakes = scene.audit_kind if scene.audit_kind == "near misses" else "mistakes"
    kind = "narrowly right" if right else mistakes
    return {"audit_kind": kind, "audit_label": label, "audit_answer": answer}


_CLICKS: dict[str, Callable[[Scene, float, float], Changes]] = {
    "photo": _click_photo,
    "filter": _click_filter,
    "mosaic": _click_mosaic,
    "depth": lambda scene, x, _: {"layer": depth_layer(scene, x)},
    "strip": _click_strip,
    "confusion": _click_confusion,
}
_KEYS: dict[str, Callable[[Scene, str], Changes]] = {
    "photo": _key_photo,
    "filter": _key_filter,
    "mosaic": _key_mosaic,
    "depth": _key_layers,
    "strip": _key_layers,
    "confusion": _key_confusion,
}
