"""The command `app`: what it refuses, in one line and before anybody can visit."""

import os
import subprocess
import sys

import pytest

from cnn_widgets import cli
from cnn_widgets.serving import commands, trial
from cnn_widgets.serving.settings import App


def refused(capsys, *arguments):
    """Return the line on standard error with which the command ends."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["app", *arguments])
    assert stopped.value.code == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--visitors", "0"], "Expected visitors of at least 1. Received: 0"),
        (["--idle", "-1"], "Expected idle of at least 0. Received: -1.0"),
        (["--visitors", "many"], "invalid int value: 'many'"),
    ],
)
def test_a_number_that_makes_no_sense(capsys, arguments, said):
    assert said in refused(capsys, *arguments)


def test_without_voila_it_says_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    assert refused(capsys).endswith('The app needs Voilà: pip install "cnn-widgets[app]"')


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"model": "no_such.keras"}, "no_such.keras"),
        ({"images": "no/such/folder"}, "no/such/folder"),
        ({"link": "damaged"}, "damaged"),
    ],
)
def test_what_cannot_be_opened_is_told(asked, said):
    with pytest.raises(ValueError, match=said):
        trial.try_out(App(**asked))


@pytest.mark.slow
def test_nobody_can_visit_what_cannot_be_opened(tmp_path):
    run = subprocess.run(
        [sys.executable, "-m", "cnn_widgets.cli", "app", "--no-browser", "--lock", "nonsense"],
        cwd=tmp_path,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert run.returncode == 2, run.stderr
    told = run.stderr.splitlines()[-1]
    assert told.startswith("cnn-widgets: Unknown control 'nonsense' in lock. Controls: ")
    assert "Traceback" not in run.stderr
    assert "The explorer is at" not in run.stdout


@pytest.mark.slow
def test_a_visitor_is_measured_and_what_is_shared_is_not_counted():
    taken = trial.try_out(App())
    assert 50e6 < taken < 400e6
    assert trial.room_for(taken) >= 1
    assert trial.room_for(10**15) == 1
