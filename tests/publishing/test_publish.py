"""The page for a class: what it holds is what the network says, and nothing is fetched by it."""

import base64
import io
import json
import re
from concurrent.futures import CancelledError

import numpy as np
import pytest
from helpers.networks import tiny
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.drawing.color import diverging_colormap, lookup_table
from cnn_widgets.publishing import publish

NAMES = ["ape", "bee", "</script><b>", "dog"]


@pytest.fixture(scope="module")
def net(keras):
    return cw.Network(tiny(keras), preprocess="none", class_names=NAMES)


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(1)
    return [
        cw.load_image(rng.integers(0, 256, (24, 30, 3), np.uint8), name=name)
        for name in ("one", "two")
    ]


def content(page):
    text = re.search(r'id="content">(.*?)</script>', page.html, re.S)[1]
    return json.loads(text)


def gray(uri):
    data = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))[..., 0]


def test_the_maps_are_those_of_the_network(net, samples):
    page = publish(net, samples, layers=["conv1", "conv2"], classes=["dog", "ape"], filters=5)
    held = content(page)
    assert [each["name"] for each in held["photographs"]] == ["one", "two"]
    assert (page.photographs, page.classes, page.layers, page.filters) == (2, 2, 2, 5)
    for sample, shown in zip(samples, held["photographs"], strict=True):
        scores, probabilities = net.scores(sample)
        order = [NAMES[k] for k in np.argsort(-scores)]
        assert [each["name"] for each in shown["answers"]] == order
        for each in shown["answers"]:
            k = NAMES.index(each["name"])
            assert each["share"] == pytest.approx(float(probabilities[k]), abs=1e-4)
            assert (each["map"] is not None) == (each["name"] in ("dog", "ape"))
            if each["map"]:
                own = cw.attribute(net, sample, class_index=k).heatmap
                np.testing.assert_allclose(gray(each["map"]["gray"]) / 255, own, atol=0.003)
        for name, layer in zip(("conv1", "conv2"), shown["layers"], strict=True):
            values = net.activations(sample, name)[..., :5]
            columns, rows = layer["size"]
            bytes_ = gray(layer["gray"]).reshape(5, rows, columns)
            low, high = (np.array(layer[end])[:, None, None] for end in ("low", "high"))
            found = low + bytes_ / 255 * (high - low)
            np.testing.assert_allclose(
                found, values.transpose(2, 0, 1), atol=float((high - low).max()) / 200
            )


def test_nothing_in_it_points_elsewhere_and_names_end_no_element(net, samples, tmp_path):
    page = publish(net, samples, tmp_path / "new" / "page.html", classes=4)
    text = page.path.read_text("utf-8")
    assert text == page.html
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!data:)""", text)
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|import)\s*\(", text)
    assert text.count("</script>") == 2
    assert "</script><b>" not in text
    assert any(each["name"] == NAMES[2] for each in content(page)["photographs"][0]["answers"])


def test_its_size_is_told_before_it_is_written_and_a_large_one_is_refused(net, samples, tmp_path):
    said = []
    path = tmp_path / "page.html"
    page = publish(net, samples, path, say=lambda line: said.append((line, path.exists())))
    assert said == [(page.told, False)]
    assert f"{path.stat().st_size / 1e6:.1f} MB: 2 photographs" in page.told
    with pytest.raises(ValueError, match=r"would be .* MB: 2 photographs.*more than 0\.001 MB"):
        publish(net, samples, tmp_path / "other.html", most_mb=0.001)
    assert not (tmp_path / "other.html").exists()


def test_signed_evidence_has_its_middle_at_half(net, samples):
    held = content(publish(net, samples[:1], method="gradient-x-input", classes=1))
    assert held["signed"] is True
    own = cw.attribute(net, samples[0], "gradient-x-input").heatmap
    shown = gray(held["photographs"][0]["answers"][0]["map"]["gray"]) / 127.5 - 1
    np.testing.assert_allclose(shown, own, atol=0.006)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"layers": ["nothing"]}, "nothing"),
        ({"classes": ["horse"]}, "horse"),
        ({"classes": 0}, "at least 1"),
        ({"filters": 0}, "at least 1"),
        ({"method": "rise"}, "too slow"),
        ({"method": "magic"}, "magic"),
        ({"path": "page.txt"}, r"ends in \.html, or a folder\. Received: 'page\.txt'"),
        ({"layers": "no such layer"}, "Unknown layer 'no such layer'"),
        ({"classes": "horse"}, "'horse'"),
        ({"classes": []}, "classes of at least 1"),
        ({"most_mb": 0}, r"most_mb above 0\. Received: 0"),
        ({"most_mb": float("nan")}, r"most_mb above 0\. Received: nan"),
        ({"method": 5}, "Unknown method 5"),
    ],
)
def test_what_cannot_be_published_is_said(net, samples, given, words):
    with pytest.raises(ValueError, match=words):
        publish(net, samples[:1], **given)
    with pytest.raises(ValueError, match="no photograph"):
        publish(net, [])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"filters": "5"}, "Expected filters to be a whole number. Received: '5'"),
        ({"filters": 2.5}, "Expected filters to be a whole number. Received: 2.5"),
        ({"filters": True}, "Expected filters to be a whole number. Received: True"),
        ({"filters": None}, "Expected filters to be a whole number. Received: None"),
        ({"classes": 2.5}, "Expected classes to be a whole number. Received: 2.5"),
        ({"classes": True}, "Expected classes to be a whole number. Received: True"),
        ({"classes": None}, "Expected classes to be a whole number. Received: None"),
        ({"layers": 5}, "Expected layers to be a name, or names. Received: 5"),
        ({"layers": ["conv1", 5]}, r"to be a name, or names. Received: \['conv1', 5\]"),
        ({"most_mb": "a"}, "Expected most_mb to be a number. Received: 'a'"),
        ({"most_mb": True}, "Expected most_mb to be a number. Received: True"),
        ({"path": 5}, "Expected path to be the name of a file or folder. Received: 5"),
        ({"images": 5}, "Expected images to be photographs"),
        ({"images": "cat"}, "Expected images to be photographs"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_of_the_wrong_type_is_said(net, samples, given, words):
    with pytest.raises(TypeError, match=words):
        publish(net, **{"images": samples[:1], **given})


def test_one_name_is_not_taken_for_its_letters(net, samples):
    page = publish(net, samples[0], layers="conv2", classes="dog", filters=np.int64(2))
    (shown,) = content(page)["photographs"]
    assert content(page)["layers"] == [str(net.layer("conv2"))]
    assert [each["name"] for each in shown["answers"] if each["map"]] == ["dog"]
    assert content(publish(net, samples, classes=np.array([3]))) == content(
        publish(net, samples, classes=["dog"])
    )


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"classes": 1, "layers": "conv1", "filters": 1},
         "1 class each, 1 layer with up to 1 filter"),
        ({"classes": 2, "layers": ["conv1", "conv2"], "filters": 10_000},
         "2 classes each, 2 layers with up to {} filters"),
        ({"classes": 2, "layers": []}, "2 classes each, no layers"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_told_is_what_is_in_it(net, samples, options, told):
    page = publish(net, samples[:1], **options)
    most = max(net.layer(name).filters for name in ("conv1", "conv2"))
    assert page.told.split(": ", 1)[1] == f"1 photograph, evidence for {told.format(most)}"


def test_a_folder_gets_an_index(net, samples, tmp_path):
    (tmp_path / "old.folder").mkdir()
    for name, written in (
        ("new", "new/index.html"), ("old.folder", "old.folder/index.html"),
        ("a.b/", "a.b/index.html"), ("PAGE.HTML", "PAGE.HTML"),
    ):  # fmt: skip
        page = publish(net, samples[:1], f"{tmp_path}/{name}", layers="conv1", filters=1)
        assert page.path == tmp_path / written
        assert page.path.read_text("utf-8") == page.html


def test_it_can_be_stopped(net, samples):
    with pytest.raises(CancelledError, match="after 1 of 2"):
        publish(net, samples, progress=lambda done, total: done < 1)


def test_an_explorer_publishes_its_photographs_in_its_colours(net, samples, tmp_path, capsys):
    explorer = cw.CNNExplorer(net, samples)
    try:
        explorer.show(method="hirescam", colormap="magma", filter_colormap="cividis")
        page = explorer.publish(tmp_path / "x.html", images=["two"], classes=2)
        held = content(page)
        assert [each["name"] for each in held["photographs"]] == ["two"]
        assert held["method"].startswith("HiResCAM")
        shown = {"heat": diverging_colormap("magma"), "filter": "cividis"}  # HiResCAM is signed
        for part, name in shown.items():
            assert base64.b64decode(held[part]) == lookup_table(name).tobytes(), part
        assert page.told in capsys.readouterr().out
    finally:
        explorer.close()


def test_as_many_classes_have_evidence_as_is_said(keras, samples):
    many = cw.Network(tiny(keras, classes=9), preprocess="none")
    for classes, count in ((8, 8), (20, 9), (["class 3", "class 3", 3], 1)):
        page = publish(many, samples[:1], classes=classes)
        shown = content(page)["photographs"][0]["answers"]
        assert page.classes == count
        assert sum(each["map"] is not None for each in shown) == count


def test_an_unknown_photograph_is_named(net, samples, tmp_path):
    explorer = cw.CNNExplorer(net, samples)
    try:
        with pytest.raises(ValueError, match=r"Unknown image 'nope'\. Images: one, two"):
            explorer.publish(tmp_path / "x.html", images=["nope"])
        assert explorer.publish(tmp_path / "x.html", images="two").photographs == 1
        with pytest.raises(TypeError, match=r"Expected images to be a name, or names\. .*5"):
            explorer.publish(tmp_path / "x.html", images=5)
    finally:
        explorer.close()
