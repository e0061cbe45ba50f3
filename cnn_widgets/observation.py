"""What one forward pass reports: scores, probabilities, and what chosen layers put out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cnn_widgets.records import Floats


@dataclass(frozen=True)
class Observation:
    """What one forward pass reports of a batch: arrays by layer name, batch axis first.

    ``tensors`` are the same activations as the engine holds them, of the whole batch and in the
    same memory, to be handed back to it without a copy.
    """

    scores: Floats
    probabilities: Floats
    activations: dict[str, Floats]
    peaks: dict[str, Floats]
    tensors: dict[str, Any] = field(default_factory=dict)

    def at(self, index: int) -> Observation:
        """Return one image's part."""
        return self._each(lambda array: array[index])

    def first(self, count: int) -> Observation:
        """Return the first images' part."""
        return self._each(lambda array: array[:count])

    def arrays(self) -> Iterable[Floats]:
        """Yield every array."""
        yield from (self.scores, self.probabilities)
        yield from self.activations.values()
        yield from self.peaks.values()

    def _each(self, cut: Callable[[Floats], Floats]) -> Observation:
        return Observation(
            cut(self.scores),
            cut(self.probabilities),
            {name: cut(array) for name, array in self.activations.items()},
            {name: cut(array) for name, array in self.peaks.items()},
            self.tensors,
        )
