"""The same engine on a private copy of the weights: the model itself is never touched.

A twin runs the traces of another engine with variables of its own in the place of the model's.
Nothing is rebuilt from a configuration, so it works for subclassed and nested models alike.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine import Engine


@dataclass(frozen=True)
class Weight:
    """One weight of a twin: its path in the model, and the variable that stands for it."""

    path: str
    variable: Any

    @property
    def layer(self) -> str:
        """The path of the layer it belongs to."""
        return self.path.rpartition("/")[0]

    def read(self) -> NDArray[Any]:
        """Return its values."""
        return np.asarray(self.variable)

    def write(self, values: NDArray[Any]) -> None:
        """Set its values."""
        self.variable.assign(values)


class Twin(Engine):
    """An engine that runs the traces of another one on weights of its own.

    Attributes
    ----------
    weights : list of Weight
        In the order in which the network reads them, from input to scores.
    """

    def __init__(self, engine: Engine) -> None:
        self.__dict__.update(copy.copy(engine).__dict__)
        self._traces, self._swaps = {}, {}
        self.weights: list[Weight] = []
        known = {id(weight.value.handle): weight for weight in self.model.weights}
        for handle in engine._observe(()).captured:  # a pass reads all that the scores need
            weight = known.get(id(handle))
            if weight is not None:
                variable = self._tf.Variable(weight.value, trainable=False)
                self._swaps[id(handle)] = variable.handle
                self.weights.append(Weight(weight.path, variable))
