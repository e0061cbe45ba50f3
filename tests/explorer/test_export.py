"""The figure and the files of the present view."""

import base64
import re

import numpy as np
import pytest
from helpers.networks import tiny
from helpers.shown import html
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.drawing.mosaics import mosaic
from cnn_widgets.panels.table import PANELS
from cnn_widgets.rendering.export import SAVED_KINDS, save_as


def test_names_are_escaped_in_files_and_style_sheets_too(keras, tmp_path):
    evil = '"><script>alert(1)</script></style>{}*/$x_1^'
    net = cw.Network(tiny(keras), preprocess="none", class_names=[evil + str(i) for i in range(4)],
                     name=evil)  # fmt: skip
    made = cw.CNNExplorer(net, {evil: np.zeros((9, 9, 3), np.uint8), "two": np.ones((9, 9))})
    made.show(trust=True, pairs=True)
    sheets = made.controls.thumbs.sheet.value + made._screen.live.value
    page = made.save(tmp_path / "page.html").read_text("utf-8")
    everything = "".join(html(made, name) for name in PANELS) + made._screen.status.value + page
    for text in (everything, sheets):
        assert "<script" not in text
        assert "</style>{}" not in text
    assert made.save(tmp_path / "page.svg").exists()  # and no $ is taken for mathematics
    made.close()


def test_the_figure_and_the_files_show_the_present_view(explorer, tmp_path):
    explorer.show(image="espresso", layer="block1_expand", filter=3)
    figure = explorer.figure()
    titles = [axes.get_title() for axes in figure.axes]
    assert {"Photograph", "Evidence for espresso", "Silent filters by depth"} <= set(titles)
    told = "EfficientNet-Lite0 · espresso · evidence for espresso: Grad-CAM at head_relu · "
    assert figure.get_suptitle() == f"{told}filter 3 of block1_expand"
    for name in ("view.png", "view.pdf"):
        assert explorer.save(tmp_path / name).stat().st_size > 20_000
    page = explorer.save(tmp_path / "view.html").read_text("utf-8")
    assert page.count("<img") >= 6
    assert f"<h1>{told}filter 3 of block1_expand</h1>" in page
    assert "http" not in re.sub(r"base64,[^\"]+", "", page)
    with pytest.raises(ValueError, match=r"ends in .html or one of"):
        explorer.save(tmp_path / "view.docx")


def test_all_photographs_open_the_page_and_the_files_alike(small, tmp_path):
    assert small.state.pairs
    assert small.save(tmp_path / "view.html").read_text("utf-8").count("<figure>") == 2
    titles = [axes.get_title(loc="left") for part in small.figure().subfigs for axes in part.axes]
    assert [t.split(":")[0] for t in titles if t] == ["one", "two"]


def test_a_contrast_is_named_in_the_heading_and_the_legend_stands_in_the_figure(small):
    small.show(versus="b", class_index="a", method="hirescam", target="probability")
    figure = small.figure()
    asked = "evidence for a rather than b"
    assert f"{asked} of the probability: HiResCAM at" in figure.get_suptitle().replace("\n", " ")
    titles = {axes.get_title() for part in figure.subfigs for axes in part.axes}
    assert "Evidence for a rather than b" in titles
    labels = [[each.get_text() for each in axes.get_xticklabels()]
              for part in figure.subfigs for axes in part.axes]  # fmt: skip
    assert ["against", "for"] in labels


@pytest.mark.parametrize("kind", SAVED_KINDS)
def test_each_entry_of_the_save_list_writes_its_file_and_overwrites_none(
    small, kind, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        small.controls.widgets["save"].value = kind
        assert small.controls.widgets["save"].value == ""
        assert len(list(tmp_path.iterdir())) == number
    assert small.last_error is None
    ending = "-2" + SAVED_KINDS[kind]
    assert (tmp_path / f"one-{kind}{ending}").exists()
    assert f"one-{kind}{ending}" in small._screen.status.value


def test_the_first_filters_saved_are_those_of_the_layer(small, tmp_path):
    small.show(layer="conv2")
    path = save_as("filters", small.scene, tmp_path)
    expected = mosaic(small.scene.activations[..., :24], "filter", "viridis", 6, 160)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)


def test_what_cannot_be_saved_is_said(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small.show(method="score-cam")
    small.controls.widgets["save"].value = "evidence"
    assert "press Compute first" in small._screen.status.value
    assert not list(tmp_path.iterdir())


def test_the_still_picture_is_an_output_of_its_own(small, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **_: shown.append(data))
    small._ipython_display_()
    widget, still = shown
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert set(widget) >= {"text/plain"}
    assert "image/png" not in widget
    assert base64.b64decode(still["image/png"])[:4] == b"\x89PNG"
    monkeypatch.setenv("VSCODE_PID", "1")  # its page cannot hide a second output
    shown.clear()
    small._ipython_display_()
    assert ["image/png" in each for each in shown] == [True]
