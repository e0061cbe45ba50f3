"""Is it the right input? The network run again under other preprocessings, side by side.

The evidence is what training left in the first batch normalization: the mean colour that reached
the first weights, and its contrast (see `first_layers`). It needs no label, and does not depend on
the photograph; but it takes photographs of usual brightness and contrast for what the network was
trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cnn_widgets.engine.batches import BatchRunner
from cnn_widgets.images.network_input import ModelInput
from cnn_widgets.images.resizing import grain_kept, is_larger
from cnn_widgets.networks.description import ModelDescription, no_network
from cnn_widgets.networks.first_layers import MEAN, Memory, training_memory
from cnn_widgets.records import FITS, ImageSample, as_samples
from cnn_widgets.telling import counted, stopped

Progress = Callable[[int, int], bool | None]

#: The trial in which photographs are resized as Keras' own loader does it.
RESAMPLED = "as it is, resized without antialiasing"
_MANY = 0.25  # of the answers, at least two; no weight tells which way of resizing is right
#: Standard deviation of ImageNet's red, green and blue, as shares of 255.
_DEVIATION = np.array([0.229, 0.224, 0.225])
#: A recipe must fit better than the present one by this much to be advised, see `Trial.misfit`.
_CLEARLY = 0.07
#: By this much where only the mean and variance of channels are known; above the second number the
#: photographs of training were not of usual brightness and contrast under any recipe.
_ROUGHLY, _UNUSUAL = 0.7, 1.5


@dataclass(frozen=True)
class Trial:
    """One way to prepare the photographs, and what the network says then.

    Attributes
    ----------
    name : str
        The recipe; ``"as it is"`` for the network's own.
    tops : tuple of int
        The index of the likeliest class of each photograph.
    probability, entropy : float
        The likeliest class's probability, and the entropy of all in bits; means over photographs.
    low, high : float
        The range that reaches the first weights from the first photograph.
    misfit : float or None
        How far mean and contrast at the first weights are from those of training, 0 at best; None
        where the network does not tell.
    """

    name: str
    tops: tuple[int, ...]
    probability: float
    entropy: float
    low: float
    high: float
    misfit: float | None


@dataclass(frozen=True)
class InputCheck:
    """The trials, the network's own input first, and what follows from them.

    `right` is None where it cannot be told, also where many answers depend on the resampling.
    `best` names the trial that fits best, of those with a misfit. `advice` is a few sentences with
    their evidence; nothing is applied.
    """

    trials: tuple[Trial, ...]
    right: bool | None
    best: str | None
    advice: str


def check_input(
    net: ModelDescription,
    samples: ImageSample | Sequence[ImageSample],
    progress: Progress | None = None,
) -> InputCheck:
    """Return how a network answers under other preprocessings, and which one it was trained with.

    Parameters
    ----------
    net : Network
    samples : ImageSample or sequence of ImageSample
        The photographs to show it; several tell more.
    progress : callable, optional
        Called with (trials done, trials); the check is cancelled if it returns False.

    Raises
    ------
    concurrent.futures.CancelledError
        If `progress` returns False.
    """
    if not isinstance(net, ModelDescription):
        raise no_network(net)
    chosen = as_samples(samples)
    memory = training_memory(net, chosen[0].inputs)
    own, trials = net.model_input, list[Trial]()
    ways = [(name, each, chosen, memory) for name, each in _recipes(own)]
    if any(is_larger(each, own.size, own.fit) for each in chosen):
        other = [grain_kept(each, own.size, own.channels, own.fit) for each in chosen]
        ways.append((RESAMPLED, own, other, ""))
    for number, way in enumerate(ways):
        if stopped(progress, number, len(ways)):
            raise CancelledError(f"Cancelled after {number} of {len(ways)} trials.")
        trials.append(_trial(net, *way))
    return _judged(trials, memory)


def _recipes(own: ModelInput) -> list[tuple[str, ModelInput]]:
    """Return the preprocessings to try, by name; the network's own first."""
    present = own.preprocess or (lambda pixels: pixels)
    functions: dict[str, Callable[[Any], Any]] = {
        "as it is": present,
        "pixels 0…255": lambda x: x,
        "x / 255": lambda x: x / 255,
        "x / 127.5 - 1": lambda x: x / 127.5 - 1,
        "as it is, twice": lambda x: present(np.asarray(present(x), np.float32).copy()),
    }
    if own.channels == 3:
        means, deviations = MEAN.astype(np.float32), _DEVIATION.astype(np.float32)
        functions |= {
            "(x / 255 - mean) / std": lambda x: (x / 255 - means) / deviations,
            "BGR less its mean": lambda x: x[..., ::-1] - 255 * means[::-1],
            "as it is, red and blue swapped": lambda x: present(x[..., ::-1].copy()),
        }
    found = [(name, replace(own, preprocess=each)) for name, each in functions.items()]
    fits = [fit for fit in FITS if fit != own.fit]
    return [*found, *((f"as it is, fit={fit!r}", replace(own, fit=fit)) for fit in fits)]


def _trial(
    net: ModelDescription,
    name: str,
    model_input: ModelInput,
    samples: Sequence[ImageSample],
    memory: Memory | str,
) -> Trial:
    runner = BatchRunner(net.engine, model_input, 0, net.name)
    _, probabilities = runner.scores(samples)
    p = np.asarray(probabilities, np.float64)
    surprise = -np.sum(p * np.log2(np.maximum(p, 1e-30)), axis=1)
    engine = runner.engine_for(samples[:1])
    reached = engine.entry_values(runner.prepare(samples[:1]))
    values = reached[0] if reached else runner.prepare(samples[:1])
    misfit = None if isinstance(memory, str) else memory.misfit(net, runner)
    return Trial(
        name,
        tuple(int(each) for each in p.argmax(axis=1)),
        float(p.max(axis=1).mean()),
        float(surprise.mean()),
        float(values.min()),
        float(values.max()),
        misfit,
    )


def _judged(trials: Sequence[Trial], memory: Memory | str) -> InputCheck:
    """Return the trials with what follows from them."""
    told, many = _depends(trials)
    if isinstance(memory, str):
        advice = f"Which input is right cannot be told from the weights: {memory}. "
        return InputCheck(tuple(trials), None, None, f"{advice}{_surest(trials)}{told}")
    fitting = [each for each in trials if "fit=" not in each.name and each.misfit is not None]
    best, present, clearly = min(fitting, key=_misfit), _misfit(trials[0]), _CLEARLY
    least = _misfit(best)
    if memory.layer is None:
        if least > _UNUSUAL:
            return _judged(trials, "its batch normalization has seen no usual photographs")
        clearly = _ROUGHLY
        best = next(each for each in fitting if _misfit(each) < least + clearly)  # the plainest
    colour = ", ".join(f"{value:.2f}" for value in memory.colour).replace("-", "−")
    learned = f"In training a mean of ({colour}) reached the first weights"
    if present < least + clearly:
        what, right = ("preprocessing", None) if many else ("input", True)
        advice = f"The {what} looks right. {learned}, which fits (misfit {present:.2f}).{told}"
        return InputCheck(tuple(trials), right, trials[0].name, advice)
    advice = (
        f"The input looks wrong. {learned}; {best.name!r} fits best (misfit {_misfit(best):.2f}, "
        f"now {present:.2f}) for photographs of usual brightness: try preprocess= with it.{told}"
    )
    return InputCheck(tuple(trials), False, best.name, advice)


def _depends(trials: Sequence[Trial]) -> tuple[str, bool]:
    """Return how many answers depend on how photographs are resized, in words; whether many do."""
    if trials[-1].name != RESAMPLED:
        return "", False
    before, after = trials[0].tops, trials[-1].tops
    count = sum(a != b for a, b in zip(before, after, strict=True))
    hint = ": if it was trained so, resize photographs yourself and give those" if count else ""
    told = f"{count} of {counted(len(before), 'answer')} would differ{hint}."
    how = " Resized without antialiasing, as Keras' image_dataset_from_directory does it, "
    return how + told, count >= max(2, _MANY * len(before))


def _misfit(trial: Trial) -> float:
    return float("inf") if trial.misfit is None else trial.misfit


def _surest(trials: Sequence[Trial]) -> str:
    """Return in words which trial has the least entropy, and that it proves nothing."""
    first = min(trials, key=lambda each: each.entropy)
    return (
        f"The network is surest under {first.name!r} ({first.entropy:.1f} bits; as it is "
        f"{trials[0].entropy:.1f}), but a wrong input can make it sure as well."
    )
