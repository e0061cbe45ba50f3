"""Pixels to the bytes of a PNG or JPEG file."""

from __future__ import annotations

import cv2

from cnn_widgets.records import Pixels

#: Colours at half the resolution (JPEG's usual way): a third fewer bytes, and pictures are sent
#: larger than they are shown.
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 82]


def encode_image(pixels: Pixels, exact: bool = False) -> bytes:
    """Return a picture as PNG (exact) or JPEG bytes."""
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)  # OpenCV writes BGR
    options: list[int] = [cv2.IMWRITE_PNG_COMPRESSION, 4] if exact else _JPEG
    done, data = cv2.imencode(".png" if exact else ".jpg", bgr, options)
    if not done:
        raise ValueError(f"A picture of shape {pixels.shape} could not be encoded.")
    return data.tobytes()
