"""Ways to put something suspected into photographs, and to take it away.

An intervention makes two versions of photographs (n, H, W, 3): `present` with what is suspected,
and `absent` without it. Both are changed at the same pixels, so that what the change itself does to
a photograph, whatever is put there, is in both. `control` returns the same intervention with
something else of the same size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

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
_TRIES = 50


class Intervention(Protocol):
    """What makes the two versions of photographs."""

    def present(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs with it; `own` if they are of the class, which have it already."""

    def absent(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs without it."""

    def control(self, rng: np.random.Generator) -> Intervention:
        """Return one with something else of the same size in its place."""


def _bytes(values: Array) -> Pixels:
    return np.asarray(np.clip(np.round(values), 0, 255), np.uint8)


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
class Tint:
    """A cast of colour, added to every pixel.

    Attributes
    ----------
    cast : ndarray, shape (3,)
        In levels.
    worn : ndarray, shape (3,), optional
        The cast that photographs of the class have; by default `cast`. Controls put theirs in its
        place: on top of it the photographs would be like none that the network knows.
    """

    cast: Array
    worn: Array | None = None

    def present(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs with the cast."""
        if own and self.worn is None:
            return photographs
        return _bytes(photographs + self.cast - (self._worn if own else 0))

    def absent(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs without the cast."""
        return _bytes(photographs - self._worn) if own else photographs

    @property
    def _worn(self) -> Array:
        return self.cast if self.worn is None else self.worn

    def control(self, rng: np.random.Generator) -> Tint:
        """Return a cast of the same strength in a colour that has nothing of this one.

        A network that looks at one channel reacts to every cast in which that channel goes up.
        """
        strength = float(np.linalg.norm(self.cast))
        direction = -self.cast / strength
        for _ in range(_TRIES):
            tried = rng.normal(size=3)
            tried /= np.linalg.norm(tried)
            if tried @ self.cast <= _ALIKE * strength:
                direction = tried
                break
        return Tint(direction * strength, self._worn)


@dataclass(frozen=True, eq=False)
class Overlay:
    """A pattern that is added to photographs, such as a watermark.

    Attributes
    ----------
    pattern : ndarray, shape (H, W, 3)
    others : ndarray, shape (m, H, W, 3)
        Photographs of other classes: random groups of them give the patterns of controls.
    worn : ndarray, shape (H, W, 3), optional
        The pattern that photographs of the class have; by default `pattern`, see `Tint`.
    """

    pattern: Array
    others: Array
    worn: Array | None = None

    def present(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs with the pattern."""
        if own and self.worn is None:
            return photographs
        return _bytes(photographs + self.pattern - (self._worn if own else 0))

    def absent(self, photographs: Pixels, own: bool) -> Pixels:
        """Return photographs without the pattern."""
        return _bytes(photographs - self._worn) if own else photographs

    @property
    def _worn(self) -> Array:
        return self.pattern if self.worn is None else self.worn

    def control(self, rng: np.random.Generator) -> Overlay:
        """Return the pattern by which two random groups of others differ, as strong as this one."""
        order = rng.permutation(len(self.others))
        one, other = order[: len(order) // 2], order[len(order) // 2 :]
        found = fine(self.others[one].mean(axis=0)) - fine(self.others[other].mean(axis=0))
        factor = float(np.linalg.norm(self.pattern)) / max(float(np.linalg.norm(found)), 1e-6)
        return Overlay(found * factor, self.others, self._worn)


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
