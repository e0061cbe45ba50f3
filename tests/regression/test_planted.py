"""Regressions that must be found, and harmless changes that must not, on a trained network."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.regressions import (
    COUNT,
    HARMLESS,
    NAMES,
    REGRESSIONS,
    World,
    a_subset,
    architecture,
    opened,
    pictures,
    train,
    write_pictures,
)

import cnn_widgets as cw
from cnn_widgets.regression import Tolerances

pytestmark = pytest.mark.slow
#: Run by hand: near relatives of other cases, or long.
BY_HAND = (
    "made grey", "another input size", "padding changed", "another activation", "another pooling",
    "trained on for an epoch", "a class more", "a photograph damaged", "cloned", "opened twice",
)  # fmt: skip


def cases(table):
    """Return the names of a table, those of `BY_HAND` marked as a sweep."""
    marks = dict.fromkeys(BY_HAND, pytest.mark.sweep)
    return [pytest.param(name, marks=marks.get(name, ())) for name in table]


@pytest.fixture(scope="module")
def world(keras, tmp_path_factory):
    keras.utils.set_random_seed(0)
    scratch = tmp_path_factory.mktemp("planted")
    model = train(keras, architecture(keras))
    photographs = write_pictures(scratch / "photographs", pictures(COUNT, 1)[0])
    kept = cw.keep_evidence(opened(model), photographs, scratch / "evidence")
    right = [each.answer == number % 4 for number, each in enumerate(kept.photographs)]
    assert np.mean(right) > 0.9  # a network that has learnt something
    return World(keras, model, photographs, scratch / "evidence", scratch)


def checked(world, change, **options):
    made = change(world)
    net, photographs = made if isinstance(made, tuple) else (made, world.photographs)
    return cw.check_against(net, photographs, world.evidence, **options)


@pytest.mark.parametrize("name", cases(REGRESSIONS))
def test_a_regression_fails_and_is_named(world, name):
    change, kind, first = REGRESSIONS[name]
    found = checked(world, change)
    assert not found.passed
    assert kind in found.changed
    assert found.causes
    if kind in ("input", "random", "classes"):
        assert found.cases[0].changed[0] == kind
    if first is not None:
        assert found.first_drift == first
        assert f"The drift begins at layer {first!r}" in found.causes[-1]


@pytest.mark.parametrize("name", cases(HARMLESS))
def test_a_harmless_change_passes(world, name):
    assert_unchanged(checked(world, HARMLESS[name]))


def test_fewer_photographs_pass_where_that_is_allowed(world):
    """A folder that was fetched by half must not pass for a whole one; asked for, it may."""
    assert checked(world, a_subset).changed == ("missing",)
    assert_unchanged(checked(world, a_subset, tolerances=Tolerances(missing=0.4)))


def assert_unchanged(found):
    assert found.passed, found.failures
    figures = [case.figures for case in found.cases]
    # far from the tolerances, so that a slower or faster machine changes nothing
    assert max(each.get("probability_changed", 0) for each in figures) < 0.002
    correlations = [each["correlation"] for each in figures if "correlation" in each]
    ckas = [each["cka"] for each in figures if each.get("cka") is not None]
    assert len(correlations) >= 15
    assert len(ckas) >= 8
    assert min(correlations) > 0.9999
    assert min(ckas) > 0.99999


CHILD = """
import sys, json
import cnn_widgets as cw
from helpers.regressions import NAMES, prepare
net = cw.load_network(sys.argv[1], preprocess=prepare, class_names=NAMES)
found = cw.check_against(net, sys.argv[2], sys.argv[3])
print(json.dumps([found.passed, found.summary()]))
"""


@pytest.mark.parametrize(
    "setting",
    [
        {
            "TF_NUM_INTRAOP_THREADS": "2",
            "TF_NUM_INTEROP_THREADS": "2",
            "TF_ENABLE_ONEDNN_OPTS": "0",
        },
        pytest.param({}, marks=pytest.mark.sweep),
    ],
    ids=["more threads and no oneDNN", "as here"],
)
def test_another_process_with_other_settings_passes(world, setting):
    path = world.scratch / "for_a_child.keras"
    world.model.save(path)
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), str(root / "tests")])
    environment = {**os.environ, "PYTHONPATH": paths, "TF_CPP_MIN_LOG_LEVEL": "3", **setting}
    command = [sys.executable, "-c", CHILD, path, world.photographs, world.evidence]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=250
    )
    assert done.returncode == 0, done.stderr
    passed, summary = json.loads(done.stdout.splitlines()[-1])
    assert passed, summary


def test_the_bundled_network_passes_and_a_layer_of_it_initialised_again_is_named(
    lite0, gallery, tmp_path
):
    cw.keep_evidence(lite0, gallery, tmp_path)
    again = dict(reversed(gallery.items()))
    assert cw.check_against(lite0, again, tmp_path).passed
    changed = lite0.private_copy()
    kernel = next(each for each in changed.private_weights if each.layer == "block6_expand")
    values = kernel.read()
    rng = np.random.default_rng(0)
    kernel.write(rng.normal(0, values.std(), values.shape).astype(np.float32))
    changed.forget()
    found = cw.check_against(changed, gallery, tmp_path)
    assert found.changed[0] == "answer"
    assert found.first_drift.startswith("block6_")
    assert not any("weights are the same" in words for words in found.causes)


def test_the_names_are_those_of_the_network(world):
    assert opened(world.model).class_names == tuple(NAMES)


def test_dropout_left_on_cannot_be_kept(world, tmp_path):
    net = REGRESSIONS["dropout left on"][0](world)
    with pytest.raises(ValueError, match="answers another thing each time"):
        cw.keep_evidence(net, world.photographs, tmp_path)
