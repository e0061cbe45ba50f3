"""An audit as a page and as a command: everything inside, nothing run, words for every figure."""

import html
import json
import re

import numpy as np
import pytest
from helpers.colors import COLORS, NAMES, PICTURES, color_net, picture
from PIL import Image

import cnn_widgets as cw
from cnn_widgets import cli
from cnn_widgets.auditing import write_page
from cnn_widgets.auditing.keeping import LOCK
from cnn_widgets.datasets import open_images

net = color_net  # the fixture


def page_of(net, given, tmp_path, **options):
    images = open_images(given)
    path = write_page(cw.audit(net, images), net, images, tmp_path / "audit.html", **options)
    return path.read_text("utf-8")


def words(text):
    return html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<style>.*?</style>", "", text)))


def test_the_page_holds_everything_and_runs_nothing(net, tmp_path):
    text = page_of(net, PICTURES, tmp_path)
    assert "<script" not in text
    assert not re.search(r"(src|href)=[\"'](?!data:)", text)
    assert "http" not in re.sub(r"http://www.w3.org/\S+", "", text)
    assert all(re.findall(r'<img alt="([^"]+)"', text))
    told = words(text)
    assert "Audit of colors on 11 photographs" in told
    assert "80.0 % (8 of 10; 95 % interval 49.0 to 94.3 %)" in told
    assert "red is taken for sky_blue" in told


def test_each_mistake_has_the_evidence_for_the_answer_and_for_the_label(net, tmp_path):
    text = page_of(net, PICTURES, tmp_path)
    cards = re.findall(r"<figure class='card'>.*?</figure>", text)
    assert len(cards) == 2
    assert re.findall(r'alt="([^"]+)"', cards[0]) == [
        "image 8", "evidence for sky_blue", "evidence for red",
    ]  # fmt: skip
    few = page_of(net, PICTURES, tmp_path, pictures=1)
    assert few.count("<figure class='card'>") == 1
    assert "1 of 2." in words(few)


def test_names_are_text_and_no_markup(net, tmp_path):
    pictures = {"<b>bold</b>": (picture("red")), "a&amp;b": picture("blue")}
    images = open_images(pictures, labels=["green", "green"])
    found = cw.audit(net, images)
    text = write_page(found, net, images, tmp_path / "audit.html").read_text("utf-8")
    assert "<b>bold" not in text
    assert "<b>bold</b>" in words(text)


def test_without_labels_only_what_is_known_is_shown(net, tmp_path):
    told = words(page_of(net, [picture("red"), picture("green")], tmp_path))
    assert "Where the evidence lies" in told
    for absent in ("Label by label", "taken for", "Is it right", "nan", "NaN", "None"):
        assert absent not in told


def test_of_many_labels_the_most_frequent_confusions_are_listed(keras, tmp_path):
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((8, 8, 3)), layers.Conv2D(30, 1), layers.GlobalAveragePooling2D(),
        layers.Dense(30, activation="softmax"),
    ])  # fmt: skip
    names = [f"class {n}" for n in range(30)]
    many = cw.Network(model, preprocess=lambda x: x / 255, class_names=names)
    rng = np.random.default_rng(0)
    images = open_images(rng.integers(0, 256, (60, 8, 8, 3), np.uint8), labels=list(range(30)) * 2)
    text = write_page(cw.audit(many, images), many, images, tmp_path / "a.html").read_text("utf-8")
    assert "What is taken for what most often" in words(text)
    assert "class='matrix'" not in text


def test_a_photograph_that_vanished_meanwhile_is_said(net, tmp_path):
    for color in COLORS:
        for kind in ("red", "green"):
            path = tmp_path / "photos" / kind / f"{color}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(color)).save(path)
    images = open_images(tmp_path / "photos")
    found = cw.audit(net, images)
    (tmp_path / "photos" / "red" / "blue.png").unlink()
    text = write_page(found, net, images, tmp_path / "audit.html").read_text("utf-8")
    assert "There is no file" in words(text)


def test_a_page_takes_photographs_as_they_come_and_refuses_others(keras, net, tmp_path):
    given = [picture("red"), picture("green")]
    found = cw.audit(net, given, labels=["red", "red"])
    text = write_page(found, net, given, tmp_path / "audit.html").read_text("utf-8")
    assert "red is taken for green" in words(text)
    for others in (given[:1], [*given, given[0]], {"a": given[0], "b": given[1]}):
        with pytest.raises(ValueError, match="Expected the 2 photographs that were audited"):
            write_page(found, net, others, tmp_path / "no.html")
    with pytest.raises(ValueError, match="cannot be read again"):
        write_page(found, net, iter(given), tmp_path / "no.html")
    with pytest.raises(ValueError, match=r"pictures to be at least 0\. Received: -1"):
        write_page(found, net, given, tmp_path / "no.html", pictures=-1)
    model = keras.models.clone_model(net.model)
    with pytest.raises(ValueError, match="another network than that of the audit"):
        write_page(found, cw.Network(model, lambda x: x / 255, NAMES), given, tmp_path / "no.html")
    assert not (tmp_path / "no.html").exists()


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def colors(net, tmp_path, monkeypatch):
    """A folder of labelled photographs, and the network in place of the bundled one."""
    monkeypatch.setattr("cnn_widgets.networks.load_network", lambda *_, **__: net)
    for number in range(12):
        place = tmp_path / "photos" / ("warm" if number % 3 == 0 or number == 7 else "cold")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(list(COLORS)[number % 3])).save(place / f"{number}.png")
    path = tmp_path / "classes.json"
    path.write_text(json.dumps({"warm": "red", "cold": NAMES[1:]}))
    return tmp_path


def run(colors, *more):
    return cli.main(["audit", str(colors / "photos"), "-o", str(colors / "out"), *more])


def test_the_command_writes_answers_figures_and_a_page(colors, capsys):
    assert run(colors, "--classes", str(colors / "classes.json")) == 0
    out = capsys.readouterr().out
    assert "right: 91.7 % (11 of 12" in out
    assert f"written: {colors / 'out' / 'audit.html'}" in out
    written = {path.name for path in (colors / "out").iterdir()} - {LOCK}
    assert written == {"answers.csv", "answers.jsonl", "audit.html", "audit.json", "manifest.json"}
    assert run(colors, "--classes", str(colors / "classes.json")) == 0  # nothing is asked again


def test_the_command_names_the_classes_of_a_network_without_names_by_the_labels(
    colors, net, monkeypatch
):
    bare = cw.Network(net.model, preprocess=lambda x: x / 255)
    monkeypatch.setattr("cnn_widgets.networks.load_network", lambda *_, **__: bare)
    # No photograph has the label "blau": the answers of that class have its name all the same
    (colors / "bare.json").write_text(json.dumps({"warm": 0, "cold": 1, "blau": 2}))
    assert run(colors, "--classes", str(colors / "bare.json")) == 0
    found = cw.load_audit(colors / "out")
    assert found.class_names == ("warm", "cold", "blau")
    assert {each["answer"] for each in found.records()} == {"warm", "cold", "blau"}
    page = (colors / "out" / "audit.html").read_text("utf-8")
    assert "cold is taken for blau" in page
    assert "evidence for blau" in page
    assert not re.search(r"\bclass \d", page)


def test_the_command_says_that_nothing_can_be_read_and_exits_with_1(colors, capsys):
    for path in (colors / "photos").rglob("*.png"):
        path.write_bytes(b"broken")
    assert run(colors, "--classes", str(colors / "classes.json")) == 1
    out = capsys.readouterr().out
    assert "none can be read; the first: cold/1.png: " in out
    assert "label" not in out
    assert (colors / "out" / "audit.html").exists()


def test_the_command_says_in_one_line_what_is_wrong(colors, capsys):
    for name, content in (("no.json", b'{"cold": '), ("bytes.json", b"\xff\xfe")):
        (colors / name).write_bytes(content)
    for more, said in (
        (("--classes", str(colors / "no.json")), "no.json' is no JSON file of labels and classes"),
        (("--classes", str(colors / "bytes.json")), "bytes.json' is no JSON file of labels"),
        (("-o", ""), "Expected a folder. Received an empty path"),
        ((), "No class of 'colors' is named after these labels: 'cold'"),
        (("--method", "nope"), "Unknown method 'nope'"),
        (("--classes", str(colors / "missing.json")), "missing.json"),
        (("--pictures", "-1"), "pictures to be at least 0. Received: -1"),
    ):
        with pytest.raises(SystemExit) as ended:
            run(colors, *more)
        assert ended.value.code == 2
        told = capsys.readouterr().err.strip().splitlines()
        assert said in told[-1]


def test_a_command_that_is_interrupted_says_how_to_go_on(colors, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("cnn_widgets.auditing.audit", interrupted)
    assert run(colors, "--classes", str(colors / "classes.json")) == 130
    assert "The same command goes on" in capsys.readouterr().err
