"""One-line errors for picture files that a decoder cannot read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image, UnidentifiedImageError

from cnn_widgets.picture_files.limits import too_many_pixels


def one_line(text: object) -> str:
    """Return a text on one line, for an error message, shortened to 200 characters."""
    words = " ".join(str(text).split())
    return words if len(words) <= 200 else words[:199] + "…"


@contextmanager
def damage_as_value_error(label: str) -> Iterator[None]:
    """Raise a ValueError with the label for any error that decoding a damaged file raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about odd metadata
            yield
    except UnidentifiedImageError:
        raise
    except Image.DecompressionBombError:
        raise ValueError(too_many_pixels(label)) from None
    except Exception as error:
        # Pillow's plugins let any error from damaged data through (struct.error, KeyError,
        # ZeroDivisionError, MemoryError, …), so a list of exception types would be incomplete.
        reason = one_line(error) or type(error).__name__
        raise ValueError(f"{label} is damaged and cannot be decoded: {reason}") from error
