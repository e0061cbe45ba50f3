"""Numbers and pictures in words."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import tiny
from helpers.shown import html

import cnn_widgets as cw
from cnn_widgets.attribution.result import Attribution
from cnn_widgets.drawing.color import normalize
from cnn_widgets.records import LayerInfo, Prediction
from cnn_widgets.rendering.html import to_html
from cnn_widgets.views import captions
from cnn_widgets.views.view import View


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1e-12, "< 0.1 %"),
        (0.00099, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.0123, "1.2 %"),
        (0.0994, "9.9 %"),
        (0.0996, "10 %"),
        (0.5, "50 %"),
        (1.0, "100 %"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_a_share_is_a_percentage_of_two_digits(share, text):
    assert captions.percent(share) == text
    assert captions.percent(np.float32(share)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(54, "54"), (-1.5, "−1.5"), (0.0, "0"), (1234.5, "1.23e+03"), (-2e-7, "−2e−07")],
)
def test_a_number_has_three_digits_and_a_true_minus(value, text):
    assert captions.number(value) == text


def test_what_is_rounded_to_zero_has_no_sign():
    assert [captions.fixed(value, 2) for value in (-0.004, 0.004, -0.006)] == [
        "0.00", "0.00", "−0.01",
    ]  # fmt: skip
    assert [captions.change(value) for value in (0.004, -0.004, 0.0, 0.006, -0.006)] == [
        "0.00", "0.00", "0.00", "+0.01", "−0.01",
    ]  # fmt: skip
    assert captions.change(float("nan")) == "nan"


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([-3, -3.01, -3.5], ["−3.00", "−3.01", "−3.50"]),
        ([6.6, 4.96, 12.345], ["6.60", "4.96", "12.35"]),
        ([0.00123, 0.0004], ["0.00123", "0.00040"]),  # a network of small numbers
        ([1e-7, 0], ["1e−07", "0"]),
        ([2.5e8, 1], ["2.5e+08", "1"]),
        ([0.0, 0.0], ["0.00", "0.00"]),
        ([float("nan"), 1.0], ["nan", "1.00"]),
        ([], []),
    ],
)
def test_the_numbers_of_a_column_have_the_same_decimals(values, texts):
    assert captions.column(values) == texts


def test_no_line_ends_between_a_number_and_its_per_cent_sign():
    shown = to_html(View("", "84 % & more", parts=(View("", "5 % of it", table=(("a",), ("b",))),)))
    assert ">84&nbsp;% &amp; more<" in shown
    assert ">5&nbsp;% of it<" in shown
    assert 'title="84 % &amp; more"' in shown  # what is read aloud


def test_the_scores_of_the_answer_have_the_same_decimals():
    rows = (("cat", 0.8, 6.6, True), ("dog", 0.2, 4.961, False), ("fox", 0.0, -3.0, False))
    shown = to_html(View("", rows=rows))
    assert re.findall(r"<td>([−0-9.]+)</td>", shown) == ["6.60", "4.96", "−3.00"]


def spot(row: int, column: int, shape: tuple[int, int]) -> np.ndarray:
    heat = np.zeros(shape)
    heat[row, column] = 1
    return heat


@pytest.mark.parametrize("shape", [(3, 3), (7, 7), (9, 12), (224, 320), (5, 4)])
def test_the_nine_places_are_symmetric(shape):
    bottom, right = shape[0] - 1, shape[1] - 1
    middle, centre = shape[0] // 2, shape[1] // 2
    assert captions.place_in_words(spot(0, 0, shape)) == "the upper left"
    assert captions.place_in_words(spot(0, right, shape)) == "the upper right"
    assert captions.place_in_words(spot(bottom, 0, shape)) == "the lower left"
    assert captions.place_in_words(spot(bottom, right, shape)) == "the lower right"
    assert captions.place_in_words(spot(middle, centre, shape)) == "the centre"
    assert captions.place_in_words(spot(0, centre, shape)) == "the upper centre"
    assert captions.place_in_words(spot(middle, right, shape)) == "the middle right"
    for row in range(shape[0]):
        here = captions.place_in_words(spot(row, 0, shape))
        there = captions.place_in_words(spot(bottom - row, 0, shape))
        swapped = here.replace("upper", "_").replace("lower", "upper").replace("_", "lower")
        assert there == swapped


def test_small_maps_have_corners_too():
    assert captions.place_in_words(spot(1, 1, (2, 2))) == "the lower right"
    assert captions.place_in_words(spot(0, 1, (2, 2))) == "the upper right"
    assert captions.place_in_words(np.ones((1, 1))) == "the centre"


def found(raw, heatmap, signed=False) -> Attribution:
    return Attribution(
        raw=np.asarray(raw, np.float32), heatmap=np.asarray(heatmap, np.float32), method="any",
        class_index=1, class_name="cat", layer="conv", target="logit", signed=signed,
        score=-2.5, probability=0.77,
    )  # fmt: skip


def test_evidence_says_where_and_how_much():
    line = captions.evidence(found([[0, 2], [0, 1]], [[0, 1], [0, 0.5]]))
    assert line == (
        "cat: score −2.5, probability 77 %. Map from 0 to 2. Strongest at the upper right; "
        "25 % of the picture is above half of the maximum."
    )


def test_signed_evidence_says_how_much_speaks_against():
    line = captions.evidence(found([[-4, 1], [0, 0]], [[-1, 0.25], [0, 0]], signed=True))
    assert "Strongest at the upper left" in line  # by strength, for or against
    assert line.endswith("25 % of the map speaks against.")
    assert captions.short_evidence(found([[-4, 1]], [[-1, 0.25]], signed=True)) == (
        "strongest at the middle left, 50 % above half · 50 % against · cat · score −2.5 · 77 %"
    )


def test_the_caption_names_what_is_asked():
    shown = found([[1, 0]], [[1, 0]])
    asked = {
        "cat": shown,
        "for cat rather than dog": replace(shown, versus="dog"),
        "against cat": replace(shown, counter=True),
        "against cat rather than dog": replace(shown, versus="dog", counter=True),
    }
    for words, each in asked.items():
        assert f" · {words} · score" in captions.short_evidence(each)


@pytest.mark.parametrize(
    ("raw", "signed", "empty"),
    [
        ([[0, 0]], False, True),
        ([[0, 0]], True, True),
        ([[0, 1e-9]], False, False),
        ([[0, -3]], False, True),  # only against: there is nothing to show
        ([[0, -3]], True, False),
        ([[np.nan, 0]], False, True),
        ([[np.nan, np.nan]], True, True),
        ([[np.inf, 0]], False, False),
    ],
)
def test_a_map_without_evidence_is_called_so(raw, signed, empty):
    attribution = found(raw, normalize(np.array(raw), signed), signed)
    assert attribution.empty is empty
    assert captions.evidence(attribution).startswith("No evidence for cat") is empty
    assert captions.short_evidence(attribution).startswith("no evidence for cat") is empty


@pytest.mark.parametrize(
    ("counter", "removed", "why"),
    [
        (False, 1.0, "no place at conv speaks for it, everything there speaks against it"),
        (True, 1.0, "no place at conv speaks against it, everything there speaks for it"),
        (False, 0.0, "no place at conv speaks for it"),
    ],
)
def test_an_empty_map_says_what_it_means(counter, removed, why):
    empty = replace(found([[0, 0]], [[0, 0]]), counter=counter, removed=removed)
    side = "against" if counter else "for"
    line = captions.short_evidence(empty)
    assert line == f"no evidence {side} cat: {why} · score −2.5 · 77 %"


def test_the_layers_without_evidence_are_named_as_far_as_a_caption_holds():
    full, empty = found([[1]], [[1]]), found([[0]], [[0]])
    layers = [replace(empty, layer=f"layer{i}") for i in range(9)]
    assert captions.empty_layers([full]) == ""
    told = captions.empty_layers([full, *layers[:2], full])
    assert told == " No evidence at 2 of them: layer0, layer1."
    assert captions.empty_layers(layers) == (
        " No evidence at 9 of them: layer0, layer1, layer2, layer3, layer4, layer5 and 3 more."
    )


def test_heat_that_lies_only_beside_the_photograph_is_called_so():
    beside = found([[1, 0]], [[0, 0]])  # all of it in a letterbox's bars
    assert not beside.empty
    assert captions.evidence(beside).startswith("No evidence for cat on the photograph")
    assert "no evidence on the photograph" in captions.short_evidence(beside)


def test_attributions_can_be_compared_though_they_hold_arrays():
    one, other = found([[1, 2]], [[0.5, 1]]), found([[1, 3]], [[0.5, 1]])
    assert one != other
    assert one in [other, one]
    assert "raw" not in repr(one)


def test_a_prediction_is_named_with_its_probability():
    assert (
        captions.with_probability(Prediction(285, "Egyptian cat", 0.77, 9.1))
        == "Egyptian cat (77 %)"
    )
    assert captions.with_probability(Prediction(0, "price", float("nan"), 9.1)) == "price"


def test_numbers_of_an_array_are_its_extremes_mean_and_zeros():
    text = captions.numbers(np.array([[-1.0, 0.0], [0.0, 3.0]]))
    assert text == "min −1 · mean 0.5 · max 3 · zeros 50 %"


@pytest.mark.parametrize(
    ("shape", "spatial", "filters"),
    [
        ((7, 7, 64), True, 64),
        ((1, 1, 1000), False, 1000),
        ((1, 5, 8), True, 8),
        ((None, None, 8), False, 8),
        ((1000,), False, 1000),
        ((), False, 0),
    ],
)
def test_a_layer_is_spatial_if_its_maps_are_larger_than_a_point(shape, spatial, filters):
    info = LayerInfo("conv", "Conv2D", shape)
    assert info.spatial is spatial
    assert info.filters == filters


def test_a_layer_is_written_as_name_kind_and_shape():
    assert str(LayerInfo("conv", "Conv2D", (7, 7, 64))) == "conv · Conv2D · 7×7×64"


def test_a_regression_is_told_without_percentages_and_one_thing_without_a_plural(keras):
    net = cw.Network(tiny(keras, head=None, classes=1), preprocess="none", head="values")
    assert captions.about_network(net).startswith("tiny: 1 value, input 12×16, 7 layers.")
    assert captions.about_network(net, "before").startswith("before: 1 value, ")
    two = cw.Network(tiny(keras, classes=2), preprocess="none")
    assert captions.about_network(two).startswith("tiny: 2 classes, ")
    made = cw.CNNExplorer(net, {"one": np.zeros((9, 9, 3), np.uint8)})
    try:
        told = (*made.controls.widgets["class_index"].options[0][:1], html(made, "overlay"))
        assert told[0] == "largest: class 0"
        assert "score" in told[1]
        assert "–" not in "".join(told)
    finally:
        made.close()
