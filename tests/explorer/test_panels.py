"""What the panels say of their maps, and how."""

import numpy as np
from helpers.shown import html, picture

import cnn_widgets as cw
from cnn_widgets.panels.table import PANELS


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
    assert "no evidence for b" in html(small, "overlay")
    assert "silent: one value everywhere" in html(small, "filter")
    flat = int((np.ptp(small.scene.activations, axis=(0, 1)) == 0).sum())
    assert flat >= 1
    assert f"{flat} of 8 are one value everywhere" in html(small, "mosaic")


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
