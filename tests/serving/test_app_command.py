"""The command `app`: what it refuses, in one line and before anybody can visit."""

import os
import subprocess
import sys

import pytest

from cnn_widgets import cli
from cnn_widgets.serving import commands, trial
from cnn_widgets.serving.settings import App


@pytest.fixture
def unopened(monkeypatch):
    """What is refused is refused before an explorer is opened, which takes seconds."""
    monkeypatch.setattr(commands, "find_spec", lambda name: name)
    monkeypatch.setattr("cnn_widgets.serving.trial.process", lambda *given: pytest.fail("opened"))


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
        (["--idle", "inf"], "Expected idle to be finite. Received: inf"),
        (["--visitors", "many"], "invalid int value: 'many'"),
        (["--port", "99999"], "expected a port from 1 to 65535. Received: '99999'"),
        (["--port", "0"], "expected a port from 1 to 65535. Received: '0'"),
        (["--port", "-1"], "expected a port from 1 to 65535. Received: '-1'"),
        (["--port", "8_866"], "expected a port from 1 to 65535. Received: '8_866'"),
        (["--ip", "300.1.1.1"], "expected an address of this computer, such as 127.0.0.1"),
        (["--ip", "203.0.113.7"], "Received: '203.0.113.7'"),  # kept for documentation
        (["--ip", "a" * 70], "expected an address of this computer"),
        (["--ip", "no such host"], "Received: 'no such host'"),
        (["--lock", "layer", "nonsense"], "Unknown control 'nonsense' in lock. Controls: "),
        (["--link", "damaged"], "Expected a share string that begins with 'cnnw1:'"),
        (["--link", "cnnw1:!!"], "The share string is damaged"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(capsys, unopened, arguments, said):
    assert said in refused(capsys, *arguments)


@pytest.mark.parametrize("ip", ["127.0.0.1", "0.0.0.0", "localhost", ""])
def test_an_address_of_this_computer_is_accepted(ip):
    assert commands.address(ip) == ip
    assert commands.port("65535") == 65535


def test_jupyterlab_s_port_is_checked_too(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--port", "99999"])
    assert "expected a port from 1 to 65535" in capsys.readouterr().err


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
