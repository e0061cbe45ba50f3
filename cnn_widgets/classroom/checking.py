"""Hand-ins computed again: what is claimed in them, and whether it is so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets.classroom.handing_in import ENDING, FORM
from cnn_widgets.classroom.pins import digest_of, input_range, pixels_digest
from cnn_widgets.classroom.quantities import QUANTITIES, agrees, measure
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.environment import frame
from cnn_widgets.networks.loading import load_network
from cnn_widgets.networks.network import Network
from cnn_widgets.scenes.catalog import Catalog
from cnn_widgets.scenes.resolving import resolve
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State
from cnn_widgets.scenes.traits import KEPT
from cnn_widgets.telling import stopped

RIGHT, WRONG, UNKNOWN = "right", "wrong", "cannot be checked"
#: How far numbers in an honest file may be off on another machine.
_SLACK = 1e-3
#: Choices that no claim rests on; what they show would be computed, or may not be here.
_NOT_CLAIMED = (
    "trust", "audit", "audit_kind", "survey", "pairs", "experiments", "strip", "compare",
    "compare_with", "concept", "other_image", "other_network", "handing_in", "predict_first",
)  # fmt: skip
#: Largest file that is read, in bytes.
_LARGEST = 20 * 2**20


@dataclass(frozen=True)
class CheckedPin:
    """What became of one pinned view.

    Attributes
    ----------
    number : int
        From 1.
    verdict : {"right", "wrong", "cannot be checked"}
    reasons : tuple of str
        What is wrong, or why it cannot be checked.
    note : str
        What the student wrote.
    answers : int
        How many claims it holds.
    """

    number: int
    verdict: str
    reasons: tuple[str, ...]
    note: str
    answers: int


@dataclass(frozen=True)
class CheckedWork:
    """What became of one hand-in.

    Attributes
    ----------
    name, file : str
        Whose it is, and the file's name.
    verdict : {"right", "wrong", "cannot be checked"}
        Right only if every pin is right, and something is claimed.
    reasons : tuple of str
        About the whole file.
    pins : tuple of CheckedPin
    """

    name: str
    file: str
    verdict: str
    reasons: tuple[str, ...]
    pins: tuple[CheckedPin, ...]

    def records(self) -> list[dict[str, Any]]:
        """Return one row per pin; of a file that cannot be read, one row for the file."""
        rows = [
            {"name": self.name, "file": self.file, "pin": each.number, "verdict": each.verdict,
             "answers": each.answers, "reasons": "; ".join(each.reasons), "note": each.note}
            for each in self.pins
        ]  # fmt: skip
        if rows and not self.reasons:
            return rows
        whole = {"name": self.name, "file": self.file, "pin": 0, "verdict": self.verdict,
                 "answers": 0, "reasons": "; ".join(self.reasons), "note": ""}  # fmt: skip
        return [whole, *rows]

    def to_pandas(self) -> Any:
        """Return `records` as a pandas table."""
        return frame(self.records(), ("name", "file", "pin", "verdict", "answers", "reasons"))


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
        A folder, searched with its sub-folders for ``*.handin.json``, or files.
    network, images : object, optional
        As for `CNNExplorer`: what the class worked with. By default the bundled ones.
    progress : callable, optional
        Called with (files done, files in all); returning False stops, with what was checked.

    Raises
    ------
    ValueError
        If there is no hand-in, or for the same reasons as `CNNExplorer`.

    Examples
    --------
    >>> check_hand_ins([])
    Traceback (most recent call last):
    ValueError: There is no file *.handin.json.
    """
    files = _files(source)
    net = load_network(network) if not isinstance(network, Network) else network
    checker = _Checker(net, images)
    found = []
    try:
        for number, file in enumerate(files):
            found.append(checker.checked(file))
            if stopped(progress, number + 1, len(files)):
                break
    finally:
        checker.close()
    return found


def _files(source: Any) -> list[Path]:
    given = [source] if isinstance(source, str | Path) else list(source)
    files: list[Path] = []
    for each in map(Path, given):
        if not each.is_dir() and not each.name.endswith(ENDING):
            raise ValueError(
                f"Expected a folder of hand-ins, or a file *{ENDING}. Received: {each}"
            )
        files += sorted(each.rglob(f"*{ENDING}")) if each.is_dir() else [each]
    if not files:
        raise ValueError(f"There is no file *{ENDING}.")
    return files


class _Checker:
    """Opens views without a page, one after the other, with one network and its photographs."""

    def __init__(self, net: Network, images: Any) -> None:
        self._net = net
        self._catalog = Catalog(images, net, {})
        self._weights, self._classes = weights_digest(net.model), digest_of(net.class_names)

    def close(self) -> None:
        self._catalog.close()

    def checked(self, file: Path) -> CheckedWork:
        """Return what became of one file; one that cannot be read says why."""
        try:
            content = _read(file)
            stated = content.pop("sha256", None)
            changed = stated != digest_of(content)
        except Exception as error:  # one student's file stops no other's
            return CheckedWork(file.stem, file.name, UNKNOWN, (_words(error),), ())
        reasons = []
        if changed:
            reasons.append("the file was changed after it was written (its digest is another one)")
        claims = sum(len(each["answers"]) for each in content["pins"])
        if not claims:
            reasons.append("it claims nothing" if content["pins"] else "nothing is pinned in it")
        pins = tuple(self._pin(n, each) for n, each in enumerate(content["pins"], 1))
        verdicts = {each.verdict for each in pins} | (set() if claims else {UNKNOWN})
        verdict = next((v for v in (WRONG, UNKNOWN) if v in verdicts), RIGHT)
        return CheckedWork(
            str(content["name"]), file.name, WRONG if changed else verdict, tuple(reasons), pins
        )

    def _pin(self, number: int, given: dict[str, Any]) -> CheckedPin:
        note, answers = str(given.get("note", "")), given["answers"]
        try:
            wrong = self._wrong(given)
        except Exception as error:  # whatever a damaged or clever file holds
            return CheckedPin(number, UNKNOWN, (_words(error),), note, len(answers))
        return CheckedPin(number, WRONG if wrong else RIGHT, tuple(wrong), note, len(answers))

    def _wrong(self, given: dict[str, Any]) -> list[str]:
        """Return what is not so in a pin; an error if it cannot be checked."""
        scene = self._opened(given)
        wrong = []
        for kind, claims, slack in (("", given["answers"], 0.0),
                                    ("the file says ", given["measured"], _SLACK)):  # fmt: skip
            for name, claimed in claims.items():
                if name not in QUANTITIES:
                    wrong.append(f"{kind}{name}: unknown")
                elif not agrees(claimed, measured := measure(scene, name), slack):
                    wrong.append(f"{kind}{name}: {claimed!r}, it is {_told(measured)}")
        return wrong

    def _opened(self, given: dict[str, Any]) -> Scene:
        """Return the scene of a pin; a ValueError if photograph or network are others."""
        choices, network = dict(given["state"]), given["network"]
        if missing := [name for name in KEPT if name not in choices]:
            raise ValueError(f"its state does not say {', '.join(missing)}")
        if "top class" not in given["measured"]:
            raise ValueError("it holds no measured values")
        if network["sha256"] != self._weights:
            raise ValueError(
                f"it is of the network {network['name']!r} with other weights than those of "
                f"{self._net.name!r} here"
            )
        if network.get("classes") != self._classes:
            raise ValueError("the network has other class names here")
        choices["network"] = self._net.name
        for name in _NOT_CLAIMED:
            choices.pop(name, None)
        state = State(self._catalog, self._catalog.first, self._net.name)
        state.from_dict(choices)
        scene = resolve(state, self._catalog)
        if given["photograph"]["sha256"] != pixels_digest(scene):
            raise ValueError(f"the photograph {scene.image!r} is another one here")
        here = input_range(scene)
        if not np.allclose(network["input"], here, rtol=0.02, atol=0.02 * (here[2] - here[0])):
            raise ValueError("the network is given other values here: another preprocessing")
        if scene.attribution is None and {"hottest place", "hot share"} & (
            set(given["answers"]) | set(given["measured"])
        ):
            self._catalog.keep("compute", scene.question, scene.compute())
            scene = resolve(state, self._catalog)
        return scene


def _words(error: Exception) -> str:
    return f"{error}" if isinstance(error, ValueError | OSError) else f"it is damaged ({error!r})"


def _read(file: Path) -> dict[str, Any]:
    """Return the content of a hand-in; a ValueError says what it is instead."""
    if file.stat().st_size > _LARGEST:
        raise ValueError(f"{file.name} is larger than {_LARGEST // 2**20} MB")
    try:
        content = json.loads(file.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{file.name} is no JSON file ({error})") from None
    if not isinstance(content, dict) or content.get("form") != FORM:
        raise ValueError(f"{file.name} is no hand-in of cnn-widgets")
    pins = content.get("pins")
    fields = ("answers", "state", "measured", "photograph", "network")
    if not isinstance(pins, list) or "name" not in content or not all(
        isinstance(each, dict) and all(isinstance(each.get(name), dict) for name in fields)
        for each in pins
    ):  # fmt: skip
        raise ValueError(f"{file.name} is a damaged hand-in")
    return content


def _told(measured: Any) -> str:
    return f"{measured:.4g}" if isinstance(measured, float) else repr(measured)
