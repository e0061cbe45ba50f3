"""Pictures made for a filter, a group or a class, beside real ones; DeepDream on the photograph."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import islice

from cnn_widgets.attribution.probe import Progress
from cnn_widgets.excitation import (
    Dream,
    Excitation,
    Patches,
    dream,
    excite,
    exciting_patches,
    response,
)
from cnn_widgets.images.resizing import resize_to_input, shrink, shrink_sample
from cnn_widgets.records import ImageSample
from cnn_widgets.scenes.choices import read_filters
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.telling import counted, in_short
from cnn_widgets.views import captions
from cnn_widgets.views.view import View
from cnn_widgets.workbench.answers import SIDE
from cnn_widgets.workbench.experiment import (
    Experiment,
    asked_of_votes,
    filters_of,
    photographs,
    waits,
)

_PATCHES = 6  # real places shown beside
_MOST = 200  # photographs that are looked through for them


def _wanted(scene: Scene) -> tuple[str | None, tuple[int, ...] | None, int | None]:
    """Return layer and filters, or the class, that a picture is made for."""
    excited = scene.bench.excited
    if excited == "class":
        return None, None, scene.chosen.class_index
    return scene.layer.name, (scene.filter,) if excited == "filter" else filters_of(scene), None


def _excited(scene: Scene, progress: Progress | None) -> tuple[Excitation, Patches | None]:
    """Return the picture made, and for one filter the real places that excite it most."""
    layer, filters, index = _wanted(scene)
    made = excite(scene.network, layer, filters, class_index=index, progress=progress)
    if layer is None or len(made.filters) > 1:
        return made, None
    some = photographs(scene, tuple(islice(scene.samples, _MOST)))
    real = exciting_patches(
        scene.network, some, layer, made.filters[0], count=_PATCHES, progress=progress
    )
    return made, real


def _asks(scene: Scene) -> Hashable:
    """Return what is excited: without ranking the filters, which takes gradients."""
    excited = scene.bench.excited
    if excited == "class":
        return scene.chosen.class_index
    return scene.layer.name, scene.filter if excited == "filter" else _listed(scene)


def _listed(scene: Scene) -> Hashable:
    """Return the filters listed; for a ranking what it depends on."""
    text = scene.bench.switched
    if not text:
        return scene.filter
    ranked = read_filters(text).first > 0
    return text, (scene.sample.key, asked_of_votes(scene)) if ranked else ()


def _shown(scene: Scene, result: tuple[Excitation, Patches | None]) -> View:
    """Return the picture that was made, and the real places that excite the filter most."""
    found, real = result
    here = response(scene.network, scene.sample, found.layer, found.filters)[0]
    if found.layer is None:
        what, unit = f"the class {scene.network.class_names[found.filters[0]]}", "score"
    else:
        word = "filter" if len(found.filters) == 1 else "filters"
        what, unit = f"{word} {in_short(found.filters, 6)} of {found.layer}", "mean over positions"
    line = (
        f"Made for {what}: {unit} {captions.number(found.value)}; from noise "
        f"{captions.number(found.start)}, on this photograph {captions.number(here)}"
    )
    if real is not None and real.seen:
        line += f", at most {captions.number(real.best_mean)} on "
        line += counted(real.seen, "photograph")
    answers = scene.network.predict(found.sample, top=3)
    said = ", ".join(captions.with_probability(each) for each in answers)
    line = " ".join((f"{line}. The network takes it for: {said}.", *found.notes))
    made = View(f"The picture made for {what}.", "The picture made",
                shrink(found.sample.pixels, SIDE))  # fmt: skip
    return View(line, line, parts=(made, *_places(real)))


def _places(real: Patches | None) -> list[View]:
    """Return the real places that excite one filter most, with the filter's value at each."""
    strip = tuple(
        (f"{each.name}\n{captions.number(each.value)}", shrink(each.pixels, SIDE // 2),
         f"A place of {each.name}: {captions.number(each.value)}.")
        for each in (real.found if real is not None else ())
    )  # fmt: skip
    caption = "Real places that excite it most, with its value there"
    return [View(f"{caption}.", caption, strip=strip)] if strip else []


def _dreamt(scene: Scene, progress: Progress | None) -> Dream:
    filters = filters_of(scene) if scene.bench.switched else None
    return dream(scene.network, scene.sample, scene.layer.name, filters, progress=progress)


def _dream_shown(scene: Scene, found: Dream) -> View:
    word = "filter" if len(found.filters or ()) == 1 else "filters"
    which = f"{word} {', '.join(map(str, found.filters))}" if found.filters else "all filters"
    line = (
        f"{scene.image}, dreamt by {which} of {found.layer}: their mean square went from "
        f"{captions.number(found.before)} to {captions.number(found.after)}."
    )
    pictures = ((scene.sample, "Before"), (found.sample, "After"))
    size = min((shrink_sample(each, 2 * SIDE).size for each, _ in pictures), key=max)
    parts = tuple(
        View(f"{word}: {each.name}.", word, resize_to_input(ImageSample(each.pixels), size))
        for each, word in pictures
    )
    return View(line, line, parts=parts)


EXCITE = Experiment(
    "excite",
    "The picture that excites it",
    "A picture made from noise so that the filter shown, the filters listed or the class explained "
    "answers as strongly as possible (activation maximisation).",
    _asks,
    _excited,
    _shown,
    ("excited", "switched"),
    "Make it",
    waits,
    about="all",
)
DREAM = Experiment(
    "dream",
    "DeepDream on the photograph",
    "The photograph changed step by step so that the layer answers more strongly to what it finds "
    "in it already. Lists of filters are dreamt by these alone.",
    lambda scene: (scene.layer.name, scene.bench.switched and _listed(scene)),
    _dreamt,
    _dream_shown,
    ("switched",),
    "Dream",
    waits,
)
