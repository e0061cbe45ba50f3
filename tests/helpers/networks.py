"""Tiny seeded networks, and a digest of everything that must not change in a model."""

import contextlib
import hashlib
import json
import warnings

import numpy as np

from cnn_widgets.attribution import QUICK

#: Methods that take one or two passes.
FAST = list(QUICK)


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


def nested(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(inputs)
    base = tiny(keras)
    body = keras.Model(base.inputs, base.get_layer("conv2").output, name="body")
    x = keras.layers.GlobalAveragePooling2D()(body(x))
    x = keras.layers.Dropout(0.5)(x)
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x), name="transfer")


def used_twice(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 1, name="first")(inputs)
    shared = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="shared")
    x = keras.layers.GlobalAveragePooling2D()(shared(shared(x)))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def subclassed_nested(keras):
    layers = keras.layers

    class Block(layers.Layer):
        def __init__(self, filters, **kwargs):
            super().__init__(**kwargs)
            self.conv = layers.Conv2D(filters, 3, padding="same", name="conv")
            self.norm = layers.BatchNormalization(name="norm")

        def call(self, x, training=None):
            return keras.ops.relu(self.norm(self.conv(x), training=training))

    class Trunk(keras.Model):
        def __init__(self):
            super().__init__(name="trunk")
            self.blocks = [Block(4, name="block"), Block(5, name="block")]

        def call(self, x, training=None):
            for block in self.blocks:
                x = block(x, training=training)
            return x

    class Whole(keras.Model):
        def __init__(self):
            super().__init__(name="whole")
            self.trunk = Trunk()
            self.head = layers.Dense(3, activation="softmax", name="head")

        def call(self, x, training=None):
            return self.head(keras.ops.mean(self.trunk(x, training=training), axis=(1, 2)))

    keras.utils.set_random_seed(4)
    model = Whole()
    model(np.zeros((1, 16, 12, 3), np.float32))
    return model


def mid_training(keras):
    model = tiny(keras)
    model.compile(
        keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(np.ones((4, 16, 12, 3)), np.arange(4), epochs=1, batch_size=2, verbose=0)
    return model


def quantised(keras, mode="int8"):
    model = tiny(keras)
    with warnings.catch_warnings():  # of each layer that stays as it is
        warnings.simplefilter("ignore")
        model.quantize(mode)
    assert model.get_layer("dense").quantization_mode == mode
    return model


def low_rank(keras):
    model = tiny(keras)
    model.get_layer("dense").enable_lora(2)
    model.get_layer("conv2").enable_lora(2)
    model.get_layer("dense").lora_kernel_b.assign(np.ones((2, 4), np.float32))
    return model
