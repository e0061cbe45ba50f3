"""Reads arrays as pictures: grey, RGB and RGBA of the usual kinds of numbers, or any channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_widgets.images.bands import Picture, as_bands, looks_channels_first
from cnn_widgets.images.decoding import to_rgb
from cnn_widgets.picture_files.limits import MAX_PIXELS, too_many_pixels
from cnn_widgets.records import Pixels

_LABEL = "the array"  # in error messages
_BAND = 2**20  # pixels converted at a time
_ROUNDING = 1e-3  # tolerance beyond [0, 1] for floats, e.g. 1.0000001 after rounding
#: How far resizing may take floats beyond [0, 1], as a share of the brightest: bicubic resizing
#: overshoots an edge by up to 11 %, a corner by up to 23 %.
OVERSHOOT = 0.25
#: Of 255: where nothing is brighter, nothing is seen.
BLACK = 10
_OPAQUE = 65535  # opacity of uint16


def read_array(array: NDArray[Any], as_stored: bool = False) -> Picture:
    """Return an array (H, W) or (H, W, C) as a picture.

    Parameters
    ----------
    array : ndarray
        One channel is grey and three are RGB, of uint8, bool, uint16, floats in [0, 1] or numbers
        in [0, 255], also if these are uint16. Floats that resizing has taken up to a quarter
        beyond [0, 1] are cut off there. Four are RGBA if their values are such, of uint16 with an
        opaque pixel. Other channels may hold any numbers.
    as_stored : bool
        Whether all numbers but uint8 are channels in their own values, also one, three or four.

    Raises
    ------
    ValueError
        If the array has another shape, is masked or too large, or holds no numbers, NaN, infinity
        or values outside the ranges above; or floats of which it is not clear, with fractions and a
        maximum from 1.25 to 10. The message is a single line.
    """
    if np.ma.is_masked(array):
        raise ValueError("The array is masked: pass array.filled(0), or another value to show.")
    array = usual_numbers(np.asarray(array))  # np.matrix would keep two axes when indexed with None
    shape = array.shape
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or not array.size or looks_channels_first(array.shape):
        raise ValueError(
            "Expected an array of shape (H, W), (H, W, 3) or (H, W, C). "
            f"Received shape: {shape}.{_hint(shape)}"
        )
    if array.shape[0] * array.shape[1] > MAX_PIXELS:
        raise ValueError(too_many_pixels(_LABEL, (array.shape[1], array.shape[0])))
    if array.shape[2] in (1, 3):
        if as_stored and array.dtype != np.uint8:
            return Picture(None, as_bands(array, _LABEL))
        return Picture(_to_pixels(array, _uint8_converter(array)))
    data = as_bands(array, _LABEL)
    if array.shape[2] != 4 or as_stored or not _is_rgba(array):
        return Picture(None, data)
    return Picture(_to_pixels(array, _uint8_converter(array)), data)


def usual_numbers(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array of bfloat16, or of other floats that NumPy does not know, as float32."""
    unknown = array.dtype.kind == "V" and array.dtype.names is None
    return array.astype(np.float32) if unknown and "float" in array.dtype.name else array


def _hint(shape: tuple[int, ...]) -> str:
    """Return what to do about an array of a wrong shape, as a sentence after a space, or ""."""
    if len(shape) == 3 and 0 not in shape:
        return " It looks channels-first: pass array.transpose(1, 2, 0)."
    return " One image has no batch axis: pass array[0]." if len(shape) == 4 else ""


def _is_rgba(array: NDArray[Any]) -> bool:
    """Return whether four channels may be colours with opacity; else they are any four bands."""
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return int(array[..., 3].max()) == _OPAQUE
    low, high = float(array.min()), float(array.max())
    if array.dtype.kind == "f" and are_shares(low, high):
        return True
    return low >= 0 and high <= 255 and not unclear(array)


def are_shares(low: float, high: float) -> bool:
    """Whether floats between two ends are shares of full brightness, or a little beyond [0, 1]."""
    return low >= -max(_ROUNDING, OVERSHOOT * high) and high <= 1 + OVERSHOOT


def unclear(array: NDArray[Any]) -> bool:
    """Whether values are too large for shares of full brightness, and black as brightness to 255.

    Whole numbers are brightness, also such floats.
    """
    if array.dtype.kind != "f" or not 1 + OVERSHOOT < float(array.max()) <= BLACK:
        return False
    return bool((array != np.round(array)).any())


def unclear_error(low: float, high: float, dtype: str) -> ValueError:
    """Return the error for values that are `unclear`."""
    return ValueError(
        f"Expected values in [0, 255], or floats in [0, 1]. Received {dtype} from {low:g} to "
        f"{high:g}, which is more than 1 and black if 255 is white. Pass array.clip(0, 1), "
        "array / array.max(), or for such a dark picture array.round().astype('uint8')."
    )


def _to_pixels(
    array: NDArray[Any], to_uint8: Callable[[NDArray[Any]], NDArray[np.uint8]]
) -> Pixels:
    """Return 1, 3 or 4 channels as pixels (H, W, 3), composed over white."""
    pixels = np.empty((*array.shape[:2], 3), np.uint8)
    down = max(1, _BAND // array.shape[1])  # in bands, because float64 takes 8 times the memory
    for top in range(0, array.shape[0], down):
        bits = to_uint8(array[top : top + down])
        opaque = to_rgb(Image.fromarray(bits)) if bits.shape[2] == 4 else bits
        pixels[top : top + down] = opaque
    return pixels


def _uint8_converter(array: NDArray[Any]) -> Callable[[NDArray[Any]], NDArray[np.uint8]]:
    """Return a function that converts rows to uint8, chosen by the array's dtype and range."""
    if array.dtype == np.uint8:
        return np.ascontiguousarray
    if array.dtype == np.bool_:
        return lambda rows: rows.astype(np.uint8) * np.uint8(255)
    deep = array.dtype.kind == "u" and array.dtype.itemsize == 2  # of both byte orders
    if deep and int(array.max()) > 255:
        return lambda rows: np.round(rows / 257).astype(np.uint8)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"Expected numbers as pixels. Received an array of {array.dtype}.")
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):  # one NaN makes both of them NaN
        raise ValueError("The array holds NaN or infinite values.")
    if array.dtype.kind == "f" and are_shares(low, high):
        return lambda rows: np.round(rows.clip(0, 1).astype(np.float64) * 255).astype(np.uint8)
    if low >= 0 and high <= 255:
        if unclear(array):
            raise unclear_error(low, high, str(array.dtype))
        return lambda rows: np.round(rows).astype(np.uint8)
    every = tuple(range(array.shape[2]))
    raise ValueError(
        "Expected values in [0, 255], or floats in [0, 1]. "
        f"Received {array.dtype} from {low:g} to {high:g}. Is the array preprocessed already? "
        f"bands={every} gives its values to the network as they are."
    )
