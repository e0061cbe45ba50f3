"""Fixtures: an explorer of the bundled network, and a small one."""

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw


@pytest.fixture
def explorer(lite0):
    made = cw.CNNExplorer(lite0)
    yield made
    made.close()


@pytest.fixture
def small(keras):
    """An explorer on a tiny network, with two pictures of its own."""
    rng = np.random.default_rng(1)
    pictures = {name: rng.integers(0, 256, (24, 30, 3), np.uint8) for name in ("one", "two")}
    net = cw.Network(tiny(keras), preprocess="none", class_names=["a", "b", "c", "<i>d</i>"])
    made = cw.CNNExplorer(net, pictures)
    yield made
    made.close()
