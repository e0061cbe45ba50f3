"""`find_shortcuts`: gathers suspicions about each label of a network, and tries every one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.methods import find_method
from cnn_widgets.auditing.answers import GRID
from cnn_widgets.auditing.labels import Classes, LabelTable, match_labels
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.images.resizing import resize_to_input
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Pixels
from cnn_widgets.shortcuts.clusters import Cluster, spectral_clusters
from cnn_widgets.shortcuts.judging import Judge, Photographs
from cnn_widgets.shortcuts.places import evidence_shares
from cnn_widgets.shortcuts.result import EXAMPLES, Finding, Shortcuts, Zones, ranked
from cnn_widgets.shortcuts.suspicions import Suspicion, suspicions
from cnn_widgets.shortcuts.trials import CONTROLS, try_suspicion

Array = NDArray[Any]
#: Photographs of a label, and of others, that are looked at.
OWN, OTHERS = 32, 48
_FEWEST = 8  # photographs of a label, and of others
_STEPS = 1000  # of progress per label


def find_shortcuts(
    net: Network,
    images: Any,
    labels: Any = None,
    *,
    classes: Classes | None = None,
    only: Iterable[str] | None = None,
    method: str = "grad-cam",
    controls: int = CONTROLS,
    seed: int = 0,
    progress: Callable[[int, int], Any] | None = None,
) -> Shortcuts:
    """Return what decides about labels beside their subject: marks, borders, colours, grounds.

    Of each label up to 32 photographs are compared with 48 of others. *Suspected* is a region that
    is the same in most photographs of the label, where an unusual share of the evidence lies, or
    where a cluster of maps is hottest (SpRAy); a cast of colour; an added pattern such as a
    watermark; and the texture of the ground. *Tried* is every suspicion, at most 8 of a label:
    taken away from photographs of the label, and put into photographs of others, each time beside
    random controls of the same size (regions: the same shape elsewhere; casts: unlike colours of
    the same strength; patterns: those by which random groups of others differ; textures: those of
    other photographs).

    It holds if both directions change the log-odds of the label more than 99 % of the controls and
    by at least 1.5 (4 times the odds). What lies in the middle of the photographs and holds may be
    the subject itself and is told apart. A shortcut that is neither at a fixed place nor in the
    colour or the texture of the ground, such as an object that often stands beside the subject, is
    not found.

    Parameters
    ----------
    net : Network
        A network that gives classes.
    images, labels, classes
        As for `audit`. At least two labels need 8 photographs or more.
    only : iterable of str, optional
        The labels to look at; by default all that have enough photographs.
    method : str
        The maps that are clustered; a name in `METHODS`.
    controls : int
        Random controls per suspicion, at least 199. One that cannot hold any more is given up
        early, mostly after 10. A label costs about 100 passes of the network, a suspicion that is
        given up 500, one that holds 7,000.
    seed : int
        Chooses photographs and controls.
    progress : callable, optional
        Called with (steps done, steps in all); returning False stops.

    Returns
    -------
    Shortcuts

    Raises
    ------
    ValueError
        If the photographs come as a data set or a generator, no two labels have enough, a label is
        unknown or stands for no class, the network gives values, `controls` are too few, or for
        the same reasons as `attribute`.
    concurrent.futures.CancelledError
        If `progress` returned False.

    References
    ----------
    Lapuschkin et al. 2019, "Unmasking Clever Hans predictors and assessing what machines really
    learn", arXiv 1902.10178.

    Examples
    --------
    >>> net, cat = cw.load_network(), cw.gallery()["cat"]
    >>> cw.find_shortcuts(net, [(cat, "tabby"), (cat, "tiger cat")])
    Traceback (most recent call last):
    ValueError: Shortcuts are found by comparing labels: at least two need 8 photographs or more.
    Received: 1 of 'tabby', 1 of 'tiger cat'
    """
    checked_network(net)
    find_method(method)
    if controls < CONTROLS - 1:
        raise ValueError(f"Expected controls to be at least {CONTROLS - 1}. Received: {controls}")
    if net.head == "values":
        raise ValueError(f"{net.name!r} gives values, no classes, so none has a shortcut.")
    found = open_images(images, labels, channels=net.channels)
    if not found.repeatable:
        raise ValueError(
            "Photographs are chosen label by label, and those of a data set or a generator come "
            "only once. Give a folder, a zip, a CSV, a list or an array."
        )
    table = match_labels(found.labels, net, classes)
    search = _Search(net, found, table, method, controls, seed)
    with net.weights_checked():
        return search.run(search.chosen(only), progress)


class _Search:
    """The photographs, and what is asked of each label."""

    def __init__(
        self,
        net: Network,
        images: ImageSet,
        table: LabelTable,
        method: str,
        controls: int,
        seed: int,
    ) -> None:
        self.net, self.images, self.table = net, images, table
        self.method, self.controls, self.seed = method, controls, seed
        self.truth = np.array([table.place(label) for label in images.labels], np.intp)
        self.notes: dict[str, None] = {}

    def chosen(self, only: Iterable[str] | None) -> list[int]:
        """Return the places of the labels to look at."""
        names = self.table.names
        counts = [int((self.truth == place).sum()) for place in range(len(names))]
        enough = [place for place, count in enumerate(counts) if count >= _FEWEST]
        if len(enough) < 2:
            listed = ", ".join(f"{n} of {name!r}" for name, n in zip(names, counts, strict=True))
            raise ValueError(
                "Shortcuts are found by comparing labels: at least two need "
                f"{_FEWEST} photographs or more. Received: {listed or 'no labels'}"
            )
        wanted = list(names) if only is None else [only] if isinstance(only, str) else list(only)
        for name in wanted:
            if name not in names:
                raise ValueError(f"Unknown label {name!r}. Labels: {', '.join(names)}.")
            if (place := names.index(name)) not in enough:
                self.notes[f"{name!r} was left out: {counts[place]} photographs are too few."] = (
                    None
                )
        return [place for place in enough if names[place] in wanted]

    def run(self, places: list[int], progress: Callable[[int, int], Any] | None) -> Shortcuts:
        """Return what is found of the labels at these places."""
        total = _STEPS * len(places)
        findings: list[Finding] = []
        clusters: dict[str, tuple[Cluster, ...]] = {}
        evidence, examples = {}, {}
        for number, place in enumerate(places):

            def step(done: float, start: int = number) -> None:
                steps = int(_STEPS * (start + done))
                if progress is not None and progress(steps, total) is False:
                    raise CancelledError(f"Stopped after {steps} of {total} steps.")

            looked = self._label(place, step)
            if looked is not None:
                name = self.table.names[place]
                clusters[name], evidence[name], examples[name] = looked[1:]
                findings += looked[0]
            step(1.0)
        notes = tuple(self.notes)
        return Shortcuts(self.net.name, ranked(findings), clusters, evidence, notes, examples)

    def _label(
        self, place: int, step: Callable[[float], None]
    ) -> tuple[list[Finding], tuple[Cluster, ...], Zones, tuple[str, ...]] | None:
        """Return findings, clusters, evidence, and the names of photographs of other labels.

        None if too little can be read.
        """
        mine = set(self.table.classes[place])
        apart = [p for p, some in enumerate(self.table.classes) if not mine & set(some)]
        own = self._read(np.flatnonzero(self.truth == place), OWN, place)
        others = self._read(np.flatnonzero(np.isin(self.truth, apart)), OTHERS, place)
        name = self.table.names[place]
        if min(len(own), len(others)) < _FEWEST:
            self.notes[f"{name!r} was left out: too few photographs could be read."] = None
            return None
        judge = Judge(self.net, tuple(sorted(mine)))
        maps = self._maps(own, judge)
        step(0.1)
        clusters = self._clusters(maps, own, judge)
        average = maps.mean(axis=0)
        suspected = suspicions(own.pixels, others.pixels, clusters, average, self.seed)
        found = []
        for number, each in enumerate(suspected):

            def tried(done: int, of: int, start: int = number) -> None:
                step(0.1 + 0.9 * (start + done / of) / len(suspected))

            some = own.take(each.members)
            trial = try_suspicion(
                judge, each.change, some, others, self.controls, self.seed + number, tried
            )
            found.append(_finding(name, each, trial, len(suspected)))
        return found, clusters, evidence_shares(average), others.names[:EXAMPLES]

    def _read(self, numbers: Array, most: int, place: int) -> Photographs:
        """Return up to so many photographs, chosen at random, as the network takes them."""
        order = np.random.default_rng([self.seed, place, most]).permutation(numbers)
        names, pixels, inputs = list[str](), list[Pixels](), list[Mapping[str, Any]]()
        for number in order.tolist():
            if len(names) == most:
                break
            try:
                sample = self.images.read(number, 2 * max(self.net.input_size))
                if sample.data is not None:
                    raise ValueError("it has other channels than red, green and blue")
                sample = self.net.with_inputs_of(sample, number + self.images.start)
                pixels.append(resize_to_input(sample, self.net.input_size, 3, self.net.fit))
            except (ValueError, TypeError, OSError) as error:
                why = str(error) or type(error).__name__
                self.notes[f"{self.images.names[number]}: {why}"] = None
                continue
            names.append(sample.name)
            inputs.append(sample.inputs)
        shape = (0, *self.net.input_size, 3)
        stacked = np.stack(pixels) if pixels else np.zeros(shape, np.uint8)
        return Photographs(tuple(names), stacked, tuple(inputs))

    def _maps(self, own: Photographs, judge: Judge) -> Array:
        """Return the evidence for the label in each photograph, (n, GRID, GRID), 0 to 1."""
        scores = self.net.scores(own.samples())[0][:, list(judge.classes)]
        wanted = [judge.classes[int(row.argmax())] for row in scores]
        found = attribute(self.net, own.samples(), self.method, wanted)
        return np.array([
            cv2.resize(np.asarray(each.heatmap, np.float32).clip(0, 1), (GRID, GRID),
                       interpolation=cv2.INTER_AREA)
            for each in found
        ], np.float64)  # fmt: skip

    def _clusters(self, maps: Array, own: Photographs, judge: Judge) -> tuple[Cluster, ...]:
        """Return the clusters of the maps, those whose label is most probable first."""
        group = spectral_clusters(maps, self.seed)
        odds, answered = judge.ask(own.samples())
        found = []
        for number in range(int(group.max()) + 1):
            members = np.flatnonzero(group == number)
            sure = float((1 / (1 + np.exp(-odds[members]))).mean())
            found.append(Cluster(tuple(members.tolist()), maps[members].mean(axis=0),
                                 int(answered[members].sum()), sure))  # fmt: skip
        return tuple(sorted(found, key=lambda each: -each.probability))


def _finding(name: str, each: Suspicion, trial: Any, tried: int) -> Finding:
    found = Finding(name, each.kind, each.place, each.why, each.mask, len(each.members), trial,
                    tried, each.central)  # fmt: skip
    return replace(found, change=each.change)
