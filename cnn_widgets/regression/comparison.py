"""Compares a photograph's answer and evidence, layers, classes and input with what they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnn_widgets.records import Floats
from cnn_widgets.regression.photographs import Photograph, centre_moved, correlation, overlap
from cnn_widgets.regression.result import Case, Tolerances
from cnn_widgets.telling import in_short

#: What a layer drifts by rounding.
_UNCHANGED = 1e-4


def same_classes(kept: Sequence[str], now: Sequence[str]) -> list[int]:
    """Return for each class kept its place now, -1 if there is none.

    Classes are matched by name if only their order changed, or if some were added or removed. If
    there are as many as before, with other names, they are matched by their order.
    """
    places = {name: n for n, name in enumerate(now)}
    unique = len(places) == len(now) and len(set(kept)) == len(kept)
    if unique and (set(kept) == set(places) or len(kept) != len(now)):
        return [places.get(name, -1) for name in kept]
    return [n if n < len(now) else -1 for n in range(len(kept))]


def classes_case(kept: Sequence[str], now: Sequence[str], same_weights: bool) -> Case:
    """Return whether there are as many classes as there were, and each has the name it had.

    Names in another order are right where the outputs are in that order, too: not with the same
    weights.
    """
    words = ""
    if len(kept) != len(now):
        words = f"The network has {len(now)} classes; it had {len(kept)}."
    elif same_weights and list(kept) != list(now) and sorted(kept) == sorted(now):
        words = (f"{renamed(kept, now)} The weights are the same, so the outputs are where they "
                 "were: the names are wrong, or were.")  # fmt: skip
    if words:
        return Case("network", "classes", "failed", ("classes",), words, 1.0)
    return Case("network", "classes", "passed")


def renamed(kept: Sequence[str], now: Sequence[str]) -> str:
    """Return in words which classes have other names than they had, of as many; "" if none has."""
    pairs = enumerate(zip(kept, now, strict=False))
    told = [f"class {n} was {was!r} and is {is_!r}" for n, (was, is_) in pairs if was != is_]
    if not told or len(kept) != len(now):
        return ""
    if sorted(kept) == sorted(now):
        what, how = "The class names are in another order", "name"
    else:
        what, how = "The class names have changed", "number"
    return f"{what}: {in_short(told, 5)}. Classes are compared by their {how}s."


def photograph_case(
    kept: Photograph,
    name: str,
    probabilities: Floats,
    evidence: Floats,
    classes: Sequence[int],
    names: Sequence[str],
    allowed: Tolerances,
) -> Case:
    """Return what became of a photograph's answer and of the evidence for it.

    Parameters
    ----------
    kept : Photograph
    name : str
        What it is called now.
    probabilities : ndarray, shape (C,)
    evidence : ndarray, shape (14, 14)
        For the class that was answered.
    classes : sequence of int
        For each class kept its place now, see `same_classes`.
    names : sequence of str
        Of the classes now.
    allowed : Tolerances
    """
    before = {classes[n]: p for n, p in kept.top if classes[n] >= 0}
    was, now = classes[kept.answer], int(probabilities.argmax())
    changes = [abs(float(probabilities[n]) - p) for n, p in before.items()]
    change = max(changes, default=1.0)
    lead = _lead(kept, was, now, before, probabilities)
    alike = correlation(kept.evidence, evidence)
    moved = centre_moved(kept.evidence, evidence)
    changed, told = [], []
    if lead > allowed.tie:
        changed.append("answer")
        told.append(f"{_named(names, was)} ({kept.top[0][1]:.1%}) was answered, now "
                    f"{_named(names, now)} ({probabilities[now]:.1%})")  # fmt: skip
    if alike < allowed.correlation or moved > allowed.centre:
        changed.append("evidence")
        told.append(_elsewhere(kept.evidence, evidence, _named(names, was), alike, moved))
    if change > allowed.probability:
        changed.append("probability")
        told.append(f"a probability changed by {change:.1%}")
    figures = {
        "was": _named(names, was).strip("'"), "now": names[now],
        "probability_was": kept.top[0][1],
        "probability": float(probabilities[was]) if was >= 0 else None,
        "probability_changed": change, "correlation": alike,
        "centre_moved": _known(moved), "overlap": _known(overlap(kept.evidence, evidence)),
    }  # fmt: skip
    elsewhere = max(1 - alike, moved if np.isfinite(moved) else 0.0)
    severity = {"answer": lead, "evidence": elsewhere}.get((changed or [""])[0], change)
    words = "; ".join(told)
    words = words[:1].upper() + words[1:] + "." if words else ""
    status = "failed" if changed else "passed"
    return Case("photograph", name, status, tuple(changed), words, severity, figures)


def _elsewhere(was: Floats, now: Floats, name: str, alike: float, moved: float) -> str:
    """Return in words how the evidence for a class changed; an empty map has no centre."""
    if np.isfinite(moved):
        return (f"the evidence for {name} is elsewhere: correlation {alike:.2f}, its centre moved "
                f"by {moved:.0%} of the diagonal")  # fmt: skip
    before, after = ((each > 0).any() for each in (was, now))
    if before:
        return f"the map of {name} is empty now: nothing in it speaks for the class"
    if after:
        return f"the map of {name} was empty, and now shows what speaks for the class"
    return (f"the map of {name} is another one, correlation {alike:.2f}, though nothing spoke or "
            "speaks for the class")  # fmt: skip


def _lead(kept: Photograph, was: int, now: int, before: dict[int, float], p: Floats) -> float:
    """Return the larger lead of two: of the old answer then, of the new one now; 0 if equal."""
    if now == was:
        return 0.0
    if was < 0:
        return 1.0
    # of a class that was not among the most likely, no more is known than the last of these
    other = before.get(now, min(before.values()))
    return max(kept.top[0][1] - other, float(p[now] - p[was]))


def layer_case(name: str, cka: float, was_flat: bool, is_flat: bool, allowed: Tolerances) -> Case:
    """Return what became of a layer; one that says the same of all photographs is `flat`."""
    figures: dict[str, Any] = {"cka": _known(cka)}
    if was_flat and is_flat:
        words = "It says the same of every photograph, as it did: nothing to compare."
        return Case("layer", name, "skipped", (), words, 0.0, figures)
    if was_flat or is_flat:
        words = f"It {'says' if is_flat else 'said'} the same of every photograph."
        return Case("layer", name, "failed", ("layer",), words, 1.0, figures)
    if not np.isfinite(cka):
        words = "It puts out NaN or infinity."
        return Case("layer", name, "failed", ("layer",), words, 1.0, figures)
    if cka < allowed.cka:
        words = f"It drifted: CKA {cka:.3f}, where 1 is the same and {allowed.cka:g} is allowed."
        return Case("layer", name, "failed", ("layer",), words, 1 - cka, figures)
    return Case("layer", name, "passed", (), "", 1 - cka, figures)


def swapped(kept: Sequence[Photograph], now: Sequence[Floats], names: Sequence[str]) -> str:
    """Return in words which classes answer for which others, if that alone explains the flips.

    That is so if each answer has become one other answer, no two of them the same, with the same
    probability.
    """
    became: dict[int, int] = {}
    for photograph, probabilities in zip(kept, now, strict=True):
        best = int(probabilities.argmax())
        if became.setdefault(photograph.answer, best) != best:
            return ""
        if abs(photograph.top[0][1] - float(probabilities[best])) > 1e-3:
            return ""
    moved = {was: is_ for was, is_ in became.items() if was != is_}
    if not moved or len(set(became.values())) < len(became):
        return ""
    told = [f"{_named(names, was)} became {_named(names, is_)}" for was, is_ in moved.items()]
    return f"The order of the classes changed: {in_short(told, 5)}, with the same probabilities."


def in_the_answers(failed: Sequence[Case]) -> bool:
    """Return whether answers or evidence changed, and not by the names of the classes."""
    kinds = {kind for case in failed for kind in case.changed}
    return "classes" not in kinds and not kinds.isdisjoint({"answer", "evidence", "probability"})


def least_alike(layers: Sequence[Case]) -> str:
    """Return in words what to think of layers none of which drifted by more than is allowed."""
    least = max(layers, key=lambda case: case.severity)
    if least.severity < _UNCHANGED:
        return "No layer drifted; CKA does not see the order of classes: look at the network's end."
    cka = 1 - least.severity
    return f"No layer drifted by more than is allowed; the most did {least.name!r}, CKA {cka:.4f}."


def _named(names: Sequence[str], index: int) -> str:
    return repr(names[index]) if 0 <= index < len(names) else "a class that no longer exists"


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
