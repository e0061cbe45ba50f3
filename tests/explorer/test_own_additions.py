"""What users add to the tables of methods and panels appears in the explorer."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import tiny
from helpers.shown import html, redrawn

import cnn_widgets as cw
from cnn_widgets.panels import PANELS, Panel, View


def test_an_added_method_can_be_chosen_and_is_drawn(keras, monkeypatch, photo):
    twice = replace(
        cw.METHODS["hirescam"], name="twice", title="Twice", map=lambda a, g: 2 * (a * g).sum(-1)
    )
    with pytest.raises(ValueError, match="twice"):
        cw.attribute(cw.load_network(tiny(keras)), photo, "twice")
    monkeypatch.setitem(cw.METHODS, "twice", twice)
    explorer = cw.CNNExplorer(tiny(keras), images=[photo], preprocess="none")
    try:
        explorer.show(method="hirescam")
        plain = explorer.scene.attribution.raw
        explorer.show(method="twice")
        assert explorer.last_error is None
        assert explorer.controls.widgets["method"].value == "twice"
        assert ("Twice", "twice") in explorer.controls.widgets["method"].options
        np.testing.assert_allclose(explorer.scene.attribution.raw, 2 * plain, rtol=1e-5)
        assert "Twice" in html(explorer, "card")
    finally:
        explorer.close()


@pytest.mark.parametrize("pictured", [False, True])
def test_an_added_panel_stands_at_the_end_and_is_drawn_when_its_traits_change(
    keras, monkeypatch, photo, pictured
):
    def view(scene):
        grey = np.full((4, 4, 3), scene.filter, np.uint8)
        return View(f"Filter {scene.filter} in grey.", "grey", grey)

    panel = Panel("grey", "The number as grey", frozenset({"filter"}), view, pictured=pictured)
    monkeypatch.setitem(PANELS, "grey", panel)
    explorer = cw.CNNExplorer(tiny(keras), images=[photo], preprocess="none")
    try:
        assert "The number as grey" in explorer.children[-1].children[0].value
        drawn = redrawn(explorer, lambda: setattr(explorer.state, "filter", 1))
        assert drawn["grey"] == 1
        assert "grey" not in redrawn(explorer, lambda: setattr(explorer.state, "alpha", 0.3))
        *_, words = explorer.children[-1].children
        assert "grey" in words.value
        assert explorer.last_error is None
    finally:
        explorer.close()


def test_without_additions_the_page_ends_as_it_did(keras, photo):
    explorer = cw.CNNExplorer(tiny(keras), images=[photo], preprocess="none")
    try:
        assert "cnnw-about" in explorer.children[-1]._dom_classes
    finally:
        explorer.close()
