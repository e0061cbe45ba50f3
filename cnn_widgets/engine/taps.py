"""Taps: observe the output of every layer of a Keras model while the model is being traced.

No sub-model is built, so nested, subclassed and `Sequential` models are handled alike. Inside the
context manager `tapped`, each layer has an instance attribute `call` that records the output; on
leaving, the attributes are restored.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cnn_widgets.analysis.fields import MapField

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


#: Held while tracing, so that only one thread at a time taps layers: two networks may share some.
TRACE_LOCK = threading.RLock()
_MISSING = object()
#: The name scope of operations that taps add to a graph.
SPLICE = "cnn_widgets_tokens"


@dataclass(frozen=True)
class LayerCall:
    """One call of one layer, recorded while tracing.

    Attributes
    ----------
    name : str
        The layer's path in the model, with ":1", ":2" … for further calls of the same layer.
    layer : keras.layers.Layer
    source : object
        The first argument of the call, usually the input tensor.
    output, passed : tensor
        What the layer puts out, and what the layers behind it get. They differ for tokens that
        stand on a grid: `output` is then the map (N, h, w, K) that they are made of.
    field : MapField or str
        Where the cells of the output lie, or in words why it is no map.
    operations : range
        The numbers of the graph's operations that the call made.
    """

    name: str
    layer: keras.layers.Layer
    source: Any
    output: tf.Tensor
    passed: tf.Tensor
    field: MapField | str
    operations: range

    @property
    def kind(self) -> str:
        """The layer's class name, or the type of a plain operation."""
        return str(getattr(self.layer, "type", None) or type(self.layer).__name__)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The output's shape without the batch axis."""
        return tuple(self.output.shape[1:])


def walk_layers(model: keras.Model, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """Yield (path, layer) of every layer in a model, a nested model before its own layers."""
    for layer in model._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{layer.name}"
        yield path, layer
        yield from walk_layers(layer, f"{path}/")


@contextmanager
def tapped(
    model: keras.Model, field_of: Callable[[Any], MapField | str] | None = None
) -> Iterator[Taps]:
    """Yield the `Taps` of a model, which record each call of a layer as long as the block runs.

    Enter it where the graph is made that the model is traced to.

    Parameters
    ----------
    model : keras.Model
        The `call` attributes of its layers are replaced inside the block. They and the layers'
        pending losses are restored on leaving, also after an exception.
    field_of : callable, optional
        Returns where the cells of a tensor lie on the model's input, or in words why it is no map.
    """
    taps = Taps(field_of)
    with TRACE_LOCK:
        replaced: list[tuple[Any, str, Any]] = []
        losses = [(layer, list(layer._losses)) for layer in _layers_with_losses(model)]
        unbuilt = [] if model.built else [(model, dict(model.__dict__))]
        scopes = list(_name_scopes())
        try:
            for path, layer in [("", model), *_unique_layers(model)]:
                for method in _call_methods(layer):
                    given = getattr(layer, method)
                    call = _python_function(given)
                    if layer is model and call is given:
                        continue  # the model's own output is not recorded
                    replaced.append((layer, method, layer.__dict__.get(method, _MISSING)))
                    new = call if layer is model else taps.tap(path, layer, call)
                    object.__setattr__(layer, method, new)
            yield taps
        except BaseException:
            for layer, before in unbuilt:  # Keras marks a model as built even if its call fails
                if not layer.weights:
                    layer.__dict__.clear()
                    layer.__dict__.update(before)
            del _name_scopes()[len(scopes) :]  # Keras leaves name scopes open after an error
            raise
        finally:
            for layer, method, before in reversed(replaced):
                if before is _MISSING:
                    object.__delattr__(layer, method)
                else:
                    object.__setattr__(layer, method, before)
            for layer, kept in losses:
                layer._losses[:] = kept


class Taps:
    """The taps of one trace, and what they have recorded.

    Attributes
    ----------
    layer_calls : list of LayerCall
        In the order of the calls.
    layers : dict of str to keras.layers.Layer
        All layers with a tap, by path.
    inner : set of str
        The paths of those that were called in a graph inside the traced one, the body of a loop, a
        branch or a function, whose tensors are not accessible.
    """

    def __init__(self, field_of: Callable[[Any], MapField | str] | None) -> None:
        import tensorflow as tf

        self.layer_calls: list[LayerCall] = []
        self.layers: dict[str, keras.layers.Layer] = {}
        self.inner = set[str]()
        self._field_of, self._counts = field_of, Counter[str]()
        self._owner, self._graph = threading.get_ident(), tf.compat.v1.get_default_graph()

    def tap(self, path: str, layer: keras.layers.Layer, call: Any) -> Any:
        """Return a function that calls a layer and records the call."""
        self.layers[path] = layer

        def observed(*args: Any, **kwargs: Any) -> Any:
            first = _operation_count()
            output = call(*args, **kwargs)
            if not self._is_map_of_this_trace(layer, args, output):
                return output
            if output.graph is not self._graph:
                self.inner.add(path)
                return output
            name = path if self._counts[path] == 0 else f"{path}:{self._counts[path]}"
            self._counts[path] += 1
            source = args[0] if args else None
            made = range(first, _operation_count())
            if output is source:
                output = _separate_tensor(output)
            field = "" if self._field_of is None else self._field_of(output)
            passed = output
            if not isinstance(field, str) and field.tokens:
                output, passed = _map_of_tokens(output, field)
            self.layer_calls.append(LayerCall(name, layer, source, output, passed, field, made))
            return passed

        return observed

    def _is_map_of_this_trace(
        self, layer: keras.layers.Layer, args: tuple[Any, ...], output: Any
    ) -> bool:
        """Return whether a layer's output belongs to this trace, and may be a map.

        It does not if another thread uses the model without tracing it, or a layer runs at once
        while the graph is made. Split attention heads are no map.
        """
        import keras

        return (
            threading.get_ident() == self._owner
            and keras.ops.is_tensor(output)
            and hasattr(output, "graph")  # a tensor of numbers has none
            and not _splits_heads(layer, args, output)
        )


def _name_scopes() -> list[Any]:
    """Return Keras' stack of open name scopes of this thread, a private part of Keras."""
    from keras.src.backend.common import global_state

    found: list[Any] = global_state.get_global_attribute(
        "name_scope_stack", default=[], set_to_default=True
    )
    return found


def _unique_layers(model: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Yield (path, layer) once per layer object; different layers of one path get ~2, ~3 …."""
    seen: set[int] = set()
    paths: Counter[str] = Counter()
    for path, layer in walk_layers(model):
        if id(layer) not in seen:
            seen.add(id(layer))
            paths[path] += 1
            yield (path if paths[path] == 1 else f"{path}~{paths[path]}"), layer


def _layers_with_losses(model: keras.Model) -> Iterator[Any]:
    """Yield the model and its layers that collect losses during a call."""
    yield from (
        layer for _, layer in [("", model), *_unique_layers(model)] if hasattr(layer, "_losses")
    )


def _call_methods(layer: keras.layers.Layer) -> tuple[str, ...]:
    """Return the names of the methods Keras may call to run the layer."""
    quantized = getattr(layer, "quantization_mode", None) is not None
    return ("call", "quantized_call") if quantized else ("call",)


def _python_function(call: Any) -> Any:
    """Return the Python function of a `tf.function`, or anything else unchanged.

    A `tf.function` would be traced to a graph of its own, whose tensors taps cannot use.
    """
    import tensorflow as tf

    if not isinstance(call, tf.types.experimental.PolymorphicFunction):
        return call
    try:
        return tf.autograph.to_graph(call.python_function)
    except Exception:  # no source code: works unless the function loops over tensors
        return call.python_function


def _operation_count() -> int:
    """Return the number of operations in the graph that is being traced."""
    import tensorflow as tf

    return int(tf.compat.v1.get_default_graph().version)


def _map_of_tokens(tokens: Any, field: MapField) -> tuple[Any, Any]:
    """Return tokens (N, T, K) as a map (N, h, w, K), and equal tokens that are made of it.

    Tokens that stand nowhere, such as a class token, pass by the map.
    """
    import tensorflow as tf

    masked = getattr(tokens, "_keras_mask", None)
    (height, width), last = field.shape, field.before + field.shape[0] * field.shape[1]
    with tf.name_scope(SPLICE):
        batch = tf.shape(tokens)[0]
        on_grid = tokens[:, field.before : last] if field.before or field.after else tokens
        grid = tf.reshape(on_grid, [batch, height, width, tokens.shape[-1]])
        parts = [tf.reshape(grid, [batch, height * width, tokens.shape[-1]])]
        if field.before:
            parts.insert(0, tokens[:, : field.before])
        if field.after:
            parts.append(tokens[:, last:])
        joined = tf.concat(parts, 1)
    grid.set_shape([tokens.shape[0], height, width, tokens.shape[-1]])
    joined.set_shape(tokens.shape)
    if masked is not None:
        joined._keras_mask = masked
    return grid, joined


def _separate_tensor(output: Any) -> Any:
    """Return a new tensor for the output of a layer that returns its input unchanged.

    Dropout does so outside training. If its input and output were one tensor, another branch that
    reads the input would seem to depend on the output.
    """
    import tensorflow as tf

    masked = getattr(output, "_keras_mask", None) is not None  # a copy would lose it
    return output if masked else tf.identity(output)


def _splits_heads(layer: keras.layers.Layer, args: tuple[Any, ...], output: Any) -> bool:
    """Return whether a layer splits attention heads: its 4 axes are no feature map.

    They are batch, tokens, heads and features instead of batch, rows, columns and filters.
    """
    given = getattr(args[0], "shape", ()) if args else ()
    return type(layer).__name__ == "EinsumDense" and len(given) < len(output.shape) == 4
