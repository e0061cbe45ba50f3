"""The command line: the report in full, and the start of JupyterLab up to its door."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from helpers.servers import free_port
from PIL import Image

from cnn_widgets import cli
from cnn_widgets.report import write_report


@pytest.mark.slow
def test_report_writes_predictions_mosaics_and_overlays(tmp_path, gallery, capsys):
    Image.fromarray(gallery["cat"].pixels).save(tmp_path / "my cat.png")
    Image.fromarray(gallery["espresso"].pixels).save(tmp_path / "cup.png")
    out = tmp_path / "out"
    code = cli.main(
        [
            "report",
            str(tmp_path / "my cat.png"),
            str(tmp_path / "cup.png"),
            "--class",
            "tiger cat",
            "-o",
            str(out),
        ]
    )
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "cup_mosaic.png",
        "cup_overlay.png",
        "my_cat_mosaic.png",
        "my_cat_overlay.png",
        "predictions.json",
    ]
    summary = json.loads((out / "predictions.json").read_text())
    best = [entry["top"][0]["name"] for entry in summary["images"]]
    assert best == ["Egyptian cat", "espresso"]
    assert {entry["explained"]["class_index"] for entry in summary["images"]} == {282}
    with Image.open(out / "cup_overlay.png") as picture:
        assert picture.size == (600, 400)
    assert str(tmp_path) not in (out / "predictions.json").read_text()
    assert "my cat: Egyptian cat (77.1%)" in capsys.readouterr().out


@pytest.mark.slow
def test_report_takes_a_class_by_number_a_layer_and_a_method(tmp_path, gallery):
    Image.fromarray(gallery["cat"].pixels).save(tmp_path / "cat.png")
    cli.main(
        [
            "report",
            str(tmp_path / "cat.png"),
            "--class",
            "285",
            "--layer",
            "block5_expand",
            "--method",
            "hirescam",
            "-o",
            str(tmp_path / "out"),
        ]
    )
    entry = json.loads((tmp_path / "out" / "predictions.json").read_text())["images"][0]
    assert entry["explained"]["layer"] == entry["mosaic_layer"] == "block5_expand"
    assert entry["explained"]["method"] == "hirescam"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_such.png"], "There is no file"),
        (["{cat}", "--layer", "conv9"], "Unknown layer 'conv9'"),
        (["{cat}", "--class", "unicorn"], "Unknown class 'unicorn'"),
        (["{cat}", "--method", "magic"], "Unknown method 'magic'"),
        (["{cat}", "--model", "NoNet"], "Unknown network 'NoNet'"),
        (["{text}"], "not a picture"),
    ],
)
def test_bad_input_ends_in_one_line_and_writes_nothing(tmp_path, arguments, message, capsys):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "cat.png")
    (tmp_path / "text.png").write_text("words")
    places = {"cat": tmp_path / "cat.png", "text": tmp_path / "text.png"}
    with pytest.raises(SystemExit) as stop:
        cli.main(["report", *(a.format(**places) for a in arguments), "-o", str(tmp_path / "out")])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("cnn-widgets: ")
    assert message in error
    assert not (tmp_path / "out").exists()


def test_notebooks_are_copied_once_and_never_overwritten(tmp_path):
    folder = cli.notebooks_folder(tmp_path / "mine")
    first = folder / cli.FIRST
    assert first.exists()
    first.write_text("my own notes")
    cli.notebooks_folder(tmp_path / "mine")
    assert first.read_text() == "my own notes"


def test_in_a_checkout_the_notebooks_are_used_in_place():
    assert cli.notebooks_folder() == Path(cli.__file__).parent.parent / "notebooks"


def fetched(url):
    """Return what a server gives that says its address a moment before it listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return answer.read()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@pytest.mark.slow
def test_the_command_serves_the_first_notebook(tmp_path):
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "cnn_widgets.cli",
        "--folder",
        str(tmp_path / "books"),
        "--port",
        str(port),
        "--no-browser",
    ]
    environment = {
        **os.environ, "HOME": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path),
        "JUPYTER_DATA_DIR": str(tmp_path),
    }  # fmt: skip
    server = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        said = ""
        for line in server.stdout:
            said += line
            if address := re.search(r"(http://127\.0\.0\.1:\d+)/\S*token=(\w+)", line):
                break
        assert "The notebooks are in" in said
        assert f"/doc/tree/{cli.FIRST}" in address[0]
        served = f"{address[1]}/api/contents/{cli.FIRST}?token={address[2]}"
        assert json.loads(fetched(served))["name"] == cli.FIRST
        assert b"jupyter" in fetched(address[0]).lower()
        about = "lab/api/settings/@jupyterlab/apputils-extension:notification"
        told = json.loads(fetched(f"{address[1]}/{about}?token={address[2]}"))
        assert told["schema"]["properties"]["fetchNews"]["default"] == "false"
    finally:
        server.terminate()
        server.communicate(timeout=20)


def test_a_report_by_an_unknown_method_is_refused_and_nothing_is_written(tiny_net, photo, tmp_path):
    with pytest.raises(ValueError, match="Unknown method 'nothing'"):
        write_report(tiny_net, [photo], tmp_path / "out", method="nothing")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "slow"),
    [
        (["check", "m.keras", "photos", "--keep", "kept"], "cnn_widgets.networks.load_network"),
        (["check", "handins"], "cnn_widgets.classroom.check_hand_ins"),
        (["report", "cat.png"], "cnn_widgets.networks.load_network"),
        (["audit", "photos"], "cnn_widgets.networks.load_network"),
    ],
)
def test_ctrl_c_ends_in_one_line_and_code_130(tmp_path, monkeypatch, capsys, command, slow):
    (tmp_path / "photos").mkdir()
    for name in ("cat.png", "photos/cat.png"):
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(slow, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    there = sorted(tmp_path.rglob("*"))
    assert cli.main(command) == 130
    assert capsys.readouterr().err.split("\n") == ["", "cnn-widgets: stopped.", ""]
    assert sorted(tmp_path.rglob("*")) == there
