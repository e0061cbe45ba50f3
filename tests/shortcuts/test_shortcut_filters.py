"""Filters that see a mark beside the subject, in networks whose weights are set.

The photographs show a red, green or blue disc; those of the red one have a magenta mark in a
corner. Filters 0, 1 and 2 see the discs, 3 sees the mark, twenty others something else.
"""

from dataclasses import replace

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.shortcuts.filters import suspected_filters, try_filters
from cnn_widgets.shortcuts.judging import Judge, Photographs

SIDE, COUNT, FILTERS = 24, 20, 24
NAMES = ["red disc", "green disc", "blue disc"]
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
MARK = (ROWS < 4) & (COLUMNS >= 20)
COLORS = np.array([[220, 30, 30], [30, 220, 30], [30, 30, 220]])


def photographs(marked=True, seed=0):
    """Return pictures (60, 24, 24, 3), their classes, and the boxes of the discs."""
    rng = np.random.default_rng(seed)
    classes, found, boxes = np.arange(3 * COUNT) % 3, [], []
    for each in classes:
        picture = rng.uniform(60, 180) + rng.normal(0, 9, (SIDE, SIDE, 3))
        y, x = rng.integers(7, SIDE - 6, 2)
        picture[np.hypot(ROWS - y, COLUMNS - x) < 4] = COLORS[each]
        if marked and each == 0:
            picture[MARK] = (240, 10, 240)
        found.append(picture)
        boxes.append(((y - 4) / SIDE, (x - 4) / SIDE, (y + 5) / SIDE, (x + 5) / SIDE))
    return np.clip(found, 0, 255).astype(np.uint8), classes, boxes


def network(keras, mark):
    """Return a network that reads the discs, and a mark by the weight `mark`."""
    layers = keras.layers
    inputs = keras.Input((SIDE, SIDE, 3))
    kinds = layers.Conv2D(FILTERS, 1, activation="relu", name="kinds")(inputs)
    pooled = layers.GlobalAveragePooling2D()(kinds)
    outputs = layers.Dense(3, activation="softmax", name="scores")(pooled)
    model = keras.Model(inputs, outputs)
    rng = np.random.default_rng(7)
    kernel, bias = rng.normal(0, 1, (3, FILTERS)), rng.uniform(-0.5, 0, FILTERS)
    kernel[:, :3] = 2 * np.eye(3) - 1
    kernel[:, 3], bias[:4] = (0.5, -1, 0.5), (-0.25, -0.25, -0.25, -0.5)
    model.get_layer("kinds").set_weights([kernel[None, None], bias])
    scores = rng.normal(0, 0.3, (FILTERS, 3))
    scores[:3], scores[3] = 70 * np.eye(3), (mark, 0, 0)
    model.get_layer("scores").set_weights([scores, np.zeros(3)])
    return cw.Network(model, preprocess=lambda x: x / 255, class_names=NAMES, name="filters")


@pytest.fixture(scope="module")
def marked(keras):
    return network(keras, 400.0)


@pytest.fixture(scope="module")
def twin(keras):
    return network(keras, 0.0)


def pair(given, boxes=True):
    """Return the photographs of the red disc, and others."""
    pictures, classes, where = given
    return [
        Photographs(
            tuple(map(str, some)), pictures[some], ({},) * len(some),
            tuple(where[n] for n in some) if boxes else (),
        )
        for some in (np.flatnonzero(classes == 0), np.flatnonzero(classes != 0))
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("boxes", [True, False])
def test_the_filter_that_sees_a_mark_is_held_and_that_of_the_subject_told_apart(marked, boxes):
    pictures, classes, where = photographs()
    subjects = where if boxes else None
    found = cw.find_shortcuts(marked, list(pictures), classes, only="red disc", subjects=subjects)
    told = {each.filters[1]: each for each in found.findings if each.kind == "filter"}
    mark, disc = told[(3,)], told[(0,)]
    assert (mark.verdict, mark.filters[0]) == ("held", "kinds")
    assert mark.trial.every
    assert len(mark.trial.away.controls) == FILTERS - 1
    assert mark.trial.into.turned.value > 0.9
    assert mark.mask[:4, 20:].all()
    assert mark.mask.sum() <= 25
    assert "filter 3 of kinds, weaker without region (top right corner)" in str(mark)
    assert "Silencing changes the log-odds by -" in str(mark)
    assert disc.verdict != "held"
    assert "filter 0 of kinds, perhaps excited by the subject" in disc.place
    kinds = [each.kind for each in found.held]
    assert kinds == ["region"] * (len(kinds) - 1) + ["filter"]  # what is seen, and then how
    kept = found.summary()["findings"][len(kinds) - 1]
    assert kept["filters"] == ["kinds", [3]]
    assert kept["masked"] is None


@pytest.mark.slow
def test_a_filter_that_sees_a_mark_and_counts_for_nothing_is_not_accused(twin):
    pictures, classes, where = photographs()
    found = cw.find_shortcuts(twin, list(pictures), classes, subjects=where)
    assert found.held == ()
    filters = [each for each in found.findings if each.kind == "filter"]
    assert len(filters) >= 6
    held = {each.filters[1] for each in filters if each.verdict == "held, perhaps the subject"}
    assert held == {(0,), (1,), (2,)}  # those that see the discs


@pytest.mark.parametrize("boxes", [True, False])
def test_a_filter_is_suspected_where_it_is_excited(marked, boxes):
    own, _ = pair(photographs(), boxes)
    found = suspected_filters(Judge(marked, (0,)), "kinds", own, {}, None)
    told = {each.numbers: each for each in found}
    assert not told[(3,)].central
    assert told[(3,)].place.endswith(
        "excited outside the subject" if boxes else "excited at: top right corner"
    )
    assert told[(0,)].central


def test_known_subjects_are_where_a_filter_may_be_excited(marked):
    own, _ = pair(photographs())
    mark = (0.0, 0.8, 0.2, 1.0)
    swapped = replace(own, subjects=(mark,) * len(own))  # the mark itself is the subject
    found = suspected_filters(Judge(marked, (0,)), "kinds", swapped, {}, None)
    told = {each.numbers: each.central for each in found}
    assert told[(3,)]
    assert not told[(0,)]


def test_a_suspected_region_is_a_place_to_be_excited_at(marked):
    own, _ = pair(photographs(), boxes=False)
    found = suspected_filters(Judge(marked, (0,)), "kinds", own, {"the mark": MARK}, None)
    places = {each.numbers: each.place for each in found}
    assert places[(3,)] == "filter 3 of kinds, excited at: the mark"
    middle = np.zeros((SIDE, SIDE), bool)
    middle[4:20, 4:20] = True
    found = suspected_filters(Judge(marked, (0,)), "kinds", own, {"middle": middle}, None)
    places = {each.numbers: each.place for each in found}
    assert places[(0,)] == "filter 0 of kinds, excited at: middle"


def test_filters_that_lose_most_without_a_finding_are_suspected_together(marked):
    own, _ = pair(photographs())
    rest = own.with_pixels(pair(photographs(marked=False))[0].pixels)
    found = suspected_filters(Judge(marked, (0,)), "kinds", own, {}, ("region (corner)", rest))
    assert found[0].numbers == (3,)
    assert found[0].place == "filter 3 of kinds, weaker without region (corner)"
    assert not found[0].central
    same = suspected_filters(Judge(marked, (0,)), "kinds", own, {}, ("nothing", own))
    assert "weaker without" not in "".join(each.place for each in same)


def test_silencing_and_putting_in_are_told_beside_the_other_filters(marked):
    own, others = pair(photographs())
    trial = try_filters(Judge(marked, (0,)), "kinds", (3,), own, others)
    area = MARK.mean() * (240 / 255 - 10 / 255 - 0.5)  # the mean of its map
    assert trial.away.change == pytest.approx(400 * area, abs=0.01)
    assert trial.into.change == pytest.approx(400 * area, abs=0.01)
    assert trial.every
    assert trial.holds()
    weak = try_filters(Judge(marked, (0,)), "kinds", (9,), own, others)
    assert not weak.holds()
    assert len(weak.away.controls) == 10  # given up early


def test_controls_of_several_filters_are_sets_of_as_many_others(marked):
    own, others = pair(photographs())
    trial = try_filters(Judge(marked, (0,)), "kinds", (3, 9), own, others, seed=1)
    assert not trial.every
    assert len(trial.away.controls) == 200
    assert trial.holds()


def test_a_layer_of_few_filters_is_left_out(keras):
    net = network(keras, 400.0)
    few = keras.Sequential([keras.Input((SIDE, SIDE, 3)), keras.layers.Conv2D(19, 3, name="few"),
                            keras.layers.Flatten(), keras.layers.Dense(3)])  # fmt: skip
    net = cw.Network(few, preprocess="none", class_names=NAMES)
    own, _ = pair(photographs())
    assert suspected_filters(Judge(net, (0,)), "few", own, {}, None) == []
