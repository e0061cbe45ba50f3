"""What can be claimed about a view, how it is measured, and when a claim is right."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from cnn_widgets.scenes.choices import ITS_LABEL
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.traits import from_plain
from cnn_widgets.spelling import composed
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


def agrees(claimed: Any, measured: Value, slack: float = 0.0) -> bool:
    """Return whether a claim is right.

    Words must be the same but for capitals, spaces and "the". A number is right within 1 %. Written
    as text it is also right if the measured one, rounded to as many digits, is the same: "0.8" for
    0.7709, "18" for 18.4. A comma may stand before the decimals or between thousands. A share
    may be written "77 %", or "< 0.1 %" where the page says so.

    Parameters
    ----------
    claimed : str or number
    measured : str, float, int or None
    slack : float
        How much a number may be off besides.

    >>> agrees("Egyptian Cat", "Egyptian cat"), agrees("77 %", 0.7709), agrees(0.5, 0.7709)
    (True, True, False)
    """
    if isinstance(measured, str):
        return isinstance(claimed, str | int) and _words(str(claimed)) == _words(measured)
    if measured is None or claimed is None:
        return measured is claimed
    share = isinstance(measured, float) and 0 <= measured <= 1
    if share and isinstance(claimed, str) and _bare(claimed) == _bare(captions.percent(measured)):
        return True  # "< 0.1 %", as the page shows it
    return any(
        np.isfinite(number) and _near(number, step, measured, slack)
        for number, step in _readings(claimed, share)
    )


def _near(number: float, step: float, measured: float, slack: float) -> bool:
    if isinstance(measured, int):
        return number == measured
    if step == 1 and abs(measured) < 10:  # "1" is not what a person says of 0.951
        step = 0.0
    return abs(number - measured) <= max(TOLERANCE * abs(measured), 0.501 * step, slack, 1e-6)


def plain_number(value: Any) -> Any:
    """Return a number of NumPy as one of Python, an array as a list; anything else as it is."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _bare(text: str) -> str:
    return "".join(text.split())


def _words(text: str) -> str:
    found = re.sub(r"(\d)\s*[x×]\s*(\d)", r"\1×\2", " ".join(composed(text).lower().split()))
    return found.removeprefix("the ").removesuffix(".")


#: A number with groups of three digits; its sign for the groups is none of its decimal ones.
_GROUPED = re.compile(r"([+-]?[1-9]\d{0,2}(?:([,.'\s])\d{3})(?:\2\d{3})*)((?!\2)[.,]\d+)?(\s*%?)")
_PLAIN = re.compile(r"([+-]?\d*[.,]?\d+(?:e[+-]?\d{1,3})?)\s*(%?)", re.IGNORECASE)


def _readings(claimed: Any, share: bool) -> Iterator[tuple[float, float]]:
    """Yield what a claim may mean, as a number and the step of its last digit if it is text.

    "1,280" is 1280 here and 1.28 there, so both are.
    """
    claimed = plain_number(claimed)
    if isinstance(claimed, int | float) and not isinstance(claimed, bool):
        with contextlib.suppress(OverflowError):
            yield float(claimed), 0.0
    if not isinstance(claimed, str):
        return
    text = claimed.strip().replace("−", "-")
    grouped = _GROUPED.fullmatch(text)
    texts = [text]
    if grouped is not None:
        whole, _, decimals, percent = grouped.groups("")
        texts.append(re.sub(r"[,.'\s]", "", whole) + decimals + percent)
    for match in filter(None, map(_PLAIN.fullmatch, texts)):
        if match[2] and not share:
            continue
        digits = match[1].replace(",", ".").lower()
        unit = 0.01 if match[2] else 1.0
        step = 0.0 if "e" in digits else unit * 10.0 ** -len(digits.partition(".")[2])
        yield float(digits) * unit, step


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
    TypeError
        If it is no explorer.

    Examples
    --------
    >>> explorer = cw.CNNExplorer()
    >>> assert_view(explorer, image="cat", top_class="Egyptian cat", filters=32)
    """
    if not all(hasattr(type(explorer), name) for name in ("pin", "scene")):
        raise TypeError(f"Expected a CNNExplorer. Received: {type(explorer).__name__}")
    values, scene = explorer.state.values(), explorer.scene
    for name, claimed in ((name, plain_number(each)) for name, each in claims.items()):
        quantity = name.replace("_", " ")
        if quantity in QUANTITIES:
            shown: Any = measure(scene, quantity)
            right = agrees(claimed, shown)
        elif name in values:
            shown = wanted = values[name]
            if name in ("class_index", "versus") and claimed not in (None, ITS_LABEL):
                names = explorer.network.class_names
                wanted = names[explorer.network.class_index(claimed)]
                index = scene.chosen.class_index if name == "class_index" else scene.versus
                shown = None if index is None else names[index]
            else:
                given = composed(claimed) if isinstance(claimed, str) else claimed
                wanted = from_plain(name, given)
            right = wanted == shown
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
