"""Regions, pins, magnification: what is accepted, what is refused, and what clears them."""

import re

import numpy as np
import pytest
from helpers.person import other
from traitlets import TraitError

import cnn_widgets as cw
from cnn_widgets.attribution import Brush
from cnn_widgets.scenes import choices

NAN, INF = float("nan"), float("inf")


def refused(explorer, error, **changes):
    """Return the words with which a change is refused; nothing changes, also beside it."""
    explorer.show(region=(1, 2, 3, 4), pins=(("conv1", 1, 2),), zoom=2, center=(0.4, 0.6))
    before = explorer.state.values()
    with pytest.raises(error) as raised:
        explorer.show(alpha=0.1, filter=1, **changes)
    assert explorer.state.values() == before
    return str(raised.value)


# --- regions ---


@pytest.mark.parametrize(
    ("region", "accepted"),
    [
        ((3, 4, 20, 12), (3.0, 4.0, 20.0, 12.0)),
        ([3.5, 4, 20, 12.25], (3.5, 4.0, 20.0, 12.25)),
        (np.array([3, 4, 20, 12]), (3.0, 4.0, 20.0, 12.0)),
        ((-5, -1e9, 20, 12), (0.0, 0.0, 20.0, 12.0)),
        ((3, 4, 31, 1e300), (3.0, 4.0, 30.0, 24.0)),
        ((-1, -1, 99, 99), (0.0, 0.0, 30.0, 24.0)),
        (None, None),
        ((), None),
        ([], None),
    ],
)
def test_a_region_is_cut_off_at_the_photographs_edges(explorer, region, accepted):
    explorer.state.region = (1, 1, 2, 2)
    explorer.state.region = region
    assert explorer.state.region == accepted


@pytest.mark.parametrize(
    "region",
    [
        (1, 2, 3), (1, 2, 3, 4, 5), (NAN, 0, 5, 5), (0, 0, INF, 5), (0, -INF, 5, 5),
        (0, 0, 10**400, 5), "1234", "", b"1234", ("1", "2", "3", "4"), ("left", 0, 5, 5), 7,
        (None, 0, 5, 5), {1, 2, 3, 4}, {1: 1, 2: 2, 3: 3, 4: 4}, ((1, 2), (3, 4)),
    ],
    ids=lambda region: f"{region!r:.30}",
)  # fmt: skip
def test_what_is_no_region_is_refused_and_named(explorer, region):
    said = refused(explorer, ValueError, region=region)
    assert said.startswith("Expected region to be (left, top, right, bottom) in pixels")
    assert said.endswith(f"Received: {region!r}")


@pytest.mark.parametrize(
    "region",
    [(5, 5, 5, 9), (5, 9, 9, 9), (9, 5, 5, 9), (5, 9, 9, 5), (30, 0, 40, 9), (0, -9, 5, 0)],
)
def test_a_region_without_a_pixel_is_refused_with_the_photographs_size(explorer, region):
    said = refused(explorer, ValueError, region=region)
    assert f"holds no pixel of the photograph of 30×24. Received: {region}" in said


STROKES = (((3, 4), (20, 12)), ((5, 20),))


def test_a_painted_region_is_accepted_with_plain_numbers(explorer):
    explorer.state.region = Brush(np.float32(2), [np.array(STROKES[0]), [[5, np.int64(20)]]])
    assert explorer.state.region == Brush(2.0, STROKES)
    assert isinstance(explorer.state.region.strokes[0], tuple)
    hash(explorer.state.region)


@pytest.mark.parametrize(
    "brush",
    [
        Brush(0, STROKES), Brush(-1, STROKES), Brush(NAN, STROKES), Brush("2", STROKES),
        Brush(None, STROKES), Brush(2, ()), Brush(2, ((),)), Brush(2, (STROKES[0], ())),
        Brush(2, (((1, 2, 3),),)), Brush(2, (((1, NAN),),)), Brush(2, (((1, "2"),),)),
        Brush(2, 7), Brush(2, (7,)), Brush(2, (("ab",),)),
    ],
    ids=lambda brush: f"{brush!r:.40}",
)  # fmt: skip
def test_what_was_not_painted_is_refused(explorer, brush):
    said = refused(explorer, ValueError, region=brush)
    assert said.startswith("Expected a Brush with a radius above 0 and strokes of places (x, y)")
    assert "Received: Brush(radius=" in said


def test_a_brush_beside_the_photograph_and_one_without_end_are_refused(explorer):
    said = refused(explorer, ValueError, region=Brush(2, (((100, 100),),)))
    assert said == "The Brush touches no pixel of the photograph of 30×24."
    said = refused(explorer, ValueError, region=Brush(2, (((1, 1),) * 20_001,)))
    assert "at most 20000 places" in said
    explorer.state.region = Brush(1e300, (((-1e300, 1e300), (5, 5)),))
    assert np.isfinite(explorer.state.region.bounds).all()


def test_another_image_clears_the_region_unless_it_brings_one(explorer):
    explorer.show(region=(1, 2, 3, 4))
    explorer.show(image="portrait")
    assert explorer.state.region is None
    explorer.show(image="one", region=(0, 0, 25, 9))
    assert explorer.state.region == (0.0, 0.0, 25.0, 9.0)
    with pytest.raises(ValueError, match="no pixel of the photograph of 20×60"):
        explorer.show(image="portrait", region=(21, 0, 25, 9))
    assert (explorer.state.image, explorer.state.region) == ("one", (0.0, 0.0, 25.0, 9.0))
    explorer.show(layer="conv2", fit="crop", class_index=2)
    assert explorer.state.region == (0.0, 0.0, 25.0, 9.0)


# --- pins ---


def test_pins_are_accepted_once_each(explorer):
    explorer.state.pins = [("conv1", 15, 11), ["conv2", np.int64(0), np.uint8(5)]]
    assert explorer.state.pins == (("conv1", 15, 11), ("conv2", 0, 5))
    assert [type(each) for each in explorer.state.pins[1]] == [str, int, int]
    explorer.state.pins = (("conv1", 3, 3), ("conv1", 3, 3))
    assert explorer.state.pins == (("conv1", 3, 3),)
    explorer.state.pins = ()
    assert explorer.state.pins == ()


@pytest.mark.parametrize(
    ("pin", "said"),
    [
        (("conv1", 1), "Expected a pin to be (layer, row, column). Received: ('conv1', 1)"),
        (("conv1", 1, 2, 3), "Expected a pin to be (layer, row, column)"),
        ("abc", "Expected a pin to be (layer, row, column). Received: 'abc'"),
        (None, "Expected a pin to be (layer, row, column). Received: None"),
        ({"conv1": 1}, "Expected a pin to be (layer, row, column)"),
        (("conv1", NAN, 1), "whole numbers. Received: ('conv1', nan, 1)"),
        (("conv1", 1, INF), "whole numbers. Received: ('conv1', 1, inf)"),
        (("conv1", 1, -INF), "whole numbers. Received: ('conv1', 1, -inf)"),
        (("conv1", 1.5, 1), "whole numbers. Received: ('conv1', 1.5, 1)"),
        (("conv1", "1", 1), "whole numbers. Received: ('conv1', '1', 1)"),
        (("conv1", "top", 1), "whole numbers. Received: ('conv1', 'top', 1)"),
        (("conv1", None, 1), "whole numbers. Received: ('conv1', None, 1)"),
        (("nowhere", 1, 1), "Unknown layer 'nowhere'"),
        ((None, 1, 1), "Unknown layer 'None'"),
        (("dense", 0, 0), "Layer 'dense' puts out shape (4,)"),
        (("conv1", 16, 0), "Expected a cell from 0 to 15. Received: 16"),
        (("conv1", 0, 12), "Expected a cell from 0 to 11. Received: 12"),
        (("conv1", -1, 0), "Expected a cell from 0 to 15. Received: -1"),
        (("conv1", 0, 10**400), "Expected a cell from 0 to 11"),
    ],
    ids=lambda value: f"{value!r:.30}",
)  # fmt: skip
def test_what_is_no_pin_is_refused_and_named(explorer, pin, said):
    assert said in refused(explorer, ValueError, pins=(("conv2", 1, 1), pin))


def test_three_pins_and_text_are_refused(explorer):
    three = tuple(("conv1", row, 0) for row in range(3))
    assert refused(explorer, ValueError, pins=three) == "Expected at most two pins. Received: 3"
    assert "pins" in refused(explorer, TraitError, pins="ab")


def test_another_network_clears_the_pins(keras, lent):
    second = cw.Network(other(keras), preprocess="none")
    rng = np.random.default_rng(0)
    made = cw.CNNExplorer(lent, rng.integers(0, 256, (9, 9, 3), np.uint8), models={"2": second})
    try:
        made.show(pins=(("conv1", 1, 2),), region=(1, 1, 5, 5))
        made.show(image=rng.integers(0, 256, (8, 11, 3), np.uint8), layer="conv2")
        assert made.state.pins == (("conv1", 1, 2),)
        with pytest.raises(ValueError, match="Unknown layer 'conv1'"):
            made.show(network="2", pins=(("conv1", 1, 2),))
        assert (made.network, made.state.pins) == (lent, (("conv1", 1, 2),))
        made.show(network="2")
        assert made.state.pins == ()
        assert made.last_error is None
    finally:
        made.close()


# --- magnification ---


@pytest.mark.parametrize("zoom", [1, 1.5, choices.MAX_ZOOM])
def test_a_magnification_within_its_limits_is_accepted(explorer, zoom):
    explorer.state.zoom = zoom
    assert explorer.scene.zoom == zoom


@pytest.mark.parametrize("zoom", [0.99, 8.01, 0, -1, NAN, INF])
def test_a_magnification_beyond_its_limits_is_refused(explorer, zoom):
    said = refused(explorer, ValueError, zoom=zoom)
    assert said == f"Expected zoom between 1 and 8. Received: {float(zoom)}"


@pytest.mark.parametrize(
    ("center", "said"),
    [
        ((0.5,), "two numbers from 0 to 1. Received: (0.5,)"),
        ((0.5, NAN), "two numbers from 0 to 1. Received: (0.5, nan)"),
        (("0.5", 0.5), "two numbers from 0 to 1. Received: ('0.5', 0.5)"),
        ((0.5, 1.1), "Expected center between 0 and 1. Received: 1.1"),
        ((-0.1, 0.5), "Expected center between 0 and 1. Received: -0.1"),
    ],
)
def test_a_centre_beside_the_photograph_is_refused(explorer, center, said):
    assert said in refused(explorer, ValueError, center=center)


# --- one of a few strings ---


@pytest.mark.parametrize("name", choices.CHOICES)
def test_each_choice_names_what_is_allowed(explorer, name):
    for value in choices.CHOICES[name]:
        setattr(explorer.state, name, value)
        assert getattr(explorer.state, name) == value
    said = refused(explorer, ValueError, **{name: "unheard-of"})
    allowed = re.escape(str(choices.CHOICES[name]))
    assert re.fullmatch(rf"Expected {name} to be one of {allowed}. Received: 'unheard-of'", said)
