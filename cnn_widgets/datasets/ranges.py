"""What the numbers of pictures in arrays mean: shares of full brightness, or brightness to 255.

This is decided for all pictures at once: a single dark picture of 0 to 255 may hold nothing above
1. Whole numbers and floats are told apart, and so are pictures of four channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.images.arrays import BLACK, OVERSHOOT, are_shares, unclear, unclear_error
from cnn_widgets.images.loading import load_image
from cnn_widgets.records import ImageSample

_ROUNDING = 1e-3  # beyond the ends of a range
_MASKS = (
    "Whole numbers from 0 to 1 are taken as brightness from 0 to 255, which is nearly black. "
    "Masks are shown in black and white: pass array.astype(bool)"
)


def kind_of(one: Any) -> str:
    """Return with which pictures one shares its range; "" if there is none to be found out.

    "f" are floats, "u" uint16 and "i" other whole numbers, grey or RGB; with "4" behind it they
    have four channels, which are RGBA or any bands. Those of uint16 are told apart by their opaque
    pixels, see `read_array`.
    """
    if not isinstance(one, np.ndarray) or one.dtype.kind not in "fiu":
        return ""
    kind = str(one.dtype.kind)
    if kind == "u":
        kind = {1: "", 2: "u"}.get(one.dtype.itemsize, "i")
    if one.ndim == 2 or (one.ndim == 3 and one.shape[-1] in (1, 3)):
        return kind
    return f"{kind}4" if kind in ("f", "i") and one.ndim == 3 and one.shape[-1] == 4 else ""


@dataclass(frozen=True)
class _Meaning:
    """What the numbers of one kind mean.

    Attributes
    ----------
    most : float
        The number of full brightness; NaN of four channels that are bands, not colours.
    note : str
        What is to be said of it; may be empty.
    """

    most: float
    note: str = ""


@dataclass(frozen=True)
class Ranges:
    """Reads arrays as pictures: those of a kind by the range of all of that kind.

    Attributes
    ----------
    bands : sequence of int, optional
        If given, arrays are read by `load_image` with it.
    meanings : dict
        For each kind what its numbers mean.
    """

    bands: Sequence[int] | None = None
    meanings: dict[str, _Meaning] = field(default_factory=dict)

    def __call__(self, picture: NDArray[Any]) -> ImageSample:
        """Return an array as a picture; a ValueError says if its range is another one."""
        meaning = None if self.bands is not None else self.meanings.get(kind_of(picture))
        if meaning is None or np.ma.is_masked(picture):  # the latter is refused
            return load_image(picture, bands=self.bands)
        if np.isnan(meaning.most):
            return load_image(picture, bands=(0, 1, 2))
        values, most = np.asarray(picture, np.float64), meaning.most
        if not np.isfinite(values).all():
            raise ValueError("The picture holds NaN or infinite values.")
        beyond = OVERSHOOT if most == 1 else _ROUNDING
        if values.min() < -beyond or values.max() > most + beyond:
            raise ValueError(
                f"The picture holds values from {values.min():g} to {values.max():g}, the others "
                f"from 0 to {most:g}."
            )
        shown = load_image(np.round(values.clip(0, most) * (255 / most)).astype(np.uint8))
        if shown.data is None:
            return shown
        return replace(shown, data=load_image(picture, bands=(0, 1, 2)).data)


@dataclass(frozen=True)
class _Seen:
    """The values of pictures of a kind: their ends, their type, and whether any are `unclear`."""

    low: float = np.inf
    high: float = -np.inf
    dtype: str = ""
    unclear: bool = False

    def joined(self, piece: NDArray[Any]) -> _Seen:
        """Return this with the values of one more piece."""
        low, high = _ends(piece)
        either = self.unclear or (low <= high and unclear(piece))
        return _Seen(min(self.low, low), max(self.high, high), str(piece.dtype), either)


def reader(
    pieces: Iterable[Any], bands: Sequence[int] | None, one: NDArray[Any] | None = None
) -> tuple[Ranges, list[str]]:
    """Return how the arrays among some pictures are read, and what is to be said of their range.

    `pieces` are pictures; or arrays of many, if one of them is given. NaN and infinite values do
    not count: a picture that holds such cannot be read, the others can.

    Raises
    ------
    ValueError
        If the values of grey or RGB pictures are in none of the usual ranges.
    """
    if bands is not None:
        return Ranges(bands), []
    found: dict[str, _Seen] = {}
    brightest = -1  # of the bytes
    for piece in pieces:
        picture = piece if one is None else one
        kind = kind_of(picture)
        if kind:
            found[kind] = found.get(kind, _Seen()).joined(piece)
        elif _is_bytes(picture) and brightest <= 1:
            brightest = max(brightest, int(np.asarray(piece).max(initial=0)))
    ranges = Ranges(None, {kind: _meaning(kind, seen) for kind, seen in found.items()
                           if seen.low <= seen.high})  # fmt: skip
    notes = [each.note for each in ranges.meanings.values() if each.note]
    return ranges, list(dict.fromkeys([*notes, *([_MASKS] if brightest == 1 else [])]))


def needs_others(one: Any) -> bool:
    """Return whether what a picture's numbers mean is known only by those of others."""
    return bool(kind_of(one)) or (_is_bytes(one) and int(np.asarray(one).max(initial=0)) <= 1)


def _is_bytes(one: Any) -> bool:
    if not isinstance(one, np.ndarray) or one.dtype != np.uint8:
        return False
    return one.ndim == 2 or (one.ndim == 3 and one.shape[-1] in (1, 3))


def _ends(piece: NDArray[Any]) -> tuple[float, float]:
    """Return the smallest and the largest finite value; the array may lie on the disk."""
    if np.ma.isMaskedArray(piece):
        piece = piece.compressed()
    if not piece.size:
        return np.inf, -np.inf
    low, high = float(piece.min()), float(piece.max())
    if np.isfinite(low) and np.isfinite(high):
        return low, high
    known = np.isfinite(piece)
    low, high = (float(end(piece, where=known, initial=start))
                 for end, start in ((np.min, np.inf), (np.max, -np.inf)))  # fmt: skip
    return low, high


def _meaning(kind: str, seen: _Seen) -> _Meaning:
    low, high = seen.low, seen.high
    note = f"Values from {low:.3g} to {high:.3g} are taken as"
    if kind[0] == "f" and are_shares(low, high):
        cut = "" if low >= -_ROUNDING and high <= 1 + _ROUNDING else ", cut off at 0 and 1"
        return _Meaning(1, f"{note} shares of full brightness{cut}")
    if kind == "u" and high > 255:
        return _Meaning(65535)
    either = seen.unclear and high <= BLACK
    if low >= -_ROUNDING and high <= 255 + _ROUNDING and not either:
        told = "" if kind[0] == "i" else f"{note} brightness from 0 to 255"
        return _Meaning(255, _MASKS if kind[0] != "f" and high == 1 else told)
    if kind.endswith("4"):
        return _Meaning(np.nan)
    if either and low >= -_ROUNDING:
        raise unclear_error(low, high, seen.dtype)
    raise ValueError(
        "Expected values in [0, 255], or floats in [0, 1]. Received "
        f"{seen.dtype} from {low:g} to {high:g}. Are the pictures preprocessed already? "
        "bands=(0, 1, 2), or (0,) of one channel, gives their values to the network as they are."
    )
