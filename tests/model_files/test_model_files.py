"""Model files that are damaged, foreign or old: one line says why."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from helpers.model_files import altered, layer, pack, refused
from helpers.networks import tiny

import cnn_widgets as cw

pytestmark = pytest.mark.filterwarnings("ignore:.*legacy.*")


# --- files that are no model, or half of one ----------------------------------------------------


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "It is empty"),
        (b"this is no model", "no ZIP archive and no HDF5 file"),
        (b"PK\x03\x04" + bytes(100), "no ZIP archive"),
        (b"PK\x05\x06" + bytes(18), "without a model"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), ""),
        (b"<html><body>404</body></html>", "no ZIP archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no ZIP archive"),
    ],
)
def test_a_file_that_is_no_model_is_called_by_its_name(tmp_path, suffix, data, reason):
    path = tmp_path / f"odd{suffix}"
    path.write_bytes(data)
    refused(path, reason)


def test_a_zip_a_folder_and_a_missing_file_are_no_models(tmp_path):
    refused(pack(tmp_path / "other.keras", {"readme.txt": b"hello"}), "no config.json")
    (tmp_path / "folder.keras").mkdir()
    (tmp_path / "folder.keras" / "config.json").write_text("{}")
    refused(tmp_path / "folder.keras", "it is a folder")
    refused(tmp_path / "missing.keras", "There is no model file")


@pytest.mark.parametrize(
    "config", [b"", b"{", b"[]", b"null", b"3", b'"x"', b"{}", b"\xff\xfe", b"[" * 100_000]
)
def test_a_configuration_that_is_none_is_refused(unpack, tmp_path, config):
    refused(pack(tmp_path / "config.keras", unpack | {"config.json": config}))


def test_a_file_without_weights_is_refused(unpack, tmp_path):
    parts = {name: data for name, data in unpack.items() if "weights" not in name}
    refused(pack(tmp_path / "bare.keras", parts), "model.weights")


def test_weights_of_another_network_are_refused(unpack, tmp_path):
    def change(config):
        layer(config, "dense")["config"]["units"] = 7

    refused(pack(tmp_path / "other.keras", altered(unpack, change)))


def test_weights_only_say_what_to_do_with_them(keras, good, tmp_path):
    model = keras.models.load_model(good / "good.keras")
    model.save_weights(tmp_path / "only.weights.h5")
    refused(tmp_path / "only.weights.h5", "weights only", "load_weights")


def test_a_format_under_the_other_s_name_is_refused(good, tmp_path):
    (tmp_path / "really.h5").write_bytes((good / "good.keras").read_bytes())
    (tmp_path / "really.keras").write_bytes((good / "good.h5").read_bytes())
    refused(tmp_path / "really.h5", "is a .keras file: rename it")
    refused(tmp_path / "really.keras", "is a .h5 file: rename it")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_cut_short_anywhere_is_refused(good, tmp_path, suffix):
    whole = (good / f"good{suffix}").read_bytes()
    path = tmp_path / f"short{suffix}"
    ends = {*range(0, 64, 7), *range(0, len(whole), len(whole) // 60), len(whole) - 1}
    for end in sorted(ends - {len(whole)}):
        path.write_bytes(whole[:end])
        refused(path)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_damaged_bytes_give_a_network_or_one_line_and_nothing_else(good, tmp_path, suffix):
    whole = (good / f"good{suffix}").read_bytes()
    path = tmp_path / f"hurt{suffix}"
    rng, outcomes = random.Random(5), set()
    for _ in range(25):
        hurt = bytearray(whole)
        for _ in range(rng.choice([1, 4, 64])):
            hurt[rng.randrange(len(hurt))] = rng.randrange(256)
        path.write_bytes(hurt)
        try:
            outcomes.add(cw.load_network(path).name)
        except ValueError as error:
            outcomes.add(str(error))
    assert len(outcomes - {"hurt"}) > 1
    assert all(line.startswith("hurt") and "\n" not in line for line in outcomes)


# --- files of other versions --------------------------------------------------------------------


def test_a_file_of_a_future_keras_says_so_where_it_fails(unpack, tmp_path):
    future = {"metadata.json": json.dumps({"keras_version": "99.1.0"}).encode()}

    def change(config):
        layer(config, "conv").update(class_name="QuantumConv2D")

    path = pack(tmp_path / "future.keras", altered(unpack, change) | future)
    refused(path, "QuantumConv2D'", "saved with Keras 99.1.0; this is Keras 3.")
    works = pack(tmp_path / "works.keras", unpack | future)
    assert cw.load_network(works).classes == 3


def keras_2(good, path, layers):
    """Write a file as Keras 2 wrote it: its own configuration beside the same weights."""
    h5py = pytest.importorskip("h5py")
    path.write_bytes((good / "good.h5").read_bytes())
    config = {"class_name": "Sequential", "config": {"name": "plain", "layers": layers}}
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.12.0"
    return path


def keras_2_layers():
    first = {"name": "in", "batch_input_shape": [None, 8, 8, 3], "sparse": False, "ragged": False}
    conv = {"name": "conv", "filters": 2, "kernel_size": [3, 3], "activation": "relu"}
    dense = {"name": "dense", "units": 3, "activation": "softmax"}
    return [
        {"class_name": "InputLayer", "config": first | {"dtype": "float32"}},
        {"class_name": "Conv2D", "config": conv | {"dtype": "float32", "padding": "valid"}},
        {"class_name": "Flatten", "config": {"name": "flat", "dtype": "float32"}},
        {"class_name": "Dense", "config": dense | {"dtype": "float32"}},
    ]


def test_a_file_of_keras_2_opens_or_says_its_age(good, tmp_path, photo):
    net = cw.load_network(keras_2(good, tmp_path / "old.h5", keras_2_layers()), preprocess="none")
    straight = cw.load_network(good / "good.h5", preprocess="none")
    np.testing.assert_array_equal(net.scores(photo)[0], straight.scores(photo)[0])
    layers = keras_2_layers()
    layers[1]["class_name"] = "GoneConv2D"
    refused(keras_2(good, tmp_path / "gone.h5", layers), "GoneConv2D", "saved with Keras 2.12.0")


def test_a_marshalled_lambda_of_keras_2_is_not_read(good, tmp_path, marker, reckless):
    import base64
    import marshal

    code = compile(f"open({str(marker)!r}, 'w')", "payload", "eval")
    text = base64.b64encode(marshal.dumps(code)).decode("ascii")
    layers = keras_2_layers()
    config = {"name": "flat", "function": [text, None, None], "function_type": "lambda"}
    layers[2] = {"class_name": "Lambda", "config": config | {"module": "x", "arguments": {}}}
    refused(keras_2(good, tmp_path / "old.h5", layers), "holds code (Lambda)")
    assert not marker.exists()


# --- files of more layers than these ------------------------------------------------------------


@pytest.mark.slow
def test_a_model_of_more_than_a_convolution_still_opens(keras, tmp_path, photo):
    model = tiny(keras)
    for suffix in (".keras", ".h5"):
        model.save(tmp_path / f"fine{suffix}")
        found = cw.load_network(tmp_path / f"fine{suffix}", preprocess="none").scores(photo)[0]
        straight = cw.Network(model, preprocess="none").scores(photo)[0]
        np.testing.assert_allclose(found, straight, rtol=1e-5)
