"""Samples as model input: their channels are checked, and that what comes out can be computed with.

A network would answer NaN to NaN, or a number, where a ReLU makes 0 of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnn_widgets.engine.cache import ByteCache
from cnn_widgets.images.network_input import ModelInput
from cnn_widgets.images.resizing import has_channels, resize_to_input
from cnn_widgets.records import Floats, ImageSample

_AHEAD = 8  # samples prepared ahead that are kept until their batch is made


class Preparation:
    """Makes model input of samples, each by itself.

    Parameters
    ----------
    model_input : ModelInput
        The description of the input.
    name : str
        The network's name in error messages.
    """

    def __init__(self, model_input: ModelInput, name: str) -> None:
        self._wanted, self._name = model_input, name
        size = 4 * int(np.prod(model_input.shape))
        self._ahead: ByteCache[Floats] = ByteCache(_AHEAD * size)

    def of(self, samples: Sequence[ImageSample]) -> Floats:
        """Return the model input (N, H, W, C) of samples.

        Raises
        ------
        ValueError
            If a sample has other channels, or holds NaN or infinity once it is prepared.
        """
        return np.stack([self._known(each) for each in samples])

    def ahead(self, sample: ImageSample) -> None:
        """Prepare a sample that is asked for soon; a ValueError if that cannot be."""
        found = self._known(sample)
        self._ahead.put(sample.key, found, [found])

    def clear(self) -> None:
        """Drop what was prepared ahead."""
        self._ahead.clear()

    def _known(self, sample: ImageSample) -> Floats:
        found = self._ahead.get(sample.key)
        return self._made(sample) if found is None else found

    def _made(self, sample: ImageSample) -> Floats:
        wanted = self._wanted
        if not has_channels(sample, wanted.channels):
            received = "3 (RGB)" if sample.data is None else sample.channels
            raise ValueError(
                f"Network {self._name!r} takes {wanted.channels} channels; {sample.name!r} has "
                f"{received}. Pass an array (H, W, {wanted.channels}), or a TIFF of "
                f"{wanted.channels} grey pages."
            )
        pixels = resize_to_input(sample, wanted.size, wanted.channels, wanted.fit)
        return wanted.prepared(pixels, sample.name)
