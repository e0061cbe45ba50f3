"""How well a colour stands out from what is behind it, after WCAG 2.1."""

from __future__ import annotations

import re


def contrast(ink: str, *grounds: str) -> float:
    """Return the contrast, 1 to 21, of a colour as CSS writes it.

    What is behind comes from top to bottom; below all lies white.
    """
    ground = (1.0, 1.0, 1.0)
    for each in reversed(grounds):
        ground = _laid(each, ground)
    lights = sorted((_light(_laid(ink, ground)), _light(ground)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _laid(color: str, ground: tuple[float, ...]) -> tuple[float, ...]:
    numbers = [float(each) for each in re.findall(r"\d[\d.e-]*", re.sub(r"\).*", "", color))]
    scale = 1 if color.startswith("color(") else 255  # what color-mix gives, and all others
    alpha = numbers[3] if len(numbers) > 3 else 1.0
    return tuple(
        alpha * each / scale + (1 - alpha) * behind
        for each, behind in zip(numbers[:3], ground, strict=True)
    )


def _light(color: tuple[float, ...]) -> float:
    red, green, blue = (
        each / 12.92 if each <= 0.03928 else ((each + 0.055) / 1.055) ** 2.4 for each in color
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
