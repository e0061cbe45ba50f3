"""HDF5 files as Keras 2 wrote them open in Keras 3 with the same answers."""

from __future__ import annotations

import json
import zipfile

import h5py
import numpy as np
import pytest

import cnn_widgets as cw
from cnn_widgets.model_files.keras2_config import upgraded

pytestmark = pytest.mark.filterwarnings("ignore:.*legacy.*")


def older(config):
    """Return a configuration of Keras 3 in the words of Keras 2."""
    if isinstance(config, list):
        return [older(each) for each in config]
    if not isinstance(config, dict):
        return config
    if "class_name" not in config or not isinstance(config.get("config"), dict):
        return {key: older(value) for key, value in config.items()}
    kind, own = config["class_name"], dict(config["config"])
    if kind == "DTypePolicy":
        return "float32"
    if kind == "InputLayer":
        own["batch_input_shape"] = own.pop("batch_shape")
        own["ragged"] = False
    if kind == "DepthwiseConv2D":
        own["groups"] = 1
    if kind == "BatchNormalization":
        own |= {"axis": [3], "renorm": False, "fused": True, "virtual_batch_size": None}
    if kind == "VarianceScaling" and own["distribution"] == "truncated_normal":
        own["distribution"] = "normal"
    if kind == "Functional":
        kind = "Model"
    found = {"class_name": kind, "config": {key: older(value) for key, value in own.items()}}
    for key in ("name", "inbound_nodes"):
        if key in config:
            found[key] = config[key]
    return found


def saved_as_keras_2(model, path):
    """Save a model and write its configuration anew, as Keras 2 would have."""
    model.save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(older(json.loads(file.attrs["model_config"])))
        file.attrs["keras_version"] = "2.11.0"
    return path


def school_model(keras, classes=3):
    """Return a model nested as Teachable Machine nests: two Sequentials, a functional in one."""
    L = keras.layers
    keras.utils.set_random_seed(3)
    inputs = keras.Input((32, 32, 3), name="input_1")
    x = L.Conv2D(4, 3, strides=2, padding="same", use_bias=False, name="Conv1")(inputs)
    x = L.BatchNormalization(name="bn_Conv1")(x)
    x = L.ReLU(6.0, name="Conv1_relu")(x)
    x = L.DepthwiseConv2D(3, padding="same", use_bias=False, name="expanded_conv_depthwise")(x)
    x = L.ReLU(6.0, name="out_relu")(x)
    base = keras.Model(inputs, x, name="model1")
    first = keras.Sequential(
        [keras.Input((32, 32, 3)), base, L.GlobalAveragePooling2D(name="pool")], name="sequential_1"
    )
    start = keras.initializers.VarianceScaling(1.0, "fan_in", "truncated_normal")
    second = keras.Sequential(
        [
            keras.Input((4,)),
            L.Dense(10, activation="relu", kernel_initializer=start, name="dense_Dense1"),
            L.Dense(classes, activation="softmax", use_bias=False, name="dense_Dense2"),
        ],
        name="sequential_3",
    )
    return keras.Sequential([keras.Input((32, 32, 3)), first, second], name="sequential_4")


def picture(size=(32, 32)):
    return cw.load_image(np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8))


@pytest.fixture
def exported(tmp_path, keras):
    """A folder as Teachable Machine exports it, and the model in it."""
    model = school_model(keras)
    saved_as_keras_2(model, tmp_path / "keras_model.h5")
    (tmp_path / "labels.txt").write_text("0 cat\n1 big dog\n2 owl\n")
    return tmp_path, model


def test_a_model_of_teachable_machine_opens_with_names_scale_and_crop(exported):
    folder, model = exported
    net = cw.load_network(folder / "keras_model.h5")
    assert net.class_names == ("cat", "big dog", "owl")
    assert net.fit == "crop"
    wide = picture((32, 64))
    given = net.input_tensor(wide)
    middle = wide.pixels[:, 16:48].astype(np.float32) / 127.5 - 1
    np.testing.assert_allclose(given, middle, atol=1e-6)
    want = np.asarray(model(given[None]))[0]
    np.testing.assert_allclose(net.scores(wide)[1], want, atol=1e-5)
    assert any("Teachable Machine" in note and "−1…1" in note for note in net.notes)
    assert net.default_layer == "sequential_1/model1/out_relu"
    heat = cw.attribute(net, wide, "hirescam").heatmap
    assert not heat[:, :16].any()
    assert not heat[:, 48:].any()
    assert heat[:, 16:48].any()


def test_what_the_caller_says_goes_before_what_the_file_suggests(exported):
    net = cw.load_network(
        exported[0] / "keras_model.h5", class_names=["a", "b", "c"], preprocess="none", fit="squash"
    )
    assert net.class_names == ("a", "b", "c")
    assert net.fit == "squash"
    assert net.input_tensor(picture()).max() > 200


def test_the_archive_that_teachable_machine_exports_opens_as_it_is(exported, tmp_path):
    folder, model = exported
    with zipfile.ZipFile(tmp_path / "converted_keras.zip", "w") as archive:
        for name in ("keras_model.h5", "labels.txt"):
            archive.write(folder / name, name)
    net = cw.load_network(str(tmp_path / "converted_keras.zip"))
    assert net.name == "converted_keras"
    assert net.class_names == ("cat", "big dog", "owl")
    want = np.asarray(model(net.input_tensor(picture())[None]))[0]
    np.testing.assert_allclose(net.scores(picture())[1], want, atol=1e-5)


def test_another_archive_says_what_is_missing(tmp_path):
    with zipfile.ZipFile(tmp_path / "holiday.zip", "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(ValueError, match=r"holiday\.zip .*ZIP archive without keras_model\.h5"):
        cw.load_network(tmp_path / "holiday.zip")
    (tmp_path / "bad.zip").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="no ZIP archive"):
        cw.load_network(tmp_path / "bad.zip")


def test_labels_of_another_count_are_not_taken(exported):
    (exported[0] / "labels.txt").write_text("0 cat\n1 dog\n")
    assert cw.load_network(exported[0] / "keras_model.h5").class_names[0] == "class 0"


def test_any_old_model_opens_and_its_file_is_not_written_to(tmp_path, keras):
    model = school_model(keras)
    path = saved_as_keras_2(model, tmp_path / "mine.h5")
    before = path.read_bytes()
    net = cw.load_network(path)
    assert path.read_bytes() == before
    assert net.fit == "squash"
    assert not any("Teachable" in note for note in net.notes)
    want = np.asarray(model(net.input_tensor(picture())[None]))[0]
    np.testing.assert_allclose(net.scores(picture())[1], want, atol=1e-5)


def test_settings_that_mean_something_stay_and_are_refused_by_name(tmp_path, keras):
    path = saved_as_keras_2(school_model(keras), tmp_path / "grouped.h5")
    with h5py.File(path, "r+") as file:
        text = str(file.attrs["model_config"]).replace('"groups": 1', '"groups": 2')
        file.attrs["model_config"] = text
    with pytest.raises(ValueError, match="groups"):
        cw.load_network(path)


def test_code_in_an_old_file_is_refused_as_ever(tmp_path, keras):
    path = saved_as_keras_2(school_model(keras), tmp_path / "lambda.h5")
    with h5py.File(path, "r+") as file:
        text = str(file.attrs["model_config"]).replace('"ReLU"', '"Lambda"')
        file.attrs["model_config"] = text
    with pytest.raises(ValueError, match="It holds code"):
        cw.load_network(path)


def batch_norm(axis):
    return {"class_name": "BatchNormalization", "config": {"axis": axis}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            batch_norm({"class_name": "ListWrapper", "config": [3]}),
            batch_norm(3),
        ),
        (
            {"class_name": "LSTM", "config": {"units": 4, "time_major": False, "go": 2}},
            {"class_name": "LSTM", "config": {"units": 4, "go": 2}},
        ),
        (
            {"class_name": "LSTM", "config": {"units": 4, "time_major": True}},
            {"class_name": "LSTM", "config": {"units": 4, "time_major": True}},
        ),
        ([{"a": 1}, "b", 3, None], [{"a": 1}, "b", 3, None]),
    ],
)  # fmt: skip
def test_only_settings_without_effect_are_dropped(before, after):
    assert upgraded(before) == after
