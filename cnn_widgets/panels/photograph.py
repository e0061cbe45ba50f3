"""Panels of the photograph: itself, the network's input, the evidence for a class, the answer."""

from __future__ import annotations

from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.drawing.color import stretched
from cnn_widgets.images.resizing import cached_thumbnail
from cnn_widgets.scenes.photographs import PAGE
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.telling import counted
from cnn_widgets.views import captions
from cnn_widgets.views.overlays import colors_over, legend, over_photograph
from cnn_widgets.views.view import View

#: Longer side of the photographs and heat-maps sent to the page, in pixels.
PICTURE = 640


def original(scene: Scene) -> View:
    """Return the photograph as it was given, with other pictures that go in beside it."""
    height, width = scene.full_size
    alt = f"The photograph {scene.image}, {width} by {height} pixels."
    caption = f"{scene.image} · {width}×{height}"
    if scene.full_size != scene.sample.size:
        height, width = scene.sample.size
        caption += f", looked at in {width}×{height}"
    beside = scene.network.pictures_beside(scene.sample)
    if beside:
        own = scene.network.model_input.name
        alt = f"{alt} It goes into {own}; beside it {', '.join(beside)}."
        caption = f"{caption} · goes into {own} (explained)"
    return View(alt, caption, cached_thumbnail(scene.sample, PICTURE))


def beside(scene: Scene) -> View:
    """Return the pictures that go into other inputs of the network, if it has such."""
    others = scene.network.pictures_beside(scene.sample)
    strip = tuple(
        (f"goes into {name}", cached_thumbnail(each, 224), f"The picture for the input {name}.")
        for name, each in others.items()
    )
    return View("", strip=strip)


def network_input(scene: Scene) -> View:
    """Return the preprocessed input, its range stretched from black to white."""
    x = scene.input_tensor
    bands, many = list(scene.sample.bands), x.shape[2] not in (1, 3)
    # bands of different kinds have no range in common
    picture = stretched(x[..., bands], each=True) if many else stretched(x)
    low, high = float(x.min()), float(x.max())
    caption = (
        f"{x.shape[1]}×{x.shape[0]}×{x.shape[2]} · min {captions.number(low)} · "
        f"mean {captions.number(float(x.mean()))} · max {captions.number(high)}"
    ) + (f" · channels {', '.join(map(str, bands))} shown" if many else "")
    return View(f"What the network sees of {scene.image}: {caption}.", caption, picture)


def overlay(scene: Scene) -> View:
    """Return the heat-map of the class explained over the photograph."""
    found, method = scene.attribution, METHODS[scene.method]
    under = cached_thumbnail(scene.sample, PICTURE)
    if found is None:
        line = f"{method.title} takes {method.cost}: press Compute."
        return View(f"The photograph {scene.image}. {line}", line, under=under, alpha=scene.alpha)
    picture = colors_over(under, scene, found.heatmap, found.signed)
    where = f"at {found.layer}" if found.layer else "at the input"
    line, details = captions.short_evidence(found), captions.evidence(found)
    return View(
        f"{method.title} {where} over {scene.image}. {details}", line, picture, under=under,
        alpha=scene.alpha, legend=legend(scene, found), details=details,
    )  # fmt: skip


def predictions(scene: Scene) -> View:
    """Return the list of the five most likely classes."""
    chosen = scene.chosen.class_index
    listed = "; ".join(captions.with_probability(p) for p in scene.predictions)
    rows = tuple(
        (p.name, p.probability, p.score, p.class_index == chosen) for p in scene.predictions
    )
    caption = "" if scene.label is None else f"labelled {scene.label}"
    if chosen not in [p.class_index for p in scene.predictions]:
        score = captions.number(scene.chosen.score)
        caption += f"{' · ' * bool(caption)}explained: "
        caption += f"{captions.with_probability(scene.chosen)}, score {score}"
    return View(f"The most likely classes of {scene.image}: {listed}.", caption, rows=rows)


def pairs(scene: Scene) -> View:
    """Return every photograph with its heat-map, each for its own most likely class."""
    if not scene.pairs:
        return View("The gallery of all photographs is closed.")
    if METHODS[scene.method].slow:
        return View(f"{METHODS[scene.method].title} is computed for one photograph at a time.")
    found, bad, names = [], 0, paired(scene)
    for name in names:
        try:
            sample = scene.samples[name]
        except ValueError:  # the thumbnails say why
            bad += 1
            continue
        attribution = scene.attribution_of(sample, None)
        photo, shown = over_photograph(scene, sample, attribution.heatmap, attribution.signed)
        line = f"{name}: {attribution.class_name} ({captions.percent(attribution.probability)})"
        line += captions.if_empty(attribution.heatmap)
        found.append((line, photo, ((shown, f"{name}. {captions.evidence(attribution)}"),)))
    alt = f"Original and heat-map of {counted(len(found), 'photograph')}."
    every, line = len(scene.samples), ""
    if every > len(names):
        line = f"{len(names)} of {every:,} photographs, those around {scene.image}"
    if bad:
        line += f"{'; ' * bool(line)}{bad} cannot be read"
    return View(alt, line, pairs=tuple(found), alpha=scene.alpha)


def paired(scene: Scene) -> tuple[str, ...]:
    """Return the photographs shown with their evidence: of many, the page of the one chosen."""
    return scene.samples.photographs.page(scene.image, PAGE)
