"""Fixtures: gates, other threads, and explorers for them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.gates import Gate, explored
from helpers.networks import tiny

import cnn_widgets as cw


@pytest.fixture
def gate():
    made = Gate()
    yield made
    made.open()


@pytest.fixture
def aside():
    """Run things in another thread: `aside(function, …).result(seconds)`."""
    with ThreadPoolExecutor(2) as pool:
        yield pool.submit


@pytest.fixture
def model(keras):
    return tiny(keras)


@pytest.fixture(scope="module")
def lent(keras):
    """A network whose weights nobody changes; it is compiled once for all."""
    return cw.Network(tiny(keras), preprocess="none")


@pytest.fixture
def explorer(lent):
    made = explored(lent)
    yield made
    made.close()


@pytest.fixture
def learning(model):
    """An explorer on a model that is trained meanwhile."""
    made = explored(cw.Network(model, preprocess="none"))
    yield made
    made.close()
