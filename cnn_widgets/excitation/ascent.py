"""Gradient ascent on a picture, from noise, through moved copies of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from cnn_widgets.excitation.pixel_space import PixelMap, Spectrum, pixel_map
from cnn_widgets.images.loading import load_image
from cnn_widgets.layer_gradients.slopes import layer_slopes
from cnn_widgets.networks.network import Network
from cnn_widgets.records import Floats, ImageSample

_STARTS = 4  # random pictures to begin with; the most exciting one is kept
_RATE = 0.2  # of Adam, per step
# How far pictures are moved at most, where a filter sees all of the picture; a filter that sees a
# small part of it is moved less by as much.
_SHIFT = 0.06  # as a share of each side
_SCALING = 0.09
_DEGREES = 6.0
_PLAIN = 0.3  # share of the steps, at the end, on the picture as it is


class Ascent:
    """Gradient ascent by Adam on the spectrum of one picture."""

    def __init__(
        self, net: Network, layer: str | None, filters: tuple[int, ...], of: str, seed: int
    ) -> None:
        self._net, self._layer, self._filters = net, layer, filters
        self._weights, self._reach = _weights(net, layer, filters, of), _reach(net, layer)
        self._map: PixelMap = pixel_map(net.model_input, net.name)
        self._space = Spectrum(net.input_size, net.channels)
        self._rng = np.random.default_rng(seed)
        self._opened = False
        starts = [self._space.start(self._rng) for _ in range(_STARTS)]
        values = [self._slopes(self._space.picture(each))[0] for each in starts]
        self._at = starts[int(np.argmax(values))]
        _, slopes = self._slopes(self._space.picture(self._at))
        self._opened = not slopes.any()  # silent on noise: gradients pass its closed ReLUs
        self._mean, self._square = np.zeros_like(self._at), np.zeros_like(self._at)

    def sample(self, name: str) -> ImageSample:
        """Return the picture as it is now, in 8 bits."""
        pixels = np.round(self._space.picture(self._at)).astype(np.uint8)
        return load_image(pixels, name=name)

    def step(self, number: int, steps: int) -> float:
        """Go one step up, and return the value before it."""
        picture = self._space.picture(self._at)
        plain = number >= (1 - _PLAIN) * steps
        shown, back = (picture, None) if plain else _moved(picture, self._rng, self._reach)
        value, by_pixel = self._slopes(shown)
        if back is not None:
            by_pixel = back(by_pixel)
        self._climb(self._space.slopes(picture, by_pixel), number)
        return value

    def _slopes(self, picture: Floats) -> tuple[float, Floats]:
        """Return the value of a picture (H, W, C), and its derivative by pixels."""
        x = np.ascontiguousarray(self._map.to_input(picture)[None])
        value, _, _, slopes = layer_slopes(
            self._net.engine, self._layer, x, self._weights, opened=self._opened
        )
        return value, self._map.to_pixels(slopes[0])

    def _climb(self, slopes: Floats, number: int) -> None:
        """Change the coefficients by one step of Adam (Kingma and Ba, arXiv 1412.6980)."""
        self._mean += 0.1 * (slopes - self._mean)
        self._square += 0.01 * (slopes**2 - self._square)
        mean = self._mean / (1 - 0.9 ** (number + 1))
        spread = np.sqrt(self._square / (1 - 0.99 ** (number + 1)))
        self._at = self._at + _RATE * mean / (spread + 1e-12 + 1e-3 * spread.max())


def _weights(net: Network, layer: str | None, filters: tuple[int, ...], of: str) -> Floats:
    """Return the weight of each number of a layer's output in what is maximised."""
    shape = (net.classes,) if layer is None else tuple(n or 1 for n in net.layer(layer).shape)
    found = np.zeros(shape, np.float32)
    places = shape[:-1]
    at = tuple(n // 2 for n in places) if of == "peak" else (...,)
    found[(*at, list(filters))] = 1 / len(filters) / (1 if of == "peak" else math.prod(places))
    return found


def _reach(net: Network, layer: str | None) -> float:
    """Return the share of the picture's side that one cell of a layer sees; 1 where unknown."""
    if layer is None or not net.layer(layer).spatial:
        return 1.0
    rows, columns = net.field(layer).shape
    box = net.receptive_field(layer, rows // 2, columns // 2)
    height, width = net.input_size
    return min(1.0, max((box.bottom - box.top) / height, (box.right - box.left) / width))


def _moved(
    picture: Floats, rng: np.random.Generator, reach: float
) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Return a picture shifted, scaled and turned a little, and the way back for derivatives.

    The way back is the inverse movement times the change of area: the derivative up to the
    interpolation between pixels.
    """
    height, width = picture.shape[:2]
    angle = reach * rng.uniform(-_DEGREES, _DEGREES)
    scale = 1 + reach * rng.uniform(-_SCALING, _SCALING)
    forth = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), angle, scale)
    forth[:, 2] += reach * rng.uniform(-_SHIFT, _SHIFT, 2) * (width, height)
    mirror: dict[str, Any] = {"borderMode": cv2.BORDER_REFLECT_101}
    shown = cv2.warpAffine(picture, forth, (width, height), **mirror)

    def back(slopes: Floats) -> Floats:
        found = cv2.warpAffine(
            slopes, forth, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        return np.asarray(found.reshape(picture.shape) * scale**2, np.float32)

    return np.asarray(shown.reshape(picture.shape), np.float32), back
