"""The evidence on screen beside another one: pictures, numbers, the finding, refusals."""

import re

import numpy as np
import pytest
from helpers.shown import frames, html, redrawn

import cnn_widgets as cw
from cnn_widgets.drawing.color import blend, colorize, resize
from cnn_widgets.evaluation.randomization import rank_correlation
from cnn_widgets.images.resizing import cached_thumbnail
from cnn_widgets.panels.comparison import agreement, side_by_side
from cnn_widgets.rendering.html import to_html, to_page
from cnn_widgets.scenes.scene import Scene
from cnn_widgets.views import captions


def shown(explorer, **changes):
    explorer.show(compare=True, **changes)
    return side_by_side(explorer.scene)


def test_numbers_pictures_and_finding_are_those_of_a_script(explorer):
    view = shown(explorer, class_index=1, versus=3, compare_by="method", compare_with="saliency")
    scene = explorer.scene
    net, sample = scene.network, scene.sample
    one, two = (
        cw.attribute(net, sample, name, 1, versus=3) for name in ("grad-cam", "saliency")
    )  # fmt: skip
    found = rank_correlation(one.heatmap, two.heatmap)
    told = captions.fixed(found, 2)
    line = f"Grad-CAM and Saliency {agreement(found)}: rank correlation {told}."
    assert (view.caption, view.alt) == (line, line)
    pictures, numbers = view.parts
    photo = cached_thumbnail(sample, 480)
    difference = one.heatmap - two.heatmap
    expected = [(one.heatmap, "inferno", False), (two.heatmap, "inferno", False),
                (difference, "RdBu_r", True)]  # fmt: skip
    for part, (heat, colors, signed) in zip(pictures.parts, expected, strict=True):
        np.testing.assert_array_equal(
            part.picture, colorize(resize(heat, photo.shape[:2]), colors, signed)
        )
        np.testing.assert_array_equal(part.under, photo)
    assert [part.caption for part in pictures.parts] == [
        "A: Grad-CAM", "B: Saliency", "A − B: where they differ",
    ]  # fmt: skip
    assert pictures.parts[2].legend[1::2] == ("−1: more in B", "more in A: 1")
    top = net.predict(sample, top=1)[0]
    belief = (
        "b rather than d", captions.number(one.score), captions.percent(one.probability),
        captions.with_probability(top),
    )  # fmt: skip
    assert numbers.table == (
        ("", "method", "class explained", "score", "probability", "most likely class",
         "rank correlation with A"),
        ("A", "Grad-CAM", *belief, "1"),
        ("B", "Saliency", *belief, told),
    )  # fmt: skip


def test_a_signed_map_keeps_its_colours_and_its_legend(explorer):
    view = shown(explorer, method="hirescam", colormap="jet", compare_with="layercam")
    one, two, apart = view.parts[0].parts
    assert one.legend[:2] == ("RdBu_r", "against")
    assert two.legend[:2] == ("jet", "little")
    assert apart.legend[0] == "RdBu_r"


FINDINGS = {
    "class": ("The evidence for b and the evidence for c ", "class explained"),
    "layer": ("The map at conv2 and the map at conv1 ", "layer"),
}


@pytest.mark.parametrize("by", FINDINGS)
def test_the_finding_names_what_differs(explorer, by):
    other = {"class": "c", "layer": "conv1"}[by]
    view = shown(explorer, class_index=1, compare_by=by, compare_with=other)
    begins, head = FINDINGS[by]
    assert view.caption.startswith(begins)
    assert re.search(r": rank correlation −?\d\.\d\d\.$", view.caption)
    assert view.parts[1].table[0][1] == head
    assert view.parts[1].table[2][1] == other


@pytest.mark.parametrize(
    ("correlation", "words"),
    [
        (1.0, "agree almost everywhere"), (0.7, "agree for the most part"), (0.5, "agree in part"),
        (0.21, "agree little here"), (0.0, "do not agree here"), (-0.1, "do not agree here"),
        (-0.5, "contradict each other here"), (-1.0000001, "contradict each other here"),
    ],
)  # fmt: skip
def test_agreement_in_words(correlation, words):
    assert agreement(correlation) == words


def test_two_photographs_have_no_difference_and_it_is_said(explorer):
    view = shown(explorer, class_index=2, compare_by="photograph")
    one, two = (explorer.network.scores(s)[1][2] for s in explorer.scene.samples.values())
    assert view.caption == (
        f"c: {captions.percent(one)} on one, {captions.percent(two)} on portrait. Two photographs "
        "have no places in common: there is no difference map and no rank correlation."
    )
    assert [part.caption for part in view.parts[0].parts] == ["A: one", "B: portrait"]
    assert view.parts[1].table[0][-1] == "most likely class"


def test_networks_are_named_with_the_layer_they_are_asked_at(keras, lent):
    from helpers.explored import pictures
    from helpers.networks import tiny

    twin = cw.Network(tiny(keras, seed=3), preprocess="none", class_names=["d", "c", "b", "a"])
    made = cw.CNNExplorer(lent, pictures(), models={"twin": twin})
    try:
        view = shown(made, class_index="b", compare_by="network", compare_with="twin")
        assert view.caption.startswith("tiny at conv2 and twin at conv2 ")
        score = twin.scores(made.scene.sample)[0][2]
        assert view.parts[1].table[2][1:4] == ("twin at conv2", "b", captions.number(score))
    finally:
        made.close()


def test_a_map_of_one_value_is_told_apart(explorer, monkeypatch):
    found = cw.attribute(explorer.network, explorer.scene.sample, "layercam", 0)
    empty = type(found)(**{**found.__dict__, "heatmap": np.zeros_like(found.heatmap)})
    monkeypatch.setattr(
        Scene, "attribution", property(lambda scene: empty if scene.method == "layercam" else found)
    )
    view = shown(explorer, compare_with="layercam")
    assert view.caption == "LayerCAM is the same everywhere here: no agreement can be measured."
    explorer.show(method="layercam", compare_with="hirescam")
    assert side_by_side(explorer.scene).caption.startswith("LayerCAM is the same")


# --- on the page ---


@pytest.fixture
def opened(explorer):
    explorer.controls.widgets["compare"].selected_index = 0
    assert explorer.state.compare
    return explorer


def test_nothing_is_computed_until_it_is_opened(explorer, monkeypatch):
    from cnn_widgets.panels import comparison

    asked = []
    compare = comparison.compare
    monkeypatch.setattr(comparison, "compare", lambda scene: asked.append(1) or compare(scene))
    assert side_by_side(explorer.scene).alt == "The comparison is closed."
    before = frames(explorer)["compare"]
    explorer.show(method="layercam", compare_by="class", compare_with="b", image="portrait")
    explorer.show(compare_by="layer", layer="conv2", alpha=0.3)
    assert (frames(explorer)["compare"], asked) == (before, [])
    explorer.controls.widgets["compare"].selected_index = 0
    assert (frames(explorer)["compare"], asked) == (before + 1, [1])
    assert "rank correlation" in html(explorer, "compare")


def test_the_lists_move_it(opened):
    by, other = (opened.controls.widgets[name] for name in ("compare_by", "compare_with"))
    assert (by.value, other.value, other.label) == ("method", "saliency", "Saliency")
    other.value = "layercam"
    assert "B: LayerCAM" in html(opened, "compare")
    by.value = "class"
    assert opened.state.compare_with == ""
    ranked = opened.scene.predictions
    assert other.options == tuple((captions.with_probability(p), p.name) for p in ranked)
    assert other.value == ranked[1].name
    by.value = "layer"
    assert [value for _, value in other.options] == ["conv1", "pool1", "conv2"]
    by.value = "photograph"
    assert (other.options, other.value) == ((("one", "one"), ("portrait", "portrait")), "portrait")
    assert "B: portrait" in html(opened, "compare")
    by.value = "network"
    assert other.label == "– (nothing else)" or other.value == "tiny"
    assert "Only one network is open" in html(opened, "compare")
    opened.state.compare_with = "nowhere"
    assert (other.value, other.label) == ("nowhere", "nowhere")
    assert "Unknown network &#x27;nowhere&#x27;" in html(opened, "compare")
    assert opened.last_error is None


def test_it_is_drawn_again_for_what_it_shows_and_for_nothing_else(opened):
    def drawn(**changes):
        return redrawn(opened, lambda: opened.show(**changes)).get("compare", 0)

    assert [drawn(alpha=0.3), drawn(filter=2), drawn(layer="pool1"), drawn(scale="layer")] == [
        0
    ] * 4
    for changes in ({"method": "layercam"}, {"class_index": 2}, {"colormap": "jet"},
                    {"image": "portrait"}, {"compare_with": "hirescam"}):  # fmt: skip
        assert drawn(**changes) == 1
    assert drawn(compare_by="layer") == 1  # beside the layer browsed
    assert drawn(layer="conv1") == 1
    assert drawn(compare_with="pool1") == 1
    assert drawn(layer="conv2") == 0
    assert drawn(cam_layer="follow") == 1
    assert drawn(layer="conv1") == 1


def test_the_opacity_is_that_of_the_page_and_is_drawn_into_what_is_saved(opened):
    page = html(opened, "compare")
    assert page.count("<img") == 6
    assert page.count("cnnw-heat") == 3
    assert page.count('<figure class="cnnw-part"><figcaption>') == 3
    view = side_by_side(opened.scene)
    flat = view.flat()
    for part, layered in zip(flat.parts[0].parts, view.parts[0].parts, strict=True):
        np.testing.assert_array_equal(part.picture, blend(layered.under, layered.picture, 0.6))
    saved = to_html(flat)
    assert saved.count("<img") == 3
    assert saved in to_page(opened.scene)


@pytest.mark.parametrize("by", ["method", "class", "layer", "photograph", "network"])
@pytest.mark.parametrize("method", ["grad-cam", "saliency", "score-cam"])
def test_no_ordinary_choice_is_an_error(opened, by, method):
    for other in ("", "hirescam", "score-cam", "b", "conv1", "one", "portrait", "tiny"):
        opened.show(method=method, compare_by=by, compare_with=other)
        assert "could not be drawn" not in html(opened, "compare")
        assert opened.last_error is None
