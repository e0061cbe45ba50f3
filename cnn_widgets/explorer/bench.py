"""The controls of the experiments: labels, options, widths, and which ones an experiment has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from cnn_widgets.scenes.choices import COVERED
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.workbench.experiment import Lead, lists_filters
from cnn_widgets.workbench.table import TABLE, chosen, leads
from cnn_widgets.workbench.voting import NAMES

Options = list[tuple[str, Any]]

#: Up to so many photographs can be chosen from a list.
LISTED = 500
LABELS = {
    "experiment": "experiment",
    "switched": "filters",
    "switching": "are",
    "measure": "ranked by",
    "covered": "covered is",
    "covered_by": "by",
    "excited": "made for",
    "concept": "photographs that show the concept",
    "other_image": "other photograph",
    "other_network": "other network",
    "lead": "go to what was found",
}
UNLABELLED = {"experiment", "lead"}
TOOLTIPS = {
    "experiment": "What is changed, made or measured; what it does is told below",
    "switched": 'Numbers ("3 7 12"), or the first of a ranking ("top 20", "top 20 by weight"); '
    "also by Shift-click in the mosaic. Empty: the filter shown; all where activations are taken "
    "or dreamt",
    "switching": "What is done to the activations of these filters",
    "measure": "By which measure the filters are listed",
    "covered": "Which place of the photograph is covered",
    "covered_by": "What stands there instead",
    "excited": "What the picture shall excite as strongly as possible",
    "concept": "At least three; hold Ctrl or Shift to choose several",
    "other_image": "A second photograph on the table",
    "other_network": "A second network, given as models=",
    "lead": "Choosing a line shows the filter, the layer or the photograph above",
}
FIXED: dict[str, Options] = {
    "experiment": [(each.title, name) for name, each in TABLE.items()],
    "switching": [
        ("silenced", "silenced"),
        ("kept, all others silenced", "kept alone"),
        ("halved", "halved"),
        ("doubled", "doubled"),
    ],
    "measure": [(title, name) for name, title in NAMES.items()],
    "covered": [
        ("the region drawn", COVERED[0]),
        *((f"the {name} place" if " " not in name else name, name) for name in COVERED[1:]),
    ],
    "covered_by": [
        ("its mean colour", "mean"),
        ("a blurred copy", "blur"),
        ("noise", "noise"),
        ("another photograph", "photograph"),
    ],
    "excited": [
        ("the filter shown", "filter"),
        ("the filters listed, together", "filters"),
        ("the class explained", "class"),
    ],
}
WIDTHS = {
    "experiment": "23.1em",
    "switching": "17em",
    "measure": "18.5em",
    "covered": "20em",
    "covered_by": "15.4em",
    "excited": "21.6em",
    "other_image": "22.4em",
    "other_network": "25.4em",
}
#: Every control that belongs to some of the experiments only.
CONTROLS = tuple(name for name in LABELS if name not in ("experiment", "lead"))


#: Lists of something beside what is on screen.
OTHERS = ("other_image", "other_network")


def chosen_other_one(name: str, scene: Scene) -> str:
    """Return the other photograph or network that is used; "" for the first one."""
    wanted: str = getattr(scene.bench, name)
    here = scene.network_name if name == "other_network" else scene.image
    there = name == "other_network" or wanted in scene.samples
    return wanted if there and wanted != here else ""


def others(name: str, scene: Scene) -> Options:
    """Return the other photographs, or the other networks at hand."""
    if not scene.experiments:  # their lists are long, and not seen
        found = []
    elif name == "other_network":
        found = [each for each in scene.at_hand if each != scene.network_name]
    else:
        names = (each for each in scene.samples if each != scene.image)
        found = list(islice(names, LISTED))
    wanted = chosen_other_one(name, scene)
    if wanted and wanted not in found:
        found.append(wanted)
    first = "the first other one" if found or not scene.experiments else "there is no other one"
    return [(first, ""), *((each, each) for each in found)]


def shown(scene: Scene) -> set[str]:
    """Return the names of the controls that the chosen experiment has."""
    found = set(chosen(scene).controls)
    if "covered_by" in found and scene.bench.covered_by != "photograph":
        found.discard("other_image")
    if not lists_filters(scene):
        found.discard("switched")
    return found


def button(scene: Scene) -> str:
    """Return what the button of the chosen experiment says; "" if it needs none now."""
    each = chosen(scene)
    done = each.name != "cover" and each.at_once(scene)  # covering is at once, its controls are not
    return "" if done else each.button


class BenchControls:
    """Brings the controls of the experiments in line with a scene.

    Parameters
    ----------
    widgets : mapping of str to widget
        All controls, by name.
    select : callable
        Sets options and value of a list: called with its name, the options and the value.
    """

    def __init__(
        self, widgets: Mapping[str, Any], select: Callable[[str, Options, Any], None]
    ) -> None:
        self._widgets, self._select = widgets, select
        self._leads: list[Lead] = []

    def sync(self, scene: Scene) -> None:
        """Show the controls of the chosen experiment, with their values."""
        visible = shown(scene)
        for name in CONTROLS:
            self._widgets[name].layout.display = None if name in visible else "none"
        self._widgets["switched"].value = scene.bench.switched
        names = list(islice(scene.samples, LISTED)) if scene.experiments else []
        chosen_ones = tuple(name for name in scene.bench.concept if name in names)
        self._select("concept", [(name, name) for name in names], chosen_ones)
        self.sync_leads(scene)

    def sync_leads(self, scene: Scene) -> None:
        """List what the result of the experiment leads to; without any the list is hidden."""
        self._leads = leads(scene)
        told = [(text, number) for number, (text, _) in enumerate(self._leads)]
        now = {"layer": scene.layer.name, "filter": scene.filter, "image": scene.image}
        here = (number for number, (_, to) in enumerate(self._leads) if to.items() <= now.items())
        self._select("lead", told, next(here, None))
        self._widgets["lead"].layout.display = None if told else "none"

    def changes(self, number: int) -> dict[str, Any]:
        """Return the traits that show what stands at a place of the list."""
        return self._leads[number][1]
