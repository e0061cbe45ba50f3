"""Model files that are damaged, foreign or made to do harm: one line says why, nothing is run."""

from __future__ import annotations

import io
import json
import pickle
import random
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from helpers.networks import tiny

import cnn_widgets as cw

pytestmark = pytest.mark.filterwarnings("ignore:.*legacy.*")


@pytest.fixture(scope="module")
def good(tmp_path_factory, keras):
    """A folder with the same small model as .keras and as .h5."""
    folder = tmp_path_factory.mktemp("good")
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(2, 3, activation="relu", name="conv"),
            keras.layers.Flatten(name="flat"),
            keras.layers.Dense(3, activation="softmax", name="dense"),
        ],
        name="plain",
    )
    model.save(folder / "good.keras")
    model.save(folder / "good.h5")
    return folder


@pytest.fixture
def marker(tmp_path):
    """A file that comes into being only if code from a model file is run."""
    return tmp_path / "marker"


@pytest.fixture
def unpack(good):
    """Return the parts of the good .keras file: name to bytes."""
    with zipfile.ZipFile(good / "good.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path, parts, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(name, data if isinstance(data, bytes) else json.dumps(data))
    return path


def refused(path, *reasons):
    """Open a file; return the one line that says why not."""
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        cw.load_network(path)
    line = str(caught.value)
    assert path.name in line
    assert "\n" not in line
    assert len(line) < 700
    for reason in reasons:
        assert reason in line
    return line


# --- files that hold code -----------------------------------------------------------------------


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


@pytest.fixture
def reckless(keras):
    """Whatever the program has set for itself: `enable_unsafe_deserialization`."""
    from keras.src.saving import serialization_lib

    scope = serialization_lib.SafeModeScope(True)
    with scope:
        keras.config.enable_unsafe_deserialization()
        assert serialization_lib.in_safe_mode() is False
        yield serialization_lib


def test_a_program_that_allows_unsafe_files_opens_no_door(lambda_file, marker, reckless):
    refused(lambda_file, "holds code")
    assert not marker.exists()
    assert reckless.in_safe_mode() is False  # the program's own choice is left to it


def test_keras_own_wall_stands_behind_ours(lambda_file, marker, reckless, monkeypatch):
    monkeypatch.setattr("cnn_widgets.networks.model_files._CODE", set())
    refused(lambda_file)
    assert not marker.exists()


def altered(unpack, change):
    config = json.loads(unpack["config.json"])
    change(config)
    return unpack | {"config.json": json.dumps(config).encode()}


def layer(config, name):
    return next(each for each in config["config"]["layers"] if each["config"]["name"] == name)


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


# --- files that unpack to more than there is, or elsewhere --------------------------------------


def bounded(path, *reasons, most=80e6):
    """Refuse a file without taking the memory that it asks for."""
    tracemalloc.start()
    try:
        line = refused(path, *reasons)
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()
    return line


@pytest.mark.parametrize("member", ["config.json", "model.weights.h5"])
def test_a_member_that_unpacks_to_more_than_its_file_holds_is_not_unpacked(
    unpack, tmp_path, member
):
    parts = unpack | {member: bytes(80_000_000)}
    path = pack(tmp_path / "bomb.keras", parts, zipfile.ZIP_DEFLATED)
    del parts
    assert path.stat().st_size < 1e6
    bounded(path, "would unpack to 80 MB", most=5e6)


def test_a_long_configuration_is_refused_even_where_its_file_is_long(unpack, tmp_path):
    parts = unpack | {"config.json": b" " * 70_000_000, "assets/a": bytes(5_000_000)}
    bounded(pack(tmp_path / "long.keras", parts), "would unpack to 70 MB", most=5e6)


@pytest.mark.parametrize("kind", [".keras", ".h5"])
def test_an_array_that_unpacks_to_more_than_its_file_holds_is_not_unpacked(
    unpack, good, tmp_path, kind
):
    h5py = pytest.importorskip("h5py")
    source = io.BytesIO(
        unpack["model.weights.h5"] if kind == ".keras" else (good / "good.h5").read_bytes()
    )
    with h5py.File(source, "r+") as file:
        file.create_dataset("large", shape=(600_000_000,), dtype="f4", chunks=True, compression=9)
    path = tmp_path / f"bomb{kind}"
    if kind == ".keras":
        pack(path, unpack | {"model.weights.h5": source.getvalue()})
    else:
        path.write_bytes(source.getvalue())
    bounded(path, "would unpack to 2400 MB", most=5e6)


def test_a_file_packed_once_more_opens(unpack, tmp_path):
    path = pack(tmp_path / "packed.keras", unpack, zipfile.ZIP_DEFLATED)
    assert cw.load_network(path).classes == 3


@pytest.mark.parametrize(
    "name", ["../out", "assets/../../out", "/out", "\\out", "..\\out", "assets/..", "C:/out"]
)
def test_a_member_outside_its_place_is_refused(unpack, tmp_path, name):
    folder = tmp_path / "inner"
    folder.mkdir()
    path = pack(folder / "outside.keras", unpack | {"assets/a": b"a", name: b"written"})
    refused(path, "outside its place")
    assert [each.name for each in tmp_path.rglob("*out")] == []


def test_names_with_dots_are_inside(unpack, tmp_path):
    path = pack(tmp_path / "dots.keras", unpack | {"assets/a..b": b"a"})
    assert cw.load_network(path).classes == 3


@pytest.mark.parametrize("kind", ["external", "soft", "raw", "virtual"])
def test_weights_are_not_taken_from_other_files(keras, good, tmp_path, kind):
    h5py = pytest.importorskip("h5py")
    path, other = tmp_path / "linked.h5", tmp_path / "other.h5"
    path.write_bytes((good / "good.h5").read_bytes())
    place = "model_weights/dense/plain/dense/bias"
    with h5py.File(other, "w") as file:
        file["secret"] = np.ones(3, np.float32)
    with h5py.File(path, "r+") as file:
        assert file[place].shape == (3,)
        del file[place]
        if kind == "external":
            file[place] = h5py.ExternalLink(str(other), "secret")
        elif kind == "soft":
            file["elsewhere"] = np.ones(3, np.float32)
            file[place] = h5py.SoftLink("/elsewhere")
        elif kind == "raw":
            file.create_dataset(place, (3,), "f4", external=[(str(other), 0, 12)])
        else:
            layout = h5py.VirtualLayout((3,), "f4")
            layout[:] = h5py.VirtualSource(str(other), "secret", (3,))
            file.create_virtual_dataset(place, layout)
    refused(path, "link to another file" if kind in ("raw", "virtual") else "Link")


@pytest.mark.slow
def test_a_model_of_more_than_a_convolution_still_opens(keras, tmp_path, photo):
    model = tiny(keras)
    for suffix in (".keras", ".h5"):
        model.save(tmp_path / f"fine{suffix}")
        found = cw.load_network(tmp_path / f"fine{suffix}", preprocess="none").scores(photo)[0]
        straight = cw.Network(model, preprocess="none").scores(photo)[0]
        np.testing.assert_allclose(found, straight, rtol=1e-5)
