"""What the user asked for: traits, no widgets. Setting one redraws; a bad value changes nothing.

Every change is checked before it happens. Changes that belong together (a new network needs
another layer, a new layer another filter) happen together and are announced once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from traitlets import Bool, Float, HasTraits, Int, Tuple, Unicode, observe, validate

from cnn_widgets.attribution.methods import QUICK, find_method
from cnn_widgets.drawing.color import lookup_table
from cnn_widgets.engine.graph import TARGETS
from cnn_widgets.evaluation.faithfulness import BASELINES
from cnn_widgets.evaluation.instruments import find_instrument
from cnn_widgets.explorer.catalog import Catalog
from cnn_widgets.networks.applications import Progress
from cnn_widgets.networks.network import Network
from cnn_widgets.records import FITS, LayerInfo

#: Where class activation maps look: at the network's default layer, or at the one browsed.
CAM_PLACES = ("default", "follow")
KINDS = ("article", "all")
CHOICES = {
    "target": TARGETS,
    "kinds": KINDS,
    "scale": ("filter", "layer"),
    "fit": FITS,
    "size": ("laptop", "projector"),
    "baseline": BASELINES,
}


class State(HasTraits):
    """The explorer's state. Every trait can be read and set; a ValueError names what is allowed.

    (A value of the wrong type is traitlets' TraitError.) The class stays when another image is
    chosen from code; the page's thumbnails go back to the most likely one.

    ``image`` and ``network`` are names; ``layer`` the layer browsed and ``filter`` the filter in
    it; ``class_index`` the class explained (None: the most likely one), ``versus`` the class it is
    set against (None: none), ``counter`` whether to show what speaks against it; ``cam_layer`` is
    ``"default"``, ``"follow"`` or a layer's name; ``alpha`` the heat-map's opacity in [0, 1];
    ``trust`` whether the instruments are open, ``instrument`` the one chosen, ``ranked`` the
    methods it compares, ``baseline`` what a pixel taken away becomes.
    """

    image = Unicode()
    network = Unicode()
    kinds = Unicode("article")
    layer = Unicode()
    filter = Int()
    class_index = Int(None, allow_none=True)
    versus = Int(None, allow_none=True)
    counter = Bool(False)
    method = Unicode("grad-cam")
    target = Unicode("logit")
    cam_layer = Unicode("default")
    alpha = Float(0.6)
    colormap = Unicode("inferno")
    scale = Unicode("filter")
    filter_colormap = Unicode("viridis")
    fit = Unicode("squash")
    size = Unicode("laptop")
    pairs = Bool(False)
    trust = Bool(False)
    instrument = Unicode("curves")
    baseline = Unicode("blur")
    ranked = Tuple(QUICK)
    pictures = Int(0, read_only=True)

    #: The order in which several changes are made: what others depend on comes first.
    ORDER = (
        "image",
        "network",
        "kinds",
        "layer",
        "filter",
        "class_index",
        "versus",
        "counter",
        "method",
        "target",
        "cam_layer",
        "alpha",
        "colormap",
        "scale",
        "filter_colormap",
        "fit",
        "size",
        "pairs",
        "trust",
        "instrument",
        "baseline",
        "ranked",
    )

    def __init__(self, catalogue: Catalog, image: str, network: str) -> None:
        self.lock = threading.RLock()
        self._depth, self._changed = 0, set[str]()
        self._listener: Callable[[frozenset[str]], None] | None = None
        self._catalogue = catalogue
        self.progress: Progress | None = None
        super().__init__()
        self.update(image=image, network=network)

    def on_change(self, listener: Callable[[frozenset[str]], None] | None) -> None:
        """Have a function called with the names of the traits that changed, once per change."""
        self._listener = listener

    def update(self, **changes: Any) -> None:
        """Set several traits at once: all of them, or, if one is refused, none."""
        unknown = set(changes) - set(self.ORDER)
        if unknown:
            raise ValueError(
                f"Unknown state {', '.join(sorted(unknown))}. States: {', '.join(self.ORDER)}."
            )
        with self.together():
            before, announced = self.values(), set(self._changed)
            try:
                for name in self.ORDER:
                    if name in changes:
                        super().__setattr__(name, changes[name])
            except BaseException:
                self._trait_values.update(before)  # as it was, past validation and observers
                self._changed = announced
                raise

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a trait as `update` does: under the lock, for what was checked must still hold."""
        if name in self.ORDER:
            self.update(**{name: value})
        else:
            super().__setattr__(name, value)

    def values(self) -> dict[str, Any]:
        """Return every trait's value by name."""
        return {name: getattr(self, name) for name in self.ORDER}

    @contextmanager
    def together(self) -> Iterator[None]:
        """Announce all changes made inside once, at the end."""
        with self.lock:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if not self._depth and self._changed:
                    changed, self._changed = frozenset(self._changed), set()
                    if self._listener is not None:
                        self._listener(changed)

    def count_pictures(self) -> None:
        """Note how many photographs there are now."""
        self.set_trait("pictures", len(self._catalogue.samples))

    def open_network(self) -> Network:
        """Return the network chosen."""
        return self._catalogue.network(self.network, self.progress)

    def layers(self) -> tuple[LayerInfo, ...]:
        """Return the layers that can be browsed now."""
        return _browsable(self.open_network(), self.kinds)

    @observe(*ORDER, "pictures")
    def _on_trait(self, change: Any) -> None:
        with self.together():
            self._changed.add(change.name)
            if change.name in ("network", "kinds"):
                self._settle(change.name)
            elif change.name == "layer" and self.layer:
                self.filter = min(self.filter, self.open_network().layer(self.layer).filters - 1)

    def _settle(self, cause: str) -> None:
        """Bring what depends on the network, or on the kinds of layers, in line with it."""
        if not self.network:
            return
        if cause == "network":
            self.class_index = self.versus = None
            self.cam_layer = "default"
            if self.open_network().head == "values":
                self.target = "logit"
        names = [info.name for info in self.layers()]
        if self.layer in names:
            self.filter = min(self.filter, self.open_network().layer(self.layer).filters - 1)
        else:
            self.layer = names[0]
            self.filter = 0

    @validate("image")
    def _check_image(self, proposal: Any) -> Any:
        self._catalogue.sample(proposal.value)
        self._try(self.network, proposal.value, self.fit)
        return proposal.value

    @validate("network")
    def _check_network(self, proposal: Any) -> Any:
        _browsable(self._catalogue.network(proposal.value, self.progress), "article")
        self._try(proposal.value, self.image, self.fit)
        return proposal.value

    def _try(self, network: str, image: str, fit: str) -> None:
        """See that the network can take the photograph, before either is chosen."""
        if network and image:
            self._catalogue.network(network).observe(self._catalogue.fitted(fit)[image])

    @validate("layer")
    def _check_layer(self, proposal: Any) -> Any:
        info = self.open_network().layer(proposal.value)
        if not info.spatial:
            raise ValueError(f"Layer {info.name!r} puts out shape {info.shape}, no map (h, w, K).")
        return proposal.value

    @validate("filter")
    def _check_filter(self, proposal: Any) -> Any:
        count = self.open_network().layer(self.layer).filters if self.layer else 1
        if not 0 <= proposal.value < count:
            raise ValueError(
                f"Layer {self.layer!r} has filters 0 to {count - 1}. Received: {proposal.value}"
            )
        return proposal.value

    @validate("class_index", "versus")
    def _check_class(self, proposal: Any) -> Any:
        wanted = proposal.value
        return None if wanted is None else self.open_network().class_index(wanted)

    @validate("method")
    def _check_method(self, proposal: Any) -> Any:
        return find_method(proposal.value).name

    @validate("instrument")
    def _check_instrument(self, proposal: Any) -> Any:
        return find_instrument(proposal.value).name

    @validate("ranked")
    def _check_ranked(self, proposal: Any) -> Any:
        return tuple(dict.fromkeys(find_method(name).name for name in proposal.value))

    @validate("cam_layer")
    def _check_cam_layer(self, proposal: Any) -> Any:
        if proposal.value not in CAM_PLACES:
            self._check_layer(proposal)
        return proposal.value

    @validate("alpha")
    def _check_alpha(self, proposal: Any) -> Any:
        if not 0.0 <= proposal.value <= 1.0:
            raise ValueError(f"Expected alpha between 0 and 1. Received: {proposal.value}")
        return proposal.value

    @validate("colormap", "filter_colormap")
    def _check_colormap(self, proposal: Any) -> Any:
        lookup_table(proposal.value)
        return proposal.value

    @validate("target", "kinds", "scale", "fit", "size", "baseline")
    def _check_choice(self, proposal: Any) -> Any:
        allowed = CHOICES[proposal.trait.name]
        if proposal.value not in allowed:
            raise ValueError(
                f"Expected {proposal.trait.name} to be one of {allowed}. "
                f"Received: {proposal.value!r}"
            )
        if (
            proposal.trait.name == "target"
            and proposal.value == "probability"
            and (self.open_network().head == "values")
        ):
            raise ValueError("This network has one plain output value and no probabilities.")
        return proposal.value


def _browsable(network: Network, kinds: str) -> tuple[LayerInfo, ...]:
    layers = network.feature_layers if kinds == "article" else network.layers_of(None)
    if not layers:
        raise ValueError(
            f"Network {network.name!r} has no layer with a spatial map (h, w, K) "
            "larger than 1×1: there is nothing to look into."
        )
    return layers
