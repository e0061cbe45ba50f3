"""Another network beside the one on screen; the film of a training."""

from __future__ import annotations

from itertools import islice

from cnn_widgets.attribution.probe import Progress
from cnn_widgets.networks.network import Network
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.training.changes import NetworkChange, compare_networks
from cnn_widgets.training.film import Film
from cnn_widgets.views import captions
from cnn_widgets.views.view import View
from cnn_widgets.workbench.experiment import Experiment, Lead, photographs, waits

#: Photographs that both networks are asked about.
_MOST = 200
_SHOWN = 10  # layers, and photographs, in the tables
_LISTED = 5  # filters of each layer that can be chosen


def _other(scene: Scene) -> str:
    """Return the name of the other network; a ValueError if there is none at hand."""
    wanted = scene.bench.other_network
    if wanted and wanted != scene.network_name:
        return wanted
    for name in scene.at_hand:
        if name != scene.network_name:
            return name
    raise ValueError(
        "There is one network only: give the other one as CNNExplorer(after, models={'before': "
        "before})."
    )


#: Name of the other network, itself, its revision then, and what was found.
Compared = tuple[str, Network, int, NetworkChange]


def _compared(scene: Scene, progress: Progress | None) -> Compared:
    name = _other(scene)
    before = scene.open_network(name)
    with before.weights_checked():
        revision = before.revision
    names = tuple(islice(scene.samples, _MOST))
    found = compare_networks(before, scene.network, photographs(scene, names), progress=progress)
    return name, before, revision, found


def _shown(scene: Scene, found: Compared) -> View:
    """Return which layers moved, and which answers."""
    name, before, _, change = found
    if _outdated(found):
        return View(f"The weights of {name} have changed since: press “{TRAINING.button}”.")
    turned = len(change.turned)
    line = (
        f"From {name} to {scene.network_name}, over {len(change.answers)} photographs: the answer "
        f"is another one for {turned}"
    )
    known = [each for each in change.layers if each.cka == each.cka]
    if known:
        line += f"; {known[0].after} moved most (CKA {captions.fixed(known[0].cka, 2)})"
    line = " ".join((f"{line}.", *change.notes))
    layers = [
        (
            each.after,
            captions.fixed(each.cka, 3) if each.cka == each.cka else "–",
            captions.percent(each.weights),
            ", ".join(str(k) for k in each.most_changed[:_LISTED]) or "–",
        )
        for each in change.layers[:_SHOWN]
    ]
    answers = [
        (
            each.name,
            before.class_names[each.before],
            scene.network.class_names[each.after],
            captions.percent(each.moved),
            captions.fixed(each.evidence, 2) if each.evidence == each.evidence else "–",
        )
        for each in change.answers[:_SHOWN]
    ]
    parts = (
        View("Layers, least alike first.", "Layers, least alike first (CKA 1: the same)",
             table=(("layer", "CKA", "weights moved", "filters that changed most"), *layers)),
        View("Photographs, most moved first.", "Photographs, most moved first", table=(
            ("photograph", "before", "after", "moved", "evidence alike"), *answers)),
    )  # fmt: skip
    return View(line, line, parts=parts)


def _outdated(found: Compared) -> bool:
    """Return whether the other network was trained since."""
    _, before, revision, _ = found
    with before.weights_checked():
        return bool(before.revision != revision)


def _leads(scene: Scene, found: Compared) -> list[Lead]:
    if _outdated(found):
        return []
    change = found[3]
    leads: list[Lead] = []
    browsed = {info.name for info in scene.layers}
    for each in change.layers[:_SHOWN]:
        if each.after in browsed:
            leads += [
                (f"{each.after}, filter {k}", {"layer": each.after, "filter": int(k)})
                for k in each.most_changed[:_LISTED]
            ]
    return leads + [
        (f"{each.name}: moved {captions.percent(each.moved)}", {"image": each.name})
        for each in change.answers[:_SHOWN]
        if each.name in scene.samples
    ]


def _no_film(scene: Scene, progress: Progress | None) -> Film:
    raise ValueError(
        "Give film = cw.training_film(photos) to model.fit(callbacks=[film]), and then "
        "explorer.experiment('film', film.film)."
    )


def _film_shown(scene: Scene, found: Film) -> View:
    frames = found.frames
    line = (
        f"{len(frames)} frames of {len(found.samples)} photographs, from epoch {frames[0].epoch} "
        f"to {frames[-1].epoch}: a row for each photograph, a column for each epoch."
    )
    line = " ".join((line, *found.notes))
    sheet = found.sheet(12, colormap=scene.colormap)
    return View(line, line, sheet)


TRAINING = Experiment(
    "training",
    "Before and after: another network",
    "Another checkpoint or network over the photographs on the table: which layers, filters and "
    "answers are different in the one on screen, most changed first.",
    _other,
    _compared,
    _shown,
    ("other_network",),
    "Compare",
    waits,
    _leads,
    "all",
)
FILM = Experiment(
    "film",
    "The film of a training",
    "The evidence for fixed photographs after each epoch of a training.",
    lambda scene: (),
    _no_film,
    _film_shown,
    about="nothing",
)
