"""Ways to put something suspected into photographs, and to take it away.

An intervention makes versions of photographs (n, H, W, 3): `present` with what is suspected,
`absent` without it, and `blurred`, a second way to take it away. All are changed at the same
pixels, so that what the change itself does to a photograph, whatever is put there, is in each.
`control` returns the same intervention with something else of the same size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Pixels
from cnn_widgets.shortcuts.common import fine
from cnn_widgets.shortcuts.places import Mask, ring

Array = NDArray[Any]
_OVERLAP = 0.25  # largest share of a control region that lies in the region suspected
_ALIKE = 0.0  # largest cosine of the angle between a cast and its control
_FRAME = 1 / 4  # share of the sides in which the ground is exchanged
_TILE = 3 / 8  # share of the sides of the pieces of ground taken from the corners
_REACHED = 0.02  # share of a blur that comes from outside a region, enough to fill a pixel
_TRIES = 50


class Intervention(Protocol):
    """What makes the two versions of photographs."""

    def present(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs with it; `own` if they are of the class, which have it already."""

    def absent(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs without it."""

    def blurred(self, photographs: Pixels) -> Pixels | None:
        """Return photographs in which it is blurred; None where blurring takes nothing away."""

    def control(self, rng: np.random.Generator) -> Intervention:
        """Return one with something else of the same size in its place."""


def _bytes(values: Array) -> Pixels:
    return np.asarray(np.clip(np.round(values), 0, 255), np.uint8)


def blurred_over(photographs: Pixels, mask: Mask) -> Pixels:
    """Return photographs (n, H, W, 3) with blurred surroundings in the place of a region (H, W).

    Nothing of the region's own content is left: blurring the content itself would leave its colour.
    The blur is as narrow as it can be, so wider towards the middle of a large region.
    """
    outside = (~mask).astype(np.float32)
    found = photographs.astype(np.float32)
    known = ~mask if outside.any() else mask
    found[:, mask] = photographs[:, known].mean(axis=1, keepdims=True)
    left, width = mask.copy(), max(1.0, min(mask.shape) / 16)
    while left.any() and outside.any() and width < 2 * max(mask.shape):
        weight = cv2.GaussianBlur(outside, (0, 0), width)
        near = left & (weight > _REACHED)
        for number, each in enumerate(photographs):
            spread = cv2.GaussianBlur(each * outside[..., None], (0, 0), width)
            found[number][near] = spread[near] / weight[near][:, None]
        left, width = left & ~near, 2 * width
    return _bytes(found)


@dataclass(frozen=True, eq=False)
class Region:
    """What photographs of a class have in common in a region, against what others have there.

    A subject that varies leaves no trace in what is common, the median of each pixel; a mark does.

    Attributes
    ----------
    mask : ndarray of bool, shape (H, W)
    own, others : ndarray, shape (H, W, 3)
        The medians of the photographs of the class, and of others.
    """

    mask: Mask
    own: Array
    others: Array

    def present(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs with what the class has in common in the region."""
        return self._filled(photographs, self.own)

    def absent(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs with what others have in common in the region."""
        return self._filled(photographs, self.others)

    def blurred(self, photographs: Pixels) -> Pixels:
        """Return photographs with blurred surroundings in the region."""
        return blurred_over(photographs, self.mask)

    def _filled(self, photographs: Pixels, content: Array) -> Pixels:
        found = photographs.copy()
        found[:, self.mask] = _bytes(content)[self.mask]
        return found

    def control(self, rng: np.random.Generator) -> Region:
        """Return the region elsewhere; what leaves the photograph on a side comes in opposite."""
        best, least = self.mask, 2.0
        for _ in range(_TRIES):
            moved = np.roll(self.mask, rng.integers(0, self.mask.shape), (0, 1))
            shared = float((moved & self.mask).sum() / max(self.mask.sum(), 1))
            if shared < least:
                best, least = moved, shared
            if shared <= _OVERLAP:
                break
        return replace(self, mask=best)


@dataclass(frozen=True, eq=False)
class Added:
    """Something added to the photographs: a cast of colour, or a pattern such as a watermark.

    Attributes
    ----------
    added : ndarray, shape (3,) or (H, W, 3)
        In levels.
    another : callable
        Draws something else of the same strength for a control.
    strong : ndarray of bool, shape (H, W), optional
        Where it is strong; None for a cast, which is equally strong everywhere.
    worn : ndarray, shape of `added`, optional
        What photographs of the class have; by default `added`. Controls put theirs in its place:
        on top of it the photographs would be like none that the network knows.
    """

    added: Array
    another: Callable[[np.random.Generator], Array]
    strong: Mask | None = None
    worn: Array | None = None

    def present(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs with it."""
        if own and self.worn is None:
            return photographs
        return _bytes(photographs + self.added - (self._worn if own else 0))

    def absent(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs without it."""
        return _bytes(photographs - self._worn) if own else photographs

    def blurred(self, photographs: Pixels) -> Pixels | None:
        """Return photographs with blurred surroundings where it is strong; None for a cast."""
        return None if self.strong is None else blurred_over(photographs, self.strong)

    @property
    def _worn(self) -> Array:
        return self.added if self.worn is None else self.worn

    def control(self, rng: np.random.Generator) -> Added:
        """Return something else of the same strength in the place of what the class has."""
        return replace(self, added=self.another(rng), worn=self._worn)


def tint(cast: Array) -> Added:
    """Return a cast of colour (3,), in levels, as an intervention."""
    return Added(cast, partial(_another_cast, cast))


def _another_cast(cast: Array, rng: np.random.Generator) -> Array:
    """Return a cast of the same strength in a colour that has nothing of this one.

    A network that looks at one channel reacts to every cast in which that channel goes up.
    """
    strength = float(np.linalg.norm(cast))
    direction = -cast / strength
    for _ in range(_TRIES):
        tried = rng.normal(size=3)
        tried /= np.linalg.norm(tried)
        if tried @ cast <= _ALIKE * strength:
            direction = tried
            break
    return np.asarray(direction * strength)


def overlay(pattern: Array, others: Array) -> Added:
    """Return a pattern (H, W, 3) as an intervention.

    `others` (m, H, W, 3) are photographs of other classes: the patterns of controls are those by
    which random groups of them differ.
    """
    return Added(pattern, partial(_another_pattern, pattern, others), where_strong(pattern))


def where_strong(pattern: Array) -> Mask:
    """Return where a pattern (H, W, 3) is stronger than in the mean, (H, W)."""
    energy = (pattern**2).sum(axis=-1)
    return np.asarray(energy > energy.mean())


def _another_pattern(pattern: Array, others: Array, rng: np.random.Generator) -> Array:
    """Return the pattern by which two random groups of others differ, as strong as this one."""
    order = rng.permutation(len(others))
    one, other = order[: len(order) // 2], order[len(order) // 2 :]
    found = fine(others[one].mean(axis=0)) - fine(others[other].mean(axis=0))
    return found * float(np.linalg.norm(pattern)) / max(float(np.linalg.norm(found)), 1e-6)


@dataclass(frozen=True, eq=False)
class Ground:
    """The texture of the ground, in the frame of the photograph where the subject rarely is.

    Pieces of fine texture come from the corners of photographs of the class, and of others.

    Attributes
    ----------
    own, others : ndarray, shape (k, h, w, 3)
        Pieces, without their coarse colours.
    seed : int
    shown, hidden : str
        From which pieces `present` and `absent` take: "own" or "others".
    """

    own: Array
    others: Array
    seed: int = 0
    shown: str = "own"
    hidden: str = "others"

    def present(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs with the texture of the class in their frame."""
        return self._textured(photographs, self.shown, 0)

    def absent(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs with the texture of others in their frame."""
        return self._textured(photographs, self.hidden, 1)

    def blurred(self, photographs: Pixels) -> Pixels:
        """Return photographs whose frame has only coarse colours, without any texture."""
        frame = ring(photographs.shape[1], photographs.shape[2], _FRAME)
        found = photographs.copy()
        found[:, frame] = _bytes(photographs - fine(photographs))[:, frame]
        return found

    def _textured(self, photographs: Pixels, which: str, part: int) -> Pixels:
        pieces: Array = getattr(self, which)
        rng = np.random.default_rng([self.seed, part])
        height, width = photographs.shape[1:3]
        frame = ring(height, width, _FRAME)
        coarse = photographs - fine(photographs)
        found = photographs.copy()
        for number in range(len(found)):
            piece = pieces[int(rng.integers(len(pieces)))]
            times = -(-height // piece.shape[0]), -(-width // piece.shape[1]), 1
            texture = np.tile(piece, times)[:height, :width]
            found[number][frame] = _bytes(coarse[number] + texture)[frame]
        return found

    def control(self, rng: np.random.Generator) -> Ground:
        """Return one whose two versions differ only in which pieces of one kind they have."""
        which = "own" if rng.random() < 0.5 else "others"
        return replace(self, seed=int(rng.integers(2**31)), shown=which, hidden=which)


def ground(own: Array, others: Array, seed: int = 0) -> Ground:
    """Return the texture of the ground of a class, and of others, as an intervention.

    What is the same in all photographs of a class, a frame or a watermark, is no texture of it.
    """
    return Ground(_pieces(own), _pieces(others), seed)


def _pieces(photographs: Array) -> Array:
    """Return pieces (4 n, h, w, 3) of fine texture from the corners of photographs."""
    texture = fine(photographs)
    texture = texture - np.median(texture, axis=0)
    height, width = texture.shape[1:3]
    tall, wide = max(1, round(_TILE * height)), max(1, round(_TILE * width))
    corners = [(0, 0), (0, width - wide), (height - tall, 0), (height - tall, width - wide)]
    return np.concatenate([texture[:, y : y + tall, x : x + wide] for y, x in corners])
