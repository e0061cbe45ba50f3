"""The instruments of trust on the page."""

import re

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.attribution.depth_strip import film_strip
from cnn_widgets.evaluation.faithfulness import Curve
from cnn_widgets.evaluation.ranking import EDGES, RANDOM, RankedMap
from cnn_widgets.panels import evaluation_panels


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
    assert shown.count("cnnw-chart") == 2
    assert "Curve of deletion (lower is better). Area under it: Grad-CAM 0." in shown
    assert "better than the random map" in shown
    explorer.state.method = "saliency"  # another map: another question
    assert "Press Judge" in html(explorer)
    explorer.state.method = "grad-cam"  # the first is still known
    assert "cnnw-chart" in html(explorer)


def flat(kind, area):
    """A curve whose area is known without integrating: one height everywhere."""
    return Curve(kind, np.array([0, 1], np.float32), np.array([area, area], np.float32))


def ranked_map(title, deletion, insertion):
    return RankedMap(title, None, flat("deletion", deletion), flat("insertion", insertion))


@pytest.mark.parametrize(
    ("own", "counter", "told"),
    [
        ((0.125, 0.75), False, "better than the edge detector (0.250, 0.500)"),
        ((0.375, 0.875), False, "better than the edge detector overall (0.250, 0.500), "
                                "but worse at deletion"),
        ((0.0, 0.375), False, "better than the edge detector overall (0.250, 0.500), "
                              "but worse at insertion"),
        ((0.5, 0.25), False, "no better than the edge detector (0.250, 0.500)"),
        ((0.5, 0.625), False, "no better than the edge detector overall (0.250, 0.500), "
                              "but better at insertion"),
        ((0.25, 0.5), False, "no better than the edge detector (0.250, 0.500)"),
        ((0.875, 0.125), True, "better than the random map (0.500, 0.375)"),
        ((0.375, 0.125), True, "better than the random map overall (0.500, 0.375), "
                               "but worse at deletion"),
    ],
)  # fmt: skip
def test_the_verdict_says_what_each_of_the_two_charts_shows(own, counter, told):
    maps = (
        ranked_map("Grad-CAM", *own),
        ranked_map(RANDOM, 0.5, 0.375),
        ranked_map(EDGES, 0.25, 0.5),
    )
    assert evaluation_panels._verdict(maps, counter) == told


@pytest.mark.slow
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


def test_a_map_has_the_same_areas_in_both_instruments(keras):
    net = cw.Network(tiny(keras), preprocess="none")
    made = cw.CNNExplorer(net, np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8))
    made.show(method="grad-cam", trust=True, ranked=("grad-cam",))
    areas = [
        (each.deletion.area, each.insertion.area)
        for instrument in ("curves", "ranking")
        for each in made.judge(instrument)
        if each.method == "grad-cam"
    ]
    assert areas[0] == pytest.approx(areas[1], abs=1e-6)
    made.close()


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_verdict_is_on_the_saved_page(explorer, tmp_path):
    explorer.show(image="espresso", method="grad-cam", ranked=("grad-cam",))
    explorer.judge("ranking")
    page = explorer.save(tmp_path / "view.html").read_text("utf-8")
    assert "Grad-CAM comes first" in page
    explorer.state.trust = False
    assert "comes first" not in explorer.save(tmp_path / "view.html").read_text("utf-8")


def test_the_input_check_is_a_table_of_recipes(explorer):
    explorer.show(trust=True)
    shown = judge(explorer, "input")
    assert "The input looks right. In training a mean of" in shown
    assert "x / 127.5 - 1" in shown
    assert "misfit" in shown
