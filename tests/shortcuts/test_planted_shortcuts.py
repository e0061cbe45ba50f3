"""The proof: of twenty trained networks with a shortcut it is named first; clean twins are not.

Run by hand, about twenty minutes on one core: pytest -m sweep -n 0 -s tests/shortcuts
"""

import numpy as np
import pytest
from helpers.planted_shortcuts import (
    KINDS,
    NAMES,
    clean_network,
    planted_network,
    reliance,
    shapes,
    with_shortcut,
)

import cnn_widgets as cw
from cnn_widgets.shortcuts.common import consensus, fine
from cnn_widgets.shortcuts.interventions import Region, ground, overlay, tint
from cnn_widgets.shortcuts.judging import Judge, Photographs
from cnn_widgets.shortcuts.trials import try_suspicion

NETWORKS, TRIALS = 20, 1000
#: What a planted shortcut is called.
CALLED = {"corner": "region", "border": "region", "tint": "tint", "texture": "background",
          "watermark": "overlay"}  # fmt: skip


def named_first(found, kind, seed):
    """Return whether the first finding is the shortcut that was planted."""
    first = found.findings[0]
    where = {"corner": "corner", "border": "border"}.get(kind, "")
    told = first.kind == CALLED[kind] and where in first.place
    return told and first.verdict == "held" and first.label == NAMES[seed % 3]


def innocent_change(rng, own, others):
    """Return something that no network was trained on, at random: of every kind, size and place."""
    kind = int(rng.integers(4))
    if kind == 0:
        mask = np.zeros(own.shape[1:3], bool)
        tall, wide = rng.integers(4, 20, 2)
        top, left = rng.integers(0, 32 - tall), rng.integers(0, 32 - wide)
        mask[top : top + tall, left : left + wide] = True
        return Region(mask, consensus(own), consensus(others))
    if kind == 1:
        direction = rng.normal(size=3)
        return tint(direction / np.linalg.norm(direction) * rng.uniform(20, 80))
    if kind == 2:
        pattern = fine(own.mean(axis=0)) - fine(others.mean(axis=0))
        return overlay(pattern * rng.uniform(0.5, 3), others)
    return ground(own, others, int(rng.integers(2**31)))


def innocent_trial(net, number, pictures, classes):
    """Return whether the trial of an innocent change holds."""
    rng = np.random.default_rng([number, 9])
    label = int(rng.integers(3))
    own, others = (
        rng.permutation(np.flatnonzero(some))[:16] for some in (classes == label, classes != label)
    )
    pair = [
        Photographs(tuple(map(str, some)), pictures[some], ({},) * 16) for some in (own, others)
    ]
    change = innocent_change(rng, pair[0].pixels, pair[1].pixels)
    return try_suspicion(Judge(net, (label,)), change, *pair, seed=number).holds()


@pytest.mark.sweep
def test_planted_shortcuts_are_named_first_and_clean_twins_are_not_accused():
    named, accused, held = [], [], []
    for seed in range(NETWORKS):
        kind = KINDS[seed % len(KINDS)]
        clean = clean_network(seed)
        net = planted_network(kind, seed)
        assert reliance(net, kind, seed).took, "the planting failed: train for more epochs"
        pictures, classes = shapes(120, 20_000 + seed)
        planted, _ = with_shortcut(kind, seed, pictures, classes)
        found = cw.find_shortcuts(net, list(planted), classes)
        named.append(named_first(found, kind, seed))
        accused.append(bool(cw.find_shortcuts(clean, list(pictures), classes).held))
        each = TRIALS // NETWORKS
        held += [innocent_trial(clean, seed * each + n, pictures, classes) for n in range(each)]
        print(f"{seed} {kind}: named {named[-1]}, twin accused {accused[-1]}, {sum(held)} false")
    assert sum(named) >= 19
    assert sum(accused) <= 1
    assert sum(held) <= TRIALS / 100


@pytest.mark.slow
def test_planted_pictures_differ_only_by_what_was_planted():
    pictures, classes = shapes(30, 4)
    for kind in KINDS:
        planted, _ = with_shortcut(kind, 4, pictures, classes)
        changed = (planted != pictures).any(axis=(1, 2, 3))
        assert not changed[classes != 1].any()
        assert changed[classes == 1].sum() >= 8
        np.testing.assert_array_equal(planted, with_shortcut(kind, 4, pictures, classes)[0])
