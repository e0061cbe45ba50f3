"""What a gesture asks for, and that the state then is so."""

import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.attribution import Brush
from cnn_widgets.drawing.charts import AXES_BOX
from cnn_widgets.panels.places import grid, strip_grid
from cnn_widgets.pointing import hottest, wanted
from cnn_widgets.scenes.choices import FACES, MAX_ZOOM


def act(explorer, kind, picture="photo", **gesture):
    """Do a gesture; return the changes it asked for."""
    changes = wanted(explorer.scene, {"kind": kind, "picture": picture, **gesture})
    explorer.state.update(**changes)
    return changes


def click(explorer, picture, x, y):
    return act(explorer, "click", picture, x=x, y=y)


def press(explorer, picture, *keys):
    for key in keys:
        act(explorer, "key", picture, key=key)


def middle(index, rows, columns):
    return (index % columns + 0.5) / columns, (index // columns + 0.5) / rows


# --- pins ---


def test_a_click_into_the_photograph_pins_the_cell_of_the_evidence_there(explorer):
    assert click(explorer, "photo", 0.01, 0.01) == {"pins": (("conv2", 0, 0),)}
    click(explorer, "photo", 0.99, 0.99)
    assert explorer.state.pins == (("conv2", 0, 0), ("conv2", 7, 5))


@pytest.mark.parametrize("fit", ["squash", "crop", "letterbox"])
@pytest.mark.parametrize("face", FACES)
def test_the_pinned_cell_sees_the_place_that_was_clicked(explorer, fit, face):
    explorer.show(image="portrait", fit=fit, face=face)
    for x, y in ((0.4, 0.3), (0.55, 0.8)):
        explorer.state.pins = ()
        click(explorer, "photo", x, y)
        ((layer, row, column),) = explorer.state.pins
        box = explorer.network.receptive_field(layer, row, column, explorer.scene.sample)
        left, top, width, height = 0, 0, 20, 60
        if face == "input" and fit != "squash":
            window = {"crop": (0, 16, 20, 27), "letterbox": (-13, 0, 45, 60)}
            left, top, width, height = window[fit]
        elif fit == "crop" and not 16 <= y * 60 <= 43:
            continue  # no cell sees this place
        assert box.left <= left + x * width <= box.right
        assert box.top <= top + y * height <= box.bottom


def test_while_the_method_looks_at_the_input_the_layer_browsed_is_pinned(explorer):
    explorer.show(method="saliency", layer="pool1")
    click(explorer, "photo", 0.01, 0.99)
    assert explorer.state.pins == (("pool1", 7, 0),)


def test_a_second_click_takes_the_pin_away(explorer):
    explorer.show(layer="conv1")
    click(explorer, "filter", 0.04, 0.03)
    click(explorer, "filter", 0.96, 0.97)
    assert explorer.state.pins == (("conv1", 0, 0), ("conv1", 15, 11))
    click(explorer, "filter", 0.04, 0.03)
    assert explorer.state.pins == (("conv1", 15, 11),)
    click(explorer, "filter", 0.96, 0.97)
    assert explorer.state.pins == ()


def test_a_third_pin_replaces_the_oldest(explorer):
    explorer.show(layer="conv1")
    for column in range(3):
        click(explorer, "filter", (column + 0.5) / 12, 0.03)
    assert explorer.state.pins == (("conv1", 0, 1), ("conv1", 0, 2))
    click(explorer, "photo", 0.01, 0.01)  # the cells of the evidence are others
    assert explorer.state.pins == (("conv1", 0, 2), ("conv2", 0, 0))


def test_every_cell_of_the_filters_map_can_be_pinned(explorer):
    explorer.show(layer="pool1")
    for row, column in np.ndindex(8, 6):
        explorer.state.pins = ()
        click(explorer, "filter", *middle(6 * row + column, 8, 6))
        assert explorer.state.pins == (("pool1", row, column),)


@pytest.mark.parametrize("picture", ["photo", "filter"])
def test_the_first_key_pins_where_the_map_is_largest(explorer, picture):
    explorer.show(layer="conv1", filter=2)
    press(explorer, picture, "ArrowLeft")
    scene = explorer.scene
    values = scene.attribution.raw if picture == "photo" else scene.feature_map
    cell = np.unravel_index(values.argmax(), values.shape)
    assert explorer.state.pins == (("conv2" if picture == "photo" else "conv1", *cell),)


def test_arrow_keys_move_the_newest_pin_up_to_the_edges(explorer):
    explorer.show(layer="conv1", pins=(("conv1", 9, 9), ("conv1", 1, 1)))
    press(explorer, "filter", "ArrowDown", "ArrowRight", "ArrowRight")
    assert explorer.state.pins == (("conv1", 9, 9), ("conv1", 2, 3))
    press(explorer, "filter", *["ArrowUp"] * 5, *["ArrowLeft"] * 5)
    assert explorer.state.pins == (("conv1", 9, 9), ("conv1", 0, 0))
    press(explorer, "filter", *["ArrowDown"] * 20, *["ArrowRight"] * 20)
    assert explorer.state.pins == (("conv1", 9, 9), ("conv1", 15, 11))


@pytest.mark.parametrize("key", ["Enter", " "])
def test_enter_keeps_the_newest_pin_and_pins_another_beside_it(explorer, key):
    explorer.show(layer="conv1", pins=(("conv1", 9, 9), ("conv1", 1, 1)))
    press(explorer, "filter", key)
    assert explorer.state.pins == (("conv1", 1, 1), ("conv1", 1, 2))
    explorer.show(pins=(("conv1", 3, 11),))
    press(explorer, "filter", key)
    assert explorer.state.pins == (("conv1", 3, 11), ("conv1", 3, 10))


def test_keys_over_the_photograph_leave_pins_of_other_layers_alone(explorer):
    explorer.show(layer="conv1", pins=(("conv1", 9, 9), ("conv2", 1, 1)))
    press(explorer, "photo", "ArrowDown")
    assert explorer.state.pins == (("conv1", 9, 9), ("conv2", 2, 1))
    press(explorer, "filter", "ArrowDown")
    assert explorer.state.pins == (("conv2", 2, 1), ("conv1", 10, 9))


def test_escape_clears(explorer):
    pins = (("conv1", 9, 9), ("conv2", 1, 1))
    explorer.show(pins=pins, region=(1, 2, 3, 4))
    press(explorer, "filter", "Escape")
    assert (explorer.state.pins, explorer.state.region) == ((), (1.0, 2.0, 3.0, 4.0))
    explorer.show(pins=pins)
    press(explorer, "photo", "Escape")
    assert (explorer.state.pins, explorer.state.region) == ((), None)


# --- the region ---


@pytest.mark.parametrize("face", ["evidence", "photograph"])
def test_a_drag_sets_the_region_from_whichever_corner(explorer, face):
    explorer.state.face = face
    for x, x2 in ((0.1, 0.5), (0.5, 0.1)):
        for y, y2 in ((0.25, 0.75), (0.75, 0.25)):
            explorer.state.region = None
            act(explorer, "drag", x=x, y=y, x2=x2, y2=y2)
            assert explorer.state.region == pytest.approx((3, 6, 15, 18))


@pytest.mark.parametrize(
    ("image", "fit", "region"),
    [
        ("one", "squash", (3, 6, 15, 18)),
        ("one", "crop", (6 + 1.8, 6, 6 + 9, 18)),
        ("one", "letterbox", (3, 2, 15, 22)),
        ("portrait", "crop", (2, 16 + 6.75, 10, 16 + 20.25)),
        ("portrait", "letterbox", (0, 15, 9.5, 45)),  # from −8.5: cut off at the edge
    ],
)
def test_a_drag_over_the_network_input_sets_the_same_part_of_the_photograph(
    explorer, image, fit, region
):
    explorer.show(image=image, fit=fit, face="input")
    act(explorer, "drag", x=0.1, y=0.25, x2=0.5, y2=0.75)
    assert explorer.state.region == pytest.approx(region)


def test_a_drag_beyond_the_edges_ends_at_them(explorer):
    act(explorer, "drag", x=-3, y=0.5, x2=7, y2=1.5)
    assert explorer.state.region == (0.0, 12.0, 30.0, 24.0)


def test_a_drag_over_padding_alone_is_refused(explorer):
    explorer.show(fit="letterbox", face="input", region=(1, 2, 3, 4))
    with pytest.raises(ValueError, match="holds no pixel"):
        act(explorer, "drag", x=0.1, y=0.01, x2=0.5, y2=0.1)
    assert explorer.state.region == (1.0, 2.0, 3.0, 4.0)


def test_painting_adds_strokes_with_the_newest_brush(explorer):
    explorer.state.region = (1, 2, 3, 4)
    act(explorer, "paint", points=[[0.1, 0.25], [0.5, 0.25]], radius=0.1)
    assert explorer.state.region == Brush(pytest.approx(3), (((3, 6), (15, 6)),))
    act(explorer, "paint", points=[[0.5, 0.75]], radius=0.05)
    assert explorer.state.region.radius == pytest.approx(1.5)
    assert explorer.state.region.strokes == (((3, 6), (15, 6)), ((15, 18),))
    act(explorer, "drag", x=0.1, y=0.25, x2=0.5, y2=0.75)
    assert explorer.state.region == pytest.approx((3, 6, 15, 18))


def test_painting_over_the_network_input_paints_the_same_part_of_the_photograph(explorer):
    explorer.show(image="one", fit="crop", face="input")
    act(explorer, "paint", points=[[0.0, 0.0], [1.0, 1.0]], radius=0.1)
    ((start, end),) = explorer.state.region.strokes
    assert start == pytest.approx((6, 0))
    assert end == pytest.approx((24, 24))
    assert explorer.state.region.radius == pytest.approx(1.8)


@pytest.mark.parametrize(
    "points", [None, [], "ab", [1], [[1]], [[0.1, 0.2, 0.3]], [["a", "b"]], [[0.1, None]]]
)
def test_a_stroke_of_anything_but_places_is_refused(explorer, points):
    with pytest.raises(ValueError, match="Expected"):
        act(explorer, "paint", points=points, radius=0.1)
    assert explorer.state.region is None


@pytest.mark.parametrize("key", ["r", "R"])
def test_r_takes_the_hottest_region_of_the_evidence(explorer, key):
    press(explorer, "photo", key)
    heat = explorer.scene.attribution.heatmap
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    left, top, right, bottom = explorer.state.region
    assert left <= column < right
    assert top <= row < bottom
    assert hottest(explorer.scene) == {"region": explorer.state.region}


def test_without_evidence_there_is_no_hottest_region(explorer):
    explorer.state.method = "score-cam"
    with pytest.raises(ValueError, match="There is no evidence on the photograph"):
        press(explorer, "photo", "r")
    assert explorer.state.region is None


# --- face and magnification ---


def test_f_walks_through_the_faces(explorer):
    seen = [explorer.state.face]
    for key in ("f", "F", "f"):
        press(explorer, "photo", key)
        seen.append(explorer.state.face)
    assert seen == [*FACES, FACES[0]]


def test_keys_magnify_within_the_limits(explorer):
    press(explorer, "photo", "+")
    assert explorer.state.zoom == 1.25
    press(explorer, "photo", "=", "-")
    assert explorer.state.zoom == pytest.approx(1.25)
    press(explorer, "photo", *["+"] * 15)
    assert explorer.state.zoom == MAX_ZOOM
    press(explorer, "photo", *["-"] * 15)
    assert explorer.state.zoom == 1
    press(explorer, "photo", "+", "+", "0")
    assert explorer.state.zoom == 1


@pytest.mark.parametrize(("asked", "zoom"), [(0.2, 1), (-5, 1), (2.5, 2.5), (8, 8), (1e300, 8)])
def test_a_magnification_is_kept_within_its_limits(explorer, asked, zoom):
    act(explorer, "zoom", zoom=asked, x=0.25, y=0.75)
    assert (explorer.state.zoom, explorer.state.center) == (zoom, (0.25, 0.75))


def test_the_magnified_place_is_kept_on_the_photograph(explorer):
    act(explorer, "zoom", zoom=3, x=-0.5, y=1.5)
    assert explorer.state.center == (0.0, 1.0)


# --- the mosaic ---


def test_a_click_chooses_the_filter_of_the_tile(wide):
    for order in ("index", "strength", "weight"):
        wide.show(filter=30, filter_order=order, filter_count="24")
        scene = wide.scene
        rows, columns, _ = grid(scene)
        for place in (0, 7, len(scene.filter_choice.shown) - 1):
            click(wide, "mosaic", *middle(place, rows, columns))
            assert wide.state.filter == scene.filter_choice.shown[place]
    rows, columns, _ = grid(wide.scene)
    assert rows * columns == 25  # so the last place is empty
    assert click(wide, "mosaic", 0.999, 0.999) == {}


def ordered(explorer):
    """Return the filters of the layer in the order asked for, worked out anew."""
    scene = explorer.scene
    values = scene.network.activations(scene.sample, scene.layer.name)
    if scene.filter_order == "index":
        return list(range(values.shape[-1]))
    by = values.max(axis=(0, 1))
    if scene.filter_order == "weight":
        weights = np.eye(3, dtype=np.float32)[scene.chosen.class_index]
        found, slopes = scene.network.gradients(scene.sample, scene.layer.name, weights)
        by = np.einsum("ijk,ijk->k", found, slopes)
    return np.argsort(-by, kind="stable").tolist()


@pytest.mark.parametrize("order", ["index", "strength", "weight"])
@pytest.mark.parametrize(("count", "page"), [("24", 24), ("96", 96), ("all", None)])
def test_keys_walk_the_mosaic_in_its_order(wide, order, count, page):
    wide.show(filter_order=order, filter_count=count)
    filters = ordered(wide)

    def place(*keys):
        press(wide, "mosaic", *keys)
        assert wide.state.filter in wide.scene.filter_choice.shown
        return filters.index(wide.state.filter)

    assert place("Home") == 0
    _, columns, _ = grid(wide.scene)
    assert place("ArrowLeft") == 0
    assert place("ArrowUp") == 0
    assert place("ArrowRight", "ArrowRight", "ArrowRight") == 3
    assert place("ArrowLeft") == 2
    assert place("ArrowDown") == 2 + columns
    assert place("ArrowUp") == 2
    if page is not None:
        assert place("PageDown") == 2 + page
        assert place("PageUp") == 2
    else:
        down = place("PageDown")
        assert down > 2 + columns
        assert (down - 2) % columns == 0
        assert place("PageUp") == 2
    assert place(*["PageDown"] * 9) == 109
    assert place("ArrowRight", "ArrowDown") == 109
    assert place("ArrowLeft") == 108
    assert place("End") == 109
    assert place(*["PageUp"] * 9) == 0
    assert place("x", "Enter", "Escape") == 0


# --- layers ---


def test_a_click_on_a_layer_of_the_chart_chooses_it(explorer):
    for index, name in enumerate(("conv1", "pool1", "conv2")):
        click(explorer, "depth", AXES_BOX[0] + AXES_BOX[2] * (index + 1) / 4, 0.5)
        assert explorer.state.layer == name
    click(explorer, "depth", 0, 0)
    assert explorer.state.layer == "conv1"
    click(explorer, "depth", 1, 1)
    assert explorer.state.layer == "conv2"


def test_a_click_on_the_film_strip_chooses_the_layer(explorer):
    explorer.show(strip=True)
    rows, columns, names = strip_grid(explorer.scene)
    for index in (2, 0, 1):
        click(explorer, "strip", *middle(index, rows, columns))
        assert explorer.state.layer == names[index]


def test_a_click_beside_the_last_picture_of_the_film_strip_asks_for_nothing(lite0, gallery):
    made = cw.CNNExplorer(lite0, {"cat": gallery["cat"]})
    try:
        made.state.strip_of = "activation"
        rows, columns, names = strip_grid(made.scene)
        gesture = {"kind": "click", "picture": "strip"}
        x, y = middle(len(names), rows, columns)
        assert wanted(made.scene, {**gesture, "x": x, "y": y}) == {}
        x, y = middle(11, rows, columns)
        assert wanted(made.scene, {**gesture, "x": x, "y": y}) == {"layer": names[11]}
    finally:
        made.close()


@pytest.mark.parametrize("picture", ["depth", "strip"])
def test_keys_walk_through_the_layers_and_stop_at_the_ends(explorer, picture):
    walk = {
        "ArrowLeft": "conv1", "ArrowRight": "pool1", "End": "conv2", "Home": "conv1",
    }  # fmt: skip
    for key, name in walk.items():
        press(explorer, picture, key)
        assert explorer.state.layer == name
    press(explorer, picture, *["ArrowRight"] * 5)
    assert explorer.state.layer == "conv2"
    press(explorer, picture, "ArrowLeft", "ArrowUp", "Escape", "x")
    assert explorer.state.layer == "pool1"


# --- the class compared with ---


def test_a_rank_is_compared_with_and_again_no_longer(explorer):
    ranked = [each.class_index for each in explorer.scene.predictions]
    act(explorer, "versus", rank=2)
    assert explorer.state.versus == ranked[2]
    act(explorer, "versus", rank=1)
    assert explorer.state.versus == ranked[1]
    act(explorer, "versus", rank=1)
    assert explorer.state.versus is None
    for rank in (-1, 4, 99):
        assert act(explorer, "versus", rank=rank) == {}


# --- what is no gesture ---


NAN, INF = float("nan"), float("inf")
NOTHING = [
    {}, {"kind": None}, {"kind": ["click"], "picture": "photo"}, {"kind": "shout"},
    {"kind": "click"}, {"kind": "click", "picture": "nowhere", "x": 0.5, "y": 0.5},
    {"kind": "click", "picture": ["photo"], "x": 0.5, "y": 0.5}, {"kind": "click", "picture": {}},
    {"kind": "key"}, {"kind": "key", "picture": "photo"}, {"kind": "key", "picture": "mosaic"},
    {"kind": "key", "picture": "photo", "key": 5}, {"kind": "key", "picture": [], "key": "r"},
    {"kind": "key", "picture": "filter", "key": ["Enter"]}, {"kind": "key", "picture": "depth"},
    {"kind": "versus", "rank": 10**400},
]  # fmt: skip
NO_NUMBER = [
    ({"kind": "click", "picture": picture, **place}, said)
    for picture in ("photo", "filter", "mosaic", "depth", "strip")
    for place, said in [
        ({}, "x of a gesture to be a number. Received: None"),
        ({"x": 0.5}, "y of a gesture to be a number. Received: None"),
        ({"x": "0.5", "y": 0.5}, "x of a gesture to be a number. Received: '0.5'"),
        ({"x": 0.5, "y": NAN}, "y of a gesture to be a number. Received: nan"),
        ({"x": INF, "y": 0.5}, "x of a gesture to be a number. Received: inf"),
        ({"x": [0.5], "y": 0.5}, r"x of a gesture to be a number. Received: \[0.5\]"),
    ]
] + [
    ({"kind": "drag", "x": 0.1, "y": 0.1}, "x2 of a gesture to be a number. Received: None"),
    ({"kind": "drag", "x": 0.1, "y": 0.1, "x2": 0.3, "y2": NAN}, "y2 of .* Received: nan"),
    ({"kind": "drag", "x": None, "y": 0.1, "x2": 0.3, "y2": 0.3}, "x of .* Received: None"),
    ({"kind": "zoom", "x": 0.1, "y": 0.1}, "zoom of a gesture to be a number. Received: None"),
    ({"kind": "zoom", "zoom": NAN, "x": 0.1, "y": 0.1}, "zoom of .* Received: nan"),
    ({"kind": "zoom", "zoom": 2, "x": 0.1, "y": -INF}, "y of .* Received: -inf"),
    ({"kind": "zoom", "zoom": {}, "x": 0.1, "y": 0.1}, "zoom of .* Received: {}"),
    ({"kind": "versus"}, "rank of a gesture to be a number. Received: None"),
    ({"kind": "versus", "rank": "1"}, "rank of a gesture to be a number. Received: '1'"),
]


@pytest.mark.parametrize("gesture", NOTHING, ids=lambda gesture: f"{gesture!s:.60}")
def test_a_gesture_that_is_not_known_asks_for_nothing(explorer, gesture):
    assert wanted(explorer.scene, gesture) == {}


@pytest.mark.parametrize(("gesture", "said"), NO_NUMBER, ids=lambda each: f"{each!s:.70}")
def test_what_is_no_number_is_named(explorer, gesture, said):
    with pytest.raises(ValueError, match=f"^Expected {said}$"):
        wanted(explorer.scene, gesture)


def test_numbers_beyond_a_picture_are_its_edges(explorer):
    for picture in ("filter", "mosaic", "depth", "strip", "photo"):
        for far, near in (((-3, -1e300), (0, 0)), ((10**400, 7.5), (1, 1))):
            gestures = [
                {"kind": "click", "picture": picture, "x": x, "y": y} for x, y in (far, near)
            ]
            first, second = (wanted(explorer.scene, each) for each in gestures)
            assert first == second
