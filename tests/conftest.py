"""Tiny seeded networks, and the one bundled network of the whole run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.attribution.methods import QUICK
from cnn_widgets.environment import tensorflow

#: Methods that take one or two passes.
FAST = list(QUICK)


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

    return keras


@pytest.fixture(scope="session")
def lite0():
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


def tiny(keras, head="softmax", classes=4, size=(16, 12), channels=3, seed=0, dtype=None):
    """Return a functional CNN: Conv-BN-ReLU, pool, Conv with its own ReLU, GAP, Dense."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    inputs = keras.Input((*size, channels), dtype=dtype)
    x = layers.Conv2D(6, 3, padding="same", name="conv1")(inputs)
    x = layers.BatchNormalization(name="bn1")(x)
    x = layers.ReLU(name="relu1")(x)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="conv2")(x)
    x = layers.GlobalAveragePooling2D(name="gap")(x)
    outputs = layers.Dense(classes, activation=head, name="dense")(x)
    return keras.Model(inputs, outputs, name="tiny")


@pytest.fixture
def tiny_model(keras):
    return tiny(keras)


@pytest.fixture
def tiny_net(tiny_model):
    return cw.Network(tiny_model, preprocess="none")


def fingerprint(model):
    """Return a digest of all that must not change in a user's model.

    Every variable (of the optimiser, metrics and random generators too), the configuration, and
    of every layer what it is made of: its attributes, its `call`, whether it is trainable.
    """
    digest = hashlib.sha256()
    optimizer = getattr(model, "optimizer", None)
    for variable in [*model.variables, *(optimizer.variables if optimizer else ())]:
        values = np.asarray(variable)
        digest.update(f"{variable.path}{values.dtype}{variable.trainable}".encode())
        digest.update(values.tobytes())
    for layer in model._flatten_layers():
        own = {
            name: repr(value)
            for name, value in layer.__dict__.items()
            if name in ("call", "quantized_call")
        }
        activation = getattr(getattr(layer, "activation", None), "__name__", None)
        losses = len(getattr(layer, "_losses", ()))
        nodes = len(layer._inbound_nodes), len(layer._outbound_nodes)
        parts = layer.name, layer.trainable, layer.built, layer.dtype_policy.name, activation
        digest.update(f"{parts}{own}{losses}{nodes}{sorted(layer.__dict__)}".encode())
    with contextlib.suppress(NotImplementedError):  # a subclassed model may have none
        digest.update(json.dumps(model.get_config(), default=str, sort_keys=True).encode())
    compiled = ("train_function", "test_function", "predict_function", "optimizer", "_loss_tracker")
    state = [(name, id(getattr(model, name, None))) for name in compiled]
    digest.update(f"{model.compiled}{state}".encode())
    return digest.hexdigest()
