"""The page "Beside other tools": what it says of this package is true, and it stays short."""

import re
from importlib import import_module
from pathlib import Path

import pytest

import cnn_widgets as cw

PAGE = (Path(__file__).parents[2] / "notebooks" / "other_tools.md").read_text("utf-8")
OURS = sorted(set(re.findall(r"`cw\.(\w+)", PAGE)))


@pytest.mark.parametrize("name", OURS)
def test_what_it_names_of_this_package_is_public(name):
    assert name in cw.__all__


def test_it_names_every_instrument():
    assert {"ablate", "patch_activations", "votes", "smallest_change", "occlude", "trace_cell",
            "excite", "dream", "concept", "parts", "compare_networks",
            "training_film"} <= set(OURS)  # fmt: skip
    assert hasattr(cw.Network, "receptive_field")
    assert hasattr(import_module("cnn_widgets.excitation"), "exciting_patches")


def test_it_counts_the_methods_right():
    assert f"`cw.attribute`, {len(cw.METHODS)} methods" in PAGE


def test_every_row_has_the_cells_of_its_table():
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert len(rows) > 30
    assert {line.replace(r"\|", "").count("|") for line in rows} == {5}


def test_it_can_be_read_in_one_sitting():
    assert PAGE.count("\n") <= 150
