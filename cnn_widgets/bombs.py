"""Pictures that are small as files and vast when opened, known before they are decoded."""

from __future__ import annotations

from PIL import Image

MAX_PIXELS = 50_000_000


def too_large(label: str, size: tuple[int, int] | None = None) -> str:
    """Return the words for a picture of too many pixels; `size` is its width and height."""
    measured = f" ({size[0]}×{size[1]})" if size else ""
    return f"{label} has too many pixels{measured}; at most {MAX_PIXELS // 10**6} million are read."


def refuse_bombs(image: Image.Image, data: bytes, label: str) -> None:
    """Raise a ValueError for a picture that is opened, not yet decoded, and would be too much."""
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(too_large(label, image.size))
