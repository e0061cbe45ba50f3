"""A frozen picture of the state: what is on screen, resolved to arrays, computed when looked at.

Panels draw from a `Scene` and from nothing else, so all of them show the same moment.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from cnn_widgets.attribution.explain import attribute, layer_for
from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.attribution.probe import Progress
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.drawing.mosaics import constant_filters
from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.evaluation.instruments import INSTRUMENTS, Subject
from cnn_widgets.explorer.catalog import Catalog
from cnn_widgets.explorer.state import State
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample, LayerInfo, Prediction


@dataclass(frozen=True)
class Scene:
    """One moment of the explorer: the choices as plain fields, what follows from them lazily."""

    network: Network
    revision: int
    image: str
    sample: ImageSample
    samples: dict[str, ImageSample]
    layer: LayerInfo
    layers: tuple[LayerInfo, ...]
    filter: int
    wanted_class: int | None
    wanted_versus: int | None
    counter: bool
    method: str
    target: str
    cam_layer: str
    alpha: float
    colormap: str
    scale: Any
    filter_colormap: str
    pairs: bool
    trust: bool
    instrument: str
    baseline: Any
    ranked: tuple[str, ...]
    results: ByteCache[Any] = field(repr=False)

    @cached_property
    def predictions(self) -> list[Prediction]:
        """The top 5 (fewer if the network has fewer classes)."""
        found: list[Prediction] = self.network.predict(self.sample, top=5)
        return found

    @cached_property
    def chosen(self) -> Prediction:
        """The class explained: the one wanted, otherwise the most likely."""
        if self.wanted_class is None:
            return self.predictions[0]
        return self.considered(self.wanted_class)

    def considered(self, index: int) -> Prediction:
        """Return what the network thinks of any class."""
        scores, probabilities = self.network.scores(self.sample)
        return Prediction(
            index,
            self.network.class_names[index],
            float(probabilities[index]),
            float(scores[index]),
        )

    @property
    def looked_at(self) -> str | None:
        """The layer the class activation map is taken from; None where the input is."""
        return None if METHODS[self.method].at == "input" else self.place

    @property
    def place(self) -> str:
        """The layer where class activation maps look, whether or not the method makes one."""
        if self.cam_layer == "follow":
            return self.layer.name
        return layer_for(self.network, None if self.cam_layer == "default" else self.cam_layer)

    @property
    def versus(self) -> int | None:
        """The class the explained one is set against; None where that would be itself."""
        return None if self.wanted_versus == self.chosen.class_index else self.wanted_versus

    @property
    def question(self) -> tuple[Any, ...]:
        """All that the map on screen depends on: the key of a slow method's result."""
        return (
            self.network.name, self.revision, self.sample.key, self.method,
            self.chosen.class_index, self.versus, self.counter, self.looked_at, self.target,
        )  # fmt: skip

    @cached_property
    def attribution(self) -> Attribution | None:
        """Which pixels of the photograph speak for the class explained.

        None for a slow method that has not been computed yet.
        """
        found: Attribution | None = self.results.get(self.question)
        if found is None and not METHODS[self.method].slow:
            found = self.compute()
            self.results.put(self.question, found, [found.raw, found.heatmap])
        return found

    def compute(self, progress: Progress | None = None) -> Attribution:
        """Return the map, computed now, however long it takes."""
        return attribute(
            self.network, self.sample, self.method, self.chosen.class_index, self.looked_at,
            self.target, versus=self.versus, counter=self.counter, progress=progress,
        )  # fmt: skip

    @property
    def subject(self) -> Subject:
        """What the instruments judge."""
        cam = METHODS[self.method].at == "layer" or any(
            METHODS[m].at == "layer" for m in self.ranked
        )
        return Subject(
            self.network, self.sample, self.method, self.chosen.class_index, self.looked_at,
            self.place if cam else None, self.target, self.versus, self.counter, self.baseline,
            self.ranked,
        )  # fmt: skip

    @property
    def trust_question(self) -> tuple[Any, ...]:
        """All that the verdict of the instrument chosen depends on."""
        return INSTRUMENTS[self.instrument].question(self.subject)

    @cached_property
    def verdict(self) -> Any:
        """What the instrument chosen found; None if it has not been asked yet."""
        return self.results.get(self.trust_question)

    def judge(self, progress: Progress | None = None) -> Any:
        """Return the verdict of the instrument chosen, computed now, however long it takes."""
        subject = replace(self.subject, known=self.attribution)
        return INSTRUMENTS[self.instrument].compute(subject, progress)

    def attribution_of(self, sample: ImageSample, class_index: int | None) -> Attribution:
        """Return the map of another photograph; None means its own most likely class."""
        return attribute(
            self.network, sample, self.method, class_index, self.looked_at, self.target
        )

    @cached_property
    def input_tensor(self) -> Floats:
        """The very tensor the network sees, (H, W, C)."""
        return self.network.input_tensor(self.sample)

    @cached_property
    def activations(self) -> Floats:
        """The browsed layer's output, (h, w, K)."""
        return self.network.activations(self.sample, self.layer.name)

    @property
    def feature_map(self) -> Floats:
        """The selected filter's map, (h, w)."""
        return np.asarray(self.activations[..., self.filter])

    @cached_property
    def flat_filters(self) -> int:
        """How many filters of the browsed layer are one value everywhere."""
        return int(constant_filters(self.activations).sum())

    @cached_property
    def silent_shares(self) -> list[tuple[str, int, float | None]]:
        """For each layer browsed by default: name, filters, share silent on this photograph.

        A filter is silent if it is nowhere above zero after the layer's own activation. None for
        layers without one (linear bottlenecks), whose filters cannot be silent.
        """
        peaks = self.network.peaks(self.sample)
        return [
            (
                info.name,
                info.filters,
                float((peaks[info.name] <= 0).mean()) if info.name in peaks else None,
            )
            for info in self.network.feature_layers
        ]


def resolve(state: State, catalogue: Catalog) -> Scene:
    """Return the scene of a state as it is now."""
    with state.lock, state.open_network().weights_checked():  # whose weights are noted once
        network = state.open_network()
        info = network.layer(state.layer)
        fitted = catalogue.fitted(state.fit)
        return Scene(
            network=network,
            revision=network.revision,
            image=state.image,
            sample=fitted[state.image],
            samples=fitted,
            layer=info,
            layers=state.layers(),
            filter=min(state.filter, info.filters - 1),
            wanted_class=state.class_index,
            wanted_versus=state.versus,
            counter=state.counter,
            method=state.method,
            target=state.target,
            cam_layer=state.cam_layer,
            alpha=state.alpha,
            colormap=state.colormap,
            scale=state.scale,
            filter_colormap=state.filter_colormap,
            pairs=state.pairs,
            trust=state.trust,
            instrument=state.instrument,
            baseline=state.baseline,
            ranked=tuple(state.ranked),
            results=catalogue.results,
        )
