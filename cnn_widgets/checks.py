"""What is asked before and after a network runs: is this a sample, are these numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_widgets.records import Floats, ImageSample

if TYPE_CHECKING:
    import keras


def samples(given: Any) -> Sequence[ImageSample]:
    """Return one sample, or a sequence of samples, as a sequence; a TypeError for others."""
    found = given if isinstance(given, Sequence) else [given]
    for each in found:
        if not isinstance(each, ImageSample):
            raise TypeError(
                f"Expected an ImageSample; load_image() makes one. Received: {type(each).__name__}"
            )
    return found


def weights(model: keras.Model, name: str) -> None:
    """Refuse NaN weights at once: a ReLU may hide them behind zeros."""
    for weight in model.weights:
        values = np.asarray(weight)
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(
                f"Network {name!r} is broken: its weights {weight.path!r} hold NaN or infinity."
            )


def scores(found: Floats, model: keras.Model, name: str) -> None:
    """Refuse scores that are no numbers, and say where they come from."""
    if not np.isfinite(found).all():
        weights(model, name)
        raise ValueError(
            f"Network {name!r} computes NaN or infinite scores, though its weights are finite: "
            "its input or its arithmetic overflows."
        )
