"""Ways to change a photograph, from weak to strong: moved, turned, darker, blurred, covered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Pixels

Array = NDArray[Any]


@dataclass(frozen=True)
class Change:
    """One way to change a photograph, at levels from weak to strong.

    Attributes
    ----------
    title : str
        What a level means, in words.
    levels : tuple of float
    apply : callable
        Takes pixels (H, W, 3), a level and a seeded random generator; returns pixels of that size.
    moves : callable or None
        Does the same to a map (H, W), where the change moves what is seen.
    """

    title: str
    levels: tuple[float, ...]
    apply: Callable[[Pixels, float, np.random.Generator], Pixels]
    moves: Callable[[Array, float], Array] | None = None


def _warped(array: Array, matrix: Array) -> Array:
    height, width = array.shape[:2]
    return np.asarray(
        cv2.warpAffine(
            array, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    )


def _shift(array: Array, share: float) -> Array:
    height, width = array.shape[:2]
    return _warped(array, np.array([[1, 0, share * width], [0, 1, share * height]], np.float64))


def _turn(array: Array, degrees: float, scale: float = 1.0) -> Array:
    height, width = array.shape[:2]
    center = (width - 1) / 2, (height - 1) / 2
    return _warped(array, cv2.getRotationMatrix2D(center, degrees, scale))


def _scaled(pixels: Pixels, factor: float) -> Pixels:
    return np.asarray(np.round(np.clip(pixels.astype(np.float32) * factor, 0, 255)), np.uint8)


def _noisy(pixels: Pixels, deviation: float, rng: np.random.Generator) -> Pixels:
    noise = rng.normal(0, deviation, pixels.shape)
    return np.asarray(np.round(np.clip(pixels + noise, 0, 255)), np.uint8)


def _blurred(pixels: Pixels, share: float) -> Pixels:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), max(share * max(pixels.shape), 0.1)))


def _compressed(pixels: Pixels, quality: float) -> Pixels:
    data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(quality)])[1]
    decoded: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.asarray(decoded[..., ::-1], np.uint8)


def _covered(pixels: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """Return a photograph with a rectangle of its own shape in its mean colour, somewhere."""
    height, width = pixels.shape[:2]
    tall, wide = max(1, round(height * share**0.5)), max(1, round(width * share**0.5))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    found = pixels.copy()
    found[top : top + tall, left : left + wide] = pixels.mean(axis=(0, 1)).round()
    return found


#: The ways in which photographs are changed, by name.
CHANGES: dict[str, Change] = {
    "shift": Change("moved right and down, share of the sides", (0.02, 0.05, 0.1, 0.2),
                    lambda p, x, _: _shift(p, x), _shift),
    "rotation": Change("turned to the left, degrees", (5, 10, 20, 45),
                       lambda p, x, _: _turn(p, x), _turn),
    "scale": Change("magnified about the middle", (1.1, 1.25, 1.5, 2),
                    lambda p, x, _: _turn(p, 0, x), lambda m, x: _turn(m, 0, x)),
    "darker": Change("brightness, share of what it was", (0.8, 0.6, 0.4, 0.2),
                     lambda p, x, _: _scaled(p, x)),
    "brighter": Change("brightness, times what it was", (1.25, 1.5, 2, 3),
                       lambda p, x, _: _scaled(p, x)),
    "blur": Change("blurred (Gaussian), share of the longer side", (0.002, 0.005, 0.01, 0.02),
                   lambda p, x, _: _blurred(p, x)),
    "noise": Change("noise, standard deviation of 255", (5, 10, 20, 40), _noisy),
    "jpeg": Change("saved as JPEG of quality", (50, 25, 10, 5), lambda p, x, _: _compressed(p, x)),
    "occlusion": Change("covered somewhere, share of the area", (0.05, 0.1, 0.2, 0.4), _covered),
}  # fmt: skip
