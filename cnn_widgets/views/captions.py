"""Numbers and pictures in words: captions, and the text alternatives of pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Prediction
from cnn_widgets.telling import counted

_ROWS, _COLUMNS = ("upper", "middle", "lower"), ("left", "centre", "right")


def percent(share: float) -> str:
    """Return a share in [0, 1] as a percentage, or "–" if it is not finite.

    Whole percent from 10 % on, one decimal below; "< 0.1 %" stands for very small shares.

    >>> [percent(x) for x in (0.7709, 0.034, 0.0004, 0.0, float("nan"))]
    ['77 %', '3.4 %', '< 0.1 %', '0 %', '–']
    """
    if not np.isfinite(share):
        return "–"
    if 0 < share < 0.001:
        return "< 0.1 %"
    return (
        f"{share:.0%}".replace("%", " %")
        if share >= 0.0995 or share == 0
        else (f"{100 * share:.1f} %")
    )


def number(value: float, digits: int = 3) -> str:
    """Return a value with so many significant digits and a true minus sign.

    >>> number(-0.012345), number(-0.012345, 4)
    ('−0.0123', '−0.01235')
    """
    return f"{value:.{digits}g}".replace("-", "−")


def fixed(value: float, digits: int = 3) -> str:
    """Return a value with a fixed number of decimals and a true minus sign, for a table column.

    What is rounded to 0 has no sign.

    >>> fixed(-0.0304), fixed(0.15, 2), fixed(-0.0004)
    ('−0.030', '0.15', '0.000')
    """
    return f"{value:z.{digits}f}".replace("-", "−")


def change(value: float, digits: int = 2) -> str:
    """Return a change as `fixed`, with a plus sign where it is above 0.

    >>> change(3.926), change(-0.021), change(0.004)
    ('+3.93', '−0.02', '0.00')
    """
    text = fixed(value, digits)
    return f"+{text}" if value > 0 and text != fixed(0, digits) else text


def column(values: Sequence[float]) -> list[str]:
    """Return the numbers of a table's column, all with the same number of decimals.

    Two, or as many as the largest needs for three significant digits; numbers that are too large
    or too small for that are written with an exponent, as `number` does.

    >>> column([6.6, 4.961, -3]), column([0.0123, 0.004])
    (['6.60', '4.96', '−3.00'], ['0.0123', '0.0040'])
    """
    finite = [abs(value) for value in values if np.isfinite(value)]
    largest = max(finite, default=0.0)
    if largest and not 1e-4 <= largest < 1e6:
        return [number(value) for value in values]
    digits = 2 if largest == 0 else max(2, 2 - math.floor(math.log10(largest)))
    return [fixed(value, digits) for value in values]


def place_in_words(heat: NDArray[Any]) -> str:
    """Return where a map (h, w) is largest, as one of nine places.

    The result is "the centre", or "the" with a row and a column: "the upper left".
    """
    row, column = np.unravel_index(int(np.argmax(heat)), heat.shape)
    vertical = _ROWS[(6 * int(row) + 3) // (2 * heat.shape[0])]  # where the pixel's centre is
    horizontal = _COLUMNS[(6 * int(column) + 3) // (2 * heat.shape[1])]
    if (vertical, horizontal) == ("middle", "centre"):
        return "the centre"
    return f"the {vertical} {horizontal}"


def evidence(found: Attribution) -> str:
    """Return one line on a map: where its evidence lies, and the score and probability."""
    belief = _belief(found, ", probability ")
    if found.empty and found.ranged:
        return f"The map is one value everywhere: it tells no place from another ({belief})."
    if found.empty:
        return f"No evidence {found.question} here: the map is zero everywhere ({belief})."
    if not found.heatmap.any():
        return f"No evidence {found.question} on the photograph, only beside it ({belief})."
    share = float((np.abs(found.heatmap) > 0.5).mean())
    asked = f"Evidence {found.question}. " if found.versus or found.counter else ""
    line = (
        f"{asked}{found.class_name}: {belief}. {_sentence(measured(found))} "
        f"Strongest at {place_in_words(np.abs(found.heatmap))}; {percent(share)} of the picture is "
        "above half of the maximum."
    )
    if found.signed:
        line += f" {percent(float((found.raw < 0).mean()))} of the map speaks against."
    if found.saturated:
        line += f" {_sentence(_SATURATED)}"
    return line


def _belief(found: Attribution, between: str) -> str:
    """Return the score and, where there is one, the probability of the class explained."""
    score = f"score {number(found.score)}"
    known = np.isfinite(found.probability)  # a regression has none
    return f"{score}{between}{percent(found.probability)}" if known else score


def measured(found: Attribution) -> str:
    """Return the range of the raw map, and the share of it that the method's ReLU removed."""
    line = f"map from {number(float(found.raw.min()))} to {number(float(found.raw.max()))}"
    return f"{line}, ReLU took {percent(found.removed)}" if found.removed else line


def _sentence(line: str) -> str:
    return f"{line[0].upper()}{line[1:]}."


def _why_empty(found: Attribution) -> str:
    """Return why a map holds no evidence, in plain words."""
    speaks, rather = ("against", "for") if found.counter else ("for", "against")
    line = f"no place at {found.layer or 'the input'} speaks {speaks} it"
    return f"{line}, everything there speaks {rather} it" if found.removed else line


def if_empty(heat: NDArray[Any]) -> str:
    """Return " · no evidence" for a heat-map (h, w) that is zero everywhere, otherwise ""."""
    return "" if heat.any() else " · no evidence"


def empty_layers(maps: Sequence[Attribution]) -> str:
    """Return a sentence that names the layers without evidence; "" if there is none."""
    names = [str(each.layer) for each in maps if not each.heatmap.any()]
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f" No evidence at {len(names)} of them: {', '.join(names[:_NAMED])}{more}."


_NAMED = 6  # so many layers fit into a caption
_SATURATED = "probability saturated: its gradient has all but vanished, ask for the score"


def short_evidence(found: Attribution) -> str:
    """Return what `evidence` says in fewer words, for the caption under a picture."""
    belief = _belief(found, " · ")
    if found.empty and found.ranged:
        return f"the map is one value everywhere · {belief}"
    if found.empty:
        return f"no evidence {found.question}: {_why_empty(found)} · {belief}"
    share = percent(float((np.abs(found.heatmap) > 0.5).mean()))
    against = f" · {percent(float((found.raw < 0).mean()))} against" if found.signed else ""
    asked = found.question if found.versus or found.counter else found.class_name
    if not found.heatmap.any():
        return f"{asked} · {belief} · no evidence on the photograph itself"
    where = f"strongest at {place_in_words(np.abs(found.heatmap))}, {share} above half"
    note = f" · {_SATURATED}" if found.saturated else ""
    return f"{where}{against} · {asked} · {belief}{note}"


def question(scene: Any) -> str:
    """Return what the map on screen is asked: "evidence for tabby rather than lynx"."""
    side = "against" if scene.counter else "for"
    line = f"evidence {side} {scene.chosen.name}"
    if scene.versus is not None:
        line += f" rather than {scene.network.class_names[scene.versus]}"
    return line


def subject(scene: Any) -> str:
    """Return all that a picture of the scene has to name: network, picture, map, layer, filter."""
    method = METHODS[scene.method]
    where = f" at {scene.looked_at}" if scene.looked_at else " at the input"
    of = "" if scene.target == "logit" else " of the probability"
    return (
        f"{scene.network.name} · {scene.image} · {question(scene)}{of}: {method.title}{where} · "
        f"filter {scene.filter} of {scene.layer.name}"
    )


def with_probability(prediction: Prediction) -> str:
    """Return the name of a class with its probability: "Egyptian cat (77 %)".

    Without a probability, as in a regression, it is the name alone.
    """
    if not np.isfinite(prediction.probability):
        return prediction.name
    return f"{prediction.name} ({percent(prediction.probability)})"


def about_network(network: Network, name: str = "") -> str:
    """Return one line on a network: classes, input size, layers, and what was guessed about it.

    `name` is what it is called; by default its own name.
    """
    rows, columns = network.input_size
    values = network.head == "values"
    said = counted(network.classes, *(("value",) if values else ("class", "classes")))
    layers = counted(len(network.layers), "layer")
    facts = f"{name or network.name}: {said}, input {columns}×{rows}, {layers}."
    return " ".join((facts, *network.notes))


def numbers(values: NDArray[Any]) -> str:
    """Return minimum, mean, maximum and share of zeros of an array of any shape, as text."""
    return (
        f"min {number(float(values.min()))} · mean {number(float(values.mean()))} · "
        f"max {number(float(values.max()))} · zeros {percent(float((values == 0).mean()))}"
    )
