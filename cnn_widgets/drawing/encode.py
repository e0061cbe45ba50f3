"""Encodes pixels as the bytes of a PNG or JPEG file."""

from __future__ import annotations

import cv2
import numpy as np

from cnn_widgets.records import Pixels

# OpenCV's default chroma subsampling (colours at half the resolution) is kept: it saves a third of
# the bytes, and pictures are sent at more pixels than the page shows.
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 82]


def as_png(data: bytes) -> bytes:
    """Return a picture file's pixels, as they are, as the bytes of a PNG file."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return cv2.imencode(".png", pixels)[1].tobytes()


def encode_image(pixels: Pixels, exact: bool = False) -> bytes:
    """Return an RGB picture as the bytes of a PNG (exact) or JPEG file.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (H, W, 3)
        RGB.
    exact : bool
        Whether to use PNG, which is lossless, instead of JPEG, which is smaller.

    Raises
    ------
    ValueError
        If OpenCV cannot encode the picture.
    """
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)  # OpenCV expects BGR
    options: list[int] = [cv2.IMWRITE_PNG_COMPRESSION, 4] if exact else _JPEG
    done, data = cv2.imencode(".png" if exact else ".jpg", bgr, options)
    if not done:
        raise ValueError(f"A picture of shape {pixels.shape} could not be encoded.")
    return data.tobytes()
