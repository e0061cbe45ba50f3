"""What is told of a place is what the network's arrays hold there."""

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.drawing.charts import AXES_BOX
from cnn_widgets.drawing.color import colorize
from cnn_widgets.panels.filters import mosaic
from cnn_widgets.panels.places import grid, strip_grid
from cnn_widgets.pointing import describe
from cnn_widgets.pointing.readouts import pixel_at, tile_at
from cnn_widgets.views.captions import number, percent

#: Places all over a picture, none on the line between two pixels or cells.
PLACES = [(x, y) for x in (0.013, 0.29, 0.51, 0.777, 0.987) for y in (0.017, 0.31, 0.63, 0.983)]


def middle(index, rows, columns):
    """Return the place of a tile's middle in a picture of tiles."""
    return (index % columns + 0.5) / columns, (index // columns + 0.5) / rows


def pixel(scene, x, y):
    """Return (row, column) of the photograph's pixel at a place of the whole of it."""
    height, width = scene.sample.size
    return int(y * height), int(x * width)


# --- the photograph ---


@pytest.mark.parametrize("image", ["one", "portrait"])
def test_the_photographs_colours_are_told(explorer, image):
    explorer.show(image=image, face="photograph")
    scene = explorer.scene
    for x, y in [*PLACES, (0, 0)]:
        row, column = pixel(scene, x, y)
        red, green, blue = scene.sample.pixels[row, column]
        assert describe(scene, "photo", x, y) == (
            f"pixel {column}, {row}\nred {red}, green {green}, blue {blue}"
        )
    assert describe(scene, "photo", 1, 1).startswith(
        f"pixel {scene.sample.size[1] - 1}, {scene.sample.size[0] - 1}\n"
    )


@pytest.mark.parametrize("fit", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("image", ["one", "portrait"])
@pytest.mark.parametrize("method", ["grad-cam", "hirescam"])
def test_the_evidence_and_the_cells_raw_value_are_told(explorer, fit, image, method):
    explorer.show(image=image, fit=fit, method=method, class_index=2)
    scene = explorer.scene
    found = scene.attribution
    told = set()
    for x, y in PLACES:
        row, column = pixel(scene, x, y)
        line, evidence, cell = describe(scene, "photo", x, y).split("\n")
        assert line == f"pixel {column}, {row}"
        value = float(found.heatmap[row, column])
        side = "against" if value < 0 else "for"
        assert evidence == f"evidence {side} c: {percent(abs(value))} of the maximum"
        where, shown = cell.split(" of conv2: ")
        down, across = map(int, where.removeprefix("cell ").split(", "))
        place = pixel_at(scene, x, y)
        assert (down, across) == scene.network.cell_at("conv2", *place, scene.sample)
        assert shown == number(float(found.raw[down, across]))
        told |= {side}
    if method == "grad-cam":
        assert told == {"for"}
    elif fit == "squash":
        assert told == {"for", "against"}


def test_evidence_on_the_input_has_no_cell(explorer):
    explorer.show(method="saliency")
    scene = explorer.scene
    row, column = pixel(scene, 0.3, 0.6)
    share = percent(float(scene.attribution.heatmap[row, column]))
    assert describe(scene, "photo", 0.3, 0.6) == (
        f"pixel {column}, {row}\nevidence for {scene.chosen.name}: {share} of the maximum"
    )


def test_without_a_map_the_colours_are_told(fresh):
    fresh.show(method="score-cam")
    assert fresh.scene.attribution is None
    assert "\nred " in describe(fresh.scene, "photo", 0.5, 0.5)
    fresh.compute()
    assert "\nevidence for " in describe(fresh.scene, "photo", 0.5, 0.5)


def test_all_of_the_network_input_is_told(explorer):
    explorer.show(face="input")
    scene = explorer.scene
    given = scene.input_tensor
    for x, y in PLACES:
        values = ", ".join(number(float(each)) for each in given[int(y * 16), int(x * 12)])
        row, column = pixel(scene, x, y)
        assert describe(scene, "photo", x, y) == (
            f"pixel {column}, {row}\nthe network is given {values}"
        )
    last = ", ".join(number(float(each)) for each in given[-1, -1])
    assert describe(scene, "photo", 1, 1).endswith(f"given {last}")


def test_of_many_channels_four_are_told(keras):
    layers = keras.layers
    inputs = keras.Input((8, 8, 6))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3, name="conv")(inputs))
    net = cw.Network(keras.Model(inputs, layers.Dense(2, "softmax")(x)), preprocess="none")
    bands = np.random.default_rng(0).integers(0, 256, (8, 8, 6), np.uint8)
    made = cw.CNNExplorer(net, {"bands": bands})
    try:
        made.show(face="input")
        four = ", ".join(number(float(each)) for each in made.scene.input_tensor[4, 2, :4])
        assert describe(made.scene, "photo", 0.3, 0.55).endswith(f"is given {four} …")
    finally:
        made.close()


@pytest.mark.parametrize(
    ("image", "fit", "window"),
    [  # left, top, right, bottom of the photograph that the 12×16 input shows
        ("one", "squash", (0, 0, 30, 24)),
        ("one", "crop", (6, 0, 24, 24)),
        ("one", "letterbox", (0, -8, 30, 32)),
        ("portrait", "crop", (0, 16, 20, 43)),
        ("portrait", "letterbox", (-13, 0, 32, 60)),
    ],
)
def test_a_place_on_the_network_input_is_a_pixel_of_the_window_it_was_given(
    explorer, image, fit, window
):
    explorer.show(image=image, fit=fit, face="input")
    scene = explorer.scene
    left, top, right, bottom = window
    assert pixel_at(scene, 0, 0) == (left, top)
    assert pixel_at(scene, 1, 1) == (right, bottom)
    height, width = scene.sample.size
    for x, y in [*PLACES, (0, 0), (1, 1), (0.5, 1), (1, 0.5)]:
        across, down = left + x * (right - left), top + y * (bottom - top)
        told = describe(scene, "photo", x, y)
        if 0 <= across <= width and 0 <= down <= height:
            pixels = min(int(across), width - 1), min(int(down), height - 1)
            assert told.startswith("pixel {}, {}\nthe network is given ".format(*pixels))
        else:
            assert told == "beside the photograph"


def test_less_than_a_pixel_beside_the_photograph_is_beside_it(explorer):
    explorer.show(fit="letterbox", face="input")  # 8 of 40 rows above and below are padding
    scene = explorer.scene
    assert describe(scene, "photo", 0.5, 7.5 / 40) == "beside the photograph"
    assert describe(scene, "photo", 0.5, 8.5 / 40).startswith("pixel 15, 0\n")
    assert describe(scene, "photo", 0.5, 31.5 / 40).startswith("pixel 15, 23\n")
    assert describe(scene, "photo", 0.5, 32.5 / 40) == "beside the photograph"


# --- one filter ---


@pytest.mark.parametrize("layer", ["conv1", "pool1", "conv2"])
@pytest.mark.parametrize("image", ["one", "portrait"])
def test_a_cells_value_and_what_it_sees_are_told(explorer, layer, image):
    explorer.show(layer=layer, filter=3, image=image, fit="crop")
    scene = explorer.scene
    values = scene.network.activations(scene.sample, layer)[..., 3]
    rows, columns = values.shape
    for row, column in [(0, 0), (0, columns - 1), (rows // 2, 1), (rows - 1, columns // 2)]:
        told = describe(scene, "filter", (column + 0.3) / columns, (row + 0.7) / rows)
        box = scene.network.receptive_field(layer, row, column, scene.sample)
        assert told == (
            f"cell {row}, {column}: {number(float(values[row, column]))}\n"
            f"sees columns {box.left:.0f} to {box.right:.0f}, "
            f"rows {box.top:.0f} to {box.bottom:.0f} of the photograph"
        )
    assert describe(scene, "filter", 1, 1).startswith(f"cell {rows - 1}, {columns - 1}:")


# --- the mosaic ---


@pytest.mark.parametrize("order", ["index", "strength", "weight"])
@pytest.mark.parametrize("count", ["24", "96", "all"])
def test_the_filter_told_is_the_one_drawn_there(wide, order, count):
    wide.show(filter=57, filter_order=order, filter_count=count, scale="layer")
    scene = wide.scene
    picture = mosaic(scene).picture
    height, width = picture.shape[:2]
    maps = scene.network.activations(scene.sample, "wide")
    rows, columns, _ = grid(scene)
    for place, index in enumerate(scene.filter_choice.shown):
        x, y = middle(place, rows, columns)
        assert tile_at(scene, x, y) == index
        tile = picture[int(y * height), int(x * width)]
        values = maps[..., index]
        if values.min() < values.max():  # its middle is in one of four cells of 4×10
            near = colorize((values[1:3, 4:6] - maps.min()) / np.ptp(maps), "viridis")
            assert (near == tile).all(axis=-1).any()
        top = number(float(maps[..., index].max()))
        assert describe(scene, "mosaic", x, y).startswith(f"filter {index} · maximum {top}")


def test_what_a_filter_adds_is_told_while_the_order_goes_by_it(explorer):
    explorer.show(layer="conv2", class_index=1, versus=2)
    names = explorer.network.class_names
    rows, columns, _ = grid(explorer.scene)
    assert "evidence" not in describe(explorer.scene, "mosaic", *middle(2, rows, columns))
    explorer.show(filter_order="weight")
    scene = explorer.scene
    values, slopes = scene.network.gradients(
        scene.sample, "conv2", np.array([0, 1, -1, 0], np.float32)
    )
    adds = (values * slopes).sum(axis=(0, 1))
    for place, index in enumerate(scene.filter_choice.shown):
        assert describe(scene, "mosaic", *middle(place, rows, columns)) == (
            f"filter {index} · maximum {number(float(values[..., index].max()))} · "
            f"evidence for {names[1]} rather than {names[2]}: {number(float(adds[index]))}"
        )
    explorer.show(counter=True, target="probability")  # the other sign, and another quantity
    told = describe(explorer.scene, "mosaic", *middle(0, rows, columns))
    assert f"evidence against {names[1]} rather than {names[2]} of the probability: " in told


def test_beside_the_last_tile_there_is_nothing(wide):
    rows, columns, _ = grid(wide.scene)
    assert (rows, columns) == (5, 5)
    assert tile_at(wide.scene, *middle(23, rows, columns)) == 23
    assert tile_at(wide.scene, *middle(24, rows, columns)) is None
    assert describe(wide.scene, "mosaic", *middle(24, rows, columns)) == ""


# --- layers ---


def test_the_share_of_silent_filters_is_told(lite0, gallery):
    made = cw.CNNExplorer(lite0, {"cat": gallery["cat"]})
    try:
        scene = made.scene
        names = [info.name for info in lite0.feature_layers]
        peaks = lite0.peaks(gallery["cat"])
        known = 0
        for index, name in enumerate(names):
            x = AXES_BOX[0] + AXES_BOX[2] * (index + 1) / (len(names) + 1)
            if name in peaks:
                share = percent(float((peaks[name] <= 0).mean()))
                line = f"{name}: {share} of the filters are silent"
                assert describe(scene, "depth", x, 0.5) == line
                known += 1
            else:
                assert describe(scene, "depth", x, 0.5).startswith(
                    f"{name}: no activation function"
                )
        assert 0 < known < len(names)
        assert describe(scene, "depth", 0, 0.5).startswith(f"{names[0]}:")
        assert describe(scene, "depth", 1, 0.5).startswith(f"{names[-1]}:")
    finally:
        made.close()


def test_the_film_strips_layer_is_told(explorer):
    explorer.show(strip=True)
    rows, columns, names = strip_grid(explorer.scene)
    assert (rows, columns, names) == (1, 3, ("conv1", "pool1", "conv2"))
    told = [describe(explorer.scene, "strip", *middle(i, rows, columns)) for i in range(3)]
    assert told == ["conv1", "pool1", "conv2"]


def test_beside_the_last_picture_of_the_film_strip_there_is_nothing(lite0, gallery):
    made = cw.CNNExplorer(lite0, {"cat": gallery["cat"]})
    try:
        made.state.strip_of = "activation"
        rows, columns, names = strip_grid(made.scene)
        assert (columns, rows * columns > len(names)) == (9, True)
        for index, name in enumerate(names):
            assert describe(made.scene, "strip", *middle(index, rows, columns)) == name
        assert describe(made.scene, "strip", *middle(len(names), rows, columns)) == ""
    finally:
        made.close()


# --- nothing ---


@pytest.mark.parametrize("picture", ["photo", "filter", "mosaic", "depth", "strip", "nowhere", ""])
@pytest.mark.parametrize(
    "place", [(-0.01, 0.5), (0.5, 1.01), (float("nan"), 0.5), (0.5, float("inf"))]
)
def test_beside_a_picture_there_is_nothing(explorer, picture, place):
    assert describe(explorer.scene, picture, *place) == ""
    if picture in ("nowhere", ""):
        assert describe(explorer.scene, picture, 0.5, 0.5) == ""
