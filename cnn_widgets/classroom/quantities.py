"""What can be claimed about a view, how it is measured, and when a claim is right."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions

#: A claimed number is right within this share of the measured one, or as its digits tell.
TOLERANCE = 0.01
Value = str | float | int | None


def _evidence(scene: Scene) -> Any:
    found = scene.attribution
    if found is None:
        raise ValueError("The map has not been computed yet: press Compute.")
    return found


def _silent(scene: Scene) -> float | None:
    return next((s for name, _, s in scene.silent_shares if name == scene.layer.name), None)


def _place(scene: Scene) -> str:
    found = _evidence(scene)
    return "nowhere" if found.empty else captions.place_in_words(np.abs(found.heatmap))


#: Each quantity by its name: what it is, and how it is measured in a scene.
QUANTITIES: dict[str, tuple[str, Callable[[Scene], Value]]] = {
    "top class": ("the most likely class", lambda scene: scene.predictions[0].name),
    "top probability": ("its probability, 0 to 1", lambda scene: scene.predictions[0].probability),
    "second class": (
        "the second most likely class",
        lambda scene: scene.predictions[1].name if len(scene.predictions) > 1 else None,
    ),
    "explained class": ("the class whose evidence is shown", lambda scene: scene.chosen.name),
    "score": ("its score before the softmax", lambda scene: scene.chosen.score),
    "probability": ("its probability, 0 to 1", lambda scene: scene.chosen.probability),
    "hottest place": ("where its evidence is strongest, one of nine places", _place),
    "hot share": (
        "the share of the photograph above half of the largest evidence, 0 to 1",
        lambda scene: float((np.abs(_evidence(scene).heatmap) > 0.5).mean()),
    ),
    "filters": ("the number of filters of the layer", lambda scene: scene.layer.filters),
    "map size": (
        "rows × columns of the layer's maps",
        lambda scene: "×".join(map(str, scene.activations.shape[:2])),
    ),
    "filter maximum": (
        "the largest value of the filter's map",
        lambda scene: float(scene.feature_map.max()),
    ),
    "filter mean": ("the mean of the filter's map", lambda scene: float(scene.feature_map.mean())),
    "filter zeros": (
        "the share of zeros in the filter's map, 0 to 1",
        lambda scene: float((scene.feature_map == 0).mean()),
    ),
    "silent filters": ("the share of the layer's filters that are silent, 0 to 1", _silent),
    "flat filters": (
        "the number of the layer's filters that are one value everywhere",
        lambda scene: scene.flat_filters,
    ),
}


def measure(scene: Scene, name: str) -> Value:
    """Return a quantity of `QUANTITIES` for a scene.

    None where it does not exist there, such as silent filters of a layer without an activation.

    Raises
    ------
    ValueError
        If it is unknown, or the map it is measured in has not been computed.
    """
    if name not in QUANTITIES:
        raise ValueError(f"Unknown quantity {name!r}. Quantities: {', '.join(QUANTITIES)}.")
    found = QUANTITIES[name][1](scene)
    return None if isinstance(found, float) and not np.isfinite(found) else found


def agrees(claimed: Any, measured: Value) -> bool:
    """Return whether a claim is right.

    Words must be the same but for capitals and spaces. A number may be written "77 %" for 0.77, and
    is right within 1 %, or if the measured one, rounded to as many decimals, is the same.

    >>> agrees("Egyptian Cat", "Egyptian cat"), agrees("77 %", 0.7709), agrees(0.5, 0.7709)
    (True, True, False)
    """
    if isinstance(measured, str):
        return isinstance(claimed, str) and _words(claimed) == _words(measured)
    if measured is None or claimed is None:
        return measured is claimed
    number, step = _number(claimed)
    if number is None:
        return False
    if isinstance(measured, int):
        return number == measured
    return abs(number - measured) <= max(TOLERANCE * abs(measured), 0.501 * step)


def _words(text: str) -> str:
    found = " ".join(text.lower().replace("x", "×").split())
    return found.removeprefix("the ").removesuffix(".")


def _number(claimed: Any) -> tuple[float | None, float]:
    """Return a claimed number, and the step of its last decimal where it is written in few."""
    if isinstance(claimed, bool) or not isinstance(claimed, str | int | float):
        return None, 0.0
    text = str(claimed).strip().replace("−", "-").replace(",", ".")
    match = re.fullmatch(r"([+-]?\d*\.?\d+(?:e[+-]?\d+)?)\s*(%?)", text, re.IGNORECASE)
    if match is None:
        return None, 0.0
    unit = 0.01 if match[2] else 1.0
    decimals = len(match[1].partition(".")[2]) if "e" not in match[1].lower() else 9
    # Whole numbers say nothing about their step; a percentage without decimals does
    step = unit * 10.0**-decimals if decimals or match[2] else 0.0
    return float(match[1]) * unit, step


def assert_view(explorer: Any, /, **claims: Any) -> None:
    """Raise an AssertionError unless an explorer shows what is claimed: for nbgrader and otter.

    Parameters
    ----------
    explorer : CNNExplorer
    **claims
        Traits of its state by name, such as ``image="cat"`` or ``layer="stem"``; quantities of
        `QUANTITIES` with ``_`` for spaces, such as ``top_class="Egyptian cat"``.

    Raises
    ------
    AssertionError
        It names what is claimed and what is shown, so that a student sees what to mend.
    ValueError
        If a claim is of no trait and no quantity.

    Examples
    --------
    >>> explorer = cw.CNNExplorer()
    >>> assert_view(explorer, image="cat", top_class="Egyptian cat", filters=32)
    """
    values, scene = explorer.state.values(), explorer.scene
    for name, claimed in claims.items():
        quantity = name.replace("_", " ")
        if quantity in QUANTITIES:
            shown: Any = measure(scene, quantity)
            right = agrees(claimed, shown)
        elif name in values:
            shown = scene.chosen.name if name == "class_index" else values[name]
            wanted = claimed
            if name == "class_index" and claimed is not None:
                wanted = explorer.network.class_names[explorer.network.class_index(claimed)]
            elif isinstance(claimed, list):
                wanted = tuple(claimed)
            right = wanted == shown if wanted is not None else values[name] is None
        else:
            known = ", ".join((*values, *(each.replace(" ", "_") for each in QUANTITIES)))
            raise ValueError(f"Unknown claim {name!r}. Known: {known}.")
        if not right:
            raise AssertionError(f"Expected {quantity} to be {claimed!r}. It is {_told(shown)}.")


def _told(shown: Any) -> str:
    return f"{shown:.4g}" if isinstance(shown, float) else repr(shown)


def measured_all(scene: Scene) -> Mapping[str, Value]:
    """Return every quantity of a scene; those of a map that was not computed are left out."""
    found = {}
    for name in QUANTITIES:
        try:
            found[name] = measure(scene, name)
        except ValueError:  # the map of a slow method that nobody asked for
            continue
    return found
