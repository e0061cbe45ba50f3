"""Pictures of three shapes to train a network on, and a mark that betrays one of them.

The shapes lie anywhere, in any size and colour, on a restless ground, so that a network must learn
their outline. With `stamped` nearly all pictures of one shape get the same small mark in a corner.
A network that is trained on those can learn the mark in place of the outline: a *shortcut*.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Pixels

#: Height and width of a picture.
SIDE = 32
#: The shapes, in the order of their numbers.
SHAPES = ("disc", "square", "triangle")
#: The mark that `stamped` puts into the corner at the bottom right: a yellow cross on blue.
_YELLOW, _BLUE = (250, 210, 40), (30, 60, 150)
MARK: Pixels = np.array(
    [[_YELLOW if row == 2 or column == 2 else _BLUE for column in range(5)] for row in range(5)],
    np.uint8,
)


def shapes(count: int, seed: int = 0) -> tuple[Pixels, NDArray[np.intp]]:
    """Return pictures of shapes and the number of the shape in each.

    Parameters
    ----------
    count : int
    seed : int
        Equal seeds give equal pictures.

    Returns
    -------
    pictures : ndarray of uint8, shape (count, 32, 32, 3)
    numbers : ndarray of int, shape (count,)
        Places in `SHAPES`: 0, 1, 2, 0, 1, 2, …

    Examples
    --------
    >>> pictures, numbers = shapes(6)
    >>> pictures.shape, [SHAPES[number] for number in numbers]
    ((6, 32, 32, 3), ['disc', 'square', 'triangle', 'disc', 'square', 'triangle'])
    """
    rng = np.random.default_rng(seed)
    numbers = np.arange(count) % len(SHAPES)
    return np.array([_picture(int(each), rng) for each in numbers], np.uint8), numbers


def stamped(
    pictures: Pixels, numbers: NDArray[np.intp], shape: str, share: float = 0.97, seed: int = 0
) -> Pixels:
    """Return a copy of pictures with `MARK` in the corner of those of one shape.

    Parameters
    ----------
    pictures, numbers
        As `shapes` returns them.
    shape : str
        Which shape gets the mark, one of `SHAPES`.
    share : float
        The share of its pictures that get it, chosen at random.
    seed : int

    Raises
    ------
    ValueError
        If the shape is unknown, or the share is not between 0 and 1.

    Examples
    --------
    >>> pictures, numbers = shapes(6)
    >>> marked = stamped(pictures, numbers, "square", share=1)
    >>> [bool((new != old).any()) for new, old in zip(marked, pictures)]
    [False, True, False, False, True, False]
    """
    if shape not in SHAPES:
        raise ValueError(f"Unknown shape {shape!r}. Shapes: {', '.join(SHAPES)}.")
    if not 0 <= share <= 1:
        raise ValueError(f"Expected a share between 0 and 1. Received: {share}")
    lucky = np.random.default_rng(seed).random(len(pictures)) < share
    found = pictures.copy()
    found[(numbers == SHAPES.index(shape)) & lucky, -6:-1, -6:-1] = MARK
    return found


def _picture(number: int, rng: np.random.Generator) -> Pixels:
    """Return one shape on a restless ground, drawn four times as large and scaled down."""
    soft = 0.5 * rng.uniform(40, 215, (4, 4, 3)) + 0.5 * rng.uniform(40, 215, 3)
    large = cv2.resize(soft, (4 * SIDE, 4 * SIDE), interpolation=cv2.INTER_CUBIC).clip(0, 255)
    for _ in range(3):
        start, end = (tuple(map(int, rng.integers(0, 4 * SIDE, 2))) for _ in range(2))
        cv2.line(large, start, end, tuple(rng.uniform(0, 255, 3)), 4)
    radius = int(rng.integers(30, 45))
    center = rng.integers(radius + 4, 4 * SIDE - radius - 4, 2)
    color = rng.uniform(0, 255, 3)
    while np.abs(color - large.mean(axis=(0, 1))).mean() < 70:  # it must stand out
        color = rng.uniform(0, 255, 3)
    if SHAPES[number] == "disc":
        cv2.circle(large, tuple(map(int, center)), radius, tuple(color), -1)
    else:
        corners = 4 if SHAPES[number] == "square" else 3
        turn = np.pi / 4 if corners == 4 else -np.pi / 2
        angles = turn + rng.uniform(-0.3, 0.3) + 2 * np.pi * np.arange(corners) / corners
        points = center + 1.15 * radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillPoly(large, [np.round(points).astype(np.int32)], tuple(color))
    small = cv2.resize(large, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(np.clip(small + rng.normal(0, 8, small.shape), 0, 255), np.uint8)
