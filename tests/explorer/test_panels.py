"""What the panels say of their maps, and how."""

import re

import numpy as np
from helpers.shown import html, picture

import cnn_widgets as cw
from cnn_widgets.panels.table import PANELS
from cnn_widgets.workbench.answers import maps


def test_names_are_escaped_wherever_they_reach_the_page(small):
    small.show(
        image=cw.load_image(np.zeros((9, 9, 3), np.uint8), name="<script>x</script>"), class_index=3
    )
    everything = "".join(html(small, name) for name in PANELS) + small._screen.status.value
    assert "<script" not in everything
    assert "<i>d</i>" not in everything
    assert "&lt;script&gt;" in everything


def test_signed_maps_an_empty_map_and_a_dead_filter_are_told_in_words(small, keras):
    small.state.method = "hirescam"
    assert "against" in html(small, "overlay")
    model = small.network.model
    kernel = np.asarray(model.get_layer("conv2").kernel).copy()
    kernel[..., 2] = 0.0
    model.get_layer("conv2").kernel.assign(kernel)
    model.get_layer("dense").kernel.assign(-np.ones((8, 4)))
    small.network._runner.cache.clear()
    small.show(method="grad-cam", layer="conv2", filter=2, cam_layer="follow", class_index=1)
    assert "no evidence for b: no place at conv2 speaks for it" in html(small, "overlay")
    assert "everything there speaks against it" in html(small, "overlay")
    assert "silent: one value everywhere" in html(small, "filter")
    flat = int((np.ptp(small.scene.activations, axis=(0, 1)) == 0).sum())
    assert flat >= 1
    assert f"{flat} of 8 are one value everywhere" in html(small, "mosaic")


def test_one_filter_is_told_as_one(keras):
    layers = keras.layers
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(1, 1, kernel_initializer="zeros", name="alone")(inputs)
    outputs = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    net = cw.Network(keras.Model(inputs, outputs), preprocess="none", head="logits")
    made = cw.CNNExplorer(net, {"one": np.zeros((9, 9, 3), np.uint8)})
    try:
        assert "the only filter of 8×8, " in html(made, "mosaic")
        assert "1 of 1 is one value everywhere" in html(made, "mosaic")
    finally:
        made.close()


def without_evidence(explorer):
    """Make every weight of the classes negative, so that nothing speaks for any of them."""
    explorer.network.model.get_layer("dense").kernel.assign(-np.ones((8, 4)))
    explorer.network._runner.cache.clear()


def test_where_nothing_is_evidence_the_photograph_is_not_darkened(small):
    without_evidence(small)
    small.show(method="grad-cam", cam_layer="conv2", class_index=1, strip=True, pairs=True)
    assert small.scene.attribution.empty
    view = PANELS["overlay"].view(small.scene)
    np.testing.assert_array_equal(view.picture, view.under)
    assert view.legend is None
    assert "cnnw-legend" not in html(small, "overlay")
    assert "no evidence" in html(small, "labels")
    ((title, photo, ((shown, _),)), *_) = PANELS["pairs"].view(small.scene).pairs
    assert title.endswith(" · no evidence")
    np.testing.assert_array_equal(photo, shown)
    small.show(compare=True, compare_by="method", compare_with="layercam")
    one, two, _ = PANELS["compare"].view(small.scene).parts[0].parts
    assert one.caption == "A: Grad-CAM · no evidence"
    assert one.legend is two.legend is None
    np.testing.assert_array_equal(one.picture, one.under)
    heats = np.ones((6, 6)), np.zeros((6, 6))
    before, after = maps(small.scene, heats, "grad-cam", "conv2", "b").parts
    assert after.caption == "after, on the same scale · no evidence"
    assert before.caption == "Grad-CAM at conv2, before"
    weaker = maps(small.scene, (heats[0], heats[0] / 4), "grad-cam", "conv2", "b").parts[1]
    assert weaker.caption == "after, on the same scale · peak 25 % of before"
    np.testing.assert_array_equal(after.picture, after.under)
    assert (before.picture != before.under).any()


def test_the_range_of_the_map_is_told_where_the_pointer_rests(small):
    shown = small._screen.views["overlay"].value
    (words,) = re.findall(r'<div class="cnnw-caption" title="([^"]*)">([^<]*)<', shown)
    assert "Map from " in words[0]
    assert "ap from" not in words[1]


def test_signed_maps_say_what_their_colours_mean(small):
    small.state.method = "hirescam"
    assert "red speaks for the class" in html(small, "overlay")
    assert small.controls.widgets["colormap"].disabled
    small.state.method = "grad-cam"
    assert "bright" in html(small, "overlay")
    assert not small.controls.widgets["colormap"].disabled


def test_maps_of_one_row_are_tall_enough_to_see(keras):
    inputs = keras.Input((1, 64, 1))
    x = keras.layers.Conv2D(6, (1, 3), activation="relu", name="conv")(inputs)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    explorer = cw.CNNExplorer(model, np.random.default_rng(0).integers(0, 256, (8, 64), np.uint8))
    assert explorer.last_error is None
    shown = picture(explorer, "mosaic")
    assert shown.shape[0] >= 6 * 8
    explorer.close()


def test_the_card_tells_what_the_method_computes(small):
    small.state.method = "layercam"
    for words in ("LayerCAM", "Jiang et al. 2021", "ReLU(Σₖ ReLU(g) ⊙ Aₖ)", "beware"):
        assert words in html(small, "card")
