"""Fixtures: a tiny network with class names, three pictures, an explorer of both."""

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw


@pytest.fixture(scope="module")
def net(keras):
    return cw.Network(tiny(keras), preprocess="none", class_names=["ape", "bee", "<cow>", "dog"])


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(1)
    return {name: rng.integers(0, 256, (24, 30, 3), np.uint8) for name in ("one", "two", "three")}


@pytest.fixture
def explorer(net, pictures):
    made = cw.CNNExplorer(net, pictures)
    yield made
    made.close()
