"""What filters do over photographs: small networks whose every number is known, and brute force."""

import json
import math
from concurrent.futures import CancelledError

import numpy as np
import pytest
from helpers.models import fixed_batch, one_channel
from helpers.networks import nested, tiny

import cnn_widgets as cw
from cnn_widgets.filter_index import Limits
from cnn_widgets.filter_index.index import ABOUT, NUMBERS
from cnn_widgets.filter_index.layer_filters import ARRAYS


def in_unit(x):
    return x / 255


@pytest.fixture(scope="module")
def net(keras):
    """Filters of single pixels: red, red less green, always 0.25."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((2, 2, 3)),
        layers.Conv2D(3, 1, activation="relu", name="colors"),
        layers.GlobalAveragePooling2D(name="gap"),
        layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    kernel = np.array([[1, 1, 0], [0, -1, 0], [0, 0, 0]], np.float32)  # (colour, filter)
    model.layers[0].set_weights([kernel[None, None], np.array([0, 0, 0.25])])
    return cw.Network(model, preprocess=in_unit, name="colors")


def picture(red, green=((0, 0), (0, 0))):
    """Return a picture of 2×2 pixels, given red and green from 0 to 1."""
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.multiply(red, 255), np.multiply(green, 255)
    return pixels


#: Red: 0 0 / 1 0.2, then 0.4 everywhere, then black. Green: only in the second, 0.2 and 0.6.
PICTURES = {
    "corner": picture([[0, 0], [1, 0.2]]),
    "even": picture([[0.4, 0.4], [0.4, 0.4]], [[0.2, 0.2], [0.6, 0.6]]),
    "black": picture([[0, 0], [0, 0]]),
}


@pytest.fixture(scope="module")
def found(net):
    return cw.index_filters(net, PICTURES, top=2)


def test_spellings_of_a_label_are_one_label(net):
    """As for an audit: capitals, hyphens and underscores do not count, class names do."""
    given = [*PICTURES.values(), PICTURES["even"]]
    apart = cw.index_filters(net, given, labels=["wild cat", "dog", "wild cat", "dog"])
    found = cw.index_filters(net, given, labels=["Wild-cat", "dog", "wild_cat", "DOG"])
    assert found.labels == ("Wild-cat", "dog")
    assert found.label_counts == apart.label_counts == (2, 2)
    for filter_ in range(3):
        assert list(found.label_peaks("colors", filter_).values()) == list(
            apart.label_peaks("colors", filter_).values()
        )
    np.testing.assert_array_equal(found.layer("colors").selectivity,
                                  apart.layer("colors").selectivity)  # fmt: skip
    assert found.cautions()[-2:] == (
        "Labels 'Wild-cat', 'wild_cat' are taken as one label, 'Wild-cat'.",
        "Labels 'dog', 'DOG' are taken as one label, 'dog'.",
    )
    assert not any("one label" in line for line in apart.cautions())
    stream = cw.index_filters(net, iter(zip(given, ["a", "A", "b", "b"], strict=True)))
    assert stream.label_counts == (2, 2)


def test_every_number_of_three_filters_by_hand(found):
    layer = found.layer("colors")
    assert (found.count, len(found), layer.shape, layer.activated) == (3, 3, (2, 2, 3), True)
    assert (layer.low, layer.high, layer.rests) == (0, math.inf, True)
    assert list(layer.active) == [2, 2, 3]
    np.testing.assert_allclose(layer.peak, [1, 1, 0.25], atol=1e-6)
    np.testing.assert_allclose(layer.trough, [0, 0, 0.25], atol=1e-6)
    np.testing.assert_allclose(layer.mean, [2.8 / 12, 1.6 / 12, 0.25], atol=1e-6)
    np.testing.assert_allclose(layer.positive, [6 / 12, 4 / 12, 1], atol=1e-6)
    squares = np.array([1 + 0.04 + 4 * 0.16, 1 + 0.04 + 2 * 0.04]) / 12
    np.testing.assert_allclose(
        layer.deviation, [*np.sqrt(squares - layer.mean[:2] ** 2), 0], atol=1e-6
    )
    assert np.isnan(layer.at_end).all()


def test_the_most_exciting_photographs_with_the_place_of_the_peak(found):
    assert found.top_photographs("colors", 0) == [
        {"number": 0, "name": "corner", "value": pytest.approx(1), "row": 1, "column": 0},
        {"number": 1, "name": "even", "value": pytest.approx(0.4), "row": 0, "column": 0},
    ]
    top = found.top_photographs("colors", 1)
    assert [(each["name"], each["row"]) for each in top] == [("corner", 1), ("even", 0)]
    assert len(found.top_photographs("colors", 2)) == 2  # of three that excite it alike


def test_a_photograph_that_leaves_a_filter_silent_does_not_excite_it(net):
    found = cw.index_filters(net, PICTURES, top=9)
    assert [each["name"] for each in found.top_photographs("colors", 0)] == ["corner", "even"]
    layer = found.layer("colors")
    assert list(layer.top_photographs[0]) == [0, 1, *[-1] * 7]
    assert np.isnan(layer.top_values[0, 2:]).all()
    assert (layer.top_cells[0, 2:] == -1).all()


def test_of_equal_peaks_the_map_with_the_higher_mean_comes_first(net):
    less, more = picture([[1, 0], [0, 0]]), picture([[1, 0], [0.5, 0]])
    found = cw.index_filters(net, {"less": less, "more": more, "same": more})
    assert [each["name"] for each in found.top_photographs("colors", 0)] == ["more", "same", "less"]


def test_the_constant_filter_is_found_and_no_other(found):
    faults = found.faults()
    assert [(each["layer"], each["filter"], each["fault"]) for each in faults] == [
        ("colors", 2, "constant")
    ]
    assert faults[0]["told"] == "the same value, 0.25, everywhere on 3 photographs"


def test_one_filter_is_asked_for_by_layer_and_number(found):
    record = found.record("colors", 2)
    assert (record["layer"], record["filter"], record["faults"]) == ("colors", 2, "constant")
    assert record["at_end"] is None
    assert found.records()[2] == record
    with pytest.raises(ValueError, match=r"No layer 'conv9' in the index\. Layers: colors"):
        found.record("conv9", 0)
    with pytest.raises(ValueError, match=r"Expected a filter of 'colors' from 0 to 2\. Rec"):
        found.top_photographs("colors", 3)


# --- class selectivity ---------------------------------------------------------------------------


def labelled(count=5):
    """Return photographs of three labels: mean red 0.5, 0.1 and 0.2 in two of four cells."""
    reds = {"a": [[1, 1], [0, 0]], "b": [[0.2, 0.2], [0, 0]], "c": [[0.4, 0.4], [0, 0]]}
    return [(picture(red), label) for label, red in reds.items() for _ in range(count)]


def test_class_selectivity_by_hand(net):
    found = cw.index_filters(net, labelled())
    layer = found.layer("colors")
    others = (0.1 + 0.2) / 2
    assert layer.selectivity[0] == pytest.approx((0.5 - others) / (0.5 + others), abs=1e-6)
    assert layer.selectivity[2] == pytest.approx(0, abs=1e-6)
    assert found.labels == ("a", "b", "c")
    assert found.label_counts == (5, 5, 5)
    peaks = found.label_peaks("colors", 0)
    assert list(peaks) == ["a", "c", "b"]
    assert list(peaks.values()) == pytest.approx([1, 0.4, 0.2], abs=1e-6)
    assert found.record("colors", 0)["best_label"] == "a"


def test_without_labels_or_with_few_photographs_selectivity_is_not_known_and_it_says_why(net):
    for given, why in (
        (PICTURES, "there are no labels"),
        (labelled(4), "fewer than two labels have at least 5 photographs"),
        ([(each, "only") for each, _ in labelled()], "fewer than two labels"),
    ):
        layer = cw.index_filters(net, given).layer("colors")
        assert np.isnan(layer.selectivity).all()
        assert why in layer.selectivity_note
    few = cw.index_filters(net, labelled(2), limits=Limits(per_label=2))
    assert few.layer("colors").selectivity_note == ""


def test_a_label_of_few_photographs_does_not_count_for_selectivity(net):
    rare = [(picture([[1, 1], [1, 1]]), "rare")]
    found = cw.index_filters(net, labelled() + rare)
    with_out = cw.index_filters(net, labelled())
    assert found.layer("colors").selectivity[0] == pytest.approx(
        with_out.layer("colors").selectivity[0]
    )
    assert found.label_counts == (5, 5, 5, 1)


def test_of_many_labels_the_best_sixteen_are_kept(net):
    given = [(picture([[n / 40, 0], [0, 0]]), n) for n in range(40)]
    found = cw.index_filters(net, given, limits=Limits(per_label=1))
    assert list(found.label_peaks("colors", 0)) == list(range(39, 23, -1))
    assert len(found.labels) == 40


# --- against brute force -------------------------------------------------------------------------


def noise(count, size=(16, 12), seed=0, channels=3):
    """Return random pictures, smooth and of different brightness."""
    rng = np.random.default_rng(seed)
    wide = rng.random((count, size[0] // 4 + 1, size[1] // 4 + 1, channels))
    wide = wide.repeat(4, 1).repeat(4, 2)[:, : size[0], : size[1]] * rng.random((count, 1, 1, 1))
    fine = rng.random((count, *size, channels)) * 0.3
    return ((wide * 0.7 + fine) * 255).astype(np.uint8)


def checked(net, pictures, layer, seen, found):
    """Compare the numbers of a layer with those of its maps, all held in memory."""
    maps = np.stack([net.activations(cw.load_image(each), seen) for each in pictures])
    one = found.layer(layer)
    flat = maps.reshape(-1, maps.shape[-1])
    for name, wanted in (
        ("active", (maps.max((1, 2)) > 0).sum(0)), ("peak", flat.max(0)), ("trough", flat.min(0)),
        ("mean", flat.mean(0)), ("deviation", flat.std(0)), ("positive", (flat > 0).mean(0)),
    ):  # fmt: skip
        np.testing.assert_allclose(getattr(one, name), wanted, rtol=1e-4, atol=1e-5, err_msg=name)
    peaks = maps.max((1, 2))
    for k in range(maps.shape[-1]):
        order = [n for n in np.argsort(-peaks[:, k], kind="stable") if peaks[n, k] > 0]
        listed = [each["number"] for each in found.top_photographs(layer, k)]
        assert listed == order[: one.top_photographs.shape[1]]
        for each in found.top_photographs(layer, k):
            cell = divmod(int(maps[each["number"], ..., k].argmax()), maps.shape[2])
            assert (each["row"], each["column"]) == cell


def test_all_is_as_brute_force_has_it(tiny_net):
    pictures = noise(21)
    found = cw.index_filters(tiny_net, pictures, top=4)
    assert list(found.layers) == ["conv1", "conv2"]
    checked(tiny_net, pictures, "conv1", "relu1", found)
    checked(tiny_net, pictures, "conv2", "conv2", found)


def test_a_network_of_one_channel_a_nested_one_and_one_of_a_fixed_batch(keras):
    for model, layer, seen, size in (
        (one_channel(keras), "conv1", "relu1", (16, 12)),
        (nested(keras), "body/conv2", "body/conv2", (16, 12)),
        (tiny(keras, channels=5), "conv2", "conv2", (16, 12)),
    ):
        one = cw.Network(model, preprocess="none")
        pictures = noise(5, size, channels=one.channels if one.channels != 1 else 3)
        found = cw.index_filters(one, pictures, top=3)
        checked(one, pictures, layer, seen, found)
    one = cw.Network(fixed_batch(keras), preprocess="none")  # of 2: the last batch is filled up
    pictures = noise(5)
    found = cw.index_filters(one, pictures, layers="conv", top=9)
    maps = np.stack([one.activations(cw.load_image(each), "conv") for each in pictures])
    np.testing.assert_allclose(found.layer("conv").mean, maps.mean((0, 1, 2)), rtol=1e-4)
    assert found.layer("conv").top_photographs.max() == 4


@pytest.mark.parametrize("size", [1, 3, 21])
def test_where_a_batch_ends_makes_no_difference(tiny_net, monkeypatch, size):
    whole = cw.index_filters(tiny_net, noise(21))
    monkeypatch.setattr("cnn_widgets.filter_index.reading.BATCH_SIZE", size)
    same(whole, cw.index_filters(tiny_net, noise(21)))


def test_the_order_of_the_photographs_makes_no_difference(tiny_net):
    given = {f"{n}": (each) for n, each in enumerate(noise(21))}
    turned = dict(reversed(list(given.items())))
    one, other = (cw.index_filters(tiny_net, each) for each in (given, turned))
    same(one, other, numbers=False)
    for layer in one.layers:
        for k in range(len(one.layer(layer))):
            names = [[each["name"] for each in index.top_photographs(layer, k)]
                     for index in (one, other)]  # fmt: skip
            assert names[0] == names[1]


def same(one, other, numbers=True):
    for name in one.layers:
        for array in ARRAYS:
            if numbers or array != "top_photographs":
                pair = (getattr(each.layer(name), array) for each in (one, other))
                np.testing.assert_allclose(*pair, rtol=1e-4, atol=1e-5, err_msg=f"{name} {array}")


def test_any_layer_with_a_map_may_be_named_and_is_seen_as_it_puts_out(tiny_net):
    pictures = noise(6)
    found = cw.index_filters(tiny_net, pictures, layers=["pool1", "bn1"], top=3)
    assert list(found.layers) == ["bn1", "pool1"]
    layer = found.layer("bn1")
    assert (layer.activated, layer.rests, layer.low) == (False, False, -math.inf)
    assert layer.trough.min() < 0
    assert layer.selectivity_note == "there are no labels"
    checked(tiny_net, pictures, "pool1", "pool1", found)
    given = [(each, n % 2) for n, each in enumerate(noise(12))]
    found = cw.index_filters(tiny_net, given, layers="bn1")
    assert found.layer("bn1").selectivity_note == "it is made for values of at least 0"
    assert np.isnan(found.layer("bn1").selectivity).all()


def test_values_given_with_each_photograph_reach_the_filters(keras):
    layers = keras.layers
    image, gain = keras.Input((4, 4, 3), name="image"), keras.Input((1,), name="gain")
    x = layers.Conv2D(2, 1, activation="relu", kernel_initializer="ones", name="conv")(
        layers.Multiply()([image, layers.Reshape((1, 1, 1))(gain)])
    )
    out = layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model([image, gain], out)
    one = cw.Network(model, preprocess=in_unit, inputs={"gain": [1.0, 3.0, 2.0]})
    found = cw.index_filters(one, np.full((3, 4, 4, 3), 255, np.uint8))
    top = found.top_photographs("conv", 0)
    assert [(each["number"], each["value"]) for each in top] == [
        (1, pytest.approx(9)), (2, pytest.approx(6)), (0, pytest.approx(3)),
    ]  # fmt: skip


# --- photographs as they come --------------------------------------------------------------------


def test_a_set_with_one_photograph_says_how_little_that_is(tiny_net):
    found = cw.index_filters(tiny_net, noise(1))
    assert found.count == 1
    said = " ".join(found.cautions())
    assert "on this 1 photograph" in said
    assert "up to 95 %" in said
    assert "No filter can be called almost dead" in said
    assert "not looked at as duplicates" in said
    assert not any(each["fault"] == "duplicate" for each in found.faults())


def test_an_unreadable_photograph_in_the_middle_costs_only_itself(tiny_net):
    good = noise(20)
    listed = [*good[:10], b"broken", *good[10:]]
    found = cw.index_filters(tiny_net, listed)
    assert (found.count, len(found.names), list(found.errors)) == (20, 21, ["image 10"])
    whole = cw.index_filters(tiny_net, list(good))
    same(whole, found, numbers=False)
    for layer, k in (("conv1", 2), ("conv2", 5)):
        pairs = zip(whole.top_photographs(layer, k), found.top_photographs(layer, k), strict=True)
        for one, other in pairs:
            assert other["number"] == one["number"] + (one["number"] >= 10)
            assert found.names[other["number"]] == other["name"]


def test_where_nothing_can_be_read_there_is_no_index(tiny_net):
    with pytest.raises(ValueError, match=r"No photograph can be read\. The first: image 0: "):
        cw.index_filters(tiny_net, [b"broken", b"torn"])


def test_a_stream_is_gone_through_once_and_its_patches_are_refused(tiny_net):
    pictures = noise(12)
    passes = []

    def frames():
        passes.append(1)
        yield from ((each, n % 2) for n, each in enumerate(pictures))

    found = cw.index_filters(tiny_net, frames())
    assert passes == [1]
    whole = cw.index_filters(tiny_net, pictures, [n % 2 for n in range(12)])
    same(whole, found)
    assert (found.count, found.labels, found.about["images"]) == (12, (0, 1), "a stream")
    assert "estimated" in found.cautions()[-1]
    assert not any("estimated" in each for each in whole.cautions())
    with pytest.raises(ValueError, match="cannot be read again, so there are no patches"):
        found.patch(tiny_net, iter(pictures), "conv2", 0)


def test_progress_is_told_of_each_photograph_and_may_stop(tiny_net):
    told = []
    cw.index_filters(tiny_net, noise(12), progress=lambda *each: told.append(each))
    assert told == [(n, 12) for n in range(1, 13)]
    with pytest.raises(CancelledError, match="Stopped after 3 of 12 photographs"):
        cw.index_filters(tiny_net, noise(12), progress=lambda done, _: done < 3)
    told.clear()
    cw.index_filters(tiny_net, iter(noise(2)), progress=lambda *each: told.append(each))
    assert told == [(1, 0), (2, 0)]


def test_what_cannot_be_answered_is_refused_in_words(tiny_net):
    pictures = noise(2)
    for options, said in (
        ({"layers": "conv9"}, "Unknown layer 'conv9'"),
        ({"layers": "gap"}, "'gap' puts out shape"),
        ({"layers": []}, "Expected at least one layer"),
        ({"fit": "foo"}, "Expected fit to be one of .* Received: 'foo'"),
        ({"top": 0}, "Expected top to be a whole number of at least 1. Received: 0"),
    ):
        with pytest.raises(ValueError, match=said):
            cw.index_filters(tiny_net, pictures, **options)
    for name, value in (("saturated", 1.5), ("duplicate", 1), ("per_label", 0)):
        with pytest.raises(ValueError, match=f"Expected {name} to be"):
            Limits(**{name: value})


def test_a_layer_that_overflows_is_named(keras):
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((4, 4, 3)),
        layers.Conv2D(2, 1, activation="exponential", kernel_initializer="ones", name="burst"),
        layers.Lambda(lambda x: 1 / (1 + x)), layers.GlobalAveragePooling2D(),
        layers.Dense(2, activation="softmax"),
    ])  # fmt: skip
    one = cw.Network(model, preprocess="none")
    with pytest.raises(ValueError, match="Layer 'burst' computes NaN or infinite values"):
        cw.index_filters(one, np.full((2, 4, 4, 3), 255, np.uint8))


# --- kept ----------------------------------------------------------------------------------------


def test_what_is_saved_can_be_read_again(net, tmp_path):
    found = cw.index_filters(net, [*labelled(), (b"broken", "a"), (picture([[1, 1], [1, 1]]), 7)])
    again = cw.load_filter_index(found.save(tmp_path / "index"))
    same(found, again)
    assert again.records() == found.records()
    assert again.faults() == found.faults()
    assert again.cautions() == found.cautions()
    assert (again.about, again.names, again.errors, again.labels, again.limits) == (
        found.about, found.names, found.errors, found.labels, found.limits,
    )  # fmt: skip
    assert found.labels == (7, "a", "b", "c")
    kept = json.loads((tmp_path / "index" / ABOUT).read_text("utf-8"))
    assert {"network", "weights", "preprocessing", "images"} <= set(kept["about"])
    assert "keras" in kept["versions"]


def test_files_that_are_missing_damaged_or_of_two_indices_are_told(net, found, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no index of filters"):
        cw.load_filter_index(tmp_path)
    one, other = (each.save(tmp_path / name) for each, name in (
        (found, "one"), (cw.index_filters(net, labelled()), "other")))  # fmt: skip
    (one / NUMBERS).write_bytes((other / NUMBERS).read_bytes())
    with pytest.raises(ValueError, match="does not belong to"):
        cw.load_filter_index(one)
    (other / ABOUT).write_text("{}")
    with pytest.raises(ValueError, match="is damaged"):
        cw.load_filter_index(other)


def test_pandas_is_used_where_it_is(found):
    pandas = pytest.importorskip("pandas")
    table = found.to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert list(table["faults"]) == ["", "", "constant"]


def test_a_network_of_other_weights_gets_no_patches(keras):
    pictures = np.random.default_rng(0).integers(0, 256, (3, 24, 30, 3), np.uint8)
    net, other = (cw.Network(tiny(keras, seed=seed), preprocess="none") for seed in (0, 1))
    index = cw.index_filters(net, pictures)
    filter_ = next(k for k in range(8) if index.top_photographs("conv2", k))
    assert index.patch(net, pictures, "conv2", filter_).ndim == 3
    with pytest.raises(ValueError, match="it has other weights"):
        index.patch(other, pictures, "conv2", filter_)
    assert index.faults() == index.faults(index.limits)
