"""What is marked lies, as shares of a picture, where the thing itself is."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import cnn_widgets as cw
from cnn_widgets.attribution import Brush
from cnn_widgets.drawing.charts import AXES_BOX
from cnn_widgets.panels.filters import depth, feature_map, mosaic, strip
from cnn_widgets.panels.marks import cells, frame, here, labels, marks, pinned
from cnn_widgets.panels.places import depth_place, grid, strip_grid
from cnn_widgets.rendering.figure import to_figure
from cnn_widgets.rendering.html import to_html
from cnn_widgets.views.view import Mark

#: (image, fit) → (left, top, width, height) of the photograph that the input of 16×12 shows.
WINDOWS = {
    ("one", "squash"): (0, 0, 30, 24),
    ("one", "crop"): (6, 0, 18, 24),
    ("one", "letterbox"): (0, -8, 30, 40),
    ("portrait", "squash"): (0, 0, 20, 60),
    ("portrait", "crop"): (0, 16, 20, 27),
    ("portrait", "letterbox"): (-13, 0, 45, 60),
}


def edges(mark):
    return mark.left, mark.top, mark.left + mark.width, mark.top + mark.height


def shares(box, window):
    """Return (left, top, right, bottom) in pixels as shares of a window, cut off at its edges."""
    left, top, width, height = window
    starts, sides = (left, top) * 2, (width, height) * 2
    found = [(each - at) / side for each, at, side in zip(box, starts, sides, strict=True)]
    return pytest.approx([min(max(each, 0), 1) for each in found])


@pytest.mark.parametrize("face", ["evidence", "photograph", "input"])
@pytest.mark.parametrize(("image", "fit"), WINDOWS)
def test_region_and_receptive_fields_are_marked_on_the_face_shown(explorer, image, fit, face):
    explorer.show(image=image, fit=fit, face=face, region=(2, 5, 16, 21))
    explorer.show(pins=(("conv2", 3, 1), ("pool1", 7, 5)))
    scene = explorer.scene
    height, width = scene.sample.size
    window = WINDOWS[image, fit] if face == "input" else (0, 0, width, height)
    region, first, second = marks(scene).marks
    assert [mark[4:6] for mark in (region, first, second)] == [
        ("region", ""), ("first", "A"), ("second", "B"),
    ]  # fmt: skip
    assert edges(region) == shares((2, 5, 16, 21), window)
    for mark, pin in ((first, ("conv2", 3, 1)), (second, ("pool1", 7, 5))):
        box = scene.network.receptive_field(*pin, scene.sample)
        assert edges(mark) == shares((box.left, box.top, box.right, box.bottom), window)


def test_the_marks_are_told_in_words(explorer):
    explorer.show(region=(2, 5, 16, 21), pins=(("conv1", 0, 3),))
    box = explorer.network.receptive_field("conv1", 0, 3, explorer.scene.sample)
    view = marks(explorer.scene)
    assert view.covers
    assert view.alt == (
        "The region is columns 2 to 16, rows 5 to 21 of the photograph. A: the cell in row 0, "
        f"column 3 of conv1 sees columns {box.left:.0f} to {box.right:.0f}, rows {box.top:.0f} to "
        f"{box.bottom:.0f} of the photograph."
    )


@pytest.mark.parametrize("face", ["evidence", "input"])
def test_what_was_painted_is_drawn_where_it_is(explorer, face):
    brush = Brush(3.0, (((5, 6), (20, 6)), ((10, 18),)))
    explorer.show(fit="crop", face=face, region=brush)
    window = WINDOWS["one", "crop"] if face == "input" else (0, 0, 30, 24)
    left, top, width, height = window
    view = marks(explorer.scene)
    assert view.alt == "The region is painted over columns 2 to 23, rows 3 to 21 of the photograph."
    radius, aspect, strokes = view.marks[0].painted
    assert (radius * width, aspect) == (pytest.approx(3), width / height)
    back = [[(left + x * width, top + y * height) for x, y in stroke] for stroke in strokes]
    assert np.allclose(np.array(back[0]), brush.strokes[0])
    assert np.allclose(np.array(back[1]), brush.strokes[1])
    svg = to_html(view)
    assert svg.count("<path") == 1
    assert svg.count("M") == 2
    figure = to_figure(explorer.scene)
    assert any(axes.collections for axes in figure.axes)


def test_without_pins_and_region_nothing_is_marked(explorer):
    assert (marks(explorer.scene).marks, marks(explorer.scene).alt) == ((), "")
    assert cells(explorer.scene).marks == ()


def test_a_pinned_cell_is_marked_on_the_map_of_its_own_layer_only(explorer):
    explorer.show(layer="pool1", pins=(("conv2", 3, 1), ("pool1", 7, 2)))
    assert cells(explorer.scene).marks == (Mark(2 / 6, 7 / 8, 1 / 6, 1 / 8, "second", "B"),)
    picture = feature_map(explorer.scene).picture
    assert picture.shape[:2] == (8, 6)  # so that a cell is a pixel


@pytest.mark.parametrize("order", ["index", "strength"])
@pytest.mark.parametrize("count", ["24", "96", "all"])
def test_the_frame_is_around_the_selected_filters_tile(wide, order, count):
    for index in (0, 57, 109):
        wide.show(filter=index, filter_order=order, filter_count=count)
        scene = wide.scene
        (mark,) = frame(scene).marks
        rows, columns, _ = grid(scene)
        assert (mark.kind, mark.width, mark.height) == ("chosen", 1 / columns, 1 / rows)
        row, column = round(mark.top * rows), round(mark.left * columns)
        assert scene.filter_choice.shown[row * columns + column] == index
        assert frame(scene).alt == f"Filter {index} is in row {row + 1}, column {column + 1}."
        picture = mosaic(scene).picture
        height, width = (picture.shape[0] + 1) // rows, (picture.shape[1] + 1) // columns
        tile = picture[row * height :, column * width :][: height - 1, : width - 1]
        alone = feature_map(scene).picture
        assert set(map(tuple, tile.reshape(-1, 3))) == set(map(tuple, alone.reshape(-1, 3)))


def test_the_line_stands_on_the_bar_of_the_layer_browsed(lite0, gallery):
    made = cw.CNNExplorer(lite0, {"cat": gallery["cat"]})
    try:
        names = [info.name for info in lite0.feature_layers]
        view = depth(made.scene)
        figure = Figure(figsize=view.inches)
        axes = figure.add_axes(AXES_BOX)
        view.chart(axes)
        for index in (0, 5, len(names) - 1):
            made.state.layer = names[index]
            (mark,) = here(made.scene).marks
            assert mark.kind == "line"
            across, bottom = figure.transFigure.inverted().transform(
                axes.transData.transform((index, 0))
            )
            assert mark.left == pytest.approx(across)
            assert 1 - mark.top - mark.height == pytest.approx(bottom)
            top = figure.transFigure.inverted().transform(axes.transData.transform((0, 100)))[1]
            assert 1 - mark.top == pytest.approx(top)
    finally:
        made.close()


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7, 15, 40])
def test_the_words_below_the_chart_stand_apart_and_are_not_cut_off(count):
    shares = [(f"conv{n}", 8, n / count) for n in range(count)]
    view = depth(
        SimpleNamespace(silent_shares=shares, layer=SimpleNamespace(name="conv0"), image="cat")
    )
    figure = Figure(figsize=view.inches)
    axes = figure.add_axes(AXES_BOX)
    view.chart(axes)
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [each.get_window_extent(renderer) for each in axes.get_xticklabels()]
    assert len(boxes) == min(count, 2)
    assert min(box.x0 for box in boxes) >= 0
    assert max(box.x1 for box in boxes) <= figure.bbox.x1
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


def test_few_layers_are_told_each_by_its_name():
    def caption(*shares):
        named = [(f"conv{n}", 8, share) for n, share in enumerate(shares)]
        layer = SimpleNamespace(name="conv0")
        return depth(SimpleNamespace(silent_shares=named, layer=layer, image="cat")).caption

    assert caption(0.5) == "silent filters: conv0 50 %"
    assert caption(0.5, None, 0.25) == "silent filters: conv0 50 %, conv2 25 %"
    assert caption(0.5, 0.2, 0.25) == (
        "silent filters: 50 % in the first third of the depth, 25 % in the last; conv0 50 %"
    )


def test_a_layer_that_the_chart_lacks_has_no_line(explorer):
    explorer.show(kinds="all", layer="relu1")
    assert depth_place(explorer.scene) is None
    assert here(explorer.scene).marks == ()


def test_the_film_strips_layers_are_labelled_and_the_one_browsed_framed(explorer):
    assert labels(explorer.scene).marks == ()
    explorer.show(strip=True, layer="pool1")
    found = labels(explorer.scene).marks
    tiles = [(index / 3, 0.0, 1 / 3, 1.0) for index in range(3)]
    assert found == (
        Mark(*tiles[0], "label", "conv1"),
        Mark(*tiles[1]),
        Mark(*tiles[1], "label", "pool1"),
        Mark(*tiles[2], "label", "conv2"),
    )


def test_the_labels_of_many_layers_fill_the_rows(lite0, gallery):
    made = cw.CNNExplorer(lite0, {"cat": gallery["cat"]})
    try:
        made.state.update(strip_of="activation", strip=True)
        scene = made.scene
        rows, _, names = strip_grid(scene)
        found = [mark for mark in labels(scene).marks if mark.kind == "label"]
        assert [mark.text for mark in found] == list(names)
        for index, mark in enumerate(found):
            assert mark.left == index % 9 / 9
            assert mark.top == index // 9 / rows
        assert strip(scene).picture.shape[1] == 9 * 112
    finally:
        made.close()


def test_the_pinned_cells_values_are_listed(explorer):
    assert pinned(explorer.scene).table == ()
    explorer.show(layer="conv1", filter=4, pins=(("conv1", 3, 1), ("conv2", 7, 5)))
    scene = explorer.scene
    head, *lines = pinned(scene).table
    assert head == ("pin", "cell (row, column)", "sees", "filter 4", "strongest filter")
    for line, (name, layer, row, column) in zip(
        lines, (("A", "conv1", 3, 1), ("B", "conv2", 7, 5)), strict=True
    ):
        values = scene.network.activations(scene.sample, layer)[row, column]
        box = scene.network.receptive_field(layer, row, column, scene.sample)
        strongest = int(np.argmax(values))
        assert line == (
            name,
            f"cell {row}, {column} of {layer}",
            f"{box.right - box.left:.0f}×{box.bottom - box.top:.0f} pixels",
            f"{values[4]:.3g}".replace("-", "−") if layer == "conv1" else "–",
            f"filter {strongest} ({values[strongest]:.3g})".replace("-", "−"),
        )
