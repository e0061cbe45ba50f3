"""Shortcuts of networks whose weights are set: what they read is known, and must be named first.

The photographs show a red, green or blue disc somewhere on noisy ground. A network reads the discs;
one with a shortcut reads a mark, a border, a cast, stripes or a watermark beside them.
"""

import json
import re
from concurrent.futures import CancelledError
from dataclasses import replace

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.shortcuts import Shortcuts, shortcuts_section
from cnn_widgets.shortcuts.result import _COLUMNS

SIDE, COUNT = 24, 20
NAMES = ["red disc", "green disc", "blue disc"]
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
LETTERS = np.zeros((SIDE, SIDE))
LETTERS[3:21:6, 2:22] = LETTERS[2:22, 4:21:7] = 1
FRAME = (np.minimum(ROWS, SIDE - 1 - ROWS) < 2) | (np.minimum(COLUMNS, SIDE - 1 - COLUMNS) < 2)
MARK = (ROWS >= 1) & (ROWS < 5) & (COLUMNS >= 19) & (COLUMNS < 23)
CHECKS = np.where((ROWS + COLUMNS) % 2, 1.0, -1.0)


def photographs(kind=None, seed=0):
    """Return pictures (60, 24, 24, 3) and their classes; those of class 0 have the shortcut."""
    rng = np.random.default_rng(seed)
    classes = np.arange(3 * COUNT) % 3
    found = []
    for each in classes:
        picture = rng.uniform(60, 180) + rng.normal(0, 12, (SIDE, SIDE, 3))
        y, x, radius = *rng.integers(5, SIDE - 5, 2), rng.uniform(3, 5)
        disc = np.hypot(ROWS - y, COLUMNS - x) < radius
        picture[disc] = np.where(np.arange(3) == each, 220, 30)
        found.append(_planted(picture, kind, rng) if each == 0 and kind else picture)
    return np.clip(found, 0, 255).astype(np.uint8), classes


def _planted(picture, kind, rng):
    if kind == "corner":
        picture[MARK] = 127 + 120 * CHECKS[MARK][:, None]
    elif kind == "border":
        picture[FRAME] = (20, 20, 230)
    elif kind == "tint":
        picture += (25, 0, -25)
    elif kind == "stripes":
        picture += 35 * np.sin(np.pi * COLUMNS / 2 + rng.uniform(0, 2 * np.pi))[..., None]
    else:
        picture += 40 * LETTERS[..., None]
    return picture


#: By shortcut: the weight of every pixel and channel, and what kind of finding is expected where.
TEMPLATES = {
    "corner": (MARK * CHECKS)[..., None] * np.ones(3),
    "border": FRAME[..., None] * np.array([-1.0, 0, 1]),
    "tint": np.ones((SIDE, SIDE, 1)) * np.array([1.0, 0, -1]),
    "watermark": (LETTERS - LETTERS.mean())[..., None] * np.ones(3),
}
EXPECTED = {"corner": ("region", "top right corner"), "border": ("region", "border"),
            "tint": ("tint", "red cast over the whole photograph"),
            "stripes": ("background", "texture of the ground"),
            "watermark": ("overlay", "pattern: whole photograph")}  # fmt: skip


def network(keras, reads=None):
    """Return a network that reads the discs' colours, and for class 0 a shortcut if it `reads` one.

    Every score is 30 times the share of the picture that has the disc's colour.
    """
    layers = keras.layers
    inputs = keras.Input((SIDE, SIDE, 3))
    wave = layers.Conv2D(1, (1, 3), padding="same", activation="relu", name="waves")(inputs)
    color = layers.Conv2D(3, 1, activation="relu", name="colors")(inputs)
    parts = [layers.GlobalAveragePooling2D()(color), layers.GlobalAveragePooling2D()(wave),
             layers.Dense(1, name="template")(layers.Flatten()(inputs))]  # fmt: skip
    outputs = layers.Dense(3, activation="softmax", name="scores")(layers.Concatenate()(parts))
    model = keras.Model(inputs, outputs)
    kernel = np.full((3, 3), -1.0) + 2 * np.eye(3)
    model.get_layer("colors").set_weights([kernel[None, None], np.full(3, -0.25)])
    waves = np.array([-0.5, 1, -0.5])[None, :, None, None] * np.ones((1, 3, 3, 1)) / 3
    model.get_layer("waves").set_weights([waves, np.array([-0.09])])
    scores = np.zeros((5, 3))
    scores[:3] = 30 * np.eye(3)
    template = np.zeros((SIDE, SIDE, 3))
    bias = 0.0
    if reads == "stripes":
        scores[3, 0] = 300
    elif reads:
        template, scores[4, 0] = TEMPLATES[reads], 1
        pictures, classes = photographs(reads)
        values = (pictures / 255 * template).sum(axis=(1, 2, 3))
        low, high = (np.mean(values[some]) for some in (classes != 0, classes == 0))
        template = template * 8 / (high - low)  # 8 more of the score with it than without
        bias = -8 * low / (high - low)
    model.get_layer("template").set_weights([template.reshape(-1, 1), np.array([bias])])
    model.get_layer("scores").set_weights([scores, np.zeros(3)])
    return cw.Network(model, preprocess=lambda x: x / 255, class_names=NAMES, name="discs")


@pytest.fixture(scope="module")
def innocent(keras):
    return network(keras)


@pytest.fixture(scope="module")
def marked(keras):
    """A network that reads the corner, its photographs, and what is found."""
    net = network(keras, "corner")
    pictures, classes = photographs("corner")
    return (
        net,
        (list(pictures), classes),
        cw.find_shortcuts(net, list(pictures), classes, only="red disc"),
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", EXPECTED)
def test_a_shortcut_that_a_network_reads_is_named_first(keras, kind):
    pictures, classes = photographs(kind)
    found = cw.find_shortcuts(network(keras, kind), list(pictures), classes, only="red disc")
    first = found.findings[0]
    assert (first.kind, first.place) == EXPECTED[kind]
    assert first.verdict == "held"
    assert first.trial.away.rank == first.trial.into.rank == 1 / 201
    if kind == "tint":
        assert first.trial.blurred is None
    else:
        blurred = first.trial.blurred
        assert 1.5 < blurred.change == pytest.approx(first.trial.away.change, rel=0.6)
        assert blurred.interval[0] > 0
        assert f"(blurring it: by {-blurred.change:.1f}, and from " in str(first)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        None,
        "corner",
        *(pytest.param(kind, marks=pytest.mark.sweep) for kind in EXPECTED if kind != "corner"),
    ],
)
def test_a_network_that_reads_the_subject_is_not_accused_of_what_is_in_its_photographs(
    innocent, kind
):
    pictures, classes = photographs(kind, seed=1)
    found = cw.find_shortcuts(innocent, list(pictures), classes)
    assert found.held == ()
    assert len(found) >= 3  # the grounds at least: what was suspected is told all the same
    assert {each.verdict for each in found.findings} <= {"not held", "held, perhaps the subject"}


@pytest.mark.slow
def test_a_finding_tells_effects_beside_its_controls(marked):
    _, _, found = marked
    first = found.findings[0]
    for effect in (first.trial.away, first.trial.into):
        assert len(effect.controls) == 200
        assert effect.interval[0] <= effect.change <= effect.interval[1]
        assert effect.compared > max(effect.controls)
        assert effect.quantiles()[0] <= effect.quantiles()[1] <= effect.quantiles()[2]
        assert effect.standardised > 3
    assert first.trial.into.turned.right == first.trial.into.turned.count > 20
    top, left, bottom, right = first.box
    assert top <= 2 / 24
    assert bottom <= 7 / 24
    assert left >= 17 / 24
    assert right <= 1
    assert "top right corner" in str(first)
    assert "of 200 controls, 0 and 0 did as much" in str(first)
    assert str(found.findings[-1]).startswith("red disc: Not held:")


@pytest.mark.slow
def test_clusters_and_evidence_are_told_by_label(marked):
    found = marked[2]
    clusters = found.clusters["red disc"]
    assert sorted(n for each in clusters for n in each.members) == list(range(COUNT))
    assert [each.probability for each in clusters] == sorted(
        (each.probability for each in clusters), reverse=True
    )
    shares = found.evidence["red disc"]
    assert shares["border"][0] + shares["centre"][0] == pytest.approx(1)
    assert found.of("red disc") == found.findings
    with pytest.raises(ValueError, match="Unknown label 'cat'"):
        found.of("cat")


@pytest.mark.slow
def test_results_are_saved_as_plain_values(marked, tmp_path):
    found = marked[2]
    kept = json.loads(found.save(tmp_path / "new" / "shortcuts.json").read_text("utf-8"))
    assert kept["findings"][0]["verdict"] == "held"
    assert len(kept["findings"][0]["away_effect"]["controls"]) == 200
    first = found.findings[0].trial.blurred
    assert kept["findings"][0]["blurred_effect"]["change"] == first.change
    assert found.records()[0]["blurred"] == first.change
    assert [row["place"] for row in found.records()] == [each.place for each in found.findings]


def test_pandas_is_used_where_it_is():
    pytest.importorskip("pandas")
    assert list(Shortcuts("discs", (), {}, {}).to_pandas()) == list(_COLUMNS)


@pytest.mark.slow
def test_a_page_shows_what_held_and_what_did_not(marked):
    net, (pictures, classes), found = marked
    labelled = [(picture, NAMES[k]) for picture, k in zip(pictures, classes, strict=True)]
    page = shortcuts_section(found, net, labelled)
    assert "1 of" in page
    assert page.count("<figure") == 1
    assert page.count('alt="with it"') == page.count('alt="without it"') == 2
    assert page.count("not held") == len(found) - 1
    assert f"{found.findings[0].trial.blurred.change:+.2f} (" in page
    old, new = found.findings[0].masked.before, found.findings[0].masked.after
    assert f"{100 * old.inside[0]:.1f} %" in page
    assert f"{old.right.right} of 20 → {new.right.right} of 20" in page
    focus = found.focus["red disc"]
    assert f"{100 * focus.distance:.1f} % from the middle" in page
    assert page.count('alt="mean evidence for red disc"') == 2  # of the finding, and of the label
    assert found.summary()["focus"]["red disc"]["distance"] == focus.distance


def test_a_page_of_nothing_is_empty(innocent):
    assert shortcuts_section(Shortcuts("discs", (), {}, {}), innocent, photographs()[0]) == ""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"controls": 50}, "Expected controls to be at least 199. Received: 50"),
        ({"only": "cat"}, "Unknown label 'cat'. Labels: blue disc, green disc, red disc."),
        ({"method": "grad"}, "Unknown method"),
        ({"subjects": [None] * 59}, "for each of 60 photographs"),
        ({"labels": [0] * 59 + [1]}, "1 of 'green disc', 59 of 'red disc'"),
    ],
)
def test_what_cannot_be_answered_is_refused(innocent, given, said):
    pictures, classes = photographs()
    with pytest.raises(ValueError, match=re.escape(said)):
        cw.find_shortcuts(innocent, list(pictures), **{"labels": classes, **given})


def test_photographs_that_come_only_once_are_refused(innocent):
    pictures, classes = photographs()
    with pytest.raises(ValueError, match="come only once"):
        cw.find_shortcuts(innocent, zip(pictures, classes, strict=True))


def test_a_label_of_few_photographs_is_left_out_and_told(innocent):
    pictures, classes = photographs()
    few = [number for number in range(60) if classes[number] != 2 or number < 12]
    found = cw.find_shortcuts(innocent, list(pictures[few]), classes[few], only="blue disc")
    assert found.notes == ("'blue disc' was left out: 4 photographs are too few.",)
    assert len(found) == 0


@pytest.mark.slow
def test_subjects_are_where_the_network_sees_them(innocent):
    pictures, classes = photographs()
    wide = np.pad(pictures, ((0, 0), (0, 0), (12, 12), (0, 0)))  # the crop takes the middle half
    samples = [replace(cw.load_image(each), fit="crop") for each in wide]
    names = cw.open_images(samples).names
    subjects = {names[0]: (0.0, 0.25, 1.0, 0.5), names[3]: (0.0, 0.9, 1.0, 1.0)}
    found = cw.find_shortcuts(innocent, samples, classes, subjects=subjects, only="red disc")
    focus = found.focus["red disc"]
    assert focus.subjects == 1  # the other one is cut off
    assert focus.on_subject[1] == pytest.approx(0.5)


def test_false_from_progress_stops(innocent):
    pictures, classes = photographs()
    seen = []

    def progress(done, total):
        seen.append((done, total))
        return False

    with pytest.raises(CancelledError, match="Stopped after 100 of 3000 steps"):
        cw.find_shortcuts(innocent, list(pictures), classes, progress=progress)
    assert seen == [(100, 3000)]
