"""Whatever is asked of a user's model, it stays what it was, and so do all random generators.

Each public function that takes a network is called three times: to its end, stopped by its own
progress function, and failing while photographs are prepared for the network.
"""

import hashlib
import importlib
import inspect
import pkgutil
import random
from concurrent.futures import CancelledError
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.networks import fingerprint

import cnn_widgets as cw
from cnn_widgets import (
    attribution,
    auditing,
    evaluation,
    excitation,
    executing,
    filter_index,
    publishing,
    shortcuts,
    stability,
    training,
)

NAMES = ["Egyptian cat", "espresso", "badger", "missile"]  # those that `pointing` asks about


class Wrong(RuntimeError):
    """Raised while photographs are prepared."""


def written(s):
    return s.place / f"{next(s.numbers)}"


#: Every public function that takes a network: what is called with it, and with its progress.
CALLS = {
    "attribution.attribute": lambda net, s, **p: cw.attribute(net, s.one, "rise", 0, masks=8, **p),
    "attribution.film_strip": lambda net, s, **p: attribution.film_strip(net, s.one, **p),
    "attribution.stream": lambda net, s: list(cw.stream(net, s.pictures)),
    "auditing.audit": lambda net, s, **p: cw.audit(net, s.pairs, out=written(s), **p),
    "auditing.write_page": lambda net, s: auditing.write_page(
        s.audit, net, s.images, written(s), 3
    ),
    "concepts.concept": lambda net, s, **p: cw.concept(
        net, s.pictures[:5], s.pictures[5:11], s.pictures[11:14], NAMES[0], runs=20, **p
    ),
    "concepts.parts": lambda net, s, **p: cw.parts(
        net, s.pictures[:4], NAMES[0], count=2, samples=4, **p
    ),
    "data_checks.odd_ones_out": lambda net, s, **p: cw.odd_ones_out(net, s.pictures, **p),
    "evaluation.beside_chance": lambda net, s, **p: evaluation.beside_chance(
        net, s.map, steps=3, **p
    ),
    "evaluation.check_input": lambda net, s, **p: evaluation.check_input(net, [s.one], **p),
    "evaluation.curves": lambda net, s, **p: evaluation.curves(net, s.one, s.map, steps=3, **p),
    "evaluation.pointing": lambda net, s, **p: evaluation.pointing(net, ["saliency"], **p),
    "evaluation.rank": lambda net, s, **p: evaluation.rank(
        net, s.one, ["grad-cam", "saliency"], steps=3, **p
    ),
    "evaluation.sanity_check": lambda net, s, **p: evaluation.sanity_check(
        net, s.one, steps=2, **p
    ),
    "excitation.dream": lambda net, s, **p: cw.dream(net, s.one, "c2", octaves=1, steps=2, **p),
    "excitation.excite": lambda net, s, **p: cw.excite(net, "c2", 0, steps=3, **p),
    "excitation.exciting_patches": lambda net, s, **p: excitation.exciting_patches(
        net, s.pictures, "c1", 1, **p
    ),
    "excitation.response": lambda net, s: excitation.response(net, s.one, "c2", [1]),
    "executing.pack": lambda net, s: executing.pack(net, str(written(s))),
    "experiments.ablate": lambda net, s: cw.ablate(net, s.one, "c2", [0, 1]),
    "experiments.occlude": lambda net, s, **p: cw.occlude(
        net, s.one, (0, 0, 4, 4), "noise", controls=10, **p
    ),
    "experiments.patch_activations": lambda net, s: cw.patch_activations(net, s.one, "c2", s.other),
    "experiments.shared_evidence": lambda net, s: cw.shared_evidence(net, s.one),
    "experiments.smallest_change": lambda net, s, **p: cw.smallest_change(
        net, s.one, "region", cells=(3, 3), **p
    ),
    "experiments.trace_cell": lambda net, s: cw.trace_cell(net, s.one, "c2", 3, 3, 1),
    "experiments.votes": lambda net, s, **p: cw.votes(net, s.one, "c1", **p),
    "filter_index.filters_section": lambda net, s: filter_index.filters_section(
        s.index, net, s.images
    ),
    "filter_index.index_filters": lambda net, s, **p: cw.index_filters(net, s.pairs, **p),
    "publishing.publish": lambda net, s, **p: publishing.publish(
        net, [s.one], f"{written(s)}.html", layers=["c2"], classes=1, **p
    ),
    "regression.check_against": lambda net, s, **p: cw.check_against(
        net, s.pictures, s.evidence, **p
    ),
    "regression.keep_evidence": lambda net, s, **p: cw.keep_evidence(
        net, s.pictures, written(s), **p
    ),
    "shortcuts.find_shortcuts": lambda net, s, **p: cw.find_shortcuts(
        net, s.pairs, only=NAMES[0], **p
    ),
    "shortcuts.shortcuts_section": lambda net, s: shortcuts.shortcuts_section(
        s.shortcuts, net, s.pairs
    ),
    "stability.robustness": lambda net, s, **p: stability.robustness(
        net, s.pictures[:4], changes=["noise"], **p
    ),
    "training.compare_networks": lambda net, s, **p: training.compare_networks(
        net, s.twin, s.pictures[:6], **p
    ),
}

#: What prepares no photograph for the network here, so that this cannot fail.
UNPREPARED = ("executing.pack", "filter_index.filters_section", "shortcuts.shortcuts_section")


@pytest.fixture(scope="module")
def model(keras):
    """A model in the middle of its training, with layers that draw random numbers."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    made = keras.Sequential([
        keras.Input((16, 16, 3)),
        layers.Conv2D(6, 3, activation="relu", padding="same", name="c1"),
        layers.BatchNormalization(), layers.Dropout(0.5), layers.GaussianNoise(0.1),
        layers.Conv2D(8, 3, activation="relu", padding="same", name="c2",
                      kernel_regularizer="l2"),
        layers.GlobalAveragePooling2D(), layers.Dense(4, activation="softmax"),
    ])  # fmt: skip
    made.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    x = np.random.default_rng(0).random((32, 16, 16, 3)).astype(np.float32)
    made.fit(x, np.arange(32) % 4, epochs=2, batch_size=8, verbose=0)
    made.get_layer("c1").trainable = False
    return made


@pytest.fixture(scope="module")
def failing():
    """Holds "now", whether preparing photographs fails at present."""
    return {"now": False}


@pytest.fixture(scope="module")
def opened(model, failing):
    """Return a function that opens the model anew."""

    def prepare(pixels):
        if failing["now"]:
            raise Wrong
        return pixels / 255

    return lambda: cw.Network(model, preprocess=prepare, class_names=NAMES)


@pytest.fixture(scope="module")
def given(keras, model, opened, tmp_path_factory):
    """What the functions are given beside the network."""
    pictures = np.random.default_rng(1).integers(0, 200, (32, 16, 16, 3)).astype(np.uint8)
    pairs = [(picture, NAMES[number % 4]) for number, picture in enumerate(pictures)]
    place, net = tmp_path_factory.mktemp("written"), opened()
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    one = cw.load_image(pictures[0])
    cw.keep_evidence(net, pictures, place / "evidence")
    return SimpleNamespace(
        pictures=pictures, pairs=pairs, images=cw.open_images(pairs), one=one,
        other=cw.load_image(pictures[1]), place=place, numbers=iter(range(10**6)),
        evidence=place / "evidence", audit=cw.audit(net, pairs), map=cw.attribute(net, one),
        index=cw.index_filters(net, pairs),
        shortcuts=cw.find_shortcuts(net, pairs, only=NAMES[0]),
        twin=cw.Network(copy, preprocess=lambda x: x / 255, class_names=NAMES),
    )  # fmt: skip


class Unchanged:
    """A model and the random generators of Python, NumPy, TensorFlow and Keras, as they were."""

    def __init__(self, keras, model):
        import tensorflow as tf

        self.tf, self.keras, self.model = tf, keras, model
        random.seed(1)
        np.random.seed(1)
        keras.random.uniform((1,))  # Keras makes its generator when it is first used
        tf.random.set_seed(3)
        self.next_number = float(tf.random.uniform(()))
        tf.random.set_seed(3)
        self.before = self.now()

    def now(self):
        from keras.src.backend.common.global_state import get_global_attribute

        drawn = get_global_attribute("global_seed_generator").state
        config = self.keras.config
        return {
            "model": fingerprint(self.model),
            "weights": [hashlib.sha256(np.asarray(w)).hexdigest() for w in self.model.weights],
            "optimizer": [np.asarray(v).tolist() for v in self.model.optimizer.variables],
            "trainable": [each.trainable for each in (*self.model.layers, *self.model.variables)],
            "Python's numbers": random.getstate(),
            "NumPy's numbers": tuple(map(str, np.random.get_state())),
            "Keras' numbers": np.asarray(drawn).tolist(),
            "settings": (config.floatx(), config.image_data_format(), config.dtype_policy().name,
                         self.tf.config.functions_run_eagerly()),
        }  # fmt: skip

    def check(self):
        now = self.now()
        for name, value in self.before.items():
            assert now[name] == value, name
        assert float(self.tf.random.uniform(())) == self.next_number, "TensorFlow's numbers"
        self.tf.random.set_seed(3)


def asked(name):
    package, function = name.split(".")
    return getattr(importlib.import_module(f"cnn_widgets.{package}"), function)


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_a_model_and_the_random_generators_stay_what_they_were(
    keras, model, opened, given, failing, monkeypatch, name
):
    call, net, held = CALLS[name], opened(), Unchanged(keras, model)
    reports, told = "progress" in inspect.signature(asked(name)).parameters, []
    call(net, given, **({"progress": lambda *_: told.append(1) or True} if reports else {}))
    held.check()
    if reports:  # in the middle of its work; one that reports once only is stopped there
        net, left = opened(), max(1, len(told) // 2)

        def stopped(*_):
            nonlocal left
            left -= 1
            return left > 0

        with pytest.raises(CancelledError):
            call(net, given, progress=stopped)
        held.check()
    if name not in UNPREPARED:
        net = opened()
        monkeypatch.setitem(failing, "now", True)
        with pytest.raises(Wrong):
            call(net, given)
        held.check()


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_a_keras_model_in_place_of_a_network_is_told_from_it(model, given, name):
    with pytest.raises(TypeError, match=r"Expected a Network: net = cw\.load_network"):
        CALLS[name](model, given)


def test_a_stream_that_is_left_early_changes_nothing(keras, model, opened, given):
    held = Unchanged(keras, model)
    stream = cw.stream(opened(), given.pictures)
    next(stream)
    stream.close()
    held.check()


def test_every_public_function_that_takes_a_network_is_called_here():
    found = set()
    for package in pkgutil.iter_modules(cw.__path__):
        module = importlib.import_module(f"cnn_widgets.{package.name}")
        for name in getattr(module, "__all__", ()):
            function = getattr(module, name)
            if inspect.isfunction(function) and {"net", "before"} & set(
                inspect.signature(function).parameters
            ):
                found.add(f"{package.name}.{name}")
    assert found == set(CALLS)


def test_a_change_of_each_kind_is_noticed(keras, model):
    """Else all of the above could pass whatever happens."""
    layer, variable = model.get_layer("c2"), model.optimizer.variables[-1]
    kept = np.asarray(variable).copy()
    changes = {
        "Python's numbers": (random.random, lambda: None),
        "NumPy's numbers": (np.random.random, lambda: None),
        "Keras' numbers": (lambda: keras.random.uniform((1,)), lambda: None),
        "TensorFlow's numbers": (lambda: __import__("tensorflow").random.uniform(()),
                                 lambda: None),
        "trainable": (lambda: setattr(layer, "trainable", False),
                      lambda: setattr(layer, "trainable", True)),
        "weights": (lambda: layer.bias.assign_add(np.ones(8)),
                    lambda: layer.bias.assign_sub(np.ones(8))),
        "optimizer": (lambda: variable.assign(kept + 1), lambda: variable.assign(kept)),
    }  # fmt: skip
    said = dict.fromkeys(("trainable", "weights", "optimizer"), "model")  # it is compared first
    for name, (change, back) in changes.items():
        held = Unchanged(keras, model)
        held.check()
        change()
        with pytest.raises(AssertionError, match=f"^({said.get(name, name)})"):
            held.check()
        back()
