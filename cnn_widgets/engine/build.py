"""Builds the engine of a model, after a second look at an output that shows no softmax.

This stands apart from `model_outputs`, which the graph needs, because it has to run the engine.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cnn_widgets.engine.compiled import Engine
from cnn_widgets.engine.model_inputs import ModelInput

if TYPE_CHECKING:
    import keras


def build_engine(
    model: keras.Model,
    model_input: ModelInput,
    output: int | str | None,
    head: str | None,
    names: Sequence[str] | None,
) -> Engine:
    """Return the engine of a model.

    Where the user does not say what the output is (`head`) and no softmax or sigmoid is found: one
    value with two class names is a binary logit, and outputs that add up to one are probabilities
    already (an average of softmaxes, for instance).

    Raises
    ------
    ValueError
        If the model cannot be run on one image, with its own reason in one line.
    """
    try:
        engine = Engine(model, model_input, output, head)
    except Exception as error:  # whatever the model's own code raises
        if (reason := _model_error_reason(error)) is None:
            raise
        raise ValueError(f"Model {model.name!r} cannot be run on one image: {reason}") from error
    if head is not None or engine.head.kind not in ("values", "logits"):
        return engine
    if engine.head.kind == "values":
        two = names is not None and len(names) == 2
        return Engine(model, model_input, output, "logits") if two else engine
    if _sums_to_one(engine, model_input):
        return Engine(model, model_input, output, "probabilities")
    return engine


def _sums_to_one(engine: Engine, model_input: ModelInput) -> bool:
    """Tell whether the outputs for a grey and a random picture are probabilities already."""
    random = np.random.default_rng(0).integers(0, 256, (1, *model_input.shape), np.uint8)
    for picture in (np.full_like(random, 127), random):
        scores = engine.observe(model_input.prepare(picture), ()).scores[0]
        if (scores < 0).any() or not abs(float(scores.sum()) - 1) < 1e-3:
            return False
    return True


def _model_error_reason(error: Exception) -> str | None:
    """Return what went wrong inside a model in one line; None for an error from elsewhere."""
    text = str(error)
    if isinstance(error, TypeError) and text.startswith("missing a required argument"):
        return f"its call takes more than that, {text}."
    if not text.startswith("Exception encountered when calling"):
        return None
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text).partition("Arguments received by")[0]
    return " ".join(plain.partition("\n")[2].split())[:400]
