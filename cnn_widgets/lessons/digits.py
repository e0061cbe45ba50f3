"""A small set of real pictures that come with the package: digits written by hand.

The file ``digits.npz`` holds the 1797 test pictures of "Optical Recognition of Handwritten Digits"
(E. Alpaydin and C. Kaynak 1998, UCI Machine Learning Repository, https://doi.org/10.24432/C50P49,
CC BY 4.0), unchanged but for the form of the file: 8×8 values from 0, paper, to 16, ink. They were
written by 13 people and stand in the order in which they were collected.
"""

from __future__ import annotations

from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Pixels

#: Height and width of a picture, as `digits` returns it.
SIDE = 64
_EDGE = 8  # of paper around the digit


def digits(count: int | None = None, start: int = 0) -> tuple[Pixels, NDArray[np.intp]]:
    """Return pictures of handwritten digits, dark on light, and which digit each one is.

    Early and late pictures are mostly by different people. So the first ones are for training and
    the last ones for testing; a random choice would put the same person's hand into both.

    Parameters
    ----------
    count : int, optional
        How many; by default all from `start` on.
    start : int
        The first one, from 0.

    Returns
    -------
    pictures : ndarray of uint8, shape (count, 64, 64, 3)
        The 8×8 values, scaled up smoothly.
    numbers : ndarray of int, shape (count,)

    Raises
    ------
    ValueError
        If there are not as many.

    Examples
    --------
    >>> pictures, numbers = digits(10)
    >>> pictures.shape, numbers.tolist()
    ((10, 64, 64, 3), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    with (files("cnn_widgets.lessons") / "digits.npz").open("rb") as file:
        stored = np.load(file)
        ink, numbers = stored["ink"], stored["digit"].astype(np.intp)
    end = len(ink) if count is None else start + count
    if not 0 <= start < end <= len(ink):
        raise ValueError(
            f"There are {len(ink)} pictures, from 0. Received: count={count}, start={start}"
        )
    side = SIDE - 2 * _EDGE
    light = 255 - ink[start:end].astype(np.float32) * (255 / 16)
    large = [cv2.resize(each, (side, side), interpolation=cv2.INTER_CUBIC) for each in light]
    pages = np.full((end - start, SIDE, SIDE, 3), 255, np.uint8)
    pages[:, _EDGE:-_EDGE, _EDGE:-_EDGE] = np.clip(np.stack(large), 0, 255)[..., None]
    return pages, numbers[start:end]
