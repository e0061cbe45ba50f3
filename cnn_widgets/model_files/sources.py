"""A Keras model with what the place it came from tells about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cnn_widgets.images.network_input import Preprocess

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class ModelSource:
    """A Keras model with what its source tells: preprocessing, class names, fit (None: nothing).

    `fit` is how photographs are resized that do not say it; `notes` are sentences for the user.
    """

    model: keras.Model
    name: str
    preprocess: Preprocess | None = None
    class_names: tuple[str, ...] | None = None
    fit: str | None = None
    notes: tuple[str, ...] = ()
