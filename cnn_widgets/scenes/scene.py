"""The state at one moment, frozen; the arrays that follow from it are computed on first use.

Panels draw from a `Scene` only, so all of them show the same moment.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from cnn_widgets.attribution.depth_strip import film_strip
from cnn_widgets.attribution.explain import attribute, layer_for
from cnn_widgets.attribution.methods import METHODS
from cnn_widgets.attribution.probe import Progress
from cnn_widgets.attribution.regions import Region
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.datasets import Label
from cnn_widgets.drawing.mosaics import constant_filters
from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.evaluation.instruments import INSTRUMENTS, Subject
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample, LayerInfo, Prediction
from cnn_widgets.scenes.audits import Audits
from cnn_widgets.scenes.filter_choice import FilterChoice, choose
from cnn_widgets.scenes.photographs import Fitted
from cnn_widgets.scenes.traits import Bench


@dataclass(frozen=True)
class Scene:
    """The choices of one moment as fields, their results computed on first use.

    Attributes
    ----------
    network : Network
    revision : int
        See `Network.revision`.
    image : str
        The name of the photograph.
    sample : ImageSample
    full_size : (H, W)
        Its size before it was shrunk to be kept.
    added : bool
        Whether it was added on the page.
    samples : Fitted
    label : int, str or None
        What the photograph shows, if its owner said so.
    label_class : int or None
        The class that the label stands for, the likeliest of several; None if that is not known.
    layer : LayerInfo
        That browsed.
    layers : tuple of LayerInfo
        Those that can be browsed.
    wanted_class, wanted_versus : int or None
        `State.class_index` and `State.versus`, "its label" as `label_class`; see `chosen` and
        `versus` for what is shown.
    network_name : str
    at_hand : tuple of str
        The names of the networks that are open or given; `open_network` opens one by its name.
    bench : Bench
        What is done in the experiments.
    results : ByteCache
        Maps by `question`, evaluations by `trust_question`; shared by all scenes.
    audits : Audits

    Every other field is the trait of `State` of the same name.
    """

    network: Network
    revision: int
    image: str
    sample: ImageSample
    full_size: tuple[int, int]
    added: bool
    samples: Fitted
    label: Label
    label_class: int | None
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
    face: str
    zoom: float
    center: tuple[float, float]
    region: Region | None
    pins: tuple[tuple[str, int, int], ...]
    filter_count: str
    filter_order: str
    strip: bool
    strip_of: str
    display: bool
    compare: bool
    compare_by: str
    compare_with: str
    audit: bool
    audit_kind: str
    audit_label: str
    audit_answer: str
    survey: bool
    experiments: bool
    bench: Bench
    network_name: str
    at_hand: tuple[str, ...]
    open_network: Callable[[str], Network] = field(repr=False)
    results: ByteCache[Any] = field(repr=False)
    audits: Audits = field(repr=False)

    @cached_property
    def predictions(self) -> list[Prediction]:
        """The 5 most likely classes, best first (fewer if the network has fewer classes)."""
        found: list[Prediction] = self.network.predict(self.sample, top=5)
        return found

    @cached_property
    def chosen(self) -> Prediction:
        """The class explained: the one the user chose, otherwise the most likely one."""
        if self.wanted_class is None:
            return self.predictions[0]
        return self.considered(self.wanted_class)

    def considered(self, index: int) -> Prediction:
        """Return score and probability of the class with an index, also outside the top 5."""
        scores, probabilities = self.network.scores(self.sample)
        return Prediction(
            index,
            self.network.class_names[index],
            float(probabilities[index]),
            float(scores[index]),
        )

    @property
    def looked_at(self) -> str | None:
        """The name of the layer the method takes its map from; None if it takes it at the input."""
        return None if METHODS[self.method].at == "input" else self.place

    @property
    def place(self) -> str:
        """The name of the layer for class activation maps, also while another method is chosen."""
        if self.cam_layer == "follow":
            return self.layer.name
        return layer_for(self.network, None if self.cam_layer == "default" else self.cam_layer)

    @property
    def versus(self) -> int | None:
        """The class the explained one is compared with; None if that would be the same class."""
        return None if self.wanted_versus == self.chosen.class_index else self.wanted_versus

    @property
    def question(self) -> tuple[Any, ...]:
        """Everything the map on screen depends on: the key of the map in `results`."""
        return (
            self.network, self.revision, self.sample.key, self.method,
            self.chosen.class_index, self.versus, self.counter, self.looked_at, self.target,
        )  # fmt: skip

    @cached_property
    def attribution(self) -> Attribution | None:
        """The map of the method, class and layer chosen.

        None if the method is slow and the map has not been computed yet.
        """
        found: Attribution | None = self.results.get(self.question)
        if found is None and not METHODS[self.method].slow:
            found = self.compute()
            self.results.put(self.question, found, [found.raw, found.heatmap])
        return found

    def compute(self, progress: Progress | None = None) -> Attribution:
        """Compute and return the map on screen; slow methods take seconds to minutes.

        `progress(done, total)` may return False to cancel, which raises a `CancelledError`.
        """
        return attribute(
            self.network, self.sample, self.method, self.chosen.class_index, self.looked_at,
            self.target, versus=self.versus, counter=self.counter, progress=progress,
        )  # fmt: skip

    @property
    def subject(self) -> Subject:
        """The map to evaluate, with the settings of the evaluation."""
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
        """Everything the chosen evaluation depends on: the key of its result in `results`."""
        return INSTRUMENTS[self.instrument].question(self.subject)

    @cached_property
    def verdict(self) -> Any:
        """The result of the chosen evaluation; None if it has not been computed yet."""
        return self.results.get(self.trust_question)

    def judge(self, progress: Progress | None = None) -> Any:
        """Compute and return the chosen evaluation, which may take minutes; see `compute`."""
        subject = replace(self.subject, known=self.attribution)
        return INSTRUMENTS[self.instrument].compute(subject, progress)

    def attribution_of(self, sample: ImageSample, class_index: int | None) -> Attribution:
        """Return the map of any photograph; class_index None means its own most likely class."""
        return attribute(
            self.network, sample, self.method, class_index, self.looked_at, self.target
        )

    @cached_property
    def input_tensor(self) -> Floats:
        """The preprocessed input of the network, float, shape (H, W, C)."""
        return self.network.input_tensor(self.sample)

    @cached_property
    def activations(self) -> Floats:
        """The output of the layer browsed, shape (h, w, K)."""
        return self.network.activations(self.sample, self.layer.name)

    @property
    def feature_map(self) -> Floats:
        """The map of the selected filter, shape (h, w)."""
        return np.asarray(self.activations[..., self.filter])

    @cached_property
    def filter_weights(self) -> Floats | str:
        """What each filter of the layer browsed adds to the class's score, (K,); or why unknown.

        The sum of gradient times activation over the cells, for the class explained, compared with
        another one if one is chosen.
        """
        wanted = self.network.score_weights([self.chosen.class_index], self.versus, self.counter)
        try:
            values, slopes = self.network.gradients(
                self.sample, self.layer.name, wanted[0], self.target
            )
        except ValueError as error:
            return str(error)
        return np.asarray(np.einsum("ijk,ijk->k", values, slopes), np.float32)

    @cached_property
    def filter_choice(self) -> FilterChoice:
        """The filters that the mosaic shows, in their order."""
        asked = self.filter_weights if self.filter_order == "weight" else ""
        return choose(self.filter_order, self.filter_count, self.filter, self.activations, asked)

    @property
    def has_strip(self) -> bool:
        """Whether the method has a map at every layer that is quick enough for the film-strip."""
        return METHODS[self.method].at == "layer" and not METHODS[self.method].slow

    @cached_property
    def film_strip(self) -> tuple[Attribution, ...]:
        """The maps at all layers, as `attribution.film_strip` gives them; see `has_strip`."""
        key = "strip", self.question
        found: tuple[Attribution, ...] | None = self.results.get(key)
        if found is None:
            found = film_strip(
                self.network, self.sample, self.method, self.chosen.class_index, self.target,
                versus=self.versus, counter=self.counter,
            )  # fmt: skip
            self.results.put(key, found, [each.raw for each in found])
        return found

    @cached_property
    def flat_filters(self) -> int:
        """How many filters of the layer browsed have the same value everywhere."""
        return int(constant_filters(self.activations).sum())

    @cached_property
    def silent_shares(self) -> list[tuple[str, int, float | None]]:
        """For each of the network's feature layers: name, number of filters, share silent, 0 to 1.

        A filter is silent on this photograph if it is nowhere above zero after the layer's own
        activation. The share is None for layers without an activation (linear bottlenecks): their
        filters cannot be silent.
        """
        peaks = self.network.peaks(self.sample)
        shares = {name: float((each <= 0).mean()) for name, each in peaks.items()}
        found = self.network.feature_layers
        return [(info.name, info.filters, shares.get(info.name)) for info in found]
