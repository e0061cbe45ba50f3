"""Builds the engine of a model, running it where its graph alone does not tell enough.

This is not part of `heads` because it needs an engine, which itself needs that package.
`PrivateEngine` runs the graph of another engine on a copy of the weights, so that an experiment can
change weights without changing the user's model. No model is rebuilt from its configuration, so
this works for subclassed and nested models, too.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.model_inputs import SEVERAL
from cnn_widgets.heads import OutputChoice
from cnn_widgets.images.network_input import ModelInput

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class PrivateWeight:
    """One weight of a `PrivateEngine`.

    Attributes
    ----------
    path : str
        The weight's path in the model.
    variable : tf.Variable
        The copy that the engine reads in place of the model's weight.
    """

    path: str
    variable: Any

    @property
    def layer(self) -> str:
        """The path of the layer that the weight belongs to."""
        return self.path.rpartition("/")[0]

    def read(self) -> NDArray[Any]:
        """Return the values of the copy."""
        return np.asarray(self.variable)

    def write(self, values: NDArray[Any]) -> None:
        """Set the values of the copy, in the weight's own shape."""
        self.variable.assign(values)


class PrivateEngine(Engine):
    """An engine with the traced graph of another one and its own copy of the weights.

    Parameters
    ----------
    engine : Engine
        The engine to copy; it and its model are not changed.

    Attributes
    ----------
    weights : list of PrivateWeight
        The weights that the scores depend on, in the order in which the graph reads them, from
        input to scores.
    """

    def __init__(self, engine: Engine) -> None:
        self.__dict__.update(copy.copy(engine).__dict__)
        self._traces, self.replacements = {}, {}
        self.weights: list[PrivateWeight] = []
        known = {id(weight.value.handle): weight for weight in self.model.weights}
        for handle in engine._observe(()).captured:  # without layers: only what the scores need
            weight = known.get(id(handle))
            if weight is not None:
                variable = self._tf.Variable(weight.value, trainable=False)
                self.replacements[id(handle)] = variable.handle
                self.weights.append(PrivateWeight(weight.path, variable))


def build_engine(model: keras.Model, model_input: ModelInput, choice: OutputChoice) -> Engine:
    """Return the engine of a model, whose head is decided from the graph alone.

    Parameters
    ----------
    model : keras.Model
    model_input : ModelInput
        The description of its input; how pixels are preprocessed need not be known yet.
    choice : OutputChoice
        Which scores are looked at.

    Raises
    ------
    ValueError
        If the model cannot be run on one image; the message quotes the model's own error.
    """
    try:
        return Engine(model, model_input, choice)
    except Exception as error:  # the model's own code may raise anything
        if (reason := _model_error_reason(error)) is None:
            raise
        hint = "" if getattr(model, "inputs", None) else f" {SEVERAL}"
        raise ValueError(
            f"Model {model.name!r} cannot be run on one image: {reason.rstrip('.')}.{hint}"
        ) from error


def settled(
    engine: Engine,
    model_input: ModelInput,
    choice: OutputChoice,
    names: Sequence[str] | None,
) -> Engine:
    """Return an engine in which is settled what only running the model once can tell.

    If no head is chosen and the graph ends without a softmax or sigmoid, then a single output value
    with two class names is taken as the probability of the second class if it is certain to lie
    between 0 and 1, else as its logit, and outputs that add up to 1 are taken as probabilities
    (for instance scores divided by their sum). A random picture tells which
    layer the default is where a class token carries the score. Where the graph may mix the
    pictures of a batch one is asked for alone and together with another.

    Parameters
    ----------
    engine : Engine
        The result of `build_engine` for the same choice.
    model_input : ModelInput
        The description of the model's input, with its preprocessing.
    names : sequence of str or None
        The class names, if known.
    """
    kind, between, head = None, False, engine.head
    binary = head.kind == "values" and names is not None and len(names) == 2
    if choice.head is None and (binary or head.kind == "logits"):
        tried = _trial_scores(engine, model_input)
        between = bool((tried >= 0).all() and (tried <= 1).all())
        sums_to_one = between and bool((abs(tried.sum(axis=1) - 1) < 1e-3).all())
        if binary:
            kind = "probabilities" if head.within_one else "logits"
        elif sums_to_one:
            kind = "probabilities"
    if kind is not None:
        engine = Engine(engine.model, model_input, replace(choice, head=kind))
    if between and kind != "probabilities":
        engine.notes.append(
            "For four trial pictures the outputs lay between 0 and 1. If they are probabilities, "
            "say head='probabilities'."
        )
    engine = engine.beside(model_input.typical())
    _settle_default(engine, model_input)
    if note := _variation(engine, model_input):
        engine.notes.append(note)
    return engine


def _settle_default(engine: Engine, model_input: ModelInput) -> None:
    """Let the default layer be one whose map, not only whose class token, the score is made of.

    Where a class token stands in front of the map, the last blocks of a vision transformer carry
    all of the score in that token alone. The gradient for a random picture tells.
    """
    table = engine.layer_table
    if table.default is None or not table.fields[table.default].before:
        return
    names = engine.reached(table.carriers, "logit")
    x = model_input.prepare(_random_picture(model_input))
    weights = np.random.default_rng(1).normal(size=(1, engine.head.classes)).astype(np.float32)
    found = engine.gradients(names, "logit", x, weights)
    used = [name for name, g in zip(names, found, strict=True) if g.any()]
    engine.graph.layer_table = replace(table, default=used[-1] if used else None)


def _variation(engine: Engine, model_input: ModelInput) -> str | None:
    """Return a note if the scores of a picture are random, or differ in other company."""
    if engine.graph.random is not None:
        return (
            f"A layer stays random (near {engine.graph.random!r}), as with training=True: the "
            "model answers the same photograph differently each time. One such answer is shown."
        )
    if engine.graph.mixing is None or model_input.batch is not None:
        return None
    picture = _random_picture(model_input)
    x, other = (model_input.prepare(each) for each in (picture, picture[:, ::-1] // 2))
    alone = engine.observe(x, ()).scores[0]
    if _alike(alone, engine.observe(np.concatenate([x, other]), ()).scores[0]):
        return None
    return (
        f"A layer follows the batch (near {engine.graph.mixing!r}), as with training=True: the "
        "scores of a photograph depend on those it is asked with. Alone and in a list they differ."
    )


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return bool(np.abs(one - other).max() <= 1e-3 * max(1e-6, float(np.abs(one).max())))


def _random_picture(model_input: ModelInput) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (1, *model_input.shape), np.uint8)


def _trial_scores(engine: Engine, model_input: ModelInput) -> NDArray[np.float32]:
    """Return the scores (4, C) of a black, a grey, a white and a random picture."""
    random = _random_picture(model_input)
    pictures = [*(np.full_like(random, level) for level in (0, 127, 255)), random]
    prepared = [model_input.prepare(picture) for picture in pictures]
    return np.concatenate([engine.observe(each, ()).scores for each in prepared])


def _model_error_reason(error: Exception) -> str | None:
    """Return Keras' message of an error inside a model on one line; None for other errors."""
    text = str(error)
    if isinstance(error, TypeError) and text.startswith("missing a required argument"):
        return f"its call takes more than that, {text}."
    if not text.startswith("Exception encountered when calling"):
        return None
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).partition("Arguments received by")[0]
    return " ".join(plain.partition("\n")[2].split())[:400]
