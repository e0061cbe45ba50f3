"""The film-strip shows the map of every layer, each in its place."""

import re

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.attribution import METHODS, film_strip
from cnn_widgets.drawing.color import colorize, diverging_colormap, overlay
from cnn_widgets.images.resizing import cached_thumbnail
from cnn_widgets.panels.filters import LABEL, STRIP_TILE, scaled_map, strip
from cnn_widgets.panels.places import strip_grid


def tile(scene, index, picture):
    """Return one picture of a film-strip, and the line under it."""
    photo = cached_thumbnail(scene.sample, STRIP_TILE)
    height, width = photo.shape[:2]
    _, columns, _ = strip_grid(scene)
    row, column = divmod(index, columns)
    line = round(max(height, width) / STRIP_TILE * LABEL)  # as large a part as of a large picture
    top, left = row * (height + line), column * width
    found = picture[top : top + height + line, left : left + width]
    return photo, found[:height], found[height:]


CHOICES = [
    {"method": "grad-cam"},
    {"method": "layercam", "class_index": 2},
    {"method": "hirescam", "class_index": 1, "versus": 3},
    {"method": "grad-cam", "class_index": 1, "counter": True, "target": "probability"},
]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
@pytest.mark.parametrize("image", ["one", "portrait"])
def test_the_evidence_is_that_of_film_strip(explorer, choice, image):
    explorer.show(image=image, strip=True, fit="crop", **choice)
    scene = explorer.scene
    expected = film_strip(
        scene.network, scene.sample, scene.method, scene.chosen.class_index, scene.target,
        versus=scene.versus, counter=scene.counter,
    )  # fmt: skip
    assert strip_grid(scene) == (1, 3, tuple(each.layer for each in expected))
    picture = strip(scene).picture
    sides = cached_thumbnail(scene.sample, STRIP_TILE).shape
    assert picture.shape[0] < sides[0] + max(sides) / 5  # hardly anything but the pictures
    for index, found in enumerate(expected):
        assert scene.film_strip[index].layer == found.layer
        np.testing.assert_array_equal(scene.film_strip[index].raw, found.raw)
        colors = diverging_colormap("inferno") if found.signed else "inferno"
        photo, shown, line = tile(scene, index, picture)
        expected = overlay(photo, found.heatmap, scene.alpha, colors, found.signed)
        np.testing.assert_array_equal(shown, photo if found.empty else expected)
        assert (line == line[0, 0]).all()
    said = f"{METHODS[scene.method].title} for {scene.chosen.name} at 3 layers"
    assert strip(scene).caption.startswith(said)


@pytest.mark.parametrize("image", ["one", "portrait"])
def test_the_longer_side_of_each_picture_has_the_same_length(explorer, image):
    explorer.show(image=image, strip=True)
    height, width = cached_thumbnail(explorer.scene.sample, STRIP_TILE).shape[:2]
    across = float(re.search(r"--strip-width: ([\d.]+)", explorer._screen.live.value)[1])
    each = across / strip_grid(explorer.scene)[1]
    assert max(each, each * height / width) == pytest.approx(1, rel=0.02)


def test_the_last_layers_map_is_the_one_on_the_photograph(explorer):
    explorer.show(strip=True, class_index=3)
    scene = explorer.scene
    assert scene.film_strip[-1].layer == scene.attribution.layer
    np.testing.assert_allclose(scene.film_strip[-1].raw, scene.attribution.raw, atol=1e-6)


def test_the_maps_are_computed_once_for_each_question(explorer, monkeypatch):
    from cnn_widgets.scenes import scene as module

    asked = []
    found = module.film_strip
    monkeypatch.setattr(
        module, "film_strip", lambda *given, **more: asked.append(given) or found(*given, **more)
    )
    for _ in range(3):
        explorer.show(strip=True, class_index=0, image="portrait", alpha=0.123)
        assert len(explorer.scene.film_strip) == 3
    assert len(asked) == 1
    explorer.show(class_index=1)
    assert explorer.scene.film_strip[0].class_index == 1
    assert len(asked) == 2


def test_the_mean_activation_of_every_layer_is_shown(explorer):
    explorer.show(strip=True, strip_of="activation", kinds="all")
    scene = explorer.scene
    names = tuple(info.name for info in scene.network.layers_of(None))
    assert strip_grid(scene) == (1, 5, names)
    picture = strip(scene).picture
    for index, name in enumerate(names):
        mean = scene.network.activations(scene.sample, name).mean(axis=-1)
        over = scene.network.field(name).lay(mean, scene.sample.size)  # squashed: the whole of it
        _, shown, _ = tile(scene, index, picture)
        np.testing.assert_array_equal(shown, colorize(scaled_map(over), "viridis"))
    assert strip(scene).caption.startswith("Mean activation at 5 layers")


def test_the_activation_lies_on_the_part_that_the_network_was_given(keras):
    layers = keras.layers
    inputs = keras.Input((16, 16, 3))
    x = layers.Conv2D(1, 1, kernel_initializer="ones", name="sum")(inputs)
    x = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    net = cw.Network(keras.Model(inputs, x), preprocess="none")
    pixels = np.zeros((40, 112, 3), np.uint8)
    pixels[10:18, 50:58] = 255
    made = cw.CNNExplorer(net, {"blob": pixels})
    try:
        for fit in ("squash", "crop", "letterbox"):
            made.show(fit=fit, strip=True, strip_of="activation", filter_colormap="gray")
            _, shown, _ = tile(made.scene, 0, strip(made.scene).picture)
            rows, columns = np.nonzero(shown[..., 0] > 127)
            assert abs(rows.mean() - 13.5) < 3
            assert abs(columns.mean() - 53.5) < 3
    finally:
        made.close()


@pytest.mark.parametrize(
    ("method", "why"),
    [
        ("saliency", "looks at the input, not at a layer"),
        ("occlusion", "looks at the input, not at a layer"),
        ("score-cam", "takes too long for every layer"),
        ("ablation-cam", "takes too long for every layer"),
    ],
)
def test_a_method_without_a_quick_map_at_every_layer_says_so(explorer, monkeypatch, method, why):
    from cnn_widgets.scenes import scene as module

    monkeypatch.setattr(module, "film_strip", lambda *_, **__: pytest.fail("computed"))
    explorer.show(strip=True, method=method)
    scene = explorer.scene
    view = strip(scene)
    assert view.caption.startswith(f"{METHODS[method].title} {why}: choose a ")
    assert view.caption.endswith("class activation map.")
    assert strip_grid(scene)[2] == ("conv1", "pool1", "conv2")
    photo, shown, _ = tile(scene, 1, view.picture)
    np.testing.assert_array_equal(shown, photo)
    assert explorer.last_error is None


def test_a_closed_film_strip_is_not_drawn(explorer):
    assert strip(explorer.scene).picture is None


def test_layers_to_which_no_path_leads_are_left_out(keras):
    layers = keras.layers
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, name="before")(image)
    x = layers.Conv2D(5, 3, name="behind")(keras.ops.stop_gradient(x))
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    made = cw.CNNExplorer(
        cw.Network(keras.Model(image, x), preprocess="none"), np.ones((12, 12, 3), np.uint8)
    )
    try:
        made.show(strip=True)
        assert strip_grid(made.scene) == (1, 1, ("behind",))
        made.show(strip_of="activation")
        assert strip_grid(made.scene) == (1, 2, ("before", "behind"))
        assert made.last_error is None
    finally:
        made.close()


def test_evidence_that_is_nowhere_is_counted(explorer):
    explorer.show(strip=True)
    empty = [each.layer for each in explorer.scene.film_strip if each.empty]
    caption = strip(explorer.scene).caption
    assert ("No evidence at" in caption) == bool(empty)
    if empty:
        assert caption.endswith(f"No evidence at {len(empty)} of them: {', '.join(empty)}.")
