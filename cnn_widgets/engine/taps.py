"""Taps: observe what any layer of a Keras model puts out, while it is being traced.

No sub-model is ever built, so nested, subclassed and `Sequential` models are all alike. While
the context manager `tapped` is open, `call` of the layers is an instance attribute that reports
each output; on leaving, all is as it was.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


#: Only one trace at a time, in any thread: two networks may share layers.
TRACE_LOCK = threading.RLock()
_RELU_OPS = {"Relu", "Relu6", "LeakyRelu", "Elu", "Selu"}
_ACTIVATIONS = {"ReLU", "Activation", "LeakyReLU", "PReLU", "ELU"}
_MISSING = object()


@dataclass(frozen=True)
class LayerCall:
    """One call of one layer, seen while tracing."""

    name: str
    layer: keras.layers.Layer
    source: Any
    output: tf.Tensor

    @property
    def kind(self) -> str:
        """The layer's class name."""
        return type(self.layer).__name__

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The output's shape without the batch axis."""
        return tuple(self.output.shape[1:])


def walk_layers(model: keras.Model, prefix: str = "") -> Iterator[tuple[str, keras.layers.Layer]]:
    """Yield (path, layer) of every layer below a model, outer ones before their parts."""
    for layer in model._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{layer.name}"
        yield path, layer
        yield from walk_layers(layer, f"{path}/")


@contextmanager
def tapped(model: keras.Model) -> Iterator[list[LayerCall]]:
    """Report every layer call of a model in the list yielded, in order.

    Parameters
    ----------
    model : keras.Model
        Borrowed: its layers' `call` and pending losses are put back on leaving, also after an
        exception.
    """
    import keras

    visits: list[LayerCall] = []
    counts: Counter[str] = Counter()
    owner = threading.get_ident()

    def tap(path: str, layer: keras.layers.Layer, call: Any) -> Any:
        def observed(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            if threading.get_ident() != owner or not keras.ops.is_tensor(output):
                return output  # another thread's call of the same layer is none of our business
            if not _belongs_here(output):
                return output  # inside a loop's own graph: out of reach
            if _splits_heads(layer, args, output):
                return output  # tokens × heads × numbers are no rows and columns of a picture
            name = path if counts[path] == 0 else f"{path}:{counts[path]}"
            counts[path] += 1
            source = args[0] if args else None
            if output is source:
                output = _of_its_own(output)
            visits.append(LayerCall(name, layer, source, output))
            return output

        return observed

    with TRACE_LOCK:
        borrowed: list[tuple[Any, str, Any]] = []
        losses = [(layer, list(layer._losses)) for layer in _loss_keepers(model)]
        unbuilt = [] if model.built else [(model, dict(model.__dict__))]
        scopes = list(_name_scopes())
        try:
            for path, layer in [("", model), *_unique(model)]:
                for method in _methods(layer):
                    given = getattr(layer, method)
                    call = _unwrapped(given)
                    if layer is model and call is given:
                        continue  # its own output is the end of the trace
                    borrowed.append((layer, method, layer.__dict__.get(method, _MISSING)))
                    new = call if layer is model else tap(path, layer, call)
                    object.__setattr__(layer, method, new)
            yield visits
        except BaseException:
            for layer, before in unbuilt:  # Keras notes a first call, also one that fails
                if not layer.weights:
                    layer.__dict__.clear()
                    layer.__dict__.update(before)
            del _name_scopes()[len(scopes) :]  # Keras leaves those open that it was in
            raise
        finally:
            for layer, method, before in reversed(borrowed):
                if before is _MISSING:
                    object.__delattr__(layer, method)
                else:
                    object.__setattr__(layer, method, before)
            for layer, kept in losses:
                layer._losses[:] = kept


def _name_scopes() -> list[Any]:
    """Return Keras' stack of open name scopes, of this thread."""
    from keras.src.backend.common import global_state

    found: list[Any] = global_state.get_global_attribute(
        "name_scope_stack", default=[], set_to_default=True
    )
    return found


def _unique(model: keras.Model) -> Iterator[tuple[str, keras.layers.Layer]]:
    """Yield every layer object once, under its first path; equal paths are numbered ~2, ~3."""
    seen: set[int] = set()
    paths: Counter[str] = Counter()
    for path, layer in walk_layers(model):
        if id(layer) not in seen:
            seen.add(id(layer))
            paths[path] += 1
            yield (path if paths[path] == 1 else f"{path}~{paths[path]}"), layer


def _loss_keepers(model: keras.Model) -> Iterator[Any]:
    yield from (layer for _, layer in [("", model), *_unique(model)] if hasattr(layer, "_losses"))


def _methods(layer: keras.layers.Layer) -> tuple[str, ...]:
    """Return the names of the methods Keras may call to run the layer."""
    quantized = getattr(layer, "quantization_mode", None) is not None
    return ("call", "quantized_call") if quantized else ("call",)


def _unwrapped(call: Any) -> Any:
    """Return what a `tf.function` does, to trace it in line: a graph of its own hides layers."""
    import tensorflow as tf

    if not isinstance(call, tf.types.experimental.PolymorphicFunction):
        return call
    try:
        return tf.autograph.to_graph(call.python_function)
    except Exception:  # its source cannot be read: only its loops over tensors would need that
        return call.python_function


def _of_its_own(output: Any) -> Any:
    """Return another tensor for the output of a layer that hands its input through.

    Dropout does, outside training. What lies beside such a layer is none of its output.
    """
    import tensorflow as tf

    masked = getattr(output, "_keras_mask", None) is not None  # would be lost
    return output if masked else tf.identity(output)


def _splits_heads(layer: keras.layers.Layer, args: tuple[Any, ...], output: Any) -> bool:
    """Tell the parts of an attention layer whose output only looks like a stack of maps."""
    given = getattr(args[0], "shape", ()) if args else ()
    return type(layer).__name__ == "EinsumDense" and len(given) < len(output.shape) == 4


def _belongs_here(tensor: Any) -> bool:
    import tensorflow as tf

    return getattr(tensor, "graph", None) is tf.compat.v1.get_default_graph()


def after_activation(visit: LayerCall, visits: list[LayerCall]) -> Any:
    """Return the tensor after a layer's own non-linearity, or None if it has none.

    That is the layer's output where it activates or pools itself, otherwise what follows it
    through batch normalisation and an activation: whether a filter is silent is decided there.
    """
    own = getattr(getattr(visit.layer, "activation", None), "__name__", "linear")
    if own != "linear" or "Pool" in visit.kind or visit.kind in _ACTIVATIONS:
        return visit.output
    tensor = visit.output
    for _ in range(3):
        after = [other for other in visits if _same(other.source, tensor)]
        for other in after:
            if other.kind in _ACTIVATIONS:
                return other.output
        rectified = [op for op in tensor.consumers() if op.type in _RELU_OPS]
        if rectified:
            return rectified[0].outputs[0]
        norms = [other for other in after if "Normalization" in other.kind]
        if not norms:
            return None
        tensor = norms[0].output
    return None


def _same(source: Any, tensor: Any) -> bool:
    if source is tensor:
        return True
    op = getattr(source, "op", None)
    return op is not None and op.type in ("Cast", "Identity") and op.inputs[0] is tensor
