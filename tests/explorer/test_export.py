"""The figure and the files of the present view."""

import re

import numpy as np
import pytest
from helpers.networks import tiny
from helpers.shown import html

import cnn_widgets as cw
from cnn_widgets.panels.table import PANELS


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
    assert {"Photograph", "Evidence for the class", "Silent filters by depth"} <= set(titles)
    assert "espresso" in figure.get_suptitle()
    for name in ("view.png", "view.pdf"):
        assert explorer.save(tmp_path / name).stat().st_size > 20_000
    page = explorer.save(tmp_path / "view.html").read_text("utf-8")
    assert page.count("<img") >= 6
    assert "http" not in re.sub(r"base64,[^\"]+", "", page)
    with pytest.raises(ValueError, match=r"ends in .html or one of"):
        explorer.save(tmp_path / "view.docx")


def test_all_photographs_open_the_page_and_the_files_alike(small, tmp_path):
    assert small.state.pairs
    assert small.save(tmp_path / "view.html").read_text("utf-8").count("<figure>") == 2
    titles = [axes.get_title(loc="left") for part in small.figure().subfigs for axes in part.axes]
    assert [t.split(":")[0] for t in titles if t] == ["one", "two"]
