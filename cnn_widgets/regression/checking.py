"""`check_against`: a network, as it is now, compared with what was kept of it."""

from __future__ import annotations

from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.streaming import Explained, stream
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, LayerInfo
from cnn_widgets.regression.comparison import (
    classes_case,
    in_the_answers,
    layer_case,
    least_alike,
    photograph_case,
    renamed,
    same_classes,
    swapped,
)
from cnn_widgets.regression.evidence import Evidence, Progress, load_evidence, opened
from cnn_widgets.regression.inputs import difference, in_words, probed
from cnn_widgets.regression.layers import layer_figures, packed, partners
from cnn_widgets.regression.matching import Matching
from cnn_widgets.regression.photographs import (
    Photograph,
    digest_of,
    repeats,
    small_map,
)
from cnn_widgets.regression.result import Case, Check, Tolerances
from cnn_widgets.regression.similarity import linear_cka
from cnn_widgets.spelling import composed
from cnn_widgets.telling import stopped

#: With fewer photographs CKA is too high, and may miss a drift.
_FEW = 20
_UNSTEADY = (
    "The network answers another thing each time it is asked about the same photograph, or with "
    "others beside it: does dropout or batch normalization work as in training?"
)


def check_against(
    net: Network,
    images: Any,
    folder: str | Path,
    *,
    tolerances: Tolerances | None = None,
    progress: Progress | None = None,
) -> Check:
    """Compare a network with what `keep_evidence` kept: answers, evidence, layers and input.

    Photographs are recognised by their content, whatever their name, order or file format. New
    ones are told and not compared; those kept that are missing are failures, unless the tolerance
    `missing` allows it. A photograph is also the same if its name
    is, and its decoded pixels differ by a few levels. Layers are compared by CKA, which does not
    see the order of filters; layers of other names are found by `layers.partners`.

    Parameters
    ----------
    net : Network
    images : object
        Photographs as `open_images` takes them.
    folder : str or Path
        What `keep_evidence` wrote, whose method, layer and fit are used again.
    tolerances : Tolerances, optional
        How much may change.
    progress : callable, optional
        Called with (photographs done, photographs in all); returning False stops.

    Returns
    -------
    Check
        Its `passed` is the verdict, its `records()` the findings, the worst first.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder holds no evidence or a damaged one, no photograph of it is among `images`,
        or for the same reasons as `keep_evidence`.
    concurrent.futures.CancelledError
        If `progress` returned False.

    Examples
    --------
    >>> import tempfile
    >>> net, some = cw.load_network(), list(cw.gallery().values())[:2]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = cw.keep_evidence(net, some, folder, layers=["head"])
    ...     check = cw.check_against(net, some, folder)
    >>> check.passed, check.causes
    (True, ())
    """
    if not isinstance(tolerances, Tolerances | None):
        raise TypeError(
            "Expected tolerances as Tolerances(cka=0.9), for instance. "
            f"Received: {type(tolerances).__name__}"
        )
    kept, found = load_evidence(folder), opened(net, images)
    if net.channels != kept.about["channels"]:
        raise ValueError(
            f"{net.name!r} takes {net.channels} channels; the evidence was kept with "
            f"{kept.about['channels']}."
        )
    run = _Run(net, kept, tolerances or Tolerances())
    about = kept.about
    explained = stream(net, found, about["method"], None, about["layer"], top=1, fit=about["fit"])
    with net.weights_checked():
        for number, each in enumerate(explained):
            run.see(each)
            if stopped(progress, number + 1, len(found)):
                raise CancelledError(f"Stopped after {number + 1} of {len(found)}.")
    return run.finished()


class _Run:
    """What has been compared so far."""

    def __init__(self, net: Network, kept: Evidence, allowed: Tolerances) -> None:
        self.net, self.kept, self.allowed = net, kept, allowed
        names = [composed(name) for name in kept.about["class_names"]]
        self.classes = same_classes(names, net.class_names)
        self.same_weights = kept.about["weights"] == digest_of(net) != ""
        self.renamed = renamed(names, net.class_names)
        classes = classes_case(names, net.class_names, self.same_weights)
        self.cases: list[Case] = [classes, self._input_case()]
        self.notes: list[str] = []
        self._matching = Matching(kept.photographs)
        self._pairs: list[tuple[Photograph, Floats]] = []
        self._rows: list[int] = []
        self._figures: list[list[Floats]] = []
        self._watched = self._partners()

    def _partners(self) -> dict[str, LayerInfo]:
        """Return the layer now for each layer kept; those that are missing are told as cases."""
        found = dict(
            zip(
                (info.name for info in self.kept.table),
                partners(self.kept.table, self.net.layers),
                strict=True,
            )
        )
        watched = {}
        for name in self.kept.features:
            place = found[name]
            if place is not None and self.net.layers[place].filters:
                watched[name] = self.net.layers[place]
            else:
                words = "The network has no such layer any more: not compared."
                self.cases.append(Case("layer", name, "skipped", (), words))
        return watched

    def _input_case(self) -> Case:
        kept, about = self.kept, self.kept.about
        now = probed(self.net, about["fit"])
        gap, told = difference(kept.probes, now), []
        if list(self.net.input_size) != about["input_size"]:
            both = self.net.input_size, about["input_size"]
            now_, was = ("×".join(map(str, each)) for each in both)
            told.append(f"the input is {now_}, it was {was}")
        if self.net.fit != about["network_fit"] and not about["fit"]:
            told.append(f"photographs are resized by {self.net.fit!r}, it was "
                        f"{about['network_fit']!r}")  # fmt: skip
        if not told and gap > self.allowed.input:
            told.append(in_words(kept.probes, now))
        figures = {"difference": gap if np.isfinite(gap) else None}
        if not told:
            return Case("network", "input", "passed", figures=figures)
        words = f"What reaches the first weights has changed: {', and '.join(told)}."
        return Case("network", "input", "failed", ("input",), words, gap, figures)

    def see(self, each: Explained) -> None:
        """Compare a photograph with itself, if it was kept."""
        if each.error is not None or each.sample is None or each.attribution is None:
            self._matching.unreadable(each.name, str(each.error) or type(each.error).__name__)
            return
        number = self._matching.find(each.sample)
        if number is None:
            return
        kept, was = self.kept.photographs[number], self.kept.photographs[number].answer
        if not self._pairs:
            self._repeats(each)
        probabilities = self.net.scores([each.sample])[1][0]
        found, about = each.attribution, self.kept.about
        if self.classes[was] not in (found.class_index, -1):
            found = attribute(self.net, each.sample, about["method"], self.classes[was],
                              about["layer"])  # fmt: skip
        self._pairs.append((kept, probabilities))
        self.cases.append(
            photograph_case(kept, each.name, probabilities, small_map(found), self.classes,
                            self.net.class_names, self.allowed)
        )  # fmt: skip
        if number in self.kept.rows and self._watched:
            names = [info.name for info in self._watched.values()]
            self._rows.append(self.kept.rows.index(number))
            self._figures.append(layer_figures(self.net, each.sample, names))

    def _repeats(self, each: Explained) -> None:
        steady = each.sample is None or repeats(self.net, each.sample)
        words = "" if steady else _UNSTEADY
        kinds = () if steady else ("random",)
        status = "passed" if steady else "failed"
        self.cases.append(Case("network", "repeats itself", status, kinds, words, 1.0))

    def finished(self) -> Check:
        """Return the result, with what was not compared."""
        self.cases += self._matching.rest(self.allowed.missing)
        if not self._pairs and not any("unreadable" in case.changed for case in self.cases):
            raise ValueError(
                f"None of the photographs is among the {len(self.kept.photographs)} of the "
                "evidence, so nothing can be compared."
            )
        some, every = len(self._pairs), len(self.kept.photographs)
        if 2 * some < every:
            self.notes.append(f"Only {some:,} of the {every:,} photographs kept were compared.")
        if any("missing" in case.changed for case in self.cases):
            self.notes.append(
                "Photographs kept are missing. The tolerance says which share of them may be: "
                "missing=0.1 for a tenth."
            )
        layers = self._layer_cases()
        untold = [case for case in [*self.cases, *layers] if case.subject == "layer"]
        if untold and all(case.status == "skipped" for case in untold):
            self.notes.append(f"No layer was compared. The first, {untold[0].name!r}: "
                              f"{untold[0].words}")  # fmt: skip
        drifted = [n for n, case in enumerate(layers) if case.status == "failed"]
        first = layers[drifted[0]].name if drifted else None
        causes = self._causes(layers, drifted)
        if self.renamed and not any(self.renamed in cause for cause in causes):
            self.notes.append(self.renamed)
        return Check(self.net.name, [*self.cases, *layers], causes, self.notes, self.allowed,
                     first)  # fmt: skip

    def _layer_cases(self) -> list[Case]:
        """Return what became of each layer, in the order they run."""
        if not self._watched:
            return []
        if len(self._rows) < 3:
            words = f"CKA needs 3 photographs; {len(self._rows)} could be compared."
            return [Case("layer", name, "skipped", (), words) for name in self._watched]
        if len(self._rows) < _FEW:
            self.notes.append(
                f"With {len(self._rows)} photographs CKA is too high and may miss a drift: keep at "
                f"least {_FEW}."
            )
        found = []
        for n, name in enumerate(self._watched):
            before = self.kept.features[name][self._rows]
            after = packed([row[n] for row in self._figures])
            flat = [not np.ptp(each.astype(np.float32), axis=0).any() for each in (before, after)]
            cka = linear_cka(before, after)
            found.append(layer_case(name, cka, flat[0], flat[1], self.allowed))
        return found

    def _causes(self, layers: list[Case], drifted: list[int]) -> list[str]:
        """Return where to look, in words, the first cause first."""
        failed = [case for case in self.cases if case.status == "failed"]
        found = [case.words for case in failed if case.subject == "network"]
        network = bool(found)
        if not failed and not drifted:
            return []
        if self.same_weights:
            found.append("The weights are the same to the last bit.")
        if drifted:
            found.append(self._beginning(layers, drifted[0]))
        elif layers and in_the_answers(failed):
            found.append(least_alike(layers))
        kept, now = ([pair[n] for pair in self._pairs] for n in (0, 1))
        told = swapped(kept, now, self.net.class_names)  # type: ignore[arg-type]
        return [told, *found] if told and not network else found

    def _beginning(self, layers: list[Case], first: int) -> str:
        """Return in words where the drift begins, as exactly as the layers watched tell."""
        name = layers[first].name
        fine = [case.name for case in layers[:first] if case.status == "passed"]
        if not fine:
            return f"The drift begins at layer {name!r}."
        names = [info.name for info in self.kept.table]
        between = names.index(name) - names.index(fine[-1]) - 1
        if between:
            return (
                f"The drift begins at layer {name!r} or in the {between} between it and "
                f"{fine[-1]!r}, which is what it was."
            )
        return f"The drift begins at layer {name!r}; {fine[-1]!r} before it is what it was."
