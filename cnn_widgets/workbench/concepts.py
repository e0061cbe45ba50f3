"""Whether the class is sensitive to a concept, and what its photographs consist of."""

from __future__ import annotations

from collections.abc import Hashable
from concurrent.futures import CancelledError
from itertools import islice

from cnn_widgets.attribution.probe import Progress
from cnn_widgets.concepts import Concept, Parts, concept, parts
from cnn_widgets.drawing.mosaics import side_by_side
from cnn_widgets.images.resizing import shrink
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.telling import counted, stopped
from cnn_widgets.views import captions
from cnn_widgets.views.overlays import over_photograph
from cnn_widgets.views.view import View
from cnn_widgets.workbench.answers import SIDE, draw_among
from cnn_widgets.workbench.experiment import Experiment, photographs, waits

#: Photographs of a class, or without a concept, that are looked at.
_MOST = 200
_CROP = 88  # longer side of a crop, in pixels
_SURE = 0.05  # a p-value below it is called significant


def of_class(scene: Scene, progress: Progress | None = None) -> tuple[str, ...]:
    """Return the names of photographs of the class explained: by label, or else by the answer.

    Those that cannot be read are left out; a CancelledError if `progress` returned False.
    """
    index, table = scene.chosen.class_index, scene.samples.photographs
    labelled = [
        name
        for name in scene.samples
        if index in scene.audits.label_classes(scene.network, table.label(name))
    ]
    if labelled:
        return tuple(labelled[:_MOST])
    found = []
    names = list(islice(scene.samples, _MOST))
    for number, name in enumerate(names):
        if stopped(progress, number, len(names)):
            raise CancelledError(f"Stopped after {number} of {len(names)} photographs.")
        try:
            answer = scene.network.predict(scene.samples[name], top=1)[0]
        except ValueError:  # it cannot be read
            continue
        if answer.class_index == index:
            found.append(name)
    return tuple(found)


def _tested(scene: Scene, progress: Progress | None) -> tuple[Concept, bool]:
    """Return the test, and whether all photographs were looked at for want of the class's own."""
    chosen = tuple(name for name in scene.bench.concept if name in scene.samples)
    if not chosen:
        raise ValueError(
            "Choose the photographs that show the concept in the list (at least 3); the others on "
            "the table stand against them."
        )
    others = tuple(name for name in islice(scene.samples, _MOST) if name not in chosen)
    examples = of_class(scene, progress)
    lacking = len(examples) < 2
    if lacking:  # the derivative is then taken at every photograph on the table
        examples = tuple(islice(scene.samples, _MOST))
    shown, rest, asked = (photographs(scene, names) for names in (chosen, others, examples))
    found = concept(
        scene.network, shown, rest, asked, scene.chosen.class_index, scene.layer.name,
        progress=progress,
    )  # fmt: skip
    return found, lacking


def _concept_shown(scene: Scene, result: tuple[Concept, bool]) -> View:
    found, lacking = result
    name = scene.network.class_names[found.class_index]
    more = "raises" if found.effect > 0 else "lowers"
    sure = found.p_value < _SURE
    line = (
        f"{found.layer} tells the {found.counts[0]} photographs of the concept from "
        f"{found.counts[1]} others in {captions.percent(found.accuracy)} of the cases (chance: "
        f"50 %). More of it {more} the score of {name} by {captions.number(abs(found.effect))}; "
        f"{'' if sure else 'not '}more than random sets of photographs do "
        f"(p = {captions.number(found.p_value)}, {found.runs} sets)."
    )
    if found.least_p > _SURE:
        line += (
            f" So few photographs allow no p below {captions.number(found.least_p)}: nothing can "
            "be told from chance. Choose more."
        )
    if lacking:
        line += f" Fewer than two photographs are of {name}: all were looked at."
    rows = (
        ("effect on the score", captions.number(found.effect)),
        ("share of photographs whose score rises (TCAV)", captions.percent(found.score)),
        ("accuracy of the concept in the layer", captions.percent(found.accuracy)),
        ("p-value against random sets", captions.number(found.p_value)),
        ("photographs at which the score is looked at", str(found.counts[2])),
    )
    chart = View(
        "The effects of random sets of photographs, and that of the concept.",
        "Effects of random sets of photographs; the line is the concept",
        chart=lambda axes: draw_among(
            axes, found.random_effects, found.effect, "number of random sets, by their effect"
        ),
        key=("concept", found.random_effects.tobytes(), found.effect),
    )
    table = View("The figures of the test.", "The figures", table=(("", "value"), *rows))
    return View(line, line, parts=(table, chart))


def _taken_apart(scene: Scene, progress: Progress | None) -> Parts:
    names = of_class(scene, progress)
    if len(names) < 2:
        raise ValueError(
            f"Parts are found in several photographs of a class, and {len(names)} on the table "
            f"{'is' if len(names) == 1 else 'are'} of {scene.chosen.name}. Open a folder with more."
        )
    return parts(
        scene.network, photographs(scene, names), scene.chosen.class_index, scene.layer.name,
        progress=progress,
    )  # fmt: skip


def _parts_shown(scene: Scene, found: Parts) -> View:
    name = scene.network.class_names[found.class_index]
    parts = "1 part makes" if len(found.parts) == 1 else f"{len(found.parts)} parts make"
    line = (
        f"{parts} up {captions.percent(found.explained)} of what {found.layer} sees in "
        f"{counted(found.photographs, 'photograph')} of {name}. Without the first, its "
        f"score {'rises' if found.parts[0].effect < 0 else 'falls'} by "
        f"{captions.number(abs(found.parts[0].effect))} on average."
    )
    heats = found.maps(scene.sample)
    top = float(heats.max()) or 1.0
    shown = []
    for number, (part, heat) in enumerate(zip(found.parts, heats, strict=True), 1):
        crops = [shrink(pixels, _CROP) for _, _, pixels in part.crops[:3]]
        caption = (
            f"Part {number}: importance {captions.percent(part.importance)}, effect "
            f"{captions.number(part.effect)}"
        )
        photo, colors = over_photograph(scene, scene.sample, heat / top, False, SIDE // 2)
        alt = f"Where part {number} lies on {scene.image}: {captions.place_in_words(heat)}."
        where = View(alt, "", colors, under=photo, alpha=0.6)
        inner = [where]
        if crops:
            inner.append(View(f"Crops that show part {number} best.", "", side_by_side(crops, 2)))
        shown.append(View(caption, caption, parts=tuple(inner)))
    return View(line, line, parts=tuple(shown))


def _asks(scene: Scene) -> Hashable:
    return scene.layer.name, scene.chosen.class_index


CONCEPT = Experiment(
    "concept",
    "Is the class sensitive to a concept?",
    "Choose at least three photographs that have something in common. Their direction in the layer "
    "is found, and how the class's score changes along it, beside random sets (TCAV).",
    lambda scene: (_asks(scene), scene.bench.concept),
    _tested,
    _concept_shown,
    ("concept",),
    "Test the concept",
    waits,
    about="all",
)
PARTS = Experiment(
    "parts",
    "What the class is made of",
    "The parts that photographs of the class consist of, found without being asked for, how much "
    "the class depends on each, and where they lie (CRAFT).",
    _asks,
    _taken_apart,
    _parts_shown,
    (),
    "Find the parts",
    waits,
    about="all",
)
