"""A bundle for a stick: what is in it, its manifest written last, damage, and no room."""

import errno
import json
import os
import re
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from helpers.disk import full_disk
from helpers.wheels import Pip, own, wheel

from cnn_widgets import cli
from cnn_widgets.setting_up import bundle, check_bundle, filling, stick, wheels
from cnn_widgets.setting_up.notebooks import FIRST

ROOT = Path(__file__).parents[2]
Usage = namedtuple("Usage", "total used free")
PROGRAMS = {"README.txt", "install.bat", "install.py", "install.sh", stick.MANIFEST}


@pytest.fixture
def pip(monkeypatch):
    found = Pip()
    monkeypatch.setattr(wheels, "run_pip", found)
    monkeypatch.setattr(filling, "expected_bytes", lambda extras: 1000)
    return found


@pytest.fixture
def filled(pip, tmp_path):
    """A finished bundle, with what was said meanwhile."""
    said = []
    made = bundle(tmp_path / "stick", say=said.append)
    return made, said


def test_it_holds_wheels_notebooks_programs_and_a_manifest(filled, pip):
    made, said = filled
    folder = made.folder
    assert {path.name for path in folder.iterdir()} == PROGRAMS | {"wheels", "notebooks"}
    assert {path.name.split("-")[0] for path in (folder / "wheels").iterdir()} == {
        "cnn_widgets", "needed", "pip",
    }  # fmt: skip
    assert (folder / "notebooks" / FIRST).is_file()
    built, needed = pip.asked
    assert built[-1] == str(ROOT)  # a checkout builds its own wheel
    assert needed[-2].startswith("cnn-widgets[cpu] @ file://")
    assert needed[-1] == "pip"
    assert said[0] == "about 0 MB will be downloaded or taken from pip's cache (estimated)"


def test_the_manifest_tells_size_hash_and_kind_of_computer(filled):
    made, _ = filled
    stated = json.loads((made.folder / stick.MANIFEST).read_text("utf-8"))
    on_disk = {
        path.relative_to(made.folder).as_posix()
        for path in made.folder.rglob("*")
        if path.is_file()
    }
    assert set(stated["files"]) == on_disk - {stick.MANIFEST}
    assert stated["requirement"] == "cnn-widgets[cpu]==0.1.0"
    assert stated["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert made.bytes == sum((made.folder / name).stat().st_size for name in on_disk)
    assert made.files == len(on_disk)
    assert stated["installed_bytes"] > made.bytes / 2
    assert check_bundle(made.folder) == []


def test_the_programs_name_the_version_of_python_and_leave_no_blank(filled):
    made, _ = filled
    for name in PROGRAMS - {stick.MANIFEST, "install.py"}:
        text = (made.folder / name).read_bytes().decode("ascii")
        assert f"{sys.version_info[0]}.{sys.version_info[1]}" in text, name
        assert not re.search("@[A-Z]+@", text), name
        assert ("\r\n" in text) == (name != "install.sh"), name


def test_an_earlier_bundle_is_replaced_whole(filled, pip):
    made, _ = filled
    (made.folder / "wheels" / "old-1.0-py3-none-any.whl").write_bytes(b"old")
    again = bundle(made.folder)
    assert not (made.folder / "wheels" / "old-1.0-py3-none-any.whl").exists()
    assert check_bundle(again.folder) == []


def spoil(folder, how):
    needed = folder / "wheels" / "needed-1.0-py3-none-any.whl"
    if how == "changed":
        data = bytearray(needed.read_bytes())
        data[40] ^= 1
        needed.write_bytes(data)
    elif how == "instead of":
        needed.write_bytes(needed.read_bytes()[:-1])
    elif how == "missing":
        needed.unlink()
    else:
        shutil.copy(needed, folder / "wheels" / "needed-9.0-py3-none-any.whl")


@pytest.mark.parametrize("how", ["changed", "instead of", "missing", "does not belong here"])
def test_damage_is_found_and_named(filled, how, capsys):
    folder = filled[0].folder
    spoil(folder, how)
    (found,) = check_bundle(folder)
    assert found.startswith("wheels/needed-")
    assert how in found
    assert cli.main(["bundle", str(folder), "--check"]) == 1
    assert "damaged: 1 files" in capsys.readouterr().out


def test_files_that_macos_leaves_on_a_stick_are_no_damage(filled):
    folder = filled[0].folder
    (folder / "wheels" / "._needed-1.0-py3-none-any.whl").write_bytes(b"\0")
    assert check_bundle(folder) == []


def test_what_pip_refuses_leaves_no_folder_behind(pip, tmp_path):
    pip.fails = "pip"
    with pytest.raises(OSError, match="pip failed: ERROR"):
        bundle(tmp_path / "stick")
    assert not (tmp_path / "stick").exists()


@pytest.mark.parametrize("broken", ["wheels/needed-1.0-py3-none-any.whl", "README.txt"])
def test_a_bundle_that_broke_off_does_not_look_finished(filled, pip, monkeypatch, broken):
    """Neither a new one nor one that was to replace a finished one."""
    folder, write = filled[0].folder, Path.write_bytes
    copied = filling._copied

    def pulled_out(path, *given):
        if (
            Path(given[0] if given and isinstance(given[0], Path) else path)
            .as_posix()
            .endswith(broken)
        ):
            raise OSError(errno.EIO, "Input/output error")
        return (write if isinstance(given[0], bytes) else copied)(path, *given)

    monkeypatch.setattr(filling, "_copied", pulled_out)
    monkeypatch.setattr(Path, "write_bytes", pulled_out)
    with pytest.raises(OSError, match="Input/output"):
        bundle(folder)
    monkeypatch.undo()
    assert not (folder / stick.MANIFEST).exists()
    with pytest.raises(ValueError, match="not a finished bundle"):
        check_bundle(folder)
    monkeypatch.setattr(wheels, "run_pip", pip)
    bundle(folder)  # the same command mends it
    assert check_bundle(folder) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"There is no folder '.*nosuch'"):
        check_bundle(tmp_path / "nosuch")


def test_a_manifest_beside_the_mark_of_an_unfinished_bundle_does_not_count(filled):
    folder = filled[0].folder
    (folder / stick.UNFINISHED).write_text("")
    with pytest.raises(ValueError, match="not a finished bundle"):
        check_bundle(folder)


@pytest.mark.parametrize("text", ["{", "[1, 2]", "{}"])
def test_a_damaged_manifest_is_told(filled, text):
    folder = filled[0].folder
    (folder / stick.MANIFEST).write_text(text)
    with pytest.raises(ValueError, match=r"manifest\.json is damaged"):
        check_bundle(folder)


def test_a_stick_without_room_is_refused_before_anything_is_written(pip, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(1e9, 0, 5_500_000))
    with pytest.raises(OSError, match=r"No room: the bundle needs \d+ MB, and 6 MB are free"):
        bundle(tmp_path / "stick")
    assert len(pip.asked) == 2  # only the true size told so
    assert not (tmp_path / "stick").exists()


def test_far_too_little_room_is_refused_before_anything_is_downloaded(pip, tmp_path, monkeypatch):
    monkeypatch.setattr(filling, "expected_bytes", lambda extras: 500_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(1e9, 0, 100_000_000))
    with pytest.raises(OSError, match="No room"):
        bundle(tmp_path / "stick")
    assert pip.asked == []


def test_a_disk_that_fills_up_meanwhile_is_told(pip, tmp_path, monkeypatch):
    copied = filling._copied

    def full(source, target):
        with full_disk(600):
            return copied(source, target)

    def refused(source, target):
        try:
            return full(source, target)
        except OSError as error:  # the limit of the test says EFBIG where a disk says ENOSPC
            raise OSError(errno.ENOSPC, error.strerror) from error

    monkeypatch.setattr(filling, "_copied", refused)
    with pytest.raises(OSError, match="the disk is full, and the bundle is not finished"):
        bundle(tmp_path / "stick")
    assert (tmp_path / "stick" / stick.UNFINISHED).exists()
    assert not (tmp_path / "stick" / stick.MANIFEST).exists()


def test_a_folder_with_other_files_is_left_alone(pip, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        bundle(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="this is a file"):
        bundle(tmp_path / "file")
    assert (tmp_path / "thesis.txt").read_text() == "mine"
    assert pip.asked == []


def test_notebooks_of_one_s_own_go_with_their_files(pip, tmp_path):
    lesson = tmp_path / "lesson"
    (lesson / "photos").mkdir(parents=True)
    (lesson / ".ipynb_checkpoints").mkdir()
    for name in ("a.ipynb", "photos/cat.jpg", ".ipynb_checkpoints/a.ipynb"):
        (lesson / name).write_text("x")
    (tmp_path / "b.ipynb").write_text("y")
    made = bundle(tmp_path / "stick", notebooks=[lesson, tmp_path / "b.ipynb"])
    place = made.folder / "notebooks"
    found = {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}
    assert found == {"a.ipynb", "b.ipynb", "photos/cat.jpg"}


@pytest.mark.parametrize(
    ("names", "kind", "said"),
    [
        (["none.ipynb"], FileNotFoundError, "There is no file or folder"),
        (["a.txt"], ValueError, "no notebook"),
        (["a.ipynb", "other/a.ipynb"], ValueError, "Two files are called 'a.ipynb'"),
    ],
)
def test_wrong_notebooks_are_refused_before_pip_is_asked(pip, tmp_path, names, kind, said):
    (tmp_path / "other").mkdir()
    for name in ("a.ipynb", "a.txt", "other/a.ipynb"):
        (tmp_path / name).write_text("x")
    with pytest.raises(kind, match=said):
        bundle(tmp_path / "stick", notebooks=[tmp_path / name for name in names])
    assert pip.asked == []


# -- where the package's own wheel comes from


@pytest.fixture
def release(monkeypatch, tmp_path):
    """Have the package lie in no checkout; return a way to say what pip noted about its origin."""
    monkeypatch.setattr(wheels, "__file__", str(tmp_path / "site" / "cnn_widgets" / "a" / "b.py"))

    class Noted:
        said, version = None, "0.1.0"

        def read_text(self, name):
            assert name == "direct_url.json"
            return self.said

    noted = Noted()
    monkeypatch.setattr(wheels.metadata, "distribution", lambda name: noted)
    return noted


def test_a_release_is_asked_for_by_its_version(release, pip, tmp_path):
    wheels.own_wheel(tmp_path, None, print)
    assert pip.asked == [
        ["download", "--no-deps", "--only-binary=:all:", "--dest", str(tmp_path),
         "cnn-widgets==0.1.0"]
    ]  # fmt: skip


def test_a_release_that_is_nowhere_says_what_to_do(release, pip, tmp_path):
    pip.fails = "cnn-widgets==0.1.0"
    with pytest.raises(OSError, match=r"Give its wheel with --wheel .* in a checkout"):
        wheels.own_wheel(tmp_path, None, print)


def test_what_it_was_installed_from_is_used_again(release, tmp_path):
    file = own(tmp_path)
    release.said = json.dumps({"url": file.as_uri(), "archive_info": {}})
    assert wheels.origin() == str(file)
    file.unlink()
    assert wheels.origin() is None
    about = {"vcs": "git", "commit_id": "abc"}
    release.said = json.dumps({"url": "https://host/repo.git", "vcs_info": about})
    assert wheels.origin() == "git+https://host/repo.git@abc"


def test_a_wheel_that_is_given_is_used(pip, tmp_path):
    (tmp_path / "mine").mkdir()
    made = bundle(tmp_path / "stick", wheel=own(tmp_path / "mine"))
    assert len(pip.asked) == 1
    assert check_bundle(made.folder) == []
    with pytest.raises(ValueError, match="Expected a file cnn_widgets"):
        bundle(tmp_path / "other", wheel=wheel(tmp_path, "foreign"))


def test_an_unknown_extra_is_named(pip, tmp_path):
    with pytest.raises(ValueError, match=r"Unknown extra 'gold'. Extras: cpu."):
        bundle(tmp_path / "stick", extras="cpu,gold")


def test_the_first_release_of_python_that_all_wheels_take_is_found(tmp_path):
    files = [wheel(tmp_path, "a", "1", None, "Requires-Python: >=3.8"),
             wheel(tmp_path, "b", "1", None, "Requires-Python: >=3.11.5,!=3.11.6")]  # fmt: skip
    assert wheels.lowest_python("3.11", files) == "3.11.5"
    assert wheels.lowest_python("3.12", files) == "3.12.0"


def test_the_size_is_estimated_from_what_is_installed():
    assert 50e6 < wheels.expected_bytes("") < wheels.expected_bytes("cpu") < 2e9


# -- pip itself


def pretend(monkeypatch, tmp_path, text):
    """Have the program that runs pip do what a text says."""
    if os.name == "nt":
        pytest.skip("a script is no program on Windows")
    file = tmp_path / "python"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    monkeypatch.setattr(wheels.sys, "executable", str(file))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo 'No module named pip' >&2; exit 1", "python -m ensurepip"),
        ("echo 'OSError: [Errno 28] No space left on device'; exit 2", "no room for temporary"),
        ("echo 'ERROR: No matching distribution found for x'; exit 1", "No matching distribution"),
    ],
)
def test_pip_s_failures_are_told_in_words(monkeypatch, tmp_path, text, said):
    pretend(monkeypatch, tmp_path, text)
    with pytest.raises(OSError, match=said):
        wheels.run_pip(["wheel"], print)


def test_what_pip_does_is_passed_on_without_its_details(monkeypatch, tmp_path):
    pretend(monkeypatch, tmp_path, "echo '  Downloading a.whl (from b->c)'; echo chatter")
    said = []
    wheels.run_pip(["wheel"], said.append)
    assert said == ["Downloading a.whl"]


def test_the_command_tells_size_and_time(pip, tmp_path, capsys):
    assert cli.main(["bundle", str(tmp_path / "stick")]) == 0
    out = capsys.readouterr().out
    assert "installed it takes" in out
    assert "README.txt" in out
    assert cli.main(["bundle", str(tmp_path / "stick"), "--check"]) == 0
    with pytest.raises(SystemExit) as stop:
        cli.main(["bundle", str(tmp_path)])
    assert stop.value.code == 2
    assert "holds other files" in capsys.readouterr().err


def test_stopped_by_hand_it_says_so_and_is_not_finished(pip, tmp_path, monkeypatch, capsys):
    def stopped(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(filling, "_copied", stopped)
    assert cli.main(["bundle", str(tmp_path / "stick")]) == 130
    assert "not finished" in capsys.readouterr().err
    with pytest.raises(ValueError, match="not a finished bundle"):
        check_bundle(tmp_path / "stick")
