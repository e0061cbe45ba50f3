"""Hand-ins computed again: what is claimed in them, and whether it is so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnn_widgets.classroom.handing_in import ENDING, FORM
from cnn_widgets.classroom.pins import digest_of, pixels_digest
from cnn_widgets.classroom.quantities import QUANTITIES, agrees, measure
from cnn_widgets.engine.weights import weights_digest
from cnn_widgets.environment import frame
from cnn_widgets.networks.loading import load_network
from cnn_widgets.networks.network import Network
from cnn_widgets.scenes.catalog import Catalog
from cnn_widgets.scenes.resolving import resolve
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.scenes.state import State

RIGHT, WRONG, UNKNOWN = "right", "wrong", "cannot be checked"
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
        Right only if every pin is right.
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
    desk = _Desk(net, images)
    found = []
    try:
        for number, file in enumerate(files):
            found.append(desk.checked(file))
            if progress is not None and progress(number + 1, len(files)) is False:
                break
    finally:
        desk.close()
    return found


def _files(source: Any) -> list[Path]:
    given = [source] if isinstance(source, str | Path) else list(source)
    files: list[Path] = []
    for each in map(Path, given):
        files += sorted(each.rglob(f"*{ENDING}")) if each.is_dir() else [each]
    if not files:
        raise ValueError(f"There is no file *{ENDING}.")
    return files


class _Desk:
    """Opens views without a page, one after the other, with one network and its photographs."""

    def __init__(self, net: Network, images: Any) -> None:
        self._net = net
        self._catalog = Catalog(images, net, {})
        self._state = State(self._catalog, self._catalog.first, net.name)
        self._weights = weights_digest(net.model)

    def close(self) -> None:
        self._catalog.close()

    def checked(self, file: Path) -> CheckedWork:
        """Return what became of one file; one that cannot be read says why."""
        try:
            content = _read(file)
        except (OSError, ValueError) as error:
            return CheckedWork(file.stem, file.name, UNKNOWN, (str(error),), ())
        reasons = []
        stated = content.pop("sha256", None)
        if stated != digest_of(content):
            reasons.append("the file was changed after it was written (its digest is another one)")
        pins = tuple(self._pin(n, each) for n, each in enumerate(content["pins"], 1))
        verdicts = {each.verdict for each in pins}
        verdict = next((v for v in (WRONG, UNKNOWN) if v in verdicts), RIGHT)
        if reasons:
            verdict = WRONG
        return CheckedWork(str(content["name"]), file.name, verdict, tuple(reasons), pins)

    def _pin(self, number: int, given: dict[str, Any]) -> CheckedPin:
        note, answers = str(given.get("note", "")), given["answers"]
        try:
            scene = self._opened(given)
        except (ValueError, TypeError, KeyError) as error:
            return CheckedPin(number, UNKNOWN, (str(error),), note, len(answers))
        wrong = []
        for kind, claims in (("", answers), ("the file says ", given["measured"])):
            for name, claimed in claims.items():
                measured = measure(scene, name) if name in QUANTITIES else None
                if name not in QUANTITIES:
                    wrong.append(f"{kind}{name}: unknown")
                elif not agrees(claimed, measured):
                    wrong.append(f"{kind}{name}: {claimed!r}, it is {_told(measured)}")
        return CheckedPin(number, WRONG if wrong else RIGHT, tuple(wrong), note, len(answers))

    def _opened(self, given: dict[str, Any]) -> Scene:
        """Return the scene of a pin; a ValueError if photograph or network are others."""
        choices = dict(given["state"])
        if given["network"]["sha256"] != self._weights:
            raise ValueError(
                f"it is of the network {given['network']['name']!r} with other weights than those "
                f"of {self._net.name!r} here"
            )
        choices["network"] = self._net.name
        for fold in ("trust", "audit", "survey", "pairs", "experiments", "strip", "compare"):
            choices.pop(fold, None)  # nothing of it is claimed, and it would be computed
        self._state.from_dict(choices)
        scene = resolve(self._state, self._catalog)
        if given["photograph"]["sha256"] != pixels_digest(scene):
            raise ValueError(f"the photograph {scene.image!r} is another one here")
        if scene.attribution is None and "hottest place" in given["measured"]:
            self._catalog.keep("compute", scene.question, scene.compute())
            scene = resolve(self._state, self._catalog)
        return scene


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
