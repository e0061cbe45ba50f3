"""What people give as a network that is none is named for what it is, with what to do."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from PIL import Image

import cnn_widgets as cw


def write(path, data=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def torch_archive(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02.")
    return path


FILES = {
    "SavedModel": lambda f: write(f / "saved" / "saved_model.pb").parent,
    "TensorFlow Lite": lambda f: write(f / "model.tflite", b"\x1c\0\0\0TFL3" + bytes(20)),
    "TensorFlow Lite ": lambda f: write(f / "model.bin", b"\x1c\0\0\0TFL3" + bytes(20)),
    "PyTorch": lambda f: write(f / "model.pt"),
    "PyTorch ": lambda f: torch_archive(f / "model.zip"),
    "ONNX": lambda f: write(f / "model.onnx"),
    "safetensors": lambda f: write(f / "model.safetensors"),
    "checkpoint": lambda f: write(f / "model.ckpt"),
    "part of a SavedModel": lambda f: write(f / "saved_model.pb"),
    "TensorFlow.js": lambda f: write(f / "model.json", b"{}"),
    "pickle": lambda f: write(f / "model.pkl"),
    "it is a picture": lambda f: write(f / "cat.jpg"),
    "folder of pictures": lambda f: write(f / "photos" / "cats" / "1.jpg").parent.parent,
    "Give the file in it": lambda f: write(f / "folder" / "model.keras").parent,
    "it is a folder": lambda f: write(f / "other" / "notes.txt").parent,
}


@pytest.mark.parametrize("what", FILES)
@pytest.mark.parametrize("as_text", [False, True])
def test_a_file_is_named_for_what_it_is(tmp_path, what, as_text):
    path = FILES[what](tmp_path)
    with pytest.raises(ValueError, match="cannot be loaded as a Keras model") as caught:
        cw.load_network(str(path) if as_text else path)
    line = str(caught.value)
    assert what.strip() in line
    assert path.name in line
    assert "\n" not in line
    assert "VGG16" not in line  # the list of all classifiers helps nobody here


def test_weights_alone_say_so(tmp_path, keras):
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3)])
    model.save_weights(tmp_path / "mine.weights.h5")
    with pytest.raises(ValueError, match="weights only, no architecture"):
        cw.load_network(tmp_path / "mine.weights.h5")


@pytest.mark.parametrize("name", ["missing.keras", "no/such/model", "./model", "model.onnx"])
def test_a_path_that_is_not_there_is_called_missing(name):
    with pytest.raises(FileNotFoundError, match="There is no model file"):
        cw.load_network(name)


def test_a_name_that_is_no_path_is_still_a_name():
    with pytest.raises(ValueError, match="Unknown network 'MobilNet'"):
        cw.load_network("MobilNet")


def fake(module, name):
    return type(name, (), {"__module__": module})()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (lambda k: fake("tf_keras.src.engine.functional", "Functional"), "tf_keras"),
        (lambda k: fake("tensorflow.python.keras.engine", "Model"), "tf_keras"),
        (lambda k: fake("tensorflow_hub.keras_layer", "KerasLayer"), "TensorFlow Hub"),
        (lambda k: fake("tensorflow.python.saved_model.load", "_UserObject"), "SavedModel"),
        (lambda k: fake("torch.nn.modules.container", "Sequential"), "PyTorch module"),
        (lambda k: fake("sklearn.svm", "SVC"), "scikit-learn"),
        (lambda k: [k.layers.Dense(2)], "a list"),
        (lambda k: k.layers.Dense(2), "a single layer"),
        (lambda k: k.Model, "the class"),
        (lambda k: np.zeros(3), "ndarray"),
        (lambda k: Image.new("RGB", (2, 2)), "Image"),
    ],
)
def test_an_object_is_named_for_what_it_is(keras, given, said):
    with pytest.raises(TypeError, match="Expected a Keras model") as caught:
        cw.load_network(given(keras))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_own_classes_open_only_with_trust(tmp_path, keras):
    class Double(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, name="conv")(Double()(inputs))
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))
    model.save(tmp_path / "own.keras")
    with pytest.raises(ValueError, match="trust=True"):
        cw.load_network(tmp_path / "own.keras")
    with pytest.raises(ValueError, match="say trust=True"):
        cw.load_network(tmp_path / "own.keras", custom_objects={"Double": Double})
    net = cw.load_network(
        tmp_path / "own.keras", custom_objects={"Double": Double}, trust=True, preprocess="none"
    )
    x = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    np.testing.assert_allclose(net.model(x), model(x), atol=1e-6)


def test_a_lambda_runs_only_with_trust(tmp_path, keras):
    layers = [keras.layers.Lambda(lambda x: x * 2.0), keras.layers.Conv2D(2, 3, name="conv")]
    rest = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, activation="softmax")]
    keras.Sequential([keras.Input((8, 8, 3)), *layers, *rest]).save(tmp_path / "lambda.keras")
    with pytest.raises(ValueError, match="It holds code"):
        cw.load_network(tmp_path / "lambda.keras")
    assert cw.load_network(tmp_path / "lambda.keras", trust=True).classes == 2
