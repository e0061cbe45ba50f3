"""A model that becomes another one after its network was made is followed, or refused in words."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.engine import weights
from cnn_widgets.environment import tensorflow


@pytest.fixture
def no_full_check(monkeypatch):
    """Only what each question notices: the check every two seconds never comes."""
    monkeypatch.setattr(weights, "FULL_EVERY", 1e9)


def classifier(keras, *first, **conv):
    layers = keras.layers
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((16, 12, 3)),
            *(first or [layers.Rescaling(1 / 255)]),
            layers.Conv2D(6, 3, activation="relu", name="conv", **conv),
            layers.GlobalAveragePooling2D(name="mean"),
            layers.Dense(3, activation="softmax", name="dense"),
        ]
    )


def opened(model):
    return cw.Network(model, preprocess="none")


def told(model, net, photo):
    """Return probabilities as the model itself tells them."""
    return np.asarray(model(net.input_tensor(photo)[None], training=False))[0]


def check_followed(model, net, photo, before):
    """Compare answers with the model's own, and all else with a network made now."""
    answer, fresh = net.scores(photo)[1], opened(model)
    assert np.abs(answer - before).max() > 1e-3
    np.testing.assert_allclose(answer, told(model, net, photo), atol=1e-5)
    for method in ("grad-cam", "saliency"):
        found, expected = (cw.attribute(each, photo, method, 0) for each in (net, fresh))
        np.testing.assert_allclose(found.raw, expected.raw, rtol=1e-4, atol=1e-7)
    assert (net.notes, net.head, net.revision) == (fresh.notes, fresh.head, 1)


def statistics(keras, scale):
    """Return a `Normalization` layer adapted to pixels from 0 to `scale`."""
    layer = keras.layers.Normalization()
    layer.adapt(np.random.default_rng(0).uniform(0, scale, (50, 4, 4, 3)).astype(np.float32))
    return layer


# --- statistics, settings and layers ------------------------------------------------------------


@pytest.mark.parametrize("way", ["adapted", "loaded"])
def test_other_statistics_of_a_normalisation_are_followed(
    keras, photo, no_full_check, tmp_path, way
):
    layer = statistics(keras, 2)
    model = classifier(keras, layer)
    net = opened(model)
    before = net.scores(photo)[1]
    if way == "adapted":
        layer.adapt(np.random.default_rng(1).uniform(0, 255, (50, 4, 4, 3)).astype(np.float32))
    else:
        classifier(keras, statistics(keras, 255)).save_weights(tmp_path / "a.weights.h5")
        model.load_weights(tmp_path / "a.weights.h5")
    check_followed(model, net, photo, before)


def test_equal_statistics_loaded_again_cost_no_new_trace(keras, photo, tmp_path):
    model = classifier(keras, statistics(keras, 2))
    net = opened(model)
    before, engine = net.scores(photo)[1], net.engine
    model.save_weights(tmp_path / "a.weights.h5")
    model.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(net.scores(photo)[1], before)
    assert net.engine is engine


def low_rank(keras, model):
    for name in ("conv", "dense"):
        model.get_layer(name).enable_lora(2)
        part = model.get_layer(name).lora_kernel_b
        part.assign(np.random.default_rng(0).normal(size=part.shape))


def eight_bits(keras, model):
    kernel = model.get_layer("dense").kernel
    kernel.assign(np.asarray(kernel) * 2)
    with warnings.catch_warnings():  # of each layer that stays as it is
        warnings.simplefilter("ignore")
        model.quantize("int8")


def patched(keras, model):
    layer = model.get_layer("dense")
    own = layer.call
    layer.call = lambda x, training=None: own(-x)


CHANGES = {
    "activation": lambda keras, model: setattr(
        model.get_layer("conv"), "activation", keras.activations.tanh
    ),
    "LoRA": low_rank,
    "int8": eight_bits,
    "its call": patched,
    "no bias": lambda keras, model: setattr(model.get_layer("conv"), "use_bias", False),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_another_setting_of_a_layer_is_followed_at_the_next_question(
    keras, photo, no_full_check, change
):
    model = classifier(keras, bias_initializer="ones")
    net = opened(model)
    before = net.scores(photo)[1]
    change(keras, model)
    check_followed(model, net, photo, before)


def scaled(keras, settings, factor):
    """Return a model with a layer of its own that multiplies by what its settings hold."""

    class Scaled(keras.layers.Layer):
        def call(self, x):
            return x * factor(self.settings)

    layer = Scaled()
    layer.settings = settings
    return classifier(keras, layer), layer


@pytest.mark.parametrize(
    ("settings", "factor", "change"),
    [
        ([0.01], lambda held: held[0], lambda held: held.__setitem__(0, 2.0)),
        (
            SimpleNamespace(scale=0.01),
            lambda held: held.scale,
            lambda held: setattr(held, "scale", 2.0),
        ),
        (
            np.full(3, 0.01, np.float32),
            lambda held: np.array(held),
            lambda held: held.__setitem__(0, 2.0),
        ),
    ],
    ids=["list", "namespace", "array"],
)
def test_what_is_changed_inside_a_setting_is_followed_after_forget(
    keras, photo, no_full_check, settings, factor, change
):
    model, layer = scaled(keras, settings, factor)
    net = opened(model)
    before = net.scores(photo)[1]
    change(layer.settings)
    net.forget()
    net.revision = 0
    check_followed(model, net, photo, before)


def test_a_last_layer_made_anew_is_followed_and_another_one_refused(keras, photo):
    model = classifier(keras)
    net = opened(model)
    before = net.scores(photo)[1]
    model.pop()
    model.add(keras.layers.Dense(3, activation="softmax", name="dense", bias_initializer="ones"))
    check_followed(model, net, photo, before)
    kept = model.layers[-1]
    for units, name in ((5, "dense"), (3, "other")):
        model.pop()
        model.add(keras.layers.Dense(units, name=name))
        for _ in range(2):
            with pytest.raises(ValueError, match=r"The layers of model 'seq.* have changed since"):
                net.scores(photo)
    model.pop()
    model.add(kept)
    np.testing.assert_allclose(net.scores(photo)[1], told(model, net, photo), atol=1e-5)


def test_a_page_is_drawn_anew_when_a_layer_is_another_one(keras, photo):
    model = classifier(keras)
    explorer = cw.CNNExplorer(opened(model), {"one": photo})
    before = explorer.scene.attribution.raw
    model.get_layer("conv").activation = keras.activations.softplus
    explorer.state.alpha = 0.3
    expected = cw.attribute(opened(model), explorer.scene.sample).raw
    assert explorer.network.revision == 1
    assert explorer._drawn[1] == 1
    assert np.abs(explorer.scene.attribution.raw - before).max() > 0
    np.testing.assert_allclose(explorer.scene.attribution.raw, expected, rtol=1e-4, atol=1e-7)
    explorer.close()


def test_a_map_of_the_layers_of_before_is_not_saved_with_a_digest_of_now(keras, photo, tmp_path):
    model = classifier(keras)
    found = cw.attribute(opened(model), photo)
    model.get_layer("conv").activation = keras.activations.tanh
    with pytest.raises(ValueError, match="have changed since this map was made"):
        found.save(tmp_path)


# --- what is no change --------------------------------------------------------------------------


def test_training_and_calling_a_model_leave_its_trace(keras, photo):
    """A counter and a last output that the model's own call writes are no settings."""

    class Watched(keras.layers.Layer):
        count, last = 0, None

        def call(self, x):
            self.count += 1
            self.last = x
            return x

    model = classifier(keras, Watched(), statistics(keras, 2))
    net = opened(model)
    engine, x = net.engine, net.input_tensor(photo)[None]
    model(x)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, np.array([1]), verbose=0)
    model.predict(x, verbose=0)
    model.get_layer("conv").trainable = False
    net.forget()
    np.testing.assert_allclose(net.scores(photo)[1], told(model, net, photo), atol=1e-5)
    assert net.engine is engine


def test_attributes_that_hold_what_no_array_can_are_looked_past(keras, photo):
    tf = tensorflow()
    model = classifier(keras)
    layer = model.get_layer("conv")
    layer.held = [tf.Variable(1.0).handle, tf.constant("text"), np.array([None]), float("nan")]
    layer.held_too = {"object": object(), 3: [[[[[1]]]]]}
    net = opened(model)
    engine, before = net.engine, net.scores(photo)[1]
    net.forget()
    np.testing.assert_array_equal(net.scores(photo)[1], before)
    assert net.engine is engine


def test_a_list_of_many_is_asked_of_the_model_of_now(keras, photo):
    model = classifier(keras)
    net = opened(model)
    model.get_layer("conv").activation = keras.activations.tanh
    found = net.activations([photo] * 9, "conv")
    np.testing.assert_allclose(found[8], opened(model).activations(photo, "conv"), atol=1e-5)


def test_who_notices_second_does_not_open_the_model_again(keras, photo):
    model = classifier(keras)
    net = opened(model)
    late = net._watch  # of a thread that waits for its lock
    model.get_layer("conv").activation = keras.activations.tanh
    net.predict(photo)
    engine = net.engine
    late.look(net._drop, net._reopen)
    assert (net.engine, net.revision) == (engine, 1)


def test_a_private_copy_stays_what_it_was(keras, photo):
    model = classifier(keras)
    net = opened(model)
    twin, before = net.private_copy(), net.scores(photo)[1]
    model.get_layer("conv").activation = keras.activations.tanh
    assert np.abs(net.scores(photo)[1] - before).max() > 1e-3
    np.testing.assert_allclose(twin.scores(photo)[1], before, atol=1e-6)


# --- weights ------------------------------------------------------------------------------------


def mixed(keras):
    """Return a model with kernels of every kind, some of them with a last axis of 1 or 2."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    photo = keras.Input((16, 12, 3))
    x = layers.Rescaling(1 / 255)(photo)
    for number in range(4):
        x = layers.Conv2D(6, 3, name=f"conv{number}", dtype=("float32", "float16")[number == 2])(x)
        x = layers.BatchNormalization(name=f"norm{number}")(x)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.Conv2D(1, 1, name="one")(x)
    return keras.Model(photo, layers.Dense(2, name="dense")(layers.Flatten()(x)))


def test_each_weight_that_is_written_anew_is_noticed_at_once(keras, photo, no_full_check):
    model = mixed(keras)
    net = opened(model)
    for number, weight in enumerate(model.weights):
        net.predict(photo)
        net.predict(photo)  # the second look after a change reads all weights
        before = net.revision
        weight.assign(np.asarray(weight) + 0.5)
        net.predict(photo)
        assert net.revision == before + 1, (number, weight.path)


def test_a_filter_that_is_silenced_is_noticed_at_once(keras, photo, no_full_check):
    model = tiny(keras)
    net = opened(model)
    kernel = model.get_layer("conv1").kernel
    for number in range(kernel.shape[-1]):
        net.predict(photo)
        net.predict(photo)
        before, values = net.revision, np.asarray(kernel).copy()
        values[..., number] = 0
        kernel.assign(values)
        net.predict(photo)
        assert net.revision == before + 1, number


def test_one_number_inside_a_kernel_is_noticed_after_forget(keras, photo, no_full_check):
    model = tiny(keras)
    net = opened(model)
    kernel = model.get_layer("conv1").kernel
    values = np.asarray(kernel).copy()
    values[0, 0, 0, 0] += 3
    net.predict(photo)
    kernel.assign(values)
    net.forget()
    np.testing.assert_allclose(net.scores(photo)[0], opened(model).scores(photo)[0], rtol=1e-5)
