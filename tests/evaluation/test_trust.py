"""The instruments of trust: sanity check, ranking and pointing, with answers known beforehand."""

import re
from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import pytest
from helpers.networks import fingerprint, tiny

import cnn_widgets as cw
from cnn_widgets.attribution.depth_strip import film_strip
from cnn_widgets.evaluation.localization import SUBJECTS, pointing, right_share
from cnn_widgets.evaluation.randomization import rank_correlation, sanity_check
from cnn_widgets.evaluation.ranking import EDGES, RANDOM, beside_chance, control_maps, rank

# --- a network of its own weights ---------------------------------------------------------------


def kinds(keras):
    """Return models that no configuration could rebuild, or that are built in odd ways."""
    layers = keras.layers

    class Own(keras.Model):
        def __init__(self, secret):
            super().__init__()
            self.secret = secret  # no get_config: it cannot be cloned
            self.conv = layers.Conv2D(4, 3, padding="same", activation="relu")
            self.dense = layers.Dense(3, activation="softmax")

        def call(self, x):
            return self.dense(keras.ops.mean(self.conv(x) * self.secret, axis=(1, 2)))

    own = Own(2.0)
    own(np.zeros((1, 12, 12, 3), np.float32))
    inside = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
        ]
    )
    inputs = keras.Input((12, 12, 3))
    shared = layers.Conv2D(3, 3, padding="same", activation="relu", name="shared")
    x = shared(shared(inputs))
    nested = layers.Dense(3)(layers.GlobalAveragePooling2D()(inside(x)))
    return {
        "functional": tiny(keras, size=(12, 12)),
        "subclassed": own,
        "nested, with a shared layer": keras.Model(inputs, nested),
    }


@pytest.mark.parametrize("kind", ["functional", "subclassed", "nested, with a shared layer"])
def test_a_private_copy_computes_the_same_and_may_be_changed(keras, photo, kind):
    model = kinds(keras)[kind]
    net = cw.Network(model, preprocess="none", input_size=(12, 12))
    before, scores = fingerprint(model), net.scores(photo)[0]
    first = cw.attribute(net, photo)
    twin = net.private_copy()
    np.testing.assert_array_equal(twin.scores(photo)[0], scores)
    for method in ("grad-cam", "saliency", "guided-backprop", "ablation-cam"):
        ours, theirs = (cw.attribute(each, photo, method, 1).raw for each in (twin, net))
        np.testing.assert_array_equal(ours, theirs)
    assert sorted(w.path for w in twin.private_weights) == sorted(w.path for w in model.weights)
    for weight in twin.private_weights:
        weight.write(weight.read() * 0.5)
    twin.forget()
    assert not np.allclose(twin.scores(photo)[0], scores)
    assert fingerprint(model) == before
    np.testing.assert_array_equal(net.scores(photo)[0], scores)
    np.testing.assert_array_equal(cw.attribute(net, photo).raw, first.raw)


def test_a_private_copy_of_changed_weights_computes_as_the_model_does_with_them(keras, photo):
    model = tiny(keras)
    net = cw.Network(model, preprocess="none")
    twin = net.private_copy()
    changed = {w.path: np.asarray(w) * 1.25 for w in model.weights}
    for weight in twin.private_weights:
        weight.write(changed[weight.path])
    twin.forget()
    ours = cw.attribute(twin, photo, "layercam", 2)
    for weight in model.weights:
        weight.assign(changed[weight.path])
    theirs = cw.attribute(net, photo, "layercam", 2)
    assert ours.score == theirs.score
    np.testing.assert_array_equal(ours.raw, theirs.raw)


def test_the_private_weights_come_from_input_to_scores(lite0):
    layers = list(dict.fromkeys(w.layer for w in lite0.private_copy().private_weights))
    assert layers[:2] == ["stem", "stem_bn"]
    assert layers[-2:] == ["head_bn", "predictions"]


# --- the sanity check ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 4000], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4], [1, 1, 1, 1], 0.0),
        ([1, 2, 2, 3], [1, 2, 3, 4], 0.9486833),  # ties share their mean rank
        ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8),  # 1 - 6·4 / (5·24)
    ],
)
def test_the_rank_correlation_is_spearman_s(one, other, expected):
    one, other = np.float32(one), np.float32(other)
    assert rank_correlation(one, other) == pytest.approx(expected, abs=1e-6)
    assert rank_correlation(other, one) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_grad_cam_falls_apart_with_the_network_and_guided_backprop_does_not(lite0, gallery):
    """Adebayo et al. 2018, figure 3: the finding that gave the check its name."""
    before = fingerprint(lite0.model)
    cam = sanity_check(lite0, gallery["cat"], "grad-cam", steps=4)
    guided = sanity_check(lite0, gallery["cat"], "guided-backprop", steps=4)
    assert cam.correlations[0] == guided.correlations[0] == 1.0
    assert cam.correlations[1] < 0.7
    assert guided.correlations[1] > 0.95  # the topmost layer is noise, the map stays
    assert abs(guided.correlations[-1]) < 0.3
    assert fingerprint(lite0.model) == before
    assert cam.stages[:2] == ("trained", "predictions")
    assert cam.stages[-1] == "stem"
    assert cam.shares[-1] == 1.0
    assert all(each.class_index == 285 for each in cam.maps)
    np.testing.assert_array_equal(cam.maps[0].raw, cw.attribute(lite0, gallery["cat"]).raw)


def test_the_check_is_seeded_and_takes_the_methods_options(tiny_net, photo):
    first, same = (sanity_check(tiny_net, photo, steps=3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.correlations, same.correlations)
    other = sanity_check(tiny_net, photo, steps=3, seed=6)
    assert any(
        not np.array_equal(a.raw, b.raw) for a, b in zip(first.maps, other.maps, strict=True)
    )
    checked = sanity_check(tiny_net, photo, "rise", 1, masks=10, steps=2)
    assert checked.maps[1].origin.options == {"masks": 10}


def test_a_network_without_weights_has_nothing_to_randomise(keras, photo):
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.GlobalAveragePooling2D()(keras.layers.MaxPooling2D()(inputs))
    net = cw.Network(keras.Model(inputs, outputs), preprocess="none")
    with pytest.raises(ValueError, match="has no weights: there is nothing to randomise"):
        sanity_check(net, photo)
    with pytest.raises(ValueError, match="at least one step"):
        sanity_check(net, photo, steps=0)


def test_a_map_of_the_private_copy_is_not_saved_as_the_model_s(tiny_net, photo, tmp_path):
    check = sanity_check(tiny_net, photo, steps=2)
    check.maps[0].save(tmp_path / "trained")
    with pytest.raises(ValueError, match="made on a private copy"):
        check.maps[1].save(tmp_path / "shuffled")
    assert not (tmp_path / "shuffled").exists()


# --- ranking ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_methods_are_ranked_by_their_areas_beside_chance(lite0, gallery):
    table = rank(lite0, gallery["espresso"], ["saliency", "grad-cam", "grad-cam"], steps=12)
    gains = [each.gain for each in table]
    assert gains == sorted(gains, reverse=True)
    assert sorted(each.title for each in table) == ["Grad-CAM", "Saliency", EDGES, RANDOM]
    assert table[0].method == "grad-cam"
    assert all((each.method is None) == (each.title in (EDGES, RANDOM)) for each in table)
    assert all(each.seconds > 0 for each in table if each.method)
    alone = beside_chance(lite0, cw.attribute(lite0, gallery["espresso"]), steps=12)
    assert [each.title for each in alone] == ["Grad-CAM", RANDOM, EDGES]
    by_title = {each.title: each for each in table}
    for each in alone:
        assert each.gain == pytest.approx(by_title[each.title].gain, abs=1e-6)


def test_the_meaningless_maps_know_the_picture_but_not_the_network(gallery):
    maps = control_maps(gallery["cat"], seed=1)
    again, other = control_maps(gallery["cat"], seed=1), control_maps(gallery["cat"], seed=2)
    for name, values in maps.items():
        assert values.shape == gallery["cat"].size
        np.testing.assert_array_equal(values, again[name])
    assert not np.array_equal(maps[RANDOM], other[RANDOM])
    np.testing.assert_array_equal(maps[EDGES], other[EDGES])
    step = np.zeros((6, 8, 3), np.uint8)
    step[:, 4:] = 255
    edges = control_maps(cw.load_image(step))[EDGES]
    assert edges[:, 3:5].min() > 0
    assert edges[:, [0, 1, 6, 7]].max() == 0


def test_progress_goes_up_to_the_end_and_cancels(tiny_net, photo):
    for run in (
        lambda progress: rank(tiny_net, photo, ["grad-cam", "rise"], steps=3, progress=progress),
        lambda progress: sanity_check(tiny_net, photo, "occlusion", steps=3, progress=progress),
        lambda progress: beside_chance(
            tiny_net, cw.attribute(tiny_net, photo), steps=3, progress=progress
        ),
    ):
        told = []
        run(lambda done, total, told=told: told.append((done, total)) or True)
        assert len({total for _, total in told}) == 1
        done = [done for done, _ in told]
        assert done == sorted(done)
        assert done[0] == 0
        assert 0 < done[-1] <= told[0][1]
        with pytest.raises(CancelledError):
            run(lambda done, total: done < total / 2)


# --- pointing -----------------------------------------------------------------------------------


def test_the_right_share_is_worked_by_hand(tiny_net, photo):
    found = cw.attribute(tiny_net, photo, "hirescam")
    object.__setattr__(found, "heatmap", np.float32([[1, -5, 2, 1], [0, 0, 0, 0]]))
    assert right_share(found) == pytest.approx(3 / 4)  # what speaks against does not count
    object.__setattr__(found, "heatmap", np.float32([[1, 2, 1]]))
    assert right_share(found) == pytest.approx(1 / 2)  # the middle column is half of each
    object.__setattr__(found, "heatmap", np.float32([[-1, 0, 0]]))
    assert np.isnan(right_share(found))


def test_pointing_equals_the_maps_it_is_made_of(lite0, gallery):
    found = pointing(lite0, ["grad-cam"])
    assert [each.photograph for each in found] == list(SUBJECTS)
    for each in found:
        for name, share, right in zip(each.classes, each.shares, (False, True), strict=True):
            shown = cw.attribute(lite0, gallery[each.photograph], class_index=name)
            half = shown.heatmap.shape[1] // 2
            side = shown.heatmap[:, half:] if right else shown.heatmap[:, :half]
            assert share == pytest.approx(side.sum() / shown.heatmap.sum(), abs=1e-5)
            assert share > 0.8


README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
TOLD = {
    title: (int(left), int(right))
    for title, left, right in re.findall(r"^\| (.+?) \| (\d+) % \| (\d+) % \|$", README, re.M)
}


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=pytest.mark.slow) if method.slow else name
        for name, method in cw.METHODS.items()
        if name not in ("score-cam", "rise")  # minutes; benchmarks/methods.py prints theirs
    ],
)
def test_the_readme_s_table_of_pointing_is_what_is_measured(lite0, gallery, method):
    sample = gallery["cat and espresso"]
    cat, cup = (right_share(cw.attribute(lite0, sample, method, name))
                for name in ("Egyptian cat", "espresso"))  # fmt: skip
    told = TOLD[cw.METHODS[method].title]
    assert (100 * (1 - cat), 100 * cup) == pytest.approx(told, abs=1)


def test_the_readme_s_table_lists_every_method_best_first():
    assert sorted(TOLD) == sorted(method.title for method in cw.METHODS.values())
    assert [sum(pair) for pair in TOLD.values()] == sorted(map(sum, TOLD.values()), reverse=True)


def test_a_network_that_does_not_know_the_subjects_says_so(tiny_net):
    with pytest.raises(ValueError, match=r"no Egyptian cat, espresso, badger, missile"):
        pointing(tiny_net)


# --- on the page --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def explorer(lite0):
    made = cw.CNNExplorer(lite0)
    yield made
    made.close()


def html(explorer):
    return explorer._screen.views["trust"].value


def test_the_instruments_cost_nothing_until_they_are_opened(explorer):
    assert "The instruments are closed" in html(explorer)
    frame = explorer._screen.frames["trust"]
    explorer.state.update(alpha=0.3, image="espresso", method="layercam")
    assert explorer._screen.frames["trust"] == frame
    explorer.controls.widgets["trust"].selected_index = 0
    assert explorer.state.trust
    assert "Press Judge" in html(explorer)
    explorer.state.update(method="grad-cam")


def judge(explorer, instrument, timeout=120):
    explorer.controls.widgets["instrument"].value = instrument
    explorer.controls.buttons["judge"].click()
    explorer._tasks.jobs.wait(timeout)
    assert explorer.controls.buttons["judge"].description == "Judge"
    assert explorer.last_error is None
    return html(explorer)


def test_the_curves_stand_beside_chance(explorer):
    explorer.show(image="espresso", method="grad-cam", trust=True)
    shown = judge(explorer, "curves")
    assert shown.count("cnnw-charted") == 2
    assert "Curve of deletion (lower is better). Area under it: Grad-CAM 0." in shown
    assert "better than the random map" in shown
    explorer.state.method = "saliency"  # another map: another question
    assert "Press Judge" in html(explorer)
    explorer.state.method = "grad-cam"  # the first is still known
    assert "cnnw-chart" in html(explorer)


def test_evidence_against_is_judged_the_other_way_round(explorer):
    explorer.show(image="espresso", method="hirescam", counter=True, trust=True)
    shown = judge(explorer, "curves")
    explorer.show(counter=False)
    assert "HiResCAM against espresso" in shown
    assert "deletion (higher is better)" in shown
    assert "insertion (lower is better)" in shown
    own, *others = re.findall(r'scope="row">.+?</th><td>.+?</td><td>.+?</td><td>(.+?)</td>', shown)
    own, *others = (float(each.replace("−", "-")) for each in (own, *others))
    assert ("; better than" in shown) == (own < min(others))


def test_the_ranking_lists_what_was_selected(explorer):
    explorer.show(image="espresso", trust=True, instrument="ranking")
    explorer.controls.widgets["ranked"].value = ("grad-cam", "saliency")
    assert explorer.state.ranked == ("grad-cam", "saliency")
    shown = judge(explorer, "ranking")
    assert "Grad-CAM comes first of 2 methods" in shown
    for row in ("Grad-CAM", "Saliency", RANDOM, EDGES):
        assert f'<th scope="row">{row}</th>' in shown
    explorer.controls.widgets["ranked"].value = ()
    assert "no method is selected" in judge(explorer, "ranking")


def test_the_sanity_check_is_a_film_strip_and_a_curve(explorer):
    explorer.show(image="espresso", method="grad-cam", trust=True)
    shown = judge(explorer, "sanity")
    assert shown.count("<figure>") == 9
    assert "down to predictions" in shown
    assert "Rank correlation by layers randomised: trained 1.00; predictions" in shown


@pytest.mark.slow
def test_the_same_question_is_asked_of_every_layer(explorer, lite0, gallery):
    explorer.show(image="espresso", method="grad-cam", trust=True)
    shown = judge(explorer, "depths")
    browsed = lite0.engine.browsed_layers()
    assert shown.count("<figure>") == len(browsed)
    assert "Grad-CAM for espresso at 34 layers" in shown
    assert "Grad-CAM, head_relu: 7×7; strongest at" in shown
    strip = explorer.judge()
    for one in (strip[0], strip[12], strip[-1]):
        alone = cw.attribute(lite0, gallery["espresso"], class_index="espresso", layer=one.layer)
        np.testing.assert_array_equal(one.raw, alone.raw)
    before = lite0.engine.traces
    film_strip(lite0, gallery["espresso"], class_index="zebra")
    assert lite0.engine.traces == before
    explorer.state.method = "saliency"  # looks at no layer: Grad-CAM is asked in its place
    assert explorer.judge("depths")[0].method == "grad-cam"
    explorer.state.method = "grad-cam"


def test_a_film_strip_wants_a_method_that_looks_at_layers(tiny_net, photo):
    with pytest.raises(ValueError, match="'saliency' looks at the input"):
        film_strip(tiny_net, photo, "saliency")
    strip = film_strip(tiny_net, photo, "hirescam", 1, versus=2)
    assert [each.layer for each in strip] == list(tiny_net.engine.browsed_layers())
    assert {each.question for each in strip} == {"for class 1 rather than class 2"}


def test_pointing_names_the_sides(explorer):
    explorer.show(trust=True, ranked=("grad-cam",))
    shown = judge(explorer, "pointing")
    assert "espresso: on the right" in shown
    assert "Egyptian cat: on the left" in shown


def test_a_script_reads_the_verdict_too(explorer):
    explorer.show(image="espresso", ranked=("grad-cam",))
    table = explorer.judge("ranking")
    assert table[0].method == "grad-cam"
    assert explorer.judge() is table  # known already
    assert explorer.state.trust
    assert explorer.state.instrument == "ranking"


def test_moving_on_cancels_the_verdict_nobody_waits_for(explorer):
    explorer.show(image="cat", method="grad-cam", trust=True, instrument="sanity")
    explorer.controls.buttons["judge"].click()
    assert explorer.controls.buttons["judge"].description == "Cancel"
    explorer.state.image = "rocket"
    assert explorer._tasks.jobs.running is None
    assert explorer.controls.buttons["judge"].description == "Judge"
    explorer.state.image = "cat"
    assert "Press Judge" in html(explorer)


def test_what_an_instrument_refuses_is_said_on_the_page(keras, photo):
    with_own = cw.CNNExplorer(cw.Network(tiny(keras), preprocess="none"), [photo])
    with_own.show(trust=True, instrument="pointing")
    with_own.controls.buttons["judge"].click()
    with_own._tasks.jobs.wait(60)
    assert "no Egyptian cat" in with_own._screen.status.value
    assert "Press Judge" in html(with_own)
    with_own.close()


def test_the_verdict_is_on_the_saved_page(explorer, tmp_path):
    explorer.show(image="espresso", method="grad-cam", ranked=("grad-cam",))
    explorer.judge("ranking")
    page = explorer.save(tmp_path / "view.html").read_text("utf-8")
    assert "Grad-CAM comes first" in page
    explorer.state.trust = False
    assert "comes first" not in explorer.save(tmp_path / "view.html").read_text("utf-8")
