"""Fixtures: the one bundled network of the whole run, small seeded ones, explorers on them."""

from __future__ import annotations

import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest
from helpers.chromium import browser, folder  # noqa: F401  (fixtures)
from helpers.explored import (  # noqa: F401  (fixtures)
    explorer,
    fresh,
    kept,
    kept_wide,
    lent,
    many,
    wide,
)
from helpers.hostile_server import resolve, server  # noqa: F401  (fixtures)
from helpers.networks import tiny
from helpers.pictures import picture  # noqa: F401  (a fixture)
from hypothesis import given
from hypothesis.strategies import just

import cnn_widgets as cw
from cnn_widgets.environment import tensorflow

#: The packages whose examples run only where everything does.
LONG_EXAMPLES = (
    "cnn_widgets.auditing",
    "cnn_widgets.engine",
    "cnn_widgets.evaluation",
    "cnn_widgets.heads",
    "cnn_widgets.explorer",
    "cnn_widgets.filter_index",
    "cnn_widgets.further_checks",
    "cnn_widgets.layer_gradients",
    "cnn_widgets.shortcuts",
    "cnn_widgets.stability",
    "cnn_widgets.attribution",
    "cnn_widgets.panels",
    "cnn_widgets.pointing",
    "cnn_widgets.records",
    "cnn_widgets.rendering",
    "cnn_widgets.scenes",
    "cnn_widgets.data_checks",
    "cnn_widgets.regression",
    "cnn_widgets.excitation",
    "cnn_widgets.concepts",
    "cnn_widgets.training",
    "cnn_widgets.experiments",
    "cnn_widgets.workbench",
    "cnn_widgets.classroom",
    "cnn_widgets.publishing",
    "cnn_widgets.lessons",
    "cnn_widgets.setting_up",
)
#: Folders' conftests hold fixtures, no examples; read for examples, their one name would clash.
collect_ignore_glob = ["conftest.py", "*/conftest.py"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark long examples slow, and let a browser test that fails be tried a second time.

    Examples that judge or compare maps on the whole network take seconds each. A browser may lose a
    key or a click on a busy machine; the summary names each test that needed its second try, and
    `.ci/run` allows three of them.
    """
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if isinstance(item, pytest.DoctestItem) and item.name.startswith(LONG_EXAMPLES):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _doctest_names(doctest_namespace, request, monkeypatch):
    doctest_namespace["cw"] = cw
    doctest_namespace["np"] = np
    if isinstance(request.node, pytest.DoctestItem):  # one loading is enough for all examples
        load = cw.load_network
        monkeypatch.setattr(
            cw,
            "load_network",
            lambda *given, **options: (
                load(*given, **options) if given or options else request.getfixturevalue("lite0")
            ),
            raising=False,
        )


@pytest.fixture(scope="session")
def keras():
    tensorflow()
    import keras

    _hypothesis_has_begun()
    gc.collect()
    gc.freeze()  # 400,000 objects that stay to the end; looking through them again takes long
    return keras


@given(just(None))
def _hypothesis_has_begun(_):
    """Let Hypothesis make its random generator: it warns if freezing hides what refers to that."""


@pytest.fixture(scope="session")
def lite0(keras):
    """The bundled network with its real weights."""
    return cw.load_network()


@pytest.fixture(scope="session")
def gallery():
    return cw.gallery()


@pytest.fixture
def photo():
    """A small seeded picture that is not square."""
    rng = np.random.default_rng(7)
    return cw.load_image(rng.integers(0, 256, (20, 30, 3), np.uint8), name="photo")


@pytest.fixture
def tiny_model(keras):
    return tiny(keras)


@pytest.fixture
def tiny_net(tiny_model):
    return cw.Network(tiny_model, preprocess="none")


@pytest.fixture(scope="module")
def by_hand(keras):
    """The network worked by hand: two all-ones 3×3 filters with bias on 0…15, then a column."""
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(2, 3, name="conv"),
            layers.ReLU(name="relu"),
            layers.Flatten(),
            layers.Dense(1, use_bias=False, name="score"),
        ]
    )
    model.get_layer("conv").set_weights([np.ones((3, 3, 1, 2)), np.array([-50.0, -75.0])])
    model.get_layer("score").set_weights(
        [np.array([1, 1, 1, -1, 1, -1, 1, -1], np.float32)[:, None]]
    )
    return model


@pytest.fixture(scope="module")
def steps():
    return cw.load_image(np.arange(16, dtype=np.uint8).reshape(4, 4))
