"""The experiments, what each asks of a scene, and where their results are kept."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from cnn_widgets.attribution.probe import Progress
from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.networks.network import Network
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.selection import audit_question
from cnn_widgets.views.view import View
from cnn_widgets.workbench.checkpoints import FILM, TRAINING
from cnn_widgets.workbench.concepts import CONCEPT, PARTS
from cnn_widgets.workbench.covering import COVER
from cnn_widgets.workbench.exciting import DREAM, EXCITE
from cnn_widgets.workbench.experiment import Experiment, Lead
from cnn_widgets.workbench.switching import SILENCE, TRANSPLANT
from cnn_widgets.workbench.tracing import TRACE
from cnn_widgets.workbench.turning import BY_FILTERS, BY_REGION
from cnn_widgets.workbench.voting import VOTES

#: The experiments, by name, in the order of the list.
TABLE: dict[str, Experiment] = {
    each.name: each
    for each in (
        SILENCE, TRANSPLANT, VOTES, BY_FILTERS, BY_REGION, COVER, TRACE, EXCITE, DREAM, CONCEPT,
        PARTS, TRAINING, FILM,
    )
}  # fmt: skip


def chosen(scene: Scene) -> Experiment:
    """Return the experiment that is chosen."""
    return TABLE[scene.bench.experiment]


def question(scene: Scene) -> tuple[Hashable, ...]:
    """Return everything that the chosen experiment depends on: the key of its result.

    What it cannot be asked about has a question as well: the reason.
    """
    each = chosen(scene)
    if each.about == "nothing":
        return "experiment", each.name
    everyone = each.about == "all"
    about = scene.samples.photographs.revision if everyone else scene.sample.key
    try:
        asked = each.asks(scene)
    except ValueError as error:
        asked = str(error)
    return ("experiment", each.name, *audit_question(scene), about, asked)


def refused(scene: Scene) -> str:
    """Return why the chosen experiment cannot be asked now; "" if it can, or its fold is closed."""
    if not scene.experiments:
        return ""
    try:
        chosen(scene).asks(scene)
    except ValueError as error:
        return str(error)
    return ""


def run(scene: Scene, progress: Progress | None = None) -> Any:
    """Compute and return the result of the chosen experiment, which may take minutes.

    Raises
    ------
    ValueError
        If there is no result, with the reason.
    concurrent.futures.CancelledError
        If `progress` returned False.
    """
    return chosen(scene).compute(scene, progress or (lambda done, total: True))


def keep(results: ByteCache[Any], asked: tuple[Hashable, ...], result: Any) -> None:
    """Keep a result under the question that it answers."""
    results.put(asked, result, list(_arrays(result)))
    for name, each in TABLE.items():
        if each.about == "nothing":  # it came from elsewhere and cannot be made again: it goes last
            results.get(("experiment", name))


def found_by(scene: Scene) -> Any:
    """Return the result of the chosen experiment; None if it waits for its button.

    A ValueError says why it has none.
    """
    asked = question(scene)
    found = scene.bench.results.get(asked)
    if found is None and chosen(scene).at_once(scene):
        found = chosen(scene).compute(scene, None)
        keep(scene.bench.results, asked, found)
    return found


def leads(scene: Scene) -> list[Lead]:
    """Return what the result leads to: how it is listed, and the traits that show it."""
    found = scene.bench.results.get(question(scene)) if scene.experiments else None
    return [] if found is None else chosen(scene).leads(scene, found)


def view_of(scene: Scene) -> View:
    """Return what the chosen experiment found, or what it is and why it has found nothing."""
    if not scene.experiments:
        return View("The experiments are closed.")
    each = chosen(scene)
    try:
        found = found_by(scene)
        if found is None:
            return View(f"{each.tells} {refused(scene) or f'Press “{each.button}”.'}")
        return each.show(scene, found)
    except ValueError as error:
        return View(f"{each.tells} {error}")


def _arrays(found: Any) -> Iterator[Any]:
    """Yield the arrays in a result, by which its memory is measured."""
    if isinstance(found, np.ndarray):
        yield found
    elif isinstance(found, Mapping):
        yield from _arrays(tuple(found.values()))
    elif isinstance(found, tuple | list):
        for each in found:
            yield from _arrays(each)
    elif is_dataclass(found) and not isinstance(found, type | Network):
        for each in fields(found):
            if not each.name.startswith("_"):  # lent, such as the photograph on the table
                yield from _arrays(getattr(found, each.name))
