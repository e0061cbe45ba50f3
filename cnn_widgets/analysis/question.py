"""One operation of a traced graph, with what is known of its inputs: what every rule is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cnn_widgets.analysis.axes import Positions
from cnn_widgets.analysis.constants import ConstantReader, Sizes


@dataclass(frozen=True)
class Question:
    """One operation to find the positions of, and what is known around it.

    Attributes
    ----------
    op : tf.Operation
    given : sequence of Positions or None
        The positions of its inputs; None for one that does not depend on the model's input.
    constants : ConstantReader
    sizes : callable
        Returns the sizes of a tensor's axes as far as they are known.
    """

    op: Any
    given: Sequence[Positions | None]
    constants: ConstantReader
    sizes: Sizes

    @property
    def where(self) -> str:
        """The operation's place in the model, for messages."""
        return place_name(self.op)

    @property
    def data(self) -> list[Positions]:
        """The positions of the inputs that depend on the model's input."""
        return [each for each in self.given if each is not None]

    def numbers(self, index: int) -> list[int] | None:
        """Return the value of one input as whole numbers, or None."""
        return self.constants.numbers(self.op.inputs[index])

    def only_data(self, *indices: int) -> Positions | None:
        """Return the positions of the first of these inputs, if no other one has any."""
        others = [each for i, each in enumerate(self.given) if i not in indices]
        return None if any(each is not None for each in others) else self.given[indices[0]]


Rule = Callable[[Question], "Positions | list[Positions] | None"]


def place_name(op: Any) -> str:
    """Return the name of the layer that an operation belongs to, as far as its name tells."""
    name = str(op.name)
    return name.rpartition("/")[0] or name
