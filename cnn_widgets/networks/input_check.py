"""Is it the right input? The network run again under other preprocessings, side by side.

The evidence is what training left in the first batch normalization: from its moving mean and the
kernels in front of it follows the mean colour that reached the first weights during training, and
from its moving variance the contrast. It needs no label, and does not depend on the photograph; but
it takes photographs of usual brightness and contrast for what the network was trained on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine.batches import BatchRunner
from cnn_widgets.engine.taps import walk_layers
from cnn_widgets.images.network_input import ModelInput
from cnn_widgets.images.resizing import grain_kept, is_larger
from cnn_widgets.images.sample_gallery import gallery
from cnn_widgets.networks.description import ModelDescription, no_network
from cnn_widgets.networks.preprocessing import MEAN, recipes
from cnn_widgets.records import ImageSample, as_samples
from cnn_widgets.telling import counted, stopped

Progress = Callable[[int, int], bool | None]

#: The trial in which photographs are resized as Keras' own loader does it.
RESAMPLED = "as it is, resized without antialiasing"
_MANY = 0.25  # of the answers, at least two; no weight tells which way of resizing is right
_CLEARLY = 0.07  # a recipe must fit better by this much to be advised, see `Trial.misfit`
_REFERENCES = 4  # photographs of the gallery, which stand for natural contrast
#: Above this the first filters' means are not those of one colour, as a share of their deviation.
_UNEXPLAINED = 0.1
_DEAD = 1e-3  # share of the typical variance below which a filter counts as dead


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
    memory = _training_memory(net, chosen[0].inputs)
    own, trials = net.model_input, list[Trial]()
    ways = [(name, each, chosen, memory) for name, each in recipes(own)]
    if any(is_larger(each, own.size, own.fit) for each in chosen):
        other = [grain_kept(each, own.size, own.channels, own.fit) for each in chosen]
        ways.append((RESAMPLED, own, other, ""))
    for number, way in enumerate(ways):
        if stopped(progress, number, len(ways)):
            raise CancelledError(f"Cancelled after {number} of {len(ways)} trials.")
        trials.append(_trial(net, *way))
    return _judged(trials, memory)


def _trial(
    net: ModelDescription,
    name: str,
    model_input: ModelInput,
    samples: Sequence[ImageSample],
    memory: _Memory | str,
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


@dataclass(frozen=True)
class _Memory:
    """What the first convolution and the batch normalization behind it hold of training.

    `sums` (K, C) are the kernels' sums, `mean` and `variance` (K,) the moving statistics of the
    convolution without its bias, of the filters `live` only; `colour` (C,) is the mean that
    reached the first weights. `references` are photographs for the contrast.
    """

    layer: str
    sums: NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    live: NDArray[np.bool_]
    colour: NDArray[np.float64]
    references: tuple[ImageSample, ...]

    def misfit(self, net: ModelDescription, runner: BatchRunner) -> float:
        """Return the distance of a recipe's mean colour and contrast from those of training."""
        average = np.full((1, *runner.model_input.shape), 255 * MEAN.mean(), np.float32)
        if average.shape[-1] == 3:
            average[:] = 255 * MEAN
        x = runner.model_input.prepare(average)
        colour = np.median(net.engine.entry_values(x)[0].reshape(-1, len(self.colour)), axis=0)
        apart = (self.sums @ colour - self.mean) ** 2 / self.variance
        values = runner.activations(self.references, self.layer)
        variance = values.reshape(-1, values.shape[-1]).var(axis=0)[self.live] + 1e-12
        contrast = abs(float(np.median(np.log(variance / self.variance))))
        return float(np.sqrt(apart.mean()) + contrast / 2)


def _training_memory(net: ModelDescription, inputs: Mapping[str, Any]) -> _Memory | str:
    """Return what training left in the first layers, or in words why they do not tell."""
    found = _first_layers(net)
    if isinstance(found, str):
        return found
    path, conv, norm = found
    mean, variance = (np.asarray(a, np.float64) for a in (norm.moving_mean, norm.moving_variance))
    if not mean.any() and (variance == 1).all():
        return "its batch normalization is untrained"
    if conv.use_bias:
        mean = mean - np.asarray(conv.bias, np.float64)
    live = variance > _DEAD * np.median(variance)
    sums = np.asarray(conv.kernel, np.float64).sum(axis=(0, 1)).T[live]
    mean, variance = mean[live], variance[live]
    spread = np.sqrt(variance)
    colour = np.linalg.lstsq(sums / spread[:, None], mean / spread, rcond=None)[0]
    unexplained = float(np.sqrt(np.mean((sums @ colour - mean) ** 2 / variance)))
    if len(mean) < 2 * len(colour) or unexplained > _UNEXPLAINED:
        return "its first filters do not settle the mean colour"
    return _Memory(path, sums, mean, variance, live, colour, _references(inputs))


def _first_layers(net: ModelDescription) -> tuple[str, Any, Any] | str:
    """Return the first convolution, by its path too, and the batch normalization behind it.

    Or, in words, why there are none whose statistics are those of the photograph's channels.
    """
    import keras

    weighted = [(path, each) for path, each in walk_layers(net.engine.model) if _has_weights(each)]
    kinds = (keras.layers.Conv2D, keras.layers.BatchNormalization)
    if len(weighted) < 2 or not all(map(isinstance, (each for _, each in weighted[:2]), kinds)):
        return "no batch normalization follows its first convolution"
    (path, conv), (behind, norm) = weighted[:2]
    channels = net.model_input.channels
    if channels not in (1, 3):
        return f"there are no photographs of {channels} channels to compare with"
    random = np.random.default_rng(0).integers(0, 256, (1, *net.model_input.shape), np.uint8)
    x = net.model_input.prepare(random)
    entries = net.engine.entry_values(x)
    if len(entries) != 1 or entries[0].shape[-1] != conv.kernel.shape[2] or conv.groups != 1:
        return "its first convolution does not see the photograph's channels"
    if not {path, behind} <= {info.name for info in net.layers}:
        return "its first convolution cannot be looked into"
    values = net.engine.observe(x, (path, behind)).activations
    linear = keras.activations.get("linear")
    if conv.activation is not linear or not _normalizes(norm, values[path], values[behind]):
        return "no batch normalization follows its first convolution directly"
    return path, conv, norm


def _normalizes(norm: Any, before: NDArray[Any], after: NDArray[Any]) -> bool:
    """Whether values are those before them after the batch normalization."""
    if before.shape != after.shape:
        return False
    shift = np.asarray(norm.moving_mean, np.float64)
    scale = np.sqrt(np.asarray(norm.moving_variance, np.float64) + norm.epsilon)
    expected = (before - shift) / scale
    expected = expected * np.asarray(norm.gamma, np.float64) if norm.scale else expected
    expected = expected + np.asarray(norm.beta, np.float64) if norm.center else expected
    return bool(np.abs(expected - after).max() <= 1e-2 * max(1e-6, float(np.abs(after).max())))


def _has_weights(layer: Any) -> bool:
    """Whether a layer that is no model has weights beyond statistics and a generator's state."""
    if getattr(layer, "layers", None) or type(layer).__name__ == "Normalization":
        return False
    return any("float" in str(each.dtype) for each in layer.weights)


def _references(inputs: Mapping[str, Any]) -> tuple[ImageSample, ...]:
    """Return a few natural photographs for the contrast, each with these other inputs."""
    several = " and "  # only photographs of one subject
    found = [replace(s, inputs=inputs) for name, s in gallery().items() if several not in name]
    return tuple(found[:_REFERENCES])


def _judged(trials: Sequence[Trial], memory: _Memory | str) -> InputCheck:
    """Return the trials with what follows from them."""
    told, many = _depends(trials)
    if isinstance(memory, str):
        advice = f"Which input is right cannot be told from the weights: {memory}. "
        return InputCheck(tuple(trials), None, None, f"{advice}{_surest(trials)}{told}")
    fitting = [each for each in trials if "fit=" not in each.name and each.misfit is not None]
    best = min(fitting, key=_misfit)
    present = _misfit(trials[0])
    colour = ", ".join(f"{value:.2f}" for value in memory.colour).replace("-", "−")
    learned = f"In training a mean of ({colour}) reached the first weights"
    if present < _misfit(best) + _CLEARLY:
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
