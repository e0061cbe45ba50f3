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


@dataclass(frozen=True)
class _Traced:
    """One tracing of a model.

    ``values`` are scores and probabilities; ``visits`` the calls of layers, in order; ``peaks``
    what the browsed layers put out after their own activation.
    """

    graph: Any
    x: Any
    values: tuple[Any, Any]
    visits: list[Visit]
    peaks: dict[str, Any]


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
        self._graphs: dict[bool, _Traced] = {}
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
                scores, probabilities = traced.values
                places = {"x": traced.x, "scores": scores, "probabilities": probabilities}
                places |= {("output", visit.name): visit.output for visit in traced.visits}
                places |= {("peak", name): tensor for name, tensor in traced.peaks.items()}
                self._blueprints["forward"] = Blueprint(traced.graph, places)
            return self._blueprints["forward"]

    def gradients(self, target: str, guided: bool = False) -> Blueprint:
        """Return the blueprint from x and Y's weights to dY/dA at every layer with a map."""
        tf, key = self._tf, ("gradients", target, guided)
        with TRACING:
            if key not in self._blueprints:
                traced = self._traced(guided)
                outputs = {
                    visit.name: visit.output
                    for visit in traced.visits
                    if self.anatomy.find(visit.name).spatial and visit.output.dtype.is_floating
                }
                with traced.graph.as_default():
                    weights = tf.compat.v1.placeholder(tf.float32, self._weight_shape())
                    y = tf.reduce_sum(traced.values[TARGETS.index(target)] * weights)
                    found = tf.gradients(
                        y,
                        [*outputs.values(), traced.x],
                        unconnected_gradients=tf.UnconnectedGradients.ZERO,
                    )
                places = {"x": traced.x, "weights": weights}
                places |= {("output", name): tensor for name, tensor in outputs.items()}
                places |= {
                    ("gradient", name): gradient
                    for name, gradient in zip([*outputs, None], found, strict=True)
                }
                self._blueprints[key] = Blueprint(traced.graph, places)
            return self._blueprints[key]

    def clear(self) -> None:
        """Forget everything traced; it is traced again when it is asked for."""
        with TRACING:
            self._blueprints.clear()
            self._graphs.clear()

    def _traced(self, guided: bool = False) -> _Traced:
        """Return the model's traced graph, traced on first use.

        Guided: with ReLUs that pass only positive gradients.
        """
        if guided not in self._graphs:
            told: dict[str, Any] = {}

            def forward(x: Any) -> Any:
                relus = guided_relus() if guided else nullcontext()
                with relus, tapped(self.model) as visits:
                    values = self._call(x)
                own = [visit for visit in visits if _is_layer(visit)]
                if not self.anatomy.layers:
                    self._learn(own)
                browsed = [visit for visit in own if visit.name in self.anatomy.browsed]
                after = {visit.name: activated(visit, visits) for visit in browsed}
                peaks = {name: tensor for name, tensor in after.items() if tensor is not None}
                told.update(x=x, values=values, visits=own, peaks=peaks)
                return values

            spec = self._spec()
            compiled = self._tf.function(forward, input_signature=[spec], autograph=False)
            self._graphs[guided] = _Traced(compiled.get_concrete_function().graph, **told)
        return self._graphs[guided]

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
