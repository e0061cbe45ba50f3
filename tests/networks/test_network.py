"""What a `Network` answers: layers, activations, gradients, classes, caches."""

import threading

import numpy as np
import pytest
from helpers.models import (
    binary,
    dict_outputs,
    dict_with_a_list,
    double_precision,
    functional,
    several_outputs,
    transformer_like,
    vision_transformer,
)
from helpers.networks import (
    fingerprint,
    nested,
    tiny,
    used_twice,
)

import cnn_widgets as cw
from cnn_widgets.engine.taps import tapped
from cnn_widgets.stability import robustness


def test_nested_layers_have_paths(keras):
    names = [info.name for info in cw.Network(nested(keras)).layers]
    assert "body/conv1" in names
    assert "body/conv2" in names


def test_a_layer_used_twice_gives_two_entries(keras, photo):
    net = cw.Network(used_twice(keras), preprocess="none")
    assert [info.name for info in net.feature_layers] == ["first", "shared", "shared:1"]
    once, twice = (net.activations(photo, name) for name in ("shared", "shared:1"))
    assert np.abs(once - twice).max() > 1e-3
    assert net.default_layer == "shared:1"


def test_observed_activations_equal_a_submodel_s(keras, photo):
    model = functional(keras)
    net = cw.Network(model, preprocess="none")
    x = net.input_tensor(photo)[None]
    for name in ("conv1", "relu1", "pool1", "conv2"):
        part = keras.Model(model.inputs, model.get_layer(name).output)
        np.testing.assert_allclose(
            net.activations(photo, name), np.asarray(part([x]))[0], rtol=1e-4, atol=1e-3
        )


@pytest.mark.parametrize("layer", ["conv1", "bn1", "pool1", "conv2", None])
def test_gradients_equal_central_differences(keras, photo, layer):
    """In double precision; the score is computed by Keras' own sub-model and NumPy."""
    model = double_precision(keras)
    net = cw.Network(model, preprocess=lambda x: x / 255)
    values, gradients = net.gradients(photo, layer, 1)
    start = model.inputs if layer is None else model.get_layer(layer).output
    tail = keras.Model(start, model.get_layer("gap").output)
    kernel = np.asarray(model.get_layer("dense").kernel)[:, 1]

    def score(at):
        given = at[None].astype(np.float64)
        return (np.asarray(tail([given] if layer is None else given)) @ kernel)[0]

    rng = np.random.default_rng(0)
    for _ in range(5):
        direction, step = rng.normal(size=values.shape), 1e-7
        difference = (score(values + step * direction) - score(values - step * direction)) / step
        assert 2 * (gradients * direction).sum() == pytest.approx(difference, rel=1e-3, abs=1e-7)


@pytest.mark.slow
def test_all_ways_to_a_gradient_agree(lite0, gallery):
    """The cached pass over all layers, the tail behind one layer, and the batch are one number."""
    cat = gallery["cat"]
    for layer in ("block3_expand", "block10_project", "head_relu"):
        _, one = lite0.gradients(cat, layer, 285)
        _, batch = lite0.gradients([cat, gallery["rocket"]], layer, [285, 285])
        np.testing.assert_allclose(batch[0], one, atol=1e-4 * np.abs(one).max())


def test_class_weights_contrast_two_classes(lite0, gallery):
    weights = np.zeros(1000, np.float32)
    weights[285], weights[967] = 1, -1
    _, contrast = lite0.gradients(gallery["cat"], "head_relu", weights)
    _, cat = lite0.gradients(gallery["cat"], "head_relu", 285)
    _, espresso = lite0.gradients(gallery["cat"], "head_relu", 967)
    np.testing.assert_allclose(contrast, cat - espresso, atol=1e-6)


def test_a_binary_head_has_two_classes_with_opposite_scores(keras, photo):
    net = cw.Network(binary(keras), preprocess="none", class_names=["dog", "cat"])
    first, second = sorted(net.predict(photo), key=lambda p: p.class_index)
    assert (first.name, second.name) == ("dog", "cat")
    assert first.score == -second.score
    assert first.probability + second.probability == pytest.approx(1)
    _, off = net.gradients(photo, "conv2", 0)
    _, on = net.gradients(photo, "conv2", 1)
    np.testing.assert_array_equal(off, -on)


def test_one_plain_output_is_a_value_without_probability(keras, photo):
    net = cw.Network(tiny(keras, None, classes=1), preprocess="none")
    assert net.head == "values"
    assert np.isnan(net.predict(photo)[0].probability)
    with pytest.raises(ValueError, match="no probabilities"):
        net.gradients(photo, "conv2", 0, "probability")
    as_logit = cw.Network(tiny(keras, None, classes=1), preprocess="none", head="logits")
    assert as_logit.classes == 2


def test_an_output_is_chosen_by_name_or_number(keras, photo):
    model = several_outputs(keras)
    assert cw.Network(model).classes == 4
    assert any("first is looked at" in note for note in cw.Network(model).notes)
    assert cw.Network(model, output=1).classes == 2
    assert cw.Network(dict_outputs(keras), output="other").classes == 2
    with pytest.raises(ValueError, match="Unknown output 'nothing'"):
        cw.Network(dict_outputs(keras), output="nothing")
    with pytest.raises(ValueError, match="Received: a list"):
        cw.Network(dict_with_a_list(keras), output="more")


def test_dropout_and_batch_norm_stay_in_inference_mode(keras, photo):
    net = cw.Network(nested(keras), preprocess="none")
    one, two = net.scores([photo])[0], net.scores([photo, photo])[0]
    np.testing.assert_allclose(one[0], two[1], atol=1e-6)


def test_preprocessing_works_on_a_copy_each_time(keras, photo):
    def in_place(pixels):
        pixels /= 255.0
        return pixels

    before = photo.pixels.copy()
    net = cw.Network(tiny(keras), preprocess=in_place)
    first, second = net.input_tensor(photo), net.input_tensor(photo)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(photo.pixels, before)


def test_guesses_about_preprocessing_are_said_aloud(keras):
    assert any("divided by 255" in note for note in cw.Network(tiny(keras)).notes)
    assert any("go in as they are" in note for note in cw.Network(nested(keras)).notes)
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(64, 64, 3), pooling="avg"
    )
    model = keras.Sequential([base, keras.layers.Dense(2, activation="softmax")])
    net = cw.Network(model)
    assert any("MobileNetV2 is used, found" in note for note in net.notes)
    black = cw.load_image(np.zeros((8, 8, 3), np.uint8))
    assert net.input_tensor(black).min() == -1.0
    assert net.default_layer.endswith("/out_relu")


def test_an_input_that_is_not_square_keeps_rows_and_columns(keras):
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:10] = 255  # the top quarter is white
    net = cw.Network(tiny(keras, size=(16, 32)), preprocess="none")
    x = net.input_tensor(cw.load_image(picture))
    assert x.shape == (16, 32, 3)
    assert x[:3].mean() > 250
    assert x[6:].mean() < 5


def test_silent_filters_are_counted_after_their_activation(keras, photo):
    model = tiny(keras)
    norm = model.get_layer("bn1")
    beta = np.asarray(norm.beta).copy()
    beta[:3] = -1e6  # three filters can never fire after their ReLU
    norm.beta.assign(beta)
    net = cw.Network(model, preprocess="none")
    peaks = net.peaks(photo)
    assert (peaks["conv1"] <= 0).tolist()[:3] == [True] * 3
    assert set(peaks) >= {"conv1", "pool1", "conv2"}
    linear = cw.Network(one_linear(keras), preprocess="none")
    assert "conv" not in linear.peaks(photo)


def one_linear(keras):
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def test_an_exception_while_tracing_leaves_the_model_as_it_was(keras):
    model = nested(keras)
    before = fingerprint(model)

    def broken_trace():
        with tapped(model):
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        broken_trace()
    assert fingerprint(model) == before


def test_a_call_the_user_patched_is_put_back_as_it_was(keras):
    model = tiny(keras)
    layer = model.get_layer("conv1")
    own = layer.call
    object.__setattr__(layer, "call", own)
    cw.Network(model)
    assert layer.__dict__["call"] is own


def test_two_networks_on_one_model_in_several_threads_agree(keras, photo):
    model = tiny(keras)
    nets = [cw.Network(model, preprocess="none") for _ in range(2)]
    found, errors = [], []

    def work(net, layer):
        try:
            found.append(cw.attribute(net, photo, class_index=1, layer=layer).raw)
        except Exception as error:
            errors.append(error)

    threads = [
        threading.Thread(target=work, args=(net, layer))
        for layer in ("conv1", "relu1", "conv2")
        for net in nets
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors
    assert len(found) == 6


@pytest.mark.slow
def test_no_click_makes_a_new_trace(lite0, gallery):
    for name in ("cat", "espresso"):
        cw.attribute(lite0, gallery[name])
        cw.attribute(lite0, gallery[name], layer="block5_expand")
        cw.attribute(lite0, gallery[name], "saliency")
    before = lite0.engine.traces
    for index in range(0, 1000, 100):
        for name in ("rocket", "officer"):
            cw.attribute(lite0, gallery[name], class_index=index)
            cw.attribute(lite0, gallery[name], class_index=index, layer="block8_project")
            cw.attribute(lite0, gallery[name], "saliency", class_index=index)
    assert lite0.engine.traces == before


def test_the_cache_is_bounded_by_bytes(keras):
    net = cw.Network(tiny(keras, size=(64, 64)), preprocess="none", max_cache_bytes=400_000)
    rng = np.random.default_rng(0)
    for _ in range(20):
        net.predict(cw.load_image(rng.integers(0, 256, (64, 64, 3), np.uint8)))
        assert net._runner.cache.nbytes <= 400_000
    net.close()
    assert net._runner.cache.nbytes == 0


def test_classes_are_found_by_name(lite0):
    assert lite0.class_index("Egyptian cat") == 285
    assert lite0.class_index("egyptian_cat") == 285
    assert lite0.class_index(967) == 967
    with pytest.raises(ValueError, match=r"fits .* classes"):
        lite0.class_index("terrier")
    with pytest.raises(TypeError):
        lite0.class_index(2.5)
    assert len(set(lite0.class_names)) == 1000


@pytest.mark.slow
def test_preprocessing_written_into_the_model_is_not_done_twice(keras):
    """Keras' own transfer-learning recipe calls preprocess_input on the model's input."""
    inputs = keras.Input((64, 64, 3))
    x = keras.applications.mobilenet_v2.preprocess_input(inputs)
    base = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(64, 64, 3), pooling="avg"
    )
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(base(x)))
    net = cw.Network(model)
    assert any("calculates with pixel values of −1…1" in note for note in net.notes)
    white = cw.load_image(np.full((8, 8, 3), 255, np.uint8))
    assert net.input_tensor(white).max() == 255.0
    divided = inputs / 255.0
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(divided))
    own = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    assert cw.Network(own).input_tensor(white).max() == 255.0


def test_outputs_that_are_probabilities_get_no_second_softmax(keras, photo):
    base = tiny(keras)
    other = keras.layers.Dense(4, activation="softmax")(base.get_layer("gap").output)
    model = keras.Model(base.inputs, keras.layers.Average()([base.output, other]))
    net = cw.Network(model, preprocess="none")
    assert net.head == "probabilities"
    expected = np.asarray(model([net.input_tensor(photo)[None]]))[0]
    np.testing.assert_allclose(net.scores(photo)[1], expected, atol=1e-6)


def test_one_logit_with_two_names_is_a_binary_head(keras, photo):
    net = cw.Network(tiny(keras, None, classes=1), preprocess="none", class_names=["cat", "dog"])
    assert {p.name for p in net.predict(photo)} == {"cat", "dog"}
    assert sum(p.probability for p in net.predict(photo)) == pytest.approx(1)


def test_names_with_underscores_are_found(keras):
    names = ["golden_retriever", "poodle", "Golden Retriever mix", "x"]
    net = cw.Network(tiny(keras), class_names=names)
    assert net.class_index("golden_retriever") == 0
    assert net.class_index("golden retriever") == 0
    assert net.class_index("mix") == 2


def test_a_list_of_names_ends_where_there_are_no_more(keras):
    net = cw.Network(tiny(keras), class_names=["K\u00e4se", "T-shirt", "\u00d6l", "x"])
    assert net.class_index("ka\u0308se") == 0
    assert net.class_index("t_shirt") == 1
    with pytest.raises(ValueError, match=r"classes: K\u00e4se, T-shirt, \u00d6l, x$"):
        net.class_index("unicorn")
    known = ", ".join(info.name for info in net.feature_layers)
    with pytest.raises(ValueError, match=f"Layers with feature maps: {known}$"):
        net.layer("conv9")


def test_the_parts_of_an_attention_layer_are_no_maps_but_its_tokens_are(keras, photo):
    """Tokens × heads × numbers have the shape of a stack of maps, and mean nothing as one."""
    net = cw.Network(transformer_like(keras), preprocess="none")
    maps = {info.name: info.shape for info in net.layers_of(None)}
    attention = next(info.name for info in net.layers if info.kind == "MultiHeadAttention")
    assert maps["patches"] == maps[attention] == (4, 4, 8)
    assert not any("query" in name or "softmax" in name for name in maps)
    assert net.default_layer == attention
    assert cw.attribute(net, photo).raw.shape == (4, 4)
    other = cw.Network(vision_transformer(keras), preprocess="none")
    embedded = next(info for info in other.layers if info.kind == "Dense")
    assert embedded.shape == (4, 4, 8)
    assert other.receptive_field(embedded.name, 1, 2) == (4, 8, 8, 12)


def test_models_that_share_layers_answer_as_if_alone(keras, photo):
    first = tiny(keras)
    shared = keras.Model(first.inputs, first.get_layer("conv2").output, name="shared")
    inputs = keras.Input((16, 12, 3))
    x = keras.layers.GlobalAveragePooling2D()(shared(inputs))
    second = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    before = fingerprint(first), fingerprint(second)
    alone = [cw.attribute(cw.Network(m, preprocess="none"), photo).raw for m in (first, second)]
    nets = [cw.Network(m, preprocess="none") for m in (first, second)]
    for _ in range(2):
        for net, expected in zip(nets, alone, strict=True):
            np.testing.assert_array_equal(cw.attribute(net, photo).raw, expected)
            cw.attribute(net, photo, "saliency")
    assert (fingerprint(first), fingerprint(second)) == before
    assert [info.name for info in nets[1].feature_layers] == [
        "shared/conv1", "shared/pool1", "shared/conv2",
    ]  # fmt: skip


def test_what_lies_beside_a_layer_that_hands_its_input_through_is_not_its_output(keras, photo):
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    dropped = layers.Dropout(0.5, name="dropout")(x)
    both = layers.Concatenate(name="both")([x, dropped])
    outputs = layers.Dense(2, name="dense")(layers.GlobalAveragePooling2D()(both))
    model = keras.Model(inputs, outputs)
    net = cw.Network(model, preprocess="none")
    weights = np.asarray(model.get_layer("dense").kernel)[:, 1]
    through = net.gradients(photo, "dropout", 1)[1]
    whole = net.gradients(photo, "conv", 1)[1]
    np.testing.assert_allclose(through[0, 0] * 36, weights[4:], rtol=1e-5)
    np.testing.assert_allclose(whole[0, 0] * 36, weights[:4] + weights[4:], rtol=1e-5)


@pytest.mark.parametrize(
    "ask",
    [cw.attribute, cw.audit, cw.stream, cw.index_filters, cw.find_shortcuts, cw.odd_ones_out,
     robustness, lambda model, given: cw.keep_evidence(model, given, "nowhere"),
     lambda model, given: cw.check_against(model, given, "nowhere")],
)  # fmt: skip
def test_a_keras_model_in_place_of_a_network_is_told_how_to_make_one(keras, ask, tmp_path):
    with pytest.raises((TypeError, FileNotFoundError), match=r"load_network\(model\)|nowhere"):
        ask(tiny(keras), cw.gallery()["cat"])
