"""The table of a network's layers: all of them, those with feature maps, and the default one."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cnn_widgets.analysis.fields import MapField
from cnn_widgets.analysis.paths import ancestor_operations, passed_by_all
from cnn_widgets.engine.taps import SPLICE, LayerCall, Taps, walk_layers
from cnn_widgets.records import LayerInfo
from cnn_widgets.telling import in_short

#: The kinds of layers that the source article shows; others can be selected by name or by kind.
FEATURE_KINDS = ("Conv2D", "SeparableConv2D", "MaxPooling2D")
_RELU_OPS = {"Relu", "Relu6", "LeakyRelu", "Elu", "Selu"}
_INSIDE = "in a loop, a branch or a function in the model's graph, where its output cannot be read"
_ACTIVATIONS = {"ReLU", "Activation", "LeakyReLU", "PReLU", "ELU"}


@dataclass(frozen=True)
class LayerTable:
    """All layers of a network that return a single tensor, in the order in which they run.

    Attributes
    ----------
    layers : tuple of LayerInfo
        The layers.
    default : str or None
        The layer that class activation maps use unless another is named: the last one before the
        scores with a feature map larger than 1x1. None if there is no such layer.
    fields : mapping of str to MapField
        Where the cells of each feature map lie on the model's input, by layer name.
    carriers : tuple of str
        The layers whose map carries all of the score, in the order in which they run.
    inner : tuple of str
        The layers that are not among them because they run in a graph inside the traced one.
    """

    layers: tuple[LayerInfo, ...]
    default: str | None
    fields: Mapping[str, MapField] = field(default_factory=dict)
    carriers: tuple[str, ...] = ()
    inner: tuple[str, ...] = ()

    @cached_property
    def spatial(self) -> tuple[LayerInfo, ...]:
        """The layers with a feature map (h, w, K) larger than 1x1."""
        return tuple(info for info in self.layers if info.spatial)

    @cached_property
    def features(self) -> tuple[LayerInfo, ...]:
        """The layers of `FEATURE_KINDS` with a feature map, and the blocks of a transformer.

        If there are none, all layers with a feature map.
        """
        chosen = tuple(
            info for info in self.spatial if info.kind in FEATURE_KINDS or self._is_block(info)
        )
        return chosen or self.spatial

    def _is_block(self, info: LayerInfo) -> bool:
        """Whether a layer puts out tokens on a grid and is made of layers, but not an attention."""
        made = any(other.name.startswith(f"{info.name}/") for other in self.layers)
        return self.fields[info.name].tokens and made and "Attention" not in info.kind

    @cached_property
    def browsed(self) -> tuple[str, ...]:
        """The names of the layers observed in every cached forward pass: features and default."""
        names = [info.name for info in self.features]
        if self.default is not None and self.default not in names:
            names.append(self.default)
        return tuple(names)

    def of(self, kinds: Sequence[str] | None) -> tuple[LayerInfo, ...]:
        """Return the layers with a feature map that are of some kinds, or of any kind (None)."""
        if kinds is None:
            return self.spatial
        return tuple(info for info in self.spatial if info.kind in kinds)

    def find(self, name: str) -> LayerInfo:
        """Return a layer by its name; the ValueError for an unknown one lists some layers."""
        found = self._by_name.get(name)
        if found is None and name in self.inner:
            raise ValueError(f"Layer {name!r} runs {_INSIDE}.")
        if found is None:
            known = in_short((info.name for info in self.features), 12) or "none"
            raise ValueError(f"Unknown layer {name!r}. Layers with feature maps: {known}")
        return found

    def map_of(self, name: str) -> LayerInfo:
        """Return a layer with a feature map by its name.

        Raises
        ------
        ValueError
            If there is no such layer, or its output is no map; the message says why.
        """
        info = self.find(name)
        if info.spatial:
            return info
        if info.lost and len(info.shape) > 1:
            raise ValueError(f"Layer {name!r} puts out no map of the photograph: {info.lost}.")
        raise ValueError(f"Layer {name!r} puts out shape {info.shape}, no map (h, w, K).")

    @cached_property
    def _by_name(self) -> dict[str, LayerInfo]:
        return {info.name: info for info in self.layers}


def read_layers(
    taps: Taps, x: Any, score: Any, field_of: Callable[[Any], MapField | str]
) -> tuple[LayerTable, list[LayerCall], list[str]]:
    """Return the table of the layers seen while tracing, the calls in it, and notes on it.

    The default layer is the last map that all paths from the input to the score pass through. That
    may be the result of a plain operation between the layers, such as `x * gate`; it then has an
    entry of its own.

    Parameters
    ----------
    taps : Taps
        What was recorded.
    x, score : Tensor
        The model's input and the tensor of scores.
    field_of : callable
        Returns where the cells of a tensor lie, or in words why it is no map.
    """
    calls = [call for call in taps.layer_calls if _is_listed(call.layer)]
    passed = [each for each in passed_by_all(x, score) if each.op is not score.op]
    carriers = _maps_among(calls, passed, score)
    default = carriers[-1] if carriers else None
    plain = _last_plain_map(taps.layer_calls, passed, default, field_of)
    if plain is not None:
        calls.append(plain)
        calls.sort(key=lambda call: call.operations.stop)
        default = plain
        carriers.append(plain)
    inner = _inner_layers(taps, x.graph)
    notes = (
        [f"Layers that are not listed: {in_short(map(repr, inner), 5)}. Each runs {_INSIDE}."]
        if inner
        else []
    )
    if default is None and (partial := [c for c in calls if _is_map(c) and _leads(c, score)]):
        default = partial[-1]
        notes.append(
            f"No layer's map carries all of the score; the default, {default.name!r}, carries "
            "one branch of it."
        )
    infos = tuple(_info(call) for call in calls)
    fields = {call.name: call.field for call in calls if not isinstance(call.field, str)}
    name = None if default is None else default.name
    names = tuple(each.name for each in carriers)
    return LayerTable(infos, name, fields, names, inner), calls, notes


def _inner_layers(taps: Taps, graph: Any) -> tuple[str, ...]:
    """Return the paths of the layers that run in a graph inside the traced one, and only there.

    A function that was compiled before is not traced again, so that no layer in it is seen: the
    weights that it takes tell. The cells of a recurrent layer are a part of it, and no layers.
    """
    recurrent = tuple(f"{path}/" for path, each in taps.layers.items() if hasattr(each, "cell"))
    seen = {call.name for call in taps.layer_calls}
    handles = {id(outer) for outer, given in graph.captures if any(map(_calls, given.consumers()))}
    return tuple(
        path
        for path, layer in taps.layers.items()
        if path not in seen and _is_listed(layer) and not path.startswith(recurrent)
        if path in taps.inner or (not any(walk_layers(layer)) and _takes(layer, handles))
    )


def _calls(op: Any) -> bool:
    """Whether an operation calls a function of the graph."""
    return any(each.WhichOneof("value") == "func" for each in op.node_def.attr.values())


def _takes(layer: Any, handles: Container[int]) -> bool:
    """Whether one of a layer's weights is among variables, given by the `id` of their handles."""
    return any(id(getattr(each.value, "handle", None)) in handles for each in layer.weights)


def _info(call: LayerCall) -> LayerInfo:
    return LayerInfo(
        call.name, call.kind, call.shape, call.field if isinstance(call.field, str) else ""
    )


def _is_map(call: LayerCall) -> bool:
    return _info(call).spatial


def _leads(call: LayerCall, score: Any) -> bool:
    return call.output is not score and call.passed.op in ancestor_operations([score])


def _maps_among(calls: Sequence[LayerCall], passed: Sequence[Any], score: Any) -> list[LayerCall]:
    """Return the layers whose map is one of the tensors `passed`, and not the score itself."""
    names = {tensor.name for tensor in passed}
    return [
        call
        for call in calls
        if _is_map(call) and call.output is not score and call.passed.name in names
    ]


def _last_plain_map(
    calls: Sequence[LayerCall],
    passed: Sequence[Any],
    default: LayerCall | None,
    field_of: Callable[[Any], MapField | str],
) -> LayerCall | None:
    """Return the last such tensor as an entry of its own, if it is no layer's and comes later."""
    inside = {number for call in calls if _is_builtin(call.layer) for number in call.operations}
    numbers = _numbers(passed)
    start = -1 if default is None else default.operations.stop - 1
    for tensor in reversed(passed):
        number, op = numbers[tensor.op], tensor.op
        if number <= start:
            return None
        unchanged = op.type in ("Identity", "Cast", "StopGradient")
        if number in inside or unchanged or SPLICE in op.name or tensor.shape.rank != 4:
            continue
        name = _plain_name(op, {call.name for call in calls})
        found = LayerCall(
            name, op, op.inputs[0], tensor, tensor, field_of(tensor), range(number, number + 1)
        )
        if _is_map(found):
            return found
    return None


def _plain_name(op: Any, taken: Container[str]) -> str:
    """Return an operation's name without the model's own, which differs from session to session."""
    name = str(op.name)
    _, _, inside = name.partition("/")
    return inside if inside and inside not in taken else name


def _numbers(tensors: Sequence[Any]) -> dict[Any, int]:
    """Return the place of each tensor's operation among all operations of its graph."""
    if not tensors:
        return {}
    wanted = {tensor.op for tensor in tensors}
    operations = tensors[0].graph.get_operations()
    return {op: number for number, op in enumerate(operations) if op in wanted}


def _is_listed(layer: Any) -> bool:
    """Whether a layer has an entry in the table; a model has none, its layers have."""
    import keras

    return not isinstance(layer, keras.Model | keras.layers.InputLayer)


def _is_builtin(layer: Any) -> bool:
    """Whether a layer is one of Keras' own, whose inner operations are no places to look at."""
    import keras

    return type(layer).__module__.startswith("keras") and not isinstance(layer, keras.Model)


def after_activation(layer_call: LayerCall, layer_calls: Sequence[LayerCall]) -> Any:
    """Return the tensor after the non-linearity that belongs to a layer, or None if it has none.

    For a layer that pools or has an activation function of its own, that is its output. Otherwise
    it is the output of the activation that follows, directly or after batch normalisation. Whether
    a filter is inactive for an image can only be seen there. `layer_calls` are all of the trace.
    """
    own = getattr(getattr(layer_call.layer, "activation", None), "__name__", "linear")
    if own != "linear" or "Pool" in layer_call.kind or layer_call.kind in _ACTIVATIONS:
        return layer_call.output
    tensor = layer_call.passed
    for _ in range(3):
        after = [other for other in layer_calls if _is_same_tensor(other.source, tensor)]
        for other in after:
            if other.kind in _ACTIVATIONS:
                return other.output
        rectified = [op for op in tensor.consumers() if op.type in _RELU_OPS]
        if rectified:
            return rectified[0].outputs[0]
        norms = [other for other in after if "Normalization" in other.kind]
        if not norms:
            return None
        tensor = norms[0].passed
    return None


def _is_same_tensor(source: Any, tensor: Any) -> bool:
    """Return whether `source` is the tensor, or a cast or identity copy of it."""
    if source is tensor:
        return True
    op = getattr(source, "op", None)
    return op is not None and op.type in ("Cast", "Identity") and op.inputs[0] is tensor
