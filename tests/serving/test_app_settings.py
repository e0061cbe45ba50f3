"""What an app is told: numbers that make sense, and paths that hold from anywhere."""

import json

import pytest

from cnn_widgets.serving import App


@pytest.mark.parametrize(
    ("name", "value"),
    [("visitors", 0), ("visitors", -3), ("ready", -1), ("away", 0), ("idle", -1),
     ("away", float("nan"))],
)  # fmt: skip
def test_a_number_that_makes_no_sense_is_refused_by_its_name(name, value):
    with pytest.raises(ValueError, match=rf"Expected {name} of at least \d.* Received: "):
        App(**{name: value})


def test_an_app_comes_back_from_its_text():
    app = App(model="MobileNetV2", lock=("upload", "method"), predict_first=True, visitors=7,
              title="Größe „1“", link="abc")  # fmt: skip
    assert App.from_json(app.to_json()) == app


def test_paths_are_whole_and_names_are_left(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "own.keras").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    told = json.loads(App(model="own.keras", images="photos").to_json())
    assert told["model"] == str(tmp_path / "own.keras")
    assert told["images"] == str(tmp_path / "photos")
    told = json.loads(App(model="MobileNetV2", images="s3://store/photos").to_json())
    assert (told["model"], told["images"]) == ("MobileNetV2", "s3://store/photos")
