"""What every method owes its paper: numbers by hand, and identities."""

from concurrent.futures import CancelledError

import cv2
import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.attribution import cam
from cnn_widgets.drawing import mosaics
from cnn_widgets.views import captions


@pytest.fixture(scope="module")
def net(keras):
    """A network that no test changes; it is compiled once for all."""
    return cw.Network(tiny(keras), preprocess=lambda pixels: pixels / 255)


def test_layercam_by_hand(by_hand, steps):
    found = cw.attribute(cw.Network(by_hand, preprocess="none"), steps, "layercam", layer="relu")
    np.testing.assert_array_equal(found.raw, [[0, 4], [31, 40]])


def test_grad_cam_plus_plus_by_hand():
    activations = np.array([[[1.0], [2.0]]], np.float32)
    gradients = np.array([[[1.0], [-0.5]]], np.float32)
    # α = g² / (2g² + 3g³): 1 / (2 + 3) = 0.2 where g = 1; ReLU(g) = 0 where g = -0.5
    np.testing.assert_allclose(cam.grad_cam_plus_plus(activations, gradients), [[0.2, 0.4]])
    none = cam.grad_cam_plus_plus(activations, np.zeros_like(gradients))
    assert not none.any()  # 0 / 0 is 0


def test_xgrad_cam_by_hand():
    activations = np.array([[[1.0, 1.0], [3.0, -1.0]]], np.float32)
    gradients = np.array([[[2.0, 5.0], [4.0, 7.0]]], np.float32)
    # filter 0: (2·1 + 4·3) / 4 = 3.5; filter 1 sums to 0: weight 0
    np.testing.assert_allclose(cam.xgrad_cam(activations, gradients), [[3.5, 10.5]])


def test_before_its_relu_xgrad_cam_sums_to_the_gradient_times_the_activations(net, photo):
    activations, gradients = net.gradients(photo, "pool1", 1)
    totals = activations.sum((0, 1))
    weights = (gradients * activations).sum((0, 1)) / np.where(totals == 0, 1, totals)
    assert (activations @ weights).sum() == pytest.approx((gradients * activations).sum(), rel=1e-4)


@pytest.mark.parametrize("shape", [(3, 4, 5), (6, 5, 3)])
def test_eigen_cam_is_the_first_singular_vector_with_its_sign_fixed(shape):
    activations = np.random.default_rng(0).random(shape).astype(np.float32) - 0.2
    flat = activations.reshape(-1, shape[2])
    left, values, _ = np.linalg.svd(flat)
    expected = left[:, 0] * values[0]
    expected *= np.sign(np.corrcoef(expected, flat.mean(1))[0, 1])
    found = cam.eigen_cam(activations, activations)
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-5)


def test_eigen_cam_is_shown_from_its_smallest_to_its_largest_value_at_every_layer(lite0, gallery):
    """Wholly negative projections too, which a map cut at zero would show as nothing."""
    negative = 0
    for info in lite0.feature_layers:
        found = cw.attribute(lite0, gallery["cat"], "eigen-cam", layer=info.name)
        negative += found.raw.max() <= 0
        assert found.heatmap.min() == pytest.approx(0, abs=0.05)
        assert found.heatmap.max() == 1
        small = cv2.resize(found.heatmap, found.raw.shape[::-1], interpolation=cv2.INTER_AREA)
        assert np.corrcoef(small.ravel(), found.raw.ravel())[0, 1] > 0.5
    assert negative >= 5


def test_eigen_cam_of_a_map_of_one_value_says_that_it_tells_no_place(keras, photo):
    ones = keras.layers.Conv2D(3, 1, kernel_initializer="zeros", bias_initializer="ones")
    pooled = keras.layers.GlobalAveragePooling2D()
    net = cw.Network(keras.Sequential([keras.Input((8, 8, 3)), ones, pooled]))
    found = cw.attribute(net, photo, "eigen-cam")
    assert found.empty
    assert "one value everywhere" in captions.evidence(found)
    assert "one value everywhere" in captions.short_evidence(found)


def test_integrated_gradients_add_up_to_what_the_score_gained(net, photo):
    black = cw.load_image(np.zeros((20, 30, 3), np.uint8))
    found = cw.attribute(net, photo, "integrated-gradients", 2, steps=200)
    gained = net.scores(photo)[0][2] - net.scores(black)[0][2]
    assert found.raw.sum() == pytest.approx(gained, rel=2e-3)


@pytest.mark.slow
def test_on_the_real_network_more_steps_close_the_gap(lite0, gallery):
    """ReLU6 has kinks all along the path: 50 steps miss some of the gain, 200 hardly any."""
    black = cw.load_image(np.zeros((8, 8, 3), np.uint8))
    gained = lite0.scores(gallery["cat"])[0][285] - lite0.scores(black)[0][285]
    gaps = [
        abs(cw.attribute(lite0, gallery["cat"], "integrated-gradients", 285, steps=n).raw.sum()
            - gained) / gained for n in (50, 200)
    ]  # fmt: skip
    assert gaps[0] < 0.2
    assert gaps[1] < 0.03


def test_smoothgrad_without_noise_is_the_gradient(net, photo):
    smooth = cw.attribute(net, photo, "smoothgrad", 1, noise=0.0, samples=7)
    plain = cw.attribute(net, photo, "saliency", 1)
    np.testing.assert_allclose(smooth.raw, plain.raw, rtol=1e-5)


def test_gradient_times_input_is_what_it_says(net, photo):
    x, gradients = net.gradients(photo, None, 3)
    found = cw.attribute(net, photo, "gradient-x-input", 3)
    np.testing.assert_allclose(found.raw, (x * gradients).sum(-1), rtol=1e-5, atol=1e-9)


def test_guided_backprop_lets_only_positive_gradients_through_relus(keras):
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((1, 2, 1)), layers.Flatten(), layers.Dense(2, use_bias=False),
        layers.ReLU(), layers.Dense(1, use_bias=False),
    ])  # fmt: skip
    model.layers[1].set_weights([np.array([[1.0, 2.0], [0.5, -3.0]])])
    model.layers[3].set_weights([np.array([[4.0], [-5.0]])])
    net = cw.Network(model, preprocess="none")
    sample = cw.load_image(np.array([[10, 1]], np.uint8))
    # both ReLUs are open; the second passes a gradient of -5 back, which is stopped
    assert cw.attribute(net, sample, "guided-backprop").raw.tolist() == [[4.0, 2.0]]
    assert net.gradients(sample, None, 0)[1].ravel().tolist() == [-6.0, 17.0]


def rectified_by(keras, activation):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    return keras.Sequential([
        keras.Input((16, 12, 3)), layers.Conv2D(6, 3, activation=activation),
        layers.Conv2D(8, 3, activation=activation), layers.GlobalAveragePooling2D(),
        layers.Dense(4),
    ])  # fmt: skip


def test_the_larger_of_a_value_and_zero_is_a_relu(keras, photo):
    relu, larger = (
        cw.Network(rectified_by(keras, each), preprocess="none")
        for each in ("relu", lambda x: keras.ops.maximum(x, 0.0))
    )
    expected, found = (cw.attribute(net, photo, "guided-backprop", 0).raw for net in (relu, larger))
    assert np.abs(expected - relu.gradients(photo, None, 0)[1].sum(-1)).max() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-9)


def test_a_network_without_relus_has_no_guided_map(keras, photo):
    net = cw.Network(rectified_by(keras, "swish"), preprocess="none")
    for method in ("guided-backprop", "guided-grad-cam"):
        with pytest.raises(ValueError, match="none is found in this network"):
            cw.attribute(net, photo, method, 0)


def test_guided_grad_cam_is_the_product_of_its_two(net, photo):
    from cnn_widgets.drawing import color

    product = cw.attribute(net, photo, "guided-grad-cam", 1, "conv2").raw
    coarse = cw.attribute(net, photo, "grad-cam", 1, "conv2").raw
    guided = cw.attribute(net, photo, "guided-backprop", 1).raw
    where = color.normalize(color.resize(coarse, (16, 12)))
    np.testing.assert_allclose(product, where * guided, rtol=1e-4, atol=1e-8)


def test_ablation_cam_weighs_a_filter_by_what_is_lost_without_it(net, photo, keras):
    model = net.model
    activations = net.activations(photo, "conv2").astype(np.float64)
    kernel = np.asarray(model.get_layer("dense").kernel, np.float64)[:, 1]
    score = float(net.scores(photo)[0][1])
    weights = activations.mean((0, 1)) * kernel / abs(score)  # GAP + Dense: exactly linear
    found = cw.attribute(net, photo, "ablation-cam", 1, "conv2")
    expected = np.maximum(activations @ weights, 0)
    np.testing.assert_allclose(found.raw, expected, atol=1e-4 * np.abs(weights).sum())


def test_score_cam_follows_its_algorithm_step_by_step(net, photo, keras):
    from cnn_widgets.drawing import color

    activations = net.activations(photo, "conv2")
    x = net.input_tensor(photo)
    masks = mosaics.scale_filters(activations)
    scores = [
        net.engine.observe((x * color.resize(masks[..., k], (16, 12))[..., None])[None], ())
        .scores[0, 1] for k in range(8)
    ]  # fmt: skip
    base = net.engine.observe(np.zeros_like(x)[None], ()).scores[0, 1]
    rise = np.array(scores, np.float64) - base
    weights = np.exp(rise) / np.exp(rise).sum()
    found = cw.attribute(net, photo, "score-cam", 1, "conv2")
    np.testing.assert_allclose(found.raw, np.maximum(activations @ weights, 0), rtol=1e-4)


class Half:
    """A model whose score is the mean of the left half of the picture."""

    @staticmethod
    def network(keras):
        inputs = keras.Input((16, 16, 1))
        left = keras.layers.Cropping2D(((0, 0), (0, 8)))(inputs)
        outputs = keras.layers.Flatten()(keras.layers.GlobalAveragePooling2D()(left))
        return cw.Network(keras.Model(inputs, outputs), preprocess="none")


def test_occlusion_finds_the_half_that_matters(keras):
    net = Half.network(keras)
    white = cw.load_image(np.full((16, 16), 255, np.uint8))
    found = cw.attribute(net, white, "occlusion", patch=0.25, stride=0.25)
    assert (found.raw[:, :8] > 0).all()
    assert not found.raw[:, 8:].any()
    # a 4×4 grey patch takes (255 - 127) from 16 of the 128 pixels that are averaged
    np.testing.assert_allclose(found.raw[:, :8], (255 - 127) * 16 / 128, rtol=1e-5)


def test_rise_finds_the_half_that_matters_and_its_seed_repeats_it(keras):
    net = Half.network(keras)
    white = cw.load_image(np.full((16, 16), 255, np.uint8))
    found = cw.attribute(net, white, "rise", masks=2000, cells=4, seed=1)
    again = cw.attribute(net, white, "rise", masks=2000, cells=4, seed=1)
    other = cw.attribute(net, white, "rise", masks=2000, cells=4, seed=2)
    np.testing.assert_array_equal(found.raw, again.raw)
    assert np.abs(found.raw - other.raw).max() > 0
    left, right = found.raw[:, :6].mean(), found.raw[:, 10:].mean()
    assert left > 0
    assert abs(right) < 0.25 * left


@pytest.mark.parametrize("method", cw.METHODS)
def test_every_method_answers_for_any_class_target_and_question(net, photo, method):
    slow = {"rise": {"masks": 64}, "smoothgrad": {"samples": 8}, "integrated-gradients": {
        "steps": 8}}.get(method, {})  # fmt: skip
    for options in ({}, {"target": "probability"}, {"versus": 3}, {"counter": True}):
        found = cw.attribute(net, photo, method, 1, **options, **slow)
        assert found.heatmap.shape == photo.size
        assert np.isfinite(found.raw).all()
        assert (found.raw.min() >= 0) or found.signed or method == "eigen-cam"
    pair = cw.attribute(net, [photo, photo], method, [1, 2], **slow)
    alone = cw.attribute(net, photo, method, 1, **slow)
    np.testing.assert_allclose(
        pair[0].raw, alone.raw, atol=1e-4 * max(np.abs(alone.raw).max(), 1e-9)
    )
    assert pair[1].class_index == 2


def test_contrast_and_counter_evidence_are_what_they_are_called(net, photo):
    one, other = (cw.attribute(net, photo, "hirescam", i, "conv2").raw for i in (1, 3))
    contrast = cw.attribute(net, photo, "hirescam", 1, "conv2", versus=3)
    np.testing.assert_allclose(contrast.raw, one - other, atol=1e-6)
    assert contrast.question == "for class 1 rather than class 3"
    counter = cw.attribute(net, photo, "hirescam", 1, "conv2", counter=True)
    np.testing.assert_allclose(counter.raw, -one, atol=1e-7)
    assert counter.question == "against class 1"
    with pytest.raises(ValueError, match="compared with itself"):
        cw.attribute(net, photo, class_index=1, versus=1)


@pytest.mark.parametrize("method", ["grad-cam", "saliency", "ablation-cam"])
def test_a_list_tells_its_progress_and_can_be_cancelled(net, photo, method):
    told = []
    samples = [cw.ImageSample(photo.pixels + np.uint8(i)) for i in range(10)]
    found = cw.attribute(
        net, samples, method, progress=lambda done, total: told.append((done, total))
    )
    assert len(found) == 10
    assert {total for _, total in told} == {1000}
    done = [each for each, _ in told]
    assert done == sorted(done)
    assert len(set(done)) >= 10
    with pytest.raises(CancelledError):
        cw.attribute(net, samples, method, progress=lambda done, total: done < 500)


@pytest.mark.parametrize("method", [name for name, m in cw.METHODS.items() if m.slow])
def test_slow_methods_tell_their_progress_and_can_be_cancelled(net, photo, method):
    told = []
    cw.attribute(net, photo, method, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    with pytest.raises(CancelledError, match="Cancelled after"):
        cw.attribute(net, photo, method, progress=lambda done, total: False)


def test_a_method_takes_only_its_own_options(net, photo):
    with pytest.raises(TypeError, match="masks"):
        cw.attribute(net, photo, "occlusion", masks=5)


def test_every_method_has_its_card():
    for name, method in cw.METHODS.items():
        assert method.name == name
        for text in (method.title, method.equation, method.paper, method.reads, method.cost,
                     method.caveat):  # fmt: skip
            assert len(text) > 3
        assert any(year in method.paper for year in map(str, range(2013, 2025)))
        assert "References" in method.map.__doc__
