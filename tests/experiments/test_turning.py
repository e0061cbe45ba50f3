"""What turns the answer: against brute force on small networks, and by hand."""

from concurrent.futures import CancelledError
from itertools import combinations

import numpy as np
import pytest
from helpers.networks import tiny
from test_ablation import counted, network, noise

import cnn_widgets as cw
from cnn_widgets.experiments.search import Found, fewest, greedy, greedy_linear, lead
from cnn_widgets.experiments.tail import tail_of


def least(tail, wanted):
    """Return how many filters the smallest set holds that lets a class win, by trying all sets."""
    sets = [each for n in range(1, tail.filters + 1)
            for each in combinations(range(tail.filters), n)]  # fmt: skip
    ahead = lead(tail.without(sets)[0], wanted) > 0
    return len(sets[int(ahead.argmax())]) if ahead.any() else None


@pytest.mark.parametrize(("layer", "affine"), [("conv2", True), ("conv1", False)])
def test_sets_of_filters_against_brute_force(keras, layer, affine):
    """Every claim has to hold: that it turns, and that no smaller set does."""
    net = network(tiny(keras))
    smallest = turned = said_smallest = hopeless = 0
    for seed in range(4):
        sample = noise(seed)
        tail = tail_of(net, sample, layer)
        for rival in np.argsort(-tail.scores)[1:]:
            found = cw.smallest_change(net, sample, rival=int(rival), layer=layer)
            best = least(tail, int(rival))
            if found.turned:
                turned += 1
                assert best is not None
                assert found.answers.scores_after.argmax() == rival
                assert len(found.removed) >= best
                smallest += len(found.removed) == best
            if found.smallest:
                said_smallest += 1
                assert len(found.removed) == best
            assert not (found.impossible and best is not None)
            if best is None:
                hopeless += 1
                assert not found.turned
                assert "No set of filters" in found.told
    assert turned >= 4
    assert smallest >= 0.8 * turned, (smallest, turned)
    assert said_smallest >= 4
    assert hopeless == (0 if affine else 2)
    assert (tail.curve is None) == affine


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_in_half_precision_every_claim_holds_against_brute_force(keras, precision):
    """Effects are rounded so roughly that they do not add up: what is claimed is measured."""
    layers, claimed = keras.layers, 0
    for seed in range(12):
        keras.utils.set_random_seed(seed)
        how = {"dtype": keras.DTypePolicy(precision)}
        inputs = keras.Input((8, 8, 3))
        x = layers.Conv2D(5, 3, activation="relu", name="conv", **how)(inputs)
        outputs = layers.Dense(4, **how)(layers.Flatten(**how)(x))
        net, sample = network(keras.Model(inputs, outputs)), noise(seed)
        tail = tail_of(net, sample, "conv")
        assert tail.curve is not None
        for rival in np.argsort(-tail.scores)[1:]:
            found = cw.smallest_change(net, sample, rival=int(rival), layer="conv")
            best = least(tail, int(rival))
            assert not (found.impossible and best is not None)
            assert not found.smallest or len(found.removed) == best
            assert not found.turned or found.answers.scores_after.argmax() == rival
            claimed += found.smallest
    assert claimed


def test_a_region_has_no_layer(keras):
    with pytest.raises(ValueError, match=r"has no layer\. Received: layer='conv1'"):
        cw.smallest_change(network(tiny(keras)), noise(0), "region", layer="conv1")


@pytest.mark.parametrize(("layer", "affine"), [("conv2", True), ("conv1", False)])
def test_that_no_set_lets_a_class_win_is_proven_where_effects_add_up(keras, layer, affine):
    """A class of very low bias never wins; elsewhere a greedy search cannot know that."""
    model = tiny(keras)
    kernel, bias = model.get_layer("dense").get_weights()
    bias[3] = -1000
    model.get_layer("dense").set_weights([kernel, bias])
    net = network(model)
    for seed in range(2):
        sample = noise(seed)
        assert least(tail_of(net, sample, layer), 3) is None
        found = cw.smallest_change(net, sample, rival=3, layer=layer)
        assert (found.turned, found.impossible) == (False, affine)
        assert ("that is proven" in found.told) == affine


@pytest.fixture(scope="module")
def colors(keras):
    """Filters are the mean red, green and blue; the classes are made of them by hand."""
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Conv2D(3, 1, name="colors"),
        layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    model.layers[0].set_weights([np.eye(3)[None, None], np.zeros(3)])
    columns = [[1, 1, 0], [0, 0, 1.0], [0, 0, 0]]
    model.layers[2].set_weights([np.array(columns).T, np.array([0, 0, -10.0])])
    return cw.Network(model, preprocess="none", class_names=["warm", "blue", "nothing"])


def plain(*color):
    return cw.load_image(np.full((8, 8, 3), color, np.uint8))


def test_the_smallest_set_by_hand(colors):
    one = cw.smallest_change(colors, plain(100, 60, 80))  # 160 to 80: without red, 60 to 80
    assert (one.winner, one.rival, one.removed, one.turned, one.smallest) == (
        0,
        1,
        (0,),
        True,
        True,
    )
    assert one.leads == pytest.approx((-80, 20), abs=0.01)
    assert one.share == pytest.approx(1 / 3)
    assert one.told == (
        "Without 1 of 3 filters of colors, blue wins over warm. No smaller set does that."
    )
    assert one.answers.most_lowered(1) == [("warm", 100)]
    two = cw.smallest_change(colors, plain(100, 90, 80))
    assert sorted(two.removed) == [0, 1]
    assert two.smallest


def test_what_no_set_can_do_is_said_and_proven(colors):
    found = cw.smallest_change(colors, plain(100, 60, 80), rival="nothing")
    assert (found.turned, found.impossible, found.removed) == (False, True, ())
    assert found.told == "No set of filters of colors makes nothing win: that is proven."


def test_an_affine_tail_costs_a_few_gradients_and_two_passes(colors):
    sample = plain(100, 90, 80)
    colors.observe(sample)
    passes = counted(colors)
    found = cw.smallest_change(colors, sample)
    del colors.engine.__dict__["observe"]
    assert [each for each in passes if each[0] == "tail_gradients"] == [("tail_gradients", 3)]
    assert [each for each in passes if each[0] == "tail_scores"] == [("tail_scores", 1)] * 2
    assert found.passes == 5


def test_only_the_candidates_of_a_gradient_are_tried(keras, photo):
    net = network(tiny(keras))
    net.observe(photo, "conv1")
    passes = counted(net)
    cw.smallest_change(net, photo, layer="conv1", candidates=2, most=1)
    tried = [each for each in passes if each[0] == "tail_scores"]
    # to see who leads, the two, and once more without what was removed
    assert tried == [("tail_scores", 1), ("tail_scores", 2), ("tail_scores", 1)]


@pytest.fixture(scope="module")
def halves(keras):
    """Two classes: the mean of the left and of the right half of an 8×8 grey picture."""
    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    sides = [layers.GlobalAveragePooling2D()(layers.Cropping2D(((0, 0), crop))(inputs))
             for crop in ((0, 4), (4, 0))]  # fmt: skip
    model = keras.Model(inputs, layers.Softmax()(layers.Concatenate()(sides)))
    return cw.Network(model, preprocess="none", class_names=["left", "right"])


def two_sides(left, right):
    pixels = np.empty((8, 8), np.uint8)
    pixels[:, :4], pixels[:, 4:] = left, right
    return cw.load_image(pixels)


def test_the_smallest_region_by_hand(halves):
    black = cw.load_image(np.zeros((8, 8), np.uint8))
    sample = two_sides(255, 150)
    found = cw.smallest_change(halves, sample, "region", cells=(1, 2), fill=black)
    assert (found.removed, found.smallest, found.share) == ((0,), True, 0.5)
    assert found.leads == pytest.approx((-105, 150))
    assert found.mask[:, :4].all()
    assert not found.mask[:, 4:].any()
    quarters = cw.smallest_change(halves, sample, "region", cells=(4, 2), fill=black)
    assert set(quarters.removed) <= {0, 2, 4, 6}  # those on the left: 255 · (1 - n / 4) < 150
    assert (len(quarters.removed), quarters.smallest) == (2, True)
    assert quarters.share == 0.25
    three = cw.smallest_change(halves, two_sides(255, 100), "region", cells=(4, 2), fill=black)
    assert (len(three.removed), three.smallest) == (3, False)
    assert three.told.endswith("A smaller set is not ruled out.")


def test_a_region_may_be_asked_to_be_of_one_piece(halves):
    black = cw.load_image(np.zeros((8, 8), np.uint8))
    found = cw.smallest_change(halves, two_sides(255, 100), "region", cells=(4, 4), fill=black,
                               connected=True)  # fmt: skip
    assert found.turned
    rows, columns = np.divmod(found.removed, 4)
    assert (columns < 2).all()
    reached = {found.removed[0]}
    for _ in found.removed:
        reached |= {b for b in found.removed for a in reached
                    if abs(a // 4 - b // 4) + abs(a % 4 - b % 4) == 1}  # fmt: skip
    assert reached == set(found.removed)
    assert len(rows) == 5  # 255 · (1 - 5 / 8) < 100


def test_parts_of_any_shape_can_be_given(halves):
    parts = np.zeros((8, 8), int)
    parts[:, 4:] = 1
    parts[2:6, 1:3] = 5
    black = cw.load_image(np.zeros((8, 8), np.uint8))
    found = cw.smallest_change(halves, two_sides(255, 180), "region", cells=parts, fill=black)
    assert found.removed == (0,)
    assert found.mask.sum() == 24
    mean = cw.smallest_change(halves, two_sides(255, 100), "region", cells=(1, 2), fill="mean")
    assert not mean.turned  # 178 on the left is still more than 100
    assert "Other sets are not ruled out" in mean.told


def test_what_is_not_needed_in_the_end_is_put_back():
    """Removing 0 helps most at first, but 1 and 2 are enough without it."""
    gains = np.array([[0, 3.0], [0, 2], [0, 2.5]])

    def ask(sets):
        found = [np.array([4.0, 0]) + gains[list(each)].sum(0) for each in sets]
        return np.stack(found)

    def options(removed):
        return [k for k in range(3) if k not in removed]

    found = greedy(ask, options, np.array([4.0, 0]), 1, 3)
    assert found == Found((0, 2), (-4.0, -1.0, 1.5), True, 0)

    def curved(sets):  # 0 counts alone only
        return ask([each if len(each) == 1 else [k for k in each if k] for each in sets])

    found = greedy(curved, options, np.array([4.0, 0]), 1, 3)
    assert (set(found.removed), found.put_back) == ({1, 2}, 1)


def test_the_least_number_is_a_bound_for_each_rival():
    gains = np.array([[-5.0, 0, 0], [0, -3, 0], [0, 0, -9]])
    start = np.array([4.0, 2, 1])
    assert fewest(gains, start, 2, 0) == 1  # 5 over the first, 3 over the second: each needs one
    assert fewest(gains, np.array([4.0, 2, 0]), 2, 0) == 1
    assert fewest(gains, np.array([6.0, 2, 0]), 2, 0) is None
    assert fewest(gains, np.array([5.0, 0, 0]), 2, 0) is None  # a tie is no win
    assert fewest(gains, np.array([5.0, 0, 0]), 2, 0.1) == 1  # but it might be one


def test_a_class_that_nobody_looked_at_is_looked_at_when_it_wins():
    """Ten classes start far behind; one of them rises when thing 0 is removed."""
    start = np.array([5.0, 4, *[3] * 7, 0], np.float32)
    effects = np.zeros((2, 10))
    effects[0, 0], effects[0, 9] = -2, 9
    effects[1, 0] = -1.5
    asked = []

    def ask(sets):
        return np.stack([start + effects[list(each)].sum(0) for each in sets])

    def gains(classes):
        asked.append(list(classes))
        return effects[:, classes]

    found, bound = greedy_linear(ask, gains, [0, 1], start, 1, 2)
    assert (found.removed, found.turned, bound) == ((1,), True, 1)
    assert asked[1:] == [[9]]


def test_bad_questions_are_refused_and_it_can_be_stopped(colors, halves):
    sample = plain(100, 60, 80)
    for options, said in [
        ({"of": "pixels"}, "'filters' or 'region'"), ({"rival": "warm"}, "wins already"),
        ({"most": 0}, "at least 1"), ({"candidates": 0}, "at least 1"),
        ({"of": "region", "cells": (0, 2)}, "rows"), ({"of": "region", "cells": 7}, "rows"),
        ({"of": "region", "cells": (1, 1)}, "at least two cells"),
        ({"of": "region", "cells": np.zeros((3, 3), int)}, "one per pixel"),
        ({"of": "region", "fill": "black"}, "Expected fill"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=said):
            cw.smallest_change(colors, sample, **options)
    with pytest.raises(CancelledError, match="after 2 of 4"):
        cw.smallest_change(halves, two_sides(255, 254), "region", cells=(1, 2),
                           progress=lambda done, total: False)  # fmt: skip


def test_one_value_has_no_rival(by_hand, steps):
    with pytest.raises(ValueError, match="no other class"):
        cw.smallest_change(cw.Network(by_hand, preprocess="none"), steps)
