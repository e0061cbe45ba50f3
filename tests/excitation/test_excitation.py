"""Pictures made to excite a filter, on networks where the best picture is known."""

from concurrent.futures import CancelledError

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.excitation import dream, excite, exciting_patches, pixel_map, response


def colored(keras, kernel, bias=None, activation=None, size=8, head="logits", preprocess=None):
    """Return a network whose first layer is a 1×1 convolution with a kernel (C, K)."""
    kernel = np.asarray(kernel, np.float32)
    channels, count = kernel.shape
    layers = keras.layers
    model = keras.Sequential([keras.Input((size, size, channels)),
                              layers.Conv2D(count, 1, activation=activation, name="mix"),
                              layers.GlobalAveragePooling2D(name="gap"),
                              layers.Dense(count, use_bias=False, name="score")])  # fmt: skip
    model.get_layer("mix").set_weights(
        [kernel[None, None], np.zeros(count) if bias is None else np.array(bias)]
    )
    model.get_layer("score").set_weights([np.eye(count)])
    return cw.Network(model, preprocess=preprocess or (lambda x: x / 255), head=head)


@pytest.fixture(scope="module")
def red(keras):
    """Filter 0 is red minus blue, at most 1; filter 1 is green."""
    return colored(keras, [[1, 0], [0, 1], [-1, 0]])


@pytest.mark.parametrize("of", ["mean", "peak"])
def test_the_best_picture_is_found(red, of):
    made = excite(red, "mix", 0, of=of)
    assert made.value > 0.7
    assert made.value == (made.mean if of == "mean" else made.peak)
    at = made.picture if of == "mean" else made.picture[4:5, 4:5]
    assert np.median(at[..., 0]) > 225
    assert np.median(at[..., 2]) < 30
    assert len(made.history) == 96
    assert made.value > made.start


def test_the_value_is_what_the_network_answers_for_the_finished_picture(red):
    made = excite(red, "mix", 0, steps=5)
    again = cw.load_image(made.picture)
    assert made.value == float(red.activations(again, "mix")[..., 0].mean())
    assert (made.mean, made.peak) == response(red, again, "mix", 0)


def test_a_group_of_filters_and_a_class_are_excited(red):
    both = excite(red, "mix", [0, 1])
    assert np.median(both.picture[..., :2]) > 200
    assert both.value > 0.5
    made = excite(red, class_index=1)
    assert np.median(made.picture[..., 1]) > 225
    assert made.value == pytest.approx(float(red.scores(made.sample)[0][1]))
    assert (made.layer, made.filters) == (None, (1,))


def test_the_same_seed_gives_the_same_picture(red):
    first, again, other = (excite(red, "mix", 0, steps=3, seed=seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.picture, again.picture)
    assert (first.picture != other.picture).any()


def test_a_filter_that_is_silent_on_noise_is_woken(keras):
    """It answers only where red is above 0.95; noise around grey never is."""
    net = colored(keras, [[1.0], [0], [0]], bias=[-0.95], activation="relu")
    made = excite(net, "mix", 0, steps=150)
    assert made.start == 0
    assert made.value > 0.02
    assert made.notes == ()


def test_a_filter_that_nothing_excites_is_said_to_be_one(keras):
    net = colored(keras, [[0.0], [0], [0]])
    assert "nothing that excites" in excite(net, "mix", 0, steps=2).notes[0]


def test_grey_and_many_channels(keras):
    grey = excite(colored(keras, [[-1.0]]), "mix", 0)
    assert grey.value > -0.2
    assert grey.picture.shape == (8, 8, 3)
    many = excite(colored(keras, np.eye(5)[:, [3]]), "mix", 0)
    assert many.picture.shape == (8, 8, 5)
    assert np.median(many.picture[..., 3]) > 225
    assert "5 channels" in many.notes[0]


def test_preprocessing_is_measured_and_what_is_not_affine_is_refused(keras):
    def bgr(x):
        return x[..., ::-1] - np.array([100.0, 110, 120], np.float32)

    net = colored(keras, [[0.0], [0], [1]], preprocess=bgr)
    found = pixel_map(net.model_input)
    np.testing.assert_allclose(found.matrix, np.eye(3)[::-1], atol=1e-5)
    np.testing.assert_allclose(found.offset, [-100, -110, -120], atol=1e-4)
    assert np.median(excite(net, "mix", 0).picture[..., 0]) > 225  # the third channel in is red
    for bent in (lambda x: (x / 255) ** 2, lambda x: x - x.mean(), lambda x: x[:, ::-1] / 255):
        net = colored(keras, [[1.0], [0], [0]], preprocess=bent)
        with pytest.raises(ValueError, match="no affine map"):
            excite(net, "mix", 0)


def test_bad_questions_are_refused_and_it_can_be_stopped(red):
    with pytest.raises(ValueError, match=r"filters of layer 'mix', 0 to 1\. Received: 2"):
        excite(red, "mix", 2)
    for wrong in (-1, 0.5, [], [0, 9], True):
        with pytest.raises(ValueError, match="Expected filters"):
            excite(red, "mix", wrong)
    with pytest.raises(ValueError, match="Expected a layer and filters of it, or a class_index"):
        excite(red, "mix", 0, class_index=1)
    with pytest.raises(ValueError, match="Expected a layer and filters of it, or a class_index"):
        excite(red, "mix")
    with pytest.raises(ValueError, match="Unknown layer"):
        excite(red, "nope", 0)
    with pytest.raises(ValueError, match="steps to be at least 1"):
        excite(red, "mix", 0, steps=0)
    with pytest.raises(ValueError, match="Expected of to be one of"):
        excite(red, "mix", 0, of="sum")
    seen = []
    with pytest.raises(CancelledError, match="Stopped after 2 of 9 steps"):
        excite(red, "mix", 0, steps=9, progress=lambda *done: seen.append(done) or done[0] < 2)
    assert seen == [(1, 9), (2, 9)]


def test_a_dream_strengthens_what_a_layer_sees(red):
    rng = np.random.default_rng(0)
    photo = cw.load_image(rng.integers(100, 156, (20, 31, 3), np.uint8), name="noise")
    made = dream(red, photo, "mix", 1, octaves=2, steps=6)
    assert made.after > made.before
    assert made.sample.pixels[..., 1].mean() > 150
    assert abs(made.sample.pixels[..., 2].mean() - photo.pixels[..., 2].mean()) < 5
    assert made.sample.size == (11, 17)
    again = dream(red, photo, "mix", 1, octaves=2, steps=6)
    np.testing.assert_array_equal(made.sample.pixels, again.sample.pixels)
    with pytest.raises(ValueError, match=r"(octaves|steps) to be at least 1"):
        dream(red, photo, "mix", octaves=0)
    with pytest.raises(CancelledError):
        dream(red, photo, "mix", progress=lambda done, total: False)


def test_a_dream_of_another_number_of_channels(keras):
    grey = colored(keras, [[1.0]])
    photo = cw.load_image(np.full((8, 8, 3), 90, np.uint8))
    assert dream(grey, photo, "mix", octaves=1, steps=2).sample.size == (8, 8)
    with pytest.raises(ValueError, match="takes 5 channels"):
        dream(colored(keras, np.eye(5)), photo, "mix")


def test_the_best_patch_is_where_the_mark_was_planted(red, tmp_path):
    pictures = {}
    for name, level in (("weak", 100), ("strong", 250), ("none", 0)):
        pixels = np.zeros((8, 8, 3), np.uint8)
        pixels[2, 5, 0] = level
        pictures[name] = pixels
    best = exciting_patches(red, pictures, "mix", 0, count=2)
    assert [each.name for each in best.found] == ["strong", "weak"]
    first = best.found[0]
    assert (first.row, first.column, first.pixels.tolist()) == (2, 5, [[[250, 0, 0]]])
    assert first.value == pytest.approx(250 / 255)
    assert best.best_mean == pytest.approx(250 / 255 / 64)
    (tmp_path / "a.png").write_bytes(b"broken")
    broken = exciting_patches(red, tmp_path, "mix", 0)
    assert (broken.found, broken.seen, list(broken.errors)) == ((), 0, ["a.png"])
    assert np.isnan(broken.best_mean)
    with pytest.raises(ValueError, match="no map"):
        exciting_patches(red, pictures, "gap", 0)


def _live_filters(net, photographs, count, seed):
    """Yield random filters, with their best mean on photographs, that answer on any of them."""
    rng = np.random.default_rng(seed)
    layers = net.feature_layers
    while count:
        info = layers[rng.integers(len(layers))]
        k = int(rng.integers(info.filters))
        answers = [response(net, each, info.name, k) for each in photographs]
        if max(peak for _, peak in answers) > 0:
            count -= 1
            yield info.name, k, max(mean for mean, _ in answers)


@pytest.mark.slow
def test_made_pictures_beat_photographs_in_the_bundled_network(lite0, gallery):
    for layer, k, best in _live_filters(lite0, gallery.values(), 3, seed=1):
        assert excite(lite0, layer, k, steps=40).value > best, (layer, k)


@pytest.mark.sweep
def test_made_pictures_beat_photographs_for_forty_filters(lite0, gallery):
    won = [excite(lite0, layer, k).value > best
           for layer, k, best in _live_filters(lite0, gallery.values(), 40, seed=2026)]  # fmt: skip
    assert sum(won) >= 38


def test_a_patch_is_cut_where_the_photograph_ends(lite0):
    """A wide letterboxed photograph: cells of its bars see a part of it only, or none."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 400, 3), np.uint8)
    sample = cw.load_image(pixels, fit="letterbox")
    for number in range(32):
        (best,) = exciting_patches(lite0, [sample], "stem", number).found
        height, width = best.pixels.shape[:2]
        assert height >= 1
        assert width >= 1


def test_a_data_set_without_end_is_refused(lite0):
    from cnn_widgets.environment import tensorflow

    data = tensorflow().data.Dataset.from_tensor_slices(np.zeros((2, 8, 8, 3), np.uint8)).repeat()
    with pytest.raises(ValueError, match="never ends: exciting_patches"):
        exciting_patches(lite0, data, "stem", 0)
    with pytest.raises(ValueError, match="never ends: compare_networks"):
        cw.compare_networks(lite0, lite0, data)
    with pytest.raises(ValueError, match="never ends: concept"):
        cw.concept(lite0, data, data, data, 0)
