"""Whether two pictures look alike: their small pictures laid over each other, pixel by pixel.

A perceptual hash names candidates quickly. Of drawings on plain ground, of digits for instance, it
holds little more than where the ink lies, so that it calls independent ones the same. So what it
names is looked at: is the one a copy of the other but for a tone curve (brighter, darker, more or
less contrast), some noise, and a narrow edge that was cut off?
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cnn_widgets.records import Floats, Pixels

#: Sides of the small pictures.
SIDE = 32
#: The largest difference of 3×3 pixels, as a share of the contrast: of a copy as it lies, and of
#: one moved into place. Of 600 digits, independent pairs begin at 0.15 and 0.12.
_LOCAL, _LOCAL_MOVED = 0.15, 0.08
_APART = 0.45  # where pictures differ by more, no narrow edge that was cut off explains it
_EXPLAINED = 0.9  # of a photograph's variance; the rest may be a caption or a mark on a copy
_MOVED = 2.5  # pixels by which a corner may move: an edge of 8 % cut off
_PLAIN = 0.45  # of a drawing this share at least is plain: ground, or filled with one colour
_EVEN = 0.06  # of the contrast; differences below it do not show
_FLAT_LIMIT = 8.0  # grey levels in which copies of a picture without contrast differ at most
_GREY = np.array([0.299, 0.587, 0.114], np.float32)
_MONOCHROME = 3  # levels by which the colours of a grey picture differ at most, after JPEG


def small_picture(pixels: Pixels) -> Pixels:
    """Return a picture (H, W, 3) as the small one that is compared, (32, 32, 3)."""
    return np.asarray(cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def look_alike(one: Pixels, other: Pixels, flat: bool = False) -> bool:
    """Return whether two small pictures (32, 32, 3) are those of copies of one picture.

    `flat` says that neither has any contrast worth the name: then their values are compared as
    they are. If one of them is grey, brightness alone is compared.
    """
    a, b = (np.asarray(each, np.float32) for each in (one, other))
    if flat:
        return bool(np.abs(a - b).max() <= _FLAT_LIMIT)
    if _grey(a) or _grey(b):
        a, b = (a @ _GREY)[..., None], (b @ _GREY)[..., None]
    local, _ = _difference(a, b)
    if local <= _LOCAL:
        return True
    moved = _in_place(a, b) if local <= _APART or not _plain(a) else None
    if moved is None:
        return False
    local, left = _difference(a, moved)
    return local <= _LOCAL_MOVED or (left <= 1 - _EXPLAINED and not (_plain(a) or _plain(b)))


def _grey(picture: Floats) -> bool:
    return bool(np.ptp(picture, axis=2).max() < _MONOCHROME)


def _difference(a: Floats, b: Floats) -> tuple[float, float]:
    """Return how far pictures differ but for a tone curve: at the worst place, and in all.

    The first is the largest mean difference of 3×3 pixels as a share of the contrast, the second
    the share of the variance left. Where values were cut off at black or white, a curve leads from
    one picture to the other only: the better direction counts.
    """
    found = []
    for x, y in ((a, b), (b, a)):
        left = _left(x, y)
        places = cv2.blur(left, (3, 3)).reshape(left.shape)
        worst = float(np.sqrt((places**2).mean(axis=2)).max())
        found.append((worst / _contrast(y), float(left.var() / max(y.var(), 1e-6))))
    worst_places, shares = zip(*found, strict=True)
    return min(worst_places), min(shares)


def _left(x: Floats, y: Floats) -> Floats:
    """Return what a tone curve of the values of x leaves of y.

    It is a parabola for grey pictures. In colours it is a straight line: with more freedom it would
    explain any drawing of two colours by the same outline in two others.
    """
    degree = 2 if x.shape[2] == 1 else 1
    values = (x.ravel() - x.mean()) / max(float(x.std()), 1e-3)
    powers: NDArray[Any] = np.stack([values**n for n in range(degree + 1)])
    fitted = np.linalg.lstsq(powers @ powers.T, powers @ y.ravel(), rcond=None)[0] @ powers
    return np.asarray(y - fitted.reshape(y.shape), np.float32)


def _contrast(picture: Floats) -> float:
    """Return the range of values, of all channels together; at least one grey level."""
    return max(1.0, float(np.sqrt((np.ptp(picture, axis=(0, 1)) ** 2).mean())))


def _plain(picture: Floats) -> bool:
    """Return whether most of a picture is filled evenly, as a drawing is."""
    smooth, around = cv2.blur(picture, (3, 3)).reshape(picture.shape), np.ones((3, 3), np.uint8)
    ranges = cv2.dilate(smooth, around) - cv2.erode(smooth, around)
    ranges = np.sqrt((ranges.reshape(picture.shape) ** 2).mean(axis=2))
    return bool((ranges < _EVEN * _contrast(picture)).mean() >= _PLAIN)


def _in_place(a: Floats, b: Floats) -> Floats | None:
    """Return b moved and stretched a little to lie over a; None if no small motion does it."""
    (first, second), size = ((x if x.shape[2] == 1 else x @ _GREY for x in (a, b)), (SIDE, SIDE))
    start = np.eye(2, 3, dtype=np.float32)
    until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 60, 1e-6)
    try:
        _, motion = cv2.findTransformECC(first, second, start, cv2.MOTION_AFFINE, until, None, 3)
    except cv2.error:  # it does not converge: nothing lies over anything
        return None
    corners = np.array([[x, y, 1] for x in (0, SIDE - 1) for y in (0, SIDE - 1)], np.float32)
    if np.abs(corners @ motion.T - corners[:, :2]).max() > _MOVED:
        return None
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(b, motion, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved.reshape(b.shape), np.float32)
