"""The preprocessing of a model: the one given by the user, or what is missing by measurement.

What a model itself does to pixels before its first weights is measured (see `pixel_transform`).
Only what is missing is added: the recipe of a published network found inside, or a stated guess.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine.compiled import Engine
from cnn_widgets.images.network_input import ModelInput, Preprocess
from cnn_widgets.networks.families import Family, family_inside, hub_input
from cnn_widgets.networks.first_layers import InputStatistics, input_statistics
from cnn_widgets.networks.pixel_transform import PixelTransform, affine, measured, scaled

_Doubles = NDArray[np.float64]

_CHANGE = "(preprocess= changes it)"
_GUESS = f", a guess {_CHANGE}"
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
#: The variance of values with a mean of 0 between two ends, as a share of the most that there can
#: be, which is -low * high: below the first pictures have no contrast, above the second they cannot
#: lie between the ends, above the third they hold little but black and white.
_FLAT, _MOST, _STARK = 0.01, 1.05, 0.6


def with_preprocessing(
    model_input: ModelInput, engine: Engine, preprocess: Preprocess | str | None
) -> ModelInput:
    """Return a model's input with the preprocessing given, or (None) with what is missing.

    Parameters
    ----------
    model_input : ModelInput
        The result of `read_model_input`.
    engine : Engine
        That of the model.
    preprocess : callable, "none" or None
        A function from float32 pixels (N, H, W, C), 0 to 255, to the model's input. With
        ``"none"`` pixels are passed to the model unchanged.

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
        return _with_notes(found, _what_arrives(found, engine, given=True))
    function, words = _missing(model_input, engine)
    found = replace(model_input, preprocess=function)
    return _with_notes(found, f"{words}: {_what_arrives(found, engine)}")


def transforms(model_input: ModelInput, engine: Engine) -> list[PixelTransform]:
    """Return what becomes of pixels on their way to each place where they first meet weights."""
    return measured(
        lambda pixels: engine.entry_values(model_input.prepare(pixels)), model_input.shape
    )


def _with_notes(model_input: ModelInput, *notes: str) -> ModelInput:
    return replace(model_input, notes=(*model_input.notes, *(note for note in notes if note)))


def _missing(model_input: ModelInput, engine: Engine) -> tuple[Preprocess | None, str]:
    """Return the preprocessing that a model does not do itself (None: none), and what it is."""
    model, found = engine.model, transforms(model_input, engine)
    own = next((each for each in found if not each.keeps_scale), found[0] if found else None)
    if _takes_whole_numbers(model, model_input):
        return None, "Pixels go in as the whole numbers 0…255 that the model takes"
    if (hub := hub_input(model)) is not None:
        return hub.recipe, "Pixels are scaled by the model's own preprocessor"
    family = family_inside(model)
    if own is not None and (asked := _by_statistics(own, engine, model_input)) is not None:
        return asked
    if own is not None and not own.keeps_scale:
        return _before_own_scaling(own, family, model_input)
    if family is not None and _target(family, model_input) is not None:
        words = f"Preprocessing of {family.name} is used, found {family.evidence} {_CHANGE}"
        return family.recipe, words
    return _divided, f"Pixels are divided by 255{_GUESS}"


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
    place, sure = _domain(own)
    words, function, *_ = _BEFORE[place]
    return function, f"{words}{'' if sure else _GUESS}{differs}"


def _by_statistics(
    own: PixelTransform, engine: Engine, model_input: ModelInput
) -> tuple[Preprocess | None, str] | None:
    """Return what has to stand before a model that begins with a batch normalization, or None.

    It is what brings pixels to the mean and variance that this has seen, where they tell.
    """
    rows = 0 if own.matrix is None else len(own.matrix)
    seen = input_statistics(engine, rows) if rows else None
    if own.matrix is None or own.offset is None or not isinstance(seen, InputStatistics):
        return None
    spread = np.sqrt(np.maximum(seen.variance, 1e-12))
    standard = affine(own.matrix / spread[:, None], (own.offset - seen.mean) / spread)
    place, sure = (1, False) if seen.unfinished and own.keeps_scale else _domain(standard)
    words, function, *_ = _BEFORE[place]
    said = ", which fits the mean and variance of the batch normalization that reads them"
    return function, f"{words}{said if sure else _GUESS}"


def _domain(own: PixelTransform) -> tuple[int, bool]:
    """Return which of `_BEFORE` gives the pixels that a transform was made for, and if it is sure.

    x · a + a was made for -1…1. One that standardizes (mean 0, variance 1) was made for the
    narrowest range of pixels that can have such statistics at all. Any other that makes numbers
    larger was made for 0…1.
    """
    if own.matrix is None or own.offset is None:
        return 0, True
    rows = own.matrix.sum(axis=1)
    if own.gain > 0.05 and (np.abs(own.offset - rows) < _SAME * np.abs(rows)).all():
        return 2, True
    ends = [_ends(own.matrix, own.offset, place) for place in range(len(_BEFORE))]
    shares = [_share(low, high) for low, high in ends]
    fitting = [place for place in (1, 2, 0) if _FLAT < shares[place] < _MOST]
    if fitting:
        stark = fitting[:2] == [1, 2] and _STARK < shares[1] < 1 - _SAME
        return fitting[0], not stark and bool(own.offset.any())
    place = 1 if own.gain > 1 + _SAME else 0
    low, high = ends[place]
    return place, bool((low <= _SAME).all() and (high >= -_SAME).all())


def _ends(matrix: _Doubles, offset: _Doubles, place: int) -> tuple[_Doubles, _Doubles]:
    """Return the least and the largest value (D,) that comes out behind one of `_BEFORE`."""
    *_, gain, shift = _BEFORE[place]
    black = offset + shift * matrix.sum(axis=1)
    reach = 255 * gain * matrix
    return black + np.minimum(reach, 0).sum(axis=1), black + np.maximum(reach, 0).sum(axis=1)


def _share(low: _Doubles, high: _Doubles) -> float:
    """Return a variance of 1 as a share of the most that values with a mean of 0 can have.

    The largest of all channels; infinite where 0 does not lie between the ends.
    """
    most = np.where((low < 0) & (high > 0), -low * high, 0.0)
    with np.errstate(divide="ignore"):
        return float((1 / most).max())


def _target(family: Family, model_input: ModelInput) -> PixelTransform | None:
    """Return what a family's recipe does; None if it is not made for so many channels."""
    try:
        return measured(
            lambda pixels: [np.asarray(family.recipe(pixels.copy()))],
            (1, 1, model_input.channels),
        )[0]
    except (ValueError, IndexError, TypeError, ArithmeticError):
        return None


def _takes_whole_numbers(model: Any, model_input: ModelInput) -> bool:
    inputs = getattr(model, "inputs", None) or ()
    return any("int" in str(each.dtype) for each in inputs[model_input.place :][:1])


def _what_arrives(model_input: ModelInput, engine: Engine, given: bool = False) -> str:
    """Return in words what reaches the first weights; nothing if there are none.

    A function that the user gave may fail: it does so again, aloud, for the first photograph.
    """
    try:
        found = transforms(model_input, engine)
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
    if model_input.channels not in (1, 3):
        words += ", where channels hold 0…255; other channels come in their own values"
    return f"{words[0].upper() if given else words[0]}{words[1:]}."


def _is_smaller(size: tuple[int, int], than: tuple[int, int]) -> bool:
    return size[0] < than[0] or size[1] < than[1]
