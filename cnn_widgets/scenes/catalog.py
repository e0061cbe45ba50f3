"""The photographs and the networks that can be chosen in an explorer, each by a name.

A network is loaded when it is first chosen, and then kept.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from itertools import islice
from typing import Any

from cnn_widgets.auditing.labels import Classes
from cnn_widgets.datasets import open_images
from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.evaluation.instruments import arrays
from cnn_widgets.images.loading import load_image
from cnn_widgets.images.sample_gallery import gallery
from cnn_widgets.networks import efficientnet_lite
from cnn_widgets.networks.applications import Progress, applications, weights_here
from cnn_widgets.networks.loading import load_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import ImageSample
from cnn_widgets.scenes.audits import Audits
from cnn_widgets.scenes.photographs import Fitted, Photographs
from cnn_widgets.spelling import composed

#: Up to so many photographs of a list are read at once; so many are tried for one to begin with.
AT_ONCE = 50
#: Limit of the cache of maps and evaluations, in bytes.
RESULT_BYTES = 24 * 2**20
#: Largest upload, in MB of 2**20 bytes. The notebook server drops larger messages and reports
#: nothing, so the limit must be enforced and shown here.
UPLOAD_MB = 8


class Catalog:
    """Photographs and networks by name.

    Parameters
    ----------
    images : object
        Whatever `open_images` takes; None means the bundled gallery. A folder, a pattern or a list
        of more than `AT_ONCE` photographs is read photograph by photograph, when it is seen.
    network : Network
        The network shown first.
    models : mapping of name to model, Network, or file
        Further networks to choose from; files are loaded on first use.
    allow_private : bool
        Whether photographs may come from addresses inside the local network.
    classes : mapping, optional
        The classes that labels stand for where they are not named so; see `audit`.

    Attributes
    ----------
    samples : Photographs
        The photographs by name.
    first : str
        The name of the first one that can be read.
    uploads : set of str
        The names of the photographs uploaded on the page.
    audits : Audits
        What the networks said of all photographs, and which classes labels stand for.
    results, experiments : ByteCache
        Maps and evaluations, by their question (see `Scene.question`); results of experiments.

    Raises
    ------
    ValueError
        If there is no image, if none can be read, or if two networks have the same name.
    """

    def __init__(
        self,
        images: Any,
        network: Network,
        models: Mapping[str, Any],
        allow_private: bool = False,
        classes: Classes | None = None,
    ) -> None:
        self.uploads: set[str] = set()
        self._allow_private = allow_private
        self.results: ByteCache[Any] = ByteCache(RESULT_BYTES)
        self.experiments: ByteCache[Any] = ByteCache(RESULT_BYTES)
        self._networks: dict[str, Network] = {network.name: network}
        self._given = [network, *(m for m in models.values() if isinstance(m, Network))]
        self._sources: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._labelled: tuple[tuple[str, ...], tuple[tuple[str, str], ...]] | None = None
        for name, source in models.items():
            self._add_model(str(name), source)
        given = gallery() if images is None else images
        found = open_images(given, channels=network.channels, allow_private=allow_private)
        listed = not isinstance(given, str | os.PathLike)
        at_once = len(found) == 1 or (len(found) <= AT_ONCE and listed)
        self.samples = Photographs(found, network.with_inputs_of, at_once)
        self.uploads |= found.private
        self.audits = Audits(self.samples, classes)
        self.first = self._first_readable(network)

    def add(self, image: Any, name: str | None = None) -> str:
        """Load a photograph, keep it, and return its name; see `Photographs.add`."""
        sample = load_image(image, name=name, allow_private=self._allow_private)
        known = self.samples.add(sample)
        if isinstance(image, dict):
            self.uploads.add(known)
            if image.get("full_size"):  # the page has shrunk it before it was sent
                self.samples.sizes[known] = image["full_size"]
        return known

    def _first_readable(self, network: Network) -> str:
        """Return the name of the first photograph that can be read, and prepared for a network."""
        errors = []
        for name in islice(self.samples, AT_ONCE):
            try:
                network.input_tensor(self.fitted(network.fit)[name])
            except ValueError as error:
                errors.append(self.samples.unreadable.get(name) or str(error))
            else:
                return name
        raise ValueError(
            f"None of the first {len(errors)} photographs can be read. The first: {errors[0]}"
        )

    def remove(self, name: str) -> None:
        """Remove a photograph; an unknown name is ignored."""
        self.samples.remove(name)
        self.uploads.discard(name)

    def fitted(self, fit: str) -> Fitted:
        """Return all photographs, each with the given `fit` ("squash", "crop" or "letterbox")."""
        return self.samples.fitted(fit)

    def sample(self, name: str) -> ImageSample:
        """Return a photograph by name; a ValueError lists known names, or says why it cannot be."""
        return self.samples[self.known(name)]

    def known(self, name: str) -> str:
        """Return the name of a photograph, if there is one; a ValueError lists known names."""
        found = composed(name) if isinstance(name, str) else ""
        if found not in self.samples:
            known = ", ".join(islice(self.samples, 20))
            more = len(self.samples) - 20
            raise ValueError(
                f"Unknown image {name!r}. Images: {known}"
                f"{f' and {more} more' if more > 0 else ''}. "
                "show(image=…) takes a path, an address or an array."
            )
        return found

    @property
    def at_hand(self) -> tuple[str, ...]:
        """The names of the networks that are open, then of those given that are not open yet."""
        return (*self._networks, *self._sources)

    @property
    def network_names(self) -> tuple[str, ...]:
        """Every network that can be chosen: those given, the bundled one, keras.applications."""
        further = (efficientnet_lite.NAME, *applications())
        return (*self.at_hand, *(name for name in further if name not in self.at_hand))

    def network_options(self) -> tuple[tuple[str, str], ...]:
        """Return (label, name) of every network; the label says what has to be downloaded first."""
        known = (*self._networks, *self._sources)
        if self._labelled is None or self._labelled[0] != known:  # looked up when one was opened
            here = {*known, efficientnet_lite.NAME, *weights_here()}
            names = self.network_names
            labels = tuple((n if n in here else f"{n} (to download)", n) for n in names)
            self._labelled = known, labels
        return self._labelled[1]

    def network(self, name: str, progress: Progress | None = None) -> Network:
        """Return a network by name, loaded on first use.

        Raises a ValueError that lists the known names; errors of `load_network` pass through.
        """
        with self._lock:
            if name not in self._networks:
                if name not in self.network_names:
                    raise ValueError(
                        f"Unknown network {name!r}. Networks: {', '.join(self.network_names)}."
                    )
                source = self._sources.get(name, name)
                self._networks[name] = load_network(source, progress=progress)
                self._sources.pop(name, None)
            return self._networks[name]

    def keep(self, kind: str, question: tuple[Any, ...], result: Any) -> None:
        """Keep what took long to compute: a map, an evaluation ("judge"), an "audit", a "survey".

        Of maps and evaluations only the latest are kept, within `RESULT_BYTES`.
        """
        if kind == "audit":
            self.audits.keep(question, result)
        elif kind == "survey":
            self.audits.keep_index(question, result)
        else:
            heavy = arrays(result) if kind == "judge" else (result.raw, result.heatmap)
            self.results.put(question, result, heavy)

    def close(self) -> None:
        """Drop photographs, results and networks; `Network` objects that were given stay usable."""
        for network in self._networks.values():
            if network in self._given:
                network.release()  # cache only: the user may use this network elsewhere
            else:
                network.close()
        self._networks.clear()
        self._sources.clear()
        self.samples.clear()
        self.audits.close()
        self.results.clear()
        self.experiments.clear()

    def _add_model(self, name: str, source: Any) -> None:
        if name in self._networks or name in self._sources:
            raise ValueError(
                f"Two networks are named {name!r}. Name them apart: models={{'other name': …}}, or "
                "Network(model, name=…)."
            )
        if isinstance(source, Network):
            self._networks[name] = source
        else:
            self._sources[name] = source


def check_upload(source: Any) -> None:
    """Raise a ValueError for an upload larger than `UPLOAD_MB`.

    `load_image` checks the other sources.
    """
    if not isinstance(source, dict):
        return
    size = max(len(source["content"]), source.get("bytes", 0))  # too large: the page sent none
    if size > UPLOAD_MB * 2**20:
        raise ValueError(
            f"The upload is larger than {UPLOAD_MB} MB, more than one message to the kernel holds. "
            "Save the picture smaller, or type its path or address beside the button."
        )
