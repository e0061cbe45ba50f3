"""`cnn-widgets check`: exit code 0 where nothing changed, 1 for a regression, 2 for an error."""

from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from cnn_widgets import cli


@pytest.fixture(scope="module")
def place(keras, tmp_path_factory):
    """A folder with photographs, a network in a file, and another one that was changed."""
    found = tmp_path_factory.mktemp("command")
    (found / "photos").mkdir()
    rng = np.random.default_rng(0)
    for number in range(6):
        pixels = rng.integers(0, 256, (4, 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)
        Image.fromarray(pixels).save(found / "photos" / f"{number}.png")
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((16, 16, 3)), layers.Rescaling(1 / 255),
        layers.Conv2D(4, 3, activation="relu", name="conv"), layers.GlobalAveragePooling2D(),
        layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    model.save(found / "my.keras")
    kernel, bias = model.get_layer("conv").get_weights()
    model.get_layer("conv").set_weights([kernel[:, :, ::-1] * 3, bias])
    model.save(found / "changed.keras")
    return found


def run(place, model, *more):
    return cli.main(["check", str(place / model), str(place / "photos"), *map(str, more)])


def test_what_was_kept_passes_and_a_changed_network_fails(place, capsys):
    assert run(place, "my.keras", "--keep", place / "evidence") == 0
    assert "kept: 6 photographs in" in capsys.readouterr().out
    assert run(place, "my.keras", "--against", place / "evidence") == 0
    assert capsys.readouterr().out.startswith("passed: 6 photographs and ")
    report = place / "report.xml"
    assert run(place, "changed.keras", "--against", place / "evidence", "--junit", report) == 1
    said = capsys.readouterr().out
    assert f"written: {report}" in said
    assert "FAILED: " in said
    assert "The drift begins at layer 'conv'" in said
    suite = ElementTree.parse(report).getroot()[0]
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) > 0
    lax = [f"--tolerance={name}=1" for name in ("tie", "probability", "centre", "input")]
    lax += ["--tolerance=cka=0", "--tolerance=correlation=0"]
    assert run(place, "my.keras", "--against", place / "evidence", *lax) == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--against", "nowhere"], "holds no evidence"),
        (["--against", "nowhere", "--method", "rise"], "--method belongs to --keep"),
        (["--keep", "out", "--junit", "a.xml"], "belong to --against"),
        (["--keep", "out", "--method", "magic"], "Unknown method 'magic'"),
        (["--against", "nowhere", "--tolerance", "cake=1"], "Unknown tolerance 'cake'"),
        ([], "one of the arguments --keep --against is required"),
    ],
)
def test_an_error_ends_in_one_line_and_exit_code_2(place, more, message, capsys, monkeypatch):
    monkeypatch.chdir(place)
    with pytest.raises(SystemExit) as stop:
        run(place, "my.keras", *more)
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
    assert not (place / "out").exists()
