"""Bundles of evidence: what they say, what they refuse, and that the map comes back to the bit."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from helpers.networks import FAST, fingerprint, tiny
from PIL import Image

import cnn_widgets as cw
from cnn_widgets.attribution.explain import _removed
from cnn_widgets.engine import weights


@pytest.fixture(scope="module")
def tiny_net(keras):
    """A network that no test changes; it is compiled once for all."""
    return cw.Network(tiny(keras), preprocess="none")


@pytest.fixture
def saved(lite0, gallery, tmp_path):
    found = cw.attribute(lite0, gallery["cat"], "hirescam", "tabby", versus="tiger cat")
    return found, found.save(tmp_path / "bundle")


def test_the_definition_says_all_it_takes_to_repeat_it(saved, lite0, gallery):
    found, path = saved
    told = json.loads(path.read_text("utf-8"))
    assert told["method"]["equation"] == cw.METHODS["hirescam"].equation
    assert told["method"]["paper"] == cw.METHODS["hirescam"].paper
    asked = told["question"]
    assert (asked["layer"], asked["target"], asked["counter"]) == ("head_relu", "logit", False)
    assert (asked["class_index"], asked["class_name"]) == (281, "tabby")
    assert (asked["versus"], asked["versus_name"]) == (282, "tiger cat")
    assert told["result"]["maximum"] == float(found.raw.max())
    assert told["result"]["minimum"] == float(found.raw.min()) < 0
    assert told["result"]["score"] == found.score
    assert "bilinear" in told["display"]["interpolation"]
    assert {"tensorflow-cpu", "keras", "numpy", "Python"} <= set(told["versions"])
    pixels = gallery["cat"].pixels
    assert told["image"]["pixels_sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()
    whole = hashlib.sha256()
    for weight in lite0.model.weights:  # worked by hand, as the docstring says
        values = np.asarray(weight)
        whole.update(f"{weight.path} {values.dtype} {values.shape} ".encode() + values.tobytes())
    assert told["network"]["weights_sha256"] == whole.hexdigest()
    for name, digest in told["files"].items():
        assert hashlib.sha256((path.parent / name).read_bytes()).hexdigest() == digest
    assert sorted(each.name for each in path.parent.iterdir()) == [
        "attribution.json", "overlay.png", "photograph.png", "raw.npy",
    ]  # fmt: skip


def test_no_path_of_the_machine_is_written(lite0, gallery, tmp_path):
    Image.fromarray(gallery["cat"].pixels).save(tmp_path / "secret.png")
    sample = cw.load_image(tmp_path / "secret.png")
    path = cw.attribute(lite0, sample).save(tmp_path / "out")
    for file in path.parent.iterdir():
        assert str(tmp_path).encode() not in file.read_bytes()


@pytest.mark.parametrize("method", FAST)
@pytest.mark.parametrize("fit", ["squash", "crop", "letterbox"])
def test_a_bundle_comes_back_as_it_was_and_repeats_to_the_bit(
    tiny_net, photo, tmp_path, method, fit
):
    sample = cw.load_image(photo, fit=fit)
    found = cw.attribute(tiny_net, sample, method, 2, counter=True)
    found.save(tmp_path)
    back = cw.load_attribution(tmp_path)
    np.testing.assert_array_equal(back.raw, found.raw)
    np.testing.assert_array_equal(back.heatmap, found.heatmap)
    for name in ("method", "class_index", "class_name", "layer", "target", "signed", "score",
                 "probability", "versus", "versus_index", "counter", "removed", "question",
                 "empty", "request"):  # fmt: skip
        assert getattr(back, name) == getattr(found, name), name
    np.testing.assert_array_equal(back.sample.pixels, sample.pixels)
    again = cw.attribute(tiny_net, back.sample, **back.request)
    np.testing.assert_array_equal(again.raw, found.raw)
    np.testing.assert_array_equal(again.heatmap, found.heatmap)
    assert back.definition()["result"] == found.definition()["result"]


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("rise", {"masks": 40, "seed": 3}),
        ("smoothgrad", {"samples": 5, "seed": 9}),
        ("integrated-gradients", {"steps": 7}),
        ("occlusion", {"patch": 0.5, "stride": 0.25}),
        ("score-cam", {}),
        ("ablation-cam", {}),
    ],
)
def test_options_and_seeds_are_part_of_the_bundle(tiny_net, photo, tmp_path, method, options):
    cw.attribute(tiny_net, photo, method, **options).save(tmp_path)
    back = cw.load_attribution(tmp_path)
    assert options.items() <= back.request.items()
    again = cw.attribute(tiny_net, back.sample, **back.request)
    np.testing.assert_array_equal(again.raw, back.raw)


@pytest.mark.slow
def test_another_process_repeats_the_map_to_the_bit(saved):
    _, path = saved
    code = (
        "import sys, numpy as np, cnn_widgets as cw\n"
        "back = cw.load_attribution(sys.argv[1]); net = cw.load_network()\n"
        "again = cw.attribute(net, back.sample, **back.request)\n"
        "told = again.definition()['network'] == back.definition()['network']\n"
        "print(np.array_equal(again.raw, back.raw), told)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path.parent)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[-2:] == ["True", "True"]


def test_a_map_of_weights_that_are_gone_is_not_saved(keras, photo, tmp_path):
    model = tiny(keras)
    found = cw.attribute(cw.Network(model, preprocess="none"), photo)
    kernel = model.get_layer("conv1").kernel
    kernel.assign(np.asarray(kernel) * 1.01)  # one layer, by hand: the quick look may miss it
    with pytest.raises(ValueError, match="weights of 'tiny' have changed since"):
        found.save(tmp_path / "late")
    assert not (tmp_path / "late").exists()


@pytest.mark.parametrize("change", ["shuffled", "one number"])
def test_a_change_that_keeps_the_sum_or_is_small_is_noticed_too(keras, photo, tmp_path, change):
    model = tiny(keras, classes=4)
    found = cw.attribute(cw.Network(model, preprocess="none"), photo)
    kernel = model.get_layer("conv1").kernel
    values = np.asarray(kernel).copy()
    if change == "shuffled":
        flat = values.reshape(-1)[::-1].copy()
        values = flat.reshape(values.shape)
    else:
        values[1, 1, 1, 1] += 1e-3
    kernel.assign(values)
    with pytest.raises(ValueError, match="have changed since"):
        found.save(tmp_path / "late")


def test_saving_changes_nothing_in_the_model(keras, photo, tmp_path):
    model = tiny(keras)
    before = fingerprint(model)
    cw.attribute(cw.Network(model, preprocess="none"), photo).save(tmp_path)
    assert fingerprint(model) == before


def test_a_map_that_is_empty_or_has_no_probability_is_saved_too(keras, photo, tmp_path):
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(2, 3, activation="relu", name="conv", kernel_initializer="ones")(inputs)
    outputs = layers.Dense(1, kernel_initializer=keras.initializers.Constant(-1.0))(
        layers.GlobalAveragePooling2D()(x)
    )
    net = cw.Network(keras.Model(inputs, outputs), preprocess="none")
    found = cw.attribute(net, photo)
    assert found.empty
    assert found.removed == 1.0  # all of it speaks against: the ReLU took everything
    told = json.loads(found.save(tmp_path).read_text("utf-8"))
    assert told["result"]["probability"] is None
    assert told["result"]["empty"] is True
    assert np.isnan(cw.load_attribution(tmp_path).probability)


def test_the_overlay_is_the_picture_on_screen(saved):
    found, path = saved
    with Image.open(path.parent / "overlay.png") as picture:
        shown = np.asarray(picture)
    expected = cw.overlay(found.sample.pixels, found.heatmap, 0.6, "RdBu_r", signed=True)
    np.testing.assert_array_equal(shown, expected)


def test_a_signed_map_without_counter_evidence_is_white_where_it_is_zero():
    pixels = np.full((2, 2, 3), 100, np.uint8)
    values = np.array([[0.0, 1.0], [0.0, 0.0]], np.float32)
    shown = cw.overlay(pixels, values, 1.0, "RdBu_r", signed=True)
    assert shown[0, 0].min() > 240
    assert shown[0, 1, 0] > shown[0, 1, 2]


@pytest.mark.parametrize("name", ["raw.npy", "photograph.png"])
def test_a_changed_or_missing_file_is_noticed(saved, name):
    folder = saved[1].parent
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ValueError, match=f"{name} is not the file that was saved"):
        cw.load_attribution(folder)
    (folder / name).unlink()
    with pytest.raises(ValueError, match=name):
        cw.load_attribution(folder)


def test_what_is_no_bundle_gets_one_clear_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"attribution\.json is missing"):
        cw.load_attribution(tmp_path)
    wrong = {
        "{": "Cannot read",
        "[]": "format",
        '{"format": "x"}': "format",
        '{"format": "cnn_widgets attribution 1"}': r"raw\.npy",
    }
    for text, reason in wrong.items():
        (tmp_path / "attribution.json").write_text(text)
        with pytest.raises(ValueError, match=reason):
            cw.load_attribution(tmp_path)


def test_a_pickle_in_the_place_of_the_map_is_not_executed(saved):
    folder = saved[1].parent
    np.save(folder / "raw.npy", np.array([print], dtype=object), allow_pickle=True)
    told = json.loads(saved[1].read_text("utf-8"))
    told["files"]["raw.npy"] = hashlib.sha256((folder / "raw.npy").read_bytes()).hexdigest()
    saved[1].write_text(json.dumps(told))
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        cw.load_attribution(folder)


def test_a_folder_that_cannot_be_written_loses_nothing(saved, tmp_path):
    found, path = saved
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="file"):
        found.save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    found.save(path.parent)  # a second time, over the first
    assert cw.load_attribution(path.parent).method == "hirescam"


def test_the_share_that_the_relu_takes_is_worked_by_hand():
    values = np.array([[[3.0, 1.0]], [[1.0, -2.0]]], np.float32)
    gradients = np.ones_like(values)
    summed = cw.METHODS["grad-cam"].of(values, gradients)
    np.testing.assert_array_equal(summed, [[4.0], [-1.0]])
    assert _removed(summed) == pytest.approx(1 / 5)
    assert _removed(np.zeros((2, 2), np.float32)) == 0.0


def test_saturation_is_said_where_the_probability_is_explained(lite0, gallery):
    sample = gallery["photographer"]
    sure = cw.attribute(lite0, sample, target="probability", class_index="zebra")
    assert sure.saturated
    assert not cw.attribute(lite0, sample, class_index="zebra").saturated
    assert not cw.attribute(lite0, gallery["cat"], target="probability").saturated


def test_the_digest_sees_every_weight_and_its_place(keras):
    one, same, other = tiny(keras), tiny(keras), tiny(keras, seed=1)
    assert weights.weights_digest(one) == weights.weights_digest(same)
    assert weights.weights_digest(one) != weights.weights_digest(other)
    bias = same.get_layer("dense").bias
    bias.assign(np.asarray(bias) + np.float32([1e-7, 0, 0, 0]))
    assert weights.weights_digest(one) != weights.weights_digest(same)
