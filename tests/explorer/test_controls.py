"""The controls without a browser: widgets are moved by setting their values."""

import re

import numpy as np
import pytest
from helpers.explored import as_it_was
from helpers.shown import frames, html, picture, redrawn

import cnn_widgets as cw
from cnn_widgets.panels.table import PANELS


@pytest.fixture(scope="module")
def kept(lite0):
    made = cw.CNNExplorer(lite0)
    yield made, made.state.values()
    made.close()


@pytest.fixture
def explorer(kept):
    """One explorer of the bundled network for all tests of this file, as it was at the start."""
    return as_it_was(*kept)


def test_every_control_carries_its_class(explorer):
    for name, widget in explorer.controls.widgets.items():
        assert f"cnnw-control-{name}" in widget._dom_classes
    assert {"image", "layer", "filter", "class_index", "method", "alpha"} <= set(
        explorer.controls.widgets
    )
    for name, widget in explorer._screen.views.items():
        assert f"cnnw-panel-{name}" in widget._dom_classes


FOLDED = {name for name, panel in PANELS.items() if panel.opened_by}
STAY = {"card", "cells", "frame", "here"}
MOVES = {
    "image": (
        "espresso",
        set(PANELS) - FOLDED - STAY,
    ),
    "layer": ("block3_expand", {"filter", "cells", "mosaic", "frame", "depth", "here"}),
    "filter": (5, {"filter", "frame"}),
    "class_index": (967, {"overlay", "predictions"}),
    "versus": (967, {"overlay"}),
    "counter": (True, {"overlay"}),
    "method": ("hirescam", {"overlay", "card"}),
    "target": ("probability", {"overlay", "card"}),
    "cam_layer": ("follow", {"overlay"}),
    "alpha": (0.2, set()),
    "colormap": ("jet", {"overlay"}),
    "scale": ("layer", {"filter", "mosaic"}),
    "filter_colormap": ("magma", {"filter", "mosaic"}),
    "fit": ("crop", set(PANELS) - FOLDED - {"original", "beside"} - STAY),
    "size": ("projector", set()),
    "kinds": ("all", set()),
    "instrument": ("sanity", set()),
    "baseline": ("mean", set()),
    "ranked": (("saliency", "layercam"), set()),
    "face": ("photograph", {"marks"}),
    "zoom": (2.0, set()),
    "filter_count": ("all", {"mosaic", "frame"}),
    "filter_order": ("strength", {"mosaic", "frame"}),
    "strip_of": ("activation", set()),
    "compare_by": ("class", set()),
    "compare_with": ("layercam", set()),
}


@pytest.mark.parametrize("trait", MOVES)
def test_each_trait_redraws_what_reads_it_once_and_moves_its_control(explorer, trait):
    value, panels = MOVES[trait]
    drawn = redrawn(explorer, lambda: setattr(explorer.state, trait, value))
    assert set(drawn) == panels
    assert set(drawn.values()) <= {1}
    assert getattr(explorer.state, trait) == value
    if trait != "image":
        assert explorer.controls.widgets[trait].value == value
    assert explorer.last_error is None


@pytest.mark.parametrize("trait", [name for name in MOVES if name != "image"])
def test_each_control_moves_its_trait(explorer, trait):
    value, _ = MOVES[trait]
    if trait == "class_index":
        value = explorer.scene.predictions[2].class_index
    if trait == "versus":
        value = explorer.scene.predictions[1].class_index
    explorer.controls.widgets[trait].value = value
    assert getattr(explorer.state, trait) == value
    assert explorer.last_error is None


def test_the_layer_moves_the_evidence_only_where_it_follows(explorer):
    explorer.state.cam_layer = "follow"
    drawn = redrawn(explorer, lambda: setattr(explorer.state, "layer", "block3_expand"))
    assert "overlay" in drawn
    assert not {"pairs", "trust"} & set(drawn)
    explorer.state.update(pairs=True, trust=True)
    drawn = redrawn(explorer, lambda: setattr(explorer.state, "layer", "block4_expand"))
    assert {"overlay", "pairs", "trust"} <= set(drawn)
    explorer.state.update(pairs=False, trust=False)


def test_a_thumbnail_chooses_the_photograph_and_its_own_top_class(explorer):
    explorer.state.class_index = 3
    buttons = {b.description: b for b in explorer.controls.thumbs.row.children}
    assert list(buttons) == list(cw.gallery())
    buttons["espresso"].click()
    assert (explorer.state.image, explorer.state.class_index) == ("espresso", None)
    assert "cnnw-chosen" in buttons["espresso"]._dom_classes
    assert "cnnw-chosen" not in buttons["cat"]._dom_classes


def test_the_rows_of_the_top_five_choose_the_class(explorer):
    explorer.controls.choosers[1].click()
    assert explorer.state.class_index == 282
    assert "tiger cat" in html(explorer, "overlay")


def test_the_search_finds_a_class_far_from_the_top(explorer):
    search = explorer.controls.widgets["class_search"]
    search.value = "zebra"
    assert explorer.network.class_names[explorer.state.class_index] == "zebra"
    assert search.value == ""
    assert "zebra" in str(explorer.controls.widgets["class_index"].options)
    search.value = "unicorn"
    assert "Unknown class &#x27;unicorn&#x27;" in explorer._screen.status.value
    assert explorer.network.class_names[explorer.state.class_index] == "zebra"


@pytest.mark.parametrize(
    ("field", "wrong", "right"),
    [
        ("class_search", "unicorn", ""),
        ("class_search", "unicorn", "a"),
        ("location", "/nowhere/cat.jpg", ""),
        ("region", "left top", ""),
        ("switched", "999", ""),
        ("pins", "conv1 3", ""),
    ],
)
def test_an_error_goes_when_what_was_typed_is_right_or_taken_back(small, field, wrong, right):
    small.show(experiments=True, class_index=0)
    status, widgets = small._screen.status, small.controls.widgets
    widgets[field].value = wrong
    other = "region" if field == "pins" else "pins"
    widgets[other].value = " "  # another field, which asks for nothing new
    assert 'role="alert"' in status.value
    widgets[field].value = right
    assert 'role="alert"' not in status.value
    assert "tiny: 4 classes" in status.value
    assert small._screen.notes["experiment"].value == ""


def test_the_status_line_calls_a_network_as_the_list_does(small):
    photograph = small.scene.sample.pixels
    made = cw.CNNExplorer(small.network, {"one": photograph}, models={"before": small.network})
    try:
        made.state.network = "before"
        assert ">before: 4 classes" in made._screen.status.value
    finally:
        made.close()


def test_previous_and_next_walk_through_the_layers(explorer):
    names = [info.name for info in explorer.network.feature_layers]
    explorer.controls.next.click()
    assert explorer.state.layer == names[1]
    explorer.controls.previous.click()
    explorer.controls.previous.click()
    assert explorer.state.layer == names[0]


def test_a_layer_that_the_list_leaves_out_is_listed_with_its_kind_and_shape(keras):
    layers = keras.layers
    image = keras.Input((12, 12, 3))
    x = layers.ReLU(name="behind")(layers.Conv2D(4, 3, name="conv")(image))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    made = cw.CNNExplorer(cw.Network(model, preprocess="none"), np.ones((12, 12, 3), np.uint8))
    made.show(layer="behind")
    listed = {value: label for label, value in made.controls.widgets["layer"].options}
    assert listed == {"conv": "conv · Conv2D · 10×10×4", "behind": "behind · ReLU · 10×10×4"}
    made.close()


def test_a_method_that_looks_at_the_input_has_no_layer_to_choose(explorer):
    use = explorer.controls.widgets
    for method, without in (("saliency", True), ("grad-cam", False)):
        explorer.state.method = method
        assert use["cam_layer"].disabled is without


def test_slider_and_number_box_are_one_and_their_range_follows_the_layer(explorer):
    controls = explorer.controls
    explorer.show(layer="head", filter=1279)
    assert controls.widgets["filter"].max == controls.filter_number.max == 1279
    controls.filter_number.value = 700
    assert explorer.state.filter == controls.widgets["filter"].value == 700
    drawn = redrawn(explorer, lambda: setattr(explorer.state, "layer", "stem"))
    assert explorer.state.filter == 31
    assert controls.widgets["filter"].max == 31
    assert drawn["filter"] == 1


def test_the_filter_shown_is_the_filter_chosen(explorer):
    explorer.show(layer="block2_project", filter=11)
    values = explorer.network.activations(explorer.scene.sample, "block2_project")[..., 11]
    from cnn_widgets.drawing import color

    unit = (values - values.min()) / (values.max() - values.min())
    np.testing.assert_array_equal(picture(explorer, "filter"), color.colorize(unit, "viridis"))


def test_the_overlay_shown_is_the_overlay_of_a_script(explorer, lite0, gallery):
    explorer.show(image="astronaut", colormap="jet", alpha=0.6)
    found = cw.attribute(lite0, gallery["astronaut"])
    layers = [picture(explorer, name).astype(float) for name in ("overlay", "original")]
    opacity = float(re.search(r"opacity: ([\d.]+)", explorer._screen.live.value)[1])
    assert opacity == 0.6
    shown = opacity * layers[0] + (1 - opacity) * layers[1]  # as a browser does
    expected = cw.overlay(gallery["astronaut"].pixels, found.heatmap)
    assert shown.shape == expected.shape  # it is smaller than what is sent to the page
    assert np.abs(shown - expected).mean() < 4  # JPEG


def test_changes_together_redraw_once(explorer):
    drawn = redrawn(
        explorer,
        lambda: explorer.show(
            image="rocket", layer="block5_expand", filter=9, class_index="missile", alpha=0.3
        ),
    )
    assert set(drawn.values()) == {1}
    assert explorer.state.class_index == 657


def test_of_changes_together_all_or_none_happen(explorer):
    before = explorer.state.values()
    with pytest.raises(ValueError, match="Unknown layer 'conv9'"):
        explorer.show(image="rocket", alpha=0.1, layer="conv9")
    assert explorer.state.values() == before
    assert redrawn(explorer, lambda: explorer.show(colormap="jet")).keys() == {"overlay"}


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("layer", "conv9", "Unknown layer 'conv9'. Layers with feature maps: stem"),
        ("layer", "predictions", "no map"),
        ("filter", 99, "filters 0 to 31"),
        ("class_index", 1000, "classes 0 to 999"),
        ("method", "magic", "Unknown method 'magic'"),
        ("network", "NoNet", "Unknown network 'NoNet'. Networks: EfficientNet-Lite0"),
        ("image", "dog", "Unknown image 'dog'. Images: cat"),
        ("alpha", 1.5, "between 0 and 1"),
        ("colormap", "rainbows", "Unknown colour map"),
        ("target", "loss", "Expected target"),
        ("instrument", "oracle", "Unknown instrument 'oracle'. Instruments: curves"),
        ("baseline", "black", "Expected baseline to be one of"),
        ("ranked", ("grad-cam", "magic"), "Unknown method 'magic'"),
    ],
)
def test_a_bad_value_raises_one_clear_error_and_changes_nothing(explorer, trait, value, message):
    before = explorer.state.values()
    shown = frames(explorer)
    with pytest.raises(ValueError, match=message):
        setattr(explorer.state, trait, value)
    assert explorer.state.values() == before
    assert frames(explorer) == shown


def test_unknown_state_is_refused(explorer):
    with pytest.raises(ValueError, match="Unknown state colour"):
        explorer.show(colour="red")


def test_typed_places_are_taken(small):
    """A region as four numbers and a pin as layer, row and column; refused ones say what came."""
    widgets = small.controls.widgets
    small.state.layer = "conv1"
    widgets["region"].value = "1, 2 9.5 12"
    assert small.state.region == (1.0, 2.0, 9.5, 12.0)
    widgets["pins"].value = "conv1 3 4; conv1 0 0"
    assert small.state.pins == (("conv1", 3, 4), ("conv1", 0, 0))
    assert small.last_error is None
    for name, wrong in (("region", "left top"), ("pins", "conv1 three 4"), ("pins", "conv1 3")):
        before = getattr(small.state, name)
        widgets[name].value = wrong
        assert small.last_error is not None
        assert getattr(small.state, name) == before
        assert widgets[name].value == wrong  # it stays, so that it can be corrected
        small.last_error = None
    small.state.filter = 1
    assert widgets["region"].value == "1 2 10 12"  # after the next change it is the state's again
