"""The space in which pictures are made: Fourier coefficients of colours that do not correlate.

A picture that is changed pixel by pixel becomes high-frequency noise. Following Olah et al. 2017
("Feature Visualization", Distill, doi 10.23915/distill.00007), it is written as the coefficients of
its spectrum instead, scaled so that all frequencies carry as much energy as in photographs (the
amplitude falls as 1/f), of colours that are decorrelated. How colours correlate is measured on the
bundled photographs. Pixels become model input by the network's own preprocessing, which has to be
affine; it is measured and checked here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.images.network_input import ModelInput
from cnn_widgets.images.resizing import shrink
from cnn_widgets.images.sample_gallery import gallery
from cnn_widgets.records import Floats, Pixels

_Doubles = NDArray[np.float64]

#: Deviation of a preprocessing from x = p · A + b that rounding may cause, as a share of its range.
_TOLERANCE = 1e-3
#: Pixels of the longer side at which the photographs' colours are measured.
_MEASURED_AT = 96


@dataclass(frozen=True, eq=False)
class PixelMap:
    """The affine preprocessing of a network: model input x = pixels · matrix + offset.

    Attributes
    ----------
    matrix : ndarray, shape (C, C)
    offset : ndarray, shape (C,)
    """

    matrix: Floats
    offset: Floats

    def to_input(self, pixels: Floats) -> Floats:
        """Return model input (..., C) of pixels (..., C), 0 to 255."""
        found: Floats = pixels @ self.matrix + self.offset
        return found

    def to_pixels(self, slopes: Floats) -> Floats:
        """Return the derivative by pixels of the derivative by model input, both (..., C)."""
        found: Floats = slopes @ self.matrix.T
        return found


def pixel_map(model_input: ModelInput, name: str = "network") -> PixelMap:
    """Return a network's preprocessing as an affine map of each pixel's channels.

    It is measured: with plain pictures of single channels, and checked with noise.

    Parameters
    ----------
    model_input : ModelInput
    name : str
        The network's name in error messages.

    Raises
    ------
    ValueError
        If the preprocessing is not affine, or depends on the whole picture.

    Examples
    --------
    >>> pixel_map(cw.load_network().model_input).matrix.shape
    (3, 3)
    """
    height, width, channels = model_input.shape

    def of(colour: NDArray[np.float32]) -> _Doubles:
        plain = np.broadcast_to(colour, (1, height, width, channels))
        return np.asarray(model_input.prepare(plain)[0, height // 2, width // 2], np.float64)

    black = of(np.zeros(channels, np.float32))
    single = 255 * np.eye(channels, dtype=np.float32)
    matrix = np.stack([(of(colour) - black) / 255 for colour in single])
    noise = np.random.default_rng(0).integers(0, 256, (1, height, width, channels))
    given = noise.astype(np.float32)
    expected = given.astype(np.float64) @ matrix + black
    found = model_input.prepare(given)
    span = max(255 * float(np.abs(matrix).sum(axis=0).max()), 1e-12)
    if not np.isfinite(found).all() or np.abs(found - expected).max() > _TOLERANCE * span:
        raise ValueError(
            f"Pictures cannot be made for network {name!r}: its preprocessing is no affine map of "
            "each pixel (such as pixels / 255), but depends on the picture as a whole or bends "
            "the values. Give Network(preprocess=…) a function that scales and shifts channels."
        )
    return PixelMap(np.asarray(matrix, np.float32), np.asarray(black, np.float32))


class Spectrum:
    """Pictures (H, W, C), 0 to 255, as Fourier coefficients of decorrelated colours.

    The coefficients are one float32 array (H, W // 2 + 1, C, 2), real and imaginary parts.

    Parameters
    ----------
    size : (H, W)
    channels : int
        1 or 3: grey or red, green, blue. Other channels are taken as not correlated.
    """

    def __init__(self, size: tuple[int, int], channels: int) -> None:
        self.size, self.channels = size, channels
        across, down = np.fft.rfftfreq(size[1]), np.fft.fftfreq(size[0])[:, None]
        scale = 1 / np.maximum(np.hypot(across, down), 1 / max(size))
        energy = (scale**2 * _mirrored(size[1])).sum()
        scale *= (
            size[0] * size[1] / np.sqrt(2 * energy)
        )  # so that unit coefficients give unit logits
        self._scale = np.asarray(scale, np.float32)[..., None]
        self._mixing = colour_mixing(channels)

    def start(self, rng: np.random.Generator, strength: float = 0.2) -> Floats:
        """Return random coefficients, of pictures that are nearly grey."""
        shape = (self.size[0], self.size[1] // 2 + 1, self.channels, 2)
        found: Floats = rng.normal(0, strength, shape).astype(np.float32)
        return found

    def picture(self, coefficients: Floats) -> Floats:
        """Return the picture of coefficients, (H, W, C), float32, strictly inside 0 to 255."""
        spectrum = (coefficients[..., 0] + 1j * coefficients[..., 1]) * self._scale
        colours = np.fft.irfft2(spectrum, self.size, axes=(0, 1)).astype(np.float32)
        return np.asarray(255 / (1 + np.exp(-(colours @ self._mixing.T))), np.float32)

    def slopes(self, picture: Floats, by_pixel: Floats) -> Floats:
        """Return a derivative by pixels (H, W, C) as derivative by coefficients."""
        share = picture / 255
        by_colour = (by_pixel * 255 * share * (1 - share)) @ self._mixing
        found = np.fft.rfft2(by_colour, axes=(0, 1)) * self._scale / (self.size[0] * self.size[1])
        found *= _mirrored(self.size[1])[:, None]
        return np.stack([found.real, found.imag], axis=-1).astype(np.float32)


def _mirrored(width: int) -> _Doubles:
    """Return how often each column of half a spectrum counts: 2 if its mirror image is left out."""
    twice = np.full(width // 2 + 1, 2.0)
    twice[0] = 1
    if width % 2 == 0:
        twice[-1] = 1
    return twice


@lru_cache(maxsize=4)
def colour_mixing(channels: int) -> Floats:
    """Return the matrix (C, C) that turns decorrelated colours into correlated ones.

    For three channels it is the square root of the covariance of the bundled photographs' pixels,
    scaled so that its largest row has length 1; otherwise the identity.
    """
    if channels != 3:
        return np.eye(channels, dtype=np.float32)
    small = [shrink(each.pixels, _MEASURED_AT).reshape(-1, 3) for each in gallery().values()]
    logit = np.concatenate([_logit(each) for each in small])
    values, vectors = np.linalg.eigh(np.cov(logit, rowvar=False))
    root = vectors * np.sqrt(np.maximum(values, 0))
    return np.asarray(root / np.linalg.norm(root, axis=1).max(), np.float32)


def _logit(pixels: Pixels) -> _Doubles:
    """Return the inverse of the sigmoid that ends `Spectrum.picture`."""
    share = (pixels.astype(np.float64) + 0.5) / 256
    return np.log(share / (1 - share))
