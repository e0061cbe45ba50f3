"""Fixtures: small explorers for tests of what is pointed at, marked and told; none has a page."""

from __future__ import annotations

import numpy as np
import pytest

import cnn_widgets as cw
from helpers.networks import tiny


def pictures():
    """Return a photograph wider than the tiny network's input, 16×12, and a narrower one."""
    rng = np.random.default_rng(1)
    sizes = {"one": (24, 30, 3), "portrait": (60, 20, 3)}
    return {name: rng.integers(0, 256, size, np.uint8) for name, size in sizes.items()}


@pytest.fixture(scope="module")
def lent(keras):
    """A network that nobody changes; it is compiled once for all tests of a file."""
    return cw.Network(tiny(keras), preprocess="none", class_names=["a", "b", "c", "d"])


@pytest.fixture
def fresh(lent):
    """An explorer that may be closed, and may be given further pictures."""
    made = cw.CNNExplorer(lent, pictures())
    yield made
    made.close()


@pytest.fixture(scope="module")
def kept(lent):
    made = cw.CNNExplorer(lent, pictures())
    yield made, made.state.values()
    made.close()


@pytest.fixture
def explorer(kept):
    """One explorer for all tests of a file, as it was at the start."""
    return as_it_was(*kept)


def as_it_was(made, values):
    """Return an explorer whose state is put back to these values."""
    made.state.update(**values)
    made.last_error = None
    return made


@pytest.fixture(scope="module")
def many(keras):
    """A network with 110 filters in its layer "wide", of maps 4×10."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = keras.Input((4, 10, 3))
    x = layers.Conv2D(110, 3, padding="same", activation="relu", name="wide")(inputs)
    outputs = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return cw.Network(keras.Model(inputs, outputs, name="many"), preprocess="none")


@pytest.fixture(scope="module")
def kept_wide(many):
    made = cw.CNNExplorer(many, pictures())
    yield made, made.state.values()
    made.close()


@pytest.fixture
def wide(kept_wide):
    """One explorer of many filters for all tests of a file, as it was at the start."""
    return as_it_was(*kept_wide)
