"""What a KerasHub classifier says of its input: its preprocessor's image converter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from cnn_widgets.images.network_input import Preprocess


@dataclass(frozen=True)
class HubInput:
    """The input of a KerasHub task, by its own preprocessor.

    Attributes
    ----------
    recipe : callable
        Its scaling of pixels (N, H, W, C), 0 to 255.
    fit : {"squash", "crop", "letterbox"}
        How it resizes photographs.
    size : (H, W) or None
        The size it resizes them to, if it has one.
    """

    recipe: Preprocess
    fit: str
    size: tuple[int, int] | None


def hub_input(model: Any) -> HubInput | None:
    """Return what a KerasHub classifier does to pictures first; None for any other model."""
    converter = getattr(getattr(model, "preprocessor", None), "image_converter", None)
    if converter is None:
        return None
    scale, offset = getattr(converter, "scale", None), getattr(converter, "offset", None)

    def recipe(pixels: Any) -> Any:
        scaled = pixels if scale is None else pixels * np.asarray(scale, np.float32)
        return scaled if offset is None else scaled + np.asarray(offset, np.float32)

    fit = "squash"
    if getattr(converter, "pad_to_aspect_ratio", False):
        fit = "letterbox"
    elif getattr(converter, "crop_to_aspect_ratio", False):
        fit = "crop"
    size = getattr(converter, "image_size", None)
    known = None if size is None or None in size else (int(size[0]), int(size[1]))
    return HubInput(recipe, fit, known)
