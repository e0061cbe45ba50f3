"""What training left in a model's first layers: the mean and the contrast of what reached them.

A batch normalization that stands before all other weights holds them as its moving statistics. One
that follows the first convolution holds those of the filters; from its moving mean and the kernels
in front of it follows the mean colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine.batches import BatchRunner
from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.taps import walk_layers
from cnn_widgets.images.sample_gallery import gallery
from cnn_widgets.networks.description import ModelDescription
from cnn_widgets.records import ImageSample

_Doubles = NDArray[np.float64]

#: Mean of ImageNet's red, green and blue, as shares of 255.
MEAN = np.array([0.485, 0.456, 0.406])
_REFERENCES = 4  # photographs of the gallery, which stand for natural contrast
#: Above this the first filters' means are not those of one colour, as a share of their deviation.
_UNEXPLAINED = 0.1
#: Share of the typical variance below which a filter counts as dead.
_DEAD = 1e-3
#: Between these the mean of usual pictures lies, as shares of full brightness.
_USUAL = (0.15, 0.85)


@dataclass(frozen=True)
class InputStatistics:
    """The moving `mean` and `variance` (C,) of a batch normalization before all other weights."""

    mean: _Doubles
    variance: _Doubles

    @property
    def unfinished(self) -> bool:
        """Whether they may be those of few steps of training with pictures of 0…1.

        Their start, 0 and 1, is then still in them.
        """
        if (self.variance >= 1).any() or (self.variance <= self.mean * (1 - self.mean)).all():
            return False
        # of a share f of the start, 0 and 1, and of a mean m: (1 - f) m, with f below the variance
        most = self.mean / (1 - self.variance)
        return bool((most > _USUAL[0]).all() and (most < _USUAL[1]).all())


def input_statistics(engine: Engine, channels: int) -> InputStatistics | str | None:
    """Return the statistics of a batch normalization that reads pixels before all other weights.

    Parameters
    ----------
    engine : Engine
    channels : int
        The number C of channels of what it reads.

    Returns
    -------
    InputStatistics, str or None
        In words why they do not tell, where it is untrained; None where none stands there.
    """
    norm = _first_normalization(engine)
    if norm is None or norm.moving_mean.shape[0] % channels:
        return None
    if _untrained(norm):
        return "its batch normalization is untrained"
    mean, variance = (each.reshape(-1, channels) for each in _moving(norm))
    # behind a `Flatten` it has statistics of each pixel
    return InputStatistics(mean.mean(axis=0), variance.mean(axis=0) + mean.var(axis=0))


def _first_normalization(engine: Engine) -> Any:
    """Return the batch normalization of the last axis that reads the only entry, or None."""
    import keras

    traced = engine.graph.forward()
    if ("entry", 0) not in traced or ("entry", 1) in traced:
        return None
    entry = traced.trail(("entry", 0))[-1]
    for name, layer in engine.graph.objects.items():
        if isinstance(layer, keras.layers.BatchNormalization) and ("input", name) in traced:
            last = layer.axis in (-1, layer.input_spec.ndim - 1)
            if last and traced.trail(("input", name))[-1] == entry:
                return layer
    return None


@dataclass(frozen=True)
class Memory:
    """What the first convolution and the batch normalization behind it hold of training.

    `sums` (K, C) are the kernels' sums, `mean` and `variance` (K,) the moving statistics of the
    convolution without its bias, of the filters `live` only; `colour` (C,) is the mean that
    reached the first weights. `references` are photographs for the contrast.

    Without a `layer` they are those of a batch normalization before all weights. Which of its
    channels is which colour does not follow from three means: one filter stands for their average.
    """

    layer: str | None
    sums: _Doubles
    mean: _Doubles
    variance: _Doubles
    live: NDArray[np.bool_]
    colour: _Doubles
    references: tuple[ImageSample, ...]

    def misfit(self, net: ModelDescription, runner: BatchRunner) -> float:
        """Return the distance of a recipe's mean colour and contrast from those of training."""
        average = np.full((1, *runner.model_input.shape), 255 * MEAN.mean(), np.float32)
        if average.shape[-1] == 3:
            average[:] = 255 * MEAN
        x = runner.model_input.prepare(average)
        colour = np.median(net.engine.entry_values(x)[0].reshape(-1, len(self.colour)), axis=0)
        apart = (self.sums @ colour - self.mean) ** 2 / self.variance
        variance = self._variance(runner)[self.live] + 1e-12
        contrast = abs(float(np.median(np.log(variance / self.variance))))
        return float(np.sqrt(apart.mean()) + contrast / 2)

    def _variance(self, runner: BatchRunner) -> _Doubles:
        """Return the variance of each filter for the references under a recipe, (K,)."""
        if self.layer is not None:
            values = runner.activations(self.references, self.layer)
            return np.asarray(values.reshape(-1, values.shape[-1]).var(axis=0), np.float64)
        x = np.concatenate([runner.prepare([each]) for each in self.references])
        values = runner.engine_for(self.references[:1]).entry_values(x)[0]
        each = values.reshape(-1, len(self.colour)).var(axis=0)
        return np.asarray(each.mean(keepdims=True), np.float64)


def training_memory(net: ModelDescription, inputs: Mapping[str, Any]) -> Memory | str:
    """Return what training left in the first layers, or in words why they do not tell.

    `inputs` is what goes into the model's other inputs.
    """
    channels = net.model_input.channels
    first = input_statistics(net.engine, channels)
    if isinstance(first, str):
        return first
    if first is not None and channels not in (1, 3):
        return _no_photographs(channels)
    if first is not None and first.unfinished:
        return "its batch normalization may have seen too little of the training"
    if first is not None:
        one, live = np.full((1, channels), 1 / channels), np.ones(1, np.bool_)
        mean, variance = first.mean.mean(keepdims=True), first.variance.mean(keepdims=True)
        return Memory(None, one, mean, variance, live, first.mean, _references(inputs))
    found = _first_convolution(net)
    return found if isinstance(found, str) else _behind_convolution(*found, inputs)


def _behind_convolution(path: str, conv: Any, norm: Any, inputs: Mapping[str, Any]) -> Memory | str:
    """Return what the statistics of the first convolution tell, or in words why they do not."""
    if _untrained(norm):
        return "its batch normalization is untrained"
    mean, variance = _moving(norm)
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
    return Memory(path, sums, mean, variance, live, colour, _references(inputs))


def _first_convolution(net: ModelDescription) -> tuple[str, Any, Any] | str:
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
        return _no_photographs(channels)
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


def _no_photographs(channels: int) -> str:
    return f"there are no photographs of {channels} channels to compare with"


def _moving(norm: Any) -> tuple[_Doubles, _Doubles]:
    """Return the moving mean and variance of a batch normalization."""
    mean, variance = (np.asarray(a, np.float64) for a in (norm.moving_mean, norm.moving_variance))
    return mean, variance


def _untrained(norm: Any) -> bool:
    mean, variance = _moving(norm)
    return not mean.any() and bool((variance == 1).all())


def _references(inputs: Mapping[str, Any]) -> tuple[ImageSample, ...]:
    """Return a few natural photographs for the contrast, each with these other inputs."""
    several = " and "  # only photographs of one subject
    found = [replace(s, inputs=inputs) for name, s in gallery().items() if several not in name]
    return tuple(found[:_REFERENCES])
