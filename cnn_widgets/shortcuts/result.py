"""`Shortcuts`: what was suspected about each label, what trials showed, and how it is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from cnn_widgets.environment import atomic_files, frame, versions
from cnn_widgets.shortcuts.clusters import Cluster
from cnn_widgets.shortcuts.evidence import Focus, Masked
from cnn_widgets.shortcuts.interventions import Intervention
from cnn_widgets.shortcuts.places import Mask, box_of
from cnn_widgets.shortcuts.trials import Blurring, Effect, Trial

#: What a trial can come to.
VERDICTS = ("held", "held, perhaps the subject", "not held")
_COLUMNS = ("label", "kind", "place", "verdict", "photographs", "away", "away_rank", "away_turned",
            "blurred", "blurred_turned", "into", "into_rank", "into_turned", "controls", "chance",
            "why")  # fmt: skip


@dataclass(frozen=True, eq=False)
class Finding:
    """A suspicion and what trials showed of it.

    Attributes
    ----------
    label : str
    kind : {"region", "tint", "overlay", "background", "filter"}
    place : str
        Where it is, in words.
    why : str
        Why it was suspected.
    mask : ndarray of bool, shape (H, W)
        Where it is on the network's input.
    photographs : int
        How many photographs of the label it was suspected in.
    trial : Trial
        The effects of taking it away and of putting it in, beside those of controls.
    tried : int
        How many suspicions about the label were tried.
    central : bool
        Whether it lies where subjects are.
    change : Intervention or None
        What takes it away and puts it in; None for a filter.
    masked : Masked or None
        Answers and evidence before and after it was masked; of what held, but for filters.
    filters : (str, tuple of int) or None
        The layer and the numbers of filters.
    """

    label: str
    kind: str
    place: str
    why: str
    mask: Mask
    photographs: int
    trial: Trial
    tried: int
    central: bool = False
    change: Intervention | None = field(default=None, repr=False)
    masked: Masked | None = field(default=None, repr=False)
    filters: tuple[str, tuple[int, ...]] | None = None

    @property
    def held(self) -> bool:
        """Whether it decides about the label more than controls do, see `Trial.holds`."""
        return self.trial.holds(self.tried)

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        return VERDICTS[2] if not self.held else VERDICTS[1] if self.central else VERDICTS[0]

    @property
    def box(self) -> tuple[float, float, float, float]:
        """The rectangle (top, left, bottom, right) around it, in shares of the sides."""
        return box_of(self.mask)

    @property
    def what(self) -> str:
        """What it is, in words: its kind and place, or the filters."""
        return f"{self.kind} ({self.place})" if self.filters is None else self.place

    def __str__(self) -> str:
        away, into = self.trial.away, self.trial.into
        away_by, put = "taking it away", "put into others it changes"
        if self.filters is not None:
            away_by, put = "silencing", "the activations put into others change"
        effects = (
            f"{away_by} changes the log-odds by {-away.change:.1f} and takes {self.label!r} "
            f"from {away.turned.right} of {away.turned.count} photographs{self._blurred}; {put} "
            f"them by {into.change:+.1f} and make{'s' if self.filters is None else ''} "
            f"{into.turned.right} of {into.turned.count} {self.label!r}"
        )
        compared = (
            f"of {len(away.controls)} controls, {away.as_much} and {into.as_much} did as much"
        )
        end = ""
        if self.held and self.central:
            end = " It lies where the subject usually is: look whether it is the subject itself."
        lead = "Decided by" if self.held else "Not held:"
        return (
            f"{self.label}: {lead} {self.what}. {effects[0].upper()}{effects[1:]}; {compared}.{end}"
        )

    @property
    def _blurred(self) -> str:
        blurred = self.trial.blurred
        if blurred is None:
            return ""
        turned = f"{blurred.turned.right} of {blurred.turned.count}"
        return f" (blurring it: by {-blurred.change:.1f}, and from {turned})"


#: The share of the evidence in each zone, and that of the area.
Zones = dict[str, tuple[float, float]]
#: So many photographs of other labels are shown with what was suspected, and without.
EXAMPLES = 2


@dataclass(frozen=True, eq=False)
class Shortcuts:
    """What was suspected of each label of a network, and what held.

    Attributes
    ----------
    network : str
    findings : tuple of Finding
        Those that held first, the strongest first; then those that may be the subject, then those
        that did not hold.
    clusters : dict of str to tuple of Cluster
        By label, photographs that are decided on for the same reason; those whose label
        is most probable come first.
    evidence : dict of str to dict
        By label and zone (corners, border, centre): the share of the evidence, and of the area.
    notes : tuple of str
        Labels that were not looked at, and why; photographs that could not be read.
    examples : dict of str to tuple of str
        By label, a few of the photographs of other labels that it was compared with.
    focus : dict of str to Focus
        By label, its mean map and how far from the subject its evidence lies.
    """

    network: str
    findings: tuple[Finding, ...]
    clusters: dict[str, tuple[Cluster, ...]]
    evidence: dict[str, Zones]
    notes: tuple[str, ...] = ()
    examples: dict[str, tuple[str, ...]] = field(default_factory=dict)
    focus: dict[str, Focus] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        return f"Shortcuts({self.network!r}, {len(self.held)} of {len(self)} suspicions held)"

    @property
    def held(self) -> tuple[Finding, ...]:
        """The findings that decide about a label and are not where its subject is."""
        return tuple(each for each in self.findings if each.verdict == VERDICTS[0])

    def of(self, label: str) -> tuple[Finding, ...]:
        """Return the findings of a label; a ValueError names the labels there are."""
        if label not in self.clusters:
            raise ValueError(f"Unknown label {label!r}. Labels: {', '.join(self.clusters)}.")
        return tuple(each for each in self.findings if each.label == label)

    def records(self) -> list[dict[str, Any]]:
        """Return a dict of plain values per finding."""
        found = []
        for each in self.findings:
            away, into, blurred = each.trial.away, each.trial.into, each.trial.blurred
            found.append(dict(zip(_COLUMNS, (
                each.label, each.kind, each.place, each.verdict, each.photographs,
                away.change, away.rank, away.turned.value,
                blurred.change if blurred else float("nan"),
                blurred.turned.value if blurred else float("nan"),
                into.change, into.rank, into.turned.value,
                len(away.controls), each.trial.chance(each.tried), each.why,
            ), strict=True)))  # fmt: skip
        return found

    def to_pandas(self) -> Any:
        """Return `records` as a pandas DataFrame; an ImportError says if pandas is missing."""
        return frame(self.records(), _COLUMNS)

    def summary(self) -> dict[str, Any]:
        """Return everything but the changes themselves as plain values, for JSON."""
        records = [
            {**record, "sentence": str(each), "box": list(each.box),
             "away_effect": _plain(each.trial.away), "into_effect": _plain(each.trial.into),
             "blurred_effect": _blurring(each.trial.blurred), "filters": each.filters,
             "masked": each.masked and {
                 name: {"right": [look.right.right, look.right.count],
                        "taken": [look.taken.right, look.taken.count],
                        "inside": list(look.inside), "border": list(look.border),
                        "focus": _focused(look.focus)}
                 for name, look in (("before", each.masked.before), ("after", each.masked.after))
             }}
            for record, each in zip(self.records(), self.findings, strict=True)
        ]  # fmt: skip
        clusters = {
            label: [
                {"photographs": len(each.members), "right": each.right,
                 "probability": each.probability, "average": np.round(each.average, 4)}
                for each in some
            ]
            for label, some in self.clusters.items()
        }  # fmt: skip
        found = {
            "network": self.network, "findings": records, "clusters": clusters,
            "evidence": self.evidence,
            "focus": {label: _focused(each) for label, each in self.focus.items()},
            "notes": list(self.notes), "versions": versions(),
        }  # fmt: skip
        return dict(_known(found))

    def save(self, path: str | Path) -> Path:
        """Write `summary` as a JSON file, whole or not at all, and return its path."""
        place = Path(path).expanduser()
        place.parent.mkdir(parents=True, exist_ok=True)
        with atomic_files(place.parent, place.name) as made:
            text = json.dumps(self.summary(), indent=2, allow_nan=False)
            (made / place.name).write_text(text + "\n", "utf-8")
        return place


def ranked(findings: list[Finding]) -> tuple[Finding, ...]:
    """Return findings by verdict, then the strongest first.

    Filters come after the rest: they tell how a network sees a thing, the others what it sees.
    """
    return tuple(sorted(findings, key=lambda f: (VERDICTS.index(f.verdict), f.filters is not None,
                                                 -f.trial.strength)))  # fmt: skip


def _plain(effect: Effect) -> dict[str, Any]:
    return {
        "change": effect.change,
        "interval_95": list(effect.interval),
        "compared": effect.compared,
        "standardised": effect.standardised,
        "turned": [effect.turned.right, effect.turned.count],
        "controls": list(effect.controls),
        "controls_quantiles_50_95_99": list(effect.quantiles())
        if len(effect.controls) > 99
        else None,
    }


def _blurring(effect: Blurring | None) -> dict[str, Any] | None:
    if effect is None:
        return None
    return {
        "change": effect.change,
        "interval_95": list(effect.interval),
        "turned": [effect.turned.right, effect.turned.count],
    }


def _focused(focus: Focus) -> dict[str, Any]:
    return {
        "distance": focus.distance,
        "distance_of_even_evidence": focus.even,
        "area_of_half_of_the_evidence": focus.half,
        "subjects": focus.subjects,
        "on_subject": list(focus.on_subject),
        "average": np.round(focus.average, 4),
    }


def _known(value: Any) -> Any:
    """Return plain values in which numbers that are not known are None."""
    if isinstance(value, dict):
        return {name: _known(each) for name, each in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [
            _known(each) for each in (value.tolist() if isinstance(value, np.ndarray) else value)
        ]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
