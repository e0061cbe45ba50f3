"""The registry of the instruments that evaluate a map in the explorer.

A new instrument is one module, one entry in `INSTRUMENTS`, and one function in
`explorer/evaluation_panels.py` that shows its result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cnn_widgets.attribution.depth_strip import film_strip
from cnn_widgets.attribution.explain import attribute
from cnn_widgets.attribution.methods import METHODS, applicable
from cnn_widgets.attribution.probe import Progress, partial_progress
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.evaluation.faithfulness import Baseline
from cnn_widgets.evaluation.localization import pointing
from cnn_widgets.evaluation.randomization import sanity_check
from cnn_widgets.evaluation.ranking import beside_chance, rank
from cnn_widgets.networks.input_check import check_input
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample


@dataclass(frozen=True)
class Subject:
    """One map to evaluate, and the settings of the instruments.

    Attributes
    ----------
    network, sample, method, class_index, target, versus, counter
        The arguments of `attribute` that define the map.
    layer : str or None
        The layer of `method`; None for a method that works on the input.
    place : str or None
        The layer of class activation maps where several methods are compared.
    baseline : {"blur", "mean"}
        What replaces removed pixels, see `curves`.
    ranked : tuple of str
        The names of the methods compared.
    known : Attribution or None
        The map, if it has been computed already.
    """

    network: Network
    sample: ImageSample
    method: str
    class_index: int
    layer: str | None
    place: str | None
    target: str
    versus: int | None
    counter: bool
    baseline: Baseline
    ranked: tuple[str, ...]
    known: Attribution | None = field(default=None, repr=False)

    @property
    def revision(self) -> int:
        """A number that changes whenever the network's weights change."""
        return self.network.revision


#: Steps of each deletion and insertion curve: a map has the same areas in every instrument.
_STEPS = 30


@dataclass(frozen=True)
class Instrument:
    """One instrument: its name, its description and its function.

    Attributes
    ----------
    name, title, tells : str
        The key in `INSTRUMENTS`, the name for display, and a one-line description for display.
    compute : callable
        (subject, progress) → the result, of a type of the instrument's own.
    asks : frozenset of str
        The fields of `Subject` that the result depends on, besides network and photograph.
    """

    name: str
    title: str
    tells: str
    compute: Callable[[Subject, Progress | None], Any]
    asks: frozenset[str]

    def question(self, subject: Subject) -> tuple[Any, ...]:
        """Return everything the result depends on, as the key under which it is cached."""
        asked = (getattr(subject, name) for name in sorted(self.asks))
        # pointing uses the gallery's photographs, not the subject's
        key = subject.sample.key if self.name != "pointing" else ""
        return (self.name, subject.network, subject.revision, key, *asked)


def find_instrument(name: str) -> Instrument:
    """Return an instrument by name; a ValueError lists the names if it is unknown."""
    if name not in INSTRUMENTS:
        raise ValueError(f"Unknown instrument {name!r}. Instruments: {', '.join(INSTRUMENTS)}.")
    return INSTRUMENTS[name]


def arrays(found: Any) -> Iterable[Floats]:
    """Yield the arrays in an instrument's result, by which its memory is measured."""
    for shown in getattr(found, "maps", found if isinstance(found, tuple) else ()):
        if isinstance(shown, Attribution):
            yield from (shown.raw, shown.heatmap)


def _curves(subject: Subject, progress: Progress | None) -> Any:
    """Return the curves of the map, which is computed first if it is not known."""
    shown = subject.known or attribute(
        subject.network, subject.sample, subject.method, subject.class_index, subject.layer,
        subject.target, versus=subject.versus, counter=subject.counter,
        progress=partial_progress(progress, 0, 2),
    )  # fmt: skip
    rest = progress if subject.known else partial_progress(progress, 1, 2)
    return beside_chance(subject.network, shown, baseline=subject.baseline, steps=_STEPS,
                         progress=rest)  # fmt: skip


def _ranking(subject: Subject, progress: Progress | None) -> Any:
    return rank(
        subject.network, subject.sample, _ranked(subject), subject.class_index, subject.place,
        subject.target, baseline=subject.baseline, steps=_STEPS, progress=progress,
    )  # fmt: skip


def _sanity(subject: Subject, progress: Progress | None) -> Any:
    return sanity_check(
        subject.network, subject.sample, subject.method, subject.class_index, subject.layer,
        subject.target, versus=subject.versus, counter=subject.counter, progress=progress,
    )  # fmt: skip


def _depths(subject: Subject, progress: Progress | None) -> Any:
    # a method that works on the input has no map per layer: Grad-CAM is shown instead
    method = subject.method if METHODS[subject.method].at == "layer" else "grad-cam"
    return film_strip(
        subject.network, subject.sample, method, subject.class_index, subject.target,
        versus=subject.versus, counter=subject.counter, progress=progress,
    )  # fmt: skip


def _pointing(subject: Subject, progress: Progress | None) -> Any:
    return pointing(
        subject.network, _ranked(subject), subject.place, subject.target, progress=progress
    )


def _ranked(subject: Subject) -> tuple[str, ...]:
    """Return the methods that are compared, without those that the network has no maps for."""
    return applicable(subject.network, subject.ranked) or subject.ranked


def _input(subject: Subject, progress: Progress | None) -> Any:
    return check_input(subject.network, subject.sample, progress)


_MAP = frozenset({"method", "class_index", "layer", "target", "versus", "counter"})
INSTRUMENTS: dict[str, Instrument] = {
    each.name: each
    for each in (
        Instrument(
            "curves", "Deletion and insertion",
            "Takes the brightest pixels away, or gives them back first: where the map is right, "
            "the probability falls, or rises, early. A random map and an edge detector stand "
            "beside it.",
            _curves, _MAP | {"baseline"},
        ),
        Instrument(
            "ranking", "Ranking of methods",
            "Deletion and insertion for each method selected, on this photograph, in one table.",
            _ranking, frozenset({"class_index", "place", "target", "baseline", "ranked"}),
        ),
        Instrument(
            "sanity", "Sanity check",
            "Randomises the network layer by layer from the top, on a private copy. A map that "
            "explains the network must fall apart with it.",
            _sanity, _MAP,
        ),
        Instrument(
            "depths", "Layer by layer",
            "The same question asked of every layer, from the input to the scores: where does the "
            "network begin to tell this class by its place?",
            _depths, _MAP - {"layer"},
        ),
        Instrument(
            "pointing", "Pointing",
            "Two subjects side by side: the share of the heat that lies on the right half for "
            "each one's class. 50 % is chance.",
            _pointing, frozenset({"place", "target", "ranked"}),
        ),
        Instrument(
            "input", "Is it the right input?",
            "Asks the network again with the photograph prepared in other ways, and compares what "
            "reaches its first weights with what did so in training.",
            _input, frozenset(),
        ),
    )
}  # fmt: skip
