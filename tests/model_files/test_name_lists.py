"""Class names in every form that people have them, and what is refused."""

import json

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw
from cnn_widgets.model_files.name_lists import names_from_text, read_class_names

RIGHT = ("cat", "dog", "owl")


@pytest.mark.parametrize(
    "given",
    [
        ["cat", "dog", "owl"],
        {0: "cat", 1: "dog", 2: "owl"},
        {2: "owl", 0: "cat", 1: "dog"},
        {"owl": 2, "cat": 0, "dog": 1},
        {"2": "owl", "0": "cat", "1": "dog"},
        {np.int64(1): "dog", np.int64(0): "cat", np.int64(2): "owl"},
        {"cat": np.int32(0), "owl": np.int32(2), "dog": np.int32(1)},
        np.array(["cat", "dog", "owl"]),
        np.array([b"cat", b"dog", b"owl"]),
        np.array(["cat", "dog", "owl"], dtype=object),
        (b"cat", b"dog", b"owl"),
        {"cat": 0, "dog": 1, "owl": 2}.keys(),
        (name for name in ("cat", "dog", "owl")),
    ],
)
def test_lists_dicts_and_arrays_are_read_by_index(given):
    assert read_class_names(given) == RIGHT


@pytest.mark.parametrize(
    "text",
    [
        "cat\ndog\nowl\n",
        "\ufeffcat\r\ndog\r\nowl\r\n\r\n",
        "0 cat\n1 dog\n2 owl\n",
        "2 owl\n0 cat\n1 dog",
        "0: cat\n1: dog\n2: owl",
    ],
)
def test_a_text_file_has_a_name_a_line_with_or_without_its_number(tmp_path, text):
    path = tmp_path / "labels.txt"
    path.write_text(text, "utf-8")
    assert read_class_names(path) == read_class_names(str(path)) == RIGHT


def test_numbers_that_are_no_indices_belong_to_the_names(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("3 stars\n4 stars\n5 stars\n")
    assert read_class_names(path) == ("3 stars", "4 stars", "5 stars")


@pytest.mark.parametrize(
    "stored", [list(RIGHT), {"owl": 2, "cat": 0, "dog": 1}, {"0": "cat", "2": "owl", "1": "dog"}]
)
def test_a_json_file_holds_a_list_or_a_dict(tmp_path, stored):
    path = tmp_path / "names.json"
    path.write_text(json.dumps(stored))
    assert read_class_names(path) == RIGHT


def test_numbers_as_names_are_written_out():
    assert read_class_names(range(3)) == ("0", "1", "2")
    assert read_class_names({0: 7, 1: 8, 2: 9}) == ("7", "8", "9")


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"cat", "dog"}, TypeError, "A set has no order"),
        (frozenset({"cat"}), TypeError, "A set has no order"),
        ("cat", TypeError, "the text 'cat'"),
        (b"cat", TypeError, "Received: bytes"),
        (3, TypeError, "Received: int 3"),
        (["cat", None], TypeError, "as text. Received: NoneType"),
        (["cat", ["dog"]], TypeError, "as text. Received: list"),
        (["cat", "cat", "dog"], ValueError, "'cat' comes 2 times"),
        (["cat", " "], ValueError, "Class 1 has an empty one"),
        ({0: "cat", 2: "dog"}, ValueError, "indices 0 to 1, each once. Received: 0, 2"),
        ({"cat": 1, "dog": 2}, ValueError, "indices 0 to 1, each once. Received: 1, 2"),
        ({"cat": 0, "dog": 0}, ValueError, "Received: 0, 0"),
        ({-1: "cat", 0: "dog"}, ValueError, "Received: -1, 0"),
        ({"cat": "dog"}, ValueError, "from index to name"),
        (np.array([["cat"], ["dog"]]), ValueError, r"Received shape: \(2, 1\)"),
        ("no/such/labels.txt", FileNotFoundError, "no file of class names"),
    ],
)
def test_what_gives_no_names_is_refused_with_what_came(given, error, said):
    with pytest.raises(error, match=said) as caught:
        read_class_names(given)
    assert "\n" not in str(caught.value)


def test_files_without_names_are_refused(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("\n\n")
    with pytest.raises(ValueError, match=r"labels\.txt holds no class names"):
        read_class_names(path)
    (tmp_path / "names.json").write_text("{")
    with pytest.raises(ValueError, match=r"names\.json is no JSON file"):
        read_class_names(tmp_path / "names.json")
    (tmp_path / "names.json").write_text("3")
    with pytest.raises(ValueError, match=r"names\.json holds a int"):
        read_class_names(tmp_path / "names.json")


def test_a_network_takes_them_and_refuses_a_wrong_count(keras):
    model = tiny(keras)
    net = cw.load_network(model, class_names={"d": 3, "a": 0, "c": 2, "b": 1})
    assert net.class_names == ("a", "b", "c", "d")
    with pytest.raises(ValueError, match=r"Expected 4 class names.*Received 3: cat"):
        cw.load_network(model, class_names=RIGHT)


def test_one_sigmoid_unit_has_two_names(keras):
    net = cw.load_network(tiny(keras, "sigmoid", 1), class_names={"on": 1, "off": 0})
    assert net.class_names == ("off", "on")


def test_letters_are_composed_however_they_come(tmp_path):
    (tmp_path / "names.txt").write_text("Ka\u0308se\nO\u0308l\n", "utf-8")
    assert read_class_names(tmp_path / "names.txt") == ("K\u00e4se", "\u00d6l")
    with pytest.raises(ValueError, match="a different name for every class"):
        read_class_names(["K\u00e4se", "Ka\u0308se"])


def test_names_on_a_command_line_are_a_file_or_a_list(tmp_path):
    assert names_from_text("cat, dog,fox") == ("cat", "dog", "fox")
    (tmp_path / "a,b.txt").write_text("ape\nbee\n", "utf-8")
    assert names_from_text(str(tmp_path / "a,b.txt")) == ("ape", "bee")
    with pytest.raises(FileNotFoundError, match="no file of class names 'nowhere'"):
        names_from_text("nowhere")
    with pytest.raises(ValueError, match="Class 1 has an empty one"):
        names_from_text("cat,,dog")
