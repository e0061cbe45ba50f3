"""The photographs and the networks that can be chosen in an explorer, each by a name.

A network is loaded when it is first chosen, and then kept.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.images.loading import load_image
from cnn_widgets.images.resizing import shrink_sample
from cnn_widgets.images.sample_gallery import gallery
from cnn_widgets.networks import efficientnet_lite
from cnn_widgets.networks.applications import Progress, applications, weights_here
from cnn_widgets.networks.loading import load_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

#: Longest side of a photograph that is kept, in pixels; a larger one is shrunk.
LONGEST = 1024

#: Limit of the cache of maps and evaluations, in bytes.
RESULT_BYTES = 24 * 2**20
#: Largest upload, in MB of 2**20 bytes. The notebook server drops larger messages and reports
#: nothing, so the limit must be enforced and shown here.
UPLOAD_MB = 8


class Catalog:
    """Photographs and networks by name.

    Parameters
    ----------
    images : source, sequence of sources, mapping of name to source, or None
        Whatever `load_image` takes; None means the bundled gallery.
    network : Network
        The network shown first.
    models : mapping of name to model, Network, or file
        Further networks to choose from; files are loaded on first use.
    allow_private : bool
        Whether photographs may come from addresses inside the local network.

    Attributes
    ----------
    samples : dict of str to ImageSample
        The photographs by name, with sides of at most `LONGEST` pixels.
    uploads : set of str
        The names of the photographs uploaded on the page.
    sizes : dict of str to (H, W)
        The sizes of the photographs by name, before they were shrunk.
    results : ByteCache
        Maps and evaluations, by their question (see `Scene.question`).

    Raises
    ------
    ValueError
        If there is no image, or if two networks have the same name.
    """

    def __init__(
        self,
        images: Any,
        network: Network,
        models: Mapping[str, Any],
        allow_private: bool = False,
    ) -> None:
        self.samples: dict[str, ImageSample] = {}
        self.uploads: set[str] = set()
        self.sizes: dict[str, tuple[int, int]] = {}
        self._allow_private = allow_private
        self.results: ByteCache[Any] = ByteCache(RESULT_BYTES)
        self._fitted: dict[str, dict[str, ImageSample]] = {}
        self._networks: dict[str, Network] = {network.name: network}
        self._given = [network, *(m for m in models.values() if isinstance(m, Network))]
        self._sources: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._labelled: tuple[tuple[str, ...], tuple[tuple[str, str], ...]] | None = None
        for name, source in models.items():
            self._add_model(str(name), source)
        for image, title in _named_sources(images):
            self.add(image, title)
        self._join_inputs(network)
        if not self.samples:
            raise ValueError("Expected at least one image. Received an empty list.")

    def add(self, image: Any, name: str | None = None) -> str:
        """Load a photograph, keep it, and return its name, made unique by a number.

        The same photograph under the same name is kept once. A large one is shrunk to `LONGEST`
        pixels: the page shows no more, and many photographs at camera resolution would exceed
        the memory of a small kernel.
        """
        given = load_image(image, name=name, allow_private=self._allow_private)
        sample = shrink_sample(given, LONGEST)
        for known, other in self.samples.items():
            if other.key == sample.key and other.name == sample.name:
                return known
        unique, count = sample.name, 2
        while unique in self.samples:
            unique, count = f"{sample.name} {count}", count + 1
        self.samples[unique], self.sizes[unique] = sample, given.size
        if isinstance(image, dict) and image.get("full_size"):
            self.sizes[unique] = image["full_size"]  # the page has shrunk it before it was sent
        if isinstance(image, dict):
            self.uploads.add(unique)
        self._fitted.clear()
        return unique

    def _join_inputs(self, network: Network) -> None:
        """Give each photograph its own values of what the network takes beside it, if any."""
        found = network.with_inputs(list(self.samples.values()))
        self.samples = dict(zip(self.samples, found, strict=True))

    def remove(self, name: str) -> None:
        """Remove a photograph; an unknown name is ignored."""
        self.samples.pop(name, None)
        self.uploads.discard(name)
        self.sizes.pop(name, None)
        self._fitted.clear()

    def fitted(self, fit: str) -> dict[str, ImageSample]:
        """Return all photographs, each with the given `fit` ("squash", "crop" or "letterbox")."""
        if fit not in self._fitted:
            self._fitted[fit] = {name: load_image(s, fit=fit) for name, s in self.samples.items()}
        return self._fitted[fit]

    def sample(self, name: str) -> ImageSample:
        """Return a photograph by name; raises a ValueError that lists the known names."""
        if name not in self.samples:
            raise ValueError(
                f"Unknown image {name!r}. Images: {', '.join(self.samples)}. "
                "show(image=…) takes a path, an address or an array."
            )
        return self.samples[name]

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

    def keep(self, question: tuple[Any, ...], result: Any, arrays: Iterable[Floats]) -> None:
        """Cache a result that took long to compute, within `RESULT_BYTES`."""
        self.results.put(question, result, arrays)

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
        self._fitted.clear()
        self.results.clear()

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


def _named_sources(images: Any) -> Iterable[tuple[Any, str | None]]:
    """Yield (source, name or None) for each image of one source, several, or a mapping."""
    if images is None:
        yield from ((sample, None) for sample in gallery().values())
    elif isinstance(images, Mapping):
        yield from ((source, str(name)) for name, source in images.items())
    elif isinstance(images, np.ndarray) and images.ndim == 4:
        yield from ((each, f"image {i}") for i, each in enumerate(images))
    elif isinstance(images, str | bytes | np.ndarray) or not isinstance(images, Iterable):
        yield images, None
    else:
        yield from ((source, None) for source in images)


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
