"""`find_shortcuts`: gathers suspicions about each label of a network, and tries every one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.attribution.methods import find_method
from cnn_widgets.auditing.labels import Classes, LabelTable, match_labels
from cnn_widgets.datasets import ImageSet, open_images
from cnn_widgets.images.resizing import resize_to_input, visible_window
from cnn_widgets.networks.loading import checked_network
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Pixels
from cnn_widgets.shortcuts.clusters import Cluster, clusters_of
from cnn_widgets.shortcuts.evidence import Focus, evidence_maps, focus_of, masked_again
from cnn_widgets.shortcuts.filters import LOOKED, tried_filters
from cnn_widgets.shortcuts.judging import Judge, Photographs
from cnn_widgets.shortcuts.places import Box, box_on_input, checked_boxes, evidence_shares, inside
from cnn_widgets.shortcuts.result import EXAMPLES, VERDICTS, Finding, Shortcuts, ranked
from cnn_widgets.shortcuts.suspicions import suspicions, where_subjects_are
from cnn_widgets.shortcuts.trials import CONTROLS, try_suspicion
from cnn_widgets.telling import stopped

Array = NDArray[Any]
#: Photographs of a label, and of others, that are looked at.
OWN, OTHERS = 32, 48
_FEWEST = 8  # photographs of a label, and of others
_STEPS = 1000  # of progress per label
_AT_EDGE = 1 / 4  # share of a region away from the edges, up to which filters there are suspicious


def find_shortcuts(
    net: Network,
    images: Any,
    labels: Any = None,
    *,
    classes: Classes | None = None,
    only: Iterable[str] | None = None,
    method: str = "grad-cam",
    subjects: Mapping[str, Sequence[float]] | Sequence[Sequence[float] | None] | None = None,
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
    other photographs). What can be blurred is also blurred, as a second way to take it away.

    It holds if both directions change the log-odds of the label more than 99 % of the controls and
    by at least 1.5 (4 times the odds), and blurring does so too. What lies in the middle of the
    photographs, or where the subjects are, and holds may be the subject itself and is told apart.
    Of what held, answers and maps are looked at once more with it masked.

    *Filters* of the default layer are suspected that speak most for the label, or less where what
    held is taken away. They are silenced, and their activations put into others, beside as many
    other filters. A filter that is excited neither at the edge nor outside the subjects is told
    apart, too. One that speaks against a label for a mark on others is found with the others.

    A shortcut that is neither at a fixed place nor in the colour or the texture of the ground, such
    as an object that often stands beside the subject, is not found.

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
    subjects : mapping of str to box, or sequence of box or None, optional
        The rectangle (top, left, bottom, right) around the subject of each photograph, or of some
        by their names, in shares of its height and width, 0 to 1. Distances of the evidence are
        measured from there; without, from the middle of the photograph.
    controls : int
        Random controls per suspicion, at least 199. One that cannot hold any more is given up
        early, mostly after 10. A label costs about 200 passes of the network, a suspicion that is
        given up 600, one that holds 7,000; filters cost as many passes from their layer on.
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
        unknown or stands for no class, a box is none, the network gives values, `controls` are too
        few, or for the same reasons as `attribute`.
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
    boxes = checked_boxes(subjects, found.names)
    search = _Search(net, found, table, method, controls, seed, boxes)
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
        subjects: list[Box | None],
    ) -> None:
        self.subjects = subjects
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
        evidence, examples, focus = {}, {}, {}
        for number, place in enumerate(places):

            def step(done: float, start: int = number) -> None:
                steps = int(_STEPS * (start + done))
                if stopped(progress, steps, total):
                    raise CancelledError(f"Stopped after {steps} of {total} steps.")

            looked = self._label(place, step)
            if looked is not None:
                name = self.table.names[place]
                clusters[name], focus[name], examples[name] = looked[1:]
                evidence[name] = evidence_shares(focus[name].average)
                findings += looked[0]
            step(1.0)
        notes = tuple(self.notes)
        return Shortcuts(self.net.name, ranked(findings), clusters, evidence, notes, examples,
                         focus)  # fmt: skip

    def _label(
        self, place: int, step: Callable[[float], None]
    ) -> tuple[list[Finding], tuple[Cluster, ...], Focus, tuple[str, ...]] | None:
        """Return findings, clusters, where evidence lies, and names of photographs of other labels.

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
        maps = evidence_maps(own, judge, self.method)
        step(0.1)
        clusters = clusters_of(maps, *judge.ask(own.samples()), self.seed)
        focus = focus_of(maps, own.subjects)
        suspected = suspicions(own.pixels, others.pixels, clusters, focus.average, self.seed)
        found = []
        for number, each in enumerate(suspected):

            def tried(done: int, of: int, start: int = number) -> None:
                step(0.1 + 0.8 * (start + done / of) / len(suspected))

            some = own.take(each.members)
            trial = try_suspicion(
                judge, each.change, some, others, self.controls, self.seed + number, tried
            )
            finding = Finding(name, each.kind, each.place, each.why, each.mask, len(some), trial,
                              len(suspected), where_subjects_are(each, some.subjects),
                              each.change)  # fmt: skip
            if finding.held:
                masked = masked_again(judge, each.change, each.mask, own, others, self.method)
                finding = replace(finding, masked=masked)
            found.append(finding)
        found += self._filters(name, judge, own, others, found, lambda done: step(0.9 + 0.1 * done))
        return found, clusters, focus, others.names[:EXAMPLES]

    def _filters(
        self,
        name: str,
        judge: Judge,
        own: Photographs,
        others: Photographs,
        found: list[Finding],
        step: Callable[[float], None],
    ) -> list[Finding]:
        """Return what filters come to, given what was found in photographs."""
        places = {each.place: each.mask for each in found
                  if each.kind == "region" and inside(each.mask) <= _AT_EDGE}  # fmt: skip
        held = [each for each in ranked(found) if each.verdict == VERDICTS[0]]
        without = None
        if held and (change := held[0].change):
            rest = own.with_pixels(change.absent(own.pixels, True))
            without = held[0].what, rest
        pairs = tried_filters(judge, own, others, places, without, self.controls, self.seed, step)
        return [
            Finding(name, "filter", each.place, each.why, each.mask, min(len(own), LOOKED), trial,
                    len(pairs), each.central, filters=(each.layer, each.numbers))
            for each, trial in pairs
        ]  # fmt: skip

    def _read(self, numbers: Array, most: int, place: int) -> Photographs:
        """Return up to so many photographs, chosen at random, as the network takes them."""
        order = np.random.default_rng([self.seed, place, most]).permutation(numbers)
        names, pixels, inputs = list[str](), list[Pixels](), list[Mapping[str, Any]]()
        subjects = list[Box | None]()
        for number in order.tolist():
            if len(names) == most:
                break
            try:
                sample = self.images.read(number, 2 * max(self.net.input_size))
                if sample.data is not None:
                    raise ValueError("it has other channels than red, green and blue")
                sample = self.net.admitted(sample, number + self.images.start)
                pixels.append(resize_to_input(sample, self.net.input_size, 3, self.net.fit))
            except (ValueError, TypeError, OSError) as error:
                why = str(error) or type(error).__name__
                self.notes[f"{self.images.names[number]}: {why}"] = None
                continue
            names.append(sample.name)
            inputs.append(sample.inputs)
            if self.subjects:
                window = visible_window(
                    sample.size, self.net.input_size, sample.fit or self.net.fit
                )
                box = self.subjects[number]
                subjects.append(None if box is None else box_on_input(box, sample.size, window))
        shape = (0, *self.net.input_size, 3)
        stacked = np.stack(pixels) if pixels else np.zeros(shape, np.uint8)
        return Photographs(tuple(names), stacked, tuple(inputs), tuple(subjects))
