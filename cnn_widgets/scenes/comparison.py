"""The evidence on screen, A, and another one, B, that differs in one thing. No widgets.

`State.compare_by` says in what B differs, `State.compare_with` which one it is. B is a `Scene` like
A, so all other choices are the same. Where there is no B, a sentence says why.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from cnn_widgets.attribution.methods import METHODS, QUICK
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.evaluation.randomization import rank_correlation
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats
from cnn_widgets.scenes.choices import browsable
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.spelling import composed, plain

#: What opening a network, or running it on a photograph, raises where it is refused.
_REFUSALS = (ValueError, TypeError, OSError, ImportError)


@dataclass(frozen=True, eq=False)  # == of two arrays is an array, not a bool
class Comparison:
    """The evidence on screen, A, beside another one, B, or the reason why there is none.

    Attributes
    ----------
    scene : Scene
        A.
    other : Scene or None
        B; None if there is none.
    maps : tuple of Attribution
        The map of A and the map of B; empty if there is no B.
    refused : str
        Why there is no B, in one sentence; "" if there is one.
    """

    scene: Scene
    other: Scene | None = None
    maps: tuple[Attribution, ...] = field(default=(), repr=False)
    refused: str = ""

    @property
    def one_place(self) -> bool:
        """Whether the two maps lie on the same photograph, so that their places correspond."""
        return bool(self.maps) and self.scene.compare_by != "photograph"

    @cached_property
    def difference(self) -> Floats | None:
        """The heat-map of A minus that of B, (H, W), from -2 to 2; None if places differ."""
        if not self.one_place:
            return None
        one, two = self.maps
        return np.asarray(one.heatmap - two.heatmap, np.float32)

    @cached_property
    def correlation(self) -> float | None:
        """Spearman's rank correlation of the two heat-maps, -1 to 1; None if places differ."""
        if not self.one_place:
            return None
        one, two = self.maps
        return rank_correlation(one.heatmap, two.heatmap)


#: So many photographs are offered for a comparison; of more, those around the one on screen.
OFFERED = 50


def compare(scene: Scene) -> Comparison:
    """Return the evidence of a scene beside the other one that is chosen; see `Comparison`."""
    try:
        other = _other(scene)
        maps = _map_of(scene, _PRESS), _map_of(other, _TOO_SLOW)
    except _REFUSALS as error:
        return Comparison(scene, refused=str(error))
    return Comparison(scene, other, maps)


def alternatives(scene: Scene) -> tuple[str, ...]:
    """Return the values of `State.compare_with` that are offered, by name, A's own among them."""
    if scene.compare_by == "method":
        return QUICK
    if scene.compare_by == "class":
        indices = [p.class_index for p in scene.predictions]
        indices += [i for i in (scene.wanted_versus,) if i is not None and i not in indices]
        return tuple(scene.network.class_names[index] for index in indices)
    if scene.compare_by == "layer":
        if METHODS[scene.method].at == "input":
            return ()
        engine = scene.network.engine
        reached = engine.reached([info.name for info in scene.layers], scene.target)
        names = [name for name in reached if engine.unused(name) is None]
        default = scene.network.default_layer
        return tuple(names if default is None or default in names else [*names, default])
    if scene.compare_by == "photograph":
        return scene.samples.photographs.page(scene.image, OFFERED)
    return scene.at_hand


def compared_with(scene: Scene) -> Hashable:
    """Return what B depends on beside the traits: what it is, and the weights of another network.

    A network that is not on screen may have been trained meanwhile, too.
    """
    other = chosen_other(scene)
    if scene.compare_by != "network" or other not in scene.at_hand:
        return other
    network = scene.open_network(other)
    with network.weights_checked():
        return other, network.revision


def chosen_other(scene: Scene) -> str:
    """Return the name of what is compared with: the one chosen, or the first that is not A's own.

    First come a method that looks elsewhere, the class `versus`, and the layer browsed. "" if there
    is no other.
    """
    if scene.compare_with:
        return scene.compare_with
    found = alternatives(scene)
    first: list[str] = []
    if scene.compare_by == "method":
        first = [each for each in found if METHODS[each].at != METHODS[scene.method].at]
    if scene.compare_by == "class" and scene.versus is not None:
        first = [scene.network.class_names[scene.versus]]
    if scene.compare_by == "layer":
        wanted = (scene.network.default_layer, scene.layer.name)
        first = [each for each in found if each in wanted]
        first.sort(key=wanted.index)
    own = _own(scene) if found else ""
    return next((each for each in (*first, *found) if each != own), "")


def _own(scene: Scene) -> str:
    """Return the name of A's own method, class, layer, photograph or network."""
    # not `Scene.place`, which refuses a layer to which no path leads
    places = {"default": scene.network.default_layer or "", "follow": scene.layer.name}
    names: dict[str, Callable[[], str]] = {
        "method": lambda: scene.method,
        "class": lambda: scene.chosen.name,
        "layer": lambda: places.get(scene.cam_layer, scene.cam_layer),
        "photograph": lambda: scene.image,
        "network": lambda: scene.network_name,
    }
    return names[scene.compare_by]()


def _other(scene: Scene) -> Scene:
    """Return B; a ValueError says why there is none."""
    by, name = scene.compare_by, chosen_other(scene)
    if by == "layer" and METHODS[scene.method].at == "input":
        raise ValueError(
            f"{METHODS[scene.method].title} looks at the input and not at a layer: choose a class "
            "activation map, such as Grad-CAM, to compare layers."
        )
    if not name:
        raise ValueError(_NO_OTHER[by])
    other = _MAKERS[by](scene, name)
    if _own(scene) == _own(other):
        raise ValueError(f"A and B would be the same: choose another {by} to compare with.")
    return other


#: What is said of a slow method whose map is not known: of A, and of B.
_PRESS = "{} takes time ({}): press Compute first, then it can be compared."
_TOO_SLOW = "{} is too slow to compare at once ({}): choose a quick method."


def _map_of(scene: Scene, slow: str) -> Attribution:
    """Return the map of A or of B; a ValueError says why there is none."""
    found = scene.attribution
    if found is None:
        raise ValueError(slow.format(METHODS[scene.method].title, METHODS[scene.method].cost))
    return found


def _other_method(scene: Scene, name: str) -> Scene:
    if name not in METHODS:
        raise _unknown(scene, name)
    return replace(scene, method=name)


def _other_class(scene: Scene, name: str) -> Scene:
    try:
        index = scene.network.class_index(name)
    except ValueError:
        raise _unknown(scene, name) from None
    return replace(scene, wanted_class=index)


def _other_layer(scene: Scene, name: str) -> Scene:
    if name not in [info.name for info in scene.network.layers_of(None)]:
        raise _unknown(scene, name)
    return replace(scene, cam_layer=name)


def _other_photograph(scene: Scene, name: str) -> Scene:
    """Return the same question about another photograph: its class is that of A."""
    name = composed(name)
    if name not in scene.samples:
        raise _unknown(scene, name)
    sample, index = scene.samples[name], scene.chosen.class_index
    return replace(
        scene, image=name, sample=sample, full_size=sample.size, region=None, wanted_class=index
    )


def _other_network(scene: Scene, name: str) -> Scene:
    """Return the same question to another network, which has the class under the same name.

    A layer chosen by its name is the one of the same name, if the other network has it.
    """
    if name not in scene.at_hand:
        raise _unknown(scene, name)
    net = scene.open_network(name)
    layers = browsable(net, "article")
    at = "default" if scene.cam_layer == "default" else scene.place
    at = at if at in [info.name for info in net.layers_of(None)] else "default"
    wanted = _class_in(net, name, scene.chosen.name)
    versus = None if scene.versus is None else scene.network.class_names[scene.versus]
    if scene.target == "probability" and net.head == "values":
        raise ValueError(f"{name} has one plain output value and no probabilities to explain.")
    with net.weights_checked():
        revision = net.revision
    return replace(
        scene, network=net, network_name=name, revision=revision, layers=layers, layer=layers[0],
        filter=0, pins=(), cam_layer=at, wanted_class=wanted,
        wanted_versus=None if versus is None else _class_in(net, name, versus),
    )  # fmt: skip


_MAKERS: dict[str, Callable[[Scene, str], Scene]] = {
    "method": _other_method,
    "class": _other_class,
    "layer": _other_layer,
    "photograph": _other_photograph,
    "network": _other_network,
}
#: What is said where there is nothing to compare with.
_NO_OTHER = {
    "method": "There is no other quick method.",
    "class": "This network knows no other class.",
    "layer": "No other layer can carry a map of this class.",
    "photograph": "There is only one photograph: open another one to compare with.",
    "network": "Only one network is open: open another one in the list at the top, then come back "
               "to this one.",
}  # fmt: skip
_KINDS = {
    "method": "Methods", "class": "Classes", "layer": "Layers", "photograph": "Photographs",
    "network": "Networks",
}  # fmt: skip


def _unknown(scene: Scene, name: str) -> ValueError:
    """Return the error for a `compare_with` that names nothing; it lists what is offered."""
    listed = ", ".join(alternatives(scene))
    return ValueError(
        f"Unknown {scene.compare_by} {name!r}. {_KINDS[scene.compare_by]} to compare with: "
        f"{listed}."
    )


def _class_in(net: Network, network_name: str, wanted: str) -> int:
    """Return the index of the class of this very name in another network."""
    names = net.class_names
    if wanted in names:
        return names.index(wanted)
    found = [index for index, name in enumerate(names) if plain(name) == plain(wanted)]
    if len(found) != 1:
        raise ValueError(f"{network_name} knows no class {wanted!r}: there is nothing to compare.")
    return found[0]
