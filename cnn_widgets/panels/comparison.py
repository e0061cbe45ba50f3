"""The evidence on screen beside another one: two pictures, their difference, and the numbers."""

from __future__ import annotations

import numpy as np

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.drawing.color import colorize, diverging_colormap, resize
from cnn_widgets.images.resizing import cached_thumbnail
from cnn_widgets.records import Floats
from cnn_widgets.scenes.comparison import Comparison, compare
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions
from cnn_widgets.views.overlays import colors_over, legend
from cnn_widgets.views.view import View

#: Longer side of each picture, in pixels.
_SIDE = 480
#: What a rank correlation of at least so much is called.
_AGREEMENT = (
    (0.9, "agree almost everywhere"),
    (0.7, "agree for the most part"),
    (0.4, "agree in part"),
    (0.1, "agree little here"),
    (-0.1, "do not agree here"),
    (-2.0, "contradict each other here"),
)


def side_by_side(scene: Scene) -> View:
    """Return the evidence on screen, A, beside another one, B, and where the two differ.

    If there is nothing to compare with, the view says why.
    """
    if not scene.compare:
        return View("The comparison is closed.")
    found = compare(scene)
    if found.other is None:
        return View(found.refused)
    line = _finding(found, found.other)
    names = [_name(each) for each in (scene, found.other)]
    pictures = [
        _picture(each, shown, f"{letter}: {name}")
        for letter, each, shown, name in zip(
            "AB", (scene, found.other), found.maps, names, strict=True
        )
    ]
    if found.difference is not None:
        pictures.append(_difference(scene, found.difference, names))
    return View(line, line, parts=(View(line, parts=tuple(pictures)), _table(found, found.other)))


def agreement(correlation: float) -> str:
    """Return in words how much two maps agree, by their rank correlation, -1 to 1.

    >>> agreement(0.21), agreement(0.95)
    ('agree little here', 'agree almost everywhere')
    """
    return next(words for least, words in _AGREEMENT if correlation >= least)


def _finding(found: Comparison, other: Scene) -> str:
    """Return one sentence on what the comparison found."""
    scene = found.scene
    if found.correlation is None:
        one, two = (_belief(each, where.image) for each, where in zip(
            found.maps, (scene, other), strict=True))  # fmt: skip
        return (
            f"{found.maps[0].class_name}: {one}, {two}. Two photographs have no places in common: "
            "there is no difference map and no rank correlation."
        )
    names = [_subject(each) for each in (scene, other)]
    flat = [name for name, each in zip(names, found.maps, strict=True) if not np.ptp(each.heatmap)]
    if flat:
        verb = "are" if len(flat) == 2 else "is"
        words = f"{' and '.join(flat)} {verb} the same everywhere here"
        return _sentence(f"{words}: no agreement can be measured.")
    number = captions.fixed(found.correlation, 2)
    words = f"{names[0]} and {names[1]} {agreement(found.correlation)}"
    return _sentence(f"{words}: rank correlation {number}.")


def _sentence(words: str) -> str:
    """Return a sentence; a name that it begins with keeps its small letter."""
    return f"The{words[3:]}" if words.startswith("the ") else words


def _belief(shown: Attribution, image: str) -> str:
    """Return how much the network believes in the class on a photograph."""
    if shown.probability == shown.probability:  # not NaN: a regression has no probabilities
        return f"{captions.percent(shown.probability)} on {image}"
    return f"score {captions.number(shown.score)} on {image}"


def _name(scene: Scene) -> str:
    """Return what the evidence is of, in that in which A and B differ."""
    if scene.compare_by == "network":
        return f"{scene.network_name}{f' at {scene.looked_at}' if scene.looked_at else ''}"
    if scene.compare_by == "class":
        return captions.question(scene).removeprefix("evidence ")
    names = {"method": METHODS[scene.method].title, "photograph": scene.image}
    return names.get(scene.compare_by) or scene.place


def _subject(scene: Scene) -> str:
    """Return A or B as the subject of a sentence."""
    name = _name(scene)
    words = {"class": f"the evidence {name}", "layer": f"the map at {name}"}
    return words.get(scene.compare_by, name)


def _picture(scene: Scene, shown: Attribution, title: str) -> View:
    """Return one map over its photograph, with its title and its legend."""
    photo = cached_thumbnail(scene.sample, _SIDE)
    picture = colors_over(photo, scene, shown.heatmap, shown.signed)
    title += captions.if_empty(shown.heatmap)
    return View(
        f"{title}. {captions.evidence(shown)}", title, picture, under=photo, alpha=scene.alpha,
        legend=legend(scene, shown),
    )  # fmt: skip


def _difference(scene: Scene, values: Floats, names: list[str]) -> View:
    """Return A − B over the photograph, from −1 (only B) to 1 (only A)."""
    photo = cached_thumbnail(scene.sample, _SIDE)
    colors = diverging_colormap(scene.colormap)
    picture = colorize(_sized(values, photo.shape), colors, signed=True)
    apart = captions.percent(float((np.abs(values) > 0.5).mean()))
    alt = f"A − B: {names[0]} minus {names[1]}; {apart} of the picture differs by more than half."
    legend = (colors, "−1: more in B", "A − B; white: the same in both", "more in A: 1")
    return View(alt, "A − B: where they differ", picture, under=photo, alpha=scene.alpha,
                legend=legend)  # fmt: skip


def _sized(heat: Floats, shape: tuple[int, ...]) -> Floats:
    return resize(heat, (shape[0], shape[1]))


def _table(found: Comparison, other: Scene) -> View:
    """Return the numbers of A and of B, a row each."""
    scene = found.scene
    by = [] if scene.compare_by == "class" else [scene.compare_by]
    head = ("", *by, "class explained", "score", "probability", "most likely class",
            *([] if found.correlation is None else ["rank correlation with A"]))  # fmt: skip
    rows = []
    for letter, each, shown in zip("AB", (scene, other), found.maps, strict=True):
        last = "1" if letter == "A" else captions.fixed(found.correlation or 0.0, 2)
        rows.append((
            letter,
            *([_name(each)] if by else []),
            shown.question.removeprefix("for "),
            captions.number(shown.score),
            captions.percent(shown.probability),
            captions.with_probability(each.predictions[0]),
            *([] if found.correlation is None else [last]),
        ))  # fmt: skip
    words = "; ".join(" ".join(row) for row in rows)
    return View(f"The numbers of A and B: {words}.", table=(head, *rows))
