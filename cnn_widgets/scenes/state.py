"""The explorer's state as traits, without widgets. An invalid value raises and changes nothing.

Changes that belong together (a new network needs another layer, a new layer another filter) happen
together, and the listener is called once for all of them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from traitlets import observe, validate

from cnn_widgets.auditing import Audit
from cnn_widgets.auditing.result import ANOTHER
from cnn_widgets.auditing.selecting import label_place
from cnn_widgets.networks.applications import Progress
from cnn_widgets.networks.network import Network
from cnn_widgets.records import LayerInfo
from cnn_widgets.scenes import choices
from cnn_widgets.scenes.catalog import Catalog
from cnn_widgets.scenes.traits import KEPT, Traits, from_plain
from cnn_widgets.spelling import composed

#: So many photographs are tried for one that can be read.
_TRIED = 20
#: The traits that choose photographs of the audit.
_SELECTING = {"audit_kind", "audit_label", "audit_answer"}


class State(Traits):
    """The explorer's state. Every trait can be read and set, see `Traits`; setting one redraws.

    An invalid value raises a ValueError that names what is allowed; a value of the wrong type
    raises traitlets' TraitError. Setting ``image`` keeps ``class_index``; a click on a thumbnail
    resets it to None.
    """

    def __init__(self, catalogue: Catalog, image: str, network: str) -> None:
        self.lock = threading.RLock()
        self._nesting, self._changed = 0, set[str]()
        self._listener: Callable[[frozenset[str]], None] | None = None
        self._catalog = catalogue
        self.progress: Progress | None = None
        super().__init__()
        self.update(image=image, network=network)
        self.count_pictures()

    def on_change(self, listener: Callable[[frozenset[str]], None] | None) -> None:
        """Call a function with the names of the changed traits after each change; None: nothing."""
        self._listener = listener

    def update(self, **changes: Any) -> None:
        """Set several traits at once; if one value is invalid, raise and set none of them."""
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
                if _SELECTING & set(changes) and "image" not in changes:
                    self._show_selected()
            except BaseException:
                self._trait_values.update(before)  # bypasses validators and observers
                self._changed = announced
                raise

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a trait as `update` does: under the lock, so that its check stays valid meanwhile."""
        if name in self.ORDER:
            self.update(**{name: value})
        else:
            super().__setattr__(name, value)

    def values(self) -> dict[str, Any]:
        """Return the value of every trait in `ORDER`, by name."""
        return {name: getattr(self, name) for name in self.ORDER}

    def from_dict(self, choices: Mapping[str, Any]) -> None:
        """Take the choices that `to_dict` gave; those not among them are put back to the first.

        A ValueError if one is unknown or not allowed here, a TraitError or TypeError if it is of
        the wrong type; then nothing changes.
        """
        if not isinstance(choices, Mapping) or not all(isinstance(name, str) for name in choices):
            raise TypeError(
                f"Expected a dict of choices, as to_dict gives it. Received: {choices!r:.80}"
            )
        first = {name: self.trait_defaults(name) for name in self.ORDER if name not in KEPT}
        given = {name: from_plain(name, value) for name, value in choices.items()}
        self.update(**first | given)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Return a context that reports all changes made in it to the listener once, at its end."""
        with self.lock:
            self._nesting += 1
            try:
                yield
            finally:
                self._nesting -= 1
                if not self._nesting and self._changed:
                    changed, self._changed = frozenset(self._changed), set()
                    if self._listener is not None:
                        self._listener(changed)

    def count_pictures(self) -> None:
        """Set the trait `pictures` to the number of photographs in the catalog."""
        self.set_trait("pictures", len(self._catalog.samples))

    def open_network(self) -> Network:
        """Return the network chosen; it is loaded if it was not yet."""
        return self._catalog.network(self.network, self.progress)

    def _audit(self) -> Audit | None:
        """Return what the network said of all photographs, if it was asked."""
        network = self.open_network()
        return self._catalog.audits.get((network, network.revision, self.fit))

    def _show_selected(self) -> None:
        """Show the first photograph of those chosen in the audit."""
        found = self._audit()
        if not self.audit or found is None:
            return
        audits, names = self._catalog.audits, (self.audit_label, self.audit_answer)
        label, answer = (name if audits.has_label(found, name) else "" for name in names)
        for name in audits.selected(found, self.audit_kind, label, answer)[:_TRIED]:
            with contextlib.suppress(ValueError):  # it cannot be read any more
                self.image = name
                return

    def layers(self) -> tuple[LayerInfo, ...]:
        """Return the layers that can be browsed in this network, according to `kinds`."""
        return choices.browsable(self.open_network(), self.kinds)

    @observe(*Traits.ORDER, "pictures")
    def _on_trait(self, change: Any) -> None:
        with self.together():
            self._changed.add(change.name)
            if change.name in ("network", "kinds"):
                self._settle(change.name)
            elif change.name == "image":
                self.region = None
            elif change.name == "compare_by":
                self.compare_with = ""
            elif change.name == "layer" and self.layer:
                self.switched = ""
                self.filter = min(self.filter, self.open_network().layer(self.layer).filters - 1)

    def _settle(self, cause: str) -> None:
        """Reset the traits that a change of the network or of the kinds of layers made invalid."""
        if not self.network:
            return
        if cause == "network":
            self.class_index = self.versus = None
            self.cam_layer, self.pins, self.compare_with = "default", (), ""
            self.switched = ""
            for name in ("audit_label", "audit_answer"):  # not by `update`: no photograph follows
                self.set_trait(name, "")
            self.fit = self.open_network().fit
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
        name = self._catalog.known(proposal.value)
        self._catalog.sample(name)
        self._check_pair(self.network, name, self.fit)
        return name

    @validate("network")
    def _check_network(self, proposal: Any) -> Any:
        network = self._catalog.network(proposal.value, self.progress)
        choices.browsable(network, "article")
        self._check_pair(proposal.value, self.image, network.fit)
        return proposal.value

    def _check_pair(self, network: str, image: str, fit: str) -> None:
        """Run the network on the photograph, so that an error is raised before either is set."""
        if network and image:
            self._catalog.network(network).observe(self._catalog.fitted(fit)[image])

    @validate("layer")
    def _check_layer(self, proposal: Any) -> Any:
        self.open_network().engine.layer_table.map_of(proposal.value)
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
        if wanted is None or wanted == choices.ITS_LABEL:
            return wanted
        return self.open_network().class_index(wanted)

    @validate("audit_label", "audit_answer")
    def _check_selected(self, proposal: Any) -> Any:
        found, name = self._audit(), composed(proposal.value)
        if name and found is None:
            raise ValueError("The network was not asked about all photographs yet: see `audit`.")
        another = proposal.trait.name == "audit_answer" and name == ANOTHER
        if found is not None and name and not another:
            label_place(found, name)
        return name

    @validate("method", "instrument", "ranked", "colormap", "filter_colormap")
    def _check_named(self, proposal: Any) -> Any:
        return choices.check_named(proposal.trait.name, proposal.value)

    @validate("switched")
    def _check_switched(self, proposal: Any) -> Any:
        if not proposal.value.strip():
            return ""
        count = self.open_network().layer(self.layer).filters
        return choices.check_filters(proposal.value, count)

    @validate("concept")
    def _check_concept(self, proposal: Any) -> Any:
        return tuple(dict.fromkeys(map(self._catalog.known, proposal.value)))

    @validate("other_image")
    def _check_other_image(self, proposal: Any) -> Any:
        return self._catalog.known(proposal.value) if proposal.value else ""

    @validate("other_network")
    def _check_other_network(self, proposal: Any) -> Any:
        names = self._catalog.network_names
        if proposal.value and proposal.value not in names:
            raise ValueError(f"Unknown network {proposal.value!r}. Networks: {', '.join(names)}.")
        return proposal.value

    @validate("region")
    def _check_region(self, proposal: Any) -> Any:
        return choices.check_region(proposal.value, self._catalog.sample(self.image).size)

    @validate("pins")
    def _check_pins(self, proposal: Any) -> Any:
        return choices.check_pins(proposal.value, self.open_network())

    @validate("center")
    def _check_center(self, proposal: Any) -> Any:
        return choices.check_center(proposal.value)

    @validate("cam_layer")
    def _check_cam_layer(self, proposal: Any) -> Any:
        if proposal.value not in choices.CAM_PLACES:
            self._check_layer(proposal)
        return proposal.value

    @validate("alpha")
    def _check_alpha(self, proposal: Any) -> Any:
        return choices.check_share("alpha", proposal.value, 0, 1)

    @validate("zoom")
    def _check_zoom(self, proposal: Any) -> Any:
        return choices.check_share("zoom", proposal.value, 1, choices.MAX_ZOOM)

    @validate(*choices.CHOICES)
    def _check_choice(self, proposal: Any) -> Any:
        name, value = proposal.trait.name, choices.check_choice(proposal.trait.name, proposal.value)
        if (name, value) == ("target", "probability") and self.open_network().head == "values":
            raise ValueError("This network has one plain output value and no probabilities.")
        return value
