"""Robustness on the audit's page: drawings with known numbers, and what is not known left out."""

import re

import numpy as np
import pytest
from helpers.colors import color_net, picture

import cnn_widgets as cw
from cnn_widgets.auditing.shares import Share
from cnn_widgets.stability import Curve, robustness, robustness_section

net = color_net  # the fixture


def curve(right, turns, name="darker"):
    """Return a curve of two levels over four photographs, of which one is wrong from the start."""
    shares = [Share(count, 4) if right else Share(0, 0) for count in (3, 2, 1)]
    return Curve(name, "brightness <b>", (0.5, 0.25), (Share(4, 4), Share(2, 4)),
                 tuple(shares[1:]), shares[0], (0.9, float("nan")), turns)  # fmt: skip


NEVER = (float("nan"),) * 4
TURNS = (float("nan"), 0.25, 0.5, float("nan"))


def images():
    return cw.open_images({name: picture(name) for name in ("red", "green", "blue")} | {
        "none": np.zeros((8, 8, 3), np.uint8)})  # fmt: skip


def test_the_lines_are_drawn_through_the_shares():
    page = robustness_section([curve(True, TURNS)], images())
    assert "class='stays' d='M0.0 0.0L50.0 0.0L100.0 50.0'" in page
    assert "class='right' d='M0.0 25.0L50.0 50.0L100.0 75.0'" in page
    assert "answers that are right: 75.0 % · 50.0 % · 25.0 %" in page
    assert re.findall(r"<td>(.*?)</td>", page) == [
        "0.5 · 0.25", "100.0 % · 50.0 %", "75.0 % · 50.0 % · 25.0 %", "0.90 · –", "blue at 0.5",
    ]  # fmt: skip
    assert "brightness &lt;b&gt;: turns at 0.5" in page
    assert page.count("<img") == 1
    assert "<b>" not in page


def test_without_labels_nothing_is_said_to_be_right():
    page = robustness_section([curve(False, NEVER)], images())
    assert "are right" not in page
    assert "class='right'" not in page
    assert "class='stays'" in page
    assert "<td>none</td>" in page
    assert "turn first</h3>" not in page
    assert "<img" not in page


def test_the_figures_on_the_page_are_those_of_the_network(net):
    """Red that is covered in its mean colour, or darker, stays red; one label is wrong."""
    given = [(picture("red"), "red"), (picture("green"), "green"), (picture("red"), "green")]
    found = robustness(net, given, changes=["darker", "occlusion"])
    for each in found:
        assert (each.right_before.right, each.right_before.count) == (2, 3)
        assert [share.right for share in each.right] == [2, 2, 2, 2]
    page = robustness_section(found, cw.open_images(given))
    assert page.count("66.7 % · 66.7 % · 66.7 % · 66.7 % · 66.7 %") == 4  # of lines and table
    assert page.count("<svg") == 2


def test_other_photographs_are_refused():
    with pytest.raises(ValueError, match="Expected the photographs that were changed"):
        robustness_section([curve(True, TURNS)], cw.open_images([picture("red")]))
