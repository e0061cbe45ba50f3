"""Planted faults are found, each by its name, and networks without any are not accused."""

import numpy as np
import pytest
from test_filter_index import in_unit, noise

import cnn_widgets as cw
from cnn_widgets.filter_index import Limits
from cnn_widgets.filter_index.faults import most_share

#: Of 120 photographs one has a pixel of pure red.
COUNT, SPOT = 120, 77


def photographs():
    found = (noise(COUNT, (8, 8), seed=3) * 0.8).astype(np.uint8)
    found[SPOT, 5, 2] = (255, 0, 0)
    return found


def clean(keras, seed, activation="relu6", filters=12):
    """Return a network without faults: each filter is above 0 in about half of the cells.

    The weights of a filter add up to 0; otherwise some are below 0 on every photograph.
    """
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)),
        layers.Conv2D(filters, 3, padding="same", activation=activation, name="first",
                      kernel_initializer=keras.initializers.Orthogonal()),
        layers.DepthwiseConv2D(3, padding="same", name="deep"),
        layers.ReLU(max_value=6, name="deep_relu"),
        layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    kernel, bias = model.get_layer("first").get_weights()
    model.get_layer("first").set_weights([kernel - kernel.mean((0, 1, 2)), bias])
    kernel, bias = model.get_layer("deep").get_weights()
    model.get_layer("deep").set_weights([np.abs(kernel), bias])
    return model


def planted(keras, seed):
    """Return the same network, in which five filters of the first layer got a fault each."""
    model = clean(keras, seed)
    kernel, bias = model.get_layer("first").get_weights()
    bias[1] = -100  # dead
    kernel[..., 3], bias[3] = 0, 0.7  # constant
    bias[5] = 100  # saturated
    kernel[..., 7], bias[7] = 2.5 * kernel[..., 2], 2.5 * bias[2]  # a multiple of filter 2
    kernel[..., 9], bias[9] = 0, -0.9
    kernel[1, 1, 0, 9] = 1  # almost dead: red above 0.9
    model.get_layer("first").set_weights([kernel, bias])
    return model


WANTED = {(1, "dead"), (3, "constant"), (5, "saturated"), (7, "duplicate"), (9, "almost dead")}


def faults_of(found, layer="first"):
    return {(each["filter"], each["fault"]) for each in found.faults() if each["layer"] == layer}


@pytest.mark.parametrize("seed", range(4))
def test_planted_faults_are_found_and_the_clean_twin_is_not_accused(keras, seed):
    images = photographs()
    one = cw.Network(clean(keras, seed), preprocess=in_unit)
    assert cw.index_filters(one, images).faults() == []
    bad = cw.Network(planted(keras, seed), preprocess=in_unit)
    found = cw.index_filters(bad, images)
    assert faults_of(found) == WANTED
    assert found.fault_counts()["first"] == dict.fromkeys(found.fault_counts()["first"], 1)
    # what they lead to: the depthwise filter behind a dead one is dead, too
    assert (1, "dead") in faults_of(found, "deep")
    layer = found.layer("first")
    assert (layer.twin[7], layer.twin[2], layer.group[7]) == (2, 7, 2)
    assert layer.twin_correlation[7] > 0.99999
    assert layer.high == 6
    assert layer.at_end[5] == 1
    top = found.top_photographs("first", 9)
    assert [(each["number"], each["row"], each["column"]) for each in top] == [(SPOT, 5, 2)]


def test_each_fault_says_on_how_many_photographs_it_rests(keras):
    one = cw.Network(planted(keras, 0), preprocess=in_unit)
    found = cw.index_filters(one, photographs(), layers="first")
    assert [(each["fault"], each["told"]) for each in found.faults()] == [
        ("dead", "never above 0 on 120 photographs"),
        ("constant", "the same value, 0.7, everywhere on 120 photographs"),
        ("saturated", "100.0 % of its cells at 6 on 120 photographs"),
        ("duplicate", "like filter 2, correlation 1.0000"),
        ("almost dead", "above 0 on 1 of 120 photographs"),
    ]
    assert "up to 2.5 % of all such photographs" in found.cautions()[0]


def test_thresholds_may_be_changed_after_the_pass(keras):
    one = cw.Network(planted(keras, 0), preprocess=in_unit)
    found = cw.index_filters(one, photographs(), layers="first")
    strict = Limits(almost_dead=0.005)
    assert not any(each["fault"] == "almost dead" for each in found.faults(strict))
    assert found.fault_counts(strict)["first"]["almost dead"] == 0
    assert found.fault_counts(Limits(saturated=0))["first"]["saturated"] > 1


def test_of_few_photographs_none_is_called_almost_dead_or_a_duplicate(keras):
    one = cw.Network(planted(keras, 0), preprocess=in_unit)
    found = cw.index_filters(one, photographs()[SPOT - 1 : SPOT + 1])
    assert not {fault for _, fault in faults_of(found)} & {"almost dead", "duplicate"}
    assert any("active on less than 1 % is active on none of 2" in e for e in found.cautions())


def test_a_stream_finds_the_same_faults(keras):
    one = cw.Network(planted(keras, 0), preprocess=in_unit)
    found = cw.index_filters(one, iter(photographs()))
    assert faults_of(found) == WANTED


def test_nearly_equal_filters_are_told_from_alike_ones(keras):
    """Mixed with another filter so that the correlation of the linear maps is 0.995, or 0.9."""
    model = clean(keras, 1, activation="linear")
    kernel, bias = model.get_layer("first").get_weights()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8, 3), np.uint8)  # independent pixels
    white = kernel.reshape(-1, 12) / np.linalg.norm(kernel.reshape(-1, 12), axis=0)
    for place, source, other, alike in ((7, 2, 3, 0.995), (8, 4, 5, 0.9)):
        mixed = alike * white[:, source] + (1 - alike**2) ** 0.5 * white[:, other]
        kernel[..., place] = 5 * mixed.reshape(3, 3, 3)
    kernel[..., 9] = -kernel[..., 0]  # the opposite is no duplicate
    model.get_layer("first").set_weights([kernel, bias])
    one = cw.Network(model, preprocess=in_unit)
    found = cw.index_filters(one, images, layers="first")
    assert faults_of(found) == {(7, "duplicate")}
    maps = np.stack([one.activations(cw.load_image(each), "first") for each in images])
    exact = np.corrcoef(maps.reshape(-1, 12).T)
    assert found.layer("first").twin_correlation[7] == pytest.approx(exact[2, 7], abs=1e-5)


def test_groups_of_alike_filters_count_all_but_the_first(keras):
    model = clean(keras, 2)
    kernel, bias = model.get_layer("first").get_weights()
    for place in (4, 6, 11):
        kernel[..., place] = kernel[..., 1]
    kernel[..., 9] = kernel[..., 8]
    model.get_layer("first").set_weights([kernel, bias])
    found = cw.index_filters(cw.Network(model, preprocess=in_unit), photographs(), layers="first")
    assert found.fault_counts()["first"]["duplicate"] == 4
    assert list(found.layer("first").group) == [0, 1, 2, 3, 1, 5, 1, 7, 8, 8, 10, 1]


def test_filters_that_share_a_few_cells_are_not_called_duplicates(keras):
    """Both are above 0 only in the spot: their correlation is 1, of a single cell."""
    model = planted(keras, 0)
    kernel, bias = model.get_layer("first").get_weights()
    kernel[..., 10], bias[10] = 0.8 * kernel[..., 9], 0.8 * bias[9]
    model.get_layer("first").set_weights([kernel, bias])
    found = cw.index_filters(cw.Network(model, preprocess=in_unit), photographs(), layers="first")
    assert (10, "almost dead") in faults_of(found)
    assert (10, "duplicate") not in faults_of(found)
    assert not found.layer("first").compared[[1, 3, 9, 10]].any()


@pytest.mark.parametrize(
    ("activation", "bias", "end"),
    [("sigmoid", 50, "0 or 1"), ("sigmoid", -50, "0 or 1"), ("tanh", -50, "-1 or 1")],
)
def test_saturation_at_either_end_of_a_smooth_function(keras, activation, bias, end):
    model = clean(keras, 0, activation)
    kernel, biases = model.get_layer("first").get_weights()
    one = cw.Network(model, preprocess=in_unit)
    assert cw.index_filters(one, photographs(), layers="first").faults() == []
    biases[6] = bias
    model.get_layer("first").set_weights([kernel, biases])
    found = cw.index_filters(one, photographs(), layers="first")
    assert faults_of(found) == {(6, "saturated")}
    assert f"100.0 % of its cells at {end} on" in found.faults()[0]["told"]


def test_without_an_end_nothing_is_saturated_and_without_a_rest_nothing_is_dead(keras):
    model = clean(keras, 0, "leaky_relu")
    kernel, biases = model.get_layer("first").get_weights()
    biases[6], biases[2] = 100, -100
    model.get_layer("first").set_weights([kernel, biases])
    found = cw.index_filters(cw.Network(model, preprocess=in_unit), photographs(), layers="first")
    assert faults_of(found) == set()
    assert found.layer("first").active[2] == 0
    assert any("no filter is saturated: first." in each for each in found.cautions())


def test_the_share_that_none_of_some_photographs_leaves_open():
    """None of n is seen with a probability of 5 % if the share is 1 - 0.05^(1/n)."""
    for count in (1, 9, 300):
        assert (1 - most_share(count)) ** count == pytest.approx(0.05)
    assert most_share(0) == 1


# --- the bundled network -------------------------------------------------------------------------


@pytest.mark.slow
def test_all_filters_of_the_bundled_network_in_one_index(lite0, gallery, tmp_path):
    found = cw.index_filters(lite0, gallery)
    assert (len(found), found.count, len(found.layers)) == (19_200, 9, 33)
    size = sum(each.stat().st_size for each in found.save(tmp_path).iterdir())
    assert size < 30e6
    raw = sum(
        array.nbytes
        for layer in found.layers.values()
        for array in vars(layer).values()
        if isinstance(array, np.ndarray)
    )
    assert raw < 30e6
    peaks = [lite0.peaks(sample) for sample in gallery.values()]
    for layer, values in peaks[0].items():
        every = np.stack([values, *(each[layer] for each in peaks[1:])])
        np.testing.assert_allclose(found.layer(layer).peak, every.max(0), atol=1e-3)
        np.testing.assert_array_equal(found.layer(layer).active, (every > 0).sum(0))
    assert {layer.high for layer in found.layers.values()} == {6.0}
    duplicates_as_brute_force(found, lite0, gallery, "block1_expand", "block1_expand_relu")


def duplicates_as_brute_force(found, net, gallery, layer, after):
    maps = np.concatenate(
        [net.activations(each, after).reshape(-1, 96) for each in gallery.values()]
    )
    centered = maps - maps.mean(0)
    lengths = np.maximum(np.linalg.norm(centered, axis=0), 1e-9)
    exact = centered.T @ centered / np.outer(lengths, lengths)
    np.fill_diagonal(exact, 0)
    one = found.layer(layer)
    exact[:, ~one.compared] = exact[~one.compared] = 0
    best = exact.max(0)
    assert (best >= 0.99).sum() > 0
    np.testing.assert_array_equal(one.twin >= 0, best >= 0.99)
    np.testing.assert_allclose(one.twin_correlation[best >= 0.99], best[best >= 0.99], atol=1e-4)
