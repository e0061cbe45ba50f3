"""The explorer without a browser: what it opens with, draws, keeps and frees."""

import base64
import io
import re
import threading
from dataclasses import replace

import numpy as np
import pytest
from helpers.networks import FAST, tiny
from helpers.shown import alt, html, picture, redrawn
from ipywidgets.widgets.widget import _instances as alive
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.explorer.fields import FOLDS
from cnn_widgets.panels.table import PANELS
from cnn_widgets.scenes.state import State


def test_one_cell_shows_everything(explorer):
    assert explorer.last_error is None
    for panel in ("original", "overlay", "input", "filter", "mosaic", "depth"):
        assert picture(explorer, panel).std() > 1
        assert len(alt(explorer, panel)) >= 20
    assert "Egyptian cat" in html(explorer, "predictions")
    assert "77 %" in html(explorer, "predictions")
    assert "min −0.992" in html(explorer, "input")


def test_a_failing_panel_says_so_and_the_others_still_draw(explorer, monkeypatch):
    def broken(scene):
        raise RuntimeError("a <b>broken</b> panel")

    panel = PANELS["mosaic"]
    monkeypatch.setitem(PANELS, "mosaic", replace(panel, view=broken))
    drawn = redrawn(explorer, lambda: setattr(explorer.state, "layer", "block7_expand"))
    assert {"mosaic", "filter", "depth"} <= set(drawn)
    assert "a &lt;b&gt;broken" in html(explorer, "mosaic")
    assert "block7_expand" in html(explorer, "filter")
    assert isinstance(explorer.last_error, RuntimeError)


def test_a_list_of_images_ends_in_a_row_of_pairs(small):
    assert small.state.pairs
    assert small.controls.widgets["pairs"].selected_index == 0
    assert html(small, "pairs").count("<figure>") == 2
    small.controls.widgets["pairs"].selected_index = None
    assert "<figure>" not in html(small, "pairs")
    small.show(image=np.zeros((5, 5, 3), np.uint8), pairs=True)
    assert html(small, "pairs").count("<figure>") == 3


def test_there_must_be_something_to_explore(keras):
    flat = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="nothing to look into"):
        cw.CNNExplorer(flat)
    with pytest.raises(ValueError, match="at least one image"):
        cw.CNNExplorer(tiny(keras), images=[])


def test_a_viewer_without_a_kernel_gets_a_picture(explorer):
    bundle = explorer._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).width > 800
    assert "text/html" not in data
    assert data["text/plain"] == repr(explorer)
    assert len(repr(explorer)) < 120


def test_closing_frees_everything(keras):
    before = len(alive)
    net = cw.Network(tiny(keras), preprocess="none")
    explorer = cw.CNNExplorer(net)
    explorer.state.layer = "conv2"
    explorer.close()
    explorer.close()
    assert len(alive) <= before
    assert net._runner.cache.nbytes == 0
    assert repr(explorer) == "CNNExplorer(closed)"
    with pytest.raises(RuntimeError, match="closed"):
        explorer.show(alpha=0.1)


def test_whatever_the_order_what_is_drawn_is_what_a_fresh_explorer_draws(small):
    """A seeded storm of changes from several threads ends in the picture of its last state."""
    rng = np.random.default_rng(3)
    choices = {
        "image": ["one", "two"],
        "layer": ["conv1", "pool1", "conv2"],
        "filter": [0, 1, 2, 3, 4, 5],
        "class_index": [None, 0, 1, 2, 3],
        "versus": [None, 0, 1, 2, 3],
        "counter": [True, False],
        "method": FAST,
        "alpha": [0.1, 0.5, 0.9],
        "cam_layer": ["default", "follow", "conv1"],
        "scale": ["filter", "layer"],
        "target": ["logit", "probability"],
        "fit": ["squash", "crop", "letterbox"],
        "kinds": ["article", "all"],
        "pairs": [True, False],
        "trust": [True, False],
        "compare": [True, False],
        "compare_by": ["method", "class", "layer", "photograph", "network"],
        "compare_with": ["", "layercam", "class 1", "conv1", "two"],
        "instrument": ["curves", "ranking", "sanity"],
    }

    def storm(seed):
        own = np.random.default_rng(seed)
        for _ in range(60):
            name = str(own.choice(list(choices)))
            small._request(**{name: choices[name][own.integers(len(choices[name]))]})

    threads = [threading.Thread(target=storm, args=(int(rng.integers(1e6)),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    small.state.alpha = 0.75
    fresh = cw.CNNExplorer(small.network, small._catalogue.samples)
    values = small.state.values()
    fresh.show(**values)
    for name in PANELS:
        plain = [re.sub(r'data-frame="\d+"', "", html(one, name)) for one in (small, fresh)]
        assert plain[0] == plain[1], name
    # `predict_first` is the teacher's alone, said in code: it has no control
    unlike = ("image", "class_index", "versus", "center", "pins", "region", "compare_with",
              "predict_first")  # fmt: skip
    for name in State.ORDER:
        if name not in (*unlike, *FOLDS):
            assert small.controls.widgets[name].value == getattr(small.state, name)
    fresh.close()


def test_a_refused_show_leaves_no_picture_behind(small):
    before = list(small._catalogue.samples)
    for wrong in ({"layer": "nope"}, {"class_index": "nope"}, {"network": "nope"}):
        with pytest.raises(ValueError, match="nope"):
            small.show(image=np.zeros((9, 9, 3), np.uint8), **wrong)
    assert list(small._catalogue.samples) == before


def test_a_panel_that_fails_does_not_keep_the_explorer_off_the_page(small, monkeypatch):
    def broken(scene):
        raise RuntimeError("no")

    panel = PANELS["mosaic"]
    monkeypatch.setitem(PANELS, "mosaic", replace(panel, view=broken))
    bundle = small._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data


def test_the_fit_a_sample_came_with_is_the_one_that_is_shown(keras):
    sample = cw.load_image(np.zeros((9, 20, 3), np.uint8), fit="letterbox")
    explorer = cw.CNNExplorer(tiny(keras), sample)
    assert explorer.state.fit == explorer.scene.sample.fit == "letterbox"
    explorer.close()


def test_a_model_trained_meanwhile_is_seen_as_it_is_now(small, keras):
    before = small.network.predict(small.scene.sample)
    model = small.network.model
    model.set_weights([np.asarray(w) + 0.05 for w in model.get_weights()])
    after = small.network.predict(small.scene.sample)
    assert before != after
    fresh = cw.Network(model, preprocess="none", class_names=small.network.class_names)
    assert after == fresh.predict(small.scene.sample)
    old = {name: html(small, name) for name in ("predictions", "mosaic", "overlay")}
    small.state.alpha = 0.2  # one touch, and nothing of the old weights is on the page
    assert all(html(small, name) != old[name] for name in old)
    np.testing.assert_array_equal(
        small.scene.attribution.raw, cw.attribute(fresh, small.scene.sample).raw
    )


def test_a_large_photograph_is_kept_small(small):
    small.show(image=cw.load_image(np.zeros((3000, 2000, 3), np.uint8), name="large"))
    assert small.scene.sample.size == (1024, 683)


def test_images_may_be_a_batch_or_any_iterable(keras):
    batch = np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3), np.uint8)
    for loading in (batch, (picture for picture in batch)):  # noqa: F402
        explorer = cw.CNNExplorer(tiny(keras), loading)
        assert len(explorer._catalogue.samples) == 3
        explorer.close()


def test_a_closed_explorer_says_so(keras):
    explorer = cw.CNNExplorer(tiny(keras))
    explorer.close()
    with pytest.raises(RuntimeError, match="closed"):
        _ = explorer.network
