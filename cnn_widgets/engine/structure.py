"""What a model's answers depend on beside the values of its weights: its layers and their settings.

A traced graph holds what a layer's Python code did when it was traced. An activation function that
is replaced, LoRA that is enabled, the statistics of a `Normalization` layer, which are constants in
the graph, or another layer at the end of a `Sequential` model leave that graph as it was.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from functools import cache
from itertools import chain
from operator import is_, itemgetter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_widgets.engine.taps import TRACE_LOCK
from cnn_widgets.environment import tensorflow

if TYPE_CHECKING:
    import keras

#: Arrays of up to this many numbers are compared by value, larger ones by whether it is the same.
MOST_NUMBERS = 250_000
#: Lists of up to this many entries in all are compared entry by entry, and this many levels deep.
MOST_ENTRIES, LEVELS = 1000, 4
# What Keras sets itself while a model is built, loaded, compiled or trained.
_NO_SETTINGS = (
    {"build", "built", "call_signature_parameters", "quantize"}
    | {"is_awq_calibrated", "is_gptq_calibrated"}  # their weights are other ones, too
    | {"compiled", "history", "loss", "loss_weights", "optimizer"}
    | {"predict_function", "test_function", "train_function"}
    | {"steps_per_execution", "unrolled_steps_per_execution"}
    | {"stop_evaluating", "stop_predicting", "stop_training"}
)
_PLAIN = frozenset({type(None), bool, int, float, complex, str, bytes})
# Ends of the names of what only training reads.
_ONLY_TRAINING = ("_initializer", "_regularizer", "_constraint")


class _Itself:
    """An object that equals no other, whatever its own `==` says; kept, so that its id is, too."""

    def __init__(self, what: Any) -> None:
        self._what = what

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and self._what is other._what

    def __hash__(self) -> int:
        return id(self._what)


class Structure:
    """Notices that a model no longer is what it was, apart from the values of its weights.

    Compared are the layers, which variables they have, and their settings: the public attributes
    of each layer and its dtype policy. Numbers, texts, small arrays and lists of them are compared
    by value, so that statistics that are loaded again change nothing; other objects by identity.
    What lies inside another object than a dataclass or a `SimpleNamespace` is not seen.

    Parameters
    ----------
    model : keras.Model
    before : Structure, optional
        What was read before the model was traced. Attributes that tracing has changed are written
        by the model's own calls (a counter, the last output): they are no settings.
    """

    def __init__(self, model: keras.Model, before: Structure | None = None) -> None:
        self._model = model
        self._written = frozenset[Any]()
        with TRACE_LOCK:  # taps are attributes, too
            self._known = self._read()
            if before is not None:
                was, now = before._known, self._known
                moved = (key for key in was | now if was.get(key) != now.get(key))
                self._written = frozenset(key for key in moved if isinstance(key, tuple))
                self._known = self._read()
            self._remember()

    def changed(self, closely: bool) -> bool:
        """Return whether the model has changed since this was made.

        Lists that were changed in place, those of the layers apart, are seen `closely` only.
        """
        if not closely and self._as_remembered():
            return False
        if self._read() != self._known:
            with TRACE_LOCK:  # another thread's taps may have been the difference
                if self._read() != self._known:
                    return True
        self._remember()
        return False

    def _layers(self) -> list[Any]:
        return list({id(each): each for each in self._model._flatten_layers()}.values())

    def _settings(self, layer: Any) -> dict[str, Any]:
        """Return the attributes of a layer that count."""
        from keras import Variable

        return {
            name: value
            for name, value in list(vars(layer).items())
            if (_is_setting(name) or isinstance(value, Variable))
            and (id(layer), name) not in self._written
        }

    def _read(self) -> dict[Any, Any]:
        """Return all that counts, as what can be compared."""
        layers = self._layers()
        found: dict[Any, Any] = {
            "layers": [_Itself(each) for each in layers],
            "weights": [_Itself(each) for each in self._model.weights],
        }
        for layer in layers:
            for name, value in self._settings(layer).items():
                found[id(layer), name] = _comparable(value)
        return found

    def _remember(self) -> None:
        """Keep the objects that `_as_remembered` looks for."""
        layers = self._layers()
        settings = [self._settings(each) for each in layers]
        self._places = [vars(each) for each in layers]
        self._sizes = [len(each) for each in self._places]
        self._getters = [
            (itemgetter(*names, *names), vars(layer))  # of one name alone it returns no tuple
            if len(names) == 1
            else (itemgetter(*names), vars(layer))
            for layer, names in zip(layers, settings, strict=True)
            if names
        ]
        self._objects = list(chain.from_iterable(get(place) for get, place in self._getters))
        self._children = [(each._layers, tuple(each._layers)) for each in layers if each._layers]

    def _as_remembered(self) -> bool:
        """Return whether every setting is the same object; in well below 0.1 ms."""
        try:
            now = chain.from_iterable([get(place) for get, place in self._getters])
            return (
                all(map(is_, now, self._objects))
                and list(map(len, self._places)) == self._sizes
                and all(tuple(now) == before for now, before in self._children)
            )
        except KeyError:  # an attribute was deleted
            return False


@cache
def _is_setting(name: str) -> bool:
    """Return whether an attribute of this name counts, whatever it is."""
    if name.startswith("_"):
        return name == "_dtype_policy"
    return name not in _NO_SETTINGS and not name.endswith(_ONLY_TRAINING)


@cache
def _array_types() -> tuple[type, ...]:
    return np.ndarray, np.generic, tensorflow().__internal__.EagerTensor


def _comparable(value: Any, most: int = MOST_ENTRIES, levels: int = LEVELS) -> Any:
    """Return what equals the same of an equal value, and of no other."""
    if type(value) in _PLAIN:
        return type(value), repr(value)  # NaN equals itself, and 1 is not True
    if isinstance(value, _array_types()) and _is_readable(value):
        array = np.asarray(value)
        return array.dtype, array.shape, array.tobytes()
    entries: Any = value
    if isinstance(value, SimpleNamespace) or dataclasses.is_dataclass(type(value)):
        entries = {name: getattr(value, name, None) for name in _fields(value)}
    if isinstance(entries, list | tuple | Mapping) and levels and len(entries) <= most:
        every = list(entries.items() if isinstance(entries, Mapping) else entries)
        most //= max(1, len(every))
        return type(value), [_comparable(each, most, levels - 1) for each in every]
    return _Itself(value)


def _is_readable(array: Any) -> bool:
    """Return whether an array is small and of numbers; texts and handles of variables are not."""
    kind = array.dtype
    if isinstance(kind, np.dtype):
        of_numbers = kind.kind in "biufc"
    else:
        of_numbers = kind.is_floating or kind.is_integer or kind.is_bool
    return of_numbers and math.prod(array.shape) <= MOST_NUMBERS


def _fields(value: Any) -> list[str]:
    """Return the names of what a dataclass or a `SimpleNamespace` holds."""
    if isinstance(value, SimpleNamespace):
        return list(vars(value))
    return [field.name for field in dataclasses.fields(value)]
