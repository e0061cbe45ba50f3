"""Filters switched off, and activations of another photograph: known answers."""

import numpy as np
import pytest
from helpers.models import binary, fixed_batch, sequential, subclassed, vision_transformer
from helpers.networks import nested, tiny

import cnn_widgets as cw
from cnn_widgets.attribution import Brush


def residual(keras):
    """The output of "first" goes two ways: through a convolution, and around it."""
    layers = keras.layers
    keras.utils.set_random_seed(3)
    inputs = keras.Input((16, 12, 3))
    first = layers.Conv2D(5, 3, padding="same", activation="relu", name="first")(inputs)
    second = layers.Conv2D(5, 3, padding="same", activation="relu", name="second")(first)
    x = layers.GlobalAveragePooling2D()(layers.Add(name="add")([first, second]))
    return keras.Model(inputs, layers.Dense(4, activation="softmax")(x))


def depthwise(keras):
    layers = keras.layers
    keras.utils.set_random_seed(4)
    return keras.Sequential([
        keras.Input((16, 12, 3)), layers.DepthwiseConv2D(3, depth_multiplier=2, name="depth"),
        layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(4, 1, name="mix"),
        layers.Flatten(), layers.Dense(3, activation="softmax"),
    ])  # fmt: skip


def network(model):
    return cw.Network(model, preprocess=lambda pixels: pixels / 255)


def built(keras, build):
    keras.utils.set_random_seed(5)
    return build(keras)


def zeroed(keras, build, path, filters):
    """Return a network of the same weights, but that those of some filters are 0."""
    model = built(keras, build)
    set_to_zero(model, path, filters)
    return network(model)


def set_to_zero(model, path, filters):
    """Set the weights of some filters of a layer to 0."""
    layer = model
    for name in path.split("/"):
        layer = layer.get_layer(name)
    values = [weight.copy() for weight in layer.get_weights()]
    if type(layer).__name__ == "DepthwiseConv2D":
        kernel = values[0].reshape(*values[0].shape[:2], -1)
        kernel[..., filters] = 0
        values = [kernel.reshape(values[0].shape), values[1]]
        values[1][filters] = 0
    else:
        for value in values[:2]:  # kernel and bias, or gamma and beta
            value[..., filters] = 0
    layer.set_weights(values)


@pytest.mark.parametrize(
    ("build", "path"),
    [
        (sequential, "conv"), (tiny, "conv1"), (tiny, "bn1"), (residual, "first"),
        (depthwise, "depth"), (nested, "body/conv2"), (binary, "conv2"), (fixed_batch, "conv"),
    ],
)  # fmt: skip
def test_silencing_filters_is_the_same_as_zeroing_their_weights_in_a_copy(
    keras, photo, build, path
):
    net = network(built(keras, build))
    found = cw.ablate(net, photo, path, [0, 2], method=None)
    scores, probabilities = zeroed(keras, build, path, [0, 2]).scores(photo)
    np.testing.assert_allclose(found.answers.scores_after, scores, atol=1e-5)
    np.testing.assert_allclose(found.answers.probabilities_after, probabilities, atol=1e-5)
    assert np.abs(found.answers.differences).max() > 1e-4


@pytest.mark.parametrize(
    ("method", "build", "path"), [("grad-cam", tiny, "conv1"), ("layercam", residual, "first")]
)
def test_the_map_afterwards_is_that_of_the_copy(keras, photo, build, path, method):
    net = network(built(keras, build))
    found = cw.ablate(net, photo, path, [1], class_index=2, method=method)
    copy = zeroed(keras, build, path, [1])
    np.testing.assert_allclose(
        found.map_after, cw.attribute(copy, photo, method, 2, path).raw, atol=1e-5
    )
    np.testing.assert_array_equal(found.map_before, cw.attribute(net, photo, method, 2, path).raw)


def test_filters_by_hand(by_hand, steps):
    """At the ReLU filter 0 is 0, 4, 31, 40 and adds 75; filter 1 is 0, 0, 6, 15 and takes 21."""
    net = cw.Network(by_hand, preprocess="none")
    for filters, scale, keep, score in [
        ([1], 0, False, 75), ([0], 0, False, -21), ([0], 0, True, 75), ([0, 1], 0, False, 0),
        (1, 2, False, 33), (0, 0.5, True, 54 / 2 + 37.5), ([0, 1], 0, True, 54),
    ]:  # fmt: skip
        found = cw.ablate(net, steps, "relu", filters, scale=scale, keep=keep)
        assert found.answers.scores_after[0] == pytest.approx(score), (filters, scale, keep)
    alone = cw.ablate(net, steps, "relu", [0], keep=True, method="hirescam")
    np.testing.assert_allclose(alone.map_before, [[0, 4], [25, 25]])
    np.testing.assert_allclose(alone.map_after, [[0, 4], [31, 40]])
    before, after = alone.heatmaps()
    assert (before.max(), after.max()) == (25 / 40, 1)  # one scale for both
    assert alone.told == "all filters but 0 of relu silenced"


def test_one_pass_through_the_tail_tells_the_answer(keras, photo):
    net = network(tiny(keras))
    net.observe(photo)
    passes = counted(net)
    cw.ablate(net, photo, "conv2", [1, 2], method=None)
    assert passes == [("tail_scores", 1)]
    passes.clear()
    cw.ablate(net, photo, "conv2", [1, 2])
    assert sorted(passes) == [("tail_gradients", 1), ("tail_gradients", 1), ("tail_scores", 1)]


def counted(net):
    """Return a list to which each call of the engine is added, with its number of pictures."""
    passes, engine = [], net.engine
    for name, place in [
        ("observe", 0),
        ("tail_scores", 1),
        ("tail_gradients", 2),
        ("gradients", 2),
    ]:
        asked = getattr(engine, name)

        def run(*given, _asked=asked, _name=name, _place=place, **options):
            passes.append((_name, len(given[_place])))
            return _asked(*given, **options)

        setattr(engine, name, run)
    return passes


def test_the_table_holds_who_was_first_before_and_who_is_now(keras, photo):
    found = cw.ablate(network(tiny(keras)), photo, "conv2", [0, 1, 2, 3, 4, 5, 6]).answers
    rows = found.records(top=2)
    assert [row["class_index"] for row in rows][:2] == [p.class_index for p in found.top_before(2)]
    assert {row["class_index"] for row in rows} >= {p.class_index for p in found.top_after(2)}
    for row in rows:
        assert row["difference"] == pytest.approx(row["score_after"] - row["score_before"])
    name, drop = found.most_lowered(1)[0]
    assert drop == pytest.approx(-found.differences.min())
    assert name == found.class_names[found.differences.argmin()]


@pytest.mark.parametrize("build", [sequential, subclassed, fixed_batch])
def test_all_activations_of_another_photograph_give_its_answer(keras, photo, build):
    net, other = network(built(keras, build)), noise(1)
    layer = net.default_layer
    found = cw.patch_activations(net, photo, layer, other)
    np.testing.assert_allclose(found.answers.scores_after, net.scores(other)[0], atol=1e-6)
    same = cw.patch_activations(net, photo, layer, photo)
    np.testing.assert_allclose(same.answers.differences, 0, atol=1e-6)


def test_what_leads_around_the_layer_stays_that_of_the_photograph(keras, photo):
    net = network(residual(keras))
    found = cw.patch_activations(net, photo, "second", noise(1))
    assert np.abs(found.answers.scores_after - net.scores(noise(1))[0]).max() > 1e-4


def noise(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    return cw.load_image(pixels, name=f"noise {seed}")


def test_activations_are_taken_inside_a_region_and_for_some_filters(by_hand, steps):
    """Of the picture 15…0 the ReLU has 0: 40, 31, 4, 0 and 1: 15, 6, 0, 0."""
    net = cw.Network(by_hand, preprocess="none")
    other = cw.load_image(np.arange(16, dtype=np.uint8)[::-1].reshape(4, 4), name="back")
    found = cw.patch_activations(net, steps, "relu", other, filters=[0], method=None)
    assert found.answers.scores_after[0] == 75 - 21
    found = cw.patch_activations(net, steps, "relu", other, filters=1, method=None)
    assert found.answers.scores_after[0] == 75 + 15 - 6
    corner = (0.5, 0.5, 1.9, 1.9)  # the centre of cell (0, 0), at (1.5, 1.5), and no other
    found = cw.patch_activations(net, steps, "relu", other, region=corner, method=None)
    assert found.answers.scores_after[0] == 54 - 0 + 40 + 15
    assert found.told == "2 of 2 filters of relu taken from 'back' at 1 of 4 cells"
    cells = np.array([[False, True], [False, False]])
    found = cw.patch_activations(net, steps, "relu", other, region=cells, method=None)
    assert found.answers.scores_after[0] == 54 - 4 + 31 - 6
    painted = Brush(0.6, (((1.5, 2.5), (2.5, 2.5)),))
    found = cw.patch_activations(net, steps, "relu", other, region=painted, method=None)
    assert found.told.endswith("2 of 4 cells")


def test_tokens_on_a_grid_are_patched_too(keras, photo):
    net = network(vision_transformer(keras))
    layer = net.layers_of(None)[1].name
    found = cw.ablate(net, photo, layer, [0], method=None)
    assert np.abs(found.answers.differences).max() > 1e-5


def test_the_model_and_its_cached_answers_stay_as_they_were(keras, photo):
    from helpers.networks import fingerprint

    model = tiny(keras)
    net, before = network(model), fingerprint(model)
    kept = net.activations(photo, "conv2").copy()
    cw.ablate(net, photo, "conv2", [0], keep=True)
    cw.patch_activations(net, photo, "conv2", noise(2))
    assert fingerprint(model) == before
    np.testing.assert_array_equal(net.activations(photo, "conv2"), kept)


@pytest.mark.parametrize(
    ("filters", "options", "said"),
    [
        ([8], {}, "Unknown filter 8. The layer has filters 0 to 7."),
        ([-1], {}, "Unknown filter -1"),
        ([], {}, "at least one filter"),
        ([0], {"scale": float("nan")}, "finite scale"),
        ([0], {"method": "score-cam"}, "Expected a map made of a layer's activations"),
        ([0], {"method": "saliency"}, "Expected a map made of a layer's activations"),
        ([0], {"method": "eigen-cam"}, "Expected a map made of a layer's activations"),
        ([0], {"class_index": 9}, "Unknown class 9"),
        ([0], {"target": "loss"}, "Expected target"),
    ],
)
def test_bad_questions_are_refused_in_one_line(tiny_net, photo, filters, options, said):
    with pytest.raises(ValueError, match=said):
        cw.ablate(tiny_net, photo, "conv2", filters, **options)


def test_other_bad_questions(tiny_net, photo):
    with pytest.raises(TypeError, match="each filter to be a whole number"):
        cw.ablate(tiny_net, photo, "conv2", [0.5])
    with pytest.raises(ValueError, match="Unknown layer 'nope'"):
        cw.ablate(tiny_net, photo, "nope", [0])
    with pytest.raises(ValueError, match="no map"):
        cw.ablate(tiny_net, photo, "dense", [0])
    with pytest.raises(ValueError, match="centre of no cell"):
        cw.patch_activations(tiny_net, photo, "pool1", photo, region=(0, 0, 0.1, 0.1))
    with pytest.raises(ValueError, match="left < right"):
        cw.patch_activations(tiny_net, photo, "pool1", photo, region=(5, 0, 5, 9))
    with pytest.raises(ValueError, match="bool array"):
        cw.patch_activations(tiny_net, photo, "pool1", photo, region=np.ones((2, 2), bool))
    with pytest.raises(ValueError, match="No map was asked for"):
        cw.ablate(tiny_net, photo, "conv2", [0], method=None).heatmaps()
