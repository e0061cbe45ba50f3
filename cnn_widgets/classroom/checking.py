"""Hand-ins computed again: what is claimed in them, and whether it is so."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets.classroom.collecting import HandInFile, collected
from cnn_widgets.classroom.pins import digest_of, input_range, pixels_digest
from cnn_widgets.classroom.quantities import QUANTITIES, agrees, measure
from cnn_widgets.classroom.results import (
    RIGHT,
    UNCLAIMED,
    UNKNOWN,
    WRONG,
    CheckedPin,
    CheckedWork,
    few,
    one_line,
)
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.networks.class_names import ClassTable
from cnn_widgets.networks.loading import load_network
from cnn_widgets.networks.network import Network
from cnn_widgets.scenes.catalog import Catalog
from cnn_widgets.scenes.resolving import resolve
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State
from cnn_widgets.scenes.traits import KEPT
from cnn_widgets.spelling import composed, plain
from cnn_widgets.telling import stopped

#: How many reasons are told of one pin.
_MOST_REASONS = 20
#: How far numbers in an honest file may be off on another machine.
_SLACK = 1e-3
#: Choices that no claim rests on; what they show would be computed, or may not be here.
_NOT_CLAIMED = (
    "trust", "audit", "audit_kind", "survey", "pairs", "experiments", "strip", "compare",
    "compare_with", "concept", "other_image", "other_network", "handing_in", "predict_first",
)  # fmt: skip


def check_hand_ins(
    source: str | Path | Iterable[str | Path],
    network: Any = None,
    images: Any = None,
    *,
    progress: Callable[[int, int], Any] | None = None,
) -> list[CheckedWork]:
    """Compute again what hand-ins claim, and return what is right, wrong or cannot be checked.

    Each view is opened anew, without a page. Photograph and network must be those that the student
    had: their digests are compared. Then every claim of the student, and every number that the file
    says was measured, is measured again.

    Parameters
    ----------
    source : str, Path or several
        A folder, searched with its sub-folders and the zips in them for ``*.handin.json``, a zip,
        or files. `left_out` says what was not looked into.
    network, images : object, optional
        As for `CNNExplorer`: what the class worked with, by default the bundled ones. A model that
        the class opened with `class_names` or `preprocess` is given as a network that is, too:
        ``load_network("ours.keras", class_names=["cat", "dog"])``. The names that count are these,
        never a student's: with other names nothing is checked.
    progress : callable, optional
        Called with (files done, files in all); returning False stops, with what was checked.

    Raises
    ------
    ValueError
        If there is no hand-in, or for the same reasons as `CNNExplorer`.
    TypeError
        If the source is no path.

    Examples
    --------
    >>> check_hand_ins([])
    Traceback (most recent call last):
    ValueError: There is no file *.handin.json.
    """
    files = collected(source).files
    net = load_network(network) if not isinstance(network, Network) else network
    checker = _Checker(net, images)
    found = list[CheckedWork]()
    try:
        for number, file in enumerate(files):
            found.append(checker.checked(file))
            if stopped(progress, number + 1, len(files)):
                break
    finally:
        checker.close()
    return _compared(found, checker.contents)


class _Checker:
    """Opens views without a page, one after the other, with one network and its photographs."""

    def __init__(self, net: Network, images: Any) -> None:
        self._net = net
        self._catalog = Catalog(images, net, {})
        self.contents: dict[str, str] = {}  # the digest of each file's pins
        self._weights, self._classes = weights_digest(net.model), digest_of(net.class_names)

    def close(self) -> None:
        self._catalog.close()

    def checked(self, file: HandInFile) -> CheckedWork:
        """Return what became of one file; one that cannot be read says why."""
        try:
            content = file.content()
            stated = content.pop("sha256", None)
            changed = stated != digest_of(content)
        except Exception as error:  # one student's file stops no other's
            stem = Path(file.shown).name.rpartition(".")[0]
            return CheckedWork(one_line(stem), file.shown, UNKNOWN, (_words(error),), ())
        reasons = []
        if changed:
            reasons.append("the file was changed after it was written (its digest is another one)")
        if not any(each["answers"] for each in content["pins"]):
            reasons.append("it claims nothing" if content["pins"] else "nothing is pinned in it")
        pins = tuple(self._pin(n, each) for n, each in enumerate(content["pins"], 1))
        verdicts = {each.verdict for each in pins} or {UNKNOWN}
        good = RIGHT if any(each.answers for each in pins) else UNCLAIMED
        verdict = next((v for v in (WRONG, UNKNOWN) if v in verdicts), good)
        self.contents[file.shown] = digest_of(content["pins"]) if pins else ""
        name = one_line(content["name"]) or "?"
        return CheckedWork(name, file.shown, WRONG if changed else verdict, tuple(reasons), pins)

    def _pin(self, number: int, given: dict[str, Any]) -> CheckedPin:
        note, answers = str(given.get("note", "")), given["answers"]
        try:
            wrong = self._wrong(given)
        except Exception as error:  # whatever a damaged or clever file holds
            return CheckedPin(number, UNKNOWN, (_words(error),), note, len(answers))
        told = [one_line(each, 300) for each in wrong[:_MOST_REASONS]]
        if len(wrong) > _MOST_REASONS:
            told.append(f"and {len(wrong) - _MOST_REASONS:,} more")
        return CheckedPin(number, WRONG if wrong else RIGHT, tuple(told), note, len(answers))

    def _wrong(self, given: dict[str, Any]) -> list[str]:
        """Return what is not so in a pin; an error if it cannot be checked."""
        scene = self._opened(given)
        wrong = []
        for kind, claims, slack in (("", given["answers"], 0.0),
                                    ("the file says ", given["measured"], _SLACK)):  # fmt: skip
            for name, claimed in claims.items():
                if name not in QUANTITIES:
                    wrong.append(f"{kind}{one_line(name)}: unknown")
                elif not agrees(claimed, measured := measure(scene, name), slack):
                    wrong.append(
                        f"{kind}{name}: {one_line(repr(claimed))}, it is {_told(measured)}"
                    )
        return wrong

    def _opened(self, given: dict[str, Any]) -> Scene:
        """Return the scene of a pin; a ValueError if photograph or network are others."""
        choices, network = dict(given["state"]), given["network"]
        if missing := [name for name in KEPT if name not in choices]:
            raise ValueError(f"its state does not say {', '.join(missing)}")
        if "top class" not in given["measured"]:
            raise ValueError("it holds no measured values")
        self._check_network(network)
        choices["image"] = composed(choices["image"])
        choices["network"] = self._net.name
        for name in _NOT_CLAIMED:
            choices.pop(name, None)
        if choices["image"] not in self._catalog.samples:
            raise ValueError(
                f"the photograph {one_line(repr(choices['image']))} is not among those here: "
                "check_hand_ins(…, images=…), or --with-images, takes those of the class"
            )
        state = State(self._catalog, self._catalog.first, self._net.name)
        state.from_dict(choices)
        scene = resolve(state, self._catalog)
        if given["photograph"]["sha256"] != pixels_digest(scene):
            raise ValueError(f"the photograph {scene.image!r} is another one here")
        here = input_range(scene)
        if not np.allclose(network["input"], here, rtol=0.02, atol=0.02 * (here[2] - here[0])):
            raise ValueError(
                "the network is given other values here, another preprocessing: in a script "
                "check_hand_ins(…, network=load_network(…, preprocess=…)) takes that of the class"
            )
        if scene.attribution is None and {"hottest place", "hot share"} & (
            set(given["answers"]) | set(given["measured"])
        ):
            self._catalog.keep("compute", scene.question, scene.compute())
            scene = resolve(state, self._catalog)
        return scene

    def _check_network(self, given: dict[str, Any]) -> None:
        """Raise a ValueError if the network of a pin has other weights or class names."""
        if given["sha256"] != self._weights:
            raise ValueError(
                f"it is of the network {given['name']!r} with other weights than those of "
                f"{self._net.name!r} here: check_hand_ins(…, network=…), or --with-model, takes "
                "that of the class"
            )
        if given.get("classes") == self._classes:
            return
        if given.get("classes") == digest_of(ClassTable(self._net.classes).names):
            raise ValueError(
                "it was pinned without class names ('class 0', …), and the network has other class "
                "names here: without them it can be checked"
            )
        raise ValueError(
            "the network has other class names here: check_hand_ins(…, network=load_network(…, "
            "class_names=…)), or --class-names, takes those of the class"
        )


def _compared(works: list[CheckedWork], contents: dict[str, str]) -> list[CheckedWork]:
    """Return the works, each with what it has in common with others: its pins, or its name."""
    same, named = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    for work in works:
        if digest := contents.get(work.file):
            same[digest].append(work.file)
            named[plain(work.name)].append(work.file)

    def remarks(work: CheckedWork) -> list[str]:
        alike = [file for file in same[contents.get(work.file, "")] if file != work.file]
        names = [file for file in named[plain(work.name)] if file != work.file]
        found = [f"same content as {few(alike)}"] if alike else []
        if names and work.file in contents:
            found.append(f"{len(names) + 1} hand-ins of this name, also {few(names)}")
        return found

    return [replace(work, reasons=(*work.reasons, *remarks(work))) for work in works]


def _words(error: Exception) -> str:
    known = isinstance(error, ValueError | OSError)
    return one_line(error if known else f"it is damaged ({error!r})", 300)


def _told(measured: Any) -> str:
    return f"{measured:.4g}" if isinstance(measured, float) else repr(measured)
