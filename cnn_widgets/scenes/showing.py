"""Shows a photograph and changes any other choice with it: all of it, or nothing."""

from __future__ import annotations

from typing import Any

from cnn_widgets.scenes.catalog import Catalog
from cnn_widgets.scenes.choices import ITS_LABEL
from cnn_widgets.scenes.state import State
from cnn_widgets.spelling import composed


def show(state: State, catalogue: Catalog, image: Any, changes: dict[str, Any]) -> None:
    """Change traits of a state together, and add a photograph if it is a new one.

    Parameters
    ----------
    state : State
    catalogue : Catalog
    image : object
        The name of a photograph, whatever `load_image` takes, or None to keep the present one.
    changes : dict
        Values by trait; a class may be given by its name.

    Raises
    ------
    ValueError
        If a value is refused; then nothing has changed, and no photograph was added.
    """
    with state.together():  # redrawn at the end, after every change was accepted
        added, revision = None, catalogue.samples.revision
        try:
            if image is not None:
                name = composed(image) if isinstance(image, str) else None
                known, count = name in catalogue.samples, len(catalogue.samples)
                changes["image"] = name if known else catalogue.add(image)
                added = changes["image"] if len(catalogue.samples) > count else None
            net = catalogue.network(changes.get("network", state.network))
            for trait in ("class_index", "versus"):
                if isinstance(changes.get(trait), str) and changes[trait] != ITS_LABEL:
                    changes[trait] = net.class_index(changes[trait])
            state.update(**changes)
        except BaseException:
            if added is not None:
                catalogue.remove(added)
                catalogue.samples.revision = revision  # the table is as it was
            raise
        state.count_pictures()


def take_away(state: State, catalogue: Catalog) -> None:
    """Take the photograph that is shown off the table, and show the next one.

    Raises
    ------
    ValueError
        If it is the only photograph.
    """
    names = list(catalogue.samples)
    if len(names) == 1:
        raise ValueError("This is the only photograph, so it stays.")
    gone = state.image
    here = names.index(gone)
    with state.together():
        state.image = names[here + 1] if here + 1 < len(names) else names[here - 1]
        if state.other_image == gone:
            state.other_image = ""
        state.concept = tuple(name for name in state.concept if name != gone)
        catalogue.remove(gone)
        state.count_pictures()
