"""What a network answers before and after a change, as tables, and maps beside each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.drawing.charts import HERE, INK, OTHERS, style_axes
from cnn_widgets.experiments.tail import Answers
from cnn_widgets.records import Floats
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions
from cnn_widgets.views.overlays import over_photograph
from cnn_widgets.views.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Longer side of the pictures, in pixels.
SIDE = 320


def sentence(words: str) -> str:
    """Return words with a capital letter at their beginning."""
    return f"{words[:1].upper()}{words[1:]}"


def in_short(answers: Answers) -> str:
    """Return how the answer changed, in words: "Egyptian cat 77 % → tabby 41 %"."""
    before, after = answers.top_before(1)[0], answers.top_after(1)[0]
    if len(answers.class_names) == 1:
        return f"{captions.number(before.score)} → {captions.number(after.score)}"
    if before.probability != before.probability:  # NaN: it gives no probabilities
        one, two = (f"{each.name} {captions.number(each.score)}" for each in (before, after))
    else:
        one, two = (f"{e.name} {captions.percent(e.probability)}" for e in (before, after))
    word = "the answer is another one" if answers.turned else "the answer stays"
    return f"{one} → {two}: {word}"


def answer_table(answers: Answers, top: int = 5) -> View:
    """Return the classes among the first before or after, a row each, with their differences."""
    rows = [
        (
            str(each["name"]),
            captions.percent(each["probability_before"]),
            captions.percent(each["probability_after"]),
            captions.change(each["difference"]),
            f"{each['place_before']} → {each['place_after']}",
        )
        for each in answers.records(top)
    ]
    head = ("class", "before", "after", "change of the score", "place")
    return View("The answer before and after.", "The answer before and after", table=(head, *rows))


def maps(scene: Scene, found: tuple[Floats, Floats], method: str, layer: str, about: str) -> View:
    """Return two maps at a layer, before and after, side by side; their colours can be compared.

    `about` is the class that they are the evidence for.
    """
    signed, title = METHODS[method].signed, f"{METHODS[method].title} at {layer}"
    views = []
    before, after = (float(abs(heat).max()) for heat in found)
    peak = f" · peak {captions.percent(after / before)} of before" if before and after else ""
    for name, heat in zip(("before", "after"), found, strict=True):
        photo, colors = over_photograph(scene, scene.sample, heat, signed, SIDE)
        where = f"strongest at {captions.place_in_words(abs(heat))}"
        alt = f"{title} for {about}, {name}: {where if heat.any() else 'no evidence at all'}."
        caption = f"{title}, before" if name == "before" else f"after, on the same scale{peak}"
        caption += captions.if_empty(heat)
        views.append(View(alt, caption, colors, under=photo, alpha=scene.alpha))
    return View(" ".join(each.alt for each in views), parts=tuple(views))


def draw_among(axes: Axes, values: Any, own: float, title: str) -> None:
    """Draw how often random changes have which effect, and a line at an effect of its own.

    `title` says what is counted.
    """
    low, high = min(float(values.min()), own), max(float(values.max()), own)
    spread = (high - low) or 1.0
    axes.hist(values, bins=np.linspace(low, low + spread, 31).tolist(), color=OTHERS[0])
    axes.axvline(own, color=HERE, linewidth=2)
    axes.axvline(0, color=INK, linewidth=0.6)
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlim(low - 0.03 * spread, low + 1.03 * spread)
    style_axes(axes, title)
