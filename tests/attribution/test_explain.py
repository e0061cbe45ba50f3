"""Every map against a number that the code under test did not produce."""

import numpy as np
import pytest
from helpers.networks import FAST, tiny

import cnn_widgets as cw
from cnn_widgets.attribution.cam import grad_cam, hires_cam


@pytest.mark.parametrize(
    ("method", "layer", "expected"),
    [
        ("grad-cam", "conv", [[11.25, 13.5], [20.25, 22.5]]),
        ("grad-cam", "relu", [[0, 4], [28, 32.5]]),
        ("hirescam", "conv", [[0, 4], [25, 25]]),
    ],
)
def test_the_hand_worked_maps_come_out_to_the_last_digit(by_hand, steps, method, layer, expected):
    net = cw.Network(by_hand, preprocess="none")
    found = cw.attribute(net, steps, method, layer=layer)
    assert found.score == 54.0
    np.testing.assert_array_equal(found.raw, np.array(expected, np.float32))


def test_a_negated_column_leaves_no_evidence(by_hand, steps, keras):
    against = keras.models.clone_model(by_hand)
    against.set_weights(by_hand.get_weights())
    weights = against.get_layer("score").get_weights()
    against.get_layer("score").set_weights([-weights[0]])
    found = cw.attribute(cw.Network(against, preprocess="none"), steps, layer="conv")
    assert found.empty
    assert not found.heatmap.any()
    assert found.heatmap.shape == (4, 4)


def test_saliency_is_the_largest_absolute_gradient_over_the_colours(keras):
    model = keras.Sequential(
        [keras.Input((2, 3, 3)), keras.layers.Flatten(), keras.layers.Dense(1, use_bias=False)]
    )
    kernel = np.arange(-9, 9, dtype=np.float32)
    model.layers[-1].set_weights([kernel[:, None]])
    net = cw.Network(model, preprocess="none")
    found = cw.attribute(net, cw.load_image(np.zeros((2, 3, 3), np.uint8)), "saliency")
    np.testing.assert_array_equal(found.raw, np.abs(kernel).reshape(2, 3, 3).max(-1))
    assert found.layer is None


def test_with_global_pooling_grad_cam_is_the_rectified_cam_and_hirescam_the_cam(keras, photo):
    model = tiny(keras)
    net = cw.Network(model, preprocess="none")
    activations = net.activations(photo, "conv2").astype(np.float64)
    kernel = np.asarray(model.get_layer("dense").kernel)
    for index in range(4):
        cam = activations @ kernel[:, index] / activations[..., 0].size
        grad = cw.attribute(net, photo, "grad-cam", index, "conv2")
        hires = cw.attribute(net, photo, "hirescam", index, "conv2")
        np.testing.assert_allclose(grad.raw, np.maximum(cam, 0), atol=1e-5 * np.abs(cam).max())
        np.testing.assert_allclose(hires.raw, cam, atol=1e-5 * np.abs(cam).max())


def test_with_flatten_hirescam_sums_to_the_score_less_the_bias(keras, photo):
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 10, 3)),
            layers.Conv2D(5, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(3, bias_initializer="ones", activation="softmax"),
        ]
    )
    net = cw.Network(model, preprocess="none")
    for index in range(3):
        found = cw.attribute(net, photo, "hirescam", index, "conv")
        assert found.raw.sum() + 1.0 == pytest.approx(found.score, rel=1e-4)


def test_a_constant_added_to_all_logits_changes_no_map(keras, photo):
    model = tiny(keras)
    net = cw.Network(model, preprocess="none")
    before = [cw.attribute(net, photo, m, 1) for m in FAST]
    bias = model.get_layer("dense").bias
    bias.assign(np.asarray(bias) + 3.0)
    fresh = cw.Network(model, preprocess="none")
    for one, method in zip(before, FAST, strict=True):
        two = cw.attribute(fresh, photo, method, 1)
        np.testing.assert_allclose(one.raw, two.raw, atol=1e-7)
        assert two.score == pytest.approx(one.score + 3.0, rel=1e-5)


@pytest.mark.parametrize("method", FAST)
def test_a_batch_gives_what_single_images_give(lite0, gallery, method):
    samples = [gallery["cat"], gallery["espresso"]]
    together = cw.attribute(lite0, samples, method)
    for found, sample in zip(together, samples, strict=True):
        alone = cw.attribute(lite0, sample, method)
        assert (found.class_index, found.layer) == (alone.class_index, alone.layer)
        scale = np.abs(alone.raw).max()
        np.testing.assert_allclose(found.raw, alone.raw, atol=1e-4 * scale)
        assert found.heatmap.shape == sample.size


def test_score_and_probability_are_different_targets(keras, photo):
    net = cw.Network(tiny(keras), preprocess=lambda pixels: pixels / 255)
    index = 2
    _, probabilities = net.scores(photo)
    a, dscore = net.gradients(photo, "conv2", index, "logit")
    _, dprobability = net.gradients(photo, "conv2", index, "probability")
    every = np.stack([net.gradients(photo, "conv2", i, "logit")[1] for i in range(4)])
    softmax = probabilities[index] * (dscore - np.tensordot(probabilities, every, 1))
    np.testing.assert_allclose(dprobability, softmax, atol=1e-4 * np.abs(softmax).max())
    assert a.shape == dscore.shape


def test_the_heat_moves_to_the_subject_that_is_asked_for(lite0, gallery):
    both = gallery["cat and espresso"]
    for name, half in (("Egyptian cat", slice(0, 320)), ("espresso", slice(320, 640))):
        heat = cw.attribute(lite0, both, class_index=name).heatmap
        assert heat[:, half].sum() / heat.sum() > 0.6


def test_an_empty_map_is_zero_and_says_so():
    quiet = grad_cam(np.ones((3, 4, 2), np.float32), np.full((3, 4, 2), -1.0, np.float32))
    assert not quiet.any()
    assert hires_cam(np.ones((3, 4, 2)), np.full((3, 4, 2), -1.0)).max() == -2.0


def test_signed_maps_keep_their_sign_and_zero_stays_the_middle(lite0, gallery):
    found = cw.attribute(lite0, gallery["cat"], "hirescam", "espresso")
    assert found.signed
    assert found.heatmap.min() < 0
    assert np.abs(found.heatmap).max() == pytest.approx(1.0)


def test_a_crop_shows_no_heat_outside_of_what_the_network_saw(lite0, gallery):
    sample = cw.load_image(gallery["espresso"], fit="crop")
    heat = cw.attribute(lite0, sample).heatmap
    assert heat.shape == (400, 600)
    assert not heat[:, :100].any()
    assert not heat[:, 500:].any()
    assert heat[:, 100:500].max() == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "grad-kam"}, "Unknown method 'grad-kam'. Methods: grad-cam, "),
        ({"class_index": 4}, "Unknown class 4. This network has classes 0 to 3"),
        ({"class_index": "zebra"}, "Unknown class 'zebra'"),
        ({"layer": "conv9"}, "Unknown layer 'conv9'. Layers with feature maps: conv1"),
        ({"layer": "dense"}, "Layer 'dense' puts out shape"),
        ({"target": "softmax"}, "Expected target to be one of"),
    ],
)
def test_a_wrong_wish_gets_one_clear_error(tiny_net, photo, options, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        cw.attribute(tiny_net, photo, **options)


def test_a_network_without_a_map_says_that_there_is_no_cam(keras, photo):
    layers = keras.layers
    flat = keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(2)])
    net = cw.Network(flat)
    with pytest.raises(ValueError, match="no layer with a spatial map"):
        cw.attribute(net, photo)
    assert cw.attribute(net, photo, "saliency").raw.shape == (8, 8)
