"""The user's model is borrowed: after every operation, and after any failure, it is as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import (
    FAST,
    fingerprint,
    low_rank,
    mid_training,
    nested,
    quantised,
    subclassed_nested,
    used_twice,
)

import cnn_widgets as cw
from cnn_widgets.attribution.depth_strip import film_strip
from cnn_widgets.engine.tracing import CompiledFunction
from cnn_widgets.environment import tensorflow
from cnn_widgets.evaluation.faithfulness import curves
from cnn_widgets.evaluation.randomization import sanity_check

KINDS = [nested, used_twice, subclassed_nested, mid_training, quantised, low_rank]
SEEN = np.random.default_rng(1).integers(0, 256, (2, 16, 12, 3)).astype(np.float32)


class Held:
    """A model, and what it was: all that `fingerprint` reads, its answers, Keras' own settings."""

    def __init__(self, keras, model):
        self.keras, self.model = keras, model
        self.before = self.now()

    def now(self):
        config, answers = self.keras.config, self.model(SEEN, training=False)
        settings = config.floatx(), config.image_data_format(), config.dtype_policy().name
        eager = tensorflow().config.functions_run_eagerly()
        return fingerprint(self.model), np.asarray(answers).tobytes(), settings, eager

    def check(self):
        assert self.now() == self.before


def other_scores(net, photo):
    """Ask what the network has asked of it nowhere else, so that a failed trace would show."""
    name = net.default_layer
    return [
        *net.scores(photo),
        net.activations(photo, name),
        net.gradients(photo, name, 1)[1],
        net.gradients(photo, None, 1, "probability")[1],
        cw.attribute(net, photo, "guided-backprop", class_index=1).raw,
        net.scores([photo] * 3)[0],
    ]


def same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-9)


# --- after every operation ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "build", [pytest.param(b, marks=() if b is nested else pytest.mark.slow) for b in KINDS]
)
def test_a_model_is_the_same_after_every_operation(keras, photo, build, tmp_path):
    held = Held(keras, build(keras))
    net = cw.Network(held.model, preprocess="none")
    held.check()
    net.predict(photo)
    held.check()
    for info in net.layers:
        net.activations(photo, info.name)
    held.check()
    for target in ("logit", "probability"):
        net.gradients(photo, net.default_layer, 0, target)
        net.gradients([photo, photo], None, 1, target)
    held.check()
    for method in FAST:
        cw.attribute(net, photo, method)
        held.check()
    film_strip(net, photo)
    held.check()
    curves(net, photo, cw.attribute(net, photo), steps=3)
    held.check()
    cw.attribute(net, photo).save(tmp_path)
    held.check()
    twin = net.private_copy()
    for weight in twin.private_weights:
        weight.write(np.flip(weight.read()).copy())
    twin.forget()
    twin.predict(photo)
    held.check()
    sanity_check(net, photo, steps=2)
    held.check()
    net.close()
    held.check()
    net.predict(photo)  # closed, it begins anew
    held.check()


@pytest.mark.slow
def test_a_slow_method_changes_nothing_either(keras, photo):
    held = Held(keras, nested(keras))
    net = cw.Network(held.model, preprocess="none")
    for name in cw.METHODS:
        cw.attribute(net, photo, name)
        held.check()


@pytest.mark.slow
def test_training_goes_on_as_if_nobody_had_looked(keras, photo):
    """The same steps from the same state, looked at in between or not, give the same weights."""

    def trained(look):
        model = mid_training(keras)
        keras.utils.set_random_seed(3)
        for _ in range(2):
            model.train_on_batch(SEEN, np.array([0, 1]))
            if look:
                net = cw.Network(model, preprocess="none")
                for method in ("grad-cam", "saliency", "guided-backprop"):
                    cw.attribute(net, photo, method)
        return [np.asarray(weight) for weight in model.weights]

    for one, other in zip(trained(False), trained(True), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_proof_itself_notices_each_change(keras):
    """Else all of the above could pass whatever happens."""
    model = mid_training(keras)
    layer = model.get_layer("conv2")
    changes = [
        lambda: layer.kernel.assign_add(np.full(layer.kernel.shape, 1e-7)),
        lambda: setattr(layer, "trainable", False),
        lambda: object.__setattr__(layer, "call", layer.call),
        lambda: setattr(layer, "activation", keras.activations.gelu),
        lambda: layer._losses.append(0.0),
        lambda: object.__setattr__(layer, "left_behind", 1),
        lambda: model.optimizer.learning_rate.assign(0.5),
        lambda: model.optimizer.variables[-1].assign_add(
            np.ones(model.optimizer.variables[-1].shape)
        ),
        lambda: layer(keras.Input((8, 6, 6))),
        lambda: model.compile("sgd", "mse"),
    ]
    seen = {fingerprint(model)}
    for number, change in enumerate(changes, 1):
        change()
        seen.add(fingerprint(model))
        assert len(seen) == number + 1


# --- after a failure at any stage ---------------------------------------------------------------


class Boom(Exception):
    """Raised on purpose."""


class Fuse:
    """Raises at the n-th call of a function, once; 0 only counts."""

    def __init__(self, monkeypatch, owner, name, error=Boom):
        self.at, self.calls, self.error = 0, 0, error
        original = getattr(owner, name)

        def fused(*args, **kwargs):
            self.calls += 1
            if self.calls == self.at:
                raise self.error(f"on purpose, at call {self.at}")
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, fused)

    def set(self, at):
        self.at, self.calls = at, 0

    def blow(self, at, action):
        """Do something that must fail at the n-th call."""
        self.set(at)
        wrapped = (self.error, ValueError, RuntimeError)  # Keras and opening wrap a layer's errors
        with pytest.raises(wrapped, match="on purpose"):
            action()
        assert self.calls == at
        self.set(0)


@pytest.mark.parametrize(
    ("build", "error"),
    [
        (nested, Boom),
        pytest.param(nested, KeyboardInterrupt, marks=pytest.mark.slow),
        pytest.param(subclassed_nested, Boom, marks=pytest.mark.slow),
        pytest.param(quantised, MemoryError, marks=pytest.mark.slow),
        pytest.param(used_twice, KeyboardInterrupt, marks=pytest.mark.slow),
    ],
    ids=lambda each: each.__name__,
)
def test_a_layer_that_fails_at_any_visit_of_the_first_trace_leaves_no_trace(
    keras, photo, monkeypatch, build, error
):
    held = Held(keras, build(keras))
    expected = other_scores(cw.Network(held.model, preprocess="none"), photo)
    fuse = Fuse(monkeypatch, keras.layers.Layer, "__call__", error)
    cw.Network(held.model, preprocess="none")
    count = fuse.calls
    assert count >= 4
    for visit in range(1, count + 1):
        fuse.blow(visit, lambda: cw.Network(held.model, preprocess="none"))
        held.check()
    same(other_scores(cw.Network(held.model, preprocess="none"), photo), expected)
    held.check()


@pytest.mark.parametrize("error", [pytest.param(Boom, marks=pytest.mark.slow), KeyboardInterrupt])
def test_a_layer_that_fails_in_a_later_trace_leaves_the_network_whole(
    keras, photo, monkeypatch, error
):
    """A closed network is traced again when it is next asked."""
    held = Held(keras, nested(keras))
    expected = other_scores(cw.Network(held.model, preprocess="none"), photo)
    net = cw.Network(held.model, preprocess="none")
    fuse = Fuse(monkeypatch, keras.layers.Layer, "__call__", error)

    def ask():
        net.close()
        cw.attribute(net, photo, class_index=1)

    ask()
    assert fuse.calls >= 8
    for visit in range(1, 9):
        fuse.blow(visit, ask)
        held.check()
    same(other_scores(net, photo), expected)
    held.check()


STAGES = {
    "gradients": ("", "gradients"),
    "import of a graph": ("graph_util", "import_graph_def"),
    "wrapping of a function": ("compat.v1", "wrap_function"),
    "compilation": ("", "function"),
}
QUESTIONS = {
    "scores": lambda net, photo: net.scores(photo),
    "gradients": lambda net, photo: net.gradients(photo, net.default_layer, 1),
    "guided": lambda net, photo: cw.attribute(net, photo, "guided-backprop", class_index=1),
    "score-cam": lambda net, photo: cw.attribute(net, photo, "score-cam", class_index=1),
    "copy": lambda net, photo: net.private_copy().predict(photo),
}


def numbers(answer):
    """Return an answer of any kind as a flat list of arrays."""
    if isinstance(answer, list | tuple):
        return [array for each in answer for array in numbers(each)]
    if isinstance(answer, cw.Prediction):
        return [np.array([answer.class_index, answer.score, answer.probability])]
    return [answer.raw if isinstance(answer, cw.Attribution) else np.asarray(answer)]


def fail_everywhere(keras, photo, fuse):
    """Blow the fuse at the first and the last call that each question makes; count them."""
    held = Held(keras, nested(keras))
    net = cw.Network(held.model, preprocess="none")
    blown = 0
    for ask in QUESTIONS.values():
        net.close()  # so that all is traced and computed again
        fuse.set(0)
        expected = numbers(ask(net, photo))
        calls = range(1, fuse.calls + 1)
        for at in {*calls[:1], *calls[-1:]}:
            net.close()
            fuse.blow(at, lambda ask=ask: ask(net, photo))
            held.check()
            same(numbers(ask(net, photo)), expected)
            held.check()
            blown += 1
    return blown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "error"),
    [
        ("gradients", Boom),
        ("import of a graph", KeyboardInterrupt),
        ("wrapping of a function", MemoryError),
        ("compilation", KeyboardInterrupt),
    ],
)
def test_a_failure_while_something_is_compiled_leaves_model_and_network_whole(
    keras, photo, monkeypatch, stage, error
):
    place, name = STAGES[stage]
    owner = tensorflow()
    for part in filter(None, place.split(".")):
        owner = getattr(owner, part)
    fuse = Fuse(monkeypatch, owner, name, error)
    assert fail_everywhere(keras, photo, fuse)


@pytest.mark.slow
@pytest.mark.parametrize("error", [Boom, KeyboardInterrupt])
def test_a_failure_while_something_runs_leaves_model_and_network_whole(
    keras, photo, monkeypatch, error
):
    fuse = Fuse(monkeypatch, CompiledFunction, "__call__", error)
    assert fail_everywhere(keras, photo, fuse) >= len(QUESTIONS)


def test_a_preprocess_that_fails_is_asked_again(keras, photo, monkeypatch):
    held = Held(keras, nested(keras))
    expected = other_scores(cw.Network(held.model, preprocess="none"), photo)

    class Preparing:
        @staticmethod
        def prepare(pixels):
            pixels *= 1.0
            return pixels

    fuse = Fuse(monkeypatch, Preparing, "prepare")
    net = cw.Network(held.model, preprocess=lambda pixels: Preparing.prepare(pixels))
    for ask in (*QUESTIONS.values(), lambda net, photo: net.predict([photo] * 20)):
        net.forget()
        fuse.blow(1, lambda ask=ask: ask(net, photo))
        held.check()
    same(other_scores(net, photo), expected)


@pytest.mark.slow
def test_a_method_that_fails_leaves_the_others_whole(keras, photo, monkeypatch):
    held = Held(keras, nested(keras))
    net = cw.Network(held.model, preprocess="none")
    expected = other_scores(net, photo)

    def broken(*args, **kwargs):
        raise Boom("on purpose")

    for name, method in cw.METHODS.items():
        monkeypatch.setitem(cw.METHODS, name, replace(method, map=broken))
        with pytest.raises(Boom):
            cw.attribute(net, photo, name)
        monkeypatch.undo()
        held.check()
    same(other_scores(net, photo), expected)


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 3])
def test_a_sanity_check_broken_off_leaves_the_weights(keras, photo, at):
    held = Held(keras, nested(keras))
    net = cw.Network(held.model, preprocess="none")
    expected = other_scores(net, photo)
    calls = []

    def stop(*said):
        calls.append(said)
        if len(calls) == at:
            raise KeyboardInterrupt("on purpose")

    with pytest.raises(KeyboardInterrupt):
        sanity_check(net, photo, steps=4, progress=stop)
    held.check()
    same(other_scores(net, photo), expected)
