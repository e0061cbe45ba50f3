"""A stick installs with no network: the real program, on small wheels made by hand."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.wheels import Pip, wheel

from cnn_widgets.setting_up import bundle, filling, stick, wheels

ROOT = Path(stick.__file__).parents[2]


@pytest.fixture
def filled(monkeypatch, tmp_path):
    """Return a function that fills a stick whose doctor ends with an exit code."""

    def fill(code=0):
        monkeypatch.setattr(wheels, "run_pip", Pip(code))
        monkeypatch.setattr(filling, "expected_bytes", lambda extras: 1000)
        lesson = tmp_path / "lesson.ipynb"
        lesson.write_text("from the stick")
        return bundle(tmp_path / "a stick", notebooks=[lesson]).folder

    return fill


def run(folder, *arguments, program=None, **environment):
    """Run the stick's program as a student does, with settings that would lead pip astray."""
    astray = {
        "PIP_INDEX_URL": "http://127.0.0.1:9",
        "PIP_NO_BINARY": ":all:",
        "PYTHONPATH": str(ROOT),
    }
    command = [*(program or [sys.executable, folder / "install.py"]), *arguments]
    return subprocess.run(command, env=os.environ | astray | environment,
                          capture_output=True, text=True, check=False)  # fmt: skip


def inside(target, code):
    scripts = target / ".venv" / ("Scripts" if os.name == "nt" else "bin")
    done = subprocess.run([scripts / "python", "-c", code], capture_output=True, text=True,
                          env=stick.quiet_environment())  # fmt: skip
    return done.stdout.strip()


@pytest.mark.slow
def test_it_installs_copies_the_notebooks_and_asks_the_doctor(filled, tmp_path):
    folder, target = filled(), tmp_path / "my class"
    done = run(folder, target)
    assert done.returncode == 0, done.stderr
    assert "the doctor was run" in done.stdout
    where = inside(target, "import needed, cnn_widgets; print(needed.value, needed.__file__)")
    assert where.startswith(f"1 {target}")
    assert inside(target, "import pip; print('pip')") == "pip"
    assert (target / "notebooks" / "lesson.ipynb").read_text() == "from the stick"
    assert list(target.glob("start.*"))


@pytest.mark.slow
def test_again_it_makes_the_environment_anew_and_keeps_a_student_s_work(filled, tmp_path):
    folder, target = filled(), tmp_path / "class"
    run(folder, target)
    (target / "notebooks" / "lesson.ipynb").write_text("my work")
    (site,) = (target / ".venv").rglob("needed.py")
    site.write_text("value = 'broken'\n")
    assert run(folder, target).returncode == 0
    assert inside(target, "import needed; print(needed.value)") == "1"
    assert (target / "notebooks" / "lesson.ipynb").read_text() == "my work"


@pytest.mark.slow
def test_a_fault_that_the_doctor_finds_is_the_exit_code(filled, tmp_path):
    assert run(filled(code=1), tmp_path / "class").returncode == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the script is for Linux and macOS")
def test_the_shell_script_finds_a_python_and_starts_what_it_installed(filled, tmp_path):
    folder, home = filled(), tmp_path / "home"
    home.mkdir()
    paths = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = run(folder, program=["sh", folder / "install.sh"], HOME=str(home), PATH=paths)
    assert done.returncode == 0, done.stderr
    assert (home / "cnn-widgets" / ".venv").is_dir()
    program = ["sh", home / "cnn-widgets" / "start.sh"]
    started = run(folder, "--no-browser", program=program)
    notebooks = home / "cnn-widgets" / "notebooks"
    assert started.stdout == f"started with --folder {notebooks} --no-browser\n"


@pytest.mark.skipif(os.name == "nt", reason="the script is for Linux and macOS")
def test_the_shell_script_says_which_python_is_missing(filled, tmp_path):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "dirname").symlink_to("/usr/bin/dirname")
    old = tools / "python3"  # a Python that never fits
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = run(filled(), program=["/bin/sh", filled() / "install.sh"], PATH=str(tools))
    assert done.returncode == 2
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"Python {version} ({version}.0 or newer) was not found" in done.stderr


def state(folder, **changed):
    file = folder / stick.MANIFEST
    file.write_text(json.dumps(json.loads(file.read_text()) | changed))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"system": "Plan9"}, "for the system Plan9"),
        ({"machine": "vax"}, "for the processor vax"),
        ({"python": "3.99"}, "needs CPython 3.99"),
        ({"implementation": "Jython"}, "needs Jython"),
        ({"lowest_python": f"{sys.version_info[0]}.{sys.version_info[1]}.99"}, ".99 or newer"),
        ({"installed_bytes": 10**18}, "GB are needed in"),
    ],
)
def test_a_computer_of_another_kind_is_refused_and_nothing_is_made(
    filled, tmp_path, capsys, changed, said
):
    folder, target = filled(), tmp_path / "class"
    state(folder, **changed)
    assert stick.main([str(target)], folder) == 2
    error = capsys.readouterr().err
    assert error.startswith("Not installed. ")
    assert said in error
    assert not (target / ".venv").exists()


def test_a_damaged_stick_installs_nothing(filled, tmp_path, capsys):
    folder, target = filled(), tmp_path / "class"
    (folder / "wheels" / "needed-1.0-py3-none-any.whl").write_bytes(b"")
    assert stick.main([str(target)], folder) == 2
    assert "Damaged: wheels/needed-1.0-py3-none-any.whl has 0 bytes" in capsys.readouterr().err
    (folder / stick.MANIFEST).unlink()
    assert stick.main([str(target)], folder) == 2
    assert "not a finished bundle" in capsys.readouterr().err
    assert not target.exists()


def test_a_check_looks_and_installs_nothing(filled, tmp_path, capsys):
    folder = filled()
    assert stick.main(["--check"], folder) == 0
    assert "all undamaged" in capsys.readouterr().out
    (folder / "README.txt").unlink()
    assert stick.main(["--check"], folder) == 2
    assert "README.txt is missing" in capsys.readouterr().err


def test_a_folder_that_is_no_environment_is_never_cleared(filled, tmp_path, capsys):
    mine = tmp_path / "class" / ".venv" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    assert stick.main([str(tmp_path / "class")], filled()) == 2
    assert "is no environment of Python" in capsys.readouterr().err
    assert mine.read_text() == "mine"


def test_an_environment_that_cannot_be_made_is_told(filled, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(stick.sys, "executable", shutil.which("false") or "where")
    assert stick.main([str(tmp_path / "class")], filled()) == 2
    assert "could not be made" in capsys.readouterr().err


@pytest.mark.slow
def test_a_wheel_that_is_wanting_is_told(filled, tmp_path):
    """The wheels do not suffice: pip says which is missing, and the exit code is not 0."""
    folder = filled()
    place = folder / "wheels"
    (place / "cnn_widgets-0.1.0-py3-none-any.whl").unlink()
    made = wheel(place, "cnn_widgets", "0.1.0", None, "Requires-Dist: absent")
    stated = json.loads((folder / stick.MANIFEST).read_text())
    stated["files"][f"wheels/{made.name}"] = {
        "bytes": made.stat().st_size, "sha256": stick.sha256(made),
    }  # fmt: skip
    state(folder, files=stated["files"])
    done = run(folder, tmp_path / "class")
    assert done.returncode == 2
    assert "absent" in done.stderr
    assert "pip could not install it" in done.stderr


def test_windows_is_told_of_a_folder_that_is_too_long(monkeypatch, tmp_path):
    class Windows:
        name = "nt"

    monkeypatch.setattr(stick, "os", Windows)
    monkeypatch.setattr(stick, "_long_paths_allowed", lambda: False)
    stick._check_length(Path("C/cnn/.venv"), 163)
    with pytest.raises(ValueError, match="too long a folder for Windows"):
        stick._check_length(Path("C" * 100) / ".venv", 163)
    monkeypatch.setattr(stick, "_long_paths_allowed", lambda: True)
    stick._check_length(Path("C" * 100) / ".venv", 163)


def test_the_stick_s_program_needs_the_standard_library_only():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import stick\n"
        "print(sorted({'cnn_widgets', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code, str(Path(stick.__file__).parent)],
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout.strip() == "[]", done.stderr
