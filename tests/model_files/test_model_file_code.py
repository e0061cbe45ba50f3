"""Model files that are made to do harm: nothing in them is run."""

from __future__ import annotations

import io
import pickle
import sys

import numpy as np
import pytest
from helpers.model_files import altered, layer, pack, refused

import cnn_widgets as cw

pytestmark = pytest.mark.filterwarnings("ignore:.*legacy.*")


def lambda_model(keras, marker):
    payload = eval(f"lambda t: (open({str(marker)!r}, 'w').close(), t)[1]")
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Lambda(payload, output_shape=(8, 8, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )


@pytest.fixture(params=[".keras", ".h5"])
def lambda_file(request, keras, marker, tmp_path):
    path = tmp_path / f"code{request.param}"
    lambda_model(keras, marker).save(path)
    marker.unlink(missing_ok=True)  # building the model ran it
    return path


def test_the_payload_works_on_a_careless_reader(keras, lambda_file, marker):
    model = keras.models.load_model(lambda_file, compile=False, safe_mode=False)
    model(np.zeros((1, 8, 8, 3), np.float32))
    assert marker.exists()


def test_a_lambda_is_refused_and_not_run(lambda_file, marker):
    refused(lambda_file, "holds code (Lambda)", "load it yourself")
    assert not marker.exists()


def test_a_program_that_allows_unsafe_files_opens_no_door(lambda_file, marker, reckless):
    refused(lambda_file, "holds code")
    assert not marker.exists()
    assert reckless.in_safe_mode() is False  # the program's own choice is left to it


def test_keras_own_wall_stands_behind_ours(lambda_file, marker, reckless, monkeypatch):
    monkeypatch.setattr("cnn_widgets.model_files.opening._CODE", set())
    refused(lambda_file)
    assert not marker.exists()


def function(module, name, registered=None):
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": registered or name,
    }


FUNCTIONS = [
    ("os", "system"),
    ("posix", "system"),
    ("subprocess", "getoutput"),
    ("builtins", "exec"),
    ("builtins", "eval"),
    ("builtins", "open"),
    ("keras.utils", "get_file"),
    ("keras.models", "load_model"),
    ("keras.config", "enable_unsafe_deserialization"),
    ("keras.src.utils.python_utils", "func_load"),
    ("keras.src.backend", "os"),
    (None, "system"),
    (5, "system"),
]


@pytest.mark.parametrize(
    ("module", "name", "registered"),
    [(*each, None) for each in FUNCTIONS]
    + [(*FUNCTIONS[i], trick) for i in (0, 3, 7) for trick in ("relu", "keras>ReLU", "Dense")],
)
def test_a_function_that_is_no_part_of_a_network_is_refused(
    unpack, tmp_path, marker, module, name, registered
):
    def change(config):
        layer(config, "conv")["config"]["activation"] = function(module, name, registered)

    refused(pack(tmp_path / "trick.keras", altered(unpack, change)))
    assert not marker.exists()


@pytest.mark.parametrize(
    "module", ["subprocess", "keras.src.subprocess", "keras", None, "builtins"]
)
@pytest.mark.parametrize("registered", ["Popen", "Dense", None])
@pytest.mark.parametrize("whole", [True, False], ids=["the model", "a layer"])
def test_a_class_that_is_no_layer_is_refused_and_not_made(
    unpack, tmp_path, marker, module, registered, whole
):
    popen = {
        "module": module,
        "class_name": "Popen",
        "config": {"args": ["touch", str(marker)], "name": "dense"},
        "registered_name": registered,
    }

    def change(config):
        if whole:
            config.clear()
            config.update(popen)
        else:
            config["config"]["layers"][-1] = popen

    path = pack(tmp_path / "trick.keras", altered(unpack, change))
    if module is None and registered == "Dense" and not whole:
        refused(path)
    else:
        refused(path, "Popen")
    assert not marker.exists()


def test_a_layer_of_an_unknown_module_is_refused_without_importing_it(
    unpack, tmp_path, marker, monkeypatch
):
    (tmp_path / "evil_layers.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(tmp_path)

    def change(config):
        layer(config, "conv").update(
            module="evil_layers", class_name="Evil", registered_name="evil>Evil"
        )

    path = pack(tmp_path / "custom.keras", altered(unpack, change))
    refused(path, "It needs 'Evil', which Keras does not know", "load it yourself")
    assert not marker.exists()
    assert "evil_layers" not in sys.modules


def test_a_layer_that_the_program_has_registered_is_no_stranger(tmp_path, keras, photo):
    @keras.saving.register_keras_serializable("test_model_files")
    class Own(keras.layers.Layer):
        def call(self, x):
            return x * 2.0

    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(Own()(inputs))
    keras.Model(inputs, keras.layers.Dense(2)(x)).save(tmp_path / "own.keras")
    assert cw.load_network(tmp_path / "own.keras").classes == 2


@pytest.mark.parametrize("unsafe", [False, True])
def test_a_layer_that_runs_a_saved_program_is_refused(keras, tmp_path, good, unsafe, request):
    if unsafe:
        request.getfixturevalue("reckless")
    source = keras.models.load_model(good / "good.keras")
    source.export(tmp_path / "program", verbose=False)
    inputs = keras.Input((8, 8, 3))
    outside = keras.layers.TFSMLayer(str(tmp_path / "program"), call_endpoint="serve")
    keras.Model(inputs, outside(inputs)).save(tmp_path / "outside.keras")
    refused(tmp_path / "outside.keras", "holds code (TFSMLayer)")


def test_a_vocabulary_is_not_read_from_this_machine(unpack, tmp_path, reckless):
    (tmp_path / "secret.txt").write_text("secret\n")

    def change(config):
        config["config"]["layers"][-1] = {
            "module": "keras.layers",
            "class_name": "StringLookup",
            "config": {"name": "dense", "vocabulary": str(tmp_path / "secret.txt")},
            "registered_name": None,
        }

    line = refused(pack(tmp_path / "words.keras", altered(unpack, change)))
    assert "vocabulary" in line


class Payload:
    """Unpickled, it makes the marker."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_by_a_model_s_name_is_never_opened(tmp_path, marker, suffix, protocol):
    path = tmp_path / f"pickle{suffix}"
    path.write_bytes(pickle.dumps(Payload(marker), protocol))
    refused(path, "pickle" if protocol else "no ZIP archive")
    assert not marker.exists()
    pickle.loads(path.read_bytes()).close()  # it would have worked
    assert marker.exists()


def test_arrays_of_pickled_objects_are_not_unpickled(unpack, tmp_path, marker):
    """Keras also reads weights from a model.weights.npz."""
    held = io.BytesIO()
    np.savez(held, a=np.array([Payload(marker)], dtype=object))
    parts = {name: data for name, data in unpack.items() if name != "model.weights.h5"}
    refused(pack(tmp_path / "npz.keras", parts | {"model.weights.npz": held.getvalue()}))
    assert not marker.exists()
