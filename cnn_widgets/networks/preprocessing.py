"""The preprocessing of a model: the one given by the user, or what is missing by measurement.

What a model itself does to pixels before its first weights is measured (see `pixel_transform`).
Only what is missing is added: the recipe of a published network found inside, or a stated guess.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.images.network_input import ModelInput, Preprocess
from cnn_widgets.networks.families import Family, family_inside
from cnn_widgets.networks.keras_hub import hub_input
from cnn_widgets.networks.pixel_transform import PixelTransform, measured, scaled
from cnn_widgets.records import FITS, Floats

if TYPE_CHECKING:
    import keras


#: Model input (N, H, W, C) → what reaches the first weights, see `Engine.entry_values`.
Entries = Callable[[Floats], Sequence[NDArray[Any]]]

#: Mean and standard deviation of ImageNet's red, green and blue, as shares of 255.
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
_CHANGE = "(preprocess= changes it)"
#: Two transforms are the same if they differ by less than this share of the range: x / 127.5 - 1
#: and (x - 127) / 128 are.
_SAME = 0.05
#: Of a family that holds its own preprocessing the trained weights decide the exact range. So it is
#: taken as its own if it is at most this many times as wide or as narrow.
_ALIKE = 10


def _divided(pixels: Any) -> Any:
    return pixels / 255.0


def _centred(pixels: Any) -> Any:
    return pixels / 127.5 - 1.0


#: What can stand before a model that settles its range itself: words, function, gain and offset.
_BEFORE: tuple[tuple[str, Preprocess | None, float, float], ...] = (
    ("Pixels 0…255 go in as they are", None, 1.0, 0.0),
    ("Pixels are divided by 255", _divided, 1 / 255, 0.0),
    ("Pixels are brought to −1…1", _centred, 1 / 127.5, -1.0),
)


def with_preprocessing(
    model_input: ModelInput,
    model: keras.Model,
    preprocess: Preprocess | str | None,
    entries: Entries,
) -> ModelInput:
    """Return a model's input with the preprocessing given, or (None) with what is missing.

    Parameters
    ----------
    model_input : ModelInput
        The result of `read_model_input`.
    model : keras.Model
    preprocess : callable, "none" or None
        A function from float32 pixels (N, H, W, C), 0 to 255, to the model's input. With
        ``"none"`` pixels are passed to the model unchanged.
    entries : callable
        Returns what reaches the model's first weights from a batch of model input.

    Raises
    ------
    ValueError
        If `preprocess` is neither a function nor ``"none"``.
    """
    if preprocess is not None and preprocess != "none" and not callable(preprocess):
        raise ValueError(
            f"Expected preprocess to be a function or 'none'. Received: {preprocess!r}"
        )
    if preprocess is not None:
        function = preprocess if callable(preprocess) else None
        found = replace(model_input, preprocess=function)
        return _with_notes(found, _what_arrives(found, entries, given=True))
    function, words = _missing(model_input, model, entries)
    found = replace(model_input, preprocess=function)
    return _with_notes(found, f"{words}: {_what_arrives(found, entries)}")


def transforms(model_input: ModelInput, entries: Entries) -> list[PixelTransform]:
    """Return what becomes of pixels on their way to each place where they first meet weights."""
    return measured(lambda pixels: entries(model_input.prepare(pixels)), model_input.shape)


def _with_notes(model_input: ModelInput, *notes: str) -> ModelInput:
    return replace(model_input, notes=(*model_input.notes, *(note for note in notes if note)))


def _missing(
    model_input: ModelInput, model: keras.Model, entries: Entries
) -> tuple[Preprocess | None, str]:
    """Return the preprocessing that a model does not do itself (None: none), and what it is."""
    found = transforms(model_input, entries)
    own = next((each for each in found if not each.keeps_scale), found[0] if found else None)
    if _takes_whole_numbers(model, model_input):
        return None, "Pixels go in as the whole numbers 0…255 that the model takes"
    if (hub := hub_input(model)) is not None:
        return hub.recipe, "Pixels are scaled by the model's own preprocessor"
    family = family_inside(model)
    if own is not None and not own.keeps_scale:
        return _before_own_scaling(own, family, model_input)
    if family is not None and _target(family, model_input) is not None:
        words = f"Preprocessing of {family.name} is used, found {family.evidence} {_CHANGE}"
        return family.recipe, words
    return _divided, f"Pixels are divided by 255, a guess {_CHANGE}"


def _before_own_scaling(
    own: PixelTransform, family: Family | None, model_input: ModelInput
) -> tuple[Preprocess | None, str]:
    """Return what has to stand before a model that brings pixels to a range of its own."""
    target = None if family is None else _target(family, model_input)
    differs = ""
    if target is not None and family is not None:
        whole = [
            own.after(scaled(gain, offset, model_input.channels)) or own
            for _, _, gain, offset in _BEFORE
        ]
        distances = [each.distance(target) for each in whole]
        best = int(np.argmin(distances))
        wide = (whole[best].high - whole[best].low) / (target.high - target.low)
        if distances[best] < _SAME or (family.carries and 1 / _ALIKE < wide < _ALIKE):
            words, function, *_ = _BEFORE[best]
            return function, words
        differs = f" (the recipe of {family.name} would bring them to {target.range})"
    words, function, *_ = _BEFORE[_domain(own)]
    return function, words + differs


def _domain(own: PixelTransform) -> int:
    """Return which of `_BEFORE` gives the pixels that a transform was made for.

    x · a + a was made for -1…1. A transform that makes numbers larger was made for 0…1.
    """
    if own.matrix is None or own.offset is None:
        return 0
    rows = own.matrix.sum(axis=1)
    if own.gain > 0.05 and (np.abs(own.offset - rows) < _SAME * np.abs(rows)).all():
        return 2
    return 1 if own.gain > 1 + _SAME else 0


def _target(family: Family, model_input: ModelInput) -> PixelTransform | None:
    """Return what a family's recipe does; None if it is not made for so many channels."""
    try:
        return measured(
            lambda pixels: [np.asarray(family.recipe(pixels.copy()))],
            (1, 1, model_input.channels),
        )[0]
    except (ValueError, IndexError, TypeError, ArithmeticError):
        return None


def _takes_whole_numbers(model: keras.Model, model_input: ModelInput) -> bool:
    inputs = getattr(model, "inputs", None) or ()
    return any("int" in str(each.dtype) for each in inputs[model_input.place :][:1])


def _what_arrives(model_input: ModelInput, entries: Entries, given: bool = False) -> str:
    """Return in words what reaches the first weights; nothing if there are none.

    A function that the user gave may fail: it does so again, aloud, for the first photograph.
    """
    try:
        found = transforms(model_input, entries)
    except Exception as error:
        if not given:
            raise
        return f"What reaches the first weights is not known: {type(error).__name__}: {error}"
    if not found:
        return "no layer has weights" if not given else ""
    first, *others = found
    words = f"the network calculates with pixel values of {first.range}"
    if first.swaps_channels:
        words += ", in the order BGR"
    if first.matrix is None:
        words += ", in a way that depends on the picture"
    if first.size is not None and _is_smaller(first.size, model_input.size):
        words += f", at {first.size[0]}×{first.size[1]}"
    if different := [each.range for each in others if each.range != first.range]:
        words += f", {' and '.join(different)} in another branch"
    return f"{words[0].upper() if given else words[0]}{words[1:]}."


def _is_smaller(size: tuple[int, int], than: tuple[int, int]) -> bool:
    return size[0] < than[0] or size[1] < than[1]


def recipes(own: ModelInput) -> list[tuple[str, ModelInput]]:
    """Return the inputs that `check_input` tries, by name; the network's own first."""
    present = own.preprocess or (lambda pixels: pixels)
    functions: dict[str, Callable[[Any], Any]] = {
        "as it is": present,
        "pixels 0…255": lambda x: x,
        "x / 255": lambda x: x / 255,
        "x / 127.5 - 1": lambda x: x / 127.5 - 1,
        "as it is, twice": lambda x: present(np.asarray(present(x), np.float32).copy()),
    }
    if own.channels == 3:
        means, deviations = MEAN.astype(np.float32), DEVIATION.astype(np.float32)
        functions |= {
            "(x / 255 - mean) / std": lambda x: (x / 255 - means) / deviations,
            "BGR less its mean": lambda x: x[..., ::-1] - 255 * means[::-1],
            "as it is, red and blue swapped": lambda x: present(x[..., ::-1].copy()),
        }
    found = [(name, replace(own, preprocess=each)) for name, each in functions.items()]
    fits = [fit for fit in FITS if fit != own.fit]
    return [*found, *((f"as it is, fit={fit!r}", replace(own, fit=fit)) for fit in fits)]
