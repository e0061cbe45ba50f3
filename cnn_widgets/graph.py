"""A model's traced graph: what it computes, its layers, its end, and gradients on demand.

The model is run once, symbolically, with taps on all its layers; nothing of it is changed.
Gradients are added to the same graph when they are first asked for.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnn_widgets import head as heads
from cnn_widgets import ports
from cnn_widgets.anatomy import Anatomy
from cnn_widgets.environment import tensorflow
from cnn_widgets.guided import guided_relus
from cnn_widgets.intake import Intake
from cnn_widgets.records import LayerInfo
from cnn_widgets.taps import TRACING, Visit, activated, tapped
from cnn_widgets.traces import Blueprint, ancestors

if TYPE_CHECKING:
    import keras

TARGETS = ("logit", "probability")
_VALUES = {"logit": "scores", "probability": "probabilities"}


@dataclass(frozen=True)
class _Traced:
    """A model's traced graph, and its tensors by the names that a `Blueprint` knows them by."""

    graph: Any
    places: dict[Any, Any]


class ModelGraph:
    """Traces one model, learns its layers from that, and hands out blueprints.

    Attributes
    ----------
    anatomy : Anatomy
        Its layers.
    head : Head
        What the end of the model computes.
    notes : list of str
        What was guessed, in words.
    """

    def __init__(
        self, model: keras.Model, intake: Intake, output: int | str | None, head: str | None
    ) -> None:
        self._tf = tensorflow()
        self.model, self._intake = model, intake
        self._output, self._head_kind = output, head
        self._graph: _Traced | None = None
        self._blueprints: dict[Any, Blueprint] = {}
        self._score: Any = None
        self.head: heads.Head
        self.anatomy = Anatomy((), None)
        self.notes: list[str] = []
        self.forward()

    def forward(self) -> Blueprint:
        """Return the blueprint from x to scores, probabilities, and what every layer puts out."""
        with TRACING:
            if "forward" not in self._blueprints:
                traced = self._traced()
                self._blueprints["forward"] = Blueprint(traced.graph, traced.places)
            return self._blueprints["forward"]

    def gradients(self, target: str, guided: bool = False) -> Blueprint:
        """Return the blueprint from x and Y's weights to dY/dA at every layer, and dY/dx.

        Guided: through ReLUs that pass only positive gradients, and dY/dx alone.
        """
        tf, key = self._tf, ("gradients", target, guided)
        with TRACING:
            if key not in self._blueprints:
                traced = self._traced()
                places = dict(traced.places)
                outputs = {  # guided ones are asked for at the input only
                    key: tensor
                    for key, tensor in places.items()
                    if key[0] == "output" and tensor.dtype.is_floating and not guided
                }
                relus = guided_relus(traced.graph) if guided else nullcontext()
                with relus, traced.graph.as_default():
                    weights = tf.compat.v1.placeholder(tf.float32, self._weight_shape())
                    y = tf.reduce_sum(places[_VALUES[target]] * weights)
                    where = [*outputs.values(), places["x"]]
                    zero = tf.UnconnectedGradients.ZERO
                    found = tf.gradients(y, where, unconnected_gradients=zero)
                names = [*(name for _, name in outputs), None]
                places["weights"] = weights
                places |= {("gradient", name): g for name, g in zip(names, found, strict=True)}
                self._blueprints[key] = Blueprint(traced.graph, places)
            return self._blueprints[key]

    def clear(self) -> None:
        """Forget everything traced; it is traced again when it is asked for."""
        with TRACING:
            self._blueprints.clear()
            self._graph = None

    def _traced(self) -> _Traced:
        """Return the model's graph, traced on first use."""
        if self._graph is None:
            places: dict[Any, Any] = {}

            def forward(x: Any) -> Any:
                with tapped(self.model) as visits:
                    values = self._call(x)
                own = [visit for visit in visits if _is_layer(visit)]
                if not self.anatomy.layers:
                    self._learn(own)
                places.update({"x": x} | dict(zip(_VALUES.values(), values, strict=True)))
                for visit in own:
                    places["output", visit.name] = visit.output
                    browsed = visit.name in self.anatomy.browsed
                    if browsed and (after := activated(visit, visits)) is not None:
                        places["peak", visit.name] = after
                return values

            spec = self._spec()
            compiled = self._tf.function(forward, input_signature=[spec], autograph=False)
            self._graph = _Traced(compiled.get_concrete_function().graph, places)
        return self._graph

    def _call(self, x: Any) -> tuple[Any, Any]:
        """Run the model inside a trace; return scores and probabilities (N, C)."""
        outputs = ports.named(self.model, self.model(ports.fed(self.model, x), training=False))
        output = outputs[ports.chosen(outputs, self._output)]
        if len(outputs) > 1 and self._output is None and not self.anatomy.layers:
            self.notes.append(
                f"Of the outputs {', '.join(outputs)} the first is looked at (output= chooses)."
            )
        head, tensor = heads.find(output, self._head_kind)
        if not self.anatomy.layers:
            self.head, self._score = head, tensor
        maps = head.scores(tensor)
        return heads.over_positions(maps), heads.over_positions(head.probabilities(maps))

    def _spec(self) -> Any:
        return self._tf.TensorSpec(
            (self._intake.batch, *self._intake.size, self._intake.channels), self._tf.float32
        )

    def _weight_shape(self) -> tuple[int | None, int]:
        return self._intake.batch, self.head.classes

    def _learn(self, visits: list[Visit]) -> None:
        """Note the layers, in the order they ran, and where class activation maps look."""
        layers = tuple(LayerInfo(visit.name, visit.kind, visit.shape) for visit in visits)
        before = ancestors([self._score])
        maps = [
            visit.name
            for visit, info in zip(visits, layers, strict=True)
            if info.spatial and visit.output.op in before and visit.output is not self._score
        ]
        self.anatomy = Anatomy(layers, maps[-1] if maps else None)
        self._score = None
        if self.head.kind in ("logits", "probabilities", "values"):
            self.notes.append(
                f"No softmax or sigmoid found at the end: outputs are taken as "
                f"{self.head.kind} (head= changes it)."
            )
        if self.head.kind == "softmax" and self.head.units == 1:
            self.notes.append("A softmax over one output is always 1: probabilities say nothing.")


def _is_layer(visit: Visit) -> bool:
    """Tell a layer from a model inside a model, whose layers are there themselves."""
    import keras

    return not isinstance(visit.layer, keras.Model) and visit.kind != "InputLayer"
