"""Two networks over the same photographs: planted changes come first, none is invented."""

from concurrent.futures import CancelledError

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.training import unbiased_cka


@pytest.fixture(scope="module")
def photographs():
    return np.random.default_rng(0).integers(0, 256, (6, 16, 12, 3)).astype(np.uint8)


def opened(model):
    return cw.Network(model, preprocess=lambda x: x / 255)


def test_a_network_is_equal_to_itself(keras, photographs):
    """Opened twice, as models of their own, so that nothing known of one is taken for the other."""
    one, other = opened(tiny(keras)), opened(tiny(keras))
    assert one.model is not other.model
    found = cw.compare_networks(one, other, photographs)
    assert found.turned == ()
    assert len(found.answers) == len(photographs)
    assert {each.moved for each in found.answers} == {0.0}
    rows = {each.before: each for each in found.layers}
    assert {"conv1", "conv2"} <= set(rows)
    for name, each in rows.items():
        assert each.after == name
        assert each.cka == pytest.approx(1)
        assert len(each.filters) == one.layer(name).filters
        assert np.isfinite(each.filters).all(), name
        assert each.filters.max() == pytest.approx(0, abs=1e-6)
    assert (found.only_before, found.only_after, found.notes) == ((), (), ())


def test_the_filter_that_was_changed_comes_first(keras, photographs):
    one, other = tiny(keras), tiny(keras)
    kernel, bias = other.get_layer("conv1").get_weights()
    kernel[..., 4] = np.random.default_rng(1).normal(size=kernel.shape[:3])
    other.get_layer("conv1").set_weights([kernel, bias])
    found = cw.compare_networks(opened(one), opened(other), photographs)
    rows = {each.before: each for each in found.layers}
    assert rows["conv1"].most_changed[0] == 4
    assert np.delete(rows["conv1"].filters, 4).max() < 1e-6
    assert rows["conv1"].filters[4] > 0.1
    assert rows["conv1"].weights > 0.1
    assert rows["conv2"].weights == 0
    assert rows["conv1"].cka < 0.999
    moved = [each.moved for each in found.answers]
    assert moved == sorted(moved, reverse=True)
    assert moved[0] > 0


def test_answers_that_turned_are_named(keras, photographs):
    one, other = tiny(keras), tiny(keras)
    kernel, bias = other.get_layer("dense").get_weights()
    other.get_layer("dense").set_weights([kernel[:, ::-1], bias])
    found = cw.compare_networks(opened(one), opened(other), photographs)
    assert len(found.turned) == 6
    assert all(each.before == 3 - each.after for each in found.answers)
    assert min(each.cka for each in found.layers) == pytest.approx(1)


def test_layers_are_matched_by_order_if_no_name_agrees(keras, photographs):
    def plain(prefix):
        keras.utils.set_random_seed(3)
        layers = keras.layers
        return keras.Sequential([keras.Input((16, 12, 3)), layers.Conv2D(4, 3, name=f"{prefix}a"),
                                 layers.Conv2D(5, 3, name=f"{prefix}b"),
                                 layers.GlobalAveragePooling2D(), layers.Dense(4),
                                 layers.Softmax()])  # fmt: skip

    found = cw.compare_networks(opened(plain("x")), opened(plain("y")), photographs)
    assert {(each.before, each.after) for each in found.layers} == {("xa", "ya"), ("xb", "yb")}
    assert "by their order" in found.notes[0]
    other = cw.compare_networks(opened(plain("x")), opened(tiny(keras)), photographs)
    assert other.layers == ()
    assert other.only_before == ("xa", "xb")
    assert "layers are not compared" in other.notes[0]


def test_layers_that_keras_numbered_on_are_matched_by_their_order(keras, photographs):
    """The same network twice; the second one's layers are numbered one further."""

    def numbered(first):
        layers = keras.layers
        return keras.Sequential([keras.Input((16, 12, 3)),
                                 layers.Conv2D(4, 3, padding="same", name=f"conv_{first}"),
                                 layers.Conv2D(4, 3, padding="same", name=f"conv_{first + 1}"),
                                 layers.GlobalAveragePooling2D(), layers.Dense(4),
                                 layers.Softmax()])  # fmt: skip

    one, other = numbered(1), numbered(2)
    other.set_weights(one.get_weights())
    found = cw.compare_networks(opened(one), opened(other), photographs)
    pairs = {(each.before, each.after): each.cka for each in found.layers}
    assert pairs == {("conv_1", "conv_2"): pytest.approx(1), ("conv_2", "conv_3"): pytest.approx(1)}
    assert "by their order" in found.notes[0]


@pytest.mark.parametrize(("activation", "head"), [("softmax", "softmax"), (None, "logits"),
                                                  ("sigmoid", "sigmoid")])  # fmt: skip
def test_how_far_an_answer_moved_is_the_distance_of_the_probabilities(
    keras, photographs, activation, head
):
    nets = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        layers = keras.layers
        nets.append(opened(keras.Sequential([
            keras.Input((16, 12, 3)), layers.Conv2D(4, 3, name="conv"),
            layers.GlobalAveragePooling2D(), layers.Dense(4, activation=activation),
        ])))  # fmt: skip
    assert nets[0].head == head
    found = cw.compare_networks(*nets, photographs)
    by_name = {each.name: each.moved for each in found.answers}
    for name, pixels in zip(sorted(by_name), photographs, strict=True):
        sample = cw.load_image(pixels, name=name)
        change = np.abs(nets[1].scores(sample)[1].astype(float) - nets[0].scores(sample)[1])
        expected = change.max() if head == "sigmoid" else change.sum() / 2
        assert by_name[name] == pytest.approx(expected, rel=1e-5)


def test_other_classes_are_not_compared_and_few_photographs_have_no_cka(keras, photographs):
    one, other = opened(tiny(keras)), opened(tiny(keras, classes=7))
    found = cw.compare_networks(one, other, photographs[:2])
    assert np.isnan([each.moved for each in found.answers]).all()
    assert np.isnan([each.cka for each in found.layers]).all()
    assert ["classes differ" in found.notes[0], "at least 4" in found.notes[1]] == [True, True]


def test_unreadable_photographs_are_left_out_and_it_can_be_stopped(keras, photographs, tmp_path):
    net = opened(tiny(keras))
    (tmp_path / "a.png").write_bytes(b"broken")
    with pytest.raises(ValueError, match=r"No photograph could be read \(a.png"):
        cw.compare_networks(net, net, tmp_path)
    with pytest.raises(CancelledError, match="after 2 of 6"):
        cw.compare_networks(net, net, photographs, progress=lambda done, total: done < 2)


def test_cka_of_known_representations():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(40, 6))
    turned = a @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert unbiased_cka(a, 5 * turned + 2) == pytest.approx(1)
    unrelated = [unbiased_cka(rng.normal(size=(9, 300)), rng.normal(size=(9, 300)))
                 for _ in range(20)]  # fmt: skip
    assert abs(np.mean(unrelated)) < 0.1  # the plain index would be near 1 here
    assert np.isnan(unbiased_cka(np.ones((5, 3)), a[:5]))
    with pytest.raises(ValueError, match="at least 4"):
        unbiased_cka(a[:3], a[:3])


def test_weights_of_a_nested_model_that_was_saved_are_compared(keras, tmp_path, photographs):
    inner = tiny(keras)
    outer = keras.Sequential([keras.Input((16, 12, 3)), inner])
    outer.save(tmp_path / "outer.keras")
    before, after = cw.Network(outer, "none"), cw.load_network(str(tmp_path / "outer.keras"),
                                                               preprocess="none")  # fmt: skip
    moved = [each.weights for each in cw.compare_networks(before, after, photographs).layers]
    assert moved
    assert {each for each in moved if not np.isnan(each)} == {0.0}
    assert sum(map(np.isnan, moved)) < len(moved)
