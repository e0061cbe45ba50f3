"""Nothing is bought with wrongness: every short cut gives what the long way gives."""

import itertools

import numpy as np
import pytest
from helpers.networks import FAST, tiny

import cnn_widgets as cw
from cnn_widgets.attribution.depth_strip import film_strip
from cnn_widgets.engine.tracing import CompiledFunction

CAMS = [name for name in FAST if cw.METHODS[name].at == "layer"]


@pytest.mark.parametrize("layer", ["stem", "block3_expand", "block10_project", "head_relu"])
def test_mean_gradients_are_the_means_of_the_gradients(lite0, gallery, layer):
    full = lite0.gradients(gallery["cat"], layer, 285)[1]
    mean = lite0.gradients(gallery["cat"], layer, 285, averaged=True)[1]
    assert mean.shape == (1, 1, full.shape[-1])
    np.testing.assert_allclose(
        mean[0, 0], full.mean((0, 1), dtype=np.float64), rtol=1e-3, atol=1e-6 * np.abs(mean).max()
    )


@pytest.mark.slow
def test_gradients_from_known_activations_are_those_of_the_whole_pass(lite0, gallery):
    engine, sample = lite0.engine, gallery["espresso"]
    layers, x = engine.browsed_layers(), lite0.input_tensor([sample])
    weights = lite0.score_weights([967])
    seen = lite0.observe(sample)
    known = [seen.tensors[name] for name in layers]
    for averaged in (False, True):
        whole = engine.gradients(layers, "logit", x, weights, averaged=averaged)
        short = engine.gradients(layers, "logit", x, weights, averaged=averaged, known=known)
        for name, one, other in zip(layers, whole, short, strict=True):
            np.testing.assert_allclose(
                other, one, rtol=1e-4, atol=1e-6 * np.abs(one).max(), err_msg=name
            )


def test_the_short_pass_runs_no_convolution_again(lite0, gallery):
    film_strip(lite0, gallery["cat"], class_index=281)
    engine = lite0.engine

    def count(trace: CompiledFunction):
        return trace.operations.count("Conv2D"), len(trace.operations)

    whole = engine._gradients(engine.browsed_layers(), "logit", False, True, False)
    short = engine._gradients(engine.browsed_layers(), "logit", False, True, True)
    assert count(whole)[0] == 33
    assert count(short)[0] == 0
    tail = engine._tail_gradients("head_relu", "logit", True)
    assert count(tail)[1] < 60
    assert len(tail.captured) <= 2


@pytest.fixture(scope="module")
def other(lite0):
    """The same network, opened once more: it shares no trace and no result."""
    return cw.Network(lite0.model, lite0._model_input.preprocess, lite0.class_names)


@pytest.mark.slow
@pytest.mark.parametrize("method", CAMS)
def test_one_by_one_as_a_list_and_as_a_film_strip_are_one_map(lite0, other, gallery, method):
    samples = [gallery["cat"], gallery["espresso"], gallery["rocket"]]
    listed = cw.attribute(lite0, samples, method)
    for sample, each in zip(samples, listed, strict=True):
        alone = cw.attribute(lite0, sample, method)
        scale = np.abs(alone.raw).max()
        np.testing.assert_allclose(each.raw, alone.raw, atol=1e-4 * scale)
        assert each.score == pytest.approx(alone.score, abs=1e-4)
        assert each.class_index == alone.class_index
    strip = film_strip(lite0, samples[0], method, 285)
    for one in (strip[1], strip[20]):
        alone = cw.attribute(other, [samples[0]], method, 285, one.layer)[0]
        scale = np.abs(alone.raw).max()
        np.testing.assert_allclose(one.raw, alone.raw, atol=2e-3 * scale, err_msg=one.layer)
        assert np.median(np.abs(one.raw - alone.raw)) <= 1e-5 * scale


@pytest.mark.parametrize("dtype", ["float32", "float64", "mixed_float16"])
def test_short_cuts_hold_in_every_precision(keras, photo, dtype):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        model = tiny(keras)
    finally:
        keras.config.set_dtype_policy(before)
    net = cw.Network(model, preprocess=lambda pixels: pixels / 255)
    for layer in net.engine.browsed_layers():
        full = net.gradients(photo, layer, 1)[1]
        listed = net.gradients([photo], layer, [1])[1][0]
        mean = net.gradients(photo, layer, 1, averaged=True)[1]
        scale = np.abs(full).max()
        np.testing.assert_allclose(listed, full, atol=2e-3 * scale)
        np.testing.assert_allclose(mean[0, 0], full.mean((0, 1)), atol=2e-3 * scale)


def test_a_model_that_changes_a_variable_as_it_runs_is_not_pruned(keras, photo):
    class Counting(keras.layers.Layer):
        def build(self, shape):
            self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, x):
            self.calls.assign_add(1.0)
            return x

    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(3, 3, activation="relu", name="conv")(inputs)
    outputs = layers.Dense(2)(layers.GlobalAveragePooling2D()(Counting()(x)))
    net = cw.Network(keras.Model(inputs, outputs), preprocess="none")
    found = cw.attribute(net, photo, "layercam", 1)
    values, gradients = net.gradients([photo], "conv", [1])
    expected = (np.maximum(gradients[0], 0) * values[0]).sum(-1)
    np.testing.assert_allclose(found.raw, np.maximum(expected, 0), rtol=1e-5)


def test_a_list_is_streamed_and_its_scores_are_kept(tiny_net):
    rng = np.random.default_rng(0)
    samples = [cw.load_image(rng.integers(0, 256, (16, 12, 3), np.uint8)) for _ in range(40)]
    passes = []
    observe = tiny_net.engine.observe
    tiny_net.engine.observe = lambda x, layers: passes.append(len(x)) or observe(x, layers)
    found = cw.attribute(tiny_net, samples)
    assert passes == [8] * 5
    ranked = tiny_net.predict(samples, top=1)
    assert passes == [8] * 5  # known from the maps
    for one, (first,) in zip(found, ranked, strict=True):
        assert (one.class_index, one.score) == (first.class_index, first.score)
    classes = list(itertools.islice(itertools.cycle([0, 1, 2, 3]), 40))
    asked = cw.attribute(tiny_net, samples, class_index=classes)
    assert [one.class_index for one in asked] == classes
    for one, sample in zip(asked[::7], samples[::7], strict=True):
        alone = cw.attribute(tiny_net, sample, class_index=one.class_index)
        np.testing.assert_allclose(one.raw, alone.raw, rtol=1e-4, atol=1e-6)


def test_where_the_maps_are_heavier_than_the_cache_every_pass_is_still_run_once(tiny_model, photo):
    """Else each layer of a film-strip would push out what the next one asks for."""
    net = cw.Network(tiny_model, preprocess="none", max_cache_bytes=100)
    passes = []
    for name in ("observe", "gradients"):
        asked = getattr(net.engine, name)
        setattr(
            net.engine,
            name,
            lambda *given, _f=asked, _n=name, **o: (passes.append(_n), _f(*given, **o))[1],
        )
    film_strip(net, photo, "layercam", 1)
    assert sorted(passes) == ["gradients", "observe"]
